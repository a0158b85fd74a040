/* tests/unit/agent/test_conf_sources.c: several files, directories, and secrets in files of their own. */
#include <check.h>
#undef fail

#include <stdarg.h>
#include <string.h>

#include "base/mem.h"
#include "conf/conf_priv.h"
#include "private_dir.h"

/* Each test has a directory of its own. */
static char dir[64];

static const char *path_of(const char *name)
{
        static char paths[4][160];
        static unsigned next;
        char *path = paths[next++ % 4];

        snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
        return path;
}

static const char *put(const char *name, const char *text, mode_t mode)
{
        const char *path = path_of(name);
        FILE *f = fopen(path, "w");

        ck_assert_msg(f && fputs(text, f) >= 0 && fclose(f) == 0 && chmod(path, mode) == 0, "%s", path);
        return path;
}

static void make_dirs(void)
{
        snprintf(dir, sizeof(dir), "%s/XXXXXX", private_dir);
        ck_assert_ptr_nonnull(mkdtemp(dir));
        ck_assert_int_eq(mkdir(path_of("d"), 0700), 0);
        unsetenv("CREDENTIALS_DIRECTORY");
}

/* What is said, with the directory's name left out. */
static char *without_dir(const char *text)
{
        struct strbuf out = {};

        strbuf_adds(&out, "");
        for (const char *p = text; *p; p++) {
                if (strncmp(p, dir, strlen(dir)) == 0)
                        p += strlen(dir) - 1;
                else
                        strbuf_add(&out, p, 1);
        }
        return strbuf_take(&out, NULL);
}

/* The main file and the directory. The caller frees *ret_said: errors, or the notes when there are none. */
static struct conf *load(unsigned flags, char **ret_said)
{
        CLEANUP(freep) char *main_file = xstrdup(path_of("main.conf")), *d = xstrdup(path_of("d"));
        const struct conf_source sources[] = { { main_file }, { d, true } };
        const struct conf_from from = { .sources = sources, .n = 2, .flags = flags };
        CLEANUP(strbuf_free) struct strbuf errors = {};
        struct conf *c;

        strbuf_adds(&errors, "");
        c = conf_load_from(&from, &errors);
        ck_assert_int_eq(c == NULL, errors.len > 0);
        *ret_said = without_dir(c ? c->notes : errors.data);
        return c;
}

static struct conf *load_good(void)
{
        CLEANUP(freep) char *said = NULL;
        struct conf *c = load(0, &said);

        ck_assert_msg(c != NULL, "%s", said);
        ck_assert_str_eq(said, "");
        return c;
}

#define ASSERT_REFUSED(want)                                  \
        do {                                                  \
                CLEANUP(freep) char *said_ = NULL;            \
                struct conf *c_ = load(0, &said_);            \
                ck_assert_msg(c_ == NULL, "it was accepted"); \
                ck_assert_str_eq(said_, want);                \
        } while (0)

