/* Intrusive lists. */
#include "base/list.h"

#include <string.h>

#include "suite.h"

struct item {
        int n;
        struct list node;
};

static int sum_in_order(struct list *head) /* digits: 1, 2, 3 is 123 */
{
        int sum = 0;

        list_for_each (pos, head)
                sum = sum * 10 + CONTAINER_OF(pos, struct item, node)->n;
        return sum;
}

START_TEST(appended_and_prepended_come_in_order)
{
        struct list head = LIST_INIT(head);
        struct item a = { 1 }, b = { 2 }, c = { 3 };

        ck_assert(list_empty(&head));
        ck_assert_ptr_null(list_pop(&head));
        list_append(&head, &b.node);
        list_append(&head, &c.node);
        list_prepend(&head, &a.node);
        ck_assert_int_eq(sum_in_order(&head), 123);
        ck_assert_ptr_eq(list_pop(&head), &a.node);
        ck_assert_int_eq(sum_in_order(&head), 23);
}
END_TEST

START_TEST(removing_twice_is_harmless)
{
        struct list head = LIST_INIT(head);
        struct item a = { 1 }, b = { 2 }, c = { 3 };

        list_append(&head, &a.node);
        list_append(&head, &b.node);
        list_append(&head, &c.node);
        list_remove(&b.node);
        list_remove(&b.node);
        ck_assert_int_eq(sum_in_order(&head), 13);
        ck_assert(list_empty(&b.node));
        list_append(&head, &b.node);
        ck_assert_int_eq(sum_in_order(&head), 132);
}
END_TEST

START_TEST(the_safe_loop_may_remove_what_it_looks_at)
{
        struct list head;
        struct item items[] = { { 1 }, { 2 }, { 3 }, { 4 } };

        list_init(&head);
        for (size_t i = 0; i < ARRAY_SIZE(items); i++)
                list_append(&head, &items[i].node);
        list_for_each_safe (pos, &head)
                if (CONTAINER_OF(pos, struct item, node)->n % 2 == 0)
                        list_remove(pos);
        ck_assert_int_eq(sum_in_order(&head), 13);
        list_for_each_safe (pos, &head)
                list_remove(pos);
        ck_assert(list_empty(&head));
}
END_TEST

/* Forwards and backwards the list is what the array says. */
static bool is_as(struct list *head, const int *want, size_t n)
{
        struct list *back = head->prev;
        size_t i = 0;

        list_for_each (pos, head)
                if (i == n || CONTAINER_OF(pos, struct item, node)->n != want[i++])
                        return false;
        for (size_t left = n; left-- > 0; back = back->prev)
                if (back == head || CONTAINER_OF(back, struct item, node)->n != want[left])
                        return false;
        return i == n && back == head;
}

START_TEST(random_changes_leave_what_an_array_says)
{
        enum { N = 40, STEPS = 20000 };
        struct list head = LIST_INIT(head);
        struct item items[N];
        int want[N];
        size_t n = 0;

        srand(11);
        for (int i = 0; i < N; i++) {
                items[i].n = i;
                list_init(&items[i].node);
        }
        for (int step = 0; step < STEPS; step++) {
                struct item *item = &items[rand() % N];
                size_t at = 0;

                while (at < n && want[at] != item->n)
                        at++;
                if (at < n && rand() % 3 == 0) { /* the first instead */
                        item = CONTAINER_OF(list_pop(&head), struct item, node);
                        at = 0;
                        ck_assert_int_eq(item->n, want[0]);
                }
                if (at < n) {
                        list_remove(&item->node);
                        memmove(&want[at], &want[at + 1], (--n - at) * sizeof(want[0]));
                } else if (rand() % 2) {
                        list_append(&head, &item->node);
                        want[n++] = item->n;
                } else {
                        list_prepend(&head, &item->node);
                        memmove(&want[1], &want[0], n++ * sizeof(want[0]));
                        want[0] = item->n;
                }
                if (!is_as(&head, want, n)) /* no ck_assert for each: it is a system call */
                        ck_abort_msg("differs after step %d", step);
        }
}
END_TEST

UNIT_SUITE("list", appended_and_prepended_come_in_order, removing_twice_is_harmless,
           the_safe_loop_may_remove_what_it_looks_at, random_changes_leave_what_an_array_says)
