/*
 * tests/unit/agent/test_ctl.c: compute-agentctl without an agent: command lines, tables, objects as the
 * control plane sends them.
 */
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "ctl/bar.h"
#include "ctl/output.h"
#include "ctl/parse.h"
#include "ctl/primitive.h"
#include "ctl/terminal.h"
#include "green_test.h"
#include "messaging/envelope.h"
#include "model/primitive.h"
#include "rpc/objects.h"

/* ---- the command line ---- */

struct parsed {
        bool hard, wait;
        const char *image;
        int64_t lines;
        double timeout;
        const char *words[2];
        struct ctl_words found;
        struct strbuf why;
        int r;
};

static struct parsed parse(bool stop_at_first, const char *line)
{
        static char copy[256];
        static char *argv[16];
        struct parsed p = { .lines = -1 };
        const struct ctl_option options[] = { { "hard", CTL_FLAG, &p.hard, NULL, "", 0, 0 },
                                              { "image", CTL_TEXT, &p.image, "I", "", 0, 0 },
                                              { "image-import", CTL_FLAG, &p.wait, NULL, "", 0, 0 },
                                              { "lines", CTL_INT, &p.lines, "N", "", 0, 100 },
                                              {} };
        const struct ctl_option globals[] = { { "timeout", CTL_SECONDS, &p.timeout, "S", "", 0, 0 }, {} };
        const struct ctl_option *const tables[] = { options, globals, NULL };
        int argc = 0;

        snprintf(copy, sizeof(copy), "%s", line);
        for (char *save, *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
                argv[argc++] = strcmp(word, "''") == 0 ? word + 2 : word;
        p.found = (struct ctl_words){ .words = p.words, .max = 2, .stop_at_first = stop_at_first };
        p.r = ctl_parse(argc, argv, tables, &p.found, &p.why);
        return p;
}

static void expect_bar(unsigned done, unsigned total, const char *text, unsigned columns,
                       const char *expected)
{
        struct strbuf CLEANUP(strbuf_free) out = {};

        bar_format("draining", done, total, text, columns, &out);
        ck_assert_str_eq(out.data, expected);
}

START_TEST(a_bar_fits_the_terminal)
{
        setlocale(LC_CTYPE, "C.UTF-8");
        expect_bar(1, 4, "stop of web", 60, "draining [#####---------------] 1/4  stop of web");
        expect_bar(4, 4, "", 60, "draining [####################] 4/4");
        expect_bar(0, 0, "", 30, "draining [##########] 0/0");
        expect_bar(1, 2, "a long story of many words", 36, "draining [######------] 1/2  a long ");
        expect_bar(1, 2, "Gr\u00fc\u00dfe", 30, "draining [#####-----] 1/2  Gr\u00fc");
        expect_bar(1, 2, "\033[2Jx", 60, "draining [##########----------] 1/2  ?[2Jx");
}
END_TEST

START_TEST(options_and_words_come_in_any_order)
{
        struct parsed p = parse(false, "web --hard --lines=7 --timeout 2.5 --image i-1 other");

        ck_assert_int_eq(p.r, 8);
        ck_assert(p.hard);
        ck_assert_int_eq(p.lines, 7);
        ck_assert_double_eq(p.timeout, 2.5);
        ck_assert_str_eq(p.image, "i-1");
        ck_assert_uint_eq(p.found.n, 2);
        ck_assert_str_eq(p.words[0], "web");
        ck_assert_str_eq(p.words[1], "other");
}
END_TEST

START_TEST(times_may_have_a_unit)
{
        ck_assert_double_eq(parse(false, "--timeout 90").timeout, 90);
        ck_assert_double_eq(parse(false, "--timeout 1.5m").timeout, 90);
        ck_assert_double_eq(parse(false, "--timeout 2h").timeout, 7200);
}
END_TEST

START_TEST(after_two_dashes_all_are_words)
{
        struct parsed p = parse(false, "--hard -- --image -x");

        ck_assert_int_eq(p.r, 4);
        ck_assert_str_eq(p.words[0], "--image");
        ck_assert_str_eq(p.words[1], "-x");
        p = parse(false, "-");
        ck_assert_str_eq(p.words[0], "-");
}
END_TEST

START_TEST(names_may_be_cut_short_if_unambiguous)
{
        struct parsed p = parse(false, "--ha --t 3 --image x");

        ck_assert(p.hard);
        ck_assert_double_eq(p.timeout, 3);
        ck_assert_str_eq(p.image, "x"); /* though --image-import begins like it */
        p = parse(false, "--ima x");
        ck_assert_int_eq(p.r, -1);
        ck_assert_str_eq(p.why.data, "option \"--ima\" could be several");
        strbuf_free(&p.why);
}
END_TEST

START_TEST(reading_stops_at_the_first_word)
{
        struct parsed p = parse(true, "--timeout 3 status --unknown");

        ck_assert_int_eq(p.r, 2);
        ck_assert_uint_eq(p.found.n, 0);
}
END_TEST

START_TEST(mistakes_on_the_command_line_are_named)
{
        static const struct {
                const char *line, *why;
        } rows[] = {
                { "--colour", "unknown option \"--colour\"" },
                { "--=x", "unknown option \"--\"" },
                { "-h", "unknown option \"-h\"" },
                { "--hard=yes", "--hard takes no value" },
                { "--image", "--image needs a value" },
                { "--lines x", "--lines: \"x\" is not a number from 0 to 100" },
                { "--lines 7x", "--lines: \"7x\" is not a number from 0 to 100" },
                { "--lines=", "--lines: \"\" is not a number from 0 to 100" },
                { "--lines 101", "--lines: \"101\" is not a number from 0 to 100" },
                { "--lines -1", "--lines: \"-1\" is not a number from 0 to 100" },
                { "--lines 99999999999999999999",
                  "--lines: \"99999999999999999999\" is not a number from 0 to 100" },
                { "--timeout 0", "--timeout: \"0\" is not a number of seconds, as 90, 10m or 2h" },
                { "--timeout -3", "--timeout: \"-3\" is not a number of seconds, as 90, 10m or 2h" },
                { "--timeout nan", "--timeout: \"nan\" is not a number of seconds, as 90, 10m or 2h" },
                { "--timeout m", "--timeout: \"m\" is not a number of seconds, as 90, 10m or 2h" },
                { "--timeout 5x", "--timeout: \"5x\" is not a number of seconds, as 90, 10m or 2h" },
                { "--timeout 2hours", "--timeout: \"2hours\" is not a number of seconds, as 90, 10m or 2h" },
                { "a b c", "\"c\" is one argument too many" },
        };

        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct parsed p = parse(false, rows[i].line);

                ck_assert_msg(p.r == -1, "%s", rows[i].line);
                ck_assert_str_eq(p.why.data, rows[i].why);
                strbuf_free(&p.why);
        }
}
END_TEST

