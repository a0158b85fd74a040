/*
 * What must stay native does: with everything patched and another library greened, libvirt, glib, libmariadb,
 * libcurl and libc keep every import slot, and what glib and libc do inside blocks the native thread as ever.
 */
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/list.h"
#include "base/mem.h"
#include "patch.h"
#include "patcher/patcher_priv.h"

struct library {
        const char *soname;
        unsigned at_least; /* slots with names that we patch: without any the test would prove nothing */
        void **values;
        unsigned n, patched_names;
};

static struct library libraries[] = {
        { .soname = "libvirt.so.0", .at_least = 5 },    { .soname = "libglib-2.0.so.0", .at_least = 5 },
        { .soname = "libmariadb.so.3", .at_least = 5 }, { .soname = "libcurl-gnutls.so.4", .at_least = 5 },
        { .soname = "libc.so.6", .at_least = 0 }, /* calls its own without slots */
};

static bool is_patched_name(const char *name)
{
        for (const struct patched_symbol *s = patched_symbols; s->name; s++)
                if (strcmp(s->name, name) == 0)
                        return true;
        return false;
}

static int remember(const struct import_slot *slot, void *arg)
{
        struct library *lib = arg;

        lib->values = xrealloc(lib->values, (lib->n + 1) * sizeof(*lib->values));
        lib->values[lib->n++] = *slot->at;
        lib->patched_names += is_patched_name(slot->symbol);
        return 0;
}

static int compare(const struct import_slot *slot, void *arg)
{
        struct library *lib = arg;
        void *replacement = patcher_replacement(slot->symbol);

        ck_assert_msg(*slot->at == lib->values[lib->n++], "%s: slot of %s changed", lib->soname,
                      slot->symbol);
        ck_assert_msg(!replacement || *slot->at != replacement, "%s: %s is ours", lib->soname, slot->symbol);
        return 0;
}

static void load_and_remember(void)
{
        struct error err = {};

        for (size_t i = 0; i < ARRAY_SIZE(libraries); i++) {
                struct library *lib = &libraries[i];

                ck_assert_msg(dlopen(lib->soname, RTLD_NOW | RTLD_LOCAL) != NULL, "%s", dlerror());
                ck_assert_ok(patcher_each_slot(lib->soname, remember, lib, &err), err);
                ck_assert_msg(lib->patched_names >= lib->at_least, "%s: only %u", lib->soname,
                              lib->patched_names);
        }
}

static void assert_unchanged(void)
{
        struct error err = {};

        for (size_t i = 0; i < ARRAY_SIZE(libraries); i++) {
                unsigned n = libraries[i].n;

                libraries[i].n = 0;
                ck_assert_ok(patcher_each_slot(libraries[i].soname, compare, &libraries[i], &err), err);
                ck_assert_uint_eq(libraries[i].n, n);
        }
}

static void patch_and_green(void)
{
        struct error err = {};
        unsigned slots = 0;

        patch(PATCH_ALL);
        ck_assert_msg(dlopen(BLOCKING_LIB_NOW, RTLD_NOW) != NULL, "%s", dlerror());
        ck_assert_ok(patcher_green_library(BLOCKING_LIB_NOW, &slots, &err), err);
        ck_assert_uint_gt(slots, 0);
}

START_TEST(no_slot_of_theirs_changes)
{
        load_and_remember();
        patch_and_green();
        assert_unchanged();
}
END_TEST

static void *glib(const char *name)
{
        void *handle = dlopen("libglib-2.0.so.0", RTLD_NOW | RTLD_LOCAL);
        void *fn;

        ck_assert_msg(handle != NULL, "%s", dlerror());
        fn = dlsym(handle, name);
        ck_assert_ptr_nonnull(fn);
        return fn;
}

static void *where_am_i(void *arg)
{
        *(pid_t *)arg = gettid();
        return NULL;
}

GREEN_TEST_REAL(glib_sleeps_polls_and_makes_threads_natively)
{
        void (*g_usleep)(unsigned long) = glib("g_usleep");
        int (*g_poll)(struct pollfd *, unsigned, int) = glib("g_poll");
        void *(*g_thread_new)(const char *, void *(*)(void *), void *) = glib("g_thread_new");
        void *(*g_thread_join)(void *) = glib("g_thread_join");
        struct pair p = stream_pair();
        struct pollfd fds = { .fd = p.a, .events = POLLIN };
        static int ticks; /* outlives the test: the ticker ends after it */
        unsigned long switches;
        pid_t where = 0;

        patch_and_green();
        spawn("ticker", ticker, &ticks);
        green_yield();
        switches = green_switches();
        g_usleep(30000);
        ck_assert_int_eq(g_poll(&fds, 1, 30), 0);
        g_thread_join(g_thread_new("native", where_am_i, &where));
        ck_assert_int_ne(where, 0);
        ck_assert_int_ne(where, gettid());
        ck_assert_uint_eq(green_switches(), switches);
        ck_assert_int_eq(ticks, 0);
}

GREEN_TEST_REAL(libc_reads_its_streams_natively)
{
        struct pair p = stream_pair();
        struct timeval tv = { .tv_usec = 20000 };
        FILE *f = fdopen(p.a, "r");
        unsigned long switches;

        patch_and_green();
        setsockopt(p.a, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
        switches = green_switches();
        ck_assert_int_eq(fgetc(f), EOF);
        ck_assert_int_eq(errno, EAGAIN);
        ck_assert_uint_eq(green_switches(), switches);
        fclose(f);
}

GREEN_SUITE("patcher-untouched", no_slot_of_theirs_changes, glib_sleeps_polls_and_makes_threads_natively,
            libc_reads_its_streams_natively)
