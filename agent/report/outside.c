/*
 * agent/report/outside.c: what the kernel tells of this process, and native threads of themselves.
 *
 * No locks and no memory, so that a stuck thread cannot hold this up: files of /proc are read into buffers,
 * directories by bare system calls. A thread is asked by a signal where it is, and need not answer.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/list.h"
#include "base/mem.h"
#include "native/native_backtrace.h"
#include "native/native_thread.h"
#include "report/report_priv.h"

enum {
        THREADS_MAX = 1000, /* that are listed */
        FRAMES_MAX = 48,
        ANSWER_MS = 200,
        ALL_ANSWERS_MS = 3000, /* then the rest is not asked any more */
        FDS_MAX = 1 << 20,
};

/* ---- files and folders of /proc ---- */

/* The text, "" when it cannot be read. */
static void BLOCKS read_text(const char *path, char *buf, size_t size)
{
        CLEANUP(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);

        buf[n > 0 ? n : 0] = '\0';
}

static void BLOCKS read_of_task(const char *tid, const char *file, char *buf, size_t size)
{
        char path[96];

        snprintf(path, sizeof(path), "/proc/self/task/%.20s/%s", tid, file);
        read_text(path, buf, size);
        buf[strcspn(buf, "\n")] = '\0';
}

/* Calls fn with each name of the folder but "." and ".."; stops when it returns false. */
static void BLOCKS foreach_name(const char *folder, bool (*fn)(const char *name, void *arg), void *arg)
{
        struct entry { /* of the kernel; see getdents(2) */
                uint64_t ino;
                int64_t off;
                unsigned short len;
                unsigned char type;
                char name[];
        };
        CLEANUP(closep) int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _Alignas(struct entry) char buf[4096];
        bool more = fd >= 0;
        long n;

        while (more && (n = syscall(SYS_getdents64, fd, buf, sizeof(buf))) > 0) {
                for (long at = 0; at < n && more;) {
                        const struct entry *e = (const struct entry *)(buf + at);

                        if (e->name[0] != '.')
                                more = fn(e->name, arg);
                        at += e->len;
                }
        }
}

/* Field n of /proc/.../stat, where 3 is the state: what follows the name, which may hold anything. */
static const char *field(const char *stat, int n)
{
        const char *at = strrchr(stat, ')');

        for (int i = 2; at && i < n; i++) {
                at = strchr(at, ' ');
                at = at ? at + 1 : NULL;
        }
        return at ? at : "";
}

/* ---- package ---- */

static void add_time(struct out *o, const char *key, time_t when)
{
        char text[32];
        struct tm tm;

        strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", gmtime_r(&when, &tm));
        out_addf(o, "%s = %s UTC\n", key, text);
}

void outside_package(const struct reporter *r, struct out *o)
{
        struct utsname os;

        uname(&os);
        out_addf(o, "product = compute-agent\nversion = %s\nbuilt = with %s %s\n", AGENT_VERSION,
#ifdef __clang__
                 "clang", __clang_version__
#else
                 "gcc", __VERSION__
#endif
        );
        out_addf(o, "host = %s\nkernel = %s %s\npid = %d\n", r->host, os.sysname, os.release, (int)r->pid);
        add_time(o, "started", r->started_s);
        add_time(o, "written", clock_wall_s());
}

/* ---- native threads ---- */

struct threads {
        const struct reporter *r;
        struct out *o;
        unsigned n;
        struct deadline by;
};

static void BLOCKS add_wait(struct out *o, const char *tid)
{
        char wchan[128], call[256];

        read_of_task(tid, "wchan", wchan, sizeof(wchan));
        if (*wchan && strcmp(wchan, "0") != 0)
                out_addf(o, ", in the kernel at %s", wchan);
        read_of_task(tid, "syscall", call, sizeof(call)); /* its number, arguments, registers; or "running" */
        if (*call >= '0' && *call <= '9')
                out_addf(o, ", system call %.*s", (int)strcspn(call, " "), call);
}

static void BLOCKS add_kernel_stack(struct out *o, const char *tid)
{
        char path[96], text[2048], *line = text, *end;

        snprintf(path, sizeof(path), "/proc/self/task/%.20s/stack", tid);
        read_text(path, text, sizeof(text)); /* root's only */
        for (; (end = strchr(line, '\n')); line = end + 1)
                out_addf(o, "        kernel: %.*s\n", (int)(end - line), line);
}

static void BLOCKS add_frames(struct threads *t, pid_t tid)
{
        void *frames[FRAMES_MAX];
        int n = 0;

        if (!deadline_passed(t->by))
                n = native_backtrace(tid, frames, FRAMES_MAX, ANSWER_MS);
        for (int i = 0; i < n; i++)
                out_frame(t->o, frames[i]);
        if (n <= 0)
                out_addf(t->o, "        %s\n",
                         n < 0 ? "it takes no signals, so it cannot be asked where it is"
                               : "it does not answer where it is");
}

