/*
 * agent/admin/log.c: log levels while the agent runs: of all, of a module, for a while.
 *
 * A level that was set for a while goes back by itself to what was before the first of such settings, unless
 * somebody has set another one meanwhile. Of a restart nothing is left.
 */
#include <string.h>

#define LOG_MODULE "rpc.admin"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "admin/access.h"
#include "admin/admin.h"

#define WHILE_MAX_S (24 * 3600)

struct log_level_args {
        char *level, *module;
        bool reset;
        int64_t seconds;
};

static const struct json_field log_level_fields[] = {
        { "level", json_field_text, offsetof(struct log_level_args, level), JSON_NULLABLE },
        { "module", json_field_text, offsetof(struct log_level_args, module), JSON_NULLABLE },
        { "reset", json_field_bool, offsetof(struct log_level_args, reset), 0 },
        { "seconds", json_field_int, offsetof(struct log_level_args, seconds), JSON_NULLABLE },
        {},
};

/* ---- what is set ---- */

struct own_level {
        const char *module; /* NULL: all that have none of their own */
        bool has;
        enum log_level level;
};

static void take_own(const char *module, enum log_level level, void *arg)
{
        struct own_level *own = arg;

        if (strcmp(module, own->module) != 0)
                return;
        own->has = true;
        own->level = level;
}

static struct own_level own_level(const char *module)
{
        struct own_level own = { .module = module, .has = !module, .level = log_get_level() };

        if (module)
                log_foreach_module_level(take_own, &own);
        return own;
}

static int set_level(const char *module, enum log_level level, struct error *err)
{
        if (module)
                return log_set_module_level(module, level, err);
        log_set_level(level);
        return 0;
}

/* Of what is in effect. */
static const char *level_name(const char *module)
{
        return log_level_name(module ? log_get_module_level(module) : log_get_level());
}

/* There can be such a module: to have as its own what is in effect for it anyway changes nothing. */
static int check_module(const char *module, struct error *err)
{
        if (!module || own_level(module).has)
                return 0;
        if (log_set_module_level(module, log_get_module_level(module), err) < 0)
                return -1;
        log_clear_module_level(module);
        return 0;
}

/* ---- going back ---- */

struct going_back { /* freed by its green thread */
        struct list node;
        char *module; /* NULL: all */
        bool had;     /* a level of its own: `before` */
        enum log_level before, set;
        int64_t at_ns;
        bool given_up;
        struct green *green;
};
static struct list pending = LIST_INIT(pending);

static bool same_module(const char *a, const char *b)
{
        return a && b ? strcmp(a, b) == 0 : a == b;
}

static struct going_back *HUB_ONLY find_pending(const char *module)
{
        list_for_each (node, &pending) {
                struct going_back *g = CONTAINER_OF(node, struct going_back, node);

                if (same_module(g->module, module))
                        return g;
        }
        return NULL;
}

static void HUB_ONLY give_up(struct going_back *g)
{
        g->given_up = true;
        list_remove(&g->node);
        green_cancel(g->green);
}

static void HUB_ONLY go_back(const struct going_back *g)
{
        struct own_level now = own_level(g->module);
        struct error ignored;

        if (!now.has || now.level != g->set)
                return; /* a reload, or somebody else, has set it since */
        if (g->had)
                set_level(g->module, g->before, &ignored);
        else
                log_clear_module_level(g->module);
        log_warning("log level of %s is %s again: the time that was asked for is over",
                    g->module ? g->module : "all modules", level_name(g->module));
}

static int wait_and_go_back(void *arg, struct error *err)
{
        struct going_back *g = arg;
        int r;

        assert_green();
        r = green_sleep((double)(g->at_ns - clock_now_ns()) / (double)NS_PER_S, err);
        if (!g->given_up) {
                list_remove(&g->node);
                if (r == 0)
                        go_back(g);
        }
        green_unref(g->green);
        free(g->module);
        free(g);
        return 0;
}

static int HUB_ONLY go_back_in(int64_t seconds, const struct own_level *before, enum log_level set,
                               struct error *err)
{
        struct going_back *g = NEW(struct going_back);

        g->module = before->module ? xstrdup(before->module) : NULL;
        g->had = before->has;
        g->before = before->level;
        g->set = set;
        g->at_ns = clock_now_ns() + seconds * NS_PER_S;
        g->green = green_spawn_ref(NULL, "log level", wait_and_go_back, g, err);
        if (g->green) {
                list_append(&pending, &g->node);
                return 0;
        }
        free(g->module);
        free(g);
        return -1;
}

