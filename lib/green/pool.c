/* lib/green/pool.c: a group with a semaphore: at most `size` green threads at once. */
#include "green/pool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "green/green_priv.h"

struct green_pool {
        struct list all_link;
        char name[GREEN_NAME_MAX];
        struct green_group *group;
        struct green_sem slots;
        unsigned size, waiting, most;
        unsigned long started;
        bool closed;
};

struct pool_task {
        struct green_pool *pool;
        green_fn *fn;
        void *arg;
};

struct green_pool *green_pool_new(const char *name, unsigned size)
{
        struct green_pool *p = NEW(struct green_pool);

        snprintf(p->name, sizeof(p->name), "%s", name);
        p->group = green_group_new(name);
        p->size = size;
        green_sem_init(&p->slots, p->name, size);
        list_append(&the_hub->pools, &p->all_link);
        return p;
}

static int run_task(void *arg, struct error *err)
{
        struct pool_task task = *(struct pool_task *)arg;
        int r;

        assert_green();
        free(arg);
        r = task.fn(task.arg, err);
        green_sem_release(&task.pool->slots);
        return r;
}

int green_pool_spawn_at(const char *site, struct green_pool *p, const char *name, green_fn *fn, void *arg,
                        struct deadline by, struct error *err)
{
        struct pool_task *task;
        int r;

        if (!p->closed) {
                p->waiting++;
                r = green_sem_acquire(&p->slots, by, err);
                p->waiting--;
                if (r < 0)
                        return error_while(err, "starting %s in pool %s", name, p->name);
        }
        if (p->closed)
                return error_set(err, ERR_CLOSED, "starting %s: pool %s is closed", name, p->name);
        task = malloc(sizeof(*task));
        if (!task) {
                green_sem_release(&p->slots);
                return error_system(err, ENOMEM, "starting %s in pool %s", name, p->name);
        }
        *task = (struct pool_task){ p, fn, arg };
        if (green_spawn_at(site, p->group, name, run_task, task, err) < 0) {
                green_sem_release(&p->slots);
                free(task);
                return -1;
        }
        p->started++;
        if (green_pool_running(p) > p->most)
                p->most = green_pool_running(p);
        return 0;
}

int green_pool_waitall(struct green_pool *p, struct deadline by, struct error *err)
{
        return green_group_wait(p->group, by, err);
}

void green_pool_close(struct green_pool *p)
{
        if (!p)
                return;
        p->closed = true;
        list_remove(&p->all_link);
        green_shield_begin();
        while (p->waiting > 0) { /* let them see that it is closed */
                green_sem_release(&p->slots);
                green_yield();
        }
        green_shield_end();
        green_group_close(p->group);
        free(p);
}

void green_pool_resize(struct green_pool *p, unsigned size)
{
        green_sem_adjust(&p->slots, (long)size - (long)p->size);
        p->size = size;
}

unsigned green_pool_size(const struct green_pool *p)
{
        return p->size;
}

unsigned green_pool_running(const struct green_pool *p)
{
        return green_group_size(p->group);
}

unsigned green_pool_waiting(const struct green_pool *p)
{
        return p->waiting;
}

void green_pool_foreach(void (*fn)(const struct green_pool_info *info, void *arg), void *arg)
{
        list_for_each (node, &the_hub->pools) {
                struct green_pool *p = CONTAINER_OF(node, struct green_pool, all_link);
                struct green_pool_info info = { p->name,    p->size, green_pool_running(p),
                                                p->waiting, p->most, p->started };

                fn(&info, arg);
        }
}
