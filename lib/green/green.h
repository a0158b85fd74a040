/*
 * lib/green/green.h: cooperative threads, all on the hub's native thread.
 *
 * A switch happens only inside functions marked YIELDS. Between two of them a green thread is alone, so plain
 * data needs no lock; whatever was read before a YIELDS call must be read again after it. Each wait takes an
 * absolute deadline and may fail with ERR_TIMEOUT; once the green thread is cancelled (alone, or because its
 * group is closing) every wait fails with ERR_CANCELLED. Clean-up that must wait does so in a shield, with a
 * short deadline of its own. errno belongs to each green thread.
 *
 * A call that need not wait (a free lock, a buffered item, an ended thread) succeeds without looking at
 * deadline or cancellation, and without a switch. One that must wait fails without a switch when the green
 * thread is cancelled, else when the deadline has passed. What has ended a wait is not revised: a green
 * thread that was handed a lock and is cancelled before it runs has the lock.
 *
 * Memory: waiting, waking, timers and ending need none. What needs some and has an `err` fails with
 * ERR_SYSTEM (ENOMEM) and has changed nothing: spawning, the first wait for a descriptor with a higher number
 * than any before (and for more than 16 at once), locks by name. What has no `err` (groups, pools, channels,
 * log contexts) aborts by xmalloc(), which says how much was wanted.
 *
 * Names are eventlet's where it has one: hub, spawn, sleep(0), GreenPool (green/pool.h), Semaphore, Event,
 * Queue (green/chan.h), lockutils (green/lockutils.h).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/clock.h"
#include "base/context.h"
#include "base/error.h"
#include "base/histogram.h"

struct green;       /* one green thread */
struct green_mutex; /* green/sync.h */
struct green_group; /* owns the green threads started in it */

/*
 * The body of a green thread. Its first line is assert_green(). Returning -1 with err filled ends this green
 * thread only: the runtime logs "green thread NAME failed: ..." (not for ERR_CANCELLED) and the hub goes on.
 */
typedef int green_fn(void *arg, struct error *err);

#define GREEN_NAME_MAX 48

/* ---- the hub ---- */

/*
 * 64 KiB are twice what the deepest threads of a daemon with SQL, AMQP, HTTP and subprocesses were seen to
 * use (32 KiB; most use 4 to 16). Pages that are not touched cost no memory, but page tables grow with the
 * size: 128 bytes for a stack of 64 KiB, 4 KiB for one of 2 MiB. green_stack_usage() tells what your threads
 * need.
 */
struct hub_options {
        size_t stack_size;    /* bytes per green thread, rounded up to pages; 0: 64 KiB */
        unsigned max_threads; /* green threads at once; 0: 1,000,000. Beyond: spawn fails with ERR_LIMIT */
        bool mprotect_guards; /* make guard pages as on kernels before Linux 6.13: for tests */
};

/*
 * Makes the calling native thread the hub thread and runs fn as its first green thread, "main", on the native
 * stack. When fn returns, everything still running is cancelled and joined, and the hub is taken down.
 * Returns what fn returned. opt may be NULL. One hub per native thread at a time.
 */
int hub_run(green_fn *fn, void *arg, const struct hub_options *opt, struct error *err);

bool on_hub_thread(void); /* any thread: is this native thread running a hub? */

/* Any thread, async-signal-safe: grows each time the hub polls or switches. The stall watcher samples it. */
struct hub;
struct hub *HUB_ONLY hub_self(void);
unsigned long hub_progress(const struct hub *hub);
/* Any thread: true while the hub waits in epoll_wait (then no progress is no stall). */
bool hub_is_idle(const struct hub *hub);
/* Any thread but the hub's: blocks while the hub waits in epoll_wait. One thread at a time. */
void BLOCKS hub_await_busy(struct hub *hub);
/* Any thread, async-signal-safe: name of the green thread that runs now. Valid until the next switch. */
const char *hub_current_name(const struct hub *hub);

/*
 * Gives this native thread a stack for handlers with SA_ONSTACK, as long as it lives; does nothing if it has
 * one. Handlers on the hub thread need it: a green thread's stack is small and may be nearly used up.
 */
