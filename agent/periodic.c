/*
 * agent/periodic.c: one green thread walks a table: it runs what is due in the table's order, then sleeps
 * until the next task is due. An event ends the sleep early when a task was kicked.
 */
#define LOG_MODULE "periodic"
#include "periodic.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "green/sync.h"

#define DEFAULT_INTERVAL_S 60.0 /* oslo's spacing 0 */
#define IDLE_MAX_S         60.0
#define NEVER_NS           INT64_MAX
#define TOLD_AGAIN_S       60.0 /* a failure for the same reason as before is told no more often */

struct entry {
        struct periodic_task task;
        char *name, *idle;
        int64_t due_ns, started_ns, ended_ns; /* ended_ns: 0 before the first end */
        double last_took_s;
        unsigned long runs, failures;
        unsigned long in_a_row; /* failures since it last succeeded, the first of them at failing_ns */
        int64_t failing_ns, told_ns;
        char *told; /* why it failed, as the log was told */
        bool running;
};

struct periodic {
        char *name;
        struct entry *entries;
        unsigned n;
        void *arg;
        struct green *thread; /* owned handle */
        struct green_event kicked;
};

static double interval_of(const struct entry *e)
{
        return e->task.interval_s == 0 ? DEFAULT_INTERVAL_S : e->task.interval_s;
}

static int64_t after_s(int64_t from_ns, double s)
{
        return from_ns + (int64_t)(s * (double)NS_PER_S);
}

/* Intervals count from start to start; turns that were missed are not made up for. */
static void schedule_next(struct entry *e)
{
        int64_t now = clock_now_ns();
        double wait = interval_of(e) * (1 + e->task.jitter * random_part());

        if (e->task.interval_s < 0 || e->idle)
                return; /* only kicks run it, or nothing does */
        e->due_ns = after_s(e->started_ns, wait);
        if (e->due_ns < now)
                e->due_ns = now;
}

/* The services a task needs may be away for hours: each reason is told at once, then now and then, and the
 * end. */
static void tell_failure(struct entry *e, const char *why)
{
        e->failures++;
        if (e->in_a_row++ == 0)
                e->failing_ns = e->started_ns;
        if (e->told && strcmp(e->told, why) == 0 && clock_since_s(e->told_ns) < TOLD_AGAIN_S)
                return;
        e->told_ns = clock_now_ns();
        replace_str(&e->told, why);
        if (e->in_a_row == 1)
                log_error("periodic task %s failed, it runs again at its next turn: %s", e->name, why);
        else
                log_error("periodic task %s failed, %lu times in a row, it runs again at its next turn: %s",
                          e->name, e->in_a_row, why);
}

static void tell_success(struct entry *e)
{
        if (e->in_a_row)
                log_info("periodic task %s works again, after %.0f s (failures: %lu)", e->name,
                         clock_since_s(e->failing_ns), e->in_a_row);
        e->in_a_row = 0;
        free(take_ptr(&e->told));
}

static void YIELDS run_entry(struct periodic *p, struct entry *e)
{
        struct error err = {};
        double most = e->task.deadline_s;
        int r;

        if (most <= 0)
                most = interval_of(e) > IDLE_MAX_S ? interval_of(e) : IDLE_MAX_S;
        e->started_ns = clock_now_ns();
        e->due_ns = NEVER_NS; /* a kick while it runs sets it again */
        e->running = true;
        r = e->task.run(p->arg, deadline_in_s(most), &err);
        e->running = false;
        e->runs++;
        e->ended_ns = clock_now_ns();
        e->last_took_s = (double)(e->ended_ns - e->started_ns) / (double)NS_PER_S;
        if (e->due_ns == NEVER_NS)
                schedule_next(e);
        if (r == 0)
                tell_success(e);
        else if (err.code != ERR_CANCELLED)
                tell_failure(e, err.text);
}

static int64_t next_due(const struct periodic *p)
{
        int64_t due = after_s(clock_now_ns(), IDLE_MAX_S);

        for (unsigned i = 0; i < p->n; i++)
                if (p->entries[i].due_ns < due)
                        due = p->entries[i].due_ns;
        return due;
}

static int periodic_main(void *arg, struct error *err)
{
        struct periodic *p = arg;

        assert_green();
        for (;;) {
                struct deadline until = { next_due(p) };

                if (green_event_wait(&p->kicked, until, err) < 0 && err->code != ERR_TIMEOUT)
                        return -1;
                green_event_clear(&p->kicked);
                for (unsigned i = 0; i < p->n; i++) {
                        struct entry *e = &p->entries[i];

                        if (e->due_ns > clock_now_ns())
                                continue;
                        run_entry(p, e);
                        if (green_cancelled())
                                return error_set(err, ERR_CANCELLED, "periodic tasks were stopped");
                }
        }
}

