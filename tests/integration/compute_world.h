/*
 * tests/integration/compute_world.h: a compute manager on a real database and real files; only the hypervisor
 * is the one in memory.
 *
 *      WORLD_TEST(name) { ... world->m, ck_assert_sql(&world->desk, ...) ... }
 *
 * Each UPDATE of instances leaves "vm_state/task_state/power_state" in the table steps, which world_steps()
 * shows and empties: the way a user who polls would have seen it, had he been quick enough.
 */
#pragma once

#include "compute/manager.h"
#include "compute_conf.h"
#include "images/disks.h"
#include "store_fixture.h"
#include "virt/fake.h"

#define IMAGE_ID "51e2c424-9aa0-4be3-9ba5-ddff81208f60"
#define USER     "7d42ae24c92b4a75bc9ef1d7abbc58ed"
#define PROJECT  "b2a4ffa43a194a0fa91c27ba51eb950c"

struct world {
        struct desk desk;
        char dir[128];
        struct conf conf;
        struct image_source *images;
        struct disk_store *disks;
        struct virt_driver *driver;
        struct compute_manager *m;
        struct request_context ctx;
};

void YIELDS world_open(struct world *w);
/* The manager and the hypervisor's connection end as in a stop of the agent; guests go on. */
void YIELDS world_stop_manager(struct world *w);
/* A manager as after a start: recovered, registered, audited. */
void YIELDS world_start_manager(struct world *w);
void YIELDS world_close(struct world *w);

/* The rows that conductor makes; the uuid is written to ret. */
void YIELDS world_new_instance(struct world *w, const char *name, char ret[UUID_LEN + 1]);
/* A built one. */
void YIELDS world_boot(struct world *w, const char *name, char ret[UUID_LEN + 1]);
/* Starts a build; node as scheduled here. No retry, as compute-agentctl sends it. */
void YIELDS world_build(struct world *w, const char *uuid);
/* What nova-api does before it casts: task_state, and the action row of a new request. */
struct compute_call YIELDS world_ask(struct world *w, const char *uuid, const char *action,
                                     const char *task_state);
/* Until nothing runs and all events are handled. */
void YIELDS world_settle(struct world *w);

/* "building/-/0 building/networking/0 ...": since the last look; freed by the caller. */
char *YIELDS world_steps(struct world *w);
#define ck_assert_steps(w, want)                \
        do {                                    \
                char *steps_ = world_steps(w);  \
                ck_assert_str_eq(steps_, want); \
                free(steps_);                   \
        } while (0)
/* A statement with %s for the uuid, one row, one column, compared as text. */
void YIELDS world_expect(struct world *w, const char *uuid, const char *sql, const char *want);
void YIELDS world_run(struct world *w, const char *uuid, const char *sql);
bool world_has_file(struct world *w, const char *uuid, const char *name);
enum power_state YIELDS world_guest(struct world *w, const char *uuid);

#define WORLD_TEST(name)                                   \
        static void YIELDS name##_in(struct world *world); \
        GREEN_TEST_REAL(name)                              \
        {                                                  \
                static struct world w;                     \
                                                           \
                world_open(&w);                            \
                name##_in(&w);                             \
                world_close(&w);                           \
        }                                                  \
        static void name##_in(struct world *world)
