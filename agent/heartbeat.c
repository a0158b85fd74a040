/*
 * agent/heartbeat.c: the loop of the heartbeat thread.
 *
 * Nothing here ends the loop but heartbeat_stop() or the end of the hub: every error is logged, and the next
 * try comes after the same pause. To stop, the thread is cancelled, which takes effect in sleep() only: a
 * native thread ends there; a green one, whose waits then fail with ECANCELED, leaves the loop itself.
 */
#include "heartbeat.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_MODULE "heartbeat"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "green/green.h"
#include "process/execute.h"

enum { MKDIR_S = 10 };

struct heartbeat {
        char *dir, *file;
        unsigned interval_s;
        pthread_t thread;
        atomic_bool stopping;
        _Atomic int64_t beat_ns; /* of the last that succeeded, monotonic; 0: none yet */
};

/* ---- the directory ---- */

static int YIELDS run_command(const char *const *argv, bool as_root, struct error *err)
{
        struct execute_options opt = { .argv = argv, .run_as_root = as_root };

        return execute(&opt, deadline_in_s(MKDIR_S), NULL, err);
}

/* A green_fn. */
static int make_dir(void *arg, struct error *err)
{
        const struct heartbeat *h = arg;
        const char *const mkdir_argv[] = { "mkdir", "-p", "--", h->dir, NULL };
        CLEANUP(freep) char *owner = xasprintf("%u:%u", (unsigned)geteuid(), (unsigned)getegid());
        const char *const chown_argv[] = { "chown", "-h", "--", owner, h->dir, NULL };

        assert_green();
        if (geteuid() == 0)
                return run_command(mkdir_argv, true, err);
        if (run_command(mkdir_argv, false, err) == 0)
                return 0;
        if (run_command(mkdir_argv, true, err) < 0)
                return -1;
        return run_command(chown_argv, true, err);
}

static int ensure_dir(struct heartbeat *h, struct error *err)
{
        struct stat st;

        local_files("the heartbeat file is in /run; elsewhere, what holds it must stop the beat");
        if (stat(h->dir, &st) == 0)
                return 0;
        if (errno != ENOENT)
                return error_system(err, errno, "%s", h->dir);
        return on_hub_thread() ? make_dir(h, err) : hub_run(make_dir, h, NULL, err);
}

/* ---- the file ---- */

/* O_NONBLOCK: should it be a FIFO or a device, opening fails or succeeds, but never waits. */
static int touch(const char *file, struct error *err)
{
        CLEANUP(closep) int fd = -1;

        local_files("the heartbeat file is in /run; elsewhere, what holds it must stop the beat");
        fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0644);
        if (fd < 0)
                return error_system(err, errno, "opening %s", file);
        if (futimens(fd, NULL) < 0)
                return error_system(err, errno, "renewing the time of %s", file);
        return 0;
}

static void beat(struct heartbeat *h)
{
        struct error err = {};

        if (ensure_dir(h, &err) < 0 || touch(h->file, &err) < 0) {
                if (!atomic_load(&h->stopping))
                        log_error("Write to file failed: %s; trying again in %u s", err.text, h->interval_s);
                return;
        }
        atomic_store(&h->beat_ns, clock_now_ns());
}

/* ---- the thread ---- */

/*
 * A native thread is cancelled in the middle of sleep(), and then leaves these two functions without
 * returning: they hold nothing, and no local whose address was taken (ASan minds those, see patcher/time.c).
 */

/* false: cancelled, as a green thread. */
static bool pause_between(const struct heartbeat *h)
{
        bool cancelled;

        pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
        cancelled = sleep(h->interval_s) > 0 && errno == ECANCELED; /* a signal only shortens the pause */
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
        return !cancelled;
}

static void *heart(void *arg)
{
        struct heartbeat *h = arg;

        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
        log_info("beating on a %s thread: %s, every %u s", on_hub_thread() ? "green" : "native", h->file,
                 h->interval_s);
        do {
                beat(h);
        } while (!atomic_load(&h->stopping) && pause_between(h));
        return NULL;
}

struct heartbeat *heartbeat_start(const struct heartbeat_options *opt, struct error *err)
{
        struct heartbeat *h = NEW(struct heartbeat);
        int r;

        h->dir = xstrdup(opt->path);
        h->file = xasprintf("%s/%s", opt->path, opt->file_name);
        h->interval_s = opt->interval_s ? opt->interval_s : 1;
        r = pthread_create(&h->thread, NULL, heart, h);
        if (r != 0) {
                error_system(err, r, "starting the heartbeat");
                free(h->dir);
                free(h->file);
                free(h);
                return NULL;
        }
        pthread_setname_np(h->thread, "heartbeat");
        return h;
}

void heartbeat_stop(struct heartbeat *h)
{
        if (!h)
                return;
        atomic_store(&h->stopping, true);
        pthread_cancel(h->thread);
        while (pthread_join(h->thread, NULL) ==
               ECANCELED) /* we are being cancelled ourselves: it still uses h */
                ;
        free(h->dir);
        free(h->file);
        free(h);
}

double heartbeat_last_beat(const struct heartbeat *h)
{
        int64_t at = atomic_load(&h->beat_ns);

        return at ? (double)(clock_now_ns() - at) / 1e9 : -1;
}
