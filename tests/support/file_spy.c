/*
 * tests/support/file_spy.c: preloaded into the agent (LD_PRELOAD): sees its calls of the file system, and
 * makes those hang that a file server would let hang which does not answer.
 *
 *      SPY_PROGRAM=NAME            does nothing in other programs: what the agent starts inherits the
 * environment SPY_LOG=FILE                calls that are made on the main thread, which is the hub's, are
 * noted here ... SPY_LOG_BELOW=DIR[:DIR...]  ... as "call path", when the path is below one of these folders
 *      SPY_HANG_WHILE=FILE         while this file exists calls hang, on whichever thread, ...
 *      SPY_HANG_BELOW=DIR[:DIR...] ... when the path is below one of these
 *
 * A call that names a descriptor is known by /proc/self/fd. Only what goes through the dynamic linker is
 * seen, as everything is that the agent calls itself.
 */
#undef _FILE_OFFSET_BITS /* open() and open64() are two names here */
#undef _FORTIFY_SOURCE

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

static bool active;
static pid_t spied; /* not a child that a library forks */
static const char *log_path, *log_below, *hang_while, *hang_below;

static void read_environment(void) __attribute__((constructor));

static void read_environment(void)
{
        const char *program = getenv("SPY_PROGRAM");

        log_path = getenv("SPY_LOG");
        log_below = getenv("SPY_LOG_BELOW");
        hang_while = getenv("SPY_HANG_WHILE");
        hang_below = getenv("SPY_HANG_BELOW");
        spied = getpid();
        active = program && log_path && log_below && hang_while && hang_below &&
                 strcmp(program, program_invocation_short_name) == 0;
}

static bool is_below(const char *below, const char *path)
{
        for (const char *dir = below; *dir;) {
                size_t len = strcspn(dir, ":");

                if (strncmp(path, dir, len) == 0 && (path[len] == '/' || path[len] == '\0'))
                        return true;
                dir += len + (dir[len] == ':');
        }
        return false;
}

