/*
 * tests/unit/process/test_capabilities.c: what a service manager gives the agent is not the children's.
 */
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "green_test.h"
#include "process/execute.h"

/* As systemd does for AmbientCapabilities=CAP_DAC_READ_SEARCH with another user than root. */
static void become_somebody_who_may_read_everything(void)
{
        struct __user_cap_header_struct who = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct caps[2] = {};
        unsigned bit = 1U << CAP_DAC_READ_SEARCH;

        ck_assert_int_eq(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0), 0);
        ck_assert_int_eq(setresuid(65534, 65534, 65534), 0);
        caps[0] = (struct __user_cap_data_struct){ .permitted = bit, .effective = bit, .inheritable = bit };
        ck_assert_int_eq(syscall(SYS_capset, &who, caps), 0);
        ck_assert_int_eq(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_READ_SEARCH, 0, 0), 0);
}

GREEN_TEST_REAL(a_command_does_not_get_ambient_capabilities)
{
        static const char *const argv[] = { "grep", "-E", "^Cap(Eff|Amb)", "/proc/self/status", NULL };
        struct execute_options opt = { .argv = argv };
        struct execute_result r;
        struct error err;

        if (geteuid() != 0)
                return; /* there is nothing to give away */
        become_somebody_who_may_read_everything();
        ck_assert_int_eq(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_DAC_READ_SEARCH, 0, 0), 1);
        ck_assert_msg(execute(&opt, deadline_in_s(20), &r, &err) == 0, "%s", err.text);
        ck_assert_str_eq(r.out, "CapEff:\t0000000000000000\nCapAmb:\t0000000000000000\n");
        execute_result_free(&r);
        ck_assert_int_eq(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_DAC_READ_SEARCH, 0, 0), 1);
}

GREEN_SUITE("capabilities", a_command_does_not_get_ambient_capabilities)
