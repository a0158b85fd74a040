/*
 * agent/report.c: the report of SIGUSR2.
 *
 * The facts are collected on the hub without yielding between two of them; turning addresses into names and
 * writing the file are slow and happen on a worker.
 */
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define LOG_MODULE "report"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "green/lockutils.h"
#include "json/json.h"
#include "native/file.h"
#include "native/stall_watcher.h"
#include "native/tpool.h"
#include "options.h"

enum { FRAMES_MAX = 32, WRITE_S = 30 };

struct thread_trace {
        char head[GREEN_NAME_MAX + 256];
        void *frames[FRAMES_MAX];
        int n;
};

struct report_job {
        struct tpool_job job;
        struct strbuf text; /* what was collected; the worker appends the green threads */
        struct thread_trace *traces;
        unsigned n_traces, cap_traces;
        char *path; /* NULL: stderr */
};

static void add_trace(const struct green_info *info, struct green *g, void *arg)
{
        struct report_job *r = arg;
        struct thread_trace *t;

        assert_on_hub();
        if (r->n_traces == r->cap_traces) {
                r->cap_traces = r->cap_traces ? r->cap_traces * 2 : 64;
                r->traces = xrealloc(r->traces, r->cap_traces * sizeof(*r->traces));
        }
        t = &r->traces[r->n_traces++];
        snprintf(t->head, sizeof(t->head),
                 "#%lu %s (group %s, spawned at %s): %s for %.1f s, age %.1f s, %.1f ms of CPU, %lu "
                 "switches%s",
                 info->id, info->name, info->group, info->site, info->state, info->in_state_s, info->age_s,
                 info->cpu_s > 0 ? info->cpu_s * 1000 : 0, info->switches,
                 info->cancelled ? ", cancelled" : "");
        t->n = green_backtrace(g, t->frames, FRAMES_MAX);
}

static void add_lock(const struct named_lock_info *info, void *arg)
{
        strbuf_addf(arg, "  %s%s: held by %s (#%lu) for %.1f s, %u waiting\n", info->name,
                    info->external ? " (external)" : "", info->owner, info->owner_id, info->held_s,
                    info->waiters);
}

static void add_heading(struct strbuf *to, const char *title)
{
        strbuf_addf(to, "\n==== %s ====\n", title);
}

static void add_json(struct strbuf *to, const char *title, struct jval *value)
{
        CLEANUP(freep) char *text = value ? jval_print_pretty(value, NULL) : NULL;

        add_heading(to, title);
        strbuf_addf(to, "%s\n", text ? text : "not available");
        jval_unref(value);
}

static void YIELDS collect(struct report_job *r, const struct admin_sources *from)
{
        struct strbuf *to = &r->text;
        struct jval *instances = NULL;
        struct utsname os;
        struct error err;
        time_t now = clock_wall_s();
        struct tm tm;
        char when[32];

        uname(&os);
        strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", gmtime_r(&now, &tm));
        strbuf_addf(to, "compute-agent " AGENT_VERSION " report, %s UTC, pid %d, host %s, %s %s\n", when,
                    (int)getpid(), from->conf->host, os.sysname, os.release);
        add_heading(to, "configuration");
        conf_dump(from->conf, CONF_DUMP_PLACES, to);
        add_json(to, "status", admin_status(from));
        if (from->db && admin_instances(from, &instances, &err) < 0)
                strbuf_addf(to, "\ninstances could not be read: %s\n", err.text);
        add_json(to, "instances", instances);
        add_json(to, "health", admin_health(from));
        add_json(to, "pools and queues", admin_pools(from));
        add_json(to, "periodic tasks", admin_tasks(from));
        add_json(to, "threads", admin_threads());
        add_heading(to, "locks by name");
        lockutils_foreach(add_lock, to);
        green_foreach(add_trace, r);
}

/* ---- on the worker ---- */

static void add_backtraces(struct report_job *r)
{
        char frame[256];

        add_heading(&r->text, "green threads with backtraces");
        for (unsigned i = 0; i < r->n_traces; i++) {
                strbuf_addf(&r->text, "%s\n", r->traces[i].head);
                for (int f = 0; f < r->traces[i].n; f++) {
                        symbolise(r->traces[i].frames[f], frame, sizeof(frame));
                        strbuf_addf(&r->text, "        %s\n", frame);
                }
        }
        strbuf_adds(&r->text, "==== end of report ====\n");
}

static int run_report(struct tpool_job *job, struct error *err)
{
        struct report_job *r = CONTAINER_OF(job, struct report_job, job);
        CLEANUP(closep) int file = -1;

        assert_on_worker();
        add_backtraces(r);
        if (r->path) {
                file = open(r->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
                if (file < 0)
                        return error_system(err, errno, "making report %s", r->path);
        }
        if (write_all(file >= 0 ? file : STDERR_FILENO, r->text.data, r->text.len) < 0)
                return error_system(err, errno, "writing report %s", r->path ? r->path : "to stderr");
        return 0;
}

static void drop_report(struct tpool_job *job)
{
        struct report_job *r = CONTAINER_OF(job, struct report_job, job);

        strbuf_free(&r->text);
        free(r->traces);
        free(r->path);
        free(r);
}

static const struct tpool_ops report_ops = { "report", run_report, drop_report };

/* log_dir as oslo.reports has it: beside the log file; without one it goes to stderr. */
static char *report_path(const struct admin_sources *from)
{
        const char *log = from->options->log_file ? from->options->log_file : from->conf->log_file;
        const char *slash = strrchr(log, '/');

        if (!slash)
                return NULL;
        return xasprintf("%.*s/compute-agent_report_%lld.%d", (int)(slash - log), log,
                         (long long)clock_wall_us(), (int)getpid());
}

int report_write(const struct admin_sources *from, char **ret_path, struct error *err)
{
        struct report_job *r;
        int result;

        if (!from->tpool)
                return error_set(err, ERR_UNSUPPORTED, "report: the workers are not started yet");
        r = NEW(struct report_job);
        r->job.ops = &report_ops;
        r->path = report_path(from);
        collect(r, from);
        result = tpool_call(from->tpool, &r->job, deadline_in_s(WRITE_S), err);
        if (result == 0) {
                log_info("report written to %s", r->path ? r->path : "stderr");
                *ret_path = take_ptr(&r->path);
        }
        tpool_job_done(&r->job);
        return result;
}
