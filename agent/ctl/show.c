/* agent/ctl/show.c: instances, tasks, health: what the agent answers, as tables. */
#include <stdio.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "ctl/answer.h"

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
        const char *headers[] = { "UUID",    "~NAME",  "DOMAIN",  "!STATE", "TASK", "!POWER",
                                  "!ACTUAL", "#VCPUS", "#MEMORY", "~DOING", NULL };
        struct jval CLEANUP(jval_unrefp) *answer = NULL;
        enum ctl_exit status = ctl_ask_plainly(c, "instances", &answer);
        const struct jval *list = jval_get(answer, "instances");
        bool busy = is_any_busy(list);
        struct table t;

        if (!ctl_for_people(c, status, answer))
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
        table_print(&t, "no instances on this host");
        return CTL_OK;
}

/* ---- tasks ---- */

static void add_task_row(struct table *t, const struct jval *task)
{
        const char *idle = jval_get_text(task, "idle", NULL);

        text_cell(t, task, "task");
        if (idle)
                table_cell(t, NULL);
        else
                duration_cell(t, task, "interval_s");
        duration_cell(t, task, "next_in_s");
        duration_cell(t, task, "last_took_s");
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
        enum ctl_exit status = ctl_ask_plainly(c, "tasks", &answer);
        const struct jval *list = jval_get(answer, "tasks");
        struct table t;

        if (!ctl_for_people(c, status, answer))
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
        enum ctl_exit status = ctl_ask_plainly(c, "health", &answer);
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
