/*
 * tests/unit/agent/test_ctl_commands.c: the manual page beside the tables of commands, options and exit
 * statuses, and what people see of the agent's answers.
 */
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "ctl/ctl.h"
#include "ctl/output.h"
#include "ctl/status.h"
#include "ctl/terminal.h"
#include "green_test.h"

/* ---- the manual page ---- */

static char *read_page(void)
{
        FILE *f = fopen(MAN_DIR "/compute-agentctl.1", "re");
        char *text = xcalloc(1, 1 << 20);

        ck_assert_ptr_nonnull(f);
        ck_assert_uint_gt(fread(text, 1, (1 << 20) - 1, f), 0);
        fclose(f);
        return text;
}

/* What lies between two headings, line by line: ".It ..." only. Cut up in place. */
struct items {
        char *lines[400];
        size_t n, at;
};

static struct items items_of(char *page, const char *section)
{
        struct items items = {};
        char *line = strstr(page, section), *save, *end;

        ck_assert_msg(line != NULL, "the page lacks %s", section);
        line += strlen(section);
        end = strstr(line, "\n.Sh ");
        if (end)
                *end = '\0';
        for (line = strtok_r(line, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
                ck_assert_uint_lt(items.n, ARRAY_SIZE(items.lines));
                if (strncmp(line, ".It ", 4) == 0)
                        items.lines[items.n++] = line;
        }
        return items;
}

static void expect_item(struct items *items, const char *want)
{
        ck_assert_msg(items->at < items->n, "the page ends before \"%s\"", want);
        ck_assert_msg(strcmp(items->lines[items->at], want) == 0, "the page has \"%s\", not \"%s\"",
                      items->lines[items->at], want);
        items->at++;
}

static void expect_options(struct items *items, const struct ctl_option *options)
{
        for (const struct ctl_option *o = options; o->name; o++) {
                char CLEANUP(freep) *want = xasprintf(".It Fl %s%s%s%s", ctl_dashes(o) + 1, o->name,
                                                      o->metavar ? " Ar " : "", o->metavar ? o->metavar : "");

                if (o->help)
                        expect_item(items, want);
        }
}

/* "METHOD [JSON]" is " Ar METHOD Op Ar JSON" there. */
static char *command_item(const struct ctl_command *k)
{
        struct strbuf line = {};
        const char *word = k->synopsis;

        strbuf_addf(&line, ".It Cm %s", k->name);
        while (*word) {
                size_t len = strcspn(word, " ");
                bool optional = *word == '[';

                strbuf_addf(&line, "%s Ar %.*s", optional ? " Op" : "", (int)len - 2 * optional,
                            word + optional);
                word += len + strspn(word + len, " ");
        }
        return strbuf_take(&line, NULL);
}

GREEN_TEST(the_manual_page_has_each_option_and_no_other)
{
        char CLEANUP(freep) *page = read_page();
        struct items items = items_of(page, "\n.Sh OPTIONS\n");
        struct ctl_option globals[CTL_GLOBALS + 1];
        struct ctl c = {};

        ctl_global_options(&c, globals);
        expect_options(&items, globals);
        ck_assert_uint_eq(items.at, items.n);
}

/* In an order of its own: what belongs together stands together there. */
GREEN_TEST(the_manual_page_has_each_command_with_its_options_and_no_other)
{
        char CLEANUP(freep) *page = read_page();
        struct items items = items_of(page, "\n.Sh COMMANDS\n");
        size_t commands = 0;

        while (items.at < items.n) {
                const struct ctl_command *k;
                struct ctl_option CLEANUP(freep) *options = NULL;
                char CLEANUP(freep) *want = NULL;
                char name[64] = "";

                ck_assert_msg(sscanf(items.lines[items.at], ".It Cm %63s", name) == 1,
                              "the page has \"%s\", which is no option of the command before it",
                              items.lines[items.at]);
                k = ctl_find_command(name);
                ck_assert_msg(k && k->summary, "the page has \"%s\", which is no command", name);
                want = command_item(k);
                expect_item(&items, want);
                options = ctl_options_of(k);
                ck_assert_msg(options != NULL, "%s says nothing of its options", name);
                expect_options(&items, options);
                commands++;
        }
        for (const struct ctl_command *k = ctl_commands; k->name; k++)
                commands -= k->summary != NULL;
        ck_assert_msg(commands == 0, "the page lacks %zu commands, or has some twice", -commands);
}

GREEN_TEST(the_manual_page_has_each_exit_status_and_no_other)
{
        char CLEANUP(freep) *page = read_page();
        struct items items = items_of(page, "\n.Sh EXIT STATUS\n");

#define X(name, status, meaning) expect_item(&items, ".It " #status);
        CTL_EXITS(X)
#undef X
        ck_assert_uint_eq(items.at, items.n);
}

GREEN_TEST(no_option_of_a_command_hides_a_shared_one)
{
        struct ctl_option globals[CTL_GLOBALS + 1];
        struct ctl c = {};

        ctl_global_options(&c, globals);
        for (const struct ctl_command *k = ctl_commands; k->name; k++) {
                struct ctl_option CLEANUP(freep) *options = ctl_options_of(k);

                for (const struct ctl_option *o = options; o->name; o++) {
                        for (const struct ctl_option *p = globals; p->name; p++)
                                ck_assert_msg(strcmp(o->name, p->name) != 0, "%s: %s", k->name, o->name);
                }
        }
}

/* ---- what fits on a terminal ---- */

START_TEST(only_what_may_be_cut_is_cut)
{
        static const char *const headers[] = { "UUID", "~NAME", "#MB", NULL };
        struct strbuf CLEANUP(strbuf_free) out = {};
        struct table t;

        setlocale(LC_CTYPE, "C.UTF-8");
        table_begin(&t, headers);
        table_cell(&t, "4f1c2e6a-0000");
        table_cell(&t, "z\xc3\xbcrich and basle");
        table_cell(&t, "512");
        table_format(&t, false, 30, &out);
        ck_assert_str_eq(out.data, "UUID           NAME         MB\n"
                                   "4f1c2e6a-0000  z\xc3\xbcrich an\xe2\x80\xa6  512\n");
        strbuf_truncate(&out, 0);
        table_format(&t, false, 10, &out); /* it cannot fit: names keep something, numbers all */
        ck_assert_str_eq(out.data, "UUID           NAME       MB\n"
                                   "4f1c2e6a-0000  z\xc3\xbcrich \xe2\x80\xa6  512\n");
        strbuf_truncate(&out, 0);
        table_format(&t, false, 0, &out); /* no terminal */
        ck_assert_msg(strstr(out.data, "basle") != NULL, "%s", out.data);
        table_free(&t);
}
END_TEST

START_TEST(wide_characters_are_not_cut_in_half)
{
        static const char *const headers[] = { "~NAME", NULL };
        struct strbuf CLEANUP(strbuf_free) out = {};
        struct table t;

        setlocale(LC_CTYPE, "C.UTF-8");
        table_begin(&t, headers);
        table_cell(&t, "\xe6\x9d\xb1\xe4\xba\xac\xe6\x9d\xb1\xe4\xba\xac\xe6\x9d\xb1"); /* ten columns */
        table_format(&t, false, 8, &out);
        ck_assert_str_eq(out.data,
                         "NAME\n\xe6\x9d\xb1\xe4\xba\xac\xe6\x9d\xb1\xe2\x80\xa6\n"); /* six and one */
        table_free(&t);
}
END_TEST

START_TEST(a_line_is_cut_between_its_colours)
{
        struct strbuf CLEANUP(strbuf_free) out = {};

        add_cut("\033[1mabc\033[0mdef", 4, &out);
        ck_assert_str_eq(out.data, "\033[1mabc\033[0md");
        strbuf_truncate(&out, 0);
        add_cut("\033[1mabcdef\033[0m", 4, &out);
        ck_assert_str_eq(out.data, "\033[1mabcd\033[0m");
        strbuf_truncate(&out, 0);
        add_cut("ab", 4, &out);
        ck_assert_str_eq(out.data, "ab");
}
END_TEST

START_TEST(a_long_field_goes_on_below_itself)
{
        struct page p = { .width = 40, .colours = true };

        page_state(&p, "  database", "fail", ": no route to host, said the network");
        ck_assert_str_eq(p.text.data, "  database        \033[31mfail\033[0m: no route to\n"
                                      "                  host, said the network\n");
        strbuf_free(&p.text);
        p = (struct page){ .width = 40 };
        page_field(&p, "key", "a-word-that-is-longer-than-the-line");
        ck_assert_str_eq(p.text.data, "key               a-word-that-is-longer-\n"
                                      "                  than-the-line\n");
        strbuf_free(&p.text);
}
END_TEST

START_TEST(colours_are_asked_for_or_refused)
{
        ck_assert(!colours_wanted(-1));
        ck_assert(terminal_set_colours("always"));
        ck_assert(colours_wanted(-1));
        ck_assert(!terminal_set_colours("often"));
        ck_assert(colours_wanted(-1));
        ck_assert(terminal_set_colours("never"));
        ck_assert(!colours_wanted(-1));
        ck_assert(terminal_set_colours("auto"));
}
END_TEST

START_TEST(bytes_have_a_unit)
{
        static const struct {
                double n;
                const char *text;
        } rows[] = { { 0, "0 B" },        { 1023, "1023 B" },
                     { 1536, "1.5 KiB" }, { 40 << 20, "40.0 MiB" },
                     { 3e12, "2.7 TiB" }, { 3e16, "27284.8 TiB" } };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                char text[32];

                format_bytes(rows[i].n, text, sizeof(text));
                ck_assert_str_eq(text, rows[i].text);
        }
}
END_TEST