/* ---- what people see ---- */

static void assert_table(struct table *t, bool colours, const char *want)
{
        struct strbuf out = {};

        table_format(t, colours, 0, &out);
        ck_assert_str_eq(out.data, want);
        strbuf_free(&out);
        table_free(t);
}

START_TEST(tables_are_aligned)
{
        static const char *const headers[] = { "NAME", "#MB", "!STATE", NULL };
        struct table t;

        setlocale(LC_CTYPE, "C.UTF-8");
        table_begin(&t, headers);
        table_cell(&t, "z\xc3\xbcrich");
        table_cellf(&t, "%d", 512);
        table_cell(&t, "active");
        table_cell(&t, NULL);
        table_cell(&t, "7");
        table_cell(&t, "");
        assert_table(&t, false, "NAME     MB  STATE\nz\xc3\xbcrich  512  active\n-         7  -\n");
}
END_TEST

START_TEST(states_are_coloured_on_terminals_only)
{
        static const char *const headers[] = { "!A", "B", NULL };
        struct table t;

        table_begin(&t, headers);
        table_cell(&t, "error");
        table_cell(&t, "error");
        assert_table(&t, true, "\033[1mA\033[0m      \033[1mB\033[0m\n\033[31merror\033[0m  error\n");
        ck_assert(!colours_wanted(-1));
}
END_TEST

START_TEST(names_cannot_write_to_the_terminal)
{
        static const char *const headers[] = { "NAME", NULL };
        struct table t;

        setlocale(LC_CTYPE, "C.UTF-8");
        table_begin(&t, headers);
        table_cell(&t, "a\033[2Jb\nc\xff\xc2\x9b?<b>");
        assert_table(&t, false,
                     "NAME\na?[2Jb?c??"
                     "?<b>\n");
}
END_TEST

