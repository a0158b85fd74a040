/* Lines that come again and again. The clock stands still but where a test moves it. */
#define LOG_MODULE "test.fold"
#include "base/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "suite.h"

static struct strbuf
        seen; /* "LEVEL context text" of each message; written by the writer's thread until it ended */
static const char *context = "";

static atomic_uint n_seen;

static int take(const struct log_record *r)
{
        strbuf_addf(&seen, "%s %s%s\n", log_level_name(r->level), r->context, r->text);
        atomic_fetch_add(&n_seen, 1);
        return 0;
}

static void write_context(char *buf, size_t size)
{
        snprintf(buf, size, "%s", context);
}

static void start(unsigned repeat_s, unsigned interval, unsigned burst)
{
        struct log_options opt = {
                .level = LOG_INFO,
                .sink = take,
                .limits = { repeat_s, interval, burst, LOG_ERROR },
        };
        struct error err = {};

        clock_fake_start();
        log_set_context_fn(write_context);
        ck_assert_ok(log_start(&opt, &err), err);
}

static void after(int seconds)
{
        clock_fake_advance(seconds * NS_PER_S);
}

/* All that was seen, the test being over. */
#define ck_seen(expected)                                               \
        do {                                                            \
                log_stop();                                             \
                ck_assert_str_eq(seen.data ? seen.data : "", expected); \
        } while (0)

static void say(const char *text)
{
        log_info("%s", text);
}

static void say_elsewhere(const char *text)
{
        log_info("%s", text);
}

START_TEST(the_fourth_time_is_counted)
{
        start(60, 0, 0);
        for (int i = 0; i < 10; i++)
                say("no route");
        ck_seen("INFO [-] no route\nINFO [-] no route\nINFO [-] no route\n"
                "INFO [-] no route (repeated 7 times in 1 s)\n");
        ck_assert_uint_eq(log_held_back(), 7);
        ck_assert_uint_eq(log_dropped(), 0);
}
END_TEST

START_TEST(what_goes_on_is_told_once_an_interval)
{
        start(60, 0, 0);
        for (int i = 0; i < 16; i++, after(10))
                say("no route");
        after(40);
        say_elsewhere("by the way");
        after(60);
        say("no route");
        ck_seen("INFO [-] no route\nINFO [-] no route\nINFO [-] no route\n" /* at 20 s */
                "INFO [-] no route (repeated 5 times in 60 s)\n"            /* at 80 s, before that of then */
                "INFO [-] no route (repeated 6 times in 60 s)\n"            /* at 140 s */
                "INFO [-] no route (repeated 2 times in 60 s)\nINFO [-] by the way\n"
                "INFO [-] no route\n");
}
END_TEST

START_TEST(another_line_from_there_tells_the_count_at_once)
{
        start(60, 0, 0);
        for (int i = 0; i < 4; i++)
                say("no route");
        say_elsewhere("by the way");
        after(2);
        say("route found");
        say("no route");
        ck_seen("INFO [-] no route\nINFO [-] no route\nINFO [-] no route\nINFO [-] by the way\n"
                "INFO [-] no route (repeated 1 time in 2 s)\nINFO [-] route found\nINFO [-] no route\n");
}
END_TEST

START_TEST(a_line_from_elsewhere_tells_what_is_due)
{
        start(60, 0, 0);
        for (int i = 0; i < 5; i++)
                say("no route");
        after(59);
        say_elsewhere("early");
        after(1);
        say_elsewhere("late");
        ck_seen("INFO [-] no route\nINFO [-] no route\nINFO [-] no route\nINFO [-] early\n"
                "INFO [-] no route (repeated 2 times in 60 s)\nINFO [-] late\n");
}
END_TEST

START_TEST(the_same_text_of_another_request_place_or_level_is_another_line)
{
        start(60, 0, 0);
        for (int i = 0; i < 6; i++) {
                context = i % 2 ? "[req-1 u p] " : "[req-2 u p] ";
                say("no route");
        }
        context = "";
        for (int i = 0; i < 3; i++) {
                say("other");
                say_elsewhere("other");
                log_at(i % 2 ? LOG_ERROR : LOG_WARNING, "other");
        }
        ck_assert_uint_eq(log_held_back(), 0);
        log_stop();
        ck_assert_ptr_null(strstr(seen.data, "repeated"));
}
END_TEST

