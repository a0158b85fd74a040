/* poll, select and their variants on the hub. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/select.h>
#include <unistd.h>

#include "base/mem.h"
#include "patch.h"
#include "patcher/patcher_priv.h"

#define PATCHED (PATCH_SELECT | PATCH_TIME)

static int write_later(void *arg, struct error *err)
{
        assert_green();
        green_sleep(1, err);
        ck_assert_int_eq(patcher_original(write)(*(int *)arg, "x", 1), 1);
        return 0;
}

static struct pollfd reading(int fd)
{
        return (struct pollfd){ .fd = fd, .events = POLLIN };
}

GREEN_TEST(poll_parks_until_one_of_them_is_ready)
{
        struct pair p[40]; /* more than fit on the stack of the patcher */
        struct pollfd fds[40];
        static int ticks; /* outlives the test: its counter ends after it */

        patch(PATCHED);
        for (int i = 0; i < 40; i++) {
                p[i] = stream_pair();
                fds[i] = reading(p[i].a);
        }
        spawn("ticker", ticker, &ticks);
        for (int n = 1; n <= 40; n += 13) { /* 1, 14, 27, 40 */
                int64_t begin = clock_fake_elapsed_ms();
                char c;

                ticks = 0;
                spawn("writer", write_later, &p[n - 1].b);
                ck_assert_int_eq(poll(fds, (nfds_t)n, -1), 1);
                ck_assert_int_eq(clock_fake_elapsed_ms() - begin, 1000);
                ck_assert_int_ge(ticks, 98);
                for (int i = 0; i < n; i++)
                        ck_assert_int_eq(fds[i].revents, i == n - 1 ? POLLIN : 0);
                ck_assert_int_eq(read(p[n - 1].a, &c, 1), 1);
        }
}

GREEN_TEST(poll_times_out)
{
        struct pair p = stream_pair(), q = stream_pair();
        struct pollfd fds[] = { reading(p.a), reading(q.a) };

        patch(PATCHED);
        ck_assert_int_eq(poll(fds, 1, 250), 0);
        ck_assert_int_eq(clock_fake_elapsed_ms(), 250);
        ck_assert_int_eq(poll(fds, 2, 250), 0);
        ck_assert_int_eq(clock_fake_elapsed_ms(), 500);
        ck_assert_int_eq(poll(NULL, 0, 250), 0);
        ck_assert_int_eq(clock_fake_elapsed_ms(), 750);
}

GREEN_TEST(negative_descriptors_are_ignored)
{
        struct pair p = stream_pair();
        struct pollfd fds[] = { reading(-1), reading(p.a), reading(-7) };

        patch(PATCHED);
        fds[0].revents = fds[2].revents = POLLIN;
        spawn("writer", write_later, &p.b);
        ck_assert_int_eq(poll(fds, 3, -1), 1);
        ck_assert_int_eq(fds[0].revents, 0);
        ck_assert_int_eq(fds[1].revents, POLLIN);
        ck_assert_int_eq(fds[2].revents, 0);
        fds[1].fd = -1;
        ck_assert_int_eq(poll(fds, 3, 100), 0); /* a sleep */
        ck_assert_int_eq(clock_fake_elapsed_ms(), 1100);
}

static int count_turns(void *arg, struct error *err)
{
        assert_green();
        for (;;) {
                ++*(int *)arg;
                if (green_cancelled())
                        return 0;
                green_yield();
        }
}

GREEN_TEST(looking_only_gives_one_turn_and_comes_back)
{
        struct pair p = stream_pair();
        struct pollfd fds[] = { reading(p.a) };
        static int turns; /* outlives the test: its counter ends after it */

        patch(PATCHED);
        spawn("busy", count_turns, &turns); /* always ready: poll must come back all the same */
        for (int i = 1; i <= 100; i++) {
                ck_assert_int_eq(poll(fds, 1, 0), 0);
                ck_assert_int_le(turns, i);
        }
        ck_assert_int_ge(turns, 99);
        ck_assert_int_eq(clock_fake_elapsed_ms(), 0);
}