START_TEST(wide_characters_take_two_columns)
{
        setlocale(LC_CTYPE, "C.UTF-8");
        ck_assert_uint_eq(text_width("abc"), 3);
        ck_assert_uint_eq(text_width("\xe6\x9d\xb1\xe4\xba\xac"), 4);
        ck_assert_uint_eq(text_width("e\xcc\x81"), 1); /* a combining accent */
        ck_assert_uint_eq(text_width(""), 0);
}
END_TEST

START_TEST(durations_have_two_units_at_most)
{
        static const struct {
                double s;
                const char *text;
        } rows[] = {
                { -1, "0 ms" },
                { 0.0042, "4 ms" },
                { 4.25, "4.2 s" },
                { 75, "1 min 15 s" },
                { 3600 * 5 + 60, "5 h 1 min" },
                { 86400 * 3 + 3600 * 4, "3 d 4 h" },
        };

        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                char text[32];

                format_duration(rows[i].s, text, sizeof(text));
                ck_assert_str_eq(text, rows[i].text);
        }
}
END_TEST

/* ---- objects ---- */

#define UUID "a14cc8ca-2568-44fe-8878-257bd1a1988d"

static struct instance *some_instance(void)
{
        struct instance *i = instance_new();

        i->id = 4;
        memcpy(i->uuid, UUID, sizeof(i->uuid));
        i->user_id = xstrdup("u");
        i->project_id = xstrdup("p");
        i->display_name = xstrdup("<b>web</b>");
        i->host = xstrdup("h");
        i->vm_state = VM_ACTIVE;
        i->task_state = TASK_POWERING_OFF;
        i->power_state = POWER_RUNNING;
        i->memory_mb = 64;
        i->vcpus = 1;
        i->launched_at = 1795423470;
        i->flavor.vcpus = 1;
        i->flavor.memory_mb = 64;
        i->flavor.name = xstrdup("small");
        i->flavor.flavorid = xstrdup("1");
        instance_set_system_meta(i, "image_disk_format", "raw");
        return i;
}

static struct rpc_request captured(const char *name)
{
        static char body[64 * 1024];
        char path[512];
        struct rpc_request r;
        struct error err = {};
        size_t len;
        FILE *f;

        snprintf(path, sizeof(path), "%s/amqp/%s.json", TEST_DATA, name);
        f = fopen(path, "re");
        ck_assert_msg(f != NULL, "%s", path);
        len = fread(body, 1, sizeof(body), f);
        fclose(f);
        ck_assert_ok(envelope_decode_request(body, len, &r, &err), err);
        return r;
}

/* Each of our fields is one that nova sends too, and of its type (or one of the two is null). */
static int check_member(const char *key, struct jval *ours, void *arg)
{
        const struct jval *theirs = jval_get(arg, key);
        enum jval_type a = jval_type(ours), b = jval_type(theirs);

        ck_assert_msg(theirs != NULL, "nova does not send \"%s\"", key);
        ck_assert_msg(a == b || a == JVAL_NULL || b == JVAL_NULL, "%s: %s, nova sends %s", key,
                      jval_type_name(a), jval_type_name(b));
        if (a == JVAL_OBJECT && b == JVAL_OBJECT && jval_get(theirs, "nova_object.name")) {
                ck_assert_str_eq(jval_get_text(ours, "nova_object.name", ""),
                                 jval_get_text(theirs, "nova_object.name", ""));
                ck_assert_str_eq(jval_get_text(ours, "nova_object.version", ""),
                                 jval_get_text(theirs, "nova_object.version", ""));
                jval_foreach(jval_get(ours, "nova_object.data"), check_member,
                             jval_get(theirs, "nova_object.data"));
        }
        return 0;
}

static void assert_like_nova(struct jval *args, const char *method)
{
        struct rpc_request theirs = captured(method);

        jval_foreach(args, check_member, theirs.args);
        rpc_request_free(&theirs);
}

START_TEST(an_instance_is_sent_as_nova_sends_it)
{
        struct instance CLEANUP(instance_freep) *i = some_instance();
        struct jval CLEANUP(jval_unrefp) *args = jval_new_object();
        struct object_instance back = {};
        struct error err = {};

        jval_set(args, "instance", primitive_instance(i));
        assert_like_nova(args, "reboot_instance");
        ck_assert_ok(object_instance_decode(jval_get(args, "instance"), &back, &err), err);
        ck_assert_str_eq(back.uuid, UUID);
        ck_assert_int_eq(back.flavor->memory_mb, 64);
        object_instance_free(&back);
        ck_assert_str_eq(
                jval_get_text(jval_get(jval_get(args, "instance"), "nova_object.data"), "launched_at", ""),
                "2026-11-23T08:44:30Z");
}
END_TEST

