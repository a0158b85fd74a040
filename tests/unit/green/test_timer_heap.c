/* tests/unit/green/test_timer_heap.c: the heap against a plain array, with a fixed seed. */
#include <check.h>
#undef fail
#include <stdlib.h>

#include "base/list.h"
#include "green/timer_heap.h"

enum { N = 300, STEPS = 20000 };

/* Asserted once for the whole heap: each assertion of check costs a system call. */
static bool every_timer_is_found_in_its_place(const struct timer_heap *heap)
{
        for (uint32_t e = 0; e < heap->n; e++)
                if (heap->places[heap->entries[e].slot] != e)
                        return false;
        return true;
}

static int64_t least(const int64_t *at, const bool *in)
{
        int64_t min = INT64_MAX;

        for (int i = 0; i < N; i++)
                if (in[i] && at[i] < min)
                        min = at[i];
        return min;
}

START_TEST(random_adds_and_removes_keep_the_first_first)
{
        struct timer_heap heap;
        int64_t at[N];
        bool in[N] = {};
        uint32_t slot[N], n = 0;

        srand(7);
        timer_heap_init(&heap);
        for (int i = 0; i < N; i++)
                ck_assert((slot[i] = timer_heap_open(&heap, &at[i])) != TIMER_NONE);
        for (int step = 0; step < STEPS; step++) {
                int i = rand() % N;

                if (!in[i]) {
                        at[i] = rand() % 1000;
                        timer_heap_add(&heap, at[i], slot[i]);
                        n++;
                } else {
                        timer_heap_remove(&heap, slot[i]);
                        n--;
                }
                in[i] = !in[i];
                ck_assert_uint_eq(heap.n, n);
                ck_assert(every_timer_is_found_in_its_place(&heap));
                ck_assert_int_eq(timer_heap_first_ns(&heap), least(at, in));
        }
        timer_heap_free(&heap);
}
END_TEST

START_TEST(timers_are_popped_in_the_order_of_their_instants)
{
        struct timer_heap heap;
        int64_t at[N], before = -1;

        srand(8);
        timer_heap_init(&heap);
        for (int i = 0; i < N; i++) {
                at[i] = rand() % 1000;
                timer_heap_add(&heap, at[i], timer_heap_open(&heap, &at[i]));
        }
        for (int i = 0; i < N; i++) {
                int64_t first = timer_heap_first_ns(&heap);
                const int64_t *owner = timer_heap_pop(&heap);

                ck_assert_int_eq(*owner, first);
                ck_assert_int_ge(first, before);
                before = first;
        }
        ck_assert_int_eq(timer_heap_first_ns(&heap), INT64_MAX);
        timer_heap_free(&heap);
}
END_TEST

START_TEST(a_closed_slot_is_used_again)
{
        struct timer_heap heap;
        uint32_t slot[3];
        int owner[4];

        timer_heap_init(&heap);
        for (int i = 0; i < 3; i++)
                slot[i] = timer_heap_open(&heap, &owner[i]);
        timer_heap_close(&heap, slot[1]);
        timer_heap_close(&heap, slot[0]);
        ck_assert_uint_eq(timer_heap_open(&heap, &owner[3]), slot[0]);
        ck_assert_uint_eq(timer_heap_open(&heap, &owner[1]), slot[1]);
        ck_assert_uint_eq(timer_heap_open(&heap, &owner[0]), slot[2] + 1);
        timer_heap_add(&heap, 5, slot[0]);
        ck_assert_ptr_eq(timer_heap_pop(&heap), &owner[3]);
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
        tcase_add_test(tcase, timers_are_popped_in_the_order_of_their_instants);
        tcase_add_test(tcase, a_closed_slot_is_used_again);
        suite_add_tcase(suite, tcase);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
