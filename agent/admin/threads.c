/*
 * agent/admin/threads.c: green threads, native threads, pools, as JSON.
 *
 * Native threads come from /proc/self/task, the kernel's own list: also those that libraries made are there.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "green/pool.h"
#include "native/native_thread.h"
#include "native/tpool.h"
#include "admin/admin.h"

#define NATIVE_MAX 4096 /* tasks that are listed */

/* ---- threads ---- */

static void add_green(const struct green_info *info, struct green *g, void *arg)
{
        struct jval *one = jval_new_object();

        (void)g;
        jval_set_int(one, "id", (int64_t)info->id);
        jval_set_text(one, "name", info->name);
        jval_set_text(one, "group", info->group);
        jval_set_text(one, "state", info->state);
        jval_set_real(one, "age", info->age_s);
        jval_set_real(one, "in_state", info->in_state_s);
        if (info->cpu_s >= 0)
                jval_set_real(one, "cpu", info->cpu_s);
        jval_set_int(one, "switches", (int64_t)info->switches);
        jval_set_text(one, "spawned_at", info->site);
        jval_set_int(one, "stack", (int64_t)info->stack_touched);
        jval_set_bool(one, "cancelled", info->cancelled);
        jval_push(arg, one);
}

static void add_stack_use(const struct green_stack_use *use, void *arg)
{
        struct jval *one = jval_new_object();

        jval_set_text(one, "name", use->name);
        jval_set_int(one, "threads", (int64_t)use->threads);
        jval_set_int(one, "most", (int64_t)use->most);
        jval_push(arg, one);
}

/* What tells whether stacks are large enough, and that each has its guard. */
static struct jval *HUB_ONLY stacks(void)
{
        struct jval *to = jval_new_object(), *uses = jval_new_array();
        struct hub_stats stats;

        hub_get_stats(&stats);
        jval_set_int(to, "size", (int64_t)stats.stack_size);
        jval_set_text(to, "guard", stats.guard);
        jval_set_int(to, "guards", stats.guards);
        jval_set_int(to, "guards_refused", stats.guards_refused);
        jval_set_int(to, "cached", stats.stacks_cached);
        green_stack_usage(add_stack_use, uses);
        jval_set(to, "uses", uses);
        return to;
}

/* The file's text, "" when the thread has just ended. */
static void read_task(int dir, const char *tid, const char *file, char *buf, size_t size)
{
        char path[64];
        int CLEANUP(closep) fd = -1;
        ssize_t n;

        local_files("/proc/self/task is in memory");
        buf[0] = '\0';
        snprintf(path, sizeof(path), "%.20s/%s", tid, file);
        fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return;
        n = read(fd, buf, size - 1);
        buf[n > 0 ? n : 0] = '\0';
}

