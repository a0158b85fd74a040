/*
 * lib/green/hub.c: the scheduler.
 *
 * There is no hub stack: a thread that parks picks the next ready one and switches to it directly; when none
 * is ready it polls on its own stack. The run queue is FIFO. The stack of a thread that ended is recycled by
 * whoever runs next.
 *
 * Nobody starves anybody who yields. Timers, then descriptors (the native queues' bells are some of them) are
 * looked at when nothing is ready, and at the latest after POLL_INTERVAL switches or yields, whatever else
 * goes on. One such look makes at most TIMERS_PER_POLL threads ready whose timers are due, 128 whose
 * descriptors are, and makes sure of 64 registrations (hub_epoll.c); what is left comes next time, timers in
 * the order of their instants, descriptors in turn. So what becomes due waits for the threads that are ready
 * before it, and for at most POLL_INTERVAL of their switches per 128 descriptors that are ready as well. No
 * clock is read per switch: a thread that computes for long between two yields makes others late by that.
 */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOG_MODULE "green"
#include "base/log.h"
#include "base/mem.h"
#include "green/green_priv.h"
#include "green/probes.h"
#include "green/sanitizer.h"
#include "green/switch.h"

enum {
        POLL_INTERVAL = 61,
        TIMERS_PER_POLL = 512,
        TIMERS_PER_BATCH = 16,
        DEFAULT_STACK = 64 * 1024,
        DEFAULT_MAX_THREADS = 1000000
};

__thread struct hub *the_hub;
struct context on_hub, may_yield, on_worker;

bool on_hub_thread(void)
{
        return the_hub && !the_hub->forked;
}

static void misuse(const char *what)
{
        if (the_hub && the_hub->forked)
                what = "a green call was made in a forked child: it may call exec, _exit, plain C library "
                       "functions, or hub_run() for a hub of its own";
        fprintf(stderr, "green: %s\n", what);
        abort();
}

void assert_on_hub(void)
{
        if (!on_hub_thread())
                misuse("a green call was made outside of the hub thread");
}

void assert_green(void)
{
        assert_on_hub();
        if (the_hub->atomic_depth)
                misuse("a yielding function was entered between atomic_begin() and atomic_end()");
}

void assert_on_worker(void)
{
        if (on_hub_thread())
                misuse("a blocking call was made on the hub thread");
}

CONTEXT(no_thread_safety_analysis) void atomic_begin(void)
{
        the_hub->atomic_depth++;
}

CONTEXT(no_thread_safety_analysis) void atomic_end(void)
{
        the_hub->atomic_depth--;
}

struct hub *hub_self(void)
{
        return the_hub;
}

unsigned long hub_progress(const struct hub *hub)
{
        return __atomic_load_n(&hub->stats.switches, __ATOMIC_RELAXED) +
               __atomic_load_n(&hub->stats.polls, __ATOMIC_RELAXED) +
               __atomic_load_n(&hub->stats.sleeps, __ATOMIC_RELAXED);
}

bool hub_is_idle(const struct hub *hub)
{
        return __atomic_load_n(&hub->idle, __ATOMIC_RELAXED) != HUB_BUSY;
}

void hub_await_busy(struct hub *hub)
{
        enum hub_idle expected = HUB_IDLE;

        __atomic_compare_exchange_n(&hub->idle, &expected, HUB_IDLE_AWAITED, false, __ATOMIC_RELAXED,
                                    __ATOMIC_RELAXED);
        while (__atomic_load_n(&hub->idle, __ATOMIC_ACQUIRE) == HUB_IDLE_AWAITED)
                syscall(SYS_futex, &hub->idle, FUTEX_WAIT_PRIVATE, HUB_IDLE_AWAITED, NULL, NULL, 0);
}

