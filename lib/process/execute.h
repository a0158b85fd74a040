/*
 * lib/process/execute.h: subprocesses, as oslo.concurrency's processutils.execute().
 *
 * No shell. The wait is green (pidfd); never waits for children it did not start. stdout and stderr are
 * captured up to a bound, beyond which the rest is read and thrown away and `truncated` is set. Ambient
 * capabilities of this process are not handed on.
 */
#pragma once

#include "green/green.h"

struct execute_options {
        const char *const *argv; /* NULL-terminated; argv[0] is looked up in PATH */
        bool run_as_root;        /* through root_helper when this process is not root */
        const char *const *env;  /* "NAME=value", NULL-terminated, added to this process's; or NULL */
        const char *cwd;         /* or NULL */
        const char *input;       /* written to its stdin, or NULL: /dev/null */
        size_t input_len;
        unsigned attempts;              /* 0 and 1: once. Only exit codes not allowed are retried */
        double delay_s;                 /* pause between attempts; < 0: random 0.2 to 2 s as oslo */
        const int *ok_exit_codes;       /* ends with -1; NULL: only 0 */
        size_t output_max;              /* bytes kept of each stream; 0: 1 MiB */
        uint64_t limit_as, limit_cpu_s; /* RLIMIT_AS in bytes, RLIMIT_CPU; 0: none */
};

struct execute_result {
        int exit_code;   /* 128 + signal when it was killed */
        char *out, *err; /* NUL-terminated; owned; free with execute_result_free() */
        size_t out_len, err_len;
        bool truncated;
        unsigned attempts; /* how many it took */
};

/* "sudo -n" by default; words separated by blanks. Copied. */
void execute_set_root_helper(const char *words);

/*
 * 0 when an attempt ended with an allowed code. -1: ERR_EXIT (sys = exit code; text has the command, the code
 * and the tail of stderr), ERR_TIMEOUT and ERR_CANCELLED (the process got SIGTERM, after 1 s SIGKILL, and was
 * reaped), ERR_SYSTEM (could not be started). ret may be NULL; it is filled on 0 and on ERR_EXIT.
 */
int YIELDS execute(const struct execute_options *opt, struct deadline by, struct execute_result *ret,
                   struct error *err);
void execute_result_free(struct execute_result *r);
