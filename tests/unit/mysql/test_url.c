/* tests of lib/mysql/url.c */
#include "mysql/url.h"

#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "suite.h"

static struct db_url parsed(const char *url)
{
        struct db_url u;
        struct error err = {};

        ck_assert_msg(db_url_parse(url, &u, &err) == 0, "%s: %s", url, err.text);
        return u;
}

static void is_text(const char *got, const char *want)
{
        if (want)
                ck_assert_str_eq(got ? got : "(null)", want);
        else
                ck_assert_msg(!got, "\"%s\" instead of none", got);
}

static const struct {
        const char *url, *user, *password, *host, *database, *unix_socket, *charset, *peer;
        unsigned port;
} good[] = {
        { "mysql+pymysql://nova:secret@db1/nova_cell1?charset=utf8", "nova", "secret", "db1", "nova_cell1",
          NULL, "utf8mb3", "tcp:db1:3306", 3306 },
        { "mysql://nova@db1:3307/nova", "nova", NULL, "db1", "nova", NULL, "utf8mb3", "tcp:db1:3307", 3307 },
        { "mariadb+mariadbconnector://u:@h/d?charset=utf8mb4", "u", "", "h", "d", NULL, "utf8mb4",
          "tcp:h:3306", 3306 },
        { "mysql://n%6fva:p%40ss%2Fw%3Ard%25+%3F@h/d", "nova", "p@ss/w:rd%+?", "h", "d", NULL, "utf8mb3",
          "tcp:h:3306", 3306 },
        { "mysql://u:a:b/c@h/d", "u", "a:b/c", "h", "d", NULL, "utf8mb3", "tcp:h:3306", 3306 },
        { "mysql://u:p@[2001:db8::1]:13306/d", "u", "p", "2001:db8::1", "d", NULL, "utf8mb3",
          "tcp:[2001:db8::1]:13306", 13306 },
        { "mysql://u:p@[::1]/d", "u", "p", "::1", "d", NULL, "utf8mb3", "tcp:[::1]:3306", 3306 },
        { "mysql://u:p@/d?unix_socket=/run/my%20sql/sock", "u", "p", "localhost", "d", "/run/my sql/sock",
          "utf8mb3", "unix:/run/my sql/sock", 3306 },
        { "mysql://u:p@localhost/d?unix_socket=/run/x&charset=UTF8&plugin=dbcounter&", "u", "p", "localhost",
          "d", "/run/x", "utf8mb3", "unix:/run/x", 3306 },
        { "mysql://db1/d", NULL, NULL, "db1", "d", NULL, "utf8mb3", "tcp:db1:3306", 3306 },
        { "mysql://u:p@h/d?ssl_ca=/ca.pem", "u", "p", "h", "d", NULL, "utf8mb3", "tcp:h:3306 tls", 3306 },
};

START_TEST(parts_are_cut_as_sqlalchemy_does)
{
        struct db_url u = parsed(good[_i].url);
        char peer[128];

        is_text(u.user, good[_i].user);
        is_text(u.password, good[_i].password);
        is_text(u.host, good[_i].host);
        is_text(u.database, good[_i].database);
        is_text(u.unix_socket, good[_i].unix_socket);
        is_text(u.charset, good[_i].charset);
        ck_assert_uint_eq(u.port, good[_i].port);
        db_url_peer(&u, peer, sizeof(peer));
        is_text(peer, good[_i].peer);
        db_url_free(&u);
        ck_assert_ptr_null(u.password);
}
END_TEST

START_TEST(tls_is_on_and_verified_as_asked)
{
        struct db_url u = parsed("mysql://u:p@h/d?ssl_ca=/ca%2Epem&ssl_cert=/c&ssl_key=/k&connect_timeout=3");

        ck_assert(u.tls && u.verify);
        ck_assert_str_eq(u.ssl_ca, "/ca.pem");
        ck_assert_str_eq(u.ssl_cert, "/c");
        ck_assert_str_eq(u.ssl_key, "/k");
        ck_assert(u.connect_timeout_s == 3);
        db_url_free(&u);

        u = parsed("mysql://u:p@h/d?ssl=true");
        ck_assert(u.tls && !u.verify);
        db_url_free(&u);

        u = parsed("mysql://u:p@h/d");
        ck_assert(!u.tls && !u.verify);
        db_url_free(&u);
}
END_TEST

