/*
 * agent/virt/libvirt/jobs.c: libvirt's blocking calls as jobs.
 *
 * One kind of job serves all of them: what goes in (uuid, text), what comes out (text, infos), and a
 * reference to the connection, given back on the worker at the end of run(): only a job that never ran gives
 * it back elsewhere, and then it is not the last one, because the connection's own green thread holds
 * another.
 */
#include "virt/libvirt/jobs.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libvirt/virterror.h>

#include "base/list.h"
#include "base/mem.h"
#include "virt/libvirt/hostinfo.h"
#include "virt/libvirt/usage.h"
#include "virt/libvirt/vir_error.h"

struct job {
        struct tpool_job base;
        virConnectPtr conn; /* a reference */
        char uuid[UUID_LEN + 1];
        enum job_orphan orphan;
        atomic_bool given_up;
        char *in_text;
        /* results */
        char *out_text;
        struct guest_info info;
        struct guest_list list;
        struct host_info host;
        struct guest_usage usage;
        struct guest_job progress;
};

enum power_state power_state_of(int virt_domain_state)
{
        switch (virt_domain_state) {
        case VIR_DOMAIN_RUNNING:
        case VIR_DOMAIN_BLOCKED:
                return POWER_RUNNING;
        case VIR_DOMAIN_PAUSED:
                return POWER_PAUSED;
        case VIR_DOMAIN_SHUTDOWN:
        case VIR_DOMAIN_SHUTOFF:
                return POWER_SHUTDOWN;
        case VIR_DOMAIN_CRASHED:
                return POWER_CRASHED;
        case VIR_DOMAIN_PMSUSPENDED:
                return POWER_SUSPENDED;
        default:
                return POWER_NOSTATE;
        }
}

/* ---- the frame of every job ---- */

static void BLOCKS give_back(struct job *job)
{
        if (job->conn)
                virConnectClose(take_ptr(&job->conn));
}

static void drop(struct tpool_job *base)
{
        struct job *job = CONTAINER_OF(base, struct job, base);

        if (job->conn)
                virConnectClose(job->conn);
        free(job->in_text);
        free(job->out_text);
        guest_list_free(&job->list);
        host_info_free(&job->host);
        guest_usage_free(&job->usage);
        free(job);
}

#define JOB(job_name, vir_name, body)                                           \
        static int job_name##_run(struct tpool_job *base, struct error *err)    \
        {                                                                       \
                struct job *job = CONTAINER_OF(base, struct job, base);         \
                int r;                                                          \
                assert_on_worker();                                             \
                r = body(job, err);                                             \
                give_back(job);                                                 \
                return r;                                                       \
        }                                                                       \
        static const struct tpool_ops job_name##_ops = { .name = vir_name,      \
                                                         .run = job_name##_run, \
                                                         .drop = drop }

static struct job *YIELDS new_job(struct virt_jobs *j, const struct tpool_ops *ops, const char *what,
                                  struct deadline by, struct error *err)
{
        virConnectPtr conn = connection_get(j->conn, by, err);
        struct job *job;

        if (!conn)
                return NULL;
        job = NEW(struct job);
        job->base.ops = ops;
        snprintf(job->base.what, sizeof(job->base.what), "%s", what);
        snprintf(job->uuid, sizeof(job->uuid), "%s", what);
        job->conn = conn;
        return job;
}

/* For calls that are done soon or hang; what starts, saves or ends a guest may use the whole time there is.
 */
static struct deadline HUB_ONLY soon(const struct virt_jobs *j, struct deadline by)
{
        return deadline_earlier(by, deadline_in_s(j->call_timeout_s));
}

/* After it the caller may read the job's results when 0 came, and must call tpool_job_done(). */
static int YIELDS call(struct virt_jobs *j, struct job *job, struct deadline by, struct error *err)
{
        int r;

        if (by.ns == deadline_never().ns)
                by = deadline_in_s(j->call_timeout_s);
        r = tpool_call(j->tpool, &job->base, by, err);
        if (r == 0)
                return 0;
        atomic_store(&job->given_up, true);
        if (err->code == NOVA_HYPERVISOR_UNAVAILABLE)
                connection_suspect(j->conn);
        return -1;
}

/* A call that takes a name and no more. NULL: it failed, and all is done; else tpool_job_done() is to come.
 */
