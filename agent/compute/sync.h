/* agent/compute/sync.h: what to do when the hypervisor and the row disagree: the table of nova-contract 7.7.
 */
#pragma once

#include "model/states.h"

enum sync_verdict {
        SYNC_NOTHING,
        SYNC_STOP,       /* after looking again: the guest is off (or asleep) though it should run */
        SYNC_FORCE_STOP, /* the guest runs though it should not */
        SYNC_REMARK,     /* say so in the log, no more */
};
enum sync_verdict sync_decide(enum vm_state vm_state, enum power_state actual);