START_TEST(block_devices_are_sent_as_nova_sends_them)
{
        struct block_device disk = { .id = 4,
                                     .source_type = (char *)"image",
                                     .destination_type = (char *)"local" };
        struct block_devices disks = { &disk, 1 };
        struct jval CLEANUP(jval_unrefp) *args = jval_new_object();
        struct jval *ours, *theirs;
        struct rpc_request r = captured("terminate_instance");

        jval_set(args, "bdms", primitive_block_devices(&disks, UUID));
        jval_foreach(args, check_member, r.args);
        ours = jval_at(jval_get(jval_get(jval_get(args, "bdms"), "nova_object.data"), "objects"), 0);
        theirs = jval_at(jval_get(jval_get(jval_get(r.args, "bdms"), "nova_object.data"), "objects"), 0);
        ck_assert_str_eq(jval_get_text(ours, "nova_object.version", "?"),
                         jval_get_text(theirs, "nova_object.version", ""));
        jval_foreach(jval_get(ours, "nova_object.data"), check_member, jval_get(theirs, "nova_object.data"));
        rpc_request_free(&r);
}
END_TEST

static int require_member(const char *key, struct jval *theirs, void *arg)
{
        (void)theirs;
        ck_assert_msg(jval_get(arg, key) != NULL, "nova sends \"%s\"", key);
        return 0;
}

START_TEST(a_build_has_all_arguments_that_nova_sends)
{
        struct instance CLEANUP(instance_freep) *i = some_instance();
        struct block_devices none = {};
        struct image_info image = {
                .id = (char *)UUID, .name = (char *)"n", .disk_format = (char *)"raw", .size = 1
        };
        struct jval CLEANUP(jval_unrefp) *args = primitive_build_arguments(i, &none, &image, "node");
        struct rpc_request r = captured("build_and_run_instance");

        jval_foreach(args, check_member, r.args);
        jval_foreach(r.args, require_member, args);
        jval_foreach(jval_get(args, "image"), check_member, jval_get(r.args, "image"));
        rpc_request_free(&r);
        /* Nothing to hand on to: a build that fails here has failed. */
        ck_assert(jval_get(jval_get(args, "filter_properties"), "retry") == NULL);
}
END_TEST

START_TEST(a_context_is_one_that_nova_sends)
{
        struct request_context ctx, back = {};
        struct jval CLEANUP(jval_unrefp) *c = NULL;
        struct rpc_request r = captured("stop_instance");
        struct error err = {};

        request_context_admin(&ctx);
        ctx.user_id = xstrdup("u");
        ctx.project_id = xstrdup("p");
        ctx.roles = xstrdup("admin,,member");
        c = nova_context(&ctx);
        jval_foreach(c, check_member, r.context);
        ck_assert_uint_eq(jval_len(c), jval_len(r.context)); /* none misses */
        ck_assert_uint_eq(jval_len(jval_get(c, "roles")), 2);
        ck_assert_str_eq(jval_text(jval_at(jval_get(c, "roles"), 1), ""), "member");
        ck_assert_uint_eq(strlen(jval_get_text(c, "timestamp", "")), strlen("2026-11-23T08:46:00.403552"));
        ck_assert_ok(object_context_decode(c, &back, &err), err);
        ck_assert_str_eq(back.request_id, ctx.request_id);
        ck_assert_str_eq(back.project_id, "p");
        ck_assert(back.is_admin);
        request_context_free(&ctx);
        request_context_free(&back);
        rpc_request_free(&r);
}
END_TEST

GREEN_SUITE("ctl", a_bar_fits_the_terminal, times_may_have_a_unit, options_and_words_come_in_any_order,
            after_two_dashes_all_are_words, names_may_be_cut_short_if_unambiguous,
            reading_stops_at_the_first_word, mistakes_on_the_command_line_are_named, tables_are_aligned,
            states_are_coloured_on_terminals_only, names_cannot_write_to_the_terminal,
            wide_characters_take_two_columns, durations_have_two_units_at_most,
            an_instance_is_sent_as_nova_sends_it, block_devices_are_sent_as_nova_sends_them,
            a_build_has_all_arguments_that_nova_sends, a_context_is_one_that_nova_sends)