static struct job *YIELDS call_named(struct virt_jobs *j, const struct tpool_ops *ops, const char *what,
                                     struct deadline by, struct error *err)
{
        struct job *job = new_job(j, ops, what, by, err);

        if (!job || call(j, job, by, err) == 0)
                return job;
        tpool_job_done(&job->base);
        return NULL;
}

static int YIELDS call_simple(struct virt_jobs *j, const struct tpool_ops *ops, const char *uuid,
                              struct deadline by, struct error *err)
{
        struct job *job = call_named(j, ops, uuid, by, err);

        if (!job)
                return -1;
        tpool_job_done(&job->base);
        return 0;
}

/* ---- one domain ---- */

static virDomainPtr BLOCKS lookup(struct job *job, struct error *err)
{
        virDomainPtr dom = virDomainLookupByUUIDString(job->conn, job->uuid);

        if (!dom)
                vir_error(err, "looking up domain %s", job->uuid);
        return dom;
}

static int BLOCKS last_code(void)
{
        const virError *e = virGetLastError();

        return e ? e->code : 0;
}

/* A driver that has no nvram or no checkpoints does not know their flags either. */
static int BLOCKS undefine_domain(virDomainPtr dom)
{
        static const unsigned flags[] = {
                VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA |
                        VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA | VIR_DOMAIN_UNDEFINE_NVRAM,
                VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA,
        };
        int r = -1;

        for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
                r = virDomainUndefineFlags(dom, flags[i]);
                if (r == 0 || last_code() != VIR_ERR_INVALID_ARG)
                        break;
        }
        return r;
}

static int BLOCKS do_define(struct job *job, struct error *err)
{
        virDomainPtr dom = virDomainDefineXMLFlags(job->conn, job->in_text, 0);

        if (!dom)
                return vir_error(err, "defining domain %s", job->uuid);
        if (job->orphan == ORPHAN_IS_REMOVED && atomic_load(&job->given_up))
                undefine_domain(dom);
        virDomainFree(dom);
        return 0;
}

static int BLOCKS do_create(struct job *job, struct error *err)
{
        virDomainPtr dom = lookup(job, err);
        int r = 0;

        if (!dom)
                return -1;
        if (virDomainCreateWithFlags(dom, 0) < 0) {
                r = vir_error(err, "starting domain %s", job->uuid);
                /* Asking forgets libvirt's error, so only now: it may run already. */
                if (err->sys == VIR_ERR_OPERATION_INVALID && virDomainIsActive(dom) == 1)
                        r = 0;
        }
        if (r == 0 && job->orphan == ORPHAN_IS_REMOVED && atomic_load(&job->given_up)) {
                virDomainDestroy(dom);
                undefine_domain(dom);
        }
        virDomainFree(dom);
        return r;
}

/*
 * VIR_ERR_NO_DOMAIN can come for the very guest that this call has killed (design 7). When the process does
 * not die within libvirt's patience it says so as a system error.
 */
static int BLOCKS do_destroy(struct job *job, struct error *err)
{
        virDomainPtr dom = lookup(job, err);
        int r = 0;

        if (!dom)
                return err->code == NOVA_INSTANCE_NOT_FOUND ? 0 : -1;
        if (virDomainDestroyFlags(dom, 0) < 0) {
                r = vir_error(err, "powering off domain %s", job->uuid);
                if (err->sys == VIR_ERR_NO_DOMAIN ||
                    (err->sys == VIR_ERR_OPERATION_INVALID && virDomainIsActive(dom) == 0))
                        r = 0;
                else if (err->code == NOVA_LIBVIRT_ERROR && err->sys == VIR_ERR_SYSTEM_ERROR)
                        err->code = ERR_BUSY;
        }
        virDomainFree(dom);
        return r;
}

static int BLOCKS do_undefine(struct job *job, struct error *err)
{
        virDomainPtr dom = lookup(job, err);
        int r = 0;

        if (!dom)
                return err->code == NOVA_INSTANCE_NOT_FOUND ? 0 : -1;
        if (undefine_domain(dom) < 0 && last_code() != VIR_ERR_NO_DOMAIN)
                r = vir_error(err, "undefining domain %s", job->uuid);
        virDomainFree(dom);
        return r;
}