/* ---- the dashboard ---- */

static struct jval *parse(const char *text)
{
        struct error err = {};
        struct jval *v = jval_parse(text, strlen(text), &err);

        ck_assert_msg(v != NULL, "%s", err.text);
        return v;
}

static void expect_line(const struct page *p, const char *line)
{
        char CLEANUP(freep) *whole = xasprintf("\n%s\n", line);
        char CLEANUP(freep) *all = xasprintf("\n%s", p->text.data);

        ck_assert_msg(strstr(all, whole) != NULL, "there is no line \"%s\" in:\n%s", line, p->text.data);
}

START_TEST(the_dashboard_says_what_is_wrong_and_since_when)
{
        struct jval CLEANUP(jval_unrefp) *status = parse(
                "{\"version\": \"0.1.0\", \"host\": \"h\", \"node\": \"h.example\", \"pid\": 7, "
                "\"drain\": {\"reason\": \"by eve\", \"seconds\": 5, \"left\": 1, \"total\": 3}, "
                "\"uptime_s\": 90061, \"started\": true, \"draining\": true, "
                "\"service\": {\"disabled\": true, \"disabled_reason\": \"new disk\"}, "
                "\"instances_total\": 3, \"instances\": {\"active\": 2, \"error\": 1}, "
                "\"resources\": {\"vcpus\": {\"used\": 4, \"total\": 8}, "
                "\"memory_mb\": {\"used\": 1024, \"total\": 2048}, "
                "\"disk_gb\": {\"used\": 1, \"total\": 10}}, "
                "\"last_audit_age_s\": 12, \"database_ok\": false, \"database\": \"unix:/x\", "
                "\"hub\": {\"polls\": 10, \"switches\": 20, \"threads\": 5, \"stalls\": 1, \"cpu\": 90.061}, "
                "\"running\": [{\"method\": \"build_and_run_instance\", \"uuid\": \"u\", "
                "\"doing\": \"downloading\", \"seconds\": 3, \"request_id\": \"req-1\", "
                "\"progress\": {\"done\": 10485760, \"total\": 41943040}}]}");
        struct jval CLEANUP(jval_unrefp) *health = parse(
                "{\"status\": \"warn\", \"checks\": {"
                "\"hub\": {\"status\": \"pass\", \"output\": \"it turns\"}, "
                "\"database\": {\"status\": \"warn\", \"output\": \"no route to host\", \"since_s\": 75}}}");
        struct jval CLEANUP(jval_unrefp) *pools =
                parse("{\"pools\": [{\"name\": \"builds\", \"running\": 1, \"size\": 9, \"waiting\": 2}], "
                      "\"tpools\": [{\"workers\": 4, \"busy\": 2, \"hung\": 1}, {\"workers\": 1}]}");
        struct page p = {};

        page_dashboard(&p, status, health, pools);
        expect_line(&p, "compute-agent     0.1.0, up 1 d 1 h, pid 7");
        expect_line(&p, "host              h, node h.example");
        expect_line(&p, "state             draining");
        expect_line(&p, "drain             draining for 5.0 s, 1 of 3 operations left; by eve");
        expect_line(&p, "health            warn (2 checks)");
        expect_line(&p, "  database        warn for 1 min 15 s: no route to host");
        ck_assert_msg(strstr(p.text.data, "it turns") == NULL, "what is well is not told:\n%s", p.text.data);
        expect_line(&p, "service           disabled: new disk");
        expect_line(&p, "reported          not yet");
        expect_line(&p, "instances         3: 2 active, 1 error");
        expect_line(&p, "used              4 of 8 vcpus, 1024 of 2048 MB of memory, 1 of 10 GB of disk");
        expect_line(&p, "last audit        12.0 s ago");
        expect_line(&p, "pools             builds 1 of 9 (2 waiting)");
        expect_line(&p, "native workers    2 of 5 busy, 1 hung (\"compute-agentctl jobs\" names them)");
        expect_line(&p, "database          lost: unix:/x ");
        expect_line(
                &p,
                "METHOD                  INSTANCE  DOING                          PROGRESS    FOR  REQUEST");
        expect_line(
                &p,
                "build_and_run_instance  u         downloading  25 %, 10.0 MiB of 40.0 MiB  3.0 s  req-1");
        strbuf_free(&p.text);
}
END_TEST

