/*
 * agent/compute/recovery_table.c: the table of nova-contract 4.3, row by row, as a pure function.
 *
 * Rows are tried from top to bottom; one that ends it hides those below. The rows marked "ours" are not in
 * nova: a kill in the middle of a pause, a suspend or a resume would leave the task set for ever, as no later
 * request is accepted while it is. This agent moves no instances, but it may follow a nova-compute that died
 * while it did.
 */
#include "compute/recovery.h"

#include <string.h>

#include "base/list.h"

#define VM(s)     (1u << VM_##s)
#define T(s)      (UINT64_C(1) << TASK_##s)
#define P(s)      (1u << POWER_##s)
#define ANY_VM    (~0u)
#define ANY_T     (~UINT64_C(0))
#define ANY_P     (~0u)
#define NOT_VM(s) (~VM(s))
#define OFF       (P(NOSTATE) | P(SHUTDOWN) | P(CRASHED))

struct recovery_row {
        unsigned vm;   /* set of vm_states */
        uint64_t task; /* set of task_states */
        unsigned power;
        enum recovery_step step;
        bool ends;
};

static const struct recovery_row rows[] = {
        /* ours: before the row that hides them */
        { VM(SOFT_DELETED), T(RESTORING), ANY_P, RECOVER_RESTORE, true },
        { VM(SOFT_DELETED), T(DELETING), ANY_P, RECOVER_DELETE, true },
        { VM(SOFT_DELETED), ANY_T, ANY_P, RECOVER_LEAVE, true },
        { VM(ERROR), ~(T(RESIZE_MIGRATING) | T(DELETING)), ANY_P, RECOVER_LEAVE, true },
        { VM(DELETED), ANY_T, ANY_P, RECOVER_FINISH_DELETE, true },
        { VM(BUILDING), ANY_T, ANY_P, RECOVER_TO_ERROR, true },
        { ANY_VM, T(SCHEDULING) | T(BLOCK_DEVICE_MAPPING) | T(NETWORKING) | T(SPAWNING), ANY_P,
          RECOVER_TO_ERROR, true },
        { VM(ACTIVE) | VM(STOPPED), T(REBUILDING) | T(REBUILD_BLOCK_DEVICE_MAPPING) | T(REBUILD_SPAWNING),
          ANY_P, RECOVER_TO_ERROR, true },
        { NOT_VM(ERROR),
          T(IMAGE_SNAPSHOT_PENDING) | T(IMAGE_PENDING_UPLOAD) | T(IMAGE_UPLOADING) | T(IMAGE_SNAPSHOT), ANY_P,
          RECOVER_CLEAR_TASK, false },
        { NOT_VM(ERROR), T(RESIZE_PREP), ANY_P, RECOVER_CLEAR_TASK, false },
        { ANY_VM, T(DELETING), ANY_P, RECOVER_DELETE, true },
        { VM(ACTIVE), T(REBOOT_PENDING), P(RUNNING), RECOVER_REBOOT_SOFT, true },
        { VM(ACTIVE), T(REBOOT_PENDING), ~P(RUNNING), RECOVER_REBOOT_HARD, true },
        { VM(ACTIVE) | VM(STOPPED) | VM(PAUSED) | VM(SUSPENDED) | VM(ERROR), T(REBOOT_PENDING_HARD), ANY_P,
          RECOVER_REBOOT_HARD, true },
        { ANY_VM, T(REBOOT_STARTED) | T(REBOOT_STARTED_HARD), ~P(RUNNING), RECOVER_REBOOT_HARD, true },
        { ANY_VM, T(REBOOT_STARTED) | T(REBOOT_STARTED_HARD) | T(PAUSING) | T(UNPAUSING), P(RUNNING),
          RECOVER_TO_ACTIVE, false },
        { ANY_VM, T(UNPAUSING), P(PAUSED), RECOVER_UNPAUSE, true },
        { ANY_VM, T(POWERING_OFF), ANY_P, RECOVER_STOP, true },
        { ANY_VM, T(POWERING_ON), ANY_P, RECOVER_START, true },
        /* ours */
        { ANY_VM, T(REBOOTING), P(RUNNING), RECOVER_REBOOT_SOFT, true },
        { ANY_VM, T(REBOOTING), ~P(RUNNING), RECOVER_REBOOT_HARD, true },
        { ANY_VM, T(REBOOTING_HARD), ANY_P, RECOVER_REBOOT_HARD, true },
        { ANY_VM, T(SOFT_DELETING), ANY_P, RECOVER_SOFT_DELETE, true },
        { ANY_VM, T(PAUSING), P(PAUSED), RECOVER_TO_PAUSED, true },
        { ANY_VM, T(SUSPENDING), P(RUNNING), RECOVER_TO_ACTIVE, true },
        { ANY_VM, T(SUSPENDING), OFF, RECOVER_TO_SUSPENDED, true },
        { ANY_VM, T(RESUMING), P(RUNNING), RECOVER_RESUMED, true },
        { ANY_VM, T(RESUMING), OFF, RECOVER_RESUME, true },
        { ANY_VM, T(PAUSING) | T(UNPAUSING), OFF, RECOVER_CLEAR_TASK, true },
        /* nova's again */
        { ANY_VM, T(RESIZE_MIGRATING), ANY_P, RECOVER_REVERT_RESIZE, true },
        { ANY_VM, T(MIGRATING), ANY_P, RECOVER_ABORT_MIGRATION, false },
};