static int BLOCKS on_domain(struct job *job, int (*fn)(virDomainPtr), const char *doing, struct error *err)
{
        virDomainPtr dom = lookup(job, err);
        int r = 0;

        if (!dom)
                return -1;
        if (fn(dom) < 0)
                r = vir_error(err, "%s domain %s", doing, job->uuid);
        virDomainFree(dom);
        return r;
}

static int managed_save(virDomainPtr dom)
{
        return virDomainManagedSave(dom, 0);
}

static int BLOCKS do_shutdown(struct job *job, struct error *err)
{
        return on_domain(job, virDomainShutdown, "shutting down", err);
}

static int BLOCKS do_pause(struct job *job, struct error *err)
{
        return on_domain(job, virDomainSuspend, "pausing", err);
}

static int BLOCKS do_unpause(struct job *job, struct error *err)
{
        return on_domain(job, virDomainResume, "unpausing", err);
}

static int BLOCKS do_save(struct job *job, struct error *err)
{
        return on_domain(job, managed_save, "saving", err);
}

static int BLOCKS do_abort(struct job *job, struct error *err)
{
        if (on_domain(job, virDomainAbortJob, "ending the job of", err) == 0)
                return 0;
        /* "no job is active" */
        return err->code == NOVA_INSTANCE_NOT_FOUND || err->sys == VIR_ERR_OPERATION_INVALID ? 0 : -1;
}

static int inject_nmi(virDomainPtr dom)
{
        return virDomainInjectNMI(dom, 0);
}

static int BLOCKS do_inject_nmi(struct job *job, struct error *err)
{
        if (on_domain(job, inject_nmi, "injecting an NMI into", err) == 0)
                return 0;
        if (err->sys == VIR_ERR_NO_SUPPORT)
                err->code = NOVA_TRIGGER_CRASH_DUMP_NOT_SUPPORTED;
        else if (err->sys == VIR_ERR_OPERATION_INVALID)
                err->code = NOVA_INSTANCE_NOT_RUNNING;
        return -1;
}

static int BLOCKS do_progress(struct job *job, struct error *err)
{
        virDomainPtr dom = lookup(job, err);
        virDomainJobInfo info = {};
        int r = 0;

        if (!dom)
                return -1;
        if (virDomainGetJobInfo(dom, &info) < 0)
                r = vir_error(err, "asking how far domain %s is", job->uuid);
        else if ((info.type == VIR_DOMAIN_JOB_BOUNDED || info.type == VIR_DOMAIN_JOB_UNBOUNDED) &&
                 info.dataRemaining <= info.dataTotal) /* pages of zeroes are never "processed" */
                job->progress = (struct guest_job){ (int64_t)(info.dataTotal - info.dataRemaining),
                                                    (int64_t)info.dataTotal };
        virDomainFree(dom);
        return r;
}

static int BLOCKS do_usage(struct job *job, struct error *err)
{
        virDomainPtr dom = lookup(job, err);
        int r;

        if (!dom)
                return -1;
        r = usage_read(dom, &job->usage, err);
        virDomainFree(dom);
        return r;
}

static int BLOCKS do_xml(struct job *job, struct error *err)
{
        virDomainPtr dom = lookup(job, err);

        if (!dom)
                return -1;
        job->out_text = virDomainGetXMLDesc(dom, 0);
        virDomainFree(dom);
        return job->out_text ? 0 : vir_error(err, "reading the XML of domain %s", job->uuid);
}

static int BLOCKS do_info(struct job *job, struct error *err)
{
        virDomainPtr dom = lookup(job, err);
        int state, r = 0;
        unsigned id;

        memcpy(job->info.uuid, job->uuid, sizeof(job->info.uuid));
        job->info.id = -1;
        if (!dom)
                return err->code == NOVA_INSTANCE_NOT_FOUND ? 0 : -1;
        if (virDomainGetState(dom, &state, NULL, 0) == 0) {
                id = virDomainGetID(dom);
                job->info.power_state = power_state_of(state);
                job->info.id = id == (unsigned)-1 ? -1 : (int)id;
                snprintf(job->info.name, sizeof(job->info.name), "%s", virDomainGetName(dom));
        } else if (last_code() != VIR_ERR_NO_DOMAIN) {
                r = vir_error(err, "reading the state of domain %s", job->uuid);
        }
        virDomainFree(dom);
        return r;
}

