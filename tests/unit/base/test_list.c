/* Intrusive lists. */
#include "base/list.h"

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

UNIT_SUITE("list", appended_and_prepended_come_in_order, removing_twice_is_harmless,
           the_safe_loop_may_remove_what_it_looks_at)
