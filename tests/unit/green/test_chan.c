/* tests/unit/green/test_chan.c: channels with and without a buffer. */
#include <string.h>

#include "base/strbuf.h"
#include "green/chan.h"
#include "green_test.h"

static struct strbuf trace;
static struct green_chan *chan;

static int send_digits(void *arg, struct error *err)
{
        int from = *(int *)arg;

        assert_green();
        for (int i = from; i < from + 3; i++) {
                if (green_chan_send(chan, &i, deadline_never(), err) < 0) {
                        strbuf_adds(&trace, err->code == ERR_CLOSED ? "!" : "C");
                        return 0;
                }
        }
        return 0;
}

static int receive_all(void *arg, struct error *err)
{
        int item;

        assert_green();
        while (green_chan_recv(chan, &item, deadline_never(), err) == 0)
                strbuf_addf(&trace, "%d", item);
        strbuf_adds(&trace, err->code == ERR_CLOSED ? "." : "?");
        return 0;
}

static void YIELDS pass_through(size_t capacity)
{
        static int one = 1, four = 4;
        struct error err;
        struct green *a, *b, *r;

        chan = green_chan_new("numbers", sizeof(int), capacity);
        a = green_spawn_ref(NULL, "a", send_digits, &one, &err);
        b = green_spawn_ref(NULL, "b", send_digits, &four, &err);
        r = green_spawn_ref(NULL, "r", receive_all, NULL, &err);
        ck_assert_ok(green_join(a, deadline_in_ms(100), NULL, &err), err);
        ck_assert_ok(green_join(b, deadline_in_ms(100), NULL, &err), err);
        green_chan_close(chan);
        ck_assert_ok(green_join(r, deadline_in_ms(100), NULL, &err), err);
        ck_assert_uint_eq(trace.len, 7);
        ck_assert_ptr_nonnull(strchr(trace.data, '.'));
        for (char c = '1'; c <= '6'; c++)
                ck_assert_msg(strchr(trace.data, c) && strchr(trace.data, c) == strrchr(trace.data, c),
                              "%c in %s", c, trace.data);
        ck_assert(strchr(trace.data, '1') < strchr(trace.data, '2'));
        ck_assert(strchr(trace.data, '4') < strchr(trace.data, '5'));
        green_unref(a);
        green_unref(b);
        green_unref(r);
        green_chan_free(chan);
        strbuf_truncate(&trace, 0);
}

GREEN_TEST(every_item_arrives_once_and_in_order)
{
        pass_through(0);
        pass_through(1);
        pass_through(2);
        pass_through(100);
        strbuf_free(&trace);
}

GREEN_TEST(unbuffered_send_returns_when_taken)
{
        struct error err;
        int item = 7, got = 0;

        chan = green_chan_new("direct", sizeof(int), 0);
        ck_assert(!green_chan_try_send(chan, &item));
        ck_assert(!green_chan_try_recv(chan, &got));
        ck_assert_fails(green_chan_send(chan, &item, deadline_in_ms(5), &err), err, ERR_TIMEOUT);
        ck_assert_fails(green_chan_recv(chan, &got, deadline_in_ms(5), &err), err, ERR_TIMEOUT);
        ck_assert_int_eq(got, 0);
        green_chan_free(chan);
}

GREEN_TEST(a_timed_out_send_moves_nothing)
{
        struct error err;
        int item = 1, got = 0;

        chan = green_chan_new("one", sizeof(int), 1);
        ck_assert(green_chan_try_send(chan, &item));
        item = 2;
        ck_assert_fails(green_chan_send(chan, &item, deadline_in_ms(5), &err), err, ERR_TIMEOUT);
        ck_assert_uint_eq(green_chan_len(chan), 1);
        ck_assert(green_chan_try_recv(chan, &got));
        ck_assert_int_eq(got, 1);
        ck_assert(!green_chan_try_recv(chan, &got));
        green_chan_free(chan);
}

GREEN_TEST(cancelled_waits_fail)
{
        static int zero;
        struct error err;
        struct green *s;

        chan = green_chan_new("c", sizeof(int), 0);
        s = green_spawn_ref(NULL, "s", send_digits, &zero, &err);
        green_yield();
        green_cancel(s);
        ck_assert_ok(green_join(s, deadline_never(), NULL, &err), err);
        ck_assert_str_eq(trace.data, "C");
        green_unref(s);
        green_chan_free(chan);
}

GREEN_TEST(closing_wakes_both_sides_and_keeps_the_buffer)
{
        static int zero;
        struct error err;
        int got;

        chan = green_chan_new("c", sizeof(int), 2);
        ck_assert_ok(green_spawn(NULL, "s", send_digits, &zero, &err), err); /* 0 and 1 fit, 2 waits */
        green_yield();
        green_chan_close(chan);
        green_yield();
        ck_assert_str_eq(trace.data, "!");
        ck_assert_fails(green_chan_send(chan, &zero, deadline_never(), &err), err, ERR_CLOSED);
        ck_assert_ok(green_chan_recv(chan, &got, deadline_never(), &err), err);
        ck_assert_int_eq(got, 0);
        ck_assert_ok(green_chan_recv(chan, &got, deadline_never(), &err), err);
        ck_assert_int_eq(got, 1);
        ck_assert_fails(green_chan_recv(chan, &got, deadline_never(), &err), err, ERR_CLOSED);
        green_chan_free(chan);
        green_chan_free(NULL);
}

GREEN_TEST(who_was_cancelled_and_has_not_run_yet_is_passed_over)
{
        static int zero;
        struct error err;
        struct green *s;
        int got = 0;

        chan = green_chan_new("c", sizeof(int), 0);
        s = green_spawn_ref(NULL, "s", send_digits, &zero, &err);
        green_yield();
        green_cancel(s);
        ck_assert(!green_chan_try_recv(chan, &got));
        green_chan_close(chan);
        ck_assert_ok(green_join(s, deadline_never(), NULL, &err), err);
        ck_assert_str_eq(trace.data, "C");
        green_unref(s);
        green_chan_free(chan);
}

static int recv_for_a_while(void *arg, struct error *err)
{
        int got = 0;

        assert_green();
        return green_chan_recv(chan, arg ? arg : &got, deadline_in_ms(5), err);
}

GREEN_TEST(a_send_goes_past_a_receiver_that_was_cancelled)
{
        static int got, seven = 7;
        struct green *late, *other;
        struct error err, failed;

        chan = green_chan_new("c", sizeof(int), 0);
        late = green_spawn_ref(NULL, "late", recv_for_a_while, NULL, &err);
        green_yield();
        ck_assert_ok(green_sleep_until(deadline_in_ms(2), &err), err);
        other = green_spawn_ref(NULL, "other", recv_for_a_while, &got, &err);
        green_yield();
        green_cancel(late);
        ck_assert(green_chan_try_send(chan, &seven));
        ck_assert_ok(green_join(late, deadline_never(), &failed, &err), err);
        ck_assert_int_eq(failed.code, ERR_CANCELLED);
        ck_assert_ok(green_join(other, deadline_never(), &failed, &err), err);
        ck_assert_int_eq(failed.code, ERR_NONE);
        ck_assert_int_eq(got, 7);
        green_unref(late);
        green_unref(other);
        green_chan_free(chan);
}

GREEN_SUITE("chan", every_item_arrives_once_and_in_order, unbuffered_send_returns_when_taken,
            a_timed_out_send_moves_nothing, cancelled_waits_fail,
            closing_wakes_both_sides_and_keeps_the_buffer,
            who_was_cancelled_and_has_not_run_yet_is_passed_over,
            a_send_goes_past_a_receiver_that_was_cancelled)
