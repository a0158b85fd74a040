/* tests/unit/green/test_switch.c: what survives leaving a stack, and shadow stacks, which would not. */
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "green/switch.h"
#include "green_test.h"

/* Keeps many values alive over each switch, so that they lie in registers that a call must preserve. */
static int add_up(void *arg, struct error *err)
{
        volatile long seed = (long)(intptr_t)arg;
        long a = seed, b = seed * 3, c = seed * 5, d = seed * 7, e = seed * 11, f = seed * 13, g = seed * 17;
        double p = (double)seed / 3, q = (double)seed / 5, r = (double)seed / 7;
        float s = (float)seed / 9;

        assert_green();
        for (int i = 0; i < 100; i++) {
                green_yield();
                a++, b++, c++, d++, e++, f++, g++;
                p += 1, q += 1, r += 1, s += 1;
        }
        ck_assert_int_eq(a + b + c + d + e + f + g, seed * 57 + 700);
        ck_assert_double_eq_tol(p + q + r, (double)seed * (1.0 / 3 + 1.0 / 5 + 1.0 / 7) + 300, 1e-6);
        ck_assert_float_eq_tol(s, (float)seed / 9 + 100, 1e-3f);
        return 0;
}

GREEN_TEST(registers_belong_to_each_thread)
{
        struct green_group *group = green_group_new("sums");
        struct error err;

        for (intptr_t i = 1; i <= 10; i++)
                ck_assert_ok(green_spawn(group, "sum", add_up, (void *)(i * 1000003), &err), err);
        ck_assert_ok(green_group_wait(group, deadline_never(), &err), err);
        green_group_close(group);
}

/* A stack that is misaligned by 8 makes the compiler's aligned moves fault. */
static int use_aligned_locals(void *arg, struct error *err)
{
        _Alignas(16) volatile long double x = 1.5L;
        char text[64];

        assert_green();
        ck_assert_uint_eq((uintptr_t)&x % 16, 0);
        green_yield();
        snprintf(text, sizeof(text), "%.2Lf %.3f", x, (double)x * 2);
        ck_assert_str_eq(text, "1.50 3.000");
        return 0;
}

GREEN_TEST(stacks_are_aligned_as_the_abi_wants)
{
        struct error err;

        ck_assert_ok(green_spawn(NULL, "aligned", use_aligned_locals, NULL, &err), err);
        green_yield();
        green_yield();
}

static bool is_blocked(int sig)
{
        sigset_t mask;

        pthread_sigmask(SIG_SETMASK, NULL, &mask);
        return sigismember(&mask, sig) == 1;
}

static int look_at_mask(void *arg, struct error *err)
{
        sigset_t usr2;

        assert_green();
        ck_assert(is_blocked(SIGUSR1)); /* although it was not when this thread was made */
        sigemptyset(&usr2);
        sigaddset(&usr2, SIGUSR2);
        pthread_sigmask(SIG_BLOCK, &usr2, NULL);
        green_yield();
        ck_assert(!is_blocked(SIGUSR1));
        return 0;
}

GREEN_TEST(the_signal_mask_is_the_native_threads)
{
        struct error err;
        sigset_t usr1;

        sigemptyset(&usr1);
        sigaddset(&usr1, SIGUSR1);
        ck_assert_ok(green_spawn(NULL, "masked", look_at_mask, NULL, &err), err);
        pthread_sigmask(SIG_BLOCK, &usr1, NULL);
        green_yield();
        ck_assert(is_blocked(SIGUSR2));
        pthread_sigmask(SIG_UNBLOCK, &usr1, NULL);
        green_yield();
}

START_TEST(a_shadow_stack_is_refused_with_a_reason)
{
        struct error err = {};

        ck_assert_ok(shadow_stack_refuse(0, &err), err);
        ck_assert_fails(shadow_stack_refuse(0x7f0000001000, &err), err, ERR_UNSUPPORTED);
        ck_assert_ptr_nonnull(strstr(err.text, "shadow stacks"));
}
END_TEST

static int nothing(void *arg, struct error *err)
{
        return 0;
}

#if defined(__x86_64__)
/* By hand: on the way back through a wrapper of libc the CPU would miss the address it was called from. */
static inline __attribute__((always_inline)) long turn_on_shadow_stack(void)
{
        long result = 158; /* arch_prctl */

        __asm__ volatile("syscall"
                         : "+a"(result)
                         : "D"(0x5001L /* ARCH_SHSTK_ENABLE */), "S"(1L /* ARCH_SHSTK_SHSTK */)
                         : "rcx", "r11", "memory");
        return result;
}
#else
static inline long turn_on_shadow_stack(void)
{
        return -1;
}
#endif

enum { REFUSED = 3, NO_SHADOW_STACK = 4, WRONG = 5 };

static void __attribute__((noreturn)) run_with_shadow_stack(void)
{
        struct error err = {};

        if (turn_on_shadow_stack() != 0)
                _exit(hub_run(nothing, NULL, NULL, &err) == 0 ? NO_SHADOW_STACK : WRONG);
        _exit(hub_run(nothing, NULL, NULL, &err) < 0 && err.code == ERR_UNSUPPORTED ? REFUSED : WRONG);
}

START_TEST(the_hub_runs_without_a_shadow_stack_and_not_with_one)
{
        pid_t pid = fork();
        int status;

        if (pid == 0)
                run_with_shadow_stack();
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert(WIFEXITED(status));
        /* which of the two depends on the machine */
        ck_assert(WEXITSTATUS(status) == NO_SHADOW_STACK || WEXITSTATUS(status) == REFUSED);
}
END_TEST

GREEN_SUITE("green-switch", registers_belong_to_each_thread, stacks_are_aligned_as_the_abi_wants,
            the_signal_mask_is_the_native_threads, a_shadow_stack_is_refused_with_a_reason,
            the_hub_runs_without_a_shadow_stack_and_not_with_one)
