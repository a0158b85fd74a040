/*
 * tests/support/compute_fixture.h: a compute manager on the fake hypervisor, rows in memory, no files.
 *
 *      struct compute_fixture f;
 *      compute_fixture_start(&f);      host "host-1", node "fake-host", audited, listening to events
 *      ...
 *      compute_fixture_stop(&f);
 */
#pragma once

#include "compute/manager.h"
#include "fake_files.h"
#include "fake_store.h"
#include "virt/fake.h"

#define UUID_A "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
#define UUID_B "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"
#define REQ    "req-00000000-0000-4000-8000-000000000001"

struct compute_fixture {
        struct conf conf;
        struct store store;
        struct virt_driver *driver;
        struct compute_manager *m;
        struct placement *placement;           /* for compute_fixture_make(); NULL: none */
        const struct scheduler_ops *scheduler; /* the same */
        void *scheduler_arg;
        struct journal *journal; /* the same */
        struct request_context ctx;
};

/* Fills conf with defaults of a small host; made by start too, apart for tests that change it before. */
void compute_fixture_defaults(struct compute_fixture *f);
/* The manager without init_host and audit; conf as it is. */
void YIELDS compute_fixture_make(struct compute_fixture *f);
void YIELDS compute_fixture_start(struct compute_fixture *f);
void YIELDS compute_fixture_stop(struct compute_fixture *f);

/* A call for the instance under the fixture's request. */
struct compute_call compute_fixture_call(struct compute_fixture *f, const char *uuid);
/* Row, guest (in that state; POWER_NOSTATE: none), files and an action for REQ. */
struct instance *HUB_ONLY compute_fixture_instance(struct compute_fixture *f, const char *uuid,
                                                   enum vm_state vm_state, enum task_state task_state,
                                                   enum power_state guest);
/* Waits until nothing runs and all events are handled. */
void YIELDS compute_fixture_settle(struct compute_fixture *f);

/* A build as rpc/ makes one. *ret_rescheduled counts casts back to conductor; NULL: no retry allowed. */
struct compute_build *compute_fixture_build(const char *uuid, unsigned *ret_rescheduled);
/* What the next reschedule fails with; 0: it works. */
void compute_fixture_reschedule_fails(int code);
unsigned compute_fixture_builds_alive(void); /* made and not dropped yet */

/* What was written since the last look; compares whole texts. */
#define ck_assert_journal(expected) ck_assert_str_eq(fake_store_journal(), expected)
