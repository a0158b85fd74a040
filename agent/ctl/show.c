/* agent/ctl/show.c: status, instances, threads, pools, tasks, health: what the agent answers, as tables. */
#include <stdio.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "ctl/ctl.h"
#include "ctl/output.h"

static const struct ctl_option no_options[] = { {} };

static const char *yes_no(const struct jval *object, const char *key)
{
        return jval_get_bool(object, key, false) ? "yes" : "no";
}

static double number(const struct jval *object, const char *key)
{
        return jval_real(jval_get(object, key), 0);
}

static void print_duration(const char *key, double seconds)
{
        char text[32];

        format_duration(seconds, text, sizeof(text));
        print_field(key, text);
}

static void duration_cell(struct table *t, double seconds)
{
        char text[32];

        format_duration(seconds, text, sizeof(text));
        table_cell(t, text);
}

static void int_cell(struct table *t, const struct jval *object, const char *key)
{
        const struct jval *v = jval_get(object, key);

        if (jval_type(v) == JVAL_INT)
                table_cellf(t, "%lld", (long long)jval_int(v, 0));
        else
                table_cell(t, NULL);
}

static void text_cell(struct table *t, const struct jval *object, const char *key)
{
        table_cell(t, jval_get_text(object, key, NULL));
}

/* Arguments that are none, then the question. */
static enum ctl_exit YIELDS ask(struct ctl *c, const char *method, struct jval **ret)
{
        enum ctl_exit status;

        if (!ctl_arguments(c, no_options, NULL, 0, 0, &status))
                return status;
        status = ctl_ask_admin(c, method, NULL, ret);
        if (status == CTL_OK && c->json)
                print_json(*ret);
        return status;
}

/* False: there is nothing to be printed any more. */
static bool for_people(const struct ctl *c, enum ctl_exit status, const struct jval *answer)
{
        return status == CTL_OK && answer && !c->json;
}

/* ---- status ---- */

static void print_running(const struct jval *running)
{
        static const char *const headers[] = { "METHOD", "INSTANCE", "DOING", "#FOR", "REQUEST", NULL };
        struct table t;

        if (jval_len(running) == 0)
                return;
        puts("");
        table_begin(&t, headers);
        for (size_t i = 0; i < jval_len(running); i++) {
                const struct jval *r = jval_at(running, i);

                text_cell(&t, r, "method");
                text_cell(&t, r, "uuid");
                text_cell(&t, r, "doing");
                duration_cell(&t, number(r, "seconds"));
                text_cell(&t, r, "request_id");
        }
        table_print(&t, "");
}

static void print_status(const struct jval *s)
{
        bool draining = jval_get_bool(s, "draining", false), started = jval_get_bool(s, "started", false);

        print_fieldf("agent", "compute-agent %s, pid %lld", jval_get_text(s, "version", "?"),
                     (long long)jval_get_int(s, "pid", 0));
        print_field("host", jval_get_text(s, "host", NULL));
        print_field("state", draining ? "draining" : started ? "running" : "starting");
        print_duration("up", number(s, "uptime_s"));
        print_fieldf("log level", "%s%s", jval_get_text(s, "log_level", "?"),
                     jval_get_bool(s, "debug", false) ? "; --debug: threads are not patched" : "");
        print_fieldf("hypervisor", "%s", jval_get_text(s, "uri", "?"));
        print_field("  connected", yes_no(s, "hypervisor_ok"));
        print_fieldf("database", "%s %s", jval_get_text(s, "database", "?"),
                     jval_get_text(s, "database_version", ""));
        print_field("  reachable", yes_no(s, "database_ok"));
        print_field("transport", jval_get_text(s, "transport", NULL));
        if (!jval_is_null(jval_get(s, "placement")))
                print_field("placement", jval_get_text(s, "placement", NULL));
        if (jval_is_null(jval_get(s, "heartbeat_age_s")))
                print_field("heartbeat", "no file");
        else
                print_fieldf("heartbeat", "%.1f s ago", number(s, "heartbeat_age_s"));
        if (jval_is_null(jval_get(s, "last_report_age_s")))
                print_field("reported", "not yet");
        else
                print_fieldf("reported", "%.1f s ago", number(s, "last_report_age_s"));
        if (jval_is_null(jval_get(s, "instances_total")))
                print_field("instances", "not known: the database does not answer");
        else
                print_fieldf("instances", "%lld", (long long)jval_get_int(s, "instances_total", 0));
        print_fieldf(
                "requests", "%lld running, %lld waiting, %lld received, %lld failed",
                (long long)jval_get_int(s, "running_rpc", 0), (long long)jval_get_int(s, "queued_rpc", 0),
                (long long)jval_get_int(s, "received_rpc", 0), (long long)jval_get_int(s, "failed_rpc", 0));
        print_fieldf("work", "%lld builds, %lld of them failed; %lld other actions, %lld of them failed",
                     (long long)jval_get_int(s, "builds", 0), (long long)jval_get_int(s, "builds_failed", 0),
                     (long long)jval_get_int(s, "actions", 0),
                     (long long)jval_get_int(s, "actions_failed", 0));
        print_running(jval_get(s, "running"));
}

