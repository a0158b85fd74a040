/*
 * lib/process/execute.c: one attempt is: start, read both pipes until the process ends, reap.
 *
 * What counts is the end of the process, not that of its output: a grandchild may hold the pipes for ever.
 * Whatever the process itself wrote is in the pipes by then and is still read. Input is a file in memory, so
 * it need not be fed while output is drained, and no write can raise SIGPIPE.
 *
 * When the caller's deadline passes or it is cancelled, the whole process group is asked to end and then made
 * to; all this happens in a shield and is bounded too. Only a process that survives SIGKILL (stuck in the
 * kernel, or another user's and the root helper fails) is left to a green thread that reaps it some day.
 */
#include "process/execute.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/uuid.h"
#include "base/original.h"
#include "base/strbuf.h"
#include "green/sync.h"
#include "process/child.h"
#include "process/command.h"

enum {
        OUTPUT_MAX = 1024 * 1024,
        CHUNK = 16 * 1024,
        INPUT_CHUNK = 1024 * 1024,
        TAIL = 200,
        TERM_MS = 1000, /* between SIGTERM and SIGKILL */
        KILL_MS = 2000, /* for SIGKILL to work */
        HELPER_MS = 5000,
};

static char *root_helper; /* NULL: the default */

void execute_set_root_helper(const char *words)
{
        replace_str(&root_helper, words);
}

void execute_result_free(struct execute_result *r)
{
        free(r->out);
        free(r->err);
        *r = (struct execute_result){};
}

/* ---- output ---- */

struct stream {
        int fd; /* -1: at its end */
        struct strbuf kept;
        size_t max;
        bool truncated;
        char tail[TAIL + 1]; /* of everything, kept or not */
        size_t tail_len;
};

static void HUB_ONLY stream_close(struct stream *s)
{
        green_close(s->fd);
        s->fd = -1;
}

static void stream_add(struct stream *s, const char *data, size_t len)
{
        size_t room = s->max - s->kept.len, n = len < sizeof(s->tail) - 1 ? len : sizeof(s->tail) - 1;
        size_t old = s->tail_len < sizeof(s->tail) - 1 - n ? s->tail_len : sizeof(s->tail) - 1 - n;

        s->truncated |= len > room;
        strbuf_add(&s->kept, data, len < room ? len : room);
        memmove(s->tail, s->tail + s->tail_len - old, old);
        memcpy(s->tail + old, data + len - n, n);
        s->tail_len = old + n;
}

/* Reads once. The number of bytes, 0 at the end, -1 when there is nothing now. */
static ssize_t HUB_ONLY stream_read(struct stream *s)
{
        char chunk[CHUNK];
        ssize_t n = patcher_original(read)(s->fd, chunk, sizeof(chunk));

        if (n > 0)
                stream_add(s, chunk, (size_t)n);
        else if (n == 0 || (errno != EAGAIN && errno != EINTR))
                stream_close(s);
        return n;
}

/* Reads what is there now, but not what others add meanwhile. */
static void YIELDS stream_drain(struct stream *s)
{
        int left = 0;

        if (s->fd < 0 || ioctl(s->fd, FIONREAD, &left) < 0)
                return;
        while (left > 0 && s->fd >= 0) {
                ssize_t n = stream_read(s);

                if (n <= 0)
                        return;
                left -= (int)n;
                green_yield();
        }
}

/* ---- one attempt ---- */

struct attempt {
        const struct execute_options *opt;
        const struct command *command;
        struct child child;
        struct stream out, err;
        bool ended; /* the process has; not reaped yet */
        int64_t began_ns;
};

static int HUB_ONLY open_pipe(struct stream *s, int *ret_write_end, const struct execute_options *opt,
                              struct error *err)
{
        int fds[2];

        s->max = opt->output_max ? opt->output_max : OUTPUT_MAX;
        if (pipe2(fds, O_CLOEXEC) < 0)
                return error_system(err, errno, "pipe");
        s->fd = fds[0];
        *ret_write_end = fds[1];
        if (fcntl(s->fd, F_SETFL, O_NONBLOCK) < 0) /* the child's end stays as programs expect it */
                return error_system(err, errno, "pipe");
        return 0;
}