int HUB_ONLY hub_use_signal_stack(struct error *err);
/*
 * From now on a stack overflow of one of this hub's green threads is told on stderr, with the thread's name
 * and its stack's size, before the process dies of SIGSEGV as it would anyway (with a core file, where the
 * system makes them). Other faults go to the handler that was there before; so does this one, after the line.
 * Code with large frames meets the guard page only if it was compiled with -fstack-clash-protection (with gcc
 * on aarch64 also --param=stack-clash-protection-guard-size=12).
 */
int HUB_ONLY green_catch_overflow(struct error *err);

struct hub_stats {
        unsigned long switches, spawned, timers_fired;
        unsigned long polls;  /* looks at descriptors and timers */
        unsigned long sleeps; /* those of them that waited because nobody was ready */
        unsigned threads, threads_max, ready, stacks_cached;
        unsigned long fd_changes; /* how often epoll was told of a descriptor: system calls */
        size_t stack_size;        /* bytes, without the guard page */
        /*
         * Each stack has a guard page, made by "MADV_GUARD_INSTALL" at no cost, or by "mprotect", which takes
         * two of the mappings that vm.max_map_count allows. When those come to an end (some 28,000 threads
         * by default), spawn fails with ERR_LIMIT and counts here: no thread runs unguarded.
         */
        const char *guard;
        unsigned guards, guards_refused;
};
void HUB_ONLY hub_get_stats(struct hub_stats *ret);

/*
 * How long the hub's turns take: from one look at timers and descriptors to the next, without the sleep in
 * between; for so long nobody hears of anything. And how late the timer was that was due first, for each look
 * that found one due: that includes what the machine made us wait. Counted once per look, never per switch.
 */
struct hub_times {
        struct histogram turns, lags;
};
void HUB_ONLY hub_get_times(struct hub_times *ret);

/* ---- threads ---- */

/*
 * Starts fn in a group; it runs at the next switch, spawn itself never yields (as eventlet.spawn). NULL as
 * group is the root group, which lives as long as the hub. The name is copied (cut to GREEN_NAME_MAX - 1).
 * Errors: ERR_LIMIT, ERR_SYSTEM (no memory for a stack), ERR_CANCELLED (the group is closing).
 */
#define green_spawn(...) green_spawn_at(GREEN_SITE, __VA_ARGS__)
int HUB_ONLY green_spawn_at(const char *site, struct green_group *in, const char *name, green_fn *fn,
                            void *arg, struct error *err);
/* The same, with a handle that is owned by the caller until green_unref(). NULL on error. */
#define green_spawn_ref(...) green_spawn_ref_at(GREEN_SITE, __VA_ARGS__)
struct green *HUB_ONLY green_spawn_ref_at(const char *site, struct green_group *in, const char *name,
                                          green_fn *fn, void *arg, struct error *err);
/* The place of a call, which lists show as where a green thread was spawned: a literal, or lives as long. */
#define GREEN_SITE        __FILE_NAME__ ":" GREEN_TEXT_OF(__LINE__)
#define GREEN_TEXT_OF(x)  GREEN_TEXT_OF_(x)
#define GREEN_TEXT_OF_(x) #x
/* Waits for its end; 0 when it ended (in ret_failed, if not NULL: how), -1: ERR_TIMEOUT, ERR_CANCELLED. */
int YIELDS green_join(struct green *g, struct deadline by, struct error *ret_failed, struct error *err);
/* Makes each of its waits fail with ERR_CANCELLED, beginning with the current one. Harmless when ended. */
void HUB_ONLY green_cancel(struct green *g);
void HUB_ONLY green_unref(struct green *g); /* NULL is allowed; the thread goes on without the handle */
bool HUB_ONLY green_ended(const struct green *g);

struct green *HUB_ONLY green_self(void); /* borrowed */
bool HUB_ONLY green_cancelled(void);     /* has this green thread been cancelled? */
const char *HUB_ONLY green_name(const struct green *g);
unsigned long HUB_ONLY green_id(const struct green *g);
void HUB_ONLY green_set_name(const char *name); /* of the current one */
void HUB_ONLY green_rename(struct green *g, const char *name);