/* Processor time in seconds; `after` is what follows the name in a task's stat. -1: unknown. */
static double cpu_of_task(const char *after)
{
        unsigned long user, kernel;

        if (!after ||
            sscanf(after, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &kernel) != 2)
                return -1;
        return (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
}

static void add_native(struct jval *list, int dir, const char *tid)
{
        struct jval *one = jval_new_object();
        char comm[32], stat[512];
        const char *after;
        double cpu;

        read_task(dir, tid, "comm", comm, sizeof(comm));
        read_task(dir, tid, "stat", stat, sizeof(stat));
        comm[strcspn(comm, "\n")] = '\0';
        after = strrchr(stat, ')'); /* "tid (name) S ...", and a name may hold anything */
        jval_set_int(one, "tid", strtol(tid, NULL, 10));
        jval_set_text(one, "name", comm);
        jval_set_text(one, "state", native_state_name(after && after[1] ? after[2] : 'X'));
        cpu = cpu_of_task(after);
        if (cpu >= 0)
                jval_set_real(one, "cpu", cpu);
        jval_push(list, one);
}

struct jval *admin_native_threads(void)
{
        struct jval *list = jval_new_array();
        struct dirent *e;
        DIR *d;

        local_files("/proc/self/task is in memory");
        d = opendir("/proc/self/task");
        while (d && (e = readdir(d)) && jval_len(list) < NATIVE_MAX) {
                if (e->d_name[0] != '.')
                        add_native(list, dirfd(d), e->d_name);
        }
        if (d)
                closedir(d);
        return list;
}

struct jval *admin_threads(void)
{
        struct jval *to = jval_new_object(), *green = jval_new_array();

        green_foreach(add_green, green);
        jval_set(to, "green", green);
        jval_set(to, "native", admin_native_threads());
        jval_set(to, "stacks", stacks());
        return to;
}

/* ---- pools ---- */

static void add_pool(const struct green_pool_info *info, void *arg)
{
        struct jval *one = jval_new_object();

        jval_set_text(one, "name", info->name);
        jval_set_int(one, "size", info->size);
        jval_set_int(one, "running", info->running);
        jval_set_int(one, "waiting", info->waiting);
        jval_set_int(one, "most", info->most);
        jval_set_int(one, "started", (int64_t)info->started);
        jval_push(arg, one);
}

static void add_doing(const char *doing, const char *what, double since_s, bool hung, void *arg)
{
        struct jval *one;

        if (!doing)
                return;
        one = jval_new_object();
        jval_set_text(one, "name", doing);
        jval_set_text(one, "what", what);
        jval_set_real(one, "since", since_s);
        jval_set_bool(one, "hung", hung);
        jval_push(arg, one);
}

static void add_worker(const struct tpool_worker_info *info, void *arg)
{
        add_doing(info->doing, info->what, info->since_s, info->hung, arg);
}

static struct jval *HUB_ONLY common_tpool(struct tpool *p)
{
        struct jval *one = jval_new_object(), *doing = jval_new_array();
        struct tpool_info info;

        tpool_get_info(p, &info);
        tpool_foreach(p, add_worker, doing);
        jval_set_text(one, "name", info.name);
        jval_set_int(one, "workers", info.workers);
        jval_set_int(one, "busy", info.busy);
        jval_set_int(one, "hung", info.hung);
        jval_set_int(one, "queued", info.queued);
        jval_set_int(one, "done", (int64_t)info.done);
        jval_set_int(one, "timeouts", (int64_t)info.timeouts);
        jval_set(one, "doing", doing);
        return one;
}

/* The hypervisor's calls have workers of their own, which only the driver sees. */
static struct jval *HUB_ONLY driver_tpool(struct virt_driver *d, const struct virt_status *status)
{
        struct jval *one = jval_new_object(), *doing = jval_new_array();

        d->ops->foreach_worker(d, add_doing, doing);
        jval_set_text(one, "name", d->ops->name);
        jval_set_int(one, "workers", status->workers);
        jval_set_int(one, "busy", status->busy);
        jval_set_int(one, "hung", status->hung);
        jval_set_int(one, "done", (int64_t)status->calls);
        jval_set_int(one, "timeouts", (int64_t)status->timeouts);
        jval_set(one, "doing", doing);
        return one;
}

static struct jval *driver_queue(const struct virt_status *status)
{
        struct jval *one = jval_new_object();

        jval_set_text(one, "name", "hypervisor events");
        jval_set_int(one, "pushed", (int64_t)status->events);
        jval_set_int(one, "overflows", (int64_t)status->overflows);
        return one;
}

struct jval *admin_pools(const struct admin_sources *s)
{
        struct jval *to = jval_new_object();
        struct jval *pools = jval_new_array(), *tpools = jval_new_array(), *queues = jval_new_array();
        struct virt_status status = {};

        green_pool_foreach(add_pool, pools);
        if (s->tpool)
                jval_push(tpools, common_tpool(s->tpool));
        if (s->files)
                jval_push(tpools, common_tpool(s->files));
        if (s->driver) {
                s->driver->ops->get_status(s->driver, &status);
                jval_push(tpools, driver_tpool(s->driver, &status));
                jval_push(queues, driver_queue(&status));
        }
        jval_set(to, "pools", pools);
        jval_set(to, "tpools", tpools);
        jval_set(to, "queues", queues);
        jval_set(to, "locks", admin_lock_list());
        return to;
}
