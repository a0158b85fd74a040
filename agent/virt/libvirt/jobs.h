/*
 * agent/virt/libvirt/jobs.h: libvirt's blocking calls, each as a job of the pool with a name and a deadline.
 *
 * Each yields. ERR_TIMEOUT: the call goes on alone on its worker and shows in the inventory until it comes
 * back. Errors are those of vir_error.h; sys is libvirt's number.
 */
#pragma once

#include "virt/driver.h"
#include "virt/libvirt/connection.h"

struct virt_jobs {
        struct tpool *tpool;     /* borrowed */
        struct connection *conn; /* borrowed */
        double call_timeout_s;   /* for calls without a deadline of their own */
};

/* What may be left behind when the caller gave up on a job that then came to an end. */
enum job_orphan { ORPHAN_STAYS, ORPHAN_IS_REMOVED };

/* Does a call for this domain still go on whose caller has given it up? Until it ends it may undo things. */
bool HUB_ONLY job_orphan_runs(struct virt_jobs *j, const char *uuid);

int YIELDS job_define(struct virt_jobs *j, const char *uuid, const char *xml, enum job_orphan orphan,
                      struct deadline by, struct error *err);
/* A domain that runs already: 0. */
int YIELDS job_create(struct virt_jobs *j, const char *uuid, enum job_orphan orphan, struct deadline by,
                      struct error *err);
/* Neither a missing domain nor one that does not run is an error. ERR_BUSY: its process does not die: retry.
 */
int YIELDS job_destroy(struct virt_jobs *j, const char *uuid, struct deadline by, struct error *err);
/* With managed save, nvram and metadata; a missing domain is no error. */
int YIELDS job_undefine(struct virt_jobs *j, const char *uuid, struct deadline by, struct error *err);
int YIELDS job_shutdown(struct virt_jobs *j, const char *uuid, struct deadline by, struct error *err);
int YIELDS job_pause(struct virt_jobs *j, const char *uuid, struct deadline by, struct error *err);
int YIELDS job_unpause(struct virt_jobs *j, const char *uuid, struct deadline by, struct error *err);
int YIELDS job_managed_save(struct virt_jobs *j, const char *uuid, struct deadline by, struct error *err);
/* A missing domain: POWER_NOSTATE, id -1. */
int YIELDS job_info(struct virt_jobs *j, const char *uuid, struct guest_info *ret, struct deadline by,
                    struct error *err);
int YIELDS job_list(struct virt_jobs *j, struct guest_list *ret, struct deadline by, struct error *err);
int YIELDS job_xml(struct virt_jobs *j, const char *uuid, char **ret, struct deadline by, struct error *err);
int YIELDS job_usage(struct virt_jobs *j, const char *uuid, struct guest_usage *ret, struct deadline by,
                     struct error *err);
/* Of what is done with the domain in the background; nothing: all 0. */
int YIELDS job_progress(struct virt_jobs *j, const char *uuid, struct guest_job *ret, struct deadline by,
                        struct error *err);
/* A missing domain, and one with nothing under way: 0. */
int YIELDS job_abort(struct virt_jobs *j, const char *uuid, struct deadline by, struct error *err);
int YIELDS job_inject_nmi(struct virt_jobs *j, const char *uuid, struct deadline by, struct error *err);
int YIELDS job_host_info(struct virt_jobs *j, struct host_info *ret, struct deadline by, struct error *err);

enum power_state power_state_of(int virt_domain_state); /* nova-contract 7.5 */