static int YIELDS open_input(const struct execute_options *opt, int *ret_fd, struct error *err)
{
        size_t done = 0;

        local_files("/dev/null");
        *ret_fd = opt->input ? memfd_create("input", MFD_CLOEXEC) : open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (*ret_fd < 0)
                return error_system(err, errno, opt->input ? "memfd_create" : "/dev/null");
        while (opt->input && done < opt->input_len) {
                size_t n = opt->input_len - done;
                ssize_t r = patcher_original(write)(*ret_fd, opt->input + done,
                                                    n < INPUT_CHUNK ? n : INPUT_CHUNK);

                if (r < 0)
                        return error_system(err, errno, "storing %zu bytes of input", opt->input_len);
                done += (size_t)r;
                if (done < opt->input_len)
                        green_yield();
        }
        lseek(*ret_fd, 0, SEEK_SET);
        return 0;
}

static int YIELDS start(struct attempt *a, struct error *err)
{
        CLEANUP(closep) int in = -1;
        CLEANUP(closep) int out = -1;
        CLEANUP(closep) int errors = -1;
        struct child_spec spec = {
                .path = a->command->path,
                .argv = a->command->argv,
                .envp = a->command->envp,
                .cwd = a->opt->cwd,
                .limit_as = a->opt->limit_as,
                .limit_cpu_s = a->opt->limit_cpu_s,
        };

        if (open_input(a->opt, &in, err) < 0 || open_pipe(&a->out, &out, a->opt, err) < 0 ||
            open_pipe(&a->err, &errors, a->opt, err) < 0)
                return -1;
        spec.stdin_fd = in;
        spec.stdout_fd = out;
        spec.stderr_fd = errors;
        a->began_ns = clock_now_ns();
        return child_start(&spec, &a->child, err);
}

/* Reads output until the process has ended, with `all` until also nobody else holds the pipes. */
static int YIELDS watch(struct attempt *a, bool all, struct deadline by, struct error *err)
{
        while (!a->ended || (all && (a->out.fd >= 0 || a->err.fd >= 0))) {
                struct green_pollfd fds[] = {
                        { a->ended ? -1 : a->child.pidfd, GREEN_READ, 0 },
                        { a->out.fd, GREEN_READ, 0 },
                        { a->err.fd, GREEN_READ, 0 },
                };

                if (green_wait_fds(fds, 3, by, err) < 0)
                        return -1;
                if (fds[1].revents)
                        stream_read(&a->out);
                if (fds[2].revents)
                        stream_read(&a->err);
                a->ended |= fds[0].revents != 0;
                green_yield(); /* a process that never stops writing keeps its descriptors ready */
        }
        stream_drain(&a->out);
        stream_drain(&a->err);
        return 0;
}

static int YIELDS run(struct attempt *a, struct deadline by, bool may_use_helper, struct error *err);

/* The process is another user's: only the helper that made it so can reach it. */
static void YIELDS signal_by_helper(const struct child *child, int sig)
{
        char option[16], group[24];
        const char *const argv[] = { "kill", option, "--", group, NULL };
        struct execute_options opt = { .argv = argv, .run_as_root = true, .output_max = 1024 };
        struct command command;
        struct attempt attempt = { .opt = &opt, .command = &command };
        struct error ignored;

        snprintf(option, sizeof(option), "-%d", sig);
        snprintf(group, sizeof(group), "-%d", (int)child->pid);
        if (command_init(&command, &opt, root_helper ? root_helper : "sudo -n", &ignored) == 0)
                run(&attempt, deadline_in_ms(HELPER_MS), false, &ignored);
        strbuf_free(&attempt.out.kept);
        strbuf_free(&attempt.err.kept);
        command_destroy(&command);
}

static void YIELDS signal_group(struct attempt *a, int sig, bool may_use_helper)
{
        if (child_signal(&a->child, sig) == EPERM && may_use_helper)
                signal_by_helper(&a->child, sig);
}

/* In a shield: ends the whole group and reaps, whatever it takes, within a few seconds. */
static void YIELDS terminate(struct attempt *a, bool may_use_helper)
{
        struct error ignored;

        green_shield_begin();
        signal_group(a, SIGTERM, may_use_helper);
        watch(a, true, deadline_in_ms(TERM_MS), &ignored);
        signal_group(a, SIGKILL, may_use_helper); /* those of the group that did not listen */
        watch(a, false, deadline_in_ms(KILL_MS), &ignored);
        green_shield_end();
        if (a->ended)
                child_reap(&a->child, &ignored);
        else
                child_reap_later(&a->child);
}

