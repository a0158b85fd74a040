/*
 * agent/compute/manager.h: what the agent does with instances: one entry point per RPC method, the events of
 * the hypervisor, the periodic work and the recovery at start.
 *
 * Entry points for methods run their whole wrapper (nova-contract 3.2): the action's event row, the fault
 * row, task_state back to NULL on failure. They return the error of the method, for the reply. Each holds the
 * lock named by the instance's uuid where nova holds one, so that two of them never touch one guest at a
 * time.
 *
 * What the manager refers to is borrowed and outlives it. Hub thread only.
 */
#pragma once

#include "conf/conf.h"
#include "images/disks.h"
#include "images/image_source.h"
#include "store/store.h"
#include "virt/driver.h"

struct compute_manager;

struct jval;
struct uuid_text;
/*
 * Telling the scheduler which instances this host has (3.6). Each is one message to all schedulers; an error
 * means that it may not have been sent. All yield.
 */
struct scheduler_ops {
        /* instances: an array of Instance objects, borrowed */
        int (*update_instance_info)(void *arg, const struct request_context *ctx, struct jval *instances,
                                    struct deadline by, struct error *err);
        int (*delete_instance_info)(void *arg, const struct request_context *ctx, const char *uuid,
                                    struct deadline by, struct error *err);
        int (*sync_instance_info)(void *arg, const struct request_context *ctx, const struct uuid_text *uuids,
                                  unsigned n, struct deadline by, struct error *err);
};

struct compute_options {
        const struct conf *conf;
        struct store *store;
        struct virt_driver *driver;
        struct image_source *images;
        struct disk_store *disks;
        struct placement *placement;           /* NULL: there is none to tell */
        const struct scheduler_ops *scheduler; /* NULL: there is none to tell */
        void *scheduler_arg;
        struct journal *journal; /* of operations in flight; NULL: there is none */
};

struct compute_manager *HUB_ONLY compute_manager_new(const struct compute_options *opt, struct error *err);
/* The settings have changed (opt->conf, in place): what was made by their size or interval follows. */
void HUB_ONLY compute_follow_settings(struct compute_manager *m);
/* Cancels what still runs (its rows stay as they are: the next start's recovery continues), frees. */
void YIELDS compute_manager_free(struct compute_manager *m);

/* ---- start and stop, in this order (nova-contract 4.1) ---- */

typedef void compute_progress_fn(unsigned done, unsigned total, void *arg);
/*
 * Recovery of each instance of this host (4.2, 4.3). One instance that cannot be recovered is logged and does
 * not fail the whole; an error means the instances could not be read.
 */
int YIELDS compute_init_host(struct compute_manager *m, compute_progress_fn *progress, void *arg,
                             struct deadline by, struct error *err);
/* The services row: read, created or raised to our version. */
int YIELDS compute_service_ensure(struct compute_manager *m, struct deadline by, struct error *err);
/*
 * The start's resource audit: makes the compute_nodes row. The rest of an audit, as telling placement, goes
 * on in a green thread of its own: nothing that the start does needs it, and a first token alone may take
 * keystone half a second.
 */
int YIELDS compute_first_audit(struct compute_manager *m, struct deadline by, struct error *err);
/* Any other resource audit, placement and nodes under former names included. */
int YIELDS compute_audit(struct compute_manager *m, struct deadline by, struct error *err);
/* report_state in its own green thread (at once, then each report_interval), the others in one loop. */
int HUB_ONLY compute_start_periodic(struct compute_manager *m, struct error *err);
void YIELDS compute_stop_periodic(struct compute_manager *m);

/*
 * Before a drain that ends the process: builds that have not begun need not be waited for. Those that can be
 * handed back are, to be done by the next agent.
 */
void HUB_ONLY compute_hand_back_builds(struct compute_manager *m);
/*
 * Takes no new work (builds are refused with ERR_CLOSED), then waits until nothing runs. ERR_TIMEOUT when
 * `by` passes first: compute_manager_foreach_running() names the rest.
 */
int YIELDS compute_drain(struct compute_manager *m, struct deadline by, struct error *err);

/*
 * Drains this host: builds are sent on to other hosts, the services row says so and why, what runs goes on.
 * Stays so over a restart, until it is taken back here or the service is enabled in the cloud. -1: cancelled;
 * a database that is away makes the row follow later.
 */
int YIELDS compute_cordon(struct compute_manager *m, const char *reason, struct deadline by,
                          struct error *err);
/* Takes that back. What an operator of the cloud disabled stays disabled: compute_service() tells. */
int YIELDS compute_uncordon(struct compute_manager *m, struct deadline by, struct error *err);

struct compute_cordon {
        const char *reason, *row_reason; /* borrowed until the next switch; the row's may be NULL */
        enum {
                CORDON_ROW_OURS,
                CORDON_ROW_OPERATORS, /* it was disabled for another reason, and keeps that */
                CORDON_ROW_LATER,     /* it could not be written yet */
        } row;
        unsigned total, left; /* operations that ran when it began; those that still do */
        uint64_t last_op;     /* compute_running.id of the last one that counts */
        double seconds;
};
/* False: it is not drained. */
bool HUB_ONLY compute_get_cordon(const struct compute_manager *m, struct compute_cordon *ret);
/* Until something runs, or this host is drained or no longer drained. */
int YIELDS compute_wait_busy(struct compute_manager *m, struct deadline by, struct error *err);