START_TEST(seldom_lines_are_all_written)
{
        start(60, 0, 0);
        for (int i = 0; i < 10; i++, after(60))
                say("hourly");
        ck_assert_uint_eq(log_held_back(), 0);
        log_stop();
}
END_TEST

START_TEST(long_texts_are_never_taken_for_repeated)
{
        char text[2000] = {};

        memset(text, 'x', sizeof(text) - 2);
        start(60, 0, 0);
        for (int i = 0; i < 10; i++)
                say(text);
        log_stop();
        ck_assert_uint_eq(log_held_back(), 0);
}
END_TEST

static void say_number(int i)
{
        log_info("request %d", i);
}

START_TEST(one_place_may_say_so_much_in_an_interval_and_others_go_on)
{
        start(60, 10, 3);
        for (int i = 0; i < 8; i++)
                say_number(i);
        say_elsewhere("by the way");
        after(10);
        say_number(8);
        ck_seen("INFO [-] request 0\nINFO [-] request 1\nINFO [-] request 2\nINFO [-] by the way\n"
                "INFO [-] request 2 (and 5 more lines like this left out in 10 s)\nINFO [-] request 8\n");
        ck_assert_uint_eq(log_held_back(), 5);
}
END_TEST

START_TEST(what_is_left_out_at_the_end_is_told)
{
        start(0, 10, 1);
        for (int i = 0; i < 3; i++)
                say_number(i);
        after(4);
        ck_seen("INFO [-] request 0\nINFO [-] request 0 (and 2 more lines like this left out in 4 s)\n");
}
END_TEST

START_TEST(errors_are_not_limited)
{
        start(60, 10, 1);
        for (int i = 0; i < 50; i++)
                log_error("instance %d lost", i);
        ck_assert_uint_eq(log_held_back(), 0);
        log_stop();
}
END_TEST

START_TEST(without_limits_all_is_written)
{
        start(0, 0, 5);
        for (int i = 0; i < 50; i++)
                say("no route");
        ck_assert_uint_eq(log_held_back(), 0);
        log_stop();
}
END_TEST

START_TEST(limits_change_at_any_time)
{
        struct log_limits none = {}, shorter = { .repeat_s = 5 };

        start(60, 0, 0);
        for (int i = 0; i < 5; i++)
                say("no route");
        after(6);
        say_elsewhere("early");
        log_set_limits(&shorter);
        say_elsewhere("late");
        log_set_limits(&none);
        for (int i = 0; i < 5; i++)
                say("all");
        ck_seen("INFO [-] no route\nINFO [-] no route\nINFO [-] no route\nINFO [-] early\n"
                "INFO [-] no route (repeated 2 times in 6 s)\nINFO [-] late\n"
                "INFO [-] all\nINFO [-] all\nINFO [-] all\nINFO [-] all\nINFO [-] all\n");
}
END_TEST

START_TEST(counts_are_told_although_nothing_more_is_logged)
{
        struct log_options opt = { .level = LOG_INFO, .sink = take, .limits = { .repeat_s = 1 } };
        struct error err = {};

        ck_assert_ok(log_start(&opt, &err), err); /* a real clock */
        for (int i = 0; i < 100; i++)
                say("no route");
        for (int i = 0; atomic_load(&n_seen) < 4 && i < 3000; i++)
                usleep(10000);
        log_stop();
        ck_assert_ptr_nonnull(strstr(seen.data, "INFO [-] no route (repeated "));
}
END_TEST

static void teardown(void)
{
        log_stop();
        strbuf_free(&seen);
}

UNIT_SUITE_FIXTURE("log-fold", NULL, teardown, the_fourth_time_is_counted,
                   what_goes_on_is_told_once_an_interval, another_line_from_there_tells_the_count_at_once,
                   a_line_from_elsewhere_tells_what_is_due,
                   the_same_text_of_another_request_place_or_level_is_another_line,
                   seldom_lines_are_all_written, long_texts_are_never_taken_for_repeated,
                   one_place_may_say_so_much_in_an_interval_and_others_go_on,
                   what_is_left_out_at_the_end_is_told, errors_are_not_limited, without_limits_all_is_written,
                   limits_change_at_any_time, counts_are_told_although_nothing_more_is_logged)