/* Each with "hunter2" as its password, or a part of it that could slip out. */
static const struct {
        const char *url, *says;
} bad[] = {
        { "", "expected mysql://" },
        { "nova:hunter2@db1/nova", "expected mysql://" },
        { "sqlite:///nova.db", "expected mysql://" },
        { "postgresql://nova:hunter2@h/d", "expected mysql://" },
        { "mysqlx://nova:hunter2@h/d", "expected mysql://" },
        { "mysql://nova:hunter2@h", "no database" },
        { "mysql://nova:hunter2@h/", "no database" },
        { "mysql://nova:hunter2@h/?charset=utf8", "no database" },
        { "mysql://nova:hunter2@h/a/b", "no database" },
        { "mysql://nova:hunter2@h:/d", "port" },
        { "mysql://nova:hunter2@h:0/d", "port" },
        { "mysql://nova:hunter2@h:65536/d", "port" },
        { "mysql://nova:hunter2@h:99999999999999999999/d", "port" },
        { "mysql://nova:hunter2@h:33x/d", "port" },
        { "mysql://nova:hunter2@x@h/d", "%40" },
        { "mysql://nova:hunter2%@h/d", "hexadecimal" },
        { "mysql://nova:hunter2%4@h/d", "hexadecimal" },
        { "mysql://nova:hunter2%zz@h/d", "hexadecimal" },
        { "mysql://nova:hunter2%00@h/d", "hexadecimal" },
        { "mysql://nova:hunter2@[::1/d", "bracket" },
        { "mysql://nova:hunter2@[::1]x/d", "only a port" },
        { "mysql://nova:hunter2@h/d?charset=latin1", "charset" },
        { "mysql://nova:hunter2@h/d?charset", "no value" },
        { "mysql://nova:hunter2@h/d?charset=", "empty" },
        { "mysql://nova:hunter2@h/d?sll_ca=/x", "unknown parameter \"sll_ca\"" },
        { "mysql://nova:hunter2@h/d?unix_socket=run/x", "absolute" },
        { "mysql://nova:hunter2@h/d?unix_socket=/x&ssl=1", "TLS over a unix socket" },
        { "mysql://nova:hunter2@h/d?ssl_verify_cert=true", "needs ssl_ca" },
        { "mysql://nova:hunter2@h/d?ssl_ca=/x&ssl_check_hostname=false", "not supported" },
        { "mysql://nova:hunter2@h/d?ssl=perhaps", "true or false" },
        { "mysql://nova:hunter2@h/d?connect_timeout=0", "connect_timeout" },
        { "mysql://nova:hunter2@h/d?connect_timeout=5s", "connect_timeout" },
        { "mysql://nova:hunter2@h/d?connect_timeout=nan", "connect_timeout" },
};

START_TEST(a_bad_url_says_what_is_wrong_without_the_password)
{
        struct db_url u = { .port = 4711 };
        struct error err = {};

        ck_assert_msg(db_url_parse(bad[_i].url, &u, &err) == -1, "\"%s\" was accepted", bad[_i].url);
        ck_assert_int_eq(err.code, ERR_INVALID);
        ck_assert_msg(strstr(err.text, bad[_i].says) != NULL, "\"%s\" gives \"%s\"", bad[_i].url, err.text);
        ck_assert_msg(!strstr(err.text, "hunter2"), "the password is in \"%s\"", err.text);
        ck_assert_uint_eq(u.port, 4711);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("mysql-url");
        TCase *tcase = tcase_create("mysql-url");
        SRunner *runner;
        int failed;

        tcase_add_loop_test(tcase, parts_are_cut_as_sqlalchemy_does, 0, ARRAY_SIZE(good));
        tcase_add_test(tcase, tls_is_on_and_verified_as_asked);
        tcase_add_loop_test(tcase, a_bad_url_says_what_is_wrong_without_the_password, 0, ARRAY_SIZE(bad));
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
