/* tests/unit/agent/test_complaints.c: what is wrong again and again is logged once, with a count. */
#include "suite.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "complaints.h"
#include "green_test.h"

static char logged[64 * 1024]; /* the texts, one a line */
static unsigned n_logged;

static void capture(enum log_level level, const char *line, void *arg)
{
        const char *text = strstr(line, "[-] ");

        ck_assert_int_eq(level, LOG_WARNING);
        ck_assert_ptr_nonnull(text);
        n_logged++;
        strncat(logged, text + 4, sizeof(logged) - strlen(logged) - 2);
        strncat(logged, "\n", 2);
}

GREEN_TEST(one_kind_is_logged_once_then_at_each_power_of_ten)
{
        struct complaints *c = complaints_new();
        char text[64];

        log_set_capture(capture, NULL);
        for (int i = 1; i <= 120; i++) {
                snprintf(text, sizeof(text), "JSON: line %d: near '%c\"%d'", i, 'a' + i % 26, i);
                complain(c, text);
        }
        ck_assert_str_eq(logged, "JSON: line 1: near 'b\"1' (more like this are only counted)\n"
                                 "JSON: line 10: near 'k\"10' (10 like this so far)\n"
                                 "JSON: line 100: near 'w\"100' (100 like this so far)\n");
        logged[0] = '\0';
        complaints_free(c); /* the rest is told in the end */
        log_set_capture(NULL, NULL);
        ck_assert_str_eq(logged, "JSON: line #: near '': 120 like this since the start\n");
}

GREEN_TEST(kinds_are_told_apart)
{
        struct complaints *c = complaints_new();

        log_set_capture(capture, NULL);
        complain(c, "an empty frame");
        complain(c, "a frame of 20 bytes");
        complain(c, "a frame of 30 bytes");
        complain(c, "it's no quote");
        complaints_free(c);
        log_set_capture(NULL, NULL);
        ck_assert_str_eq(logged, "an empty frame (more like this are only counted)\n"
                                 "a frame of 20 bytes (more like this are only counted)\n"
                                 "it's no quote (more like this are only counted)\n"
                                 "a frame of # bytes: 2 like this since the start\n");
}

GREEN_TEST(endless_kinds_do_not_fill_the_log)
{
        struct complaints *c = complaints_new();
        char text[400];

        log_set_capture(capture, NULL);
        for (int i = 0; i < 1000; i++) {
                memset(text, 'x', sizeof(text));
                text[i % 300] = 'a' + (i / 300) % 26;
                text[350] = '\0';
                complain(c, text);
        }
        complaints_free(c);
        log_set_capture(NULL, NULL);
        ck_assert_uint_lt(n_logged, 3 * 64);
}

UNIT_SUITE("complaints", one_kind_is_logged_once_then_at_each_power_of_ten, kinds_are_told_apart,
           endless_kinds_do_not_fill_the_log)
