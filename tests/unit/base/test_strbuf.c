/* Strings that grow. */
#include "base/strbuf.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "suite.h"

START_TEST(it_grows_and_stays_terminated)
{
        CLEANUP(strbuf_free) struct strbuf b = {};

        for (int i = 0; i < 1000; i++) {
                strbuf_addf(&b, "%03d,", i);
                ck_assert_uint_eq(b.len, 4 * ((size_t)i + 1));
                ck_assert_uint_eq(strlen(b.data), b.len);
        }
        ck_assert_mem_eq(b.data, "000,001,", 8);
        ck_assert_str_eq(b.data + b.len - 8, "998,999,");
}
END_TEST

START_TEST(bytes_may_hold_nul)
{
        CLEANUP(strbuf_free) struct strbuf b = {};

        strbuf_add(&b, "a\0b", 3);
        strbuf_adds(&b, "c");
        strbuf_add(&b, NULL, 0);
        ck_assert_uint_eq(b.len, 4);
        ck_assert_mem_eq(b.data, "a\0bc", 5);
}
END_TEST

START_TEST(truncate_only_shortens)
{
        CLEANUP(strbuf_free) struct strbuf b = {};

        strbuf_truncate(&b, 0); /* nothing there yet */
        ck_assert_ptr_null(b.data);
        strbuf_adds(&b, "hello");
        strbuf_truncate(&b, 9);
        ck_assert_str_eq(b.data, "hello");
        strbuf_truncate(&b, 2);
        ck_assert_str_eq(b.data, "he");
        strbuf_adds(&b, "y");
        ck_assert_str_eq(b.data, "hey");
}
END_TEST

START_TEST(take_hands_over_and_is_never_null)
{
        struct strbuf b = {};
        size_t len = 7;
        char *s = strbuf_take(&b, &len);

        ck_assert_str_eq(s, "");
        ck_assert_uint_eq(len, 0);
        free(s);
        strbuf_adds(&b, "mine");
        s = strbuf_take(&b, NULL);
        ck_assert_str_eq(s, "mine");
        ck_assert_ptr_null(b.data);
        ck_assert_uint_eq(b.len, 0);
        free(s);
        strbuf_free(&b);
        strbuf_free(&b);
}
END_TEST

UNIT_SUITE("strbuf", it_grows_and_stays_terminated, bytes_may_hold_nul, truncate_only_shortens,
           take_hands_over_and_is_never_null)
