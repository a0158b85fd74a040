/*
 * A foreign library that blocks, used from ten green threads: greened it lets the hub turn, else it stalls
 * it. Both kinds of binding: lazy (slots hold the resolver) and at once (slots are read-only).
 */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "blocking_lib.h"
#include "patch.h"
#include "patcher/patcher_priv.h"

enum { USERS = 10 };

static const struct blocking_lib *lib;

static const struct blocking_lib *load(const char *path)
{
        void *handle = dlopen(path, RTLD_LAZY | RTLD_LOCAL);

        ck_assert_msg(handle != NULL, "%s", dlerror());
        lib = dlsym(handle, "blocking_lib");
        ck_assert_ptr_nonnull(lib);
        return lib;
}

static void load_greened(const char *path)
{
        struct error err = {};
        unsigned slots = 0;

        patch(PATCH_ALL & ~(unsigned)PATCH_OS);
        load(path);
        ck_assert_ok(patcher_green_library(path, &slots, &err), err);
        ck_assert_uint_ge(slots, 4);                                  /* sleep, sleep's address, recv, poll */
        ck_assert_ok(patcher_green_library(path, &slots, &err), err); /* twice is harmless */
}

static int done[USERS], n_done;
static struct pair pairs[USERS];

static int sleeper(void *arg, struct error *err)
{
        assert_green();
        if ((intptr_t)arg % 2)
                ck_assert_uint_eq(lib->sleep(1), 0);
        else
                ck_assert_uint_eq(lib->sleep_by_pointer(1), 0);
        done[n_done++] = (int)(intptr_t)arg;
        return 0;
}

static int receiver(void *arg, struct error *err)
{
        intptr_t i = (intptr_t)arg;
        char c = 0;

        assert_green();
        ck_assert_int_eq(lib->poll(pairs[i].a, -1), 1);
        ck_assert_int_eq(lib->recv(pairs[i].a, &c, 1), 1);
        ck_assert_int_eq(c, 'A' + (int)i);
        ck_assert_int_eq(lib->recv(pairs[i].a, &c, 1), 1); /* this one waits in recv() */
        ck_assert_int_eq(c, 'a' + (int)i);
        done[n_done++] = (int)i;
        return 0;
}

static void YIELDS start_users(green_fn *fn)
{
        char name[16];

        n_done = 0;
        for (intptr_t i = 0; i < USERS; i++) {
                snprintf(name, sizeof(name), "user%d", (int)i);
                spawn(name, fn, (void *)i);
        }
        green_yield(); /* each runs until it waits, or to its end */
}

static void YIELDS greened_lets_the_hub_turn(const char *path)
{
        static int ticks; /* outlives the test: its counter ends after it */
        struct error err;

        load_greened(path);
        spawn("ticker", ticker, &ticks);
        for (int again = 0; again < 2; again++) { /* a second call finds the slots as they were left */
                int64_t begin = clock_fake_elapsed_ms();

                ticks = 0;
                start_users(sleeper);
                ck_assert_int_eq(n_done, 0);
                while (n_done < USERS)
                        green_sleep(0.01, &err);
                ck_assert_int_ge(ticks, 99);
                ck_assert_int_le(clock_fake_elapsed_ms() - begin, 1010); /* all ten at once */
        }

        for (int i = 0; i < USERS; i++)
                pairs[i] = stream_pair();
        start_users(receiver);
        for (int i = USERS - 1; i >= 0; i--) /* in the other order than they wait */
                ck_assert_int_eq(send(pairs[i].b, &(char){ (char)('A' + i) }, 1, 0), 1);
        green_sleep(0.1, &err);
        ck_assert_int_eq(n_done, 0);
        for (int i = USERS - 1; i >= 0; i--) {
                ck_assert_int_eq(send(pairs[i].b, &(char){ (char)('a' + i) }, 1, 0), 1);
                while (n_done < USERS - i)
                        green_sleep(0.001, &err);
                ck_assert_int_eq(done[n_done - 1], i);
        }

        ticks = 0;
        ck_assert_int_eq(lib->poll(pairs[0].a, 500), 0);
        ck_assert_int_ge(ticks, 49);
}

GREEN_TEST(greened_lets_the_hub_turn_lazily_bound)
{
        greened_lets_the_hub_turn(BLOCKING_LIB_LAZY);
}

GREEN_TEST(greened_lets_the_hub_turn_bound_at_once)
{
        greened_lets_the_hub_turn(BLOCKING_LIB_NOW);
}

