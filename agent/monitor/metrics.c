/*
 * agent/monitor/metrics.c: the page as a whole, and what is said of the process; its names are those that
 * Prometheus' own clients use.
 */
#include "monitor/metrics.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "json/json.h"

void metrics_families(struct strbuf *to, const struct metrics_family *families, int n,
                      void (*add)(struct metrics_rows *page, void *arg), void *arg)
{
        for (int i = 0; i < n; i++) {
                struct metrics_rows page = { .to = to, .which = i, .name = families[i].name };

                prometheus_family(to, families[i].name, families[i].type, families[i].help);
                add(&page, arg);
        }
}

/* ---- the process ---- */

static double process_cpu_s(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
        return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void add_memory(struct strbuf *to)
{
        unsigned long size = 0, resident = 0;
        double page = (double)sysconf(_SC_PAGESIZE);
        FILE *f;

        local_files("/proc is in memory");
        f = fopen("/proc/self/statm", "re");
        if (!f)
                return;
        if (fscanf(f, "%lu %lu", &size, &resident) == 2) {
                prometheus_gauge(to, "process_resident_memory_bytes", "Resident memory of the agent.",
                                 (double)resident * page);
                prometheus_gauge(to, "process_virtual_memory_bytes",
                                 "Address space of the agent; most of it are stacks that were never touched.",
                                 (double)size * page);
        }
        fclose(f);
}

static unsigned entries_of(const char *path)
{
        struct dirent *e;
        unsigned n = 0;
        DIR *d;

        local_files("/proc is in memory");
        d = opendir(path);
        while (d && (e = readdir(d)))
                n += e->d_name[0] != '.';
        if (d)
                closedir(d);
        return n;
}

static void add_limits(struct strbuf *to)
{
        struct rlimit files;

        prometheus_gauge(to, "process_open_fds", "Open file descriptors.",
                         entries_of("/proc/self/fd") - 1.0); /* one is the listing's */
        if (getrlimit(RLIMIT_NOFILE, &files) == 0)
                prometheus_gauge(to, "process_max_fds", "File descriptors that the agent may have.",
                                 (double)files.rlim_cur);
}

static void add_build_info(struct strbuf *to)
{
        const struct prometheus_label labels[] = { { "version", AGENT_VERSION },
                                                   { "compiler", __VERSION__ } };

        prometheus_family(to, P "build_info", PROMETHEUS_GAUGE, "Always 1; says which version runs.");
        prometheus_sample_with(to, P "build_info", labels, 2, 1);
}

/* Computed once: a start time that moves by a hair, or with the wall clock, looks like a restart. */
static double started_at(const struct admin_sources *s)
{
        static double at;

        if (at == 0)
                at = (double)clock_wall_us() / 1e6 - clock_since_s(s->started_ns);
        return at;
}

void metrics_process(const struct admin_sources *s, struct strbuf *to)
{
        prometheus_counter(to, "process_cpu_seconds_total", "CPU time of the agent.", process_cpu_s());
        add_memory(to);
        add_limits(to);
        prometheus_gauge(to, "process_threads", "Native threads.", entries_of("/proc/self/task"));
        prometheus_gauge(to, "process_start_time_seconds", "When the agent was started, Unix time.",
                         started_at(s));
        add_build_info(to);
        prometheus_gauge(to, P "ready", "1 when the start has finished.", s->ready);
        prometheus_gauge(to, P "stopping", "1 when the agent is ending and takes no new requests.",
                         s->draining);
        prometheus_counter(to, P "log_lines_dropped_total",
                           "Lines that were not logged, because the disk or the journal was too slow.",
                           (double)log_dropped());
        prometheus_counter(to, P "log_messages_held_back_total",
                           "Messages that were repeated or too many, and told in the log as a number.",
                           (double)log_held_back());
}

/* ---- health ---- */

static int add_check(const char *name, struct jval *check, void *arg)
{
        const char *status = jval_get_text(check, "status", "fail");

        prometheus_sample_of(arg, P "health", (struct prometheus_label){ "check", name },
                             *status == 'p'   ? 0
                             : *status == 'w' ? 1
                                              : 2);
        return 0;
}

static void HUB_ONLY add_health(const struct admin_sources *s, struct strbuf *to)
{
        struct jval CLEANUP(jval_unrefp) *health = admin_health(s);

        prometheus_family(to, P "health", PROMETHEUS_GAUGE,
                          "The checks of GET /health: 0 is pass, 1 warn, 2 fail.");
        jval_foreach(jval_get(health, "checks"), add_check, to);
}

void metrics_page(const struct admin_sources *s, struct strbuf *to)
{
        metrics_process(s, to);
        add_health(s, to);
        metrics_runtime(s, to);
        metrics_peers(s, to);
        metrics_compute(s, to);
}