/* epoll_wait is over. The system call only for somebody who waits for that. */
static void HUB_ONLY end_idleness(struct hub *h)
{
        if (__atomic_exchange_n(&h->idle, HUB_BUSY, __ATOMIC_ACQ_REL) == HUB_IDLE_AWAITED)
                syscall(SYS_futex, &h->idle, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

const char *hub_current_name(const struct hub *hub)
{
        return __atomic_load_n(&hub->current, __ATOMIC_ACQUIRE)->name;
}

void hub_get_stats(struct hub_stats *ret)
{
        struct hub *h = the_hub;

        *ret = h->stats;
        ret->ready = h->n_ready;
        hub_stack_stats(h, ret);
}

void hub_get_times(struct hub_times *ret)
{
        *ret = the_hub->times;
}

unsigned long green_switches(void)
{
        return the_hub->stats.switches;
}

/* For hub_progress(): atomic, because other threads sample it, but there is one writer. */
static void count(unsigned long *counter)
{
        __atomic_store_n(counter, *counter + 1, __ATOMIC_RELAXED);
}

/* ---- switching ---- */

/* Runs on the new stack, first thing: who was left, and what is left to do for him. */
static void HUB_ONLY after_switch(struct hub *h)
{
        struct green *self = h->current;

#ifdef WITH_ASAN
        {
                const void *low;
                size_t size;

                __sanitizer_finish_switch_fiber(self->asan_fake, &low, &size);
                if (!h->main.stack.low) { /* the first switch ever left the native stack */
                        h->main.stack.low = (unsigned char *)low;
                        h->main_stack_size = size;
                }
        }
#endif
        if (h->dead) {
                stack_put(&h->stacks, h->dead, h->dead->name);
                h->dead = NULL;
        }
        (void)self;
}

static void HUB_ONLY leave_for(struct hub *h, struct green *to)
{
        struct green *self = h->current;

        __atomic_store_n(&h->current, to, __ATOMIC_RELEASE);
#ifdef WITH_ASAN
        {
                size_t size =
                        to == &h->main ? h->main_stack_size : (size_t)((unsigned char *)to - to->stack.low);

                /* NULL when it leaves for ever: its fake stack is freed */
                __sanitizer_start_switch_fiber(self->state == G_ENDED ? NULL : &self->asan_fake,
                                               to->stack.low, size);
        }
#endif
#ifdef WITH_TSAN
        __tsan_switch_to_fiber(to->stack.tsan_fiber, 0);
#endif
        switch_stacks(&self->sp, to->sp);
        after_switch(h);
}

/* Switches to a thread that is not in the run queue any more; returns when somebody switches back. */
static void HUB_ONLY switch_to(struct hub *h, struct green *to)
{
        struct green *self = h->current;
        int saved_errno = *h->errno_at;

        to->state = G_RUNNING;
        to->switches++;
        count(&h->stats.switches);
        if (__builtin_expect(h->accounting.on, 0))
                hub_account(h, self);
        DTRACE_PROBE3(green, switch, self->id, to->id, to->name);
        leave_for(h, to);
        *h->errno_at = saved_errno;
}

/*
 * At most TIMERS_PER_POLL: the rest keeps its place, and descriptors have their turn in between. By batches,
 * so that the records, which lie far apart, are fetched side by side.
 */
static void HUB_ONLY fire_timers(struct hub *h)
{
        struct green *due[TIMERS_PER_BATCH];
        int64_t late = h->now_ns - timer_heap_first_ns(&h->timers);
        unsigned left = TIMERS_PER_POLL, n;

        if (late < 0)
                return;
        histogram_add(&h->times.lags, late);
        do {
                for (n = 0; n < TIMERS_PER_BATCH && timer_heap_first_ns(&h->timers) <= h->now_ns; n++) {
                        due[n] = timer_heap_pop(&h->timers);
                        __builtin_prefetch(&due[n]->sp, 1);
                }
                for (unsigned i = 0; i < n; i++) {
                        due[i]->timed = false;
                        hub_wake(due[i], WAKE_TIMEOUT);
                }
                h->stats.timers_fired += n;
                left -= n;
        } while (n == TIMERS_PER_BATCH && left > 0);
}

/* How long epoll may sleep: rounded up, so that a timer never fires early and near ones fire together. */
static int HUB_ONLY poll_timeout_ms(struct hub *h, int64_t check_at)
{
        int64_t trim_at = hub_trim_stacks(h), at = check_at < trim_at ? check_at : trim_at, ms;

        if (timer_heap_first_ns(&h->timers) < at)
                at = timer_heap_first_ns(&h->timers);
        if (at == INT64_MAX)
                return -1;
        ms = (at - h->now_ns + NS_PER_MS - 1) / NS_PER_MS;
        return ms <= 0 ? 0 : ms > INT_MAX ? INT_MAX : (int)ms;
}

/* Nobody is ready. On the fake clock time is what moves to the next timer, unless a descriptor is ready. */
static void HUB_ONLY wait_for_work(struct hub *h, int64_t check_at)
{
        int timeout;

        if (h->timers.n == 0 && h->fd_waiters == 0)
                hub_dump_and_abort(h, "deadlock: every green thread waits for another one");
        if (clock_is_fake() && h->timers.n) {
                int64_t ahead = timer_heap_first_ns(&h->timers) - h->now_ns;

                hub_fd_poll(h, 0);
                if (!h->n_ready && ahead > 0)
                        clock_fake_advance(ahead);
                return;
        }
        timeout = poll_timeout_ms(h, check_at);
        if (timeout == 0) {
                hub_fd_poll(h, 0);
                return;
        }
        if (h->accounting.on)
                hub_account(h, h->current);
        __atomic_store_n(&h->idle, HUB_IDLE, __ATOMIC_RELEASE);
        hub_fd_poll(h, timeout);
        end_idleness(h);
        if (h->accounting.on)
                hub_account_to_nobody(h);
        count(&h->stats.sleeps);
}

/*
 * One look at timers, then descriptors. With `block` it sleeps when nobody is ready, until there is something
 * to look at again. The clock is read once, and again after a sleep.
 */
static void HUB_ONLY poll_hub(struct hub *h, bool block)
{
        int64_t check_at, turn_began = h->now_ns;

        h->since_poll = 0;
        count(&h->stats.polls);
        h->now_ns = clock_now_ns();
        histogram_add(&h->times.turns, h->now_ns - turn_began);
        fire_timers(h);
        check_at = hub_fd_check(h, clock_is_fake() ? INT64_MAX : h->now_ns);
        if (!block || h->n_ready) {
                hub_fd_poll(h, 0);
                return;
        }
        wait_for_work(h, check_at);
        h->now_ns = clock_now_ns();
        fire_timers(h);
}

/*
 * Takes the first of the run queue, which is not empty, and has the memory of those behind it fetched: of the
 * next its stack, of the one after that its record. Among thousands each lies in a page of its own, and a
 * switch would wait for both.
 */
static struct green *HUB_ONLY pop_ready(struct hub *h)
{
        struct list *first = list_pop(&h->ready), *next = h->ready.next;

        h->n_ready--;
        if (next != &h->ready) {
                const unsigned char *sp = CONTAINER_OF(next, struct green, link)->sp;

                __builtin_prefetch(sp, 1);
                __builtin_prefetch(sp + GREEN_LINE, 1);
                __builtin_prefetch(sp + 2 * GREEN_LINE, 1);
                __builtin_prefetch(next->next, 1);
                __builtin_prefetch((unsigned char *)next->next + GREEN_LINE, 1);
        }
        return CONTAINER_OF(first, struct green, link);
}

static struct green *HUB_ONLY next_ready(struct hub *h)
{
        if (++h->since_poll >= POLL_INTERVAL)
                poll_hub(h, false);
        while (h->n_ready == 0)
                poll_hub(h, true);
        return pop_ready(h);
}

static void HUB_ONLY make_ready(struct hub *h, struct green *g)
{
        g->state = G_READY;
        list_append(&h->ready, &g->link);
        h->n_ready++;
}

void hub_make_ready(struct green *g)
{
        make_ready(the_hub, g);
}

void hub_wake(struct green *g, enum wake why)
{
        if (g->state != G_PARKED)
                misuse("woken while not parked");
        DTRACE_PROBE2(green, wake, g->id, why);
        g->wake = why;
        list_remove(&g->link);
        if (g->timed) {
                g->timed = false;
                timer_heap_remove(&the_hub->timers, g->timer);
        }
        hub_make_ready(g);
}

struct green *hub_wake_first(struct list *waiters)
{
        struct green *g;

        if (list_empty(waiters))
                return NULL;
        g = CONTAINER_OF(waiters->next, struct green, link);
        hub_wake(g, WAKE_OK);
        return g;
}

enum wake hub_park(struct hub *h, const struct wait_info *what, struct deadline by)
{
        struct green *self = h->current, *next;

        if (h->atomic_depth)
                misuse("a wait between atomic_begin() and atomic_end()");
        /* the clock of the last poll will do: a deadline passed since then fires at the next one */
        if ((self->cancelled && !self->shield) || by.ns <= h->now_ns) {
                list_remove(&self->link);
                return self->cancelled && !self->shield ? WAKE_CANCELLED : WAKE_TIMEOUT;
        }
        if (by.ns != INT64_MAX) {
                self->timed = true;
                timer_heap_add(&h->timers, by.ns, self->timer);
        }
        self->state = G_PARKED;
        self->wait_verb = what->verb;
        self->wait_name = what->name;
        self->wait_fd = what->fd;
        self->wait_mutex = what->mutex;
        self->since_ns = h->now_ns;
        DTRACE_PROBE4(green, park, self->id, what->verb, what->fd, by.ns);
        next = next_ready(h);
        if (next == self) { /* woken by the poll just made on this very stack */
                self->state = G_RUNNING;
                self->switches++;
                count(&h->stats.switches);
        } else {
                switch_to(h, next);
        }
        self->since_ns = h->now_ns;
        return self->wake;
}

enum wake hub_park_in(struct list *waiters, const char *verb, const char *name, struct deadline by)
{
        struct hub *h = the_hub;
        struct wait_info what = { .verb = verb, .name = name, .fd = -1 };

        list_append(waiters, &h->current->link);
        return hub_park(h, &what, by);
}

int wake_error(enum wake w, const char *verb, const char *name, struct error *err)
{
        static const struct {
                int code, sys;
                const char *text;
        } how[] = {
                [WAKE_TIMEOUT] = { ERR_TIMEOUT, 0, "deadline passed" },
                [WAKE_CANCELLED] = { ERR_CANCELLED, 0, "cancelled" },
                [WAKE_CLOSED] = { ERR_CLOSED, 0, "closed" },
                [WAKE_REFUSED] = { ERR_SYSTEM, ENOMEM, "the kernel watches it no longer" },
        };

        error_set(err, how[w].code, "%s%s%s: %s", verb, name ? " " : "", name ? name : "", how[w].text);
        err->sys = how[w].sys;
        return -1;
}

void green_yield(void)
{
        struct hub *h = the_hub;
        struct green *self = h->current, *next;

        if (h->atomic_depth)
                misuse("a yield between atomic_begin() and atomic_end()");
        if (++h->since_poll >= POLL_INTERVAL)
                poll_hub(h, false);
        if (h->n_ready == 0)
                return;
        next = pop_ready(h); /* first, so that nothing is fetched ahead when there are only two */
        make_ready(h, self);
        switch_to(h, next);
}

static void HUB_ONLY __attribute__((noreturn)) hub_exit_current(struct hub *h)
{
        struct green *self = h->current, *next;

        DTRACE_PROBE2(green, exit, self->id, self->name);
        self->state = G_ENDED;
        if (self->refs == 0)
                h->dead = self;
        next = next_ready(h);
        if (next == self)
                misuse("an ended green thread was scheduled");
        switch_to(h, next);
        misuse("an ended green thread was switched to");
        abort();
}

/* The first frame of every green thread but main: its stack ends here. */
static void thread_main(void *arg)
{
        struct green *self = arg;
        struct error *err = error_of(self);
        struct hub *h;
        int r;

        assert_green();
        err->code = ERR_NONE; /* not cleared whole: that would cost as much as the switch */
        err->sys = 0;
        err->text[0] = '\0';
        h = self->hub;
        after_switch(h);
        r = self->fn(self->arg, err);
        if (h->atomic_depth)
                misuse("a green thread ended between atomic_begin() and atomic_end()");
        if (r < 0) {
                if (err->code != ERR_CANCELLED)
                        log_error("green thread %s failed: %s", self->name, err->text);
                self->failed = true;
        }
        timer_heap_close(&h->timers, self->timer);
        list_remove(&self->all_link);
        list_remove(&self->group_link);
        h->stats.threads--;
        self->group->size--;
        if (self->group->size == 0)
                while (hub_wake_first(&self->group->waiters))
                        ;
        while (hub_wake_first(&self->joiners))
                ;
        log_context_unref(take_ptr(&self->log_context));
        hub_exit_current(h);
}

/* All but `stack` and `timer`, which are there, and what spawn() sets: field by field costs least. */
static void HUB_ONLY init_record(struct hub *h, struct green *g)
{
        g->asan_fake = NULL;
        g->ticks = 0;
        g->created_ns = g->since_ns = h->now_ns;
        list_init(&g->link);
        g->wait_verb = g->wait_name = NULL;
        g->wait_fd = -1;
        g->wait_mutex = NULL;
        g->cancelled = g->timed = g->failed = false;
        g->switches = 0;
        g->hub = h;
        g->shield = g->refs = g->fd_ready = 0;
        g->id = ++h->next_id;
        list_init(&g->joiners);
}

struct green *hub_new_thread(struct hub *h, struct error *err)
{
        struct green *g;

        if (h->stats.threads >= h->max_threads) {
                error_set(err, ERR_LIMIT, "%u green threads are running, no more are allowed",
                          h->max_threads);
                return NULL;
        }
        g = stack_get(&h->stacks, err);
        if (!g)
                return NULL;
        g->timer = timer_heap_open(&h->timers, g);
        if (g->timer == TIMER_NONE) {
                stack_put(&h->stacks, g, "");
                error_system(err, ENOMEM, "room for the timer of a green thread");
                return NULL;
        }
        init_record(h, g);
        g->sp = switch_prepare(g->stack.low, (void *)((uintptr_t)error_of(g) & ~(uintptr_t)15), thread_main,
                               g);
        list_append(&h->all, &g->all_link);
        h->stats.spawned++;
        if (++h->stats.threads > h->stats.threads_max)
                h->stats.threads_max = h->stats.threads;
        return g;
}

static void HUB_ONLY hub_init(struct hub *h, const struct hub_options *opt)
{
        struct green *m = &h->main;

        list_init(&h->ready);
        list_init(&h->all);
        list_init(&h->pools);
        timer_heap_init(&h->timers);
        list_init(&h->root.members);
        list_init(&h->root.waiters);
        snprintf(h->root.name, sizeof(h->root.name), "root");
        h->max_threads = opt && opt->max_threads ? opt->max_threads : DEFAULT_MAX_THREADS;
        stack_pool_init(&h->stacks, opt && opt->stack_size ? opt->stack_size : DEFAULT_STACK,
                        sizeof(struct green), opt && opt->mprotect_guards);
        h->now_ns = clock_now_ns();
        m->hub = h;
        m->state = G_RUNNING;
        m->group = &h->root;
        m->created_ns = m->since_ns = h->now_ns;
        m->switches = 1;
        m->refs = 1;
        snprintf(m->name, sizeof(m->name), "main");
        m->site = "hub_run()";
        list_init(&m->link);
        list_init(&m->joiners);
        list_init(&m->group_link);
        list_append(&h->all, &m->all_link);
        h->stats.threads = h->stats.threads_max = 1;
#ifdef WITH_TSAN
        m->stack.tsan_fiber = __tsan_get_current_fiber();
#endif
        h->errno_at = &errno;
        h->current = m;
        hub_register(h);
}

/* main has returned: everything that is left is cancelled and joined. */
static void YIELDS cancel_the_rest(struct hub *h)
{
        h->root.closing = true;
        h->main.shield++;
        while (h->stats.threads > 1) {
                struct wait_info what = { .verb = "join", .name = "all green threads", .fd = -1 };
                struct green *g = CONTAINER_OF(h->main.all_link.next, struct green, all_link);

                if (&g->all_link == &h->all)
                        g = CONTAINER_OF(h->all.next, struct green, all_link);
                list_for_each (node, &h->all) {
                        struct green *each = CONTAINER_OF(node, struct green, all_link);

                        if (each != &h->main)
                                green_cancel(each);
                }
                list_append(&g->joiners, &h->main.link);
                hub_park(h, &what, deadline_never());
        }
}

int hub_run(green_fn *fn, void *arg, const struct hub_options *opt, struct error *err)
{
        struct hub *h, *before = the_hub;
        int r;

        if (on_hub_thread())
                misuse("hub_run() inside hub_run()");
        if (shadow_stack_check(err) < 0)
                return -1;
        hub_prepare_for_forks();
        h = calloc(1, sizeof(*h));
        if (!h)
                return error_system(err, ENOMEM, "making a hub");
        the_hub = h;
        assert_green();
        hub_init(h, opt);
        r = hub_fd_init(h, err);
        h->main.timer = r == 0 ? timer_heap_open(&h->timers, &h->main) : TIMER_NONE;
        if (r == 0 && h->main.timer == TIMER_NONE)
                r = error_system(err, ENOMEM, "making a hub");
        if (r == 0) {
                r = fn(arg, err);
                cancel_the_rest(h);
                log_context_unref(take_ptr(&h->main.log_context));
        }
        hub_unregister(h);
        if (h->dead)
                stack_put(&h->stacks, h->dead, h->dead->name);
        hub_fd_free(h);
        timer_heap_free(&h->timers);
        stack_pool_free(&h->stacks);
        free(h->named_locks);
        the_hub = before; /* in a forked child the copy of the parent's, else NULL */
        free(h);
        return r;
}
