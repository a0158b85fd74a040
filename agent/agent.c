/*
 * agent/agent.c: the life of the daemon around its parts.
 *
 * A start may take long (a database that is not there yet, hundreds of instances to recover), so it runs in a
 * green thread of its own while main listens to signals: a SIGTERM cancels it wherever it waits. What was
 * started is stopped in reverse order, whether the start was whole or not.
 */
#include "agent_priv.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define LOG_MODULE "agent"
#include "base/log.h"
#include "base/mem.h"
#include "compute/manager.h"
#include "log_journal.h"
#include "native/fatal.h"
#include "notify.h"
#include "process.h"
#include "progress.h"
#include "report/report.h"

/* The start, and who ends serve() when it has failed: main waits for signals only. */
struct start_watch {
        struct agent *agent;
        struct green *main, *starter;
        struct error failed;
};

static int start_parts(void *arg, struct error *err)
{
        struct start_watch *w = arg;
        struct agent *a = w->agent;

        assert_green();
        if (parts_start(a, err) < 0) {
                if (err->code == ERR_CANCELLED)
                        return -1;
                w->failed = *err; /* main tells it; as this thread's failure it would be told twice */
                return 0;
        }
        a->admin.ready = true;
        jval_unref(admin_health(&a->admin)); /* STATUS= is not to name as missing what has come just now */
        progress_show(a->progress);
        notify_ready();
        log_info("ready: serving host %s on %s", a->conf->host, a->transport->ops->scheme);
        return 0;
}

static void name_unfinished_call(const struct rpc_running *r, void *arg)
{
        log_warning("not finished: %s %s%s%s after %.1f s", r->method, r->request_id ? r->request_id : "-",
                    r->instance ? " for instance " : "", r->instance ? r->instance : "", r->seconds);
}

static void name_unfinished_work(const struct compute_running *r, void *arg)
{
        log_warning("not finished: %s %s for instance %s (%s) after %.1f s; the next start repairs it",
                    r->method, r->request_id, r->uuid, r->doing, r->seconds);
}

static int YIELDS drain_control(struct agent *a, struct deadline by, struct error *err)
{
        if (!a->control)
                return 0;
        rpc_server_stop(a->control);
        return rpc_server_wait(a->control, by, err);
}

/* Would somebody keep what is sent to this host until the next agent is here? */
static bool HUB_ONLY keeps_requests(struct transport *t)
{
        char text[1024];
        bool ok;

        transport_describe(t, text, sizeof(text), &ok);
        return ok && t->ops->gives_back;
}

/* Consumes no more, lets what runs finish in time, names what did not. */
static int drain(void *arg, struct error *err)
{
        struct agent *a = arg;
        int64_t limit = a->conf->graceful_shutdown_timeout;
        struct deadline by = limit ? deadline_in_s((double)limit) : deadline_never();

        assert_green();
        if (!a->rpc)
                return 0;
        progress_show(a->progress);
        notify_extend_timeout(limit ? (double)limit + STOP_S : 3600);
        rpc_server_stop(a->rpc);
        if (keeps_requests(a->transport))
                compute_hand_back_builds(a->manager);
        if (rpc_server_wait(a->rpc, by, err) == 0 && drain_control(a, by, err) == 0 &&
            compute_drain(a->manager, by, err) == 0) {
                log_info("drained: nothing is running");
                return 0;
        }
        if (err->code == ERR_CANCELLED)
                return -1;
        rpc_server_foreach(a->rpc, name_unfinished_call, NULL);
        if (a->control)
                rpc_server_foreach(a->control, name_unfinished_call, NULL);
        compute_manager_foreach_running(a->manager, name_unfinished_work, NULL);
        return 0;
}

static void quit_at_once(void)
{
        log_warning("stopped by SIGINT: exiting at once; the next start repairs what was going on");
        log_stop();
        _exit(EXIT_FAILURE);
}

/* Serves signals until one says to stop (0) or the start failed (-1). */
static int YIELDS serve(struct agent *a, struct error *err)
{
        struct error ignored;

        for (;;) {
                int sig = process_next_signal(err);

                switch (sig) {
                case SIGTERM:
                        return 0;
                case SIGINT:
                        quit_at_once();
                        break;
                case SIGHUP:
                        if (a->files) /* else it was read a moment ago */
                                green_spawn(NULL, "reload", agent_reload, a, &ignored);
                        break;
                default:
                        return -1; /* cancelled by watch_start(), or signals cannot be read */
                }
        }
}

static int watch_start(void *arg, struct error *err)
{
        struct start_watch *w = arg;

        assert_green();
        if (green_join(w->starter, deadline_never(), NULL, err) < 0)
                return -1;
        if (w->failed.code != ERR_NONE)
                green_cancel(w->main);
        return 0;
}

/* While draining a second SIGTERM changes nothing, SIGINT ends it at once. */
static int watch_impatience(void *arg, struct error *err)
{
        int sig;

        assert_green();
        while ((sig = process_next_signal(err)) >= 0)
                if (sig == SIGINT)
                        quit_at_once();
        return -1;
}

static int YIELDS live(struct agent *a, struct error *err)
{
        struct start_watch watch = { .agent = a, .main = green_self() };
        struct green_group *group = green_group_new("life");
        struct error ignored;
        int r;

        watch.starter = green_spawn_ref(NULL, "start", start_parts, &watch, err);
        if (!watch.starter || green_spawn(group, "start watch", watch_start, &watch, err) < 0)
                return -1;
        r = serve(a, err);
        green_shield_begin();
        green_group_close(group);
        notify_stopping();
        if (watch.failed.code != ERR_NONE && r < 0) {
                *err = watch.failed;
        } else if (!green_ended(watch.starter)) {
                log_info("asked to stop while starting");
                green_cancel(watch.starter);
                green_join(watch.starter, deadline_never(), NULL, &ignored);
        } else {
                log_info("asked to stop: draining");
                a->admin.draining = true;
                if (green_spawn(NULL, "impatience", watch_impatience, NULL, err) == 0)
                        r = drain(a, err);
        }
        a->admin.ready = false;
        parts_stop(a);
        green_unref(watch.starter);
        green_shield_end();
        log_info("stopped");
        return r;
}

int agent_main(void *arg, struct error *err)
{
        const struct agent_options *opt = arg;
        struct agent a = { .conf = opt->conf, .options = opt->options };
        int r;

        assert_green();
        log_set_context_fn(green_format_log_context);
        green_accounting(true); /* some 10 ns per switch, of which there are thousands a second at most */
        a.admin.options = opt->options;
        if (opt->options->has_log_level)
                a.admin.log_level = log_level_name(opt->options->log_level);
        a.admin.started_ns = clock_now_ns();
        a.admin.write_report = report_write;
        a.admin.conf = opt->conf;
        a.admin.stderr_is_journal = log_journal_is_stderr();
        if (fatal_start(err) < 0 || green_catch_overflow(err) < 0 || notify_watchdog_start(err) < 0)
                return -1;
        r = live(&a, err);
        fatal_stop();
        return r;
}