/* ---- all domains ---- */

static int BLOCKS fill_guest(struct guest_info *g, virDomainPtr dom, int state)
{
        unsigned id = virDomainGetID(dom);

        if (virDomainGetUUIDString(dom, g->uuid) < 0)
                return -1;
        g->power_state = power_state_of(state);
        g->id = id == (unsigned)-1 ? -1 : (int)id;
        snprintf(g->name, sizeof(g->name), "%s", virDomainGetName(dom));
        return 0;
}

/* One exchange for names, ids and states of all of them; the state alone never asks QEMU. */
static int BLOCKS list_by_stats(struct job *job, struct error *err)
{
        virDomainStatsRecordPtr *records = NULL;
        int n = virConnectGetAllDomainStats(job->conn, VIR_DOMAIN_STATS_STATE, &records, 0);

        if (n < 0)
                return vir_error(err, "listing the domains");
        job->list.items = xcalloc((size_t)n, sizeof(*job->list.items));
        for (int i = 0; i < n; i++) {
                int state = VIR_DOMAIN_NOSTATE;

                virTypedParamsGetInt(records[i]->params, records[i]->nparams, "state.state", &state);
                if (fill_guest(&job->list.items[job->list.n], records[i]->dom, state) == 0)
                        job->list.n++;
        }
        virDomainStatsRecordListFree(records);
        return 0;
}

static int BLOCKS list_one_by_one(struct job *job, struct error *err)
{
        virDomainPtr *doms = NULL;
        int n = virConnectListAllDomains(job->conn, &doms, 0);

        if (n < 0)
                return vir_error(err, "listing the domains");
        job->list.items = xcalloc((size_t)n, sizeof(*job->list.items));
        for (int i = 0; i < n; i++) {
                int state;

                /* One that has just gone away is not an error. */
                if (virDomainGetState(doms[i], &state, NULL, 0) == 0 &&
                    fill_guest(&job->list.items[job->list.n], doms[i], state) == 0)
                        job->list.n++;
                virDomainFree(doms[i]);
        }
        free(doms);
        return 0;
}

static int BLOCKS do_list(struct job *job, struct error *err)
{
        if (list_by_stats(job, err) == 0)
                return 0;
        if (err->sys != VIR_ERR_NO_SUPPORT)
                return -1;
        return list_one_by_one(job, err);
}

static int BLOCKS do_host_info(struct job *job, struct error *err)
{
        return hostinfo_read(job->conn, &job->host, err);
}

/* ---- the calls ---- */

JOB(define, "virDomainDefineXML", do_define);
JOB(create, "virDomainCreate", do_create);
JOB(destroy, "virDomainDestroy", do_destroy);
JOB(undefine, "virDomainUndefine", do_undefine);
JOB(shutdown, "virDomainShutdown", do_shutdown);
JOB(pause, "virDomainSuspend", do_pause);
JOB(unpause, "virDomainResume", do_unpause);
JOB(save, "virDomainManagedSave", do_save);
JOB(xml, "virDomainGetXMLDesc", do_xml);
JOB(usage, "virDomainBlockStats and others", do_usage);
JOB(progress, "virDomainGetJobInfo", do_progress);
JOB(abort, "virDomainAbortJob", do_abort);
JOB(inject_nmi, "virDomainInjectNMI", do_inject_nmi);
JOB(info, "virDomainGetState", do_info);
JOB(list, "virConnectListAllDomains", do_list);
JOB(host_info, "virNodeGetInfo", do_host_info);

/* ---- orphans ---- */

struct orphan_search {
        const char *uuid;
        bool found;
};

static void look_for_orphan(const struct tpool_worker_info *info, void *arg)
{
        struct orphan_search *s = arg;

        if (info->doing && info->hung && strcmp(info->what, s->uuid) == 0)
                s->found = true;
}

bool job_orphan_runs(struct virt_jobs *j, const char *uuid)
{
        struct orphan_search s = { .uuid = uuid };

        tpool_foreach(j->tpool, look_for_orphan, &s);
        return s.found;
}

/* ---- the calls as green threads make them ---- */

