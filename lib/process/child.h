/*
 * lib/process/child.h: starting one process and getting rid of it. Used by execute.c only.
 */
#pragma once

#include <sys/types.h>

#include "green/green.h"

struct child_spec {
        const char *path;
        char *const *argv, *const *envp;
        const char *cwd;                    /* or NULL */
        int stdin_fd, stdout_fd, stderr_fd; /* stay with the caller */
        uint64_t limit_as, limit_cpu_s;     /* 0: none */
};

struct child {
        pid_t pid;
        int pidfd; /* readable when it has ended */
};

/*
 * The child leads a session and a process group of its own. Every signal has its default action there and
 * none is blocked, and it has no descriptor but the three. 0 when the program runs.
 */
int HUB_ONLY child_start(const struct child_spec *spec, struct child *ret, struct error *err);

/* To its whole group. 0, or an errno: EPERM when it runs as another user. Not after child_reap(). */
int HUB_ONLY child_signal(const struct child *c, int sig);

/* When it has ended: the exit code, or 128 + signal; closes the pidfd. -1 with err when it is not known. */
int HUB_ONLY child_reap(struct child *c, struct error *err);

/* Leaves a child that does not end to a green thread of the root group. */
void HUB_ONLY child_reap_later(struct child *c);
