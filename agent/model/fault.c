/*
 * agent/model/fault.c: what each error is called outside (nova-contract 1.5).
 *
 * nova-api and conductor rebuild only exceptions of nova.exception and builtins; the class decides the HTTP
 * code that a user sees. Errors of lib/ have no meaning to a user: they get the nearest class of Python.
 */
#include "model/fault.h"

#include <stddef.h>

#include "base/list.h"

#define NOVA        "nova.exception"
#define BUILTINS    "builtins"
#define OF_INSTANCE .kwarg = "instance_uuid"
#define OF_REASON   .kwarg = "reason", .kwarg_is = KWARG_REASON
#define OF_CONSOLE  .kwarg = "console_type", .kwarg_is = KWARG_CONSOLE_TYPE
#define ABORTS      .aborts_build = true

static const struct nova_exception nova_errors[NOVA_ERRORS_END - ERR_APP] = {
#define ROW(code, ...) [code - ERR_APP] = { __VA_ARGS__ }
        ROW(NOVA_INSTANCE_NOT_FOUND, "InstanceNotFound", NOVA, 404, .kwarg = "instance_id"),
        ROW(NOVA_INSTANCE_NOT_READY, "InstanceNotReady", NOVA, 400, .kwarg = "instance_id"),
        ROW(NOVA_INSTANCE_NOT_RUNNING, "InstanceNotRunning", NOVA, 400, .kwarg = "instance_id"),
        ROW(NOVA_INSTANCE_INVALID_STATE, "InstanceInvalidState", NOVA, 400, OF_INSTANCE),
        ROW(NOVA_INSTANCE_WRONG_POWER_STATE, "InstanceInvalidState", NOVA, 400, OF_INSTANCE),
        ROW(NOVA_INSTANCE_ACTION_NOT_FOUND, "InstanceActionNotFound", NOVA, 500, OF_INSTANCE),
        ROW(NOVA_INSTANCE_ACTION_EVENT_NOT_FOUND, "InstanceActionEventNotFound", NOVA, 500),
        ROW(NOVA_INSTANCE_POWER_OFF_FAILURE, "InstancePowerOffFailure", NOVA, 400, OF_REASON),
        ROW(NOVA_CONSOLE_NOT_AVAILABLE, "ConsoleNotAvailable", NOVA, 404),
        ROW(NOVA_CONSOLE_TYPE_INVALID, "ConsoleTypeInvalid", NOVA, 400, OF_CONSOLE),
        ROW(NOVA_CONSOLE_TYPE_UNAVAILABLE, "ConsoleTypeUnavailable", NOVA, 400, OF_CONSOLE),
        ROW(NOVA_TRIGGER_CRASH_DUMP_NOT_SUPPORTED, "TriggerCrashDumpNotSupported", NOVA, 400),
        ROW(NOVA_BUILD_ABORT, "BuildAbortException", NOVA, 500, OF_INSTANCE, ABORTS),
        ROW(NOVA_RESCHEDULED, "RescheduledException", NOVA, 500, OF_INSTANCE),
        ROW(NOVA_UNEXPECTED_TASK_STATE, "UnexpectedTaskStateError", NOVA, 500, OF_INSTANCE),
        ROW(NOVA_UNEXPECTED_DELETING_TASK_STATE, "UnexpectedDeletingTaskStateError", NOVA, 500, OF_INSTANCE),
        ROW(NOVA_COMPUTE_RESOURCES_UNAVAILABLE, "ComputeResourcesUnavailable", NOVA, 400, OF_REASON),
        ROW(NOVA_HYPERVISOR_UNAVAILABLE, "HypervisorUnavailable", NOVA, 500),
        ROW(NOVA_IMAGE_NOT_FOUND, "ImageNotFound", NOVA, 404), /* another host may have it: does not abort */
        ROW(NOVA_IMAGE_NOT_AUTHORIZED, "ImageNotAuthorized", NOVA, 500),
        ROW(NOVA_IMAGE_UNACCEPTABLE, "ImageUnacceptable", NOVA, 400, OF_REASON, ABORTS),
        ROW(NOVA_IMAGE_NOT_ACTIVE, "ImageNotActive", NOVA, 500, ABORTS),
        ROW(NOVA_INVALID_DISK_INFO, "InvalidDiskInfo", NOVA, 400, OF_REASON, ABORTS),
        ROW(NOVA_INVALID_DISK_FORMAT, "InvalidDiskFormat", NOVA, 400, ABORTS),
        ROW(NOVA_FLAVOR_DISK_SMALLER_THAN_IMAGE, "FlavorDiskSmallerThanImage", NOVA, 500, ABORTS),
        ROW(NOVA_FLAVOR_DISK_SMALLER_THAN_MIN_DISK, "FlavorDiskSmallerThanMinDisk", NOVA, 500, ABORTS),
        ROW(NOVA_FLAVOR_MEMORY_TOO_SMALL, "FlavorMemoryTooSmall", NOVA, 500, ABORTS),
        ROW(NOVA_TOO_MANY_DISK_DEVICES, "TooManyDiskDevices", NOVA, 403, ABORTS),
        ROW(NOVA_INVALID_BDM, "InvalidBDM", NOVA, 400, ABORTS),
        ROW(NOVA_INVALID_INPUT, "InvalidInput", NOVA, 400, OF_REASON, ABORTS),
        ROW(NOVA_CONFIG_DRIVE_UNSUPPORTED, "ConfigDriveUnsupportedFormat", NOVA, 400),
        ROW(NOVA_UNSUPPORTED_OBJECT, "IncompatibleObjectVersion", "oslo_versionedobjects.exception", 500),
        ROW(NOVA_NOT_IMPLEMENTED, "NotImplementedError", BUILTINS, 500),
        ROW(NOVA_TYPE_ERROR, "TypeError", BUILTINS, 500),
        ROW(NOVA_LIBVIRT_ERROR, "libvirtError", "libvirt", 500),
#undef ROW
};

static const struct nova_exception lib_errors[] = {
        [ERR_SYSTEM] = { "OSError", BUILTINS, 500 },
        [ERR_TIMEOUT] = { "TimeoutError", BUILTINS, 500 },
        [ERR_CANCELLED] = { "InterruptedError", BUILTINS, 500 },
        [ERR_CLOSED] = { "ConnectionError", BUILTINS, 500 },
        [ERR_BUSY] = { "BlockingIOError", BUILTINS, 500 },
        [ERR_LIMIT] = { "OverflowError", BUILTINS, 500 },
        [ERR_INVALID] = { "ValueError", BUILTINS, 500 },
        [ERR_NOT_FOUND] = { "LookupError", BUILTINS, 500 },
        [ERR_PROTOCOL] = { "ValueError", BUILTINS, 500 },
        [ERR_EXIT] = { "ProcessExecutionError", "oslo_concurrency.processutils", 500 },
        [ERR_DB] = { "DBError", "oslo_db.exception", 500 },
        [ERR_DB_LOST] = { "DBConnectionError", "oslo_db.exception", 500 },
        [ERR_UNSUPPORTED] = { "NotImplementedError", BUILTINS, 500 },
        [ERR_DENIED] = { "PermissionError", BUILTINS, 500 },
};

static const struct nova_exception other = { "Exception", BUILTINS, 500 };

const struct nova_exception *nova_exception_of(int code)
{
        const struct nova_exception *e = &other;

        if (code >= ERR_APP && code < NOVA_ERRORS_END)
                e = &nova_errors[code - ERR_APP];
        else if (code > 0 && (size_t)code < ARRAY_SIZE(lib_errors))
                e = &lib_errors[code];
        return e->class_name ? e : &other;
}
