/*
 * agent/compute/compute_priv.h: what the files of compute/ share: the manager's insides, and an action: one
 * method at work on one instance.
 */
#pragma once

#include "base/list.h"
#include "base/mem.h"
#include "compute/inflight.h"
#include "compute/manager.h"
#include "compute/tracker.h"
#include "green/lockutils.h"
#include "green/pool.h"
#include "green/sync.h"
#include "periodic.h"

struct compute_manager {
        const struct conf *conf;
        struct store *store;
        struct virt_driver *driver;
        struct image_source *images;
        struct disk_store *disks;
        struct placement *placement; /* or NULL */
        struct green_mutex telling;  /* held from reading whether the host is disabled to telling placement */
        struct tracker *tracker;     /* owned */

        struct green_pool *build_pool; /* builds in the background */
        struct list build_queue;       /* build.c: those that wait for a lock or a slot */
        bool handing_back;             /* they do not wait any more, but go back to the broker */
        struct green_sem build_slots;  /* max_concurrent_builds */
        long build_bound;              /* how many there are of them */
        struct green_pool *sync_pool;  /* power synchronisation of one instance each */
        struct green_group *work;      /* events, held back events, stops they lead to */

        struct inflight inflight; /* what runs now */
        bool draining;
        struct cordon {
                bool on;          /* no builds are taken */
                bool unwritten;   /* the services row does not say so yet */
                char *reason;     /* owned */
                uint64_t last_op; /* of the operations that ran when it began */
                unsigned total;   /* so many were they */
                int64_t since_ns;
        } cordon;

        struct resync *resync; /* somebody asked for it: the one that runs, or the last; or NULL */

        bool checked;         /* start.c has looked, and said what is odd */
        bool told_unfinished; /* what the journal had */
        bool listening;       /* lifecycle events are acted on: from init_host on */
        bool resync_wanted;   /* events may have been lost before that */
        bool resync_underway; /* one at a time; resync_wanted asks for another */
        struct list held;     /* of struct held_event: STOPPED events that wait */

        const struct scheduler_ops *scheduler_ops; /* or NULL */
        void *scheduler_arg;
        struct scheduler
                *scheduler; /* from start_periodic to stop_periodic, if it is to be told; else NULL */

        struct periodic *report_loop, *loop;
        struct service_row service;
        struct green_mutex service_mutex; /* held from reading or writing the row to acting on it */
        int64_t reported_ns;              /* 0: never */
        int64_t rival_ns;                 /* when somebody else was seen to report for this host; 0: never */
        struct compute_stats stats;

        struct compute_audit_state audit_state; /* but for its age */
        struct compute_placement_state placement_state;
        char *unknown_traits;   /* owned; as told in the log, or NULL */
        bool told_disabled;     /* what placement was told of the service */
        bool following_service; /* a green thread tells it */
};

/* Clean-up after a failure has a deadline of its own: the action's may be what has just passed. */
#define CLEANUP_DEADLINE_S 60.0

/* ---- provider.c: this host in placement ---- */

/* After an audit: provider, inventories and traits. Failures are logged. Nothing without placement. */
void YIELDS provider_report(struct compute_manager *m, struct deadline by);
/* After an audit: compute nodes of this host under former names go, with their providers. Failures are
 * logged. */
void YIELDS provider_forget_others(struct compute_manager *m, struct deadline by);
/* The service was disabled or enabled: placement, if any, is told now, in a green thread of its own. */
void HUB_ONLY provider_follow_service(struct compute_manager *m);

/* ---- allocations.c: what instances hold of it; without placement these do nothing ---- */

/* After an audit: allocations on this host of instances that were deleted elsewhere. Failures are logged. */
void YIELDS provider_sweep(struct compute_manager *m, struct deadline by);
/*
 * Who holds something of this provider: uuids of instances and migrations. One block, freed by the caller.
 * Only with placement.
 */
int YIELDS provider_consumers(struct compute_manager *m, const char *provider, const char ***ret,
                              unsigned *ret_n, struct deadline by, struct error *err);
/* Whatever the instance holds in placement is given back. */
int YIELDS provider_release(struct compute_manager *m, const char *uuid, struct deadline by,
                            struct error *err);
/*
 * The same at the end of an instance. Where deletes are deferred (reclaim_instance_interval), ERR_BUSY when
 * somebody changes the allocation at this moment: it may be an instance that was restored.
 */
