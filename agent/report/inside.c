/*
 * agent/report/inside.c: what only the hub knows. The functions are called on it without a switch between
 * them, so that what they say fits together; or, when it is stuck, in a copy that looks as it did then.
 */
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "json/json.h"
#include "native/stall_watcher.h"
#include "report/report_priv.h"

enum { FRAMES_MAX = 32 };

struct greens {
        struct strbuf *to;
        unsigned n;
};

static void add_green(const struct green_info *info, struct green *g, void *arg)
{
        struct greens *all = arg;
        void *frames[FRAMES_MAX];
        int n;

        assert_on_hub();
        if (all->n++ >= GREEN_MAX)
                return;
        strbuf_addf(all->to,
                    "#%lu %s (group %s, spawned at %s): %s for %.1f s, age %.1f s, %.1f ms of CPU, %lu "
                    "switches%s\n",
                    info->id, info->name, info->group, info->site, info->state, info->in_state_s, info->age_s,
                    info->cpu_s > 0 ? info->cpu_s * 1000 : 0, info->switches,
                    info->cancelled ? ", cancelled" : "");
        n = g == green_self() ? 0 : green_backtrace(g, frames, FRAMES_MAX);
        for (int i = 0; i < n; i++)
                strbuf_addf(all->to, "%c%lx\n", FRAME_MARK, (unsigned long)(uintptr_t)frames[i]);
}

/* The one that runs is either the one that tells this, or in the copy, where its native thread says it. */
void inside_green_threads(const struct admin_sources *from, struct strbuf *to)
{
        struct greens all = { .to = to };
        struct hub_stats stats;

        assert_on_hub();
        hub_get_stats(&stats);
        strbuf_addf(to, "%u green threads, %u of them ready; most at once: %u\n", stats.threads, stats.ready,
                    stats.threads_max);
        green_foreach(add_green, &all);
        if (all.n > GREEN_MAX)
                strbuf_addf(to, "%u more green threads are not shown\n", all.n - GREEN_MAX);
}

void inside_configuration(const struct admin_sources *from, struct strbuf *to)
{
        conf_dump(from->conf, CONF_DUMP_PLACES, to); /* secrets masked */
}

/* Takes the value over. */
static void add(struct strbuf *to, struct jval *value)
{
        report_add_value(to, value, 0);
        jval_unref(value);
}

void inside_status(const struct admin_sources *from, struct strbuf *to)
{
        struct jval *status;

        assert_on_hub();
        status = admin_status_now(from);
        jval_remove(status, "pid"); /* a copy has its own */
        add(to, status);
}

void inside_health(const struct admin_sources *from, struct strbuf *to)
{
        assert_on_hub();
        add(to, admin_health(from));
}

void inside_pools(const struct admin_sources *from, struct strbuf *to)
{
        struct jval *pools;

        assert_on_hub();
        pools = admin_pools(from);
        jval_remove(pools, "locks"); /* a section of their own has more */
        add(to, pools);
}

void inside_locks(const struct admin_sources *from, struct strbuf *to)
{
        assert_on_hub();
        add(to, admin_locks());
}

void inside_tasks(const struct admin_sources *from, struct strbuf *to)
{
        assert_on_hub();
        add(to, admin_tasks(from));
}

void inside_hub(const struct admin_sources *from, struct strbuf *to)
{
        struct hub_stats s;

        assert_on_hub();
        hub_get_stats(&s);
        strbuf_addf(to, "switches = %lu\nspawned = %lu\ntimers_fired = %lu\npolls = %lu\nsleeps = %lu\n",
                    s.switches, s.spawned, s.timers_fired, s.polls, s.sleeps);
        strbuf_addf(to,
                    "stacks_cached = %u\nstack_size = %zu\nguard = %s\nguards = %u\nguards_refused = %u\n",
                    s.stacks_cached, s.stack_size, s.guard, s.guards, s.guards_refused);
        if (from->watcher)
                strbuf_addf(to, "stalls = %lu\n", stall_watcher_count(from->watcher));
        strbuf_addf(to, "log_lines_dropped = %lu\n", log_dropped());
}

int inside_instances(const struct admin_sources *from, struct strbuf *to, struct error *err)
{
        struct jval *value = NULL;

        if (admin_instances(from, &value, err) < 0)
                return -1;
        add(to, value);
        return 0;
}