GREEN_TEST(what_is_ready_is_told_without_a_switch)
{
        struct pair p = stream_pair();
        struct pollfd fds[] = { { .fd = p.a, .events = POLLOUT | POLLIN } };
        unsigned long switches = green_switches();
        CLEANUP(closep) int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
        static int turns; /* outlives the test: its counter ends after it */

        patch(PATCHED);
        spawn("busy", count_turns, &turns);
        ck_assert_int_eq(poll(fds, 1, -1), 1);
        ck_assert_int_eq(fds[0].revents, POLLOUT);
        fds[0] = reading(file);
        ck_assert_int_eq(poll(fds, 1, 1000), 1);
        fds[0] = reading(987);
        ck_assert_int_eq(poll(fds, 1, 1000), 1);
        ck_assert_int_eq(fds[0].revents, POLLNVAL);
        close(p.b);
        fds[0] = (struct pollfd){ .fd = p.a };
        ck_assert_int_eq(poll(fds, 1, 1000), 1);
        ck_assert_int_eq(fds[0].revents, POLLHUP);
        ck_assert_uint_eq(green_switches(), switches);
}

static int close_later(void *arg, struct error *err)
{
        assert_green();
        green_sleep(1, err);
        green_close(*(int *)arg);
        return 0;
}

GREEN_TEST(waiting_for_errors_only_does_not_spin_on_data)
{
        struct pair p = stream_pair();
        struct pollfd fds[] = { { .fd = p.a } };
        unsigned long switches = green_switches();

        patch(PATCHED);
        ck_assert_int_eq(write(p.b, "x", 1), 1);
        spawn("closer", close_later, &p.b);
        ck_assert_int_eq(poll(fds, 1, -1), 1);
        ck_assert_int_eq(fds[0].revents, POLLHUP);
        ck_assert_int_ge(clock_fake_elapsed_ms(), 1000);
        ck_assert_int_le(clock_fake_elapsed_ms(), 1050);
        ck_assert_uint_le(green_switches() - switches, 500);
}

GREEN_TEST(closing_while_polled_shows_as_invalid)
{
        struct pair p = stream_pair();
        struct pollfd fds[] = { reading(p.a) };

        patch(PATCHED);
        spawn("closer", close_later, &p.a);
        ck_assert_int_eq(poll(fds, 1, -1), 1);
        ck_assert_int_eq(fds[0].revents, POLLNVAL);
}

static int poll_for_ever(void *arg, struct error *err)
{
        struct pair *p = arg;
        struct pollfd fds[] = { reading(p->a), reading(p->b) };
        fd_set set;

        assert_green();
        ck_assert_int_eq(poll(fds, 1, -1), -1);
        ck_assert_int_eq(errno, ECANCELED);
        ck_assert_int_eq(poll(fds, 2, -1), -1);
        ck_assert_int_eq(errno, ECANCELED);
        ck_assert_int_eq(poll(NULL, 0, -1), -1);
        ck_assert_int_eq(errno, ECANCELED);
        FD_ZERO(&set);
        FD_SET(p->a, &set);
        ck_assert_int_eq(select(p->a + 1, &set, NULL, NULL, NULL), -1);
        ck_assert_int_eq(errno, ECANCELED);
        p->a = -1;
        return 0;
}

GREEN_TEST(cancelled_waits_fail_with_ecanceled)
{
        struct pair p = stream_pair();
        struct error err = {};
        struct green *g;

        patch(PATCHED);
        g = green_spawn_ref(NULL, "poller", poll_for_ever, &p, &err);
        sleep(1);
        green_cancel(g);
        ck_assert_ok(green_join(g, deadline_in_s(1), NULL, &err), err);
        green_unref(g);
        ck_assert_int_eq(p.a, -1);
}

static int poll_same(void *arg, struct error *err)
{
        struct pollfd fds[] = { reading(*(int *)arg) };

        assert_green();
        ck_assert_int_eq(poll(fds, 1, 5000), 1);
        *(int *)arg = -1;
        return 0;
}

GREEN_TEST(two_may_poll_the_same_descriptor)
{
        struct pair p = stream_pair();
        int first = p.a, second = p.a;

        patch(PATCHED);
        spawn("first", poll_same, &first);
        spawn("second", poll_same, &second);
        sleep(1);
        ck_assert_int_eq(write(p.b, "x", 1), 1);
        sleep(1);
        ck_assert_int_eq(first, -1);
        ck_assert_int_eq(second, -1);
}

