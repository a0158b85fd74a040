/*
 * tests/unit/green/model/interpret_ops.c: one operation of a program, done with the runtime's calls.
 *
 * What would be misuse is skipped, and so is what could never end: main does not wait for ever, and only a
 * green thread of the root group that holds nothing closes groups and pools.
 */
#include "interpret_priv.h"

#include <stdlib.h>
#include <string.h>

static const struct result skipped = { SKIPPED, 0 };

struct deadline by_of(const struct actor *a, const struct op *op)
{
        int by = op_by(op, a->shields > 0 || a->slot == 0);

        return by == BY_NEVER ? deadline_never() : by == BY_NOW ? deadline_now() : deadline_in_ms(by);
}

static struct result outcome(int r, const struct error *err)
{
        return (struct result){ r < 0 ? err->code : 0, 0 };
}

static struct result YIELDS run_time_op(const struct actor *a, const struct op *op)
{
        struct error err;

        (void)a;
        switch (op->kind) {
        case OP_SLEEP:
                return outcome(green_sleep(op->arg[0] / 1000.0, &err), &err);
        case OP_SLEEP_UNTIL:
                return outcome(
                        green_sleep_until((struct deadline){ world.start_ns + op->arg[0] * NS_PER_MS }, &err),
                        &err);
        default:
                green_yield();
                return (struct result){};
        }
}

static struct result YIELDS run_mutex_op(struct actor *a, const struct op *op)
{
        int i = op->arg[0];
        struct green_mutex *m = &world.mutexes[i];
        struct error err;
        int r = 0;

        switch (op->kind) {
        case OP_LOCK:
                if (a->holds[i])
                        return skipped;
                r = green_mutex_lock(m, by_of(a, op), &err);
                a->holds[i] = r == 0;
                return outcome(r, &err);
        case OP_TRYLOCK:
                if (!green_mutex_try(m))
                        return (struct result){ NOT_NOW, 0 };
                a->holds[i] = true;
                return (struct result){};
        default:
                if (!a->holds[i])
                        return skipped;
                a->holds[i] = false;
                green_mutex_unlock(m);
                return (struct result){};
        }
}

static struct result YIELDS run_sync_op(struct actor *a, const struct op *op)
{
        struct error err;
        int r = 0, i = op->arg[0];

        switch (op->kind) {
        case OP_ACQUIRE:
                r = green_sem_acquire(&world.sems[i], by_of(a, op), &err);
                break;
        case OP_TRY:
                return (struct result){ green_sem_try(&world.sems[i]) ? 0 : NOT_NOW, 0 };
        case OP_RELEASE:
                green_sem_release(&world.sems[i]);
                break;
        case OP_SET:
                green_event_set(&world.events[i]);
                break;
        case OP_CLEAR:
                green_event_clear(&world.events[i]);
                break;
        case OP_WAIT:
                r = green_event_wait(&world.events[i], by_of(a, op), &err);
                break;
        case OP_COND_WAIT:
                r = green_cond_wait(&world.conds[i], by_of(a, op), &err);
                break;
        case OP_SIGNAL:
                green_cond_signal(&world.conds[i]);
                break;
        default:
                green_cond_broadcast(&world.conds[i]);
                break;
        }
        return outcome(r, &err);
}

static struct result YIELDS run_chan_op(struct actor *a, const struct op *op, unsigned index)
{
        struct green_chan *c = world.chans[op->arg[0]];
        int item = ITEM_OF(a->slot, index), got = 0;
        struct result r = {};
        struct error err;

        switch (op->kind) {
        case OP_SEND:
                return outcome(green_chan_send(c, &item, by_of(a, op), &err), &err);
        case OP_RECV:
                r = outcome(green_chan_recv(c, &got, by_of(a, op), &err), &err);
                break;
        case OP_TRYSEND:
                r.code = green_chan_try_send(c, &item) ? 0 : NOT_NOW;
                break;
        case OP_TRYRECV:
                r.code = green_chan_try_recv(c, &got) ? 0 : NOT_NOW;
                break;
        default:
                green_chan_close(c);
                break;
        }
        r.value = got; /* also when it failed: then nothing must have been moved */
        return r;
}

static struct result HUB_ONLY spawn(const struct op *op)
{
        struct actor *who = &world.actors[op->arg[0]];
        int g = op->arg[1];
        struct error err;
        char name[8];

        if (world.over || who->started || (g >= 0 && world.group_life[g] == GONE))
                return skipped;
        snprintf(name, sizeof(name), "T%u", who->slot);
        who->handle = green_spawn_ref(g < 0 ? NULL : world.groups[g], name, actor_main, who, &err);
        if (!who->handle)
                return outcome(-1, &err);
        who->started = true;
        who->in_root = g < 0;
        world.alive++;
        return (struct result){};
}

