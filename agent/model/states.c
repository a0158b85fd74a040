/* agent/model/states.c: the names of states in nova's rows (nova-contract 5.8). */
#include "model/states.h"

#include <stddef.h>
#include <string.h>

#include "base/list.h"

static const char *const vm_states[VM_STATES] = {
        [VM_ACTIVE] = "active",   [VM_BUILDING] = "building",
        [VM_PAUSED] = "paused",   [VM_SUSPENDED] = "suspended",
        [VM_STOPPED] = "stopped", [VM_RESCUED] = "rescued",
        [VM_RESIZED] = "resized", [VM_SOFT_DELETED] = "soft-delete",
        [VM_DELETED] = "deleted", [VM_ERROR] = "error",
        [VM_SHELVED] = "shelved", [VM_SHELVED_OFFLOADED] = "shelved_offloaded",
};

/* TASK_NONE and TASK_UNKNOWN have no name in a row. */
static const char *const task_states[TASK_STATES] = {
        [TASK_SCHEDULING] = "scheduling",
        [TASK_BLOCK_DEVICE_MAPPING] = "block_device_mapping",
        [TASK_NETWORKING] = "networking",
        [TASK_SPAWNING] = "spawning",
        [TASK_IMAGE_SNAPSHOT] = "image_snapshot",
        [TASK_IMAGE_SNAPSHOT_PENDING] = "image_snapshot_pending",
        [TASK_IMAGE_PENDING_UPLOAD] = "image_pending_upload",
        [TASK_IMAGE_UPLOADING] = "image_uploading",
        [TASK_IMAGE_BACKUP] = "image_backup",
        [TASK_UPDATING_PASSWORD] = "updating_password",
        [TASK_RESIZE_PREP] = "resize_prep",
        [TASK_RESIZE_MIGRATING] = "resize_migrating",
        [TASK_RESIZE_MIGRATED] = "resize_migrated",
        [TASK_RESIZE_FINISH] = "resize_finish",
        [TASK_RESIZE_REVERTING] = "resize_reverting",
        [TASK_RESIZE_CONFIRMING] = "resize_confirming",
        [TASK_REBOOTING] = "rebooting",
        [TASK_REBOOT_PENDING] = "reboot_pending",
        [TASK_REBOOT_STARTED] = "reboot_started",
        [TASK_REBOOTING_HARD] = "rebooting_hard",
        [TASK_REBOOT_PENDING_HARD] = "reboot_pending_hard",
        [TASK_REBOOT_STARTED_HARD] = "reboot_started_hard",
        [TASK_PAUSING] = "pausing",
        [TASK_UNPAUSING] = "unpausing",
        [TASK_SUSPENDING] = "suspending",
        [TASK_RESUMING] = "resuming",
        [TASK_POWERING_OFF] = "powering-off",
        [TASK_POWERING_ON] = "powering-on",
        [TASK_RESCUING] = "rescuing",
        [TASK_UNRESCUING] = "unrescuing",
        [TASK_REBUILDING] = "rebuilding",
        [TASK_REBUILD_BLOCK_DEVICE_MAPPING] = "rebuild_block_device_mapping",
        [TASK_REBUILD_SPAWNING] = "rebuild_spawning",
        [TASK_MIGRATING] = "migrating",
        [TASK_DELETING] = "deleting",
        [TASK_SOFT_DELETING] = "soft-deleting",
        [TASK_RESTORING] = "restoring",
        [TASK_SHELVING] = "shelving",
        [TASK_SHELVING_IMAGE_PENDING_UPLOAD] = "shelving_image_pending_upload",
        [TASK_SHELVING_IMAGE_UPLOADING] = "shelving_image_uploading",
        [TASK_SHELVING_OFFLOADING] = "shelving_offloading",
        [TASK_UNSHELVING] = "unshelving",
};

static unsigned find(const char *const *names, unsigned n, const char *name, unsigned unknown)
{
        for (unsigned i = 0; i < n; i++)
                if (names[i] && !strcmp(names[i], name))
                        return i;
        return unknown;
}

const char *vm_state_name(enum vm_state s)
{
        return s < VM_STATES && vm_states[s] ? vm_states[s] : "unknown";
}

enum vm_state vm_state_parse(const char *name)
{
        return name ? find(vm_states, VM_STATES, name, VM_UNKNOWN) : VM_UNKNOWN;
}

const char *task_state_name(enum task_state s)
{
        if (s == TASK_NONE)
                return NULL;
        return s < TASK_STATES && task_states[s] ? task_states[s] : "unknown";
}

enum task_state task_state_parse(const char *name)
{
        return name ? find(task_states, TASK_STATES, name, TASK_UNKNOWN) : TASK_NONE;
}

const char *power_state_name(enum power_state s)
{
        switch (s) {
        case POWER_NOSTATE:
                return "pending";
        case POWER_RUNNING:
                return "running";
        case POWER_PAUSED:
                return "paused";
        case POWER_SHUTDOWN:
                return "shutdown";
        case POWER_CRASHED:
                return "crashed";
        case POWER_SUSPENDED:
                return "suspended";
        }
        return "unknown";
}

bool task_expected(const struct task_expect *e, enum task_state s)
{
        for (unsigned i = 0; i < e->n && i < ARRAY_SIZE(e->any); i++)
                if (e->any[i] == s)
                        return true;
        return e->n == 0;
}