/* In a shield, waits do not fail with ERR_CANCELLED. Nests. Keep it short: closing waits for it. */
void HUB_ONLY green_shield_begin(void);
void HUB_ONLY green_shield_end(void);

/* ---- waiting ---- */

/*
 * eventlet.sleep(0): every other green thread that is ready now runs once before this returns; when there is
 * none it returns at once. Timers, descriptors and native queues are looked at every 61 switches or yields at
 * the latest, whatever goes on, and each look wakes a bounded number: neither spinning on it, nor many
 * descriptors that are always ready, nor many timers at once starve anybody. Never fails, also when
 * cancelled.
 */
void YIELDS green_yield(void);
/* seconds > 0 sleeps at least that long (ERR_CANCELLED ends it early); 0 is green_yield(). */
int YIELDS green_sleep(double seconds, struct error *err);
/* An instant that has passed is no switch. */
int YIELDS green_sleep_until(struct deadline at, struct error *err);

enum {
        GREEN_READ = 1,
        GREEN_WRITE = 2,
        /*
         * A promise: whoever closes this descriptor tells the hub, by green_close(), green_forget_fd() or a
         * patched close(). The kernel is then told of it once, and a wait for the same as before costs no
         * system call. A broken promise (a foreign close() and a new descriptor of the same number) makes a
         * wait up to 10 ms late, no more: what was not promised is looked at after that time. Without the
         * promise each wait costs one system call, and nothing is assumed.
         */
        GREEN_KEPT = 4,
};
/*
 * Waits until fd is readable and/or writable (errors and hang-ups count as both). Returns the ready set (> 0)
 * or -1: ERR_TIMEOUT, ERR_CANCELLED, ERR_BUSY (another green thread waits for the same direction of fd),
 * ERR_CLOSED (fd was closed by green_close() or forgotten), ERR_SYSTEM (bad fd, no memory).
 * A deadline that has passed is ERR_TIMEOUT without a look at the descriptor: use poll(2) for that.
 * A descriptor that epoll refuses (a regular file) is always ready. It is the state that is waited for, not
 * its change: who has read only a part may wait again.
 */
int YIELDS green_wait_fd(int fd, unsigned events, struct deadline by, struct error *err);
/* Several descriptors at once, as poll(2): fd < 0 is skipped. Returns how many have revents (> 0), or -1 as
 * above. */
struct green_pollfd {
        int fd;
        unsigned events, revents;
};
int YIELDS green_wait_fds(struct green_pollfd *fds, unsigned n, struct deadline by, struct error *err);
/* Wakes who waits for fd with ERR_CLOSED, forgets fd, closes it. -1 is ignored. */
void HUB_ONLY green_close(int fd);
/*
 * Before fd is closed by code that does not know the hub, or once such code has handed out fd as a new one:
 * what the hub knows of the number is forgotten, who still waits for it gets ERR_CLOSED.
 */
void HUB_ONLY green_forget_fd(int fd);
/*
 * A word about fd for whoever makes blocking calls green (lib/patcher): 0 at first, and again when fd is
 * forgotten or turns out to be another file. NULL: nobody ever waited for a number as high. Valid until the
 * next wait.
 */
uint32_t *HUB_ONLY green_fd_note(int fd);

/* How many switches there have been: lets a test prove that a call does not yield. */
unsigned long HUB_ONLY green_switches(void);

/* ---- groups ---- */

struct green_group *HUB_ONLY green_group_new(const char *name);
/* Waits until it is empty: at the moment of the return it is. */
int YIELDS green_group_wait(struct green_group *g, struct deadline by, struct error *err);
/*
 * Cancels all, joins all, frees the group; from its call on the group takes no new members. Who was in
 * green_group_wait() returns as usual. NULL is allowed. Once only, and not from a member.
 */
void YIELDS green_group_close(struct green_group *g);
unsigned HUB_ONLY green_group_size(const struct green_group *g);

/* ---- context for log lines ---- */

/*
 * Text that begins each log line of this green thread, inherited by those it spawns: request id, user,
 * project in the first pair of brackets, the instance in the second. Strings are copied; NULL clears.
 */