static bool add_thread(const char *name, void *arg)
{
        static char stat[1024];
        struct threads *t = arg;
        char comm[64];
        unsigned long ticks;
        pid_t tid = (pid_t)strtol(name, NULL, 10);

        assert_on_worker();
        if (t->n++ >= THREADS_MAX)
                return true;
        read_of_task(name, "comm", comm, sizeof(comm));
        read_of_task(name, "stat", stat, sizeof(stat));
        ticks = strtoul(field(stat, 14), NULL, 10) + strtoul(field(stat, 15), NULL, 10);
        out_addf(t->o, "Thread #%s %s%s: %s, %.2f s of CPU", name, comm,
                 tid == hub_tid(t->r->hub) ? " (the hub: all green threads)" : "",
                 native_state_name(*field(stat, 3)), (double)ticks / (double)sysconf(_SC_CLK_TCK));
        add_wait(t->o, name);
        out_add(t->o, "\n", 1);
        add_kernel_stack(t->o, name);
        if (tid != (pid_t)syscall(SYS_gettid))
                add_frames(t, tid);
        else
                out_addf(t->o, "        it writes this report\n");
        return true;
}

void outside_threads(const struct reporter *r, struct out *o)
{
        struct threads t = { r, o, 0, deadline_in_ms(ALL_ANSWERS_MS) };

        assert_on_worker();
        foreach_name("/proc/self/task", add_thread, &t);
        if (t.n > THREADS_MAX)
                out_addf(o, "%u more native threads are not shown\n", t.n - THREADS_MAX);
}

/* ---- processes ---- */

static void BLOCKS add_process(struct out *o, const char *pid)
{
        static char text[4096];
        char path[64], comm[64], state;
        long parent;

        snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
        read_text(path, text, sizeof(text));
        state = *field(text, 3);
        parent = strtol(field(text, 4), NULL, 10);
        snprintf(path, sizeof(path), "/proc/%.20s/comm", pid);
        read_text(path, comm, sizeof(comm));
        comm[strcspn(comm, "\n")] = '\0';
        if (*text)
                out_addf(o, "Process %s (under %ld): %s, %s\n", pid, parent, comm, native_state_name(state));
}

static bool add_children(const char *tid, void *arg)
{
        static char text[8192];
        char *rest = NULL;

        assert_on_worker();
        read_of_task(tid, "children", text, sizeof(text));
        for (char *pid = strtok_r(text, " ", &rest); pid; pid = strtok_r(NULL, " ", &rest))
                add_process(arg, pid);
        return true;
}

void outside_processes(const struct reporter *r, struct out *o)
{
        char own[24];

        assert_on_worker();
        snprintf(own, sizeof(own), "%d", (int)r->pid);
        add_process(o, own);
        foreach_name("/proc/self/task", add_children, o);
}

/* ---- memory and descriptors ---- */

void outside_memory(const struct reporter *r, struct out *o)
{
        static char text[4096];
        char *line = text, *end;

        assert_on_worker();
        read_text("/proc/self/smaps_rollup", text, sizeof(text));
        if (!*text)
                read_text("/proc/self/status", text, sizeof(text));
        for (; (end = strchr(line, '\n')); line = end + 1) {
                size_t key = strcspn(line, ":");
                const char *value = line + key + 1;

                *end = '\0';
                if (line + key < end && strstr(line, " kB"))
                        out_addf(o, "%.*s = %s\n", (int)key, line, value + strspn(value, " \t"));
        }
}

static const char *const fd_kinds[] = { "socket:", "pipe:", "anon_inode:", "/" };
struct fds {
        unsigned n, of_kind[ARRAY_SIZE(fd_kinds)];
};

static bool count_fd(const char *name, void *arg)
{
        struct fds *f = arg;
        char path[64], to[32] = "";

        snprintf(path, sizeof(path), "/proc/self/fd/%.20s", name);
        if (syscall(SYS_readlink, path, to, sizeof(to) - 1) <= 0)
                return true;
        f->n++;
        for (size_t i = 0; i < ARRAY_SIZE(fd_kinds); i++)
                f->of_kind[i] += strncmp(to, fd_kinds[i], strlen(fd_kinds[i])) == 0;
        return f->n < FDS_MAX;
}

void outside_descriptors(const struct reporter *r, struct out *o)
{
        struct fds f = {};

        assert_on_worker();
        foreach_name("/proc/self/fd", count_fd, &f);
        out_addf(o, "descriptors = %u\nsockets = %u\npipes = %u\nanonymous = %u\nfiles = %u\n", f.n,
                 f.of_kind[0], f.of_kind[1], f.of_kind[2], f.of_kind[3]);
}