/* ---- asked over the socket ---- */

static int HUB_ONLY change(const struct log_level_args *a, unsigned uid, struct error *err)
{
        struct own_level before = own_level(a->module);
        struct going_back *g = find_pending(a->module);
        enum log_level level;

        if (!log_level_parse(a->level, &level))
                return error_set(err, ERR_RPC_BAD_ARGUMENTS,
                                 "level: \"%.32s\" is none of debug, info, warning, error, critical",
                                 a->level);
        if (a->seconds < 0 || a->seconds > WHILE_MAX_S)
                return error_set(err, ERR_RPC_BAD_ARGUMENTS, "seconds: %lld is not from 0 to %d, a day",
                                 (long long)a->seconds, WHILE_MAX_S);
        if (check_module(a->module, err) < 0) {
                err->code = ERR_RPC_BAD_ARGUMENTS;
                return -1;
        }
        if (g && before.has && before.level == g->set) { /* else it was set anew since, as by a reload */
                before.has = g->had;
                before.level = g->before;
        }
        /* Before it is set, or a higher level would keep the line out of the log. */
        log_warning("log level of %.64s is now %s (was %s), as asked over the local socket by uid %u",
                    a->module ? a->module : "all modules", log_level_name(level), level_name(a->module), uid);
        if (set_level(a->module, level, err) < 0)
                return -1;
        if (g)
                give_up(g);
        return a->seconds > 0 ? go_back_in(a->seconds, &before, level, err) : 0;
}

/* What the configuration says, also of a module: mostly nothing, then it has no level of its own any more. */
static int HUB_ONLY reset(const struct admin_sources *s, const struct log_level_args *a, unsigned uid,
                          struct error *err)
{
        const struct conf *c = s->conf;
        enum log_level level = log_get_level();
        struct going_back *g = find_pending(a->module);

        if (a->level || a->seconds)
                return error_set(err, ERR_RPC_BAD_ARGUMENTS, "reset: a level and a time do not go with it");
        if (a->module) {
                if (g)
                        give_up(g);
                if (!log_find_module_level(c->default_log_levels, a->module, &level))
                        log_clear_module_level(a->module);
                else if (log_set_module_level(a->module, level, err) < 0)
                        return -1;
        } else {
                while (!list_empty(&pending))
                        give_up(CONTAINER_OF(pending.next, struct going_back, node));
                log_level_parse(s->log_level ? s->log_level : c->debug ? "debug" : c->log_level, &level);
                log_set_level(level);
                if (log_set_module_levels(c->default_log_levels, err) < 0)
                        return -1;
        }
        log_warning("log level of %.64s is %s as configured again, as asked over the local socket by uid %u",
                    a->module ? a->module : "all modules", level_name(a->module), uid);
        return 0;
}

/* ---- what is told ---- */

static struct jval *HUB_ONLY goes_back_in(const char *module)
{
        const struct going_back *g = find_pending(module);

        return g ? jval_new_real((double)(g->at_ns - clock_now_ns()) / (double)NS_PER_S) : jval_new_null();
}

static void add_module(const char *module, enum log_level level, void *arg)
{
        struct jval *one = jval_new_object();

        assert_on_hub();
        jval_set_text(one, "module", module);
        jval_set_text(one, "level", log_level_name(level));
        jval_set(one, "back_in_s", goes_back_in(module));
        jval_push(arg, one);
}

static struct jval *HUB_ONLY tell(const char *module)
{
        struct jval *to = jval_new_object(), *modules = jval_new_array();

        jval_set_text(to, "level", level_name(module));
        jval_set_text(to, "module", module);
        jval_set(to, "back_in_s", goes_back_in(module));
        log_foreach_module_level(add_module, modules);
        jval_set(to, "modules", modules);
        return to;
}

int admin_method_log_level(struct rpc_call *call, struct error *err)
{
        struct log_level_args args = {};
        int r;

        assert_green();
        if (json_fields_decode_strict(log_level_fields, call->request->args, &args, err) < 0) {
                err->code = ERR_RPC_BAD_ARGUMENTS;
                return -1;
        }
        r = args.level || args.reset ? access_may_change(call, err) : 0;
        if (r == 0 && args.reset)
                r = reset(call->app, &args, call->peer_uid, err);
        else if (r == 0 && args.level)
                r = change(&args, call->peer_uid, err);
        if (r == 0)
                call->result = tell(args.module);
        json_fields_free(log_level_fields, &args);
        return r;
}
