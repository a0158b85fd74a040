/*
 * agent/admin/top.c: what is counted, as one sample: who asks again makes rates of two of them.
 *
 * All in one answer and without a question to anybody else, so that looking costs little and what is seen
 * belongs together.
 */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "native/stall_watcher.h"
#include "admin/admin.h"

#define GREEN_MAX 2000 /* threads that are listed: more do not fit anybody's terminal */

static double cpu_s(clockid_t clock)
{
        struct timespec ts;

        clock_gettime(clock, &ts);
        return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int64_t resident_bytes(void)
{
        long pages = 0;
        FILE *f;

        local_files("/proc is in memory");
        f = fopen("/proc/self/statm", "re");
        if (f) {
                if (fscanf(f, "%*d %ld", &pages) != 1)
                        pages = 0;
                fclose(f);
        }
        return (int64_t)pages * sysconf(_SC_PAGESIZE);
}

struct jval *admin_hub(const struct admin_sources *s)
{
        struct jval *to = jval_new_object();
        struct hub_times times;
        struct hub_stats st;

        hub_get_stats(&st);
        hub_get_times(&times);
        jval_set_int(to, "polls", (int64_t)st.polls);
        jval_set_int(to, "sleeps", (int64_t)st.sleeps);
        jval_set_int(to, "switches", (int64_t)st.switches);
        jval_set_int(to, "timers", (int64_t)st.timers_fired);
        jval_set_int(to, "spawned", (int64_t)st.spawned);
        jval_set_int(to, "threads", st.threads);
        jval_set_int(to, "ready", st.ready);
        jval_set_int(to, "stalls", s->watcher ? (int64_t)stall_watcher_count(s->watcher) : 0);
        jval_set_real(to, "cpu", cpu_s(CLOCK_THREAD_CPUTIME_ID));
        jval_set_int(to, "due", (int64_t)histogram_count(&times.lags));
        jval_set_real(to, "late", histogram_sum_s(&times.lags));
        return to;
}

/* ---- requests ---- */

static void add_method(const struct rpc_method_stats *m, void *arg)
{
        struct jval *one = jval_new_object();

        jval_set_text(one, "namespace", m->ns);
        jval_set_text(one, "method", m->name);
        jval_set_int(one, "done", (int64_t)m->done);
        jval_set_int(one, "failed", (int64_t)m->failed);
        jval_set_real(one, "seconds", histogram_sum_s(&m->times));
        jval_push(arg, one);
}

static struct jval *HUB_ONLY requests(const struct admin_sources *s)
{
        struct jval *to = jval_new_object(), *methods = jval_new_array();
        struct rpc_server_stats st = {};

        if (s->rpc) {
                rpc_server_get_stats(s->rpc, &st);
                rpc_server_foreach_method(s->rpc, add_method, methods);
        }
        jval_set_int(to, "received", (int64_t)st.received);
        jval_set_int(to, "failed", (int64_t)st.failures);
        jval_set_int(to, "running", st.running);
        jval_set_int(to, "queued", st.queued);
        jval_set(to, "methods", methods);
        return to;
}

/* ---- peers ---- */

static struct jval *HUB_ONLY database(const struct admin_sources *s)
{
        struct jval *to = jval_new_object();
        struct db_pool_info info = {};

        if (s->db)
                db_pool_get_info(s->db, &info);
        jval_set_int(to, "statements", (int64_t)info.queries);
        jval_set_int(to, "errors", (int64_t)info.errors);
        jval_set_int(to, "retries", (int64_t)info.retries);
        jval_set_int(to, "used", info.lent);
        jval_set_int(to, "idle", info.idle);
        jval_set_int(to, "waiting", info.waiting);
        return to;
}

static struct jval *HUB_ONLY hypervisor(const struct admin_sources *s)
{
        struct jval *to = jval_new_object();
        struct virt_status st = {};

        if (s->driver)
                s->driver->ops->get_status(s->driver, &st);
        jval_set_int(to, "calls", (int64_t)st.calls);
        jval_set_int(to, "timeouts", (int64_t)st.timeouts);
        jval_set_int(to, "events", (int64_t)st.events);
        jval_set_int(to, "busy", st.busy);
        jval_set_int(to, "hung", st.hung);
        return to;
}

/* ---- green threads ---- */

static void add_green(const struct green_info *info, struct green *g, void *arg)
{
        struct jval *one;

        (void)g;
        if (jval_len(arg) == GREEN_MAX)
                return;
        one = jval_new_object();
        jval_set_int(one, "id", (int64_t)info->id);
        jval_set_text(one, "name", info->name);
        jval_set_text(one, "state", info->state);
        jval_set_int(one, "switches", (int64_t)info->switches);
        if (info->cpu_s >= 0)
                jval_set_real(one, "cpu", info->cpu_s);
        jval_push(arg, one);
}

struct jval *admin_top(const struct admin_sources *s)
{
        struct jval *to = jval_new_object(), *green = jval_new_array(), *running = jval_new_array();

        jval_set_text(to, "version", AGENT_VERSION);
        jval_set_text(to, "host", s->conf->host);
        jval_set_real(to, "uptime_s", clock_since_s(s->started_ns));
        jval_set_bool(to, "started", s->ready);
        jval_set_bool(to, "draining", s->draining);
        jval_set_real(to, "at", (double)clock_now_ns() / (double)NS_PER_S);
        jval_set_real(to, "cpu", cpu_s(CLOCK_PROCESS_CPUTIME_ID));
        jval_set_int(to, "resident", resident_bytes());
        jval_set(to, "hub", admin_hub(s));
        jval_set(to, "rpc", requests(s));
        jval_set(to, "database", database(s));
        jval_set(to, "hypervisor", hypervisor(s));
        green_foreach(add_green, green);
        jval_set(to, "green", green);
        jval_set(to, "native", admin_native_threads());
        if (s->manager)
                compute_manager_foreach_running(s->manager, admin_add_running, running);
        jval_set(to, "running", running);
        return to;
}
