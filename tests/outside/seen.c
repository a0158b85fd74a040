/*
 * tests/outside/seen.c: a program to be looked at by debuggers: green threads in known places.
 *
 *      seen idle | busy | fault | count N | watched idle | watched turning
 *
 * idle: all park, and the hub waits for events. busy: one keeps the hub's thread, two are ready. Both say
 * "ready" when it is so, and stay until they are killed. fault: a green thread reads memory that is freed,
 * for valgrind. count: N switches in turn, for those who count instructions. watched: a stall watcher looks
 * after a hub that waits for events, or that turns without a pause.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "green/green.h"
#include "green/sync.h"
#include "native/stall_watcher.h"

#define CALLED __attribute__((noinline)) /* backtraces are to show it */

static struct green_event never, all_set;
static struct green_mutex the_lock;
static int pipe_fds[2];
static volatile int depth; /* written after calls, so that none is a tail call */

static CALLED void YIELDS sleep_in_bed(struct error *err)
{
        green_sleep(3600, err);
        depth++;
}

static int sleeper(void *arg, struct error *err)
{
        assert_green();
        sleep_in_bed(err);
        return 0;
}

static CALLED void YIELDS read_from_pipe(int fd, struct error *err)
{
        green_wait_fd(fd, GREEN_READ, deadline_never(), err);
        depth++;
}

static int reader(void *arg, struct error *err)
{
        assert_green();
        read_from_pipe(pipe_fds[0], err);
        return 0;
}

static CALLED void YIELDS hold_the_lock(struct error *err)
{
        green_mutex_lock(&the_lock, deadline_never(), err);
        green_event_wait(&never, deadline_never(), err);
        depth++;
}

static int holder(void *arg, struct error *err)
{
        assert_green();
        hold_the_lock(err);
        return 0;
}

static CALLED void YIELDS want_the_lock(struct error *err)
{
        green_mutex_lock(&the_lock, deadline_never(), err);
        depth++;
}

static int locker(void *arg, struct error *err)
{
        assert_green();
        want_the_lock(err);
        return 0;
}

/* Waits in a callback of libc, which has no frame pointers. */
static CALLED int compare_slowly(const void *a, const void *b)
{
        struct error err;

        assert_green();
        green_event_wait(&never, deadline_never(), &err);
        return *(const char *)a - *(const char *)b;
}

static int sorter(void *arg, struct error *err)
{
        char letters[] = "ba";

        assert_green();
        qsort(letters, 2, 1, compare_slowly);
        return 0;
}

static int newborn(void *arg, struct error *err)
{
        assert_green();
        return 0;
}

static CALLED void YIELDS turn_round(void)
{
        green_yield();
        depth++;
}

static int yielder(void *arg, struct error *err)
{
        assert_green();
        for (;;)
                turn_round();
        return 0;
}

static CALLED void burn_for_ever(void)
{
        for (;;)
                depth++;
}

static int burner(void *arg, struct error *err)
{
        assert_green();
        green_yield(); /* the yielder has turned, the others are parked */
        if (green_spawn(NULL, "newborn", newborn, NULL, err) < 0)
                return -1;
        printf("ready\n");
        fflush(stdout);
        burn_for_ever();
        return 0;
}

static int announcer(void *arg, struct error *err)
{
        assert_green();
        printf("ready\n");
        fflush(stdout);
        return 0;
}

static CALLED int YIELDS wait_for_all(struct green *g, struct error *err)
{
        int r = green_join(g, deadline_never(), NULL, err);

        depth++;
        return r;
}

static int park_all(void *busy, struct error *err)
{
        struct green_group *sleepers;
        struct green *joined;

        assert_green();
        sleepers = green_group_new("sleepers");
        green_event_init(&never, "never comes");
        green_mutex_init(&the_lock, "the lock");
        if (pipe(pipe_fds) < 0)
                return error_set(err, ERR_SYSTEM, "no pipe");
        joined = green_spawn_ref(NULL, "holder", holder, NULL, err);
        if (!joined || green_spawn(sleepers, "sleeper", sleeper, NULL, err) < 0 ||
            green_spawn(NULL, "reader", reader, NULL, err) < 0 ||
            green_spawn(NULL, "locker", locker, NULL, err) < 0 ||
            green_spawn(NULL, "sorter", sorter, NULL, err) < 0 ||
            (busy && green_spawn(NULL, "yielder", yielder, NULL, err) < 0) ||
            green_spawn(NULL, busy ? "burner" : "announcer", busy ? burner : announcer, NULL, err) < 0)
                return -1;
        return wait_for_all(joined, err);
}

/* ---- a mistake in a green thread ---- */

static CALLED int read_freed(void)
{
        volatile char *volatile gone = malloc(16); /* volatile twice: no compiler is to see it */

        gone[3] = 1;
        free((void *)gone);
        return gone[3];
}

static int faulty(void *arg, struct error *err)
{
        assert_green();
        green_yield();
        depth += read_freed();
        green_event_set(&all_set);
        return 0;
}

static int make_a_fault(void *arg, struct error *err)
{
        assert_green();
        green_event_init(&all_set, "all set");
        if (green_spawn(NULL, "faulty", faulty, NULL, err) < 0)
                return -1;
        return green_event_wait(&all_set, deadline_never(), err);
}

/* ---- switches ---- */

static int turn(void *n, struct error *err)
{
        assert_green();
        for (long i = (long)(intptr_t)n; i > 0; i--)
                green_yield();
        return 0;
}

static int count(void *n, struct error *err)
{
        assert_green();
        if (green_spawn(NULL, "turner", turn, n, err) < 0)
                return -1;
        return turn(n, err);
}

/* ---- beside a stall watcher ---- */

static int be_watched(void *turning, struct error *err)
{
        struct stall_watcher *w;
        int r = 0;

        assert_green();
        w = stall_watcher_start(NULL, err);
        if (!w)
                return -1;
        printf("ready\n");
        fflush(stdout);
        if (turning)
                for (;;)
                        green_yield();
        r = green_sleep(3600, err);
        stall_watcher_stop(w);
        return r;
}

int main(int argc, char **argv)
{
        struct error err = {};
        int r = -1;

        if (argc == 2 && strcmp(argv[1], "idle") == 0)
                r = hub_run(park_all, NULL, NULL, &err);
        else if (argc == 2 && strcmp(argv[1], "busy") == 0)
                r = hub_run(park_all, "busy", NULL, &err);
        else if (argc == 2 && strcmp(argv[1], "fault") == 0)
                r = hub_run(make_a_fault, NULL, NULL, &err);
        else if (argc == 3 && strcmp(argv[1], "count") == 0)
                r = hub_run(count, (void *)(intptr_t)strtol(argv[2], NULL, 10), NULL, &err);
        else if (argc == 3 && strcmp(argv[1], "watched") == 0)
                r = hub_run(be_watched, strcmp(argv[2], "idle") == 0 ? NULL : "turning", NULL, &err);
        else
                snprintf(err.text, sizeof(err.text), "usage: see the head of seen.c");
        if (r < 0)
                fprintf(stderr, "%s\n", err.text);
        return r < 0;
}