/* See compute/inflight.h. */
struct compute_running {
        uint64_t id;            /* counts from 1 in this process */
        const char *method;     /* "build_and_run_instance" */
        const char *request_id; /* "req-..."; "" if none */
        const char *uuid;
        const char *step;    /* "waiting for the instance's lock", "creating disks" */
        const char *doing;   /* the step, or how far it is: "downloading: 12 of 40 MiB" */
        int64_t begun_at;    /* seconds since 1970 */
        double seconds;      /* since then */
        int64_t done, total; /* bytes of what is being done; done < 0: not counted; total 0: not known */
};
/* Builds in the background, methods in RPC workers, recovery, stops by power synchronisation. fn must not
 * yield. */
void HUB_ONLY compute_manager_foreach_running(struct compute_manager *m,
                                              void (*fn)(const struct compute_running *r, void *arg),
                                              void *arg);

/* virt_driver.on_event, with the manager as arg. Returns soon: the work is done in green threads of its own.
 */
void YIELDS compute_on_virt_event(const struct virt_event *ev, void *manager);

/* ---- methods (3.4). uuid and flavor come from the caller's Instance; the rest is read from the rows ---- */

struct compute_call {
        const struct request_context *ctx;
        char uuid[UUID_LEN + 1];
        const struct flavor *flavor; /* NULL: from the row */
        struct deadline by;
        bool caller_logs; /* a failure: else the method does */
};
/*
 * A failure that is no trouble of this host: another task came first, or, when the caller gets an answer, it
 * is told what was wrong with its request. For the log: INFO, not ERROR.
 */
bool compute_failure_is_ordinary(const struct error *err, bool answered);

/*
 * All a build needs. Made by rpc/, owned and freed by the manager with drop(). reschedule() casts the request
 * back to conductor (3.5) after the rows were prepared; NULL: the request cannot be rescheduled.
 */
struct compute_build {
        struct request_context ctx;
        char uuid[UUID_LEN + 1];
        char *node;            /* NULL: ours */
        struct flavor *flavor; /* NULL: from the row */
        char *admin_password;  /* secret; NULL: none */
        struct injected_file *files;
        unsigned n_files;
        char *files_error;   /* injected_files could not be decoded: why; else NULL */
        bool wants_networks; /* requested_networks is not "none" */
        int (*reschedule)(struct compute_build *b, const struct instance *i, const char *reason,
                          struct deadline by, struct error *err);
        /* Sends the request once more, to this host; yields. NULL: nobody would keep it. */
        int (*hand_back)(struct compute_build *b, struct deadline by, struct error *err);
        void (*drop)(struct compute_build *b);
};

/* Starts the build in the background and returns. On error b is the caller's still. ERR_CLOSED: draining. */
int YIELDS compute_build_and_run(struct compute_manager *m, struct compute_build *b, struct error *err);
int YIELDS compute_terminate(struct compute_manager *m, const struct compute_call *c, struct error *err);
int YIELDS compute_stop(struct compute_manager *m, const struct compute_call *c, bool clean_shutdown,
                        struct error *err);
int YIELDS compute_start(struct compute_manager *m, const struct compute_call *c, struct error *err);
int YIELDS compute_reboot(struct compute_manager *m, const struct compute_call *c, bool hard,
                          struct error *err);
int YIELDS compute_pause(struct compute_manager *m, const struct compute_call *c, struct error *err);
int YIELDS compute_unpause(struct compute_manager *m, const struct compute_call *c, struct error *err);
int YIELDS compute_suspend(struct compute_manager *m, const struct compute_call *c, struct error *err);
int YIELDS compute_resume(struct compute_manager *m, const struct compute_call *c, struct error *err);
int YIELDS compute_soft_delete(struct compute_manager *m, const struct compute_call *c, struct error *err);
int YIELDS compute_restore(struct compute_manager *m, const struct compute_call *c, struct error *err);

/* tail: the last n lines, COMPUTE_TAIL_ALL for all. *ret is UTF-8, owned by the caller. */
#define COMPUTE_TAIL_ALL INT64_MAX
int YIELDS compute_console_output(struct compute_manager *m, const struct compute_call *c, int64_t tail,
                                  char **ret, struct error *err);
/* How to reach a console, for its user and for the proxy. */
struct compute_console {
        const char *host; /* borrowed from the configuration */
        char port[8];
        char token[UUID_LEN + 1]; /* secret */
        char *access_url;         /* secret: the token is in it */
};
void compute_console_free(struct compute_console *c);
/*
 * NOVA_CONSOLE_TYPE_UNAVAILABLE: this host or this guest has no VNC; NOVA_CONSOLE_TYPE_INVALID: not "novnc";
 * NOVA_INSTANCE_NOT_READY: still being built, or not running.
 */
