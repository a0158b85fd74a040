/* Errors are filled on the way up, keep code and errno, and never overflow. */
#include "base/error.h"

#include <errno.h>
#include <string.h>

#include "suite.h"

START_TEST(the_helpers_return_minus_one_and_fill_all_members)
{
        struct error err = { .sys = 99 };

        ck_assert_int_eq(error_set(&err, ERR_LIMIT, "%d of %d", 3, 2), -1);
        ck_assert_int_eq(err.code, ERR_LIMIT);
        ck_assert_int_eq(err.sys, 0);
        ck_assert_str_eq(err.text, "3 of 2");
        ck_assert_int_eq(error_system(&err, ENOENT, "opening %s", "x"), -1);
        ck_assert_int_eq(err.code, ERR_SYSTEM);
        ck_assert_int_eq(err.sys, ENOENT);
        ck_assert_str_eq(err.text, "opening x: No such file or directory");
}
END_TEST

START_TEST(while_puts_its_text_before_and_keeps_the_rest)
{
        struct error err = {};

        error_system(&err, EACCES, "opening x");
        ck_assert_int_eq(error_while(&err, "building %d", 7), -1);
        ck_assert_int_eq(error_while(&err, "request %s", "r"), -1);
        ck_assert_int_eq(err.code, ERR_SYSTEM);
        ck_assert_int_eq(err.sys, EACCES);
        ck_assert_str_eq(err.text, "request r: building 7: opening x: Permission denied");
}
END_TEST

START_TEST(long_texts_are_cut_and_terminated)
{
        char text[2 * ERROR_TEXT_MAX];
        struct error err = {};

        memset(text, 'x', sizeof(text) - 1);
        text[sizeof(text) - 1] = '\0';
        error_set(&err, ERR_INVALID, "%s", text);
        ck_assert_uint_eq(strlen(err.text), ERROR_TEXT_MAX - 1);
        error_system(&err, EIO, "%s", text);
        ck_assert_uint_eq(strlen(err.text), ERROR_TEXT_MAX - 1);
        error_set(&err, ERR_INVALID, "cause");
        error_while(&err, "%s", text);
        ck_assert_uint_eq(strlen(err.text), ERROR_TEXT_MAX - 1);
        ck_assert_int_eq(err.code, ERR_INVALID);
}
END_TEST

START_TEST(every_code_has_a_name_of_its_own)
{
        for (int i = ERR_NONE; i <= ERR_DENIED; i++) {
                ck_assert_str_ne(error_code_name(i), "unknown error");
                for (int j = ERR_NONE; j < i; j++)
                        ck_assert_str_ne(error_code_name(i), error_code_name(j));
        }
        ck_assert_str_eq(error_code_name(ERR_DENIED + 1), "unknown error");
        ck_assert_str_eq(error_code_name(-1), "unknown error");
        ck_assert_str_eq(error_code_name(ERR_APP), "application error");
        ck_assert_str_eq(error_code_name(ERR_APP + 7), "application error");
}
END_TEST

START_TEST(a_cancel_is_passed_on_and_other_failures_are_not)
{
        struct error one = {}, err = { .code = ERR_BUSY };

        error_set(&one, ERR_TIMEOUT, "late");
        ck_assert(!error_is_cancel(&one, &err));
        ck_assert_int_eq(err.code, ERR_BUSY);
        error_set(&one, ERR_CANCELLED, "stopping");
        ck_assert(error_is_cancel(&one, &err));
        ck_assert_int_eq(err.code, ERR_CANCELLED);
        ck_assert_str_eq(err.text, "stopping");
}
END_TEST

UNIT_SUITE("error", the_helpers_return_minus_one_and_fill_all_members,
           while_puts_its_text_before_and_keeps_the_rest, long_texts_are_cut_and_terminated,
           every_code_has_a_name_of_its_own, a_cancel_is_passed_on_and_other_failures_are_not)