/* Straight to the kernel, so that the spy does not see itself. */
static void note(const char *call, const char *path)
{
        char line[PATH_MAX + 64];
        int n = snprintf(line, sizeof(line), "%s %s\n", call, path);
        int fd =
                (int)syscall(SYS_openat, AT_FDCWD, log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

        if (fd < 0)
                return;
        syscall(SYS_write, fd, line, (size_t)n);
        syscall(SYS_close, fd);
}

static void look(const char *call, const char *path)
{
        static const struct timespec pause = { .tv_nsec = 10 * 1000 * 1000 };
        int saved = errno;

        if (!active || !path || getpid() != spied)
                return;
        if (syscall(SYS_gettid) == spied && is_below(log_below, path))
                note(call, path);
        while (is_below(hang_below, path) && syscall(SYS_faccessat, AT_FDCWD, hang_while, F_OK) == 0)
                syscall(SYS_nanosleep, &pause, NULL);
        errno = saved;
}

static void look_fd(const char *call, int fd)
{
        char link[32], path[PATH_MAX];
        int saved = errno;
        long n;

        if (!active || fd < 0)
                return;
        snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        n = syscall(SYS_readlink, link, path, sizeof(path) - 1);
        if (n > 0) {
                path[n] = '\0';
                look(call, path);
        }
        errno = saved;
}

static void look_at(const char *call, int dir, const char *path)
{
        if (path && (path[0] == '/' || dir == AT_FDCWD))
                look(call, path);
        else
                look_fd(call, dir);
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* clang-format off: one line for each call reads best. One argument list for the declaration, one for the call. */
#define BY_PATH(type, name, path, params, args) \
        type name params;                       \
        type name params                        \
        {                                       \
                static __typeof__(&name) next;  \
                look(#name, path);              \
                if (!next)                      \
                        next = NEXT(name);      \
                return next args;               \
        }
#define BY_DIR(type, name, dir, path, params, args) \
        type name params;                           \
        type name params                            \
        {                                           \
                static __typeof__(&name) next;      \
                look_at(#name, dir, path);          \
                if (!next)                          \
                        next = NEXT(name);          \
                return next args;                   \
        }
#define BY_FD(type, name, fd, params, args)    \
        type name params;                      \
        type name params                       \
        {                                      \
                static __typeof__(&name) next; \
                look_fd(#name, fd);            \
                if (!next)                     \
                        next = NEXT(name);     \
                return next args;              \
        }
#define OPEN(name)                                 \
        int name(const char *path, int flags, ...) \
        {                                          \
                static __typeof__(&name) next;     \
                unsigned mode;                     \
                va_list ap;                        \
                va_start(ap, flags);               \
                mode = va_arg(ap, unsigned);       \
                va_end(ap);                        \
                look(#name, path);                 \
                if (!next)                         \
                        next = NEXT(name);         \
                return next(path, flags, mode);    \
        }
#define OPENAT(name)                                        \
        int name(int dir, const char *path, int flags, ...) \
        {                                                   \
                static __typeof__(&name) next;              \
                unsigned mode;                              \
                va_list ap;                                 \
                va_start(ap, flags);                        \
                mode = va_arg(ap, unsigned);                \
                va_end(ap);                                 \
                look_at(#name, dir, path);                  \
                if (!next)                                  \
                        next = NEXT(name);                  \
                return next(dir, path, flags, mode);        \
        }

OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)
BY_PATH(int, __open_2, path, (const char *path, int flags), (path, flags))
BY_PATH(int, __open64_2, path, (const char *path, int flags), (path, flags))
BY_PATH(FILE *, fopen, path, (const char *path, const char *mode), (path, mode))
BY_PATH(FILE *, fopen64, path, (const char *path, const char *mode), (path, mode))
BY_PATH(DIR *, opendir, path, (const char *path), (path))
BY_PATH(int, stat, path, (const char *path, struct stat *st), (path, st))
BY_PATH(int, stat64, path, (const char *path, struct stat64 *st), (path, st))
BY_PATH(int, lstat, path, (const char *path, struct stat *st), (path, st))
BY_PATH(int, lstat64, path, (const char *path, struct stat64 *st), (path, st))
BY_DIR(int, fstatat, dir, path, (int dir, const char *path, struct stat *st, int flags),
       (dir, path, st, flags))
BY_DIR(int, fstatat64, dir, path, (int dir, const char *path, struct stat64 *st, int flags),
       (dir, path, st, flags))
BY_PATH(int, statvfs, path, (const char *path, struct statvfs *fs), (path, fs))
BY_PATH(int, statvfs64, path, (const char *path, struct statvfs64 *fs), (path, fs))
BY_PATH(int, statfs, path, (const char *path, struct statfs *fs), (path, fs))
BY_PATH(int, statfs64, path, (const char *path, struct statfs64 *fs), (path, fs))
BY_PATH(int, access, path, (const char *path, int mode), (path, mode))
BY_PATH(int, mkdir, path, (const char *path, mode_t mode), (path, mode))
BY_PATH(int, rmdir, path, (const char *path), (path))
BY_PATH(int, unlink, path, (const char *path), (path))
BY_DIR(int, unlinkat, dir, path, (int dir, const char *path, int flags), (dir, path, flags))
BY_PATH(int, rename, from, (const char *from, const char *to), (from, to))
BY_PATH(int, link, from, (const char *from, const char *to), (from, to))
BY_PATH(int, symlink, path, (const char *to, const char *path), (to, path))
BY_PATH(int, chmod, path, (const char *path, mode_t mode), (path, mode))
BY_PATH(int, chown, path, (const char *path, uid_t uid, gid_t gid), (path, uid, gid))
BY_DIR(int, utimensat, dir, path, (int dir, const char *path, const struct timespec at[2], int flags),
       (dir, path, at, flags))
BY_PATH(int, truncate, path, (const char *path, off_t len), (path, len))
BY_PATH(int, truncate64, path, (const char *path, off64_t len), (path, len))
BY_FD(int, ftruncate, fd, (int fd, off_t len), (fd, len))
BY_FD(int, ftruncate64, fd, (int fd, off64_t len), (fd, len))
BY_FD(int, fchmod, fd, (int fd, mode_t mode), (fd, mode))
BY_FD(int, fsync, fd, (int fd), (fd))
BY_FD(int, fdatasync, fd, (int fd), (fd))
BY_FD(ssize_t, read, fd, (int fd, void *data, size_t len), (fd, data, len))
BY_FD(ssize_t, write, fd, (int fd, const void *data, size_t len), (fd, data, len))
BY_FD(ssize_t, pread, fd, (int fd, void *data, size_t len, off_t at), (fd, data, len, at))
BY_FD(ssize_t, pread64, fd, (int fd, void *data, size_t len, off64_t at), (fd, data, len, at))
BY_FD(ssize_t, pwrite, fd, (int fd, const void *data, size_t len, off_t at), (fd, data, len, at))
BY_FD(ssize_t, pwrite64, fd, (int fd, const void *data, size_t len, off64_t at), (fd, data, len, at))
BY_FD(int, close, fd, (int fd), (fd))
BY_FD(DIR *, fdopendir, fd, (int fd), (fd))
/* clang-format on */
