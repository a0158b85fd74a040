/*
 * tests/unit/green/model/interpret.c: a program's green threads, each doing its operations and noting what
 * came of them.
 */
#include "interpret_priv.h"

#include <stdlib.h>
#include <string.h>

struct world world;

static void HUB_ONLY note(const struct actor *a, enum event_kind kind, unsigned op, struct result r)
{
        struct trace *t = world.trace;

        if (t->n == MAX_EVENTS)
                abort();
        t->events[t->n++] = (struct event){ .who = a->slot,
                                            .kind = kind,
                                            .op = op,
                                            .code = r.code,
                                            .value = r.value,
                                            .at_ns = clock_now_ns() - world.start_ns };
}

bool actor_holds_locks(const struct actor *a)
{
        for (int i = 0; i < N_MUTEX; i++)
                if (a->holds[i])
                        return true;
        for (int i = 0; i < N_NAME; i++)
                if (a->names[i])
                        return true;
        return false;
}

void actor_let_go(struct actor *a)
{
        while (a->shields > 0) {
                a->shields--;
                green_shield_end();
        }
        for (int i = 0; i < N_MUTEX; i++)
                if (a->holds[i]) {
                        a->holds[i] = false;
                        green_mutex_unlock(&world.mutexes[i]);
                }
        for (int i = 0; i < N_NAME; i++)
                lockutils_release(take_ptr(&a->names[i]));
}

int actor_main(void *arg, struct error *err)
{
        struct actor *a = arg;
        struct op op;

        assert_green();
        a->alive = true;
        a->green = green_self();
        note(a, STARTED, 0, (struct result){});
        for (unsigned i = 0;
             (!world.over || a->slot == 0) && !a->failing && program_op(world.program, a->slot, i, &op);
             i++) {
                world.trace->doing[a->slot] = (int)i;
                note(a, DONE, i, run_op(a, &op, i));
        }
        actor_let_go(a);
        note(a, FINISHED, 0, (struct result){});
        a->alive = false;
        if (a->slot != 0 && --world.alive == 0)
                green_cond_signal(&world.all_done);
        if (!a->failing)
                return 0;
        error_set(err, ERR_CANCELLED, "as the program says"); /* of all errors the one that is not logged */
        err->sys = FAIL_MARK(a->slot);
        return -1;
}

static void HUB_ONLY make_world(const struct program *p, struct trace *trace)
{
        struct error err = {};

        world = (struct world){ .program = p, .trace = trace, .start_ns = clock_now_ns() };
        for (unsigned i = 0; i < MAX_THREADS; i++) {
                world.actors[i].slot = i;
                trace->doing[i] = NOT_STARTED;
        }
        green_cond_init(&world.all_done, "all done");
        for (int i = 0; i < N_MUTEX; i++)
                green_mutex_init(&world.mutexes[i], "M");
        for (int i = 0; i < N_SEM; i++)
                green_sem_init(&world.sems[i], "S", SEM_COUNT(i));
        for (int i = 0; i < N_EVENT; i++)
                green_event_init(&world.events[i], "E");
        for (int i = 0; i < N_COND; i++)
                green_cond_init(&world.conds[i], "C");
        for (int i = 0; i < N_CHAN; i++)
                world.chans[i] = green_chan_new("Q", sizeof(int), CHAN_CAPACITY(i));
        for (int i = 0; i < N_GROUP; i++)
                world.groups[i] = green_group_new("G");
        for (int i = 0; i < N_POOL; i++)
                world.pools[i] = green_pool_new("P", POOL_SIZE(i));
        world.queue = native_queue_new("N", sizeof(int), QUEUE_CAPACITY, &err);
        if (!world.queue)
                abort();
        for (int i = 0; i < N_FD; i++)
                world.fds[i] = -1;
        for (int i = 0; i < N_FD / 2; i++)
                open_pair(i);
}

static void YIELDS end_world(void)
{
        for (int i = 0; i < N_CHAN; i++)
                green_chan_free(world.chans[i]);
        for (int i = 0; i < N_GROUP; i++)
                if (world.group_life[i] == OPEN)
                        green_group_close(world.groups[i]);
        for (int i = 0; i < N_POOL; i++)
                if (world.pool_life[i] == OPEN)
                        green_pool_close(world.pools[i]);
        native_queue_free(world.queue);
        for (int i = 0; i < N_FD; i++)
                green_close(world.fds[i]);
        for (unsigned i = 1; i < MAX_THREADS; i++)
                green_unref(world.actors[i].handle);
}

static int run_main(void *arg, struct error *err)
{
        assert_green();
        (void)arg;
        actor_main(&world.actors[0], err);
        end_world();
        return 0;
}

struct to_run {
        const struct program *program;
        struct trace *trace;
};

static int in_new_world(void *arg, struct error *err)
{
        const struct to_run *run = arg;

        assert_green();
        make_world(run->program, run->trace);
        return run_main(NULL, err);
}

void interpret(const struct program *p, struct trace *trace)
{
        struct to_run run = { p, trace };
        struct error err = {};

        trace->n = 0;
        clock_fake_start();
        if (hub_run(in_new_world, &run, NULL, &err) < 0) {
                fprintf(stderr, "%s\n", err.text);
                abort();
        }
        clock_fake_stop();
}