enum ctl_exit ctl_status(struct ctl *c)
{
        struct jval CLEANUP(jval_unrefp) *s = NULL;
        enum ctl_exit status = ask(c, "status", &s);

        if (for_people(c, status, s))
                print_status(s);
        return status;
}

/* ---- instances ---- */

/* Is there something to say in the column of what is done? */
static bool is_any_busy(const struct jval *list)
{
        for (size_t i = 0; i < jval_len(list); i++)
                if (!jval_is_null(jval_get(jval_at(list, i), "doing")))
                        return true;
        return false;
}

enum ctl_exit ctl_instances(struct ctl *c)
{
        const char *headers[] = { "UUID",    "NAME",   "DOMAIN",  "!STATE", "TASK", "!POWER",
                                  "!ACTUAL", "#VCPUS", "#MEMORY", "DOING",  NULL };
        struct jval CLEANUP(jval_unrefp) *answer = NULL;
        enum ctl_exit status = ask(c, "instances", &answer);
        const struct jval *list = jval_get(answer, "instances");
        bool busy = is_any_busy(list);
        struct table t;

        if (!for_people(c, status, answer))
                return status;
        if (!busy)
                headers[ARRAY_SIZE(headers) - 2] = NULL;
        table_begin(&t, headers);
        for (size_t i = 0; i < jval_len(list); i++) {
                const struct jval *one = jval_at(list, i);

                text_cell(&t, one, "uuid");
                text_cell(&t, one, "display_name");
                text_cell(&t, one, "name");
                text_cell(&t, one, "vm_state");
                text_cell(&t, one, "task_state");
                text_cell(&t, one, "power_state");
                text_cell(&t, one, "hypervisor_state");
                int_cell(&t, one, "vcpus");
                table_cellf(&t, "%lld MB", (long long)jval_get_int(one, "memory_mb", 0));
                if (busy)
                        text_cell(&t, one, "doing");
        }
        table_print(&t, "no instances on this host (\"compute-agentctl boot\" makes one)");
        return CTL_OK;
}

/* ---- threads ---- */

static void cpu_cell(struct table *t, const struct jval *thread)
{
        const struct jval *v = jval_get(thread, "cpu");

        if (v)
                table_cellf(t, "%.1f ms", number(thread, "cpu") * 1000);
        else
                table_cell(t, NULL);
}

static void kib_cell(struct table *t, const struct jval *object, const char *key)
{
        int64_t bytes = jval_get_int(object, key, 0);

        if (bytes)
                table_cellf(t, "%lld KiB", (long long)bytes / 1024);
        else
                table_cell(t, NULL);
}

static void print_green(const struct jval *list)
{
        static const char *const headers[] = { "#ID",        "NAME", "STATE",     "#IN STATE",
                                               "#AGE",       "#CPU", "#SWITCHES", "#STACK",
                                               "SPAWNED AT", "",     NULL };
        struct table t;

        table_begin(&t, headers);
        for (size_t i = 0; i < jval_len(list); i++) {
                const struct jval *g = jval_at(list, i);

                int_cell(&t, g, "id");
                text_cell(&t, g, "name");
                text_cell(&t, g, "state");
                duration_cell(&t, number(g, "in_state"));
                duration_cell(&t, number(g, "age"));
                cpu_cell(&t, g);
                int_cell(&t, g, "switches");
                kib_cell(&t, g, "stack");
                text_cell(&t, g, "spawned_at");
                table_cell(&t, jval_get_bool(g, "cancelled", false) ? "cancelled" : " ");
        }
        table_print(&t, "none");
}