START_TEST(the_dashboard_says_what_is_not_known)
{
        struct jval CLEANUP(jval_unrefp) *status = parse("{\"service\": null, \"instances_total\": null}");
        struct page p = {};

        page_dashboard(&p, status, NULL, NULL);
        expect_line(&p, "state             starting");
        expect_line(&p, "service           not registered yet");
        expect_line(&p, "instances         not known: the database does not answer");
        expect_line(&p, "used              not known before the first audit");
        expect_line(&p, "last audit        none yet");
        strbuf_free(&p.text);
}
END_TEST

/* ---- top ---- */

static struct jval *sample(double at, double uptime, int switches, int done, double cpu_of_one,
                           double cpu_of_two)
{
        char CLEANUP(freep) *text = xasprintf(
                "{\"version\": \"0.1.0\", \"host\": \"h\", \"started\": true, \"at\": %f, \"uptime_s\": %f, "
                "\"cpu\": %f, \"resident\": 1048576, \"hub\": {\"switches\": %d}, "
                "\"rpc\": {\"received\": %d, \"methods\": [{\"namespace\": \"\", \"method\": "
                "\"stop_instance\", "
                "\"done\": %d, \"failed\": 0, \"seconds\": %f}]}, "
                "\"green\": [{\"id\": 1, \"name\": \"one\", \"state\": \"sleep\", \"switches\": 1, \"cpu\": "
                "%f}, "
                "{\"id\": 2, \"name\": \"two\", \"state\": \"ready\", \"switches\": %d, \"cpu\": %f}], "
                "\"native\": [{\"tid\": 9, \"name\": \"tpool-1\", \"state\": \"sleeping\", \"cpu\": 0}]}",
                at, uptime, cpu_of_one + cpu_of_two, switches, done, done, done * 0.5, cpu_of_one, switches,
                cpu_of_two);

        return parse(text);
}

