/*
 * agent/admin/admin.h: what compute-agentctl asks the running agent: RPC methods of namespace "admin", 1.0.
 *
 *      status      one object about the whole: versions, parts, what runs
 *      instances   rows of this host beside what the hypervisor says
 *      threads     green threads and native threads; {"backtrace"?: bool, "id"?: of one green thread}
 *      pools       green pools, tpools with what their workers do, queues, named locks
 *      locks       who holds which lock since when, and who waits for it
 *      jobs        operations under way and how far they are, other requests, calls that block
 *      top         what is counted, to make rates of two answers
 *      tasks       the periodic tasks: when they ran and will, or why they are idle
 *      health      {"status": "pass|warn|fail", "checks": {name: {status, output, ...}}};
 *                  names as in health+json: observedValue, observedUnit
 *      log-level   {"level"?, "module"?, "seconds"?, "reset"?}: tells and perhaps sets it
 *      drain       {"user"?, "reason"?, "stop"?}: takes no more builds; stop: the agent ends then
 *      undrain     takes that back
 *      drain-state {"pid", "drain"}: how far it is; drain null: it is not drained
 *      resync      {"uuid"?: of one instance}: looks at everything now; one at a time
 *      resync-state  how far it is, or what came of the last one; "id" null: there was none
 *      report      as SIGUSR2: {"written_to", "journal": bool}; with {"text": true} it is the answer
 *
 * They answer on the local socket only; who may have which is said in access.h.
 */
#pragma once

#include "compute/manager.h"
#include "messaging/rpc_server.h"

#define ADMIN_NAMESPACE "admin"
#define ADMIN_VERSION   "1.0"

/* Where the answers come from. All borrowed; NULL: that part was not started (yet). */
struct admin_sources {
        const struct options *options;
        const char *log_level;   /* of the command line; NULL: it names none */
        const struct conf *conf; /* never NULL */
        struct store *store;
        struct db_pool *db;
        struct virt_driver *driver;
        struct compute_manager *manager;
        struct tpool *tpool, *files;
        struct stall_watcher *watcher;
        struct heartbeat *heartbeat;
        struct image_source *images;
        struct disk_store *disks;
        struct journal *journal;
        struct rpc_server *rpc;
        struct rpc_server *control; /* that of the local socket, where rpc has another transport */
        struct transport *transport;
        int64_t started_ns;        /* of the monotonic clock */
        unsigned refused_mistakes; /* the last reload had so many and changed nothing; 0: it was well */
        char needs_restart[256];   /* settings that changed in the file and wait for that, or "" */
        char waiting[400];         /* the start waits for whom, and why; or "" */
        char restart_pending[400]; /* the program on disk is another one: as people are told; or "" */
        bool stderr_is_journal;    /* what is written there is read in the journal */
        bool ready, draining;      /* the start has finished; SIGTERM came */
        bool stop_when_drained;
        /*
         * Writes the report of SIGUSR2, or (ret_text not NULL) returns it; see report/report.h. The caller
         * frees *ret_path, which is NULL for stderr, and *ret_text. NULL: there is none.
         */
        int (*write_report)(const struct admin_sources *from, char **ret_path, char **ret_text,
                            struct error *err);
        struct reporter *reporter; /* its own */
};

extern const struct rpc_method admin_methods[];
rpc_method_fn admin_method_drain, admin_method_undrain, admin_method_drain_state, admin_method_log_level;
rpc_method_fn admin_method_resync, admin_method_resync_state;
/* With its app left to fill in: a struct admin_sources. */
extern const struct rpc_endpoint admin_endpoint;

/* The parts of the answers, also for the report. Caller owns the value. */
struct jval *YIELDS admin_status(const struct admin_sources *s);
struct jval *HUB_ONLY admin_status_now(const struct admin_sources *s); /* without the rows */
struct jval *HUB_ONLY admin_threads(void);
struct jval *HUB_ONLY admin_pools(const struct admin_sources *s);
struct jval *HUB_ONLY admin_locks(void);
struct jval *HUB_ONLY admin_tasks(const struct admin_sources *s);
/* Null when the host is not drained. */
struct jval *HUB_ONLY admin_drain(const struct admin_sources *s);
struct jval *HUB_ONLY admin_health(const struct admin_sources *s);
/* The names of the services that have been away for some seconds, as "database, placement", or NULL. Caller
 * frees. */
char *HUB_ONLY admin_health_missing(const struct admin_sources *s);
struct jval *HUB_ONLY admin_top(const struct admin_sources *s);
/* asking: the id of the request that asks, which is left out; or NULL. */
struct jval *YIELDS admin_jobs(const struct admin_sources *s, const char *asking);
/* Into each of the green threads of admin_threads(), or that with this id (negative: all): "backtrace". */
int YIELDS admin_backtraces(const struct admin_sources *s, struct jval *green, int64_t only,
                            struct error *err);
/* ERR_TIMEOUT, ERR_DB_LOST ...: the rows could not be read. */
int YIELDS admin_instances(const struct admin_sources *s, struct jval **ret, struct error *err);
/* Age of the heartbeat file; negative when there is none. */
double admin_heartbeat_age_s(const struct conf *conf);

/* ---- pieces of several answers ---- */

/* ERR_BUSY while the agent starts or stops: for what needs all of its parts. */
int admin_must_serve(const struct admin_sources *s, struct error *err);

struct jval *HUB_ONLY admin_lock_list(void);
struct jval *admin_native_threads(void);
struct jval *HUB_ONLY admin_hub(const struct admin_sources *s);
/* For compute_manager_foreach_running(); arg is an array. */
void admin_add_running(const struct compute_running *r, void *arg);
