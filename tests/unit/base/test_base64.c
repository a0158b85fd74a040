/* base64 there and back, and what is none. */
#include "suite.h"

#include <string.h>

#include "base/base64.h"

START_TEST(every_length_goes_there_and_back)
{
        for (size_t len = 0; len < 40; len++) {
                unsigned char in[40];
                char *text, *out;
                size_t n;

                for (size_t i = 0; i < len; i++)
                        in[i] = (unsigned char)(i * 37 + len);
                text = base64_encode(in, len);
                ck_assert_uint_eq(strlen(text), (len + 2) / 3 * 4);
                out = base64_decode(text, &n);
                ck_assert_ptr_nonnull(out);
                ck_assert_uint_eq(n, len);
                ck_assert_int_eq(memcmp(out, in, len), 0);
                ck_assert_int_eq(out[len], '\0');
                free(text);
                free(out);
        }
}
END_TEST

START_TEST(known_values)
{
        static const char *const pairs[][2] = {
                { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foobar", "Zm9vYmFy" },
        };

        for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
                char *text = base64_encode(pairs[i][0], strlen(pairs[i][0]));

                ck_assert_str_eq(text, pairs[i][1]);
                free(text);
        }
}
END_TEST

START_TEST(white_space_is_skipped)
{
        size_t n;
        char *out = base64_decode(" Zm9v\r\nYm\tFy \n", &n);

        ck_assert_str_eq(out, "foobar");
        ck_assert_uint_eq(n, 6);
        free(out);
}
END_TEST

START_TEST(what_is_no_base64_is_refused)
{
        static const char *const bad[] = { "A",    "AB",    "ABC",  "A===",     "=AAA", "AB=C",
                                           "ABC!", "AAAA=", "====", "AA==AAAA", "AB=",  "AB==" };
        size_t n;

        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
                ck_assert_msg(base64_decode(bad[i], &n) == NULL, "\"%s\" was taken", bad[i]);
}
END_TEST

UNIT_SUITE("base-base64", every_length_goes_there_and_back, known_values, white_space_is_skipped,
           what_is_no_base64_is_refused)
