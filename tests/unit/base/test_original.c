/* The C library's own functions, found by name. */
#include "base/original.h"

#include <pthread.h>
#include <unistd.h>

#include "suite.h"

START_TEST(it_is_the_function_with_its_own_type)
{
        int p[2];
        char c = 0;

        ck_assert_int_eq(pipe(p), 0);
        ck_assert_int_eq(patcher_original(write)(p[1], "x", 1), 1);
        ck_assert_int_eq(patcher_original(read)(p[0], &c, 1), 1);
        ck_assert_int_eq(c, 'x');
        ck_assert(original_symbol("write") == (void *)patcher_original(write));
        ck_assert(original_symbol("write") != original_symbol("read"));
}
END_TEST

static void *body(void *arg)
{
        return arg;
}

START_TEST(a_thread_made_with_it_is_native)
{
        pthread_t t;
        void *result = NULL;
        int x;

        ck_assert_int_eq(patcher_original(pthread_create)(&t, NULL, body, &x), 0);
        ck_assert_int_eq(patcher_original(pthread_join)(t, &result), 0);
        ck_assert_ptr_eq(result, &x);
}
END_TEST

UNIT_SUITE("original", it_is_the_function_with_its_own_type, a_thread_made_with_it_is_native)
