/*
 * agent/reload.c: SIGHUP: the configuration read again.
 *
 * The files are read and checked as at the start; with a single mistake in them nothing changes. Else what
 * may change while the agent runs does, all of it between two switches of green threads, and the rest is
 * named: it waits for a restart (as oslo.config's mutate_config_files() has it). Who reads the settings at
 * each use needs to know nothing; who made something by them is told by tell_parts().
 */
#include "agent_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOG_MODULE "agent"
#include "base/log.h"
#include "base/mem.h"
#include "compute/manager.h"
#include "logging.h"
#include "mysql/mysql_pool.h"
#include "native/file.h"
#include "native/stall_watcher.h"
#include "notify.h"
#include "progress.h"
#include "peers/keystone.h"
#include "peers/placement.h"

/* What was read, on a worker, as log and configuration may lie anywhere. */
struct reading {
        const struct options *options; /* what they name lives as long as the process */
        struct conf *conf;             /* NULL: it has mistakes */
        struct strbuf errors;
        struct error log; /* of opening the log */
};

static void reading_free(void *arg)
{
        struct reading *r = arg;

        conf_free(r->conf);
        strbuf_free(&r->errors);
        free(r);
}

static int read_again(void *arg, const bool *given_up, struct error *err)
{
        struct reading *r = arg;

        assert_on_worker();
        (void)given_up;
        (void)err;
        log_reopen(&r->log);
        r->conf = conf_load_from(
                &(struct conf_from){ r->options->sources, r->options->n_sources, CONF_FOR_START },
                &r->errors);
        return 0;
}

static void take_reading(void *arg, void *into)
{
        struct reading *r = arg;

        *(struct reading *)into = *r;
        *r = (struct reading){};
}

/* New connections use it; the old ones are closed when they are given back. */
static void HUB_ONLY change_database(struct agent *a)
{
        struct error err;

        if (a->db && db_pool_set_url(a->db, a->conf->database.connection, &err) < 0)
                log_error("reload: [database] connection: %s", err.text); /* was checked when it was read */
}

static void HUB_ONLY tell_parts(struct agent *a)
{
        const struct conf *c = a->conf;

        logging_follow_settings(c);
        if (a->watcher)
                stall_watcher_set_threshold(a->watcher, (unsigned)c->hub.stall_threshold_ms);
        file_set_timeout((double)c->hub.file_timeout);
        if (a->db)
                db_pool_set_limits(a->db, (unsigned)c->database.max_pool_size,
                                   (unsigned)c->database.max_overflow, c->database.connection_recycle_time);
        if (a->driver && a->driver->ops->set_call_timeout)
                a->driver->ops->set_call_timeout(a->driver, (double)c->libvirt.call_timeout);
        if (a->placement_user)
                keystone_set_password(a->placement_user, c->placement.identity.password);
        if (a->service_user)
                keystone_set_password(a->service_user, c->service_user.identity.password);
        if (a->placement)
                placement_set_refresh(a->placement, c->compute.resource_provider_association_refresh);
        if (a->manager)
                compute_follow_settings(a->manager);
        if (a->rpc)
                rpc_server_set_workers(a->rpc, (unsigned)c->executor_thread_pool_size);
        if (a->control)
                rpc_server_set_workers(a->control, (unsigned)c->executor_thread_pool_size);
        a->methods.timeout_s = (double)c->rpc_response_timeout;
        a->methods.long_timeout_s = (double)c->long_rpc_timeout;
}

static void refuse(struct agent *a, char *errors)
{
        char *line, *rest = NULL;

        a->admin.refused_mistakes = 0;
        for (line = strtok_r(errors, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
                a->admin.refused_mistakes++;
                log_error("reload: %s", line);
        }
        log_error("reload refused, mistakes: %u; nothing was changed, the settings before it stay",
                  a->admin.refused_mistakes);
}

static void log_change(const struct conf_change *change, void *arg)
{
        struct agent *a = arg;
        size_t used = strlen(a->admin.needs_restart);

        if (change->reloads) {
                log_info("reload: %s: %s → %s", change->name, change->from, change->to);
                return;
        }
        log_warning("reload: needs a restart: %s: %s → %s", change->name, change->from, change->to);
        snprintf(a->admin.needs_restart + used, sizeof(a->admin.needs_restart) - used, "%s%s",
                 used ? ", " : "", change->name);
}

/* One that was set at run time, or by --log-level, stays until the file says something else than before. */
static enum log_level level_after(const struct conf *now, const struct conf *fresh)
{
        enum log_level level = log_get_level();

        if (now->debug != fresh->debug || strcmp(now->log_level, fresh->log_level) != 0)
                log_level_parse(fresh->debug ? "debug" : fresh->log_level, &level);
        return level;
}

static void HUB_ONLY take_over(struct agent *a, const struct conf *fresh)
{
        bool database = strcmp(a->conf->database.connection, fresh->database.connection) != 0;
        bool modules = strcmp(a->conf->default_log_levels, fresh->default_log_levels) != 0;
        enum log_level level = level_after(a->conf, fresh);
        struct error ignored;

        a->admin.refused_mistakes = 0;
        a->admin.needs_restart[0] = '\0';
        if (level < log_get_level()) /* what changes is told by the more talkative one of both */
                log_set_level(level);
        conf_compare(a->conf, fresh, log_change, a);
        if (*fresh->notes && strcmp(fresh->notes, a->conf->notes) != 0)
                log_warning("configuration:\n%s", fresh->notes);
        conf_apply(a->conf, fresh);
        tell_parts(a);
        if (database)
                change_database(a);
        log_info("configuration read again%s%s", a->admin.needs_restart[0] ? "; needs a restart: " : "",
                 a->admin.needs_restart);
        log_set_level(level);
        if (modules)
                log_set_module_levels(fresh->default_log_levels, &ignored); /* was checked when it was read */
}

static void YIELDS reload_once(struct agent *a)
{
        struct reading *r = NEW(struct reading), got = {};
        const struct file_call c = { "read configuration", a->conf->path, read_again, r,
                                     reading_free,         take_reading,  &got };
        struct error err = {};

        r->options = a->options;
        if (file_call(a->files, &c, file_soon(deadline_never()), &err) < 0) {
                strbuf_addf(&got.errors, "%s\n", err.text);
                refuse(a, got.errors.data);
        } else {
                if (got.log.code)
                        log_error("opening the log again: %s; going on with the old file", got.log.text);
                if (got.conf)
                        take_over(a, got.conf);
                else
                        refuse(a, got.errors.data);
        }
        conf_free(got.conf);
        strbuf_free(&got.errors);
}

static bool serves(const struct agent *a)
{
        return a->admin.ready && !a->admin.draining;
}

int agent_reload(void *arg, struct error *err)
{
        struct agent *a = arg;

        assert_green();
        a->reload_again = true;
        if (a->reloading) /* one after the other, or an older reading could come last */
                return 0;
        a->reloading = true;
        while (a->reload_again && !green_cancelled()) {
                a->reload_again = false;
                if (serves(a))
                        notify_reloading();
                reload_once(a);
                if (serves(a)) {
                        progress_show(a->progress);
                        notify_ready();
                }
        }
        a->reloading = false;
        return 0;
}
