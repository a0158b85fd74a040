/*
 * agent/agent_priv.h: the daemon's parts, shared by parts.c and parts_peers.c (starting, stopping), agent.c
 * (its life) and reload.c.
 */
#pragma once

#include "agent.h"
#include "complaints.h"
#include "green/green.h"
#include "messaging/rpc_server.h"
#include "readers.h"
#include "admin/admin.h"
#include "rpc/methods.h"
#include "store/store.h"
#include "virt/driver.h"

struct agent {
        struct conf *conf; /* a reload changes it; everybody else has it as const */
        const struct options *options;
        bool reloading, reload_again; /* SIGHUP came, and another one meanwhile */
        unsigned started;             /* how many of parts[] */
        bool draining;
        struct stall_watcher *watcher;
        struct heartbeat *heartbeat;
        struct tpool *tpool;
        struct tpool *files; /* for work on files: a file server that hangs keeps nothing else waiting */
        struct db_pool *db;
        struct store store;
        /* Each NULL when it is not configured. The identities are those of [placement] and [service_user]. */
        struct http_client *placement_http, *service_user_http, *glance_http;
        struct keystone *placement_user, *service_user;
        struct service *placement_service;
        struct placement *placement;
        struct virt_driver *driver;
        struct image_source *images;
        struct disk_store *disks;
        struct journal *journal; /* of the manager's operations */
        struct compute_manager *manager;
        struct transport *transport;
        struct rpc_server *rpc;
        struct readers readers;              /* who may look */
        struct transport *control_transport; /* the control socket, when transport_url is none; or NULL */
        struct rpc_server *control;
        struct monitor *monitor;
        struct green *health; /* looks at it now and then */
        struct progress *progress;
        struct program *program;
        struct green *memory; /* gives back what is not needed; NULL with --debug */
        struct agent_methods methods;
        struct admin_sources admin;
        struct rpc_endpoint endpoints[12];
        struct complaints *complaints;
};

enum { STOP_S = 5 };  /* what a part gets for stopping beyond the graceful timeout */
enum { REACH_S = 5 }; /* an attempt only to reach a peer */

/* Starts what was not started yet; fails with the part's own error, ERR_CANCELLED when asked to stop. */
int YIELDS parts_start(struct agent *a, struct error *err);
/* Stops what was started, also half way, in reverse order. */
void YIELDS parts_stop(struct agent *a);

/*
 * Tries until it works: a late database or hypervisor is not an error of ours. Fails only when it was
 * cancelled, or with ERR_INVALID: that does not mend itself.
 */
int YIELDS until_it_works(struct agent *a, const char *what, int64_t attempt_s,
                          int (*attempt)(struct agent *a, struct deadline by, struct error *err),
                          struct error *err);

/* ---- reload.c ---- */

/* SIGHUP: a green thread's body; arg is the struct agent. */
int agent_reload(void *arg, struct error *err);

/* ---- parts_peers.c ---- */

int YIELDS peers_start(struct agent *a, struct error *err);
void YIELDS peers_stop(struct agent *a);
int YIELDS images_start(struct agent *a, struct error *err);
void YIELDS images_stop(struct agent *a);