int YIELDS compute_vnc_console(struct compute_manager *m, const struct compute_call *c,
                               const char *console_type, struct compute_console *ret, struct error *err);
/* *ret: the guest's console of that type listens on that port now. */
int YIELDS compute_validate_console_port(struct compute_manager *m, const struct compute_call *c,
                                         const char *port, const char *console_type, bool *ret,
                                         struct error *err);
/* Consoles of another kind than VNC: always NOVA_CONSOLE_TYPE_UNAVAILABLE, as where they are disabled. */
int YIELDS compute_other_console(struct compute_manager *m, const struct compute_call *c, const char *method,
                                 const char *console_type, struct error *err);

struct compute_diagnostics {
        const char *driver, *hypervisor; /* "libvirt", "kvm"; borrowed */
        bool config_drive;
        int64_t uptime_s; /* -1: it was never launched */
        struct guest_usage usage;
};
/* method: under which name. On success free ret->usage. NOVA_INSTANCE_WRONG_POWER_STATE: it does not run. */
int YIELDS compute_diagnostics(struct compute_manager *m, const struct compute_call *c, const char *method,
                               struct compute_diagnostics *ret, struct error *err);
int YIELDS compute_trigger_crash_dump(struct compute_manager *m, const struct compute_call *c,
                                      struct error *err);
/* What `uptime` prints, with its newline. Caller frees. */
int HUB_ONLY compute_host_uptime(struct compute_manager *m, char **ret, struct error *err);

/*
 * Placement is told whether this host takes new instances. The row is nova-api's to write. Only
 * ERR_CANCELLED: a placement that does not answer is told by the next audit.
 */
int YIELDS compute_set_host_enabled(struct compute_manager *m, bool enabled, struct deadline by,
                                    struct error *err);

/*
 * external_instance_event: what another service tells of one instance. An error is the event's own: others in
 * the same request are not concerned.
 */
struct external_event {
        char *name, *status, *tag; /* tag: of a port, a volume, ...; may be NULL */
};
int YIELDS compute_external_event(struct compute_manager *m, const struct compute_call *c,
                                  const struct external_event *ev, struct error *err);

/* What was prepared for a request before it was sent, beside a task: nobody else takes it back. */
struct compute_leftover {
        enum {
                LEFT_NOTHING,
                LEFT_BUILD,  /* an instance that nobody would build: it becomes an error */
                LEFT_RESIZE, /* a migration that holds the instance's allocation: failed, and given back */
                LEFT_EVACUATION, /* a migration to this host: failed, and the allocation here given up */
                LEFT_IMAGE,      /* of a snapshot: deleted, as long as it has no data */
        } what;
        int64_t migration_id;
        char migration_uuid[UUID_LEN + 1]; /* "": the request does not say */
        char image_id[UUID_LEN + 1];
};
/*
 * A request that is not done: the method is not here, or its arguments cannot be understood. Takes back what
 * is left of it (NULL: nothing), as far as that succeeds, whatever the rows of the action are like; failures
 * are logged. Then runs the method's wrappers around why, so that the rows tell it and no task is left.
 * Returns -1 with why (or ERR_CANCELLED).
 */
enum compute_wraps { WRAP_REVERTS = 1, WRAP_EVENT = 2, WRAP_FAULT = 4 };
int YIELDS compute_refuse(struct compute_manager *m, const struct compute_call *c, const char *method,
                          unsigned wraps, const struct compute_leftover *left, const struct error *why,
                          struct error *err);

/* ---- for status ---- */

struct tracker;
const struct tracker *HUB_ONLY compute_tracker(const struct compute_manager *m);
struct service_row;
const struct service_row *HUB_ONLY compute_service(const struct compute_manager *m);
/* Seconds since the services row was last written; negative: never. */
double HUB_ONLY compute_last_report_age(const struct compute_manager *m);
/* Seconds since another process was seen to write our services row; negative: never. */
double HUB_ONLY compute_last_rival_age(const struct compute_manager *m);
/* The resource audits so far. */
struct compute_audit_state {
        bool known, ok;            /* not known: none came to an end yet; ok: the last one succeeded */
        double age_s;              /* since the last one that succeeded; negative: none did */
        char text[ERROR_TEXT_MAX]; /* why the last one failed; "" when ok */
};
void HUB_ONLY compute_get_audit_state(const struct compute_manager *m, struct compute_audit_state *ret);
struct compute_placement_state {
        bool known, ok; /* not known: nothing was told yet */
        char text[ERROR_TEXT_MAX];
};
/* False: there is no placement to tell. */
bool HUB_ONLY compute_get_placement_state(const struct compute_manager *m,
                                          struct compute_placement_state *ret);
struct periodic_info;
void HUB_ONLY compute_foreach_periodic(struct compute_manager *m,
                                       void (*fn)(const struct periodic_info *info, void *arg), void *arg);
struct compute_stats {
        unsigned long builds, builds_failed, actions, actions_failed, events, syncs;
        unsigned running, builds_running,
                builds_waiting; /* builds_waiting: for their instance's lock or the build semaphore */
};
void HUB_ONLY compute_get_stats(const struct compute_manager *m, struct compute_stats *ret);
