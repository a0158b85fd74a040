/*
 * agent/model/states.h: vm_state, task_state and power_state with their names in the database
 * (nova-contract 5.8). Plain data, no I/O.
 */
#pragma once

#include <stdbool.h>

enum vm_state {
        VM_UNKNOWN, /* a name this agent does not know; never written */
        VM_ACTIVE,
        VM_BUILDING,
        VM_PAUSED,
        VM_SUSPENDED,
        VM_STOPPED,
        VM_RESCUED,
        VM_RESIZED,
        VM_SOFT_DELETED,
        VM_DELETED,
        VM_ERROR,
        VM_SHELVED,
        VM_SHELVED_OFFLOADED,
        VM_STATES
};

enum task_state {
        TASK_NONE,    /* NULL in the row */
        TASK_UNKNOWN, /* a name this agent does not know; never written */
        TASK_SCHEDULING,
        TASK_BLOCK_DEVICE_MAPPING,
        TASK_NETWORKING,
        TASK_SPAWNING,
        TASK_IMAGE_SNAPSHOT,
        TASK_IMAGE_SNAPSHOT_PENDING,
        TASK_IMAGE_PENDING_UPLOAD,
        TASK_IMAGE_UPLOADING,
        TASK_IMAGE_BACKUP,
        TASK_UPDATING_PASSWORD,
        TASK_RESIZE_PREP,
        TASK_RESIZE_MIGRATING,
        TASK_RESIZE_MIGRATED,
        TASK_RESIZE_FINISH,
        TASK_RESIZE_REVERTING,
        TASK_RESIZE_CONFIRMING,
        TASK_REBOOTING,
        TASK_REBOOT_PENDING,
        TASK_REBOOT_STARTED,
        TASK_REBOOTING_HARD,
        TASK_REBOOT_PENDING_HARD,
        TASK_REBOOT_STARTED_HARD,
        TASK_PAUSING,
        TASK_UNPAUSING,
        TASK_SUSPENDING,
        TASK_RESUMING,
        TASK_POWERING_OFF,
        TASK_POWERING_ON,
        TASK_RESCUING,
        TASK_UNRESCUING,
        TASK_REBUILDING,
        TASK_REBUILD_BLOCK_DEVICE_MAPPING,
        TASK_REBUILD_SPAWNING,
        TASK_MIGRATING,
        TASK_DELETING,
        TASK_SOFT_DELETING,
        TASK_RESTORING,
        TASK_SHELVING,
        TASK_SHELVING_IMAGE_PENDING_UPLOAD,
        TASK_SHELVING_IMAGE_UPLOADING,
        TASK_SHELVING_OFFLOADING,
        TASK_UNSHELVING,
        TASK_STATES
};

enum power_state {
        POWER_NOSTATE = 0,
        POWER_RUNNING = 1,
        POWER_PAUSED = 3,
        POWER_SHUTDOWN = 4,
        POWER_CRASHED = 6,
        POWER_SUSPENDED = 7,
};

const char *vm_state_name(enum vm_state s);     /* "active" */
const char *task_state_name(enum task_state s); /* "spawning"; NULL for TASK_NONE */
const char *power_state_name(enum power_state s);
enum vm_state vm_state_parse(const char *name);
enum task_state task_state_parse(const char *name); /* NULL: TASK_NONE */

/* What a compare-and-set expects of task_state (nova-contract 5.3). n == 0: nothing. */
struct task_expect {
        unsigned n;
        enum task_state any[6];
};
#define EXPECT_ANY         ((struct task_expect){ 0 })
#define EXPECT_COUNT_(...) (sizeof((enum task_state[]){ __VA_ARGS__ }) / sizeof(enum task_state))
#define EXPECT(...)        ((struct task_expect){ EXPECT_COUNT_(__VA_ARGS__), { __VA_ARGS__ } })
bool task_expected(const struct task_expect *e, enum task_state s);