int job_define(struct virt_jobs *j, const char *uuid, const char *xml, enum job_orphan orphan,
               struct deadline by, struct error *err)
{
        struct job *job = new_job(j, &define_ops, uuid, by, err);
        int r;

        if (!job)
                return -1;
        job->in_text = xstrdup(xml);
        job->orphan = orphan;
        r = call(j, job, soon(j, by), err);
        tpool_job_done(&job->base);
        return r;
}

int job_create(struct virt_jobs *j, const char *uuid, enum job_orphan orphan, struct deadline by,
               struct error *err)
{
        struct job *job = new_job(j, &create_ops, uuid, by, err);
        int r;

        if (!job)
                return -1;
        job->orphan = orphan;
        r = call(j, job, by, err);
        tpool_job_done(&job->base);
        return r;
}

int job_destroy(struct virt_jobs *j, const char *uuid, struct deadline by, struct error *err)
{
        return call_simple(j, &destroy_ops, uuid, by, err);
}

int job_undefine(struct virt_jobs *j, const char *uuid, struct deadline by, struct error *err)
{
        return call_simple(j, &undefine_ops, uuid, soon(j, by), err);
}

int job_shutdown(struct virt_jobs *j, const char *uuid, struct deadline by, struct error *err)
{
        return call_simple(j, &shutdown_ops, uuid, soon(j, by), err);
}

int job_pause(struct virt_jobs *j, const char *uuid, struct deadline by, struct error *err)
{
        return call_simple(j, &pause_ops, uuid, soon(j, by), err);
}

int job_unpause(struct virt_jobs *j, const char *uuid, struct deadline by, struct error *err)
{
        return call_simple(j, &unpause_ops, uuid, soon(j, by), err);
}

int job_managed_save(struct virt_jobs *j, const char *uuid, struct deadline by, struct error *err)
{
        return call_simple(j, &save_ops, uuid, by, err);
}

int job_info(struct virt_jobs *j, const char *uuid, struct guest_info *ret, struct deadline by,
             struct error *err)
{
        struct job *job = call_named(j, &info_ops, uuid, soon(j, by), err);

        if (!job)
                return -1;
        *ret = job->info;
        tpool_job_done(&job->base);
        return 0;
}

int job_list(struct virt_jobs *j, struct guest_list *ret, struct deadline by, struct error *err)
{
        struct job *job = call_named(j, &list_ops, "all", soon(j, by), err);

        if (!job)
                return -1;
        *ret = job->list;
        job->list = (struct guest_list){};
        tpool_job_done(&job->base);
        return 0;
}

int job_xml(struct virt_jobs *j, const char *uuid, char **ret, struct deadline by, struct error *err)
{
        struct job *job = call_named(j, &xml_ops, uuid, soon(j, by), err);

        if (!job)
                return -1;
        *ret = take_ptr(&job->out_text);
        tpool_job_done(&job->base);
        return 0;
}

int job_usage(struct virt_jobs *j, const char *uuid, struct guest_usage *ret, struct deadline by,
              struct error *err)
{
        struct job *job = call_named(j, &usage_ops, uuid, soon(j, by), err);

        if (!job)
                return -1;
        *ret = job->usage;
        job->usage = (struct guest_usage){};
        tpool_job_done(&job->base);
        return 0;
}

int job_progress(struct virt_jobs *j, const char *uuid, struct guest_job *ret, struct deadline by,
                 struct error *err)
{
        struct job *job = call_named(j, &progress_ops, uuid, soon(j, by), err);

        if (!job)
                return -1;
        *ret = job->progress;
        tpool_job_done(&job->base);
        return 0;
}

int job_abort(struct virt_jobs *j, const char *uuid, struct deadline by, struct error *err)
{
        return call_simple(j, &abort_ops, uuid, soon(j, by), err);
}

int job_inject_nmi(struct virt_jobs *j, const char *uuid, struct deadline by, struct error *err)
{
        return call_simple(j, &inject_nmi_ops, uuid, soon(j, by), err);
}

int job_host_info(struct virt_jobs *j, struct host_info *ret, struct deadline by, struct error *err)
{
        struct job *job = call_named(j, &host_info_ops, "host", soon(j, by), err);

        if (!job)
                return -1;
        *ret = job->host;
        job->host = (struct host_info){};
        tpool_job_done(&job->base);
        return 0;
}