static void print_native(const struct jval *list)
{
        static const char *const headers[] = { "#TID", "NAME", "STATE", "#CPU", NULL };
        struct table t;

        table_begin(&t, headers);
        for (size_t i = 0; i < jval_len(list); i++) {
                const struct jval *n = jval_at(list, i);

                int_cell(&t, n, "tid");
                text_cell(&t, n, "name");
                text_cell(&t, n, "state");
                cpu_cell(&t, n);
        }
        table_print(&t, "none");
}

static void print_stacks(const struct jval *stacks)
{
        static const char *const headers[] = { "NAME", "#THREADS", "#DEEPEST", NULL };
        const struct jval *uses = jval_get(stacks, "uses");
        struct table t;
        char text[128];

        snprintf(text, sizeof(text), "\nstacks of %lld KiB; %lld guarded by %s, %lld refused",
                 (long long)jval_get_int(stacks, "size", 0) / 1024,
                 (long long)jval_get_int(stacks, "guards", 0), jval_get_text(stacks, "guard", "?"),
                 (long long)jval_get_int(stacks, "guards_refused", 0));
        print_heading(text);
        table_begin(&t, headers);
        for (size_t i = 0; i < jval_len(uses); i++) {
                text_cell(&t, jval_at(uses, i), "name");
                int_cell(&t, jval_at(uses, i), "threads");
                kib_cell(&t, jval_at(uses, i), "most");
        }
        table_print(&t, "none was looked at");
}

enum ctl_exit ctl_threads(struct ctl *c)
{
        struct jval CLEANUP(jval_unrefp) *answer = NULL;
        enum ctl_exit status = ask(c, "threads", &answer);
        char text[64];

        if (!for_people(c, status, answer))
                return status;
        snprintf(text, sizeof(text), "%zu green threads", jval_len(jval_get(answer, "green")));
        print_heading(text);
        print_green(jval_get(answer, "green"));
        snprintf(text, sizeof(text), "\n%zu native threads", jval_len(jval_get(answer, "native")));
        print_heading(text);
        print_native(jval_get(answer, "native"));
        print_stacks(jval_get(answer, "stacks"));
        return CTL_OK;
}

/* ---- pools ---- */

static void print_pools(const struct jval *list)
{
        static const char *const headers[] = { "POOL",  "#SIZE",    "#RUNNING", "#WAITING",
                                               "#MOST", "#STARTED", NULL };
        static const char *const keys[] = { "size", "running", "waiting", "most", "started" };
        struct table t;

        table_begin(&t, headers);
        for (size_t i = 0; i < jval_len(list); i++) {
                text_cell(&t, jval_at(list, i), "name");
                for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++)
                        int_cell(&t, jval_at(list, i), keys[k]);
        }
        table_print(&t, "no green pools");
}

static void print_doing(const struct jval *pools)
{
        static const char *const headers[] = { "BLOCKING CALL", "OF", "#SINCE", "!", NULL };
        struct table t;

        table_begin(&t, headers);
        for (size_t i = 0; i < jval_len(pools); i++) {
                const struct jval *doing = jval_get(jval_at(pools, i), "doing");

                for (size_t k = 0; k < jval_len(doing); k++) {
                        const struct jval *d = jval_at(doing, k);

                        text_cell(&t, d, "name");
                        text_cell(&t, d, "what");
                        duration_cell(&t, number(d, "since"));
                        table_cell(&t, jval_get_bool(d, "hung", false) ? "hung" : "running");
                }
        }
        if (t.n_cells)
                puts("");
        if (t.n_cells)
                table_print(&t, "");
}

static void print_tpools(const struct jval *list)
{
        static const char *const headers[] = { "WORKERS OF", "#WORKERS", "#BUSY",     "#HUNG",
                                               "#QUEUED",    "#DONE",    "#TIMEOUTS", NULL };
        static const char *const keys[] = { "workers", "busy", "hung", "queued", "done", "timeouts" };
        struct table t;

        puts("");
        table_begin(&t, headers);
        for (size_t i = 0; i < jval_len(list); i++) {
                text_cell(&t, jval_at(list, i), "name");
                for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++)
                        int_cell(&t, jval_at(list, i), keys[k]);
        }
        table_print(&t, "no pools of native workers");
        print_doing(list);
}

