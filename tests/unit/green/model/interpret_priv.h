/* tests/unit/green/model/interpret_priv.h: the world in which a program runs. */
#pragma once

#include "base/error.h"
#include "green/chan.h"
#include "green/green.h"
#include "green/lockutils.h"
#include "green/pool.h"
#include "green/sync.h"
#include "native/native_queue.h"
#include "trace.h"

enum life { OPEN, CLOSING, GONE };

struct actor {
        unsigned slot;
        bool started; /* or somebody waits for a place in a pool for it */
        bool alive, in_root;
        struct green *handle; /* owned; NULL: not started, or in a pool */
        struct green *green;  /* borrowed while alive */
        bool failing;
        unsigned shields;
        bool holds[N_MUTEX];
        struct named_lock *names[N_NAME];
};

struct world {
        const struct program *program;
        struct trace *trace;
        int64_t start_ns;
        struct actor actors[MAX_THREADS];
        unsigned alive; /* but main */
        bool over;      /* main cancels: what starts now has nothing to do */
        struct green_cond all_done;

        struct green_mutex mutexes[N_MUTEX];
        struct green_sem sems[N_SEM];
        struct green_event events[N_EVENT];
        struct green_cond conds[N_COND];
        struct green_chan *chans[N_CHAN];
        struct green_group *groups[N_GROUP];
        enum life group_life[N_GROUP];
        struct green_pool *pools[N_POOL];
        enum life pool_life[N_POOL];
        struct native_queue *queue;
        bool popping;
        int fds[N_FD];
};
extern struct world world;

struct result {
        int code, value;
};

int YIELDS actor_main(void *arg, struct error *err);
bool HUB_ONLY actor_holds_locks(const struct actor *a);
void HUB_ONLY actor_let_go(struct actor *a); /* locks and shields */

/* interpret_ops.c */
struct deadline HUB_ONLY by_of(const struct actor *a, const struct op *op);
struct result YIELDS run_op(struct actor *a, const struct op *op, unsigned index);
/* interpret_io.c */
struct result YIELDS run_io_op(struct actor *a, const struct op *op, unsigned index);
void HUB_ONLY open_pair(int pair);
