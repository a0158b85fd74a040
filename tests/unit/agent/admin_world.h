/*
 * tests/unit/agent/admin_world.h: an agent with a real local socket whose other parts are in memory: the
 * hypervisor is the fake one, rows, manager and stall watcher are made up in admin_world.c.
 */
#pragma once

#include "base/list.h"
#include "base/mem.h"
#include "compute/resync.h"
#include "green_test.h"
#include "http/http.h"
#include "admin/admin.h"
#include "virt/fake.h"

#define UUID_A "4f1c2e6a-0000-4000-8000-00000000000a"
#define UUID_B "4f1c2e6a-0000-4000-8000-00000000000b"
#define UUID_C "4f1c2e6a-0000-4000-8000-00000000000c"

struct world {
        char dir[48];
        struct conf conf;
        struct store store;
        struct admin_sources sources;
        struct rpc_endpoint endpoints[2];
        struct rpc_client *client;
        size_t n_running; /* operations in flight that the manager has */
        struct service_row service_row;
        double rival_age; /* negative: there never was one */
        struct compute_audit_state audit;
        struct http_service_stats http; /* of one service beside keystone; "": there is none */
        bool has_placement;
        struct compute_placement_state placement;
        struct compute_resync resync; /* id 0: there was none */
        int rows_fail;                /* code that reading the rows ends with */
};
extern struct world w;

void YIELDS start(void);
void YIELDS finish(void);
int YIELDS call(const char *method, const char *args, struct jval **ret, struct error *err);
struct jval *YIELDS ask(const char *method);

const char *text_at(const struct jval *list, size_t i, const char *key);
const struct jval *find(const struct jval *list, const char *key, const char *value);
/* The heartbeat file gets that age. */
void beat(double age_s);