static bool row_applies(const struct recovery_row *r, const struct instance *i, enum power_state power)
{
        return (r->vm >> i->vm_state & 1) && (r->task >> i->task_state & 1) && (r->power >> power & 1);
}

/* The last row: a guest that ran when the host went down. */
static bool boots_again(const struct recovery_options *opt, const struct instance *i, enum power_state power)
{
        return opt->boot_again && i->power_state == POWER_RUNNING &&
               (power == POWER_SHUTDOWN || power == POWER_CRASHED);
}

unsigned recovery_decide(const struct recovery_options *opt, const struct instance *i, enum power_state power,
                         enum recovery_step steps[RECOVERY_STEPS_MAX])
{
        unsigned n = 0;

        if (!i->host || strcmp(i->host, opt->host) != 0) {
                steps[n++] = RECOVER_LEAVE;
                return n;
        }
        for (size_t r = 0; r < ARRAY_SIZE(rows) && n < RECOVERY_STEPS_MAX; r++) {
                if (!row_applies(&rows[r], i, power))
                        continue;
                steps[n++] = rows[r].step;
                if (rows[r].ends)
                        return n;
        }
        if (n < RECOVERY_STEPS_MAX && boots_again(opt, i, power))
                steps[n++] = RECOVER_BOOT_AGAIN;
        return n;
}

const char *recovery_step_name(enum recovery_step s)
{
        static const char *const names[] = {
                [RECOVER_NOTHING] = "nothing to do",
                [RECOVER_LEAVE] = "leaving it alone",
                [RECOVER_FINISH_DELETE] = "finishing its deletion",
                [RECOVER_TO_ERROR] = "what was done with it was interrupted, setting it to error",
                [RECOVER_CLEAR_TASK] = "what was done with it was interrupted, clearing its task",
                [RECOVER_DELETE] = "deleting it",
                [RECOVER_REBOOT_SOFT] = "rebooting it",
                [RECOVER_REBOOT_HARD] = "rebooting it the hard way",
                [RECOVER_TO_ACTIVE] = "its guest runs, setting it to active",
                [RECOVER_UNPAUSE] = "unpausing it",
                [RECOVER_STOP] = "stopping it",
                [RECOVER_START] = "starting it",
                [RECOVER_TO_PAUSED] = "its guest is paused, setting it to paused",
                [RECOVER_TO_SUSPENDED] = "its guest is off, setting it to suspended",
                [RECOVER_RESUME] = "resuming it",
                [RECOVER_RESUMED] = "its guest runs, which finishes the resume",
                [RECOVER_SOFT_DELETE] = "soft-deleting it",
                [RECOVER_RESTORE] = "restoring it",
                [RECOVER_REVERT_RESIZE] =
                        "it was interrupted on its way to another size or host, taking it back",
                [RECOVER_ABORT_MIGRATION] = "it was interrupted while it moved, ending that",
                [RECOVER_BOOT_AGAIN] = "it ran before, starting it again",
        };

        return names[s];
}