int YIELDS provider_release_deleted(struct compute_manager *m, const char *uuid, struct deadline by,
                                    struct error *err);

/* ---- scheduler.c: while it does not run, all do nothing ---- */

/* Starts the green thread that tells the scheduler, first of all instances that are there. */
int HUB_ONLY scheduler_start(struct compute_manager *m, struct error *err);
void YIELDS scheduler_stop(struct compute_manager *m);
/* These only note it, and return at once. */
void HUB_ONLY scheduler_updated(struct compute_manager *m, const struct request_context *ctx,
                                const char *uuid);
void HUB_ONLY scheduler_deleted(struct compute_manager *m, const struct request_context *ctx,
                                const char *uuid);
int HUB_ONLY scheduler_sync(struct compute_manager *m, struct deadline by, struct error *err);

/* What log lines of this green thread begin with. */
void HUB_ONLY compute_set_log_context(const struct request_context *ctx, const char *uuid);

/* ---- actions ---- */

struct action;
typedef int action_body_fn(struct action *a, struct error *err); /* begins with assert_green() */

struct action_kind {
        const char *method; /* "stop_instance"; the event row is named "compute_" + this */
        unsigned wraps;     /* enum compute_wraps */
        bool locked;        /* the body runs under the lock of the instance */
        /* NULL, or what runs before the event, and whether or not that can be started. When it fails the rest
         * does not run. */
        action_body_fn *first;
        action_body_fn *body;
};

struct action {
        struct compute_manager *m;
        const struct action_kind *kind;
        const struct request_context *ctx;
        const char *uuid;
        const struct flavor *flavor; /* the caller's, or NULL */
        struct deadline by;
        void *arg; /* the body's own */
        struct inflight_op *op;
        struct instance *instance; /* owned; NULL until action_load() */
};

#define BUILD_METHOD  "_do_build_and_run_instance" /* as nova's event is named after it */
#define BUILD_REQUEST "build_and_run_instance" /* the operation in flight, from the queue to the outcome */
/* Steps of it: the request may be with somebody else already, or on its way to the next agent. */
#define BUILD_RESCHEDULING "asking for another host"
#define BUILD_HANDING_BACK "handing the request back"

/* Runs the body inside its wrappers (nova-contract 3.2). Logs a failure, unless the caller does, and returns
 * it. */
int YIELDS action_run(struct compute_manager *m, const struct action_kind *kind, const struct compute_call *c,
                      void *arg, struct error *err);
/* The same for an operation that was begun before; it is over afterwards. */
int YIELDS action_run_begun(struct compute_manager *m, const struct action_kind *kind,
                            const struct compute_call *c, struct inflight_op *op, void *arg,
                            struct error *err);
/* The body under the lock of the instance. */
int YIELDS action_locked(struct action *a, action_body_fn *body, struct error *err);
/* Reads the row; refuses an instance that another host has. NOVA_INSTANCE_NOT_FOUND when it is gone. */
int YIELDS action_load(struct action *a, struct error *err);
/*
 * The row as loaded must be in one of these tasks: a request that comes twice, or too late, must not touch
 * the guest. The compare-and-set at the end still decides. NOVA_UNEXPECTED_TASK_STATE and its deleting kin.
 */
int action_expect(const struct action *a, struct task_expect expect, struct error *err);
/* Saves columns of a->instance with the action's deadline. */
int YIELDS action_save(struct action *a, unsigned columns, struct task_expect expect, struct error *err);
/* power_state, vm_state and no task: how most methods end. power_state is asked of the hypervisor. */
int YIELDS action_finish(struct action *a, enum vm_state vm_state, unsigned more_columns,
                         struct task_expect expect, struct error *err);
/* vm_state error in the row, with what else is in columns; failure to write is logged. task_state stays. */
void YIELDS action_error_state(struct action *a, unsigned more_columns);

/* For whom the action asks for images: its user; what is being done shows in a->op. */
struct image_caller action_image_caller(struct action *a);

/* instance_faults row for err; message NULL: by the rule of nova-contract 5.6. Failure is logged. */
void YIELDS compute_add_fault(struct compute_manager *m, const char *uuid, const struct error *cause,
                              const char *message);

/* ---- helpers shared by methods ---- */

/* P() of the contract: POWER_NOSTATE when there is no domain. */
int YIELDS compute_power_of(struct compute_manager *m, const char *uuid, enum power_state *ret,
                            struct deadline by, struct error *err);
