/* Objects that were built with _FORTIFY_SOURCE=3 call other names; they are as green, and still check. */
#include "fortified.h"
#include "patch.h"

static int send_later(void *arg, struct error *err)
{
        assert_green();
        while (green_sleep(1, err) == 0)
                ck_assert_int_eq(send(*(int *)arg, "x", 1, 0), 1);
        return 0;
}

GREEN_TEST(fortified_calls_are_green)
{
        static struct pair p;
        static int ticks;

        patch(PATCH_ALL & ~(unsigned)PATCH_OS);
        p = stream_pair();
        spawn("ticker", ticker, &ticks);
        ck_assert_int_eq(fortified_poll(p.a, 1, 500), 0);
        ck_assert_int_eq(fortified_ppoll(p.a, 1, 500), 0);
        ck_assert_int_eq(fortified_select(p.a, 500), 0);
        ck_assert_int_eq(clock_fake_elapsed_ms(), 1500);
        ck_assert_int_ge(ticks, 149);
        spawn("sender", send_later, &p.b);
        ck_assert_int_eq(fortified_poll(p.a, 1, -1), 1);
        ck_assert_int_eq(fortified_recv(p.a, 16), 1);
        ck_assert_int_eq(fortified_recv(p.a, 16), 1);
        ck_assert_int_eq(fortified_recvfrom(p.a, 16), 1);
        ck_assert_int_eq(fortified_read(p.a, 16), 1);
        ck_assert_int_ge(ticks, 500);
}

GREEN_SUITE("patcher-fortified", fortified_calls_are_green)