static void periodic_free(struct periodic *p)
{
        for (unsigned i = 0; i < p->n; i++) {
                free(p->entries[i].name);
                free(p->entries[i].idle);
                free(p->entries[i].told);
        }
        free(p->entries);
        free(p->name);
        free(p);
}

struct periodic *periodic_start(const char *name, const struct periodic_task *tasks, void *arg,
                                struct error *err)
{
        struct periodic *p = NEW(struct periodic);
        int64_t now = clock_now_ns();

        p->name = xstrdup(name);
        p->arg = arg;
        while (tasks[p->n].name)
                p->n++;
        p->entries = xcalloc(p->n + 1, sizeof(*p->entries));
        green_event_init(&p->kicked, "periodic tasks due");
        for (unsigned i = 0; i < p->n; i++) {
                struct entry *e = &p->entries[i];

                e->task = tasks[i];
                e->name = xstrdup(tasks[i].name);
                e->idle = xstrdup(tasks[i].idle);
                if (e->task.interval_s < 0 || e->idle)
                        e->due_ns = NEVER_NS;
                else
                        e->due_ns = after_s(now, e->task.first_delay_s < 0 ? interval_of(e)
                                                                           : e->task.first_delay_s);
        }
        p->thread = green_spawn_ref(NULL, name, periodic_main, p, err);
        if (p->thread)
                return p;
        periodic_free(p);
        return NULL;
}

void periodic_stop(struct periodic *p)
{
        struct error err = {};

        if (!p)
                return;
        green_cancel(p->thread);
        green_shield_begin();
        green_join(p->thread, deadline_never(), NULL, &err);
        green_shield_end();
        green_unref(p->thread);
        periodic_free(p);
}

static void change_entry(struct entry *e, const struct periodic_task *t)
{
        bool was_off = e->task.interval_s < 0 || e->idle, off = t->interval_s < 0 || t->idle;
        double before = interval_of(e);
        int64_t now = clock_now_ns();

        replace_str(&e->idle, t->idle);
        e->task.idle = e->idle;
        e->task.interval_s = t->interval_s;
        e->task.deadline_s = t->deadline_s;
        if (e->running) /* then the end of the run says when it is due again */
                return;
        if (off) {
                e->due_ns = NEVER_NS;
        } else if (was_off || interval_of(e) < before || interval_of(e) > before) {
                e->due_ns = after_s(was_off || e->runs == 0 ? now : e->started_ns, interval_of(e));
                if (e->due_ns < now)
                        e->due_ns = now;
        }
}

void periodic_change(struct periodic *p, const struct periodic_task *tasks)
{
        for (const struct periodic_task *t = tasks; t->name; t++)
                for (unsigned i = 0; i < p->n; i++)
                        if (strcmp(p->entries[i].name, t->name) == 0)
                                change_entry(&p->entries[i], t);
        green_event_set(&p->kicked);
}

bool periodic_kick(struct periodic *p, const char *task)
{
        for (unsigned i = 0; i < p->n; i++) {
                if (strcmp(p->entries[i].name, task) != 0 || p->entries[i].idle)
                        continue;
                p->entries[i].due_ns = clock_now_ns();
                green_event_set(&p->kicked);
                return true;
        }
        return false;
}

static double overdue_s(const struct entry *e)
{
        double late = 0;

        if (e->running)
                late = clock_since_s(e->started_ns) - interval_of(e);
        else if (e->due_ns != NEVER_NS)
                late = clock_since_s(e->due_ns);
        return late > 0 ? late : 0;
}

void periodic_foreach(const struct periodic *p, void (*fn)(const struct periodic_info *info, void *arg),
                      void *arg)
{
        for (unsigned i = 0; i < p->n; i++) {
                const struct entry *e = &p->entries[i];
                double next = (double)(e->due_ns - clock_now_ns()) / (double)NS_PER_S;
                bool never = e->due_ns == NEVER_NS && !e->running;
                struct periodic_info info = {
                        .loop = p->name,
                        .task = e->name,
                        .interval_s = interval_of(e),
                        .next_in_s = never                    ? -1
                                     : e->running || next < 0 ? 0
                                                              : next,
                        .last_took_s = e->last_took_s,
                        .last_ended_s = e->ended_ns ? clock_since_s(e->ended_ns) : -1,
                        .overdue_s = overdue_s(e),
                        .runs = e->runs,
                        .failures = e->failures,
                        .running = e->running,
                        .idle = e->idle,
                };

                fn(&info, arg);
        }
}