/* The exit code, or -1 with err. The streams keep what was read. */
static int YIELDS run(struct attempt *a, struct deadline by, bool may_use_helper, struct error *err)
{
        double seconds;
        int r;

        a->out.fd = a->err.fd = -1;
        r = start(a, err);
        if (r < 0) {
                error_while(err, "%s", a->command->text);
        } else if (watch(a, false, by, err) == 0) {
                r = child_reap(&a->child, err);
                if (r < 0)
                        error_while(err, "%s", a->command->text);
        } else {
                int code = err->code;

                seconds = clock_since_s(a->began_ns);
                r = -1;
                if (code == ERR_TIMEOUT)
                        error_set(err, code, "%s: killed, not done in %.1f s", a->command->text, seconds);
                else if (code == ERR_CANCELLED)
                        error_set(err, code, "%s: killed after %.1f s, cancelled", a->command->text, seconds);
                else
                        error_while(err, "%s: killed", a->command->text);
                terminate(a, may_use_helper);
        }
        stream_close(&a->out);
        stream_close(&a->err);
        return r;
}

/* ---- attempts ---- */

static bool is_allowed(const struct execute_options *opt, int code)
{
        static const int only_zero[] = { 0, -1 };

        for (const int *ok = opt->ok_exit_codes ? opt->ok_exit_codes : only_zero; *ok >= 0; ok++)
                if (*ok == code)
                        return true;
        return false;
}

static int exit_error(const struct attempt *a, int code, struct error *err)
{
        char tail[TAIL + 1], *text = tail;
        size_t len = a->err.tail_len;

        memcpy(tail, a->err.tail, len);
        while (len && (tail[len - 1] == '\n' || tail[len - 1] == ' '))
                len--;
        tail[len] = '\0';
        for (size_t i = 0; i < len; i++)
                if (!tail[i])
                        tail[i] = ' ';
        while ((*text & 0xc0) == 0x80) /* the rest of a character that was cut */
                text++;
        make_presentable(text);
        if (code > 128 && sigdescr_np(code - 128))
                error_set(err, ERR_EXIT, "%s: exit code %d (%s)%s%s", a->command->text, code,
                          sigdescr_np(code - 128), *text ? ": " : "", text);
        else
                error_set(err, ERR_EXIT, "%s: exit code %d%s%s", a->command->text, code, *text ? ": " : "",
                          text);
        err->sys = code;
        return -1;
}

static void fill_result(struct attempt *a, int code, unsigned attempts, struct execute_result *ret)
{
        *ret = (struct execute_result){
                .exit_code = code,
                .truncated = a->out.truncated || a->err.truncated,
                .attempts = attempts,
        };
        ret->out = strbuf_take(&a->out.kept, &ret->out_len);
        ret->err = strbuf_take(&a->err.kept, &ret->err_len);
}

static double pause_of(const struct execute_options *opt)
{
        return opt->delay_s >= 0 ? opt->delay_s : 0.2 + 1.8 * random_part();
}

static int YIELDS execute_command(const struct execute_options *opt, const struct command *command,
                                  struct deadline by, struct execute_result *ret, struct error *err)
{
        unsigned most = opt->attempts > 1 ? opt->attempts : 1;

        for (unsigned n = 1;; n++) {
                struct attempt a = { .opt = opt, .command = command };
                int code = run(&a, by, true, err), r = code;
                bool again = false;

                if (code >= 0) {
                        struct deadline next = deadline_in_s(pause_of(opt));

                        r = is_allowed(opt, code) ? 0 : exit_error(&a, code, err);
                        again = r < 0 && n < most && next.ns < by.ns;
                        if (!again && ret)
                                fill_result(&a, code, n, ret);
                        if (again && (r = green_sleep_until(next, err)) < 0)
                                error_while(err, "%s: before the next attempt", command->text);
                        again &= r == 0;
                }
                strbuf_free(&a.out.kept);
                strbuf_free(&a.err.kept);
                if (!again)
                        return r;
        }
}

int execute(const struct execute_options *opt, struct deadline by, struct execute_result *ret,
            struct error *err)
{
        bool help = opt->run_as_root && geteuid() != 0;
        struct command command;
        int r;

        r = command_init(&command, opt, help ? root_helper ? root_helper : "sudo -n" : NULL, err);
        if (r == 0)
                r = execute_command(opt, &command, by, ret, err);
        command_destroy(&command);
        return r;
}
