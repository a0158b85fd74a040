/* agent/admin/tasks.c: the periodic tasks, as JSON: when they ran, when they run next, why they do not.
 */
#include "periodic.h"
#include "admin/admin.h"

static void add_task(const struct periodic_info *info, void *arg)
{
        struct jval *one = jval_new_object();

        jval_set_text(one, "task", info->task);
        jval_set_text(one, "loop", info->loop);
        jval_set_real(one, "interval_s", info->interval_s);
        jval_set(one, "next_in_s", info->next_in_s < 0 ? jval_new_null() : jval_new_real(info->next_in_s));
        jval_set(one, "last_took_s", info->runs == 0 ? jval_new_null() : jval_new_real(info->last_took_s));
        jval_set_int(one, "runs", (int64_t)info->runs);
        jval_set_int(one, "failures", (int64_t)info->failures);
        jval_set_bool(one, "running", info->running);
        jval_set_text(one, "idle", info->idle);
        jval_push(arg, one);
}

struct jval *admin_tasks(const struct admin_sources *s)
{
        struct jval *to = jval_new_object(), *list = jval_new_array();

        if (s->manager)
                compute_foreach_periodic(s->manager, add_task, list);
        jval_set(to, "tasks", list);
        return to;
}