GREEN_TEST(ppoll_and_pselect_do_without_signal_masks)
{
        struct pair p = stream_pair();
        struct pollfd fds[] = { reading(p.a) };
        struct timespec half = { 0, NS_PER_S / 2 }, bad = { 0, -1 };
        sigset_t mask;
        fd_set set;

        patch(PATCHED);
        sigemptyset(&mask);
        ck_assert_int_eq(ppoll(fds, 1, &half, NULL), 0);
        ck_assert_int_eq(clock_fake_elapsed_ms(), 500);
        ck_assert_int_eq(ppoll(fds, 1, &bad, NULL), -1);
        ck_assert_int_eq(errno, EINVAL);
        ck_assert_int_eq(ppoll(fds, 1, &half, &mask), -1);
        ck_assert_int_eq(errno, ENOSYS);
        FD_ZERO(&set);
        FD_SET(p.a, &set);
        ck_assert_int_eq(pselect(p.a + 1, &set, NULL, NULL, &half, NULL), 0);
        ck_assert(!FD_ISSET(p.a, &set));
        ck_assert_int_eq(clock_fake_elapsed_ms(), 1000);
        ck_assert_int_eq(pselect(p.a + 1, &set, NULL, NULL, &half, &mask), -1);
        ck_assert_int_eq(errno, ENOSYS);
}

GREEN_TEST(select_fills_its_sets_and_the_time_left)
{
        struct pair p = stream_pair(), q = stream_pair();
        struct timeval tv = { 10, 0 };
        fd_set in, out;
        int max = p.b > q.b ? p.b : q.b;

        patch(PATCHED);
        FD_ZERO(&in);
        FD_SET(p.a, &in);
        FD_SET(q.a, &in);
        spawn("writer", write_later, &q.b);
        ck_assert_int_eq(select(max + 1, &in, NULL, NULL, &tv), 1);
        ck_assert(FD_ISSET(q.a, &in));
        ck_assert(!FD_ISSET(p.a, &in));
        ck_assert_int_eq(tv.tv_sec, 9);
        FD_ZERO(&out);
        FD_SET(q.a, &out);
        ck_assert_int_eq(select(max + 1, &in, &out, NULL, NULL), 2);
        ck_assert(FD_ISSET(q.a, &in) && FD_ISSET(q.a, &out));
        tv = (struct timeval){ 0, 250000 };
        ck_assert_int_eq(select(0, NULL, NULL, NULL, &tv), 0); /* the sleep of old programs */
        ck_assert_int_eq(clock_fake_elapsed_ms(), 1250);
        ck_assert_int_eq(tv.tv_usec, 0);
        FD_ZERO(&in);
        FD_SET(500, &in);
        ck_assert_int_eq(select(501, &in, NULL, NULL, NULL), -1);
        ck_assert_int_eq(errno, EBADF);
        ck_assert(FD_ISSET(500, &in)); /* left alone on error */
        ck_assert_int_eq(select(-1, NULL, NULL, NULL, NULL), -1);
        ck_assert_int_eq(errno, EINVAL);
}

GREEN_TEST(fortified_names_are_the_same_and_still_check)
{
        struct pair p = stream_pair();
        struct pollfd fds[] = { reading(p.a) };
        struct timespec half = { 0, NS_PER_S / 2 };

        patch(PATCHED);
        ck_assert_int_eq(__poll_chk(fds, 1, 500, sizeof(fds)), 0);
        ck_assert_int_eq(__ppoll_chk(fds, 1, &half, NULL, sizeof(fds)), 0);
        ck_assert_int_eq(clock_fake_elapsed_ms(), 1000);
}

GREEN_TEST_REAL(without_the_category_poll_is_plain)
{
        struct pair p = stream_pair();
        struct pollfd fds[] = { reading(p.a) };
        unsigned long switches = green_switches();

        patch(PATCH_SOCKET | PATCH_TIME);
        ck_assert_int_eq(poll(fds, 1, 10), 0);
        ck_assert_uint_eq(green_switches(), switches);
}

GREEN_SUITE("patcher-select", poll_parks_until_one_of_them_is_ready, poll_times_out,
            negative_descriptors_are_ignored, looking_only_gives_one_turn_and_comes_back,
            what_is_ready_is_told_without_a_switch, waiting_for_errors_only_does_not_spin_on_data,
            closing_while_polled_shows_as_invalid, cancelled_waits_fail_with_ecanceled,
            two_may_poll_the_same_descriptor, ppoll_and_pselect_do_without_signal_masks,
            select_fills_its_sets_and_the_time_left, fortified_names_are_the_same_and_still_check,
            without_the_category_poll_is_plain)