START_TEST(rates_are_what_grew_in_between)
{
        struct jval CLEANUP(jval_unrefp) *before = sample(100, 50, 1000, 10, 0.5, 1.0);
        struct jval CLEANUP(jval_unrefp) *now = sample(102, 52, 1200, 14, 0.5, 1.5);
        struct page p = {};

        page_top(&p, before, now, 0);
        expect_line(&p, "processor         25.0 %, of it the hub 0.0 %; 1.0 MiB resident");
        expect_line(&p, "hub               0 turns/s, 100 switches/s, 0.0 spawned/s, 0 ms late, 0 stalls");
        expect_line(&p, "requests          2.0/s, 0.0 failed/s; 0 running, 0 waiting");
        expect_line(&p, "stop_instance         2.0     0.0  500 ms");
        expect_line(
                &p,
                " 2  two           ready  25.00 %         100\n 1  one           sleep   0.00 %           0");
        expect_line(&p, "  9  tpool-1        sleeping  0 %");
        strbuf_free(&p.text);
}
END_TEST

START_TEST(an_agent_started_anew_counts_from_nothing)
{
        struct jval CLEANUP(jval_unrefp) *before = sample(100, 50, 1000, 10, 0.5, 1.0);
        struct jval CLEANUP(jval_unrefp) *now = sample(102, 1, 40, 3, 0.1, 0.1);
        struct page p = {};

        page_top(&p, before, now, 0);
        expect_line(&p, "hub               0 turns/s, 40 switches/s, 0.0 spawned/s, 0 ms late, 0 stalls");
        expect_line(&p, "requests          3.0/s, 0.0 failed/s; 0 running, 0 waiting");
        strbuf_free(&p.text);
}
END_TEST

START_TEST(a_screen_has_room_for_both_kinds_of_threads)
{
        struct jval CLEANUP(jval_unrefp) *before = sample(100, 50, 1000, 10, 0.5, 1.0);
        struct jval CLEANUP(jval_unrefp) *now = sample(102, 52, 1200, 14, 0.5, 1.5);
        struct page p = {};
        size_t lines = 0;

        page_top(&p, before, now, 14);
        for (const char *c = p.text.data; *c; c++)
                lines += *c == '\n';
        ck_assert_uint_le(lines, 14);
        ck_assert_ptr_nonnull(strstr(p.text.data, "  two  "));
        ck_assert_ptr_null(strstr(p.text.data, "  one  "));
        strbuf_free(&p.text);
}
END_TEST

GREEN_SUITE("ctl commands", the_manual_page_has_each_option_and_no_other,
            the_manual_page_has_each_command_with_its_options_and_no_other,
            the_manual_page_has_each_exit_status_and_no_other, no_option_of_a_command_hides_a_shared_one,
            only_what_may_be_cut_is_cut, wide_characters_are_not_cut_in_half,
            a_line_is_cut_between_its_colours, a_long_field_goes_on_below_itself,
            colours_are_asked_for_or_refused, bytes_have_a_unit,
            the_dashboard_says_what_is_wrong_and_since_when, the_dashboard_says_what_is_not_known,
            rates_are_what_grew_in_between, an_agent_started_anew_counts_from_nothing,
            a_screen_has_room_for_both_kinds_of_threads)
