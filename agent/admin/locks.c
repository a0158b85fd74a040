/*
 * agent/admin/locks.c: who holds which lock, since when, and who waits for it.
 *
 * Locks by name are known while somebody holds or wants them. Others (a mutex inside a part) have no list:
 * they are found where a green thread waits for one.
 */
#include "base/mem.h"
#include "green/lockutils.h"
#include "green/sync.h"
#include "admin/admin.h"

struct known { /* the locks in the list, in its order */
        struct jval *list;
        const struct green_mutex **mutexes;
        size_t n;
};

static struct jval *HUB_ONLY add_one(struct known *k, const struct green_mutex *m, const char *name)
{
        struct jval *one = jval_new_object();

        k->mutexes = xrealloc(k->mutexes, (k->n + 1) * sizeof(*k->mutexes));
        k->mutexes[k->n++] = m;
        jval_set_text(one, "name", name);
        jval_set(one, "waiting", jval_new_array());
        jval_push(k->list, one);
        return one;
}

static void add_named(const struct named_lock_info *info, void *arg)
{
        struct jval *one;

        assert_on_hub();
        one = add_one(arg, info->mutex, info->name);
        jval_set_bool(one, "external", info->external);
        jval_set_text(one, "owner", info->owner);
        jval_set_int(one, "owner_id", (int64_t)info->owner_id);
        jval_set_int(one, "waiters", info->waiters);
        jval_set_real(one, "held", info->held_s);
}

static struct jval *HUB_ONLY add_other(struct known *k, const struct green_mutex *m)
{
        struct jval *one = add_one(k, m, m->name);

        jval_set_bool(one, "external", false);
        jval_set_text(one, "owner", m->owner ? green_name(m->owner) : "");
        jval_set_int(one, "owner_id", m->owner ? (int64_t)green_id(m->owner) : 0);
        jval_set_real(one, "held", clock_since_s(m->since_ns));
        return one;
}

static struct jval *HUB_ONLY lock_of(struct known *k, const struct green_mutex *m)
{
        for (size_t i = 0; i < k->n; i++) {
                if (k->mutexes[i] == m)
                        return jval_at(k->list, i);
        }
        return add_other(k, m);
}

static void add_waiter(const struct green_info *info, struct green *g, void *arg)
{
        struct jval *lock, *waiting, *one;

        assert_on_hub();
        (void)g;
        if (!info->lock)
                return;
        lock = lock_of(arg, info->lock);
        waiting = jval_get(lock, "waiting");
        one = jval_new_object();
        jval_set_int(one, "id", (int64_t)info->id);
        jval_set_text(one, "name", info->name);
        jval_set_real(one, "since", info->in_state_s);
        jval_push(waiting, one);
        jval_set_int(lock, "waiters", (int64_t)jval_len(waiting));
}

struct jval *admin_lock_list(void)
{
        struct known k = { .list = jval_new_array() };

        lockutils_foreach(add_named, &k);
        green_foreach(add_waiter, &k);
        free(k.mutexes);
        return k.list;
}

struct jval *admin_locks(void)
{
        struct jval *to = jval_new_object();

        jval_set(to, "locks", admin_lock_list());
        return to;
}