static void HUB_ONLY cancel_all(void)
{
        world.over = true;
        for (unsigned i = 1; i < MAX_THREADS; i++) {
                struct actor *who = &world.actors[i];

                if (who->handle)
                        green_cancel(who->handle);
                else if (who->alive)
                        green_cancel(who->green);
        }
}

static struct result YIELDS run_thread_op(struct actor *a, const struct op *op)
{
        struct actor *other = &world.actors[op->arg[0]];
        struct error err, failed = {};
        struct result r;

        switch (op->kind) {
        case OP_SPAWN:
                return spawn(op);
        case OP_JOIN:
                if (other == a || !other->handle)
                        return skipped;
                r = outcome(green_join(other->handle, by_of(a, op), &failed, &err), &err);
                r.value = failed.sys;
                return r;
        case OP_CANCEL:
                if (!other->handle && !other->alive)
                        return skipped;
                green_cancel(other->handle ? other->handle : other->green);
                return (struct result){};
        case OP_FAIL:
                a->failing = a->slot != 0;
                return a->failing ? (struct result){} : skipped;
        case OP_SHIELD:
                a->shields++;
                green_shield_begin();
                return (struct result){};
        case OP_UNSHIELD:
                if (!a->shields)
                        return skipped;
                a->shields--;
                green_shield_end();
                return (struct result){};
        case OP_CANCEL_ALL:
                actor_let_go(a);
                cancel_all();
                return (struct result){};
        default:
                while (world.alive > 0)
                        green_cond_wait(&world.all_done, deadline_never(), &err);
                return (struct result){};
        }
}

static bool HUB_ONLY may_close(const struct actor *a)
{
        return a->slot != 0 && a->in_root && !actor_holds_locks(a);
}

static struct result YIELDS run_group_op(struct actor *a, const struct op *op)
{
        int i = op->arg[0];
        struct error err;

        if (i < 0 || world.group_life[i] == GONE)
                return skipped;
        if (op->kind == OP_GROUP_WAIT)
                return outcome(green_group_wait(world.groups[i], by_of(a, op), &err), &err);
        if (world.group_life[i] != OPEN || !may_close(a))
                return skipped;
        world.group_life[i] = CLOSING;
        green_group_close(world.groups[i]);
        world.group_life[i] = GONE;
        return (struct result){};
}

static struct result YIELDS pool_spawn(struct actor *a, const struct op *op)
{
        struct actor *who = &world.actors[op->arg[1]];
        struct error err;
        char name[8];
        int r;

        if (world.over || who->started)
                return skipped;
        who->started = true;
        snprintf(name, sizeof(name), "T%u", who->slot);
        r = green_pool_spawn(world.pools[op->arg[0]], name, actor_main, who, by_of(a, op), &err);
        if (r < 0)
                who->started = false;
        else
                world.alive++;
        return outcome(r, &err);
}

static struct result YIELDS run_pool_op(struct actor *a, const struct op *op)
{
        int i = op->arg[0];
        struct error err;

        if (world.pool_life[i] == GONE)
                return skipped;
        if (op->kind == OP_POOL_SPAWN)
                return pool_spawn(a, op);
        if (op->kind == OP_POOL_WAIT)
                return outcome(green_pool_waitall(world.pools[i], by_of(a, op), &err), &err);
        if (world.pool_life[i] != OPEN || !may_close(a))
                return skipped;
        world.pool_life[i] = CLOSING;
        green_pool_close(world.pools[i]);
        world.pool_life[i] = GONE;
        return (struct result){};
}

static struct result YIELDS run_name_op(struct actor *a, const struct op *op)
{
        static const char *const names[N_NAME] = { "first", "second" };
        int i = op->arg[0];
        struct error err;

        switch (op->kind) {
        case OP_NAME_LOCK:
                if (a->names[i])
                        return skipped;
                a->names[i] = lockutils_acquire(names[i], by_of(a, op), &err);
                return outcome(a->names[i] ? 0 : -1, &err);
        case OP_NAME_ENTER:
                if (a->slot == 0 || actor_holds_locks(a))
                        return skipped;
                a->names[i] = lockutils_enter(names[i]);
                return (struct result){};
        default:
                if (!a->names[i])
                        return skipped;
                lockutils_release(take_ptr(&a->names[i]));
                return (struct result){};
        }
}

struct result run_op(struct actor *a, const struct op *op, unsigned index)
{
        switch (op_infos[op->kind].family) {
        case TIME:
                return run_time_op(a, op);
        case MUTEXES:
                return run_mutex_op(a, op);
        case SEMS:
        case EVENTS_:
        case CONDS:
                return run_sync_op(a, op);
        case CHANS:
                return run_chan_op(a, op, index);
        case GROUPS:
                return run_group_op(a, op);
        case POOLS:
                return run_pool_op(a, op);
        case NAMES:
                return run_name_op(a, op);
        case QUEUES:
        case FDS:
                return run_io_op(a, op, index);
        default:
                return run_thread_op(a, op);
        }
}