bool power_is_off(enum power_state s); /* 0, 4, 6 */
struct compute_call compute_internal_call(struct compute_manager *m, const struct request_context *ctx,
                                          const char *uuid, double seconds);

/*
 * guestspec.c: all of the spec but the disks and the console log, which disks_create and disks_load fill.
 * Refuses what the image, the flavor or a network interface asks for and this agent cannot give.
 */
int YIELDS guestspec_fill(struct compute_manager *m, const struct instance *i, struct guest_spec *ret,
                          struct deadline by, struct error *err);
/* Defaults recorded in system_metadata at spawn (7.2). False: all were there. */
bool guestspec_record_defaults(const struct compute_manager *m, struct instance *i);
/* Only the machine type, on which buses depend, before the disks are named. False: it was there. */
bool guestspec_record_machine(const struct compute_manager *m, struct instance *i);
/* instance_extra.vcpu_model. Caller frees. */
char *guestspec_vcpu_model(const struct compute_manager *m, const struct guest_spec *s);
bool guestspec_wants_config_drive(const struct compute_manager *m, const struct instance *i);
/* The spec of an instance whose files are there: for start and hard reboot. */
int YIELDS guestspec_load(struct action *a, struct guest_spec *ret, struct error *err);

/* guestlimits.c: refuses what this agent cannot give to a guest, with the name of the key that asks for it.
 */
int guestlimits_check(const struct instance *i, struct error *err);

/* guestprops.c: what image properties and extra specs make of the guest. */
bool guestprops_true(const char *s); /* oslo's bool_from_string; NULL: false */
int guestprops_apply(const struct instance *i, struct guest_spec *s, struct error *err);
int guestprops_queues(const struct instance *i, int64_t *ret, struct error *err); /* 0: one, unnamed */

/* guestnics.c: the network interfaces, from the info cache or from its text. */
int YIELDS guestnics_load(struct compute_manager *m, const struct instance *i, struct guest_spec *s,
                          struct deadline by, struct error *err);
int guestnics_fill(const struct instance *i, const char *network_info, struct guest_spec *s,
                   struct error *err);

/* terminate.c: what is left here of an instance whose live row is gone. */
int YIELDS compute_destroy_leftovers(struct compute_manager *m, const char *uuid, struct deadline by,
                                     struct error *err);

/* The guest and its files go; rows get clean_attempts and cleaned where there is a row. */
int YIELDS compute_destroy_guest(struct compute_manager *m, struct instance *i, struct deadline by,
                                 struct error *err);

/*
 * All of terminate for a->instance but its answer to failures. NOT_RELEASED, with err filled: placement did
 * not take the allocations back; the row says deleted and stays until the next start.
 */
enum { NOT_RELEASED = 1 };
int YIELDS compute_end_instance(struct action *a, struct error *err);

/* ---- sync.c: nova-contract 7.7 for one instance, and for all ---- */

struct sync_seen {
        enum {
                SYNC_LOOKED,
                SYNC_LEFT_BUSY,      /* it has a task under way, or got one meanwhile */
                SYNC_LEFT_ELSEWHERE, /* it is not of this host */
        } left;
        enum power_state was, is; /* in the row, of the guest; only of SYNC_LOOKED */
        const char *begun;        /* "stop", "delete": what follows; NULL: nothing */
};
/* NOVA_INSTANCE_NOT_FOUND: there is none. */
int YIELDS compute_sync_look(struct compute_manager *m, const char *uuid, struct sync_seen *ret,
                             struct deadline by, struct error *err);
/* The same, where one that is gone is as good as one that is in order. */
int YIELDS compute_sync_instance(struct compute_manager *m, const char *uuid, struct deadline by,
                                 struct error *err);
/* Those that differ are seen to in the background. */
int YIELDS compute_sync_all(struct compute_manager *m, struct deadline by, struct error *err);

/* All of them at one time, counted. */
struct sync_round {
        unsigned refs;
        unsigned instances, guests;
        unsigned differ, left; /* instances to be seen to; those that still are */
        unsigned begun, busy;  /* of which something followed; which have a task */
        unsigned failed;
        struct error why; /* the first of them */
        struct green_cond over;
};
struct sync_round *HUB_ONLY sync_round_new(void);
void HUB_ONLY sync_round_unref(struct sync_round *r); /* NULL is allowed */
/* compute_sync_all() that counts in r, a new one, and waits until all have been seen to. */
int YIELDS compute_sync_round(struct compute_manager *m, struct sync_round *r, struct deadline by,
                              struct error *err);

