/*
 * agent/model/fault.h: error codes of the agent and the exception names the control plane expects for them.
 *
 * struct error carries one of these codes; rpc/ turns it into oslo's failure, compute/ into instance_faults.
 * The table is total (a test checks): each code has a class, a module and an HTTP code (nova-contract 1.5).
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"

enum nova_error {
        NOVA_INSTANCE_NOT_FOUND = ERR_APP,
        NOVA_INSTANCE_NOT_READY,
        NOVA_INSTANCE_NOT_RUNNING,
        NOVA_INSTANCE_INVALID_STATE,
        NOVA_INSTANCE_WRONG_POWER_STATE, /* InstanceInvalidState too: sys is the power state */
        NOVA_INSTANCE_ACTION_NOT_FOUND,
        NOVA_INSTANCE_ACTION_EVENT_NOT_FOUND,
        NOVA_INSTANCE_POWER_OFF_FAILURE,
        NOVA_CONSOLE_NOT_AVAILABLE,
        NOVA_CONSOLE_TYPE_INVALID,     /* there is no console type of that name */
        NOVA_CONSOLE_TYPE_UNAVAILABLE, /* this host, or this guest, has none of that type */
        NOVA_TRIGGER_CRASH_DUMP_NOT_SUPPORTED,
        NOVA_BUILD_ABORT,
        NOVA_RESCHEDULED,
        NOVA_UNEXPECTED_TASK_STATE,
        NOVA_UNEXPECTED_DELETING_TASK_STATE,
        NOVA_COMPUTE_RESOURCES_UNAVAILABLE,
        NOVA_HYPERVISOR_UNAVAILABLE,
        NOVA_IMAGE_NOT_FOUND,
        NOVA_IMAGE_NOT_AUTHORIZED,
        NOVA_IMAGE_UNACCEPTABLE,
        NOVA_IMAGE_NOT_ACTIVE,
        NOVA_INVALID_DISK_INFO,
        NOVA_INVALID_DISK_FORMAT,
        NOVA_FLAVOR_DISK_SMALLER_THAN_IMAGE,
        NOVA_FLAVOR_DISK_SMALLER_THAN_MIN_DISK,
        NOVA_FLAVOR_MEMORY_TOO_SMALL,
        NOVA_TOO_MANY_DISK_DEVICES,
        NOVA_INVALID_BDM,
        NOVA_INVALID_INPUT,
        NOVA_CONFIG_DRIVE_UNSUPPORTED,
        NOVA_UNSUPPORTED_OBJECT, /* IncompatibleObjectVersion, or an object of another kind than expected */
        NOVA_NOT_IMPLEMENTED,    /* builtins.NotImplementedError: the API answers 501 */
        NOVA_TYPE_ERROR,         /* builtins.TypeError: unknown or missing arguments */
        NOVA_LIBVIRT_ERROR,      /* libvirt.libvirtError: sys is libvirt's error number */
        NOVA_ERRORS_END
};

enum nova_kwarg { KWARG_INSTANCE /* the uuid */, KWARG_REASON /* the message */, KWARG_CONSOLE_TYPE };
struct nova_exception {
        const char *class_name, *module;
        int http_code;            /* 500 when the class has none */
        const char *kwarg;        /* name of a keyword of its constructor, or NULL */
        enum nova_kwarg kwarg_is; /* what that takes */
        bool aborts_build;        /* nova-contract 3.4: in the abort list of build_and_run_instance */
};
/* Never NULL: codes of lib/ map too (ERR_TIMEOUT: builtins.TimeoutError, ERR_DB: ... ). */
const struct nova_exception *nova_exception_of(int code);