static void put_main(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void put_main(const char *fmt, ...)
{
        CLEANUP(freep) char *text = NULL;
        va_list ap;

        va_start(ap, fmt);
        text = xvasprintf(fmt, ap);
        va_end(ap);
        put("main.conf", text, 0600);
}

/* ---- several files ---- */

START_TEST(later_files_win_in_the_order_of_their_names)
{
        struct conf *c;

        put("main.conf", "host = 'main'\nreport_interval = 11\nvnc {\n enabled = false\n}\n", 0600);
        put("d/20-b.conf", "report_interval = 22\nlog_level = ERROR\n", 0600);
        put("d/10-a.conf",
            "report_interval = 33\nlog_level = WARNING\nvnc { server_listen = '127.0.0.2'\n}\n", 0600);
        put("d/.hidden.conf", "nonsense\n", 0600);
        put("d/30-c.conf.dpkg-old", "nonsense\n", 0600);
        put("d/.conf", "nonsense\n", 0600);
        c = load_good();
        ck_assert_str_eq(c->host, "main");
        ck_assert_int_eq(c->report_interval, 22);
        ck_assert_str_eq(c->log_level, "ERROR");
        ck_assert(!c->vnc.enabled);
        ck_assert_str_eq(c->vnc.server_listen, "127.0.0.2");
        conf_free(c);
}
END_TEST

START_TEST(a_dump_says_where_a_value_was_set)
{
        CLEANUP(strbuf_free) struct strbuf out = {};
        CLEANUP(freep) char *text = NULL;
        struct conf *c;

        put("main.conf", "host = 'main'\n\nreport_interval = 11\n", 0600);
        put("d/a.conf", "report_interval = 22\nvnc {\n enabled = true }\n", 0600);
        c = load_good();
        conf_dump(c, CONF_DUMP_PLACES, &out);
        text = without_dir(out.data);
        ck_assert_ptr_nonnull(strstr(text, "\nreport_interval = 22 # /d/a.conf:1\n"));
        ck_assert_ptr_nonnull(strstr(text, "    enabled = true # /d/a.conf:3\n"));
        ck_assert_ptr_nonnull(strstr(text, "host = 'main' # /main.conf:1\n"));
        ck_assert_ptr_nonnull(strstr(text, "\nservice_down_time = 60\n"));
        conf_free(c);
}
END_TEST

START_TEST(mistakes_name_their_file_and_line_all_at_once)
{
        put("main.conf", "hots = 'main'\nreport_interval = 0\n", 0600);
        put("d/a.conf", "libvirt {\n virt_type = 'xen'\n", 0600);
        put("d/b.conf",
            "\n\noslo_messaging_rabbit {\n rabbit_ha_queues = true\n rabbit_quorum_queue = true\n}\n", 0600);
        ASSERT_REFUSED("/main.conf:1: there is no option \"hots\", did you mean \"host\"?\n"
                       "/main.conf:2: report_interval must be 1 to 86400 seconds, not 0\n"
                       "/d/a.conf:1: section \"libvirt\" opens here and is not closed: a } is missing\n"
                       "/d/a.conf:2: virt_type must be one of kvm qemu, not \"xen\"\n"
                       "/d/b.conf:5: rabbit_quorum_queue and rabbit_ha_queues exclude one another\n");
}
END_TEST

START_TEST(one_file_may_not_set_an_option_twice)
{
        put("main.conf", "host = 'a'\n", 0600);
        put("d/a.conf", "host = 'b'\nhost = 'c'\n", 0600);
        ASSERT_REFUSED("/d/a.conf:2: host is set a second time; the first is on line 1\n");
}
END_TEST

START_TEST(a_named_file_or_directory_must_be_there)
{
        ck_assert_int_eq(rmdir(path_of("d")), 0);
        ASSERT_REFUSED("/main.conf: the directory /d cannot be read: No such file or directory\n"
                       "/main.conf: cannot be opened: No such file or directory\n");
}
END_TEST

START_TEST(a_reload_keeps_track_of_files)
{
        CLEANUP(strbuf_free) struct strbuf out = {};
        CLEANUP(freep) char *text = NULL;
        struct conf *now, *next;

        put("main.conf", "host = 'a'\n", 0600);
        now = load_good();
        put("main.conf", "\nhost = 'b'\n", 0600);
        put("d/new.conf", "max_concurrent_builds = 3\n", 0600);
        next = load_good();
        conf_apply(now, next);
        conf_free(next);
        conf_dump(now, CONF_DUMP_PLACES, &out);
        text = without_dir(out.data);
        ck_assert_ptr_nonnull(strstr(text, "host = 'a' # /main.conf:1\n"));
        ck_assert_ptr_nonnull(strstr(text, "\nmax_concurrent_builds = 3 # /d/new.conf:1\n"));
        conf_free(now);
}
END_TEST

/* ---- what the machine must have ---- */

START_TEST(a_check_for_the_start_looks_at_all_that_is_named)
{
        CLEANUP(freep) char *file = xstrdup(put("f", "", 0600)), *said = NULL;
        static char long_name[120];
        struct conf *c;

        memset(long_name, 'x', sizeof(long_name) - 1);
        put_main("state_path = '%s/new/state'\n"
                 "instances_path = '%s/below'\n"
                 "heartbeat_file_path = ''\n"
                 "control_socket = '%s/nowhere/rpc.sock'\n"
                 "log_file = '%s'\n"
                 "transport_url = 'rabbit://mq/'\n"
                 "control_readers_group = 'no-such-group'\n"
                 "healthcheck {\n socket = '/tmp/%s'\n}\n"
                 "libvirt {\n virt_type = 'qemu'\n}\n"
                 "oslo_messaging_rabbit {\n ssl = true\n ssl_ca_file = '%s/ca'\n ssl_key_file = '%s'\n}\n"
                 "hots = 1\n",
                 dir, file, dir, dir, long_name, dir, file);
        c = load(0, &said);
        ck_assert_ptr_null(c);
        ck_assert_str_eq(said, "/main.conf:19: there is no option \"hots\", did you mean \"host\"?\n");
        free(take_ptr(&said));
        c = load(CONF_FOR_START | CONF_MACHINE, &said);
        ck_assert_ptr_null(c);
        ck_assert_str_eq(said,
                         "/main.conf: [database] connection is not set: the agent needs the cell database\n"
                         "/main.conf:2: instances_path: /f/below: Not a directory\n"
                         "/main.conf:4: control_socket: the directory /nowhere is not there: No such file or "
                         "directory\n"
                         "/main.conf:5: log_file: it is a directory\n"
                         "/main.conf:9: socket: the path of a socket has at most 107 characters\n"
                         "/main.conf:16: ssl_ca_file: /ca cannot be read: No such file or directory\n"
                         "/main.conf:19: there is no option \"hots\", did you mean \"host\"?\n");
        ck_assert_int_lt(access(path_of("new"), F_OK), 0); /* it only looks */
}
END_TEST

START_TEST(a_check_for_the_start_is_content_with_what_can_be_made)
{
        struct conf *c;
        CLEANUP(freep) char *said = NULL;

        put_main("state_path = '%s/new/state'\nheartbeat_file_path = '%s/beats'\n"
                 "control_readers_group = 'no-such-group'\n"
                 "transport_url = 'unix:%s/beats/rpc.sock'\nhealthcheck {\n socket = '%s/http'\n}\n"
                 "database {\n connection = 'mysql://nova@db/nova'\n}\n"
                 "libvirt {\n virt_type = 'qemu'\n}\n",
                 dir, dir, dir, dir);
        c = load(CONF_FOR_START | CONF_MACHINE, &said);
        ck_assert_msg(c != NULL, "%s", said);
        ck_assert_str_eq(said,
                         "/main.conf:3: control_readers_group: there is no such group, so only root and the "
                         "agent's own user may look\n");
        ck_assert_int_lt(access(path_of("new"), F_OK), 0);
        ck_assert_int_lt(access(path_of("beats"), F_OK), 0);
        conf_free(c);
}
END_TEST

START_TEST(a_check_for_the_start_of_files_that_cannot_be_read_says_no_more_than_that)
{
        const struct conf_source source = { "/nonexistent/x.conf" };
        const struct conf_from from = { .sources = &source, .n = 1, .flags = CONF_FOR_START | CONF_MACHINE };
        CLEANUP(strbuf_free) struct strbuf errors = {};

        ck_assert_ptr_null(conf_load_from(&from, &errors));
        ck_assert_str_eq(errors.data, "/nonexistent/x.conf: cannot be opened: No such file or directory\n");
}
END_TEST

START_TEST(a_machine_that_cannot_run_kvm_is_told_of)
{
        const bool has_kvm = access("/dev/kvm", F_OK) == 0;
        struct conf *c;
        CLEANUP(freep) char *said = NULL;

        put_main("state_path = '%s'\nheartbeat_file_path = ''\ntransport_url = 'unix:%s/rpc.sock'\n"
                 "healthcheck {\n socket = '%s/http'\n}\n"
                 "database {\n connection = 'mysql://nova@db/nova'\n}\n"
                 "libvirt {\n virt_type = 'kvm'\n}\n",
                 dir, dir, dir);
        c = load(CONF_FOR_START | CONF_MACHINE, &said);
        ck_assert_msg(c != NULL, "%s", said);
        ck_assert_str_eq(said,
                         has_kvm ? ""
                                 : "/main.conf:11: virt_type is 'kvm', and this machine has no /dev/kvm: "
                                   "no guest will start; 'qemu' needs none\n");
        conf_free(c);
}
END_TEST

/* ---- secrets ---- */

#define IDENTITY                                                         \
        "placement {\n auth_type = 'password'\n auth_url = 'http://k'\n" \
        " username = 'n'\n user_domain_id = 'd'\n project_name = 's'\n"  \
        " project_domain_id = 'd'\n"

START_TEST(secrets_are_read_from_files_of_their_own)
{
        const char *db = put("db", "mysql://nova:geheim@db/nova\n", 0600);
        const char *pw = put("pw", "  ge'h\\eim #1\r\n", 0400);
        const char *bus = put("bus", "rabbit://nova:geheim@mq/", 0400);
        CLEANUP(strbuf_free) struct strbuf out = {};
        struct conf *c, *again;
        CLEANUP(freep) char *text = NULL;

        put_main("transport_url_file = '%s'\ndatabase {\n connection_file = '%s'\n}\n" IDENTITY
                 " password_file = '%s'\n}\n",
                 bus, db, pw);
        c = load_good();
        ck_assert_str_eq(c->database.connection, "mysql://nova:geheim@db/nova");
        ck_assert_str_eq(c->placement.identity.password, "  ge'h\\eim #1");
        ck_assert_str_eq(c->transport_url, "rabbit://nova:geheim@mq/");
        ck_assert_str_eq(c->images.source, "glance"); /* follows from the URL */

        conf_dump(c, CONF_DUMP_PLACES, &out);
        ck_assert_ptr_null(strstr(out.data, "eim"));
        text = without_dir(out.data);
        ck_assert_ptr_nonnull(strstr(
                text,
                "    # connection = 'mysql://nova:***@db/nova' # from connection_file, /main.conf:3\n"));
        put("main.conf", out.data, 0600); /* they are read again */
        again = load_good();
        for (const struct setting *s = settings; s->key; s++)
                ck_assert_msg(setting_equal(s, c, again), "%s", s->key);
        conf_free(c);
        conf_free(again);
}
END_TEST

START_TEST(a_path_of_a_secret_may_begin_with_the_state_path)
{
        struct conf *c;

        put("db", "mysql://nova@db/nova\n", 0600);
        put_main("state_path = '%s'\ndatabase { connection_file = '$state_path/db'\n}\n", dir);
        c = load_good();
        ck_assert_str_eq(c->database.connection, "mysql://nova@db/nova");
        conf_free(c);
}
END_TEST

START_TEST(secrets_are_read_from_credentials)
{
        CLEANUP(strbuf_free) struct strbuf out = {};
        struct conf *c;

        put("main.conf", "database {\n connection = ''\n}\n", 0600);
        put("compute-agent.database.connection", "mysql://nova:geheim@db/nova\n", 0444);
        put("compute-agent.transport_url", "rabbit://nova:geheim@mq/\n", 0400);
        setenv("CREDENTIALS_DIRECTORY", dir, 1);
        c = load_good();
        ck_assert_str_eq(c->database.connection, "mysql://nova:geheim@db/nova");
        ck_assert_str_eq(c->transport_url, "rabbit://nova:geheim@mq/");
        conf_dump(c, CONF_DUMP_PLACES, &out);
        ck_assert_ptr_nonnull(strstr(out.data,
                                     "\n# transport_url = 'rabbit://nova:***@mq/' # from the credential "
                                     "compute-agent.transport_url\n"));
        conf_free(c);
}
END_TEST

START_TEST(of_two_places_for_a_secret_nobody_knows_which_is_meant)
{
        CLEANUP(freep) char *db = xstrdup(put("db", "mysql://nova@db/nova\n", 0600));

        put_main("database {\n connection = 'mysql://n@h/d'\n}\n");
        put("d/a.conf", "database {\n connection_file = '/nowhere'\n}\n", 0600);
        ASSERT_REFUSED("/d/a.conf:2: connection and connection_file exclude one another\n");

        put("compute-agent.database.connection", "mysql://nova@db/nova", 0600);
        setenv("CREDENTIALS_DIRECTORY", dir, 1);
        put("d/a.conf", "", 0600);
        ASSERT_REFUSED(
                "/main.conf:2: connection and the credential compute-agent.database.connection exclude one "
                "another\n");
        put_main("database {\n connection_file = '%s'\n}\n", db);
        ASSERT_REFUSED(
                "/main.conf:2: connection_file and the credential compute-agent.database.connection exclude "
                "one another\n");
}
END_TEST

START_TEST(a_file_that_holds_no_secret_is_a_mistake)
{
        CLEANUP(freep) char *f = xstrdup(put("f", "\n", 0600));

        put_main("database {\n connection_file = '%s'\n}\n", f);
        ASSERT_REFUSED("/main.conf:2: connection_file: /f is empty\n");
        put("f", "geheim\n", 0600);
        ASSERT_REFUSED(
                "/main.conf:2: connection_file: what stands in /f must be mysql://USER:PASSWORD@HOST:PORT/"
                "DATABASE or mysql+pymysql://...\n");
        put("f", "mysql://nova:ge\nheim@db/nova\n", 0600);
        ASSERT_REFUSED(
                "/main.conf:2: connection_file: what stands in /f must not have control characters in it\n");
        put("f", "mysql://nova@db/nova\n", 0602);
        ASSERT_REFUSED("/main.conf:2: connection_file: /f may be written by everyone (mode 602)\n");
        put_main("database {\n connection_file = '%s'\n}\n", dir);
        ASSERT_REFUSED("/main.conf:2: connection_file:  is not a regular file\n");
        put_main("database {\n connection_file = '%s/missing'\n}\n" IDENTITY
                 " password_file = '/nowhere/pw'\n}\n",
                 dir);
        ASSERT_REFUSED(
                "/main.conf:2: connection_file: /missing cannot be opened: No such file or directory\n"
                "/main.conf:11: password_file: /nowhere/pw cannot be opened: No such file or directory\n");
}
END_TEST

START_TEST(a_file_that_everybody_can_read_is_noted)
{
        const char *f = put("f", "mysql://nova:geheim@db/nova\n", 0644);
        CLEANUP(freep) char *said = NULL;
        struct conf *c;

        put_main("database {\n connection_file = '%s'\n}\n", f);
        c = load(0, &said);
        ck_assert_ptr_nonnull(c);
        ck_assert_str_eq(said, "/main.conf:2: connection_file: /f is readable by everyone (mode 644)\n");
        conf_free(c);
}
END_TEST

START_TEST(who_needs_no_secrets_goes_without)
{
        CLEANUP(freep) char *said = NULL;
        struct conf *c;

        put_main("host = 'a'\n" IDENTITY " password_file = '/nowhere/pw'\n}\n");
        c = load(CONF_WITHOUT_SECRETS, &said);
        ck_assert_msg(c != NULL, "%s", said);
        ck_assert_str_eq(c->host, "a");
        ck_assert_str_eq(
                said,
                "/main.conf:9: password_file: /nowhere/pw cannot be opened: No such file or directory\n");
        conf_free(c);
}
END_TEST

START_TEST(every_secret_may_be_in_a_file)
{
        unsigned secrets = 0;
        char name[128];

        for (const struct setting *s = settings; s->key; s++) {
                const struct setting *file = secret_file_of(s);

                ck_assert_msg((file != NULL) == ((s->flags & SETTING_SECRET) != 0), "%s", s->key);
                if (!file)
                        continue;
                secrets++;
                ck_assert_int_eq(file->type, SETTING_PATH);
                secret_credential(s, name, sizeof(name));
                ck_assert_ptr_null(strchr(name, '/'));
        }
        ck_assert_uint_ge(secrets, 4);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("conf-sources");
        TCase *tcase = tcase_create("conf-sources");
        SRunner *runner = srunner_create(suite);
        int failed;

        tcase_add_checked_fixture(tcase, make_dirs, NULL);
        tcase_add_test(tcase, later_files_win_in_the_order_of_their_names);
        tcase_add_test(tcase, a_dump_says_where_a_value_was_set);
        tcase_add_test(tcase, mistakes_name_their_file_and_line_all_at_once);
        tcase_add_test(tcase, one_file_may_not_set_an_option_twice);
        tcase_add_test(tcase, a_named_file_or_directory_must_be_there);
        tcase_add_test(tcase, a_reload_keeps_track_of_files);
        tcase_add_test(tcase, a_check_for_the_start_looks_at_all_that_is_named);
        tcase_add_test(tcase, a_check_for_the_start_is_content_with_what_can_be_made);
        tcase_add_test(tcase, a_check_for_the_start_of_files_that_cannot_be_read_says_no_more_than_that);
        tcase_add_test(tcase, a_machine_that_cannot_run_kvm_is_told_of);
        tcase_add_test(tcase, secrets_are_read_from_files_of_their_own);
        tcase_add_test(tcase, a_path_of_a_secret_may_begin_with_the_state_path);
        tcase_add_test(tcase, secrets_are_read_from_credentials);
        tcase_add_test(tcase, of_two_places_for_a_secret_nobody_knows_which_is_meant);
        tcase_add_test(tcase, a_file_that_holds_no_secret_is_a_mistake);
        tcase_add_test(tcase, a_file_that_everybody_can_read_is_noted);
        tcase_add_test(tcase, who_needs_no_secrets_goes_without);
        tcase_add_test(tcase, every_secret_may_be_in_a_file);
        suite_add_tcase(suite, tcase);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
