/* agent/compute/recovery.h: what an instance needs after the agent was away: the table of nova-contract 4.3.
 */
#pragma once

#include "model/instance.h"

enum recovery_step {
        RECOVER_NOTHING,
        RECOVER_LEAVE,         /* not ours, or nothing can be done: no row below applies */
        RECOVER_FINISH_DELETE, /* the row says deleted and is still seen */
        RECOVER_TO_ERROR,      /* vm_state error, task NULL */
        RECOVER_CLEAR_TASK,    /* task NULL */
        RECOVER_DELETE,        /* terminate */
        RECOVER_REBOOT_SOFT,
        RECOVER_REBOOT_HARD,
        RECOVER_TO_ACTIVE, /* vm_state active, task NULL */
        RECOVER_UNPAUSE,
        RECOVER_STOP,
        RECOVER_START,
        RECOVER_TO_PAUSED,
        RECOVER_TO_SUSPENDED,
        RECOVER_RESUME,
        RECOVER_RESUMED, /* vm_state as before the suspend, task NULL */
        RECOVER_SOFT_DELETE,
        RECOVER_RESTORE,
        RECOVER_REVERT_RESIZE,   /* files back, started if it ran, task NULL */
        RECOVER_ABORT_MIGRATION, /* migration error, task NULL */
        RECOVER_BOOT_AGAIN,      /* resume_guests_state_on_host_boot */
};

struct recovery_options {
        const char *host;
        bool boot_again; /* resume_guests_state_on_host_boot */
};

/*
 * The steps for an instance whose guest is in this state, in order; at most RECOVERY_STEPS_MAX. Only the last
 * one may start or stop the guest.
 */
#define RECOVERY_STEPS_MAX 4
unsigned recovery_decide(const struct recovery_options *opt, const struct instance *i, enum power_state power,
                         enum recovery_step steps[RECOVERY_STEPS_MAX]);
const char *recovery_step_name(enum recovery_step s);