/* resync.c: NULL is allowed. */
struct resync;
void HUB_ONLY resync_free(struct resync *r);

/* All guests of the hypervisor, sorted; and the state of one among them, POWER_NOSTATE when it is not there.
 */
int YIELDS compute_list_guests(struct compute_manager *m, struct guest_list *ret, struct deadline by,
                               struct error *err);
enum power_state guests_power(const struct guest_list *guests, const char *uuid);

/* events.c */
void HUB_ONLY events_init(struct compute_manager *m);
void HUB_ONLY events_start(struct compute_manager *m); /* from now on they are acted on */

/* ---- strays.c ---- */

struct uuid_set {
        char (*items)[UUID_LEN + 1];
        unsigned n;
};
void uuid_set_add(struct uuid_set *s, const char *uuid);
bool uuid_set_has(const struct uuid_set *s, const char *uuid);
void uuid_set_free(struct uuid_set *s);

/* Guests of instances that were evacuated from here are removed; *ret gets all such instances. */
int YIELDS strays_remove_evacuated(struct compute_manager *m, const struct guest_list *guests,
                                   struct uuid_set *ret, struct deadline by, struct error *err);
/* What such instances hold here is given back, their migrations are completed. */
int YIELDS strays_end_evacuations(struct compute_manager *m, struct deadline by, struct error *err);
/*
 * Builds that nobody builds any more, among those that hold something of this host. *seen are the suspects of
 * the last look; those that are suspect again become errors, and *seen gets the new ones.
 */
int YIELDS strays_look_for_lost_builds(struct compute_manager *m, struct uuid_set *seen, struct deadline by,
                                       struct error *err);
/* A build that nobody builds any more becomes an error, unless its row changes at this moment. */
void YIELDS strays_call_it_an_error(struct compute_manager *m, struct instance *i, struct deadline by);
/* The last two, in a green thread, when requests are served. */
int HUB_ONLY strays_start(struct compute_manager *m, struct error *err);

/*
 * unfinished.c: what the journal has of operations that an earlier agent did not end. First it is only told,
 * before anything is done. When all instances were recovered by their rows, a green thread repairs what the
 * rows do not know of; the start does not wait for it. What fails is logged, and tried again by the next
 * start.
 */
void HUB_ONLY unfinished_tell(struct compute_manager *m);
int HUB_ONLY unfinished_start(struct compute_manager *m, struct error *err);

/* start.c: ERR_INVALID: this host must not take part in the cloud as it is. */
int YIELDS start_check(struct compute_manager *m, struct deadline by, struct error *err);

/* service.c: report_state, at once and then each report_interval, in a green thread of its own. */
int YIELDS service_report(struct compute_manager *m, struct deadline by, struct error *err); /* now */
int HUB_ONLY service_start_reporting(struct compute_manager *m, struct error *err);
/* The hypervisor came or went, or somebody wrote the row: the next report is due now. */
void HUB_ONLY service_report_now(struct compute_manager *m);
void HUB_ONLY service_follow_settings(struct compute_manager *m); /* another report_interval */

/* ---- cordon.c ---- */

/* After the services row was read, with its mutex held: the drain that it tells of, or does not tell of yet.
 */
int YIELDS cordon_follow_row(struct compute_manager *m, struct deadline by, struct error *err);
/* Before a build. NOVA_COMPUTE_RESOURCES_UNAVAILABLE: this host is drained, another one is to try. */
int HUB_ONLY cordon_check(const struct compute_manager *m, struct error *err);

/* image_cache.c */
int YIELDS compute_image_cache_pass(struct compute_manager *m, struct deadline by, struct error *err);

/* tasks.c */
void HUB_ONLY tasks_follow_settings(struct compute_manager *m); /* intervals, and what is idle by them */
int YIELDS tasks_check_build_time(struct compute_manager *m, struct deadline by, struct error *err);

/* tasks_deleted.c */
int YIELDS tasks_reclaim_queued_deletes(struct compute_manager *m, struct deadline by, struct error *err);
int YIELDS tasks_cleanup_running_deleted(struct compute_manager *m, struct deadline by, struct error *err);
int YIELDS tasks_run_pending_deletes(struct compute_manager *m, struct deadline by, struct error *err);
int YIELDS tasks_cleanup_incomplete_migrations(struct compute_manager *m, struct deadline by,
                                               struct error *err);