void HUB_ONLY green_set_log_context(const char *request, const char *instance_uuid);
void green_format_log_context(char *buf, size_t size); /* any thread; the function for log_set_context_fn() */

/* ---- seen from outside ---- */

struct green_info {
        unsigned long id;
        char name[GREEN_NAME_MAX];
        const char *group;
        char state[128]; /* "running", "ready", "sleep", "read fd 7", "lock compute_resources held by #12
                            build" */
        const struct green_mutex *lock; /* that it waits for; NULL: for something else, or for nothing */
        double age_s, in_state_s;
        double cpu_s;     /* see green_accounting(); -1: it is off */
        const char *site; /* where it was spawned: "file.c:12" */
        unsigned long switches;
        size_t stack_touched; /* bytes of its stack that have memory: no more than it ever used at once, or
                                 than 16 KiB of earlier ones; 0: "main", which has the native stack */
        bool cancelled;
};
/* Calls fn for each green thread. fn must not yield. */
void HUB_ONLY green_foreach(void (*fn)(const struct green_info *info, struct green *g, void *arg), void *arg);
/*
 * How many green threads are "running", are "ready", or wait by which kind of call ("sleep", "read", "lock").
 * fn gets each kind that there is once, at most GREEN_STATES_MAX in all, and must not yield. This looks at
 * each thread's record, and at nothing else of it: some 10 to 100 ns each.
 */
enum { GREEN_STATES_MAX = 24 };
void HUB_ONLY green_count_states(void (*fn)(const char *state, unsigned threads, void *arg), void *arg);
/*
 * The name of a kind of threads: "build 0c54..." and "worker-7" come in any number, so ids and numbers in a
 * name become "*". buf has GREEN_NAME_MAX bytes. Any thread.
 */
void green_name_of_kind(const char *name, char *buf);
/*
 * How deep green threads went, of those that run and those that ended, by name ("*" for numbers and ids in
 * it): deepest first. Whole pages; 0 is "no deeper than what others had used before". Of threads that ended
 * each one is looked at that used more than a page, of the others some: `threads` are those. A look costs a
 * system call, so this takes about 0.3 us for each running thread. fn must not yield.
 */
struct green_stack_use {
        char name[GREEN_NAME_MAX];
        unsigned long threads;
        size_t most; /* bytes */
};
void HUB_ONLY green_stack_usage(void (*fn)(const struct green_stack_use *use, void *arg), void *arg);
/*
 * Counts from now on how long each green thread has the hub's thread (off: no longer; on again: from 0 on). A
 * slice lasts from switch to switch, without the hub's waiting for events. It is exact to some ten
 * nanoseconds per slice, but includes what the kernel or other threads took away from the hub's thread
 * meanwhile. Off by default: it costs about 10 ns per switch.
 */
void HUB_ONLY green_accounting(bool on);
/*
 * Return addresses of a parked green thread (or the caller itself), innermost first; 0: it has ended, or not
 * begun yet. The thread is not switched to, its stack is only read; nothing is allocated.
 */
int HUB_ONLY green_backtrace(struct green *g, void **frames, int max);
/*
 * Any thread, async-signal-safe: writes a line about each green thread of a hub to fd (of at most `max`, the
 * oldest; then it says that there are more), for when the hub is stuck and cannot be asked. If it goes on
 * meanwhile the words may be wrong; nothing worse happens, as long as the hub exists. Needs 8 KiB of stack
 * and /proc. Returns how many were told of, -1 when it could not read or write.
 */
int green_dump_unsafe(const struct hub *hub, int fd, unsigned max);
/*
 * In a forked copy of the process whose one thread is not the hub's (native/copy.h): from now on that thread
 * counts as the hub's, so that HUB_ONLY functions tell of what the hub looked like at the fork. It does not
 * turn: what would wait aborts. What they find may be inconsistent, as the hub was somewhere in its work.
 */
void hub_enter_copy(struct hub *hub);
pid_t hub_tid(const struct hub *hub); /* any thread, async-signal-safe: that of its native thread */