static void print_queues(const struct jval *list)
{
        static const char *const headers[] = { "QUEUE", "#PUSHED", "#OVERFLOWS", NULL };
        struct table t;

        puts("");
        table_begin(&t, headers);
        for (size_t i = 0; i < jval_len(list); i++) {
                text_cell(&t, jval_at(list, i), "name");
                int_cell(&t, jval_at(list, i), "pushed");
                int_cell(&t, jval_at(list, i), "overflows");
        }
        table_print(&t, "no queues");
}

static void print_locks(const struct jval *list)
{
        static const char *const headers[] = { "LOCK", "HELD BY", "#FOR", "#WAITERS", NULL };
        struct table t;

        if (jval_len(list) == 0)
                return;
        puts("");
        table_begin(&t, headers);
        for (size_t i = 0; i < jval_len(list); i++) {
                const struct jval *l = jval_at(list, i);

                text_cell(&t, l, "name");
                table_cellf(&t, "#%lld %s", (long long)jval_get_int(l, "owner_id", 0),
                            jval_get_text(l, "owner", "?"));
                duration_cell(&t, number(l, "held"));
                int_cell(&t, l, "waiters");
        }
        table_print(&t, "");
}

enum ctl_exit ctl_pools(struct ctl *c)
{
        struct jval CLEANUP(jval_unrefp) *answer = NULL;
        enum ctl_exit status = ask(c, "pools", &answer);

        if (!for_people(c, status, answer))
                return status;
        print_pools(jval_get(answer, "pools"));
        print_tpools(jval_get(answer, "tpools"));
        print_queues(jval_get(answer, "queues"));
        print_locks(jval_get(answer, "locks"));
        return CTL_OK;
}

/* ---- tasks ---- */

static void optional_duration_cell(struct table *t, const struct jval *object, const char *key)
{
        if (jval_is_null(jval_get(object, key)))
                table_cell(t, NULL);
        else
                duration_cell(t, number(object, key));
}

static void add_task_row(struct table *t, const struct jval *task)
{
        const char *idle = jval_get_text(task, "idle", NULL);

        text_cell(t, task, "task");
        if (idle)
                table_cell(t, NULL);
        else
                duration_cell(t, number(task, "interval_s"));
        optional_duration_cell(t, task, "next_in_s");
        optional_duration_cell(t, task, "last_took_s");
        int_cell(t, task, "runs");
        int_cell(t, task, "failures");
        table_cellf(t, "%s%s",
                    idle                                    ? "idle: "
                    : jval_get_bool(task, "running", false) ? "running"
                                                            : " ",
                    idle ? idle : "");
}

enum ctl_exit ctl_tasks(struct ctl *c)
{
        static const char *const headers[] = { "TASK",  "#EVERY",  "#NEXT IN", "#LAST TOOK",
                                               "#RUNS", "#FAILED", "",         NULL };
        struct jval CLEANUP(jval_unrefp) *answer = NULL;
        enum ctl_exit status = ask(c, "tasks", &answer);
        const struct jval *list = jval_get(answer, "tasks");
        struct table t;

        if (!for_people(c, status, answer))
                return status;
        table_begin(&t, headers);
        for (size_t i = 0; i < jval_len(list); i++)
                add_task_row(&t, jval_at(list, i));
        table_print(&t, "the agent has not come to its periodic tasks yet");
        return CTL_OK;
}

/* ---- health ---- */

static int add_check(const char *name, struct jval *one, void *arg)
{
        table_cell(arg, name);
        text_cell(arg, one, "status");
        text_cell(arg, one, "output");
        return 0;
}

/* A script asks for the status: only "fail" fails, since a warning mends itself or is somebody else's. */
enum ctl_exit ctl_health(struct ctl *c)
{
        static const char *const headers[] = { "CHECK", "!STATUS", "OBSERVED", NULL };
        struct jval CLEANUP(jval_unrefp) *answer = NULL;
        enum ctl_exit status = ask(c, "health", &answer);
        struct table t;

        if (status != CTL_OK || !answer)
                return status;
        if (!c->json) {
                table_begin(&t, headers);
                jval_foreach(jval_get(answer, "checks"), add_check, &t);
                table_print(&t, "no checks");
                puts("");
                print_field("health", jval_get_text(answer, "status", NULL));
        }
        return strcmp(jval_get_text(answer, "status", ""), "fail") == 0 ? CTL_FAILED : CTL_OK;
}
