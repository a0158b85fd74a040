/*
 * agent/admin/jobs.c: what is under way: operations on instances with how far they are, other requests,
 * and calls that block a native thread, the hung ones among them.
 *
 * How far: bytes of a download are counted by who writes them; of a guest's memory on its way to disk only
 * the hypervisor knows, so it is asked, shortly, about the operations that may be at that.
 */
#include <string.h>

#include "base/mem.h"
#include "native/tpool.h"
#include "admin/admin.h"

#define ASK_S   1.0 /* the hypervisor, about one guest */
#define ASK_MAX 8   /* of one list */

/* ---- operations ---- */

static struct jval *progress(int64_t done, int64_t total)
{
        struct jval *to = jval_new_object();

        jval_set_int(to, "done", done);
        jval_set(to, "total", total > 0 ? jval_new_int(total) : jval_new_null());
        jval_set_text(to, "unit", "bytes");
        return to;
}

void admin_add_running(const struct compute_running *r, void *arg)
{
        struct jval *one = jval_new_object();

        jval_set_text(one, "method", r->method);
        jval_set_text(one, "request_id", r->request_id);
        jval_set_text(one, "uuid", r->uuid);
        jval_set_text(one, "doing", r->doing);
        jval_set_real(one, "seconds", r->seconds);
        jval_set(one, "progress", r->done < 0 ? jval_new_null() : progress(r->done, r->total));
        jval_push(arg, one);
}

/* A guest's memory is saved or restored, as far as we know. */
static bool may_be_known_there(const struct jval *job)
{
        static const char *const methods[] = { "suspend_instance", "resume_instance" };

        for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
                if (strcmp(jval_get_text(job, "method", ""), methods[i]) == 0)
                        return jval_is_null(jval_get(job, "progress"));
        }
        return false;
}

static void YIELDS ask_the_hypervisor(const struct admin_sources *s, struct jval *jobs)
{
        struct virt_driver *d = s->driver;
        struct error ignored;
        unsigned asked = 0;

        for (size_t i = 0; d && i < jval_len(jobs) && asked < ASK_MAX; i++) {
                struct jval *job = jval_at(jobs, i);
                struct guest_job at = {};

                if (!may_be_known_there(job))
                        continue;
                asked++;
                if (d->ops->get_job(d, jval_get_text(job, "uuid", ""), &at, deadline_in_s(ASK_S), &ignored) <
                    0)
                        return; /* it does not answer about the others either */
                if (at.total_bytes > 0)
                        jval_set(job, "progress", progress(at.done_bytes, at.total_bytes));
        }
}

/* ---- requests that are no operation on an instance ---- */

struct others {
        const struct jval *jobs;
        struct jval *requests;
        const char *asking; /* the request that asks */
};

static bool is_listed(const struct jval *jobs, const char *request_id)
{
        for (size_t i = 0; i < jval_len(jobs); i++) {
                if (strcmp(jval_get_text(jval_at(jobs, i), "request_id", ""), request_id) == 0)
                        return true;
        }
        return false;
}

static void add_request(const struct rpc_running *r, void *arg)
{
        struct others *o = arg;
        struct jval *one;

        if (r->request_id && (strcmp(r->request_id, o->asking) == 0 || is_listed(o->jobs, r->request_id)))
                return;
        one = jval_new_object();
        jval_set_text(one, "method", r->method);
        jval_set_text(one, "request_id", r->request_id);
        jval_set_text(one, "uuid", r->instance);
        jval_set_real(one, "seconds", r->seconds);
        jval_push(o->requests, one);
}

/* ---- calls that block ---- */

struct calls {
        struct jval *list;
        const char *pool;
};

static void add_call(const char *doing, const char *what, double since_s, bool hung, void *arg)
{
        struct calls *c = arg;
        struct jval *one;

        if (!doing)
                return;
        one = jval_new_object();
        jval_set_text(one, "pool", c->pool);
        jval_set_text(one, "name", doing);
        jval_set_text(one, "what", what);
        jval_set_real(one, "since", since_s);
        jval_set_bool(one, "hung", hung);
        jval_push(c->list, one);
}

static void add_worker(const struct tpool_worker_info *info, void *arg)
{
        add_call(info->doing, info->what, info->since_s, info->hung, arg);
}

static struct jval *HUB_ONLY blocking_calls(const struct admin_sources *s)
{
        struct tpool *const pools[] = { s->tpool, s->files };
        struct calls c = { .list = jval_new_array() };
        struct tpool_info info;

        for (size_t i = 0; i < sizeof(pools) / sizeof(pools[0]); i++) {
                if (!pools[i])
                        continue;
                tpool_get_info(pools[i], &info);
                c.pool = info.name;
                tpool_foreach(pools[i], add_worker, &c);
        }
        if (s->driver) {
                c.pool = s->driver->ops->name;
                s->driver->ops->foreach_worker(s->driver, add_call, &c);
        }
        return c.list;
}

struct jval *admin_jobs(const struct admin_sources *s, const char *asking)
{
        struct jval *to = jval_new_object(), *jobs = jval_new_array();
        struct others o = { jobs, jval_new_array(), asking ? asking : "" };

        if (s->manager)
                compute_manager_foreach_running(s->manager, admin_add_running, jobs);
        if (s->rpc)
                rpc_server_foreach(s->rpc, add_request, &o);
        if (s->control)
                rpc_server_foreach(s->control, add_request, &o);
        jval_set(to, "calls", blocking_calls(s));
        ask_the_hypervisor(s, jobs);
        jval_set(to, "jobs", jobs);
        jval_set(to, "requests", o.requests);
        return to;
}
