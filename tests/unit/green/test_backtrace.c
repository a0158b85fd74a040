#include "green_test.h"

#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "green/green_priv.h"
#include "green/switch.h"

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

/* Return addresses on the way to where a green thread parks, innermost first: each function notes its own. */
static struct path {
        struct green_event never;
        void *addresses[8];
        int n;
} paths[3];

static int note(struct path *p, void *address)
{
        ck_assert_int_lt(p->n, (int)ARRAY_SIZE(p->addresses));
        p->addresses[p->n++] = address;
        return 0;
}

static __attribute__((noinline)) int YIELDS park_here(struct path *p)
{
        struct error err;
        int r;

        note(p, __builtin_return_address(0));
        r = green_event_wait(&p->never, deadline_never(), &err);
        ck_assert_int_eq(err.code, ERR_CANCELLED);
        return r + 1;
}

static __attribute__((noinline)) int YIELDS on_the_way(struct path *p)
{
        volatile int r = park_here(p); /* no tail call */

        return r;
}

static int park_directly(void *arg, struct error *err)
{
        assert_green();
        on_the_way(arg);
        return 0;
}

static __thread struct path *compared; /* qsort() hands nothing on */

static int compare(const void *a, const void *b)
{
        assert_green();
        note(compared, __builtin_return_address(0)); /* in libc */
        on_the_way(compared);
        return *(const char *)a - *(const char *)b;
}

static int park_in_libc(void *arg, struct error *err)
{
        char letters[] = "ba";
        struct path *p = arg;

        assert_green();
        compared = p;
        qsort(letters, 2, 1, compare);
        ck_assert_str_eq(letters, "ab");
        return 0;
}

static struct green *HUB_ONLY start(const char *name, green_fn *fn, struct path *p)
{
        struct error err;
        struct green *g = green_spawn_ref(NULL, name, fn, p, &err);

        ck_assert_msg(g != NULL, "%s", err.text);
        green_event_init(&p->never, "never");
        return g;
}

static void YIELDS end(struct green *g)
{
        struct error err;

        green_cancel(g);
        ck_assert_ok(green_join(g, deadline_never(), NULL, &err), err);
        green_unref(g);
}

static void HUB_ONLY is_on(const struct path *p, void **frames, int n)
{
        int at = 0;

        for (int i = 0; i < p->n; i++) {
                while (at < n && frames[at] != p->addresses[i])
                        at++;
                ck_assert_msg(at < n, "frame %d of %d is missing", i, p->n);
        }
}

static void ends_at_the_beginning(void *last)
{
#ifndef GREEN_SWITCH_UCONTEXT /* there it begins in libc */
        ck_assert((char *)last > (char *)green_entry && (char *)last < (char *)green_entry + 64);
#endif
}

GREEN_TEST(a_parked_thread_shows_each_frame_and_ends_where_it_began)
{
        struct green *g = start("parked", park_directly, &paths[0]);
        unsigned long switches;
        void *frames[32];
        int n;

        green_yield();
        switches = green_switches();
        n = green_backtrace(g, frames, ARRAY_SIZE(frames));
        ck_assert_uint_eq(green_switches(), switches);
        is_on(&paths[0], frames, n);
        ck_assert_int_lt(n, (int)ARRAY_SIZE(frames));
        ends_at_the_beginning(frames[n - 1]);
        end(g);
}

GREEN_TEST(frames_of_libc_which_has_no_frame_pointers_are_passed)
{
        struct green *g = start("sorting", park_in_libc, &paths[1]);
        void *frames[32], *swapped[2];
        int n;

        green_yield();
        n = green_backtrace(g, frames, ARRAY_SIZE(frames));
        swapped[0] = paths[1].addresses[0]; /* the outer one was noted first */
        swapped[1] = paths[1].addresses[1];
        paths[1].addresses[0] = swapped[1];
        paths[1].addresses[1] = swapped[0];
        is_on(&paths[1], frames, n);
        ends_at_the_beginning(frames[n - 1]);
        end(g);
}

