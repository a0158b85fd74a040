#include "green_test.h"

#include <string.h>

#include "base/list.h"
#include "process/command.h"

static const struct {
        const char *from, *to;
} texts[] = {
        { "qemu-img info disk", "qemu-img info disk" },
        { "", "" },
        { "a\nb\tc\x7f\x1b[31m", "a b c  [31m" },
        { "caf\xc3\xa9 \xe2\x82\xac", "caf\xc3\xa9 \xe2\x82\xac" },
        { "cut \xe2\x82", "cut ??" },
        { "bad \xff\xc0\x80 \xed\xa0\x80", "bad ??? ???" },
        { "--password geheim --next", "--password *** --next" },
        { "--password=geheim,host=x", "--password=***,host=x" },
        { "--db-passwd-file '/etc/x y'", "--db-passwd-file '*** y'" },
        { "password: geheim", "password: ***" },
        { "{\"password\": \"geheim\", \"user\": \"u\"}", "{\"password\": \"***\", \"user\": \"u\"}" },
        { "wrong password for user", "wrong password for user" },
        { "ADMIN_TOKEN=abcdef rest", "ADMIN_TOKEN=*** rest" },
        { "secret,id=sec0,data=x", "secret,id=sec0,data=x" },
        { "rabbit://nova:geheim@host:5672/", "rabbit://nova:***@host:5672/" },
        { "mysql://u:a/b?c@h/db and x://v:longer@h", "mysql://u:***@h/db and x://v:***@h" },
        { "http://host:80/path", "http://host:80/path" },
        { "password=", "password=" },
};

START_TEST(presentable)
{
        char buf[256];

        snprintf(buf, sizeof(buf), "%s", texts[_i].from);
        make_presentable(buf);
        ck_assert_str_eq(buf, texts[_i].to);
}
END_TEST

START_TEST(a_long_command_is_cut)
{
        char word[3000], secret[] = "token=abcdefgh";
        const char *argv[] = { "true", secret, word, word, NULL };
        struct execute_options opt = { .argv = argv };
        struct command c;
        struct error err = {};

        for (size_t i = 0; i + 1 < sizeof(word); i += 2)
                memcpy(word + i, "\xc3\xa9", 2);
        word[sizeof(word) - 2] = '\0';
        ck_assert_ok(command_init(&c, &opt, NULL, &err), err);
        ck_assert_uint_eq(strlen(c.text), COMMAND_TEXT_MAX - 1);
        ck_assert_int_eq(strncmp(c.text, "true token=*** \xc3\xa9", 17), 0);
        ck_assert_str_eq(c.text + strlen(c.text) - 3, "...");
        command_destroy(&c);
}
END_TEST

START_TEST(the_helper_comes_first)
{
        static const char *const argv[] = { "mount", "a b", "", NULL }, *const env[] = { "A=1", NULL };
        struct execute_options opt = { .argv = argv, .env = env };
        struct command c;
        struct error err = {};

        ck_assert_ok(command_init(&c, &opt, "env  -u\tX ", &err), err);
        ck_assert_str_eq(c.text, "env -u X env A=1 mount 'a b' ''");
        ck_assert_str_eq(c.argv[2], "X");
        ck_assert_str_eq(c.argv[6], "a b");
        ck_assert_str_eq(c.argv[7], "");
        ck_assert_ptr_null(c.argv[8]);
        command_destroy(&c);
        ck_assert_ok(command_init(&c, &opt, "  ", &err), err); /* no helper after all */
        ck_assert_str_eq(c.text, "mount 'a b' ''");
        command_destroy(&c);
}
END_TEST

START_TEST(added_variables_replace_inherited_ones)
{
        static const char *const argv[] = { "true", NULL }, *const env[] = { "LC_ALL=C", "NEW=", NULL };
        struct execute_options opt = { .argv = argv, .env = env };
        struct command c;
        struct error err = {};
        unsigned lc_all = 0, longer = 0;

        setenv("LC_ALL", "de_DE", 1);
        setenv("LC_ALL_LONGER", "x", 1);
        ck_assert_ok(command_init(&c, &opt, NULL, &err), err);
        for (char **e = c.envp; *e; e++) {
                lc_all += strncmp(*e, "LC_ALL=", 7) == 0;
                longer += strcmp(*e, "LC_ALL_LONGER=x") == 0;
                if (strncmp(*e, "LC_ALL=", 7) == 0)
                        ck_assert_str_eq(*e, "LC_ALL=C");
        }
        ck_assert_uint_eq(lc_all, 1);
        ck_assert_uint_eq(longer, 1);
        command_destroy(&c);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("command");
        TCase *tcase = tcase_create("command");
        SRunner *runner;
        int failed;

        tcase_add_loop_test(tcase, presentable, 0, ARRAY_SIZE(texts));
        tcase_add_test(tcase, a_long_command_is_cut);
        tcase_add_test(tcase, the_helper_comes_first);
        tcase_add_test(tcase, added_variables_replace_inherited_ones);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