/* The same calls in the same program, with everything patched, but the library is not named. */
static void YIELDS not_named_stalls_the_hub(const char *path)
{
        struct pair p = stream_pair();
        struct timeval tv = { .tv_usec = 50000 };
        unsigned long switches;
        static int ticks; /* outlives the test: its counter ends after it */
        char c;

        patch(PATCH_ALL & ~(unsigned)PATCH_OS);
        load(path);
        spawn("ticker", ticker, &ticks);
        green_yield();
        switches = green_switches();
        ck_assert_uint_eq(lib->sleep(1), 0);
        ck_assert_int_eq(lib->poll(p.a, 50), 0);
        setsockopt(p.a, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
        ck_assert_int_eq(lib->recv(p.a, &c, 1), -1);
        ck_assert_int_eq(errno, EAGAIN);
        ck_assert_int_eq(ticks, 0); /* a hundred were due */
        ck_assert_uint_eq(green_switches(), switches);
}

GREEN_TEST_REAL(not_named_stalls_the_hub_lazily_bound)
{
        not_named_stalls_the_hub(BLOCKING_LIB_LAZY);
}

GREEN_TEST_REAL(not_named_stalls_the_hub_bound_at_once)
{
        not_named_stalls_the_hub(BLOCKING_LIB_NOW);
}

static void *native_receiver(void *arg)
{
        char c = 0;

        if (on_hub_thread() || lib->recv(*(int *)arg, &c, 1) != 1)
                return NULL;
        return c == 'x' ? arg : NULL;
}

GREEN_TEST_REAL(a_native_thread_in_a_greened_library_blocks_natively)
{
        struct pair p = stream_pair();
        pthread_t t;
        void *result;

        load_greened(BLOCKING_LIB_LAZY);
        ck_assert_int_eq(patcher_original(pthread_create)(&t, NULL, native_receiver, &p.a), 0);
        ck_assert_int_eq(patcher_original(send)(p.b, "x", 1, 0), 1);
        ck_assert_int_eq(patcher_original(pthread_join)(t, &result), 0);
        ck_assert_ptr_eq(result, &p.a);
}

START_TEST(before_the_hub_runs_calls_are_plain)
{
        struct pair p = stream_pair();

        load_greened(BLOCKING_LIB_NOW);
        ck_assert_int_eq(lib->poll(p.a, 0), 0);
        ck_assert_int_eq(send(p.b, "x", 1, 0), 1);
        ck_assert_int_eq(lib->poll(p.a, -1), 1);
}
END_TEST

START_TEST(what_cannot_be_greened_is_refused)
{
        static const char *const never[] = { "libvirt.so.0",  "libglib-2.0.so.0",    "libmariadb.so.3",
                                             "libcurl.so.4",  "libcurl-gnutls.so.4", "libc.so.6",
                                             "/lib/libc.so.6" };
        struct error err;

        load(BLOCKING_LIB_NOW);
        ck_assert_fails(patcher_green_library(BLOCKING_LIB_NOW, NULL, &err), err, ERR_INVALID);
        patch(PATCH_TIME);
        ck_assert_fails(patcher_green_library("libnothere.so.1", NULL, &err), err, ERR_NOT_FOUND);
        ck_assert_ptr_nonnull(strstr(err.text, "libnothere.so.1"));
        for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
                ck_assert_fails(patcher_green_library(never[i], NULL, &err), err, ERR_INVALID);
}
END_TEST

START_TEST(a_library_that_cannot_be_greened_whole_is_refused)
{
        struct error err;
        unsigned slots = 77;

        patch(PATCH_ALL);
        ck_assert_ptr_nonnull(dlopen(ODD_LIB, RTLD_LAZY));
        ck_assert_fails(patcher_green_library(ODD_LIB, &slots, &err), err, ERR_UNSUPPORTED);
        ck_assert_ptr_nonnull(strstr(err.text, "recv"));
        ck_assert_uint_eq(slots, 77);
}
END_TEST

struct listed {
        unsigned redirected, patched, others;
};

static void count_import(const struct patcher_import *import, void *arg)
{
        struct listed *l = arg;

        l->redirected += import->redirected;
        l->patched += import->patched != NULL;
        l->others += import->not_patched != NULL;
}

START_TEST(its_slots_can_be_listed)
{
        struct listed before = {}, after = {};
        struct error err = {};
        unsigned slots;

        patch(PATCH_ALL);
        load(BLOCKING_LIB_NOW);
        ck_assert_ok(patcher_list_imports(BLOCKING_LIB_NOW, count_import, &before, &err), err);
        ck_assert_uint_eq(before.redirected, 0);
        ck_assert_ok(patcher_green_library(BLOCKING_LIB_NOW, &slots, &err), err);
        ck_assert_ok(patcher_list_imports(BLOCKING_LIB_NOW, count_import, &after, &err), err);
        ck_assert_uint_eq(after.redirected, slots);
        ck_assert_uint_eq(after.patched, slots);
        ck_assert_fails(patcher_list_imports("libnothere.so.1", count_import, &after, &err), err,
                        ERR_NOT_FOUND);
}
END_TEST

GREEN_TEST(only_patched_categories_are_greened)
{
        struct error err = {};
        unsigned slots = 0;
        static int ticks; /* outlives the test: its counter ends after it */
        struct pair p = stream_pair();

        patch(PATCH_TIME);
        load(BLOCKING_LIB_NOW);
        ck_assert_ok(patcher_green_library(BLOCKING_LIB_NOW, &slots, &err), err);
        ck_assert_uint_eq(slots, 2);
        spawn("ticker", ticker, &ticks);
        ck_assert_uint_eq(lib->sleep(1), 0);
        ck_assert_int_ge(ticks, 99);
        ticks = 0;
        ck_assert_int_eq(lib->poll(p.a, 1), 0);
        ck_assert_int_eq(ticks, 0);
}

GREEN_SUITE("patcher-library", greened_lets_the_hub_turn_lazily_bound,
            greened_lets_the_hub_turn_bound_at_once, not_named_stalls_the_hub_lazily_bound,
            not_named_stalls_the_hub_bound_at_once, a_native_thread_in_a_greened_library_blocks_natively,
            before_the_hub_runs_calls_are_plain, what_cannot_be_greened_is_refused,
            a_library_that_cannot_be_greened_whole_is_refused, its_slots_can_be_listed,
            only_patched_categories_are_greened)