static __attribute__((noinline, no_sanitize("address"))) unsigned long sum(const unsigned char *from,
                                                                           const unsigned char *to)
{
        unsigned long total = 0;

        while (from < to)
                total = total * 31 + *(const volatile unsigned char *)from++;
        return total;
}

GREEN_TEST(the_stack_that_is_looked_at_is_not_written_to)
{
        struct green *g = start("parked", park_directly, &paths[2]);
        void *frames[32];
        unsigned long before;

#ifdef GREEN_SWITCH_UCONTEXT
        return; /* there a thread is unwound by going to it */
#endif
        if (RUNNING_ON_VALGRIND) /* for which nothing is below a stack's pointer */
                return;

        green_yield();
        before = sum(g->stack.low, g->sp);
        ck_assert_int_gt(green_backtrace(g, frames, ARRAY_SIZE(frames)), 3);
        ck_assert_uint_eq(sum(g->stack.low, g->sp), before);
        end(g);
}

GREEN_TEST(as_many_frames_as_there_is_room_for)
{
        struct green *g = start("parked", park_directly, &paths[0]);
        void *all[32], *few[32] = {};

        green_yield();
        ck_assert_int_gt(green_backtrace(g, all, ARRAY_SIZE(all)), 3);
        ck_assert_int_eq(green_backtrace(g, few, 2), 2);
        ck_assert_ptr_eq(few[0], all[0]);
        ck_assert_ptr_eq(few[1], all[1]);
        ck_assert_ptr_null(few[2]);
        ck_assert_int_eq(green_backtrace(g, few, 0), 0);
        end(g);
}

static __attribute__((noinline)) int HUB_ONLY look_at_myself(void **frames, int max, void **ret_caller)
{
        *ret_caller = __builtin_return_address(0);
        return green_backtrace(green_self(), frames, max);
}

static int HUB_ONLY find_myself(void *frames[32])
{
        void *caller;
        int n = look_at_myself(frames, 32, &caller), i = 0;

        while (i < n && frames[i] != caller)
                i++;
        ck_assert_int_lt(i, n);
        return n;
}

static int find_myself_in_green(void *arg, struct error *err)
{
        void *frames[32];
        int n;

        assert_green();
        n = find_myself(frames);
        ck_assert_int_lt(n, (int)ARRAY_SIZE(frames));
        ends_at_the_beginning(frames[n - 1]);
        return 0;
}

GREEN_TEST(the_caller_itself)
{
        struct error err;
        void *frames[32];

        find_myself(frames);
        ck_assert_ok(green_spawn(NULL, "looking", find_myself_in_green, NULL, &err), err);
        green_yield();
}

static int look_at_main(void *main, struct error *err)
{
        void *frames[32];

        assert_green();
        is_on(&paths[0], frames, green_backtrace(main, frames, ARRAY_SIZE(frames)));
        green_cancel(main);
        return 0;
}

GREEN_TEST(the_hub_s_first_thread_seen_from_another)
{
        struct error err;

        green_event_init(&paths[0].never, "never");
        ck_assert_ok(green_spawn(NULL, "looking", look_at_main, green_self(), &err), err);
        on_the_way(&paths[0]);
}

GREEN_TEST(who_has_not_begun_or_has_ended_has_no_frames)
{
        struct green *g = start("short", park_directly, &paths[0]);
        struct error err;
        void *frames[4];

        ck_assert_int_eq(green_backtrace(g, frames, 4), 0);
        green_yield();
        ck_assert_int_gt(green_backtrace(g, frames, 4), 0);
        green_cancel(g);
        ck_assert_ok(green_join(g, deadline_never(), NULL, &err), err);
        ck_assert_int_eq(green_backtrace(g, frames, 4), 0);
        green_unref(g);
}

GREEN_SUITE("backtrace", a_parked_thread_shows_each_frame_and_ends_where_it_began,
            frames_of_libc_which_has_no_frame_pointers_are_passed,
            the_stack_that_is_looked_at_is_not_written_to, as_many_frames_as_there_is_room_for,
            the_caller_itself, the_hub_s_first_thread_seen_from_another,
            who_has_not_begun_or_has_ended_has_no_frames)
