/*
 * agent/rpc/admin.h: what compute-agentctl asks the running agent: RPC methods of namespace "admin", 1.0.
 *
 *      status      one object about the whole: versions, parts, what runs
 *      instances   rows of this host beside what the hypervisor says
 *      threads     green threads and native threads
 *      pools       green pools, tpools with what their workers do, queues, named locks
 *      tasks       the periodic tasks: when they ran and will, or why they are idle
 *      health      {"status": "pass|warn|fail", "checks": {name: {status, observed, output}}}
 *      log-level   {"level"?}: tells and perhaps sets it
 *      drain       as SIGTERM: finish what runs, then exit
 *      report      as SIGUSR2
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
        struct rpc_server *rpc;
        struct transport *transport;
        int64_t started_ns;        /* of the monotonic clock */
        unsigned refused_mistakes; /* the last reload had so many and changed nothing; 0: it was well */
        char needs_restart[256];   /* settings that changed in the file and wait for that, or "" */
        bool ready, draining;      /* the start has finished; SIGTERM came */
        /* Writes the report of SIGUSR2; NULL: this build has none. *ret_path: NULL for stderr; caller frees.
         */
        int (*write_report)(const struct admin_sources *from, char **ret_path, struct error *err);
};

extern const struct rpc_method admin_methods[];
/* With its app left to fill in: a struct admin_sources. */
extern const struct rpc_endpoint admin_endpoint;

/* The parts of the answers, also for the report. Caller owns the value. */
struct jval *YIELDS admin_status(const struct admin_sources *s);
struct jval *HUB_ONLY admin_threads(void);
struct jval *HUB_ONLY admin_pools(const struct admin_sources *s);
struct jval *HUB_ONLY admin_tasks(const struct admin_sources *s);
struct jval *HUB_ONLY admin_health(const struct admin_sources *s);
/* ERR_TIMEOUT, ERR_DB_LOST ...: the rows could not be read. */
int YIELDS admin_instances(const struct admin_sources *s, struct jval **ret, struct error *err);
/* Age of the heartbeat file; negative when there is none. */
double admin_heartbeat_age_s(const struct conf *conf);
