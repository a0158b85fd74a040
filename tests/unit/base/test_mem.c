/* Allocation helpers and clean-up at the end of a scope. */
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "suite.h"

START_TEST(sizes_of_zero_give_memory)
{
        free(xmalloc(0));
        free(xcalloc(0, 8));
        free(xrealloc(NULL, 0));
}
END_TEST

START_TEST(no_memory_ends_the_process)
{
        volatile size_t too_much = SIZE_MAX / 4;
        int status;
        pid_t pid = fork();

        if (pid == 0) {
                if (freopen("/dev/null", "w", stderr))
                        free(xmalloc(too_much));
                _exit(0);
        }
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_int_ne(status, 0); /* SIGABRT, or what a sanitizer does in its place */
}
END_TEST

START_TEST(copies)
{
        CLEANUP(freep) char *a = xstrndup("hello", 3);
        CLEANUP(freep) char *b = xmemdup("a\0b", 3);
        CLEANUP(freep) char *c = xasprintf("%d-%s", 4, "x");

        ck_assert_ptr_null(xstrdup(NULL));
        ck_assert_str_eq(a, "hel");
        ck_assert_mem_eq(b, "a\0b", 4);
        ck_assert_str_eq(c, "4-x");
        replace_str(&c, "other");
        ck_assert_str_eq(c, "other");
        replace_str(&c, c); /* a copy of itself */
        ck_assert_str_eq(c, "other");
        replace_str(&c, NULL);
        ck_assert_ptr_null(c);
}
END_TEST

START_TEST(take_leaves_null_behind)
{
        char *p = xstrdup("x"), *q = take_ptr(&p);

        ck_assert_ptr_null(p);
        ck_assert_str_eq(q, "x");
        free(q);
}
END_TEST

START_TEST(the_end_of_the_scope_closes_and_keeps_errno)
{
        int raw;

        {
                CLEANUP(closep) int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
                CLEANUP(closep) int none = -1;

                ck_assert_int_ge(fd, 0);
                (void)none;
                raw = fd;
                errno = EXDEV;
        }
        ck_assert_int_eq(errno, EXDEV);
        ck_assert_int_eq(fcntl(raw, F_GETFD), -1);
        ck_assert_int_eq(errno, EBADF);
        closep(&(int){ raw }); /* closing what is closed: errno stays all the same */
        ck_assert_int_eq(errno, EBADF);
}
END_TEST

UNIT_SUITE("mem", sizes_of_zero_give_memory, no_memory_ends_the_process, copies, take_leaves_null_behind,
           the_end_of_the_scope_closes_and_keeps_errno)
