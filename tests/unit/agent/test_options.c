/* tests/unit/agent/test_options.c: the command line. */
#include <check.h>
#undef fail

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "options.h"

static char said[4096]; /* what the last parse() put out */

/* parse(&o, "--debug", "--log-level", "info") */
#define parse(ret, ...) parse_words(ret, (const char *[]){ "compute-agent", ##__VA_ARGS__, NULL })

static enum options_outcome parse_words(struct options *ret, const char **words)
{
        struct strbuf out = {};
        enum options_outcome outcome;
        int argc = 0;

        while (words[argc])
                argc++;
        outcome = options_parse(ret, argc, (char **)words, &out);
        snprintf(said, sizeof(said), "%s", out.len ? out.data : "");
        strbuf_free(&out);
        return outcome;
}

START_TEST(without_options_everything_is_left_to_the_file)
{
        struct options o;

        ck_assert_int_eq(parse(&o), OPTIONS_GO);
        ck_assert_uint_eq(o.n_sources, 0);
        ck_assert_ptr_null(o.log_file);
        ck_assert(!o.debug && !o.has_log_level && !o.check_config && !o.dump_config);
        ck_assert_str_eq(said, "");
}
END_TEST

START_TEST(each_option_is_taken)
{
        struct options o;

        ck_assert_int_eq(parse(&o, "--config-file", "/etc/x", "--config-dir=/etc/y", "--config-file=/etc/z",
                               "--debug", "--log-level=Warning", "--log-file", "l"),
                         OPTIONS_GO);
        ck_assert_uint_eq(o.n_sources, 3);
        ck_assert_str_eq(o.sources[0].path, "/etc/x");
        ck_assert_str_eq(o.sources[1].path, "/etc/y");
        ck_assert_str_eq(o.sources[2].path, "/etc/z");
        ck_assert(!o.sources[0].is_dir && o.sources[1].is_dir && !o.sources[2].is_dir);
        ck_assert_str_eq(o.log_file, "l");
        ck_assert(o.debug && o.has_log_level);
        ck_assert_int_eq(o.log_level, LOG_WARNING);
        ck_assert_int_eq(parse(&o, "--check-config"), OPTIONS_GO);
        ck_assert(o.check_config && !o.dump_config && !o.debug);
        ck_assert_int_eq(parse(&o, "--dump-config"), OPTIONS_GO);
        ck_assert(o.dump_config && !o.check_config);
        ck_assert(!o.show_secrets);
        ck_assert_int_eq(parse(&o, "--dump-config", "--show-secrets"), OPTIONS_GO);
        ck_assert(o.show_secrets);
        ck_assert_int_eq(parse(&o, "--list-patched", "--debug"), OPTIONS_GO);
        ck_assert(o.list_patched && o.debug && !o.dump_config);
}
END_TEST

/* --debug is about threads; the level is another option. */
START_TEST(debug_does_not_set_the_log_level)
{
        struct options o;

        ck_assert_int_eq(parse(&o, "--debug"), OPTIONS_GO);
        ck_assert(!o.has_log_level);
        ck_assert_int_eq(parse(&o, "--log-level", "debug"), OPTIONS_GO);
        ck_assert(!o.debug);
}
END_TEST

START_TEST(help_and_version_are_answers)
{
        struct options o;

        ck_assert_int_eq(parse(&o, "--version", "--nonsense"), OPTIONS_DONE);
        ck_assert_str_eq(said, "compute-agent " AGENT_VERSION "\n");
        ck_assert_int_eq(parse(&o, "--help"), OPTIONS_DONE);
        for (const struct option *p = options_table; p->name; p++) {
                char want[64];

                snprintf(want, sizeof(want), "\n  --%s ", p->name);
                ck_assert_msg(strstr(said, want) != NULL, "--help does not tell of --%s", p->name);
        }
}
END_TEST

/* The lines of the page's first list, as the table would have them. */
START_TEST(the_manual_page_has_each_option_in_its_order_and_no_other)
{
        FILE *page = fopen(MAN_DIR "/compute-agent.8", "r");
        const struct option *o = options_table;
        bool in_options = false;
        char line[512];

        ck_assert_ptr_nonnull(page);
        while (fgets(line, sizeof(line), page)) {
                char want[128];

                if (line[0] == '.' && line[1] == 'S')
                        in_options = strcmp(line, ".Sh OPTIONS\n") == 0;
                if (!in_options || strncmp(line, ".It ", 4) != 0)
                        continue;
                ck_assert_msg(o->name != NULL, "the page has one more: %s", line);
                snprintf(want, sizeof(want), ".It Fl -%s%s", o->name,
                         o->has_arg == required_argument ? " Ar " : "\n");
                ck_assert_msg(strncmp(line, want, strlen(want)) == 0, "the page has %s, and not %s", line,
                              want);
                o++;
        }
        ck_assert_msg(o->name == NULL, "the page lacks --%s", o->name);
        fclose(page);
}
END_TEST

struct wrong_line {
        const char *words[4];
        const char *message;
};

static const struct wrong_line wrong_lines[] = {
        { { "--nonsense" }, "there is no option \"--nonsense\", or it takes no value" },
        { { "-x" }, "there is no option \"-x\", or it takes no value" },
        { { "--debug=yes" }, "there is no option \"--debug=yes\", or it takes no value" },
        { { "--config-file" }, "--config-file needs a value" },
        { { "--show-secrets" }, "--show-secrets belongs to --dump-config" },
        { { "--config-dir=" }, "--config-dir needs the name of a directory" },
        { { "--config-file=" }, "--config-file needs the name of a file" },
        { { "--log-file", "" }, "--log-file needs the name of a file" },
        { { "--log-level", "loud" }, "--log-level: there is no level \"loud\"" },
        { { "start" }, "\"start\" is no option" },
        { { "--debug", "--", "start" }, "\"start\" is no option" },
        { { "--check-config", "--dump-config" },
          "--check-config, --dump-config and --list-patched exclude each other" },
        { { "--list-patched", "--dump-config" },
          "--check-config, --dump-config and --list-patched exclude each other" },
};

START_TEST(wrong_command_line_is_explained)
{
        const struct wrong_line *wrong = &wrong_lines[_i];
        const char *words[6] = { "compute-agent" };
        char want[256];
        struct options o;

        memcpy(words + 1, wrong->words, sizeof(wrong->words));
        snprintf(want, sizeof(want), "compute-agent: %s\nTry: compute-agent --help\n", wrong->message);
        ck_assert_int_eq(parse_words(&o, words), OPTIONS_WRONG);
        ck_assert_str_eq(said, want);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("options");
        TCase *tcase = tcase_create("options");
        SRunner *runner = srunner_create(suite);
        int failed;

        tcase_add_test(tcase, without_options_everything_is_left_to_the_file);
        tcase_add_test(tcase, each_option_is_taken);
        tcase_add_test(tcase, debug_does_not_set_the_log_level);
        tcase_add_test(tcase, help_and_version_are_answers);
        tcase_add_test(tcase, the_manual_page_has_each_option_in_its_order_and_no_other);
        tcase_add_loop_test(tcase, wrong_command_line_is_explained, 0, ARRAY_SIZE(wrong_lines));
        suite_add_tcase(suite, tcase);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
