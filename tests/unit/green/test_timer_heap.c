/* tests/unit/green/test_timer_heap.c: the heap against a plain array, with a fixed seed. */
#include <check.h>
#undef fail
#include <stdlib.h>

#include "base/list.h"
#include "green/timer_heap.h"

enum { N = 300, STEPS = 20000 };

/* Asserted once for the whole heap: each assertion of check costs a system call. */
static bool every_entry_knows_its_place(const struct timer_heap *heap)
{
        for (size_t e = 0; e < heap->n; e++)
                if (*heap->entries[e].index != e)
                        return false;
        return true;
}

static int64_t least(const int64_t *at, const size_t *index)
{
        int64_t min = INT64_MAX;

        for (int i = 0; i < N; i++)
                if (index[i] != TIMER_NONE && at[i] < min)
                        min = at[i];
        return min;
}

START_TEST(random_adds_and_removes_keep_the_first_first)
{
        struct timer_heap heap = {};
        int64_t at[N];
        size_t index[N];
        size_t in = 0;

        srand(7);
        for (int i = 0; i < N; i++)
                index[i] = TIMER_NONE;
        for (int step = 0; step < STEPS; step++) {
                int i = rand() % N;

                if (index[i] == TIMER_NONE) {
                        at[i] = rand() % 1000;
                        ck_assert(timer_heap_reserve(&heap, in + 1));
                        timer_heap_add(&heap, at[i], &index[i], &at[i]);
                        in++;
                } else {
                        timer_heap_remove(&heap, index[i]);
                        ck_assert(index[i] == TIMER_NONE);
                        in--;
                }
                ck_assert_uint_eq(heap.n, in);
                ck_assert(every_entry_knows_its_place(&heap));
                if (in > 0)
                        ck_assert_int_eq(timer_heap_first(&heap)->at_ns, least(at, index));
                else
                        ck_assert_ptr_null(timer_heap_first(&heap));
        }
        timer_heap_free(&heap);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("timer_heap");
        TCase *tcase = tcase_create("timer_heap");
        SRunner *runner = srunner_create(suite);
        int failed;

        tcase_set_timeout(tcase, 60);
        tcase_add_test(tcase, random_adds_and_removes_keep_the_first_first);
        suite_add_tcase(suite, tcase);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
