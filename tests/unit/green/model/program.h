/*
 * tests/unit/green/model/program.h: random programs of several green threads, as data and as text.
 *
 * Thread 0 is the hub's main; after its own operations it sleeps until everything else has come to rest,
 * cancels all others and waits until they have ended, so every program ends. Threads begin when an operation
 * starts them, each at most once. What makes no sense (unlocking what one does not hold) is skipped, and the
 * trace says so: so operations can be dropped in any way.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { MAX_THREADS = 8, MAX_OPS = 14 };
enum {
        N_MUTEX = 2,
        N_SEM = 2,
        N_EVENT = 2,
        N_COND = 2,
        N_CHAN = 3, /* capacities: CHAN_CAPACITY() */
        N_GROUP = 2,
        N_POOL = 2, /* sizes: POOL_SIZE() */
        N_NAME = 2,
        N_FD = 4, /* two socket pairs: 0-1 and 2-3 */
        QUEUE_CAPACITY = 2,
        POP_MAX = 3,
};
#define CHAN_CAPACITY(i) (i) /* unbuffered, one, two */
#define POOL_SIZE(i)     (1 + (i))
#define SEM_COUNT(i)     (i)
#define PEER_OF(fd)      ((fd) ^ 1)

/* What an argument is; see the table in program.c. */
enum arg { NONE, MUTEX, SEM, EVENT, COND, CHAN, THREAD, GROUP, POOL, NAME, FD, PAIR, BY, MS, AT, EVENTS };

/* kind, text, family, arguments */
#define OPERATIONS(X)                                               \
        X(OP_YIELD, "yield", TIME, NONE, NONE, NONE)                \
        X(OP_SLEEP, "sleep", TIME, MS, NONE, NONE)                  \
        X(OP_SLEEP_UNTIL, "sleep_until", TIME, AT, NONE, NONE)      \
        X(OP_LOCK, "lock", MUTEXES, MUTEX, BY, NONE)                \
        X(OP_TRYLOCK, "trylock", MUTEXES, MUTEX, NONE, NONE)        \
        X(OP_UNLOCK, "unlock", MUTEXES, MUTEX, NONE, NONE)          \
        X(OP_ACQUIRE, "acquire", SEMS, SEM, BY, NONE)               \
        X(OP_TRY, "tryacquire", SEMS, SEM, NONE, NONE)              \
        X(OP_RELEASE, "release", SEMS, SEM, NONE, NONE)             \
        X(OP_SET, "set", EVENTS_, EVENT, NONE, NONE)                \
        X(OP_CLEAR, "clear", EVENTS_, EVENT, NONE, NONE)            \
        X(OP_WAIT, "wait", EVENTS_, EVENT, BY, NONE)                \
        X(OP_COND_WAIT, "cond_wait", CONDS, COND, BY, NONE)         \
        X(OP_SIGNAL, "signal", CONDS, COND, NONE, NONE)             \
        X(OP_BROADCAST, "broadcast", CONDS, COND, NONE, NONE)       \
        X(OP_SEND, "send", CHANS, CHAN, BY, NONE)                   \
        X(OP_RECV, "recv", CHANS, CHAN, BY, NONE)                   \
        X(OP_TRYSEND, "trysend", CHANS, CHAN, NONE, NONE)           \
        X(OP_TRYRECV, "tryrecv", CHANS, CHAN, NONE, NONE)           \
        X(OP_CHAN_CLOSE, "close_chan", CHANS, CHAN, NONE, NONE)     \
        X(OP_SPAWN, "spawn", THREADS, THREAD, GROUP, NONE)          \
        X(OP_JOIN, "join", THREADS, THREAD, BY, NONE)               \
        X(OP_CANCEL, "cancel", CANCELS, THREAD, NONE, NONE)         \
        X(OP_FAIL, "fail", THREADS, NONE, NONE, NONE)               \
        X(OP_SHIELD, "shield", CANCELS, NONE, NONE, NONE)           \
        X(OP_UNSHIELD, "unshield", CANCELS, NONE, NONE, NONE)       \
        X(OP_GROUP_WAIT, "group_wait", GROUPS, GROUP, BY, NONE)     \
        X(OP_GROUP_CLOSE, "group_close", GROUPS, GROUP, NONE, NONE) \
        X(OP_POOL_SPAWN, "pool_spawn", POOLS, POOL, THREAD, BY)     \
        X(OP_POOL_WAIT, "pool_waitall", POOLS, POOL, BY, NONE)      \
        X(OP_POOL_CLOSE, "pool_close", POOLS, POOL, NONE, NONE)     \
        X(OP_NAME_LOCK, "name_lock", NAMES, NAME, BY, NONE)         \
        X(OP_NAME_ENTER, "name_enter", NAMES, NAME, NONE, NONE)     \
        X(OP_NAME_UNLOCK, "name_unlock", NAMES, NAME, NONE, NONE)   \
        X(OP_PUSH, "push", QUEUES, NONE, NONE, NONE)                \
        X(OP_POP, "pop", QUEUES, BY, NONE, NONE)                    \
        X(OP_QUEUE_CLOSE, "close_queue", QUEUES, NONE, NONE, NONE)  \
        X(OP_FD_WAIT, "wait_fd", FDS, FD, EVENTS, BY)               \
        X(OP_FD_WAIT_KEPT, "wait_kept", FDS, FD, EVENTS, BY)        \
        X(OP_FD_WRITE, "write", FDS, FD, NONE, NONE)                \
        X(OP_FD_READ, "read", FDS, FD, NONE, NONE)                  \
        X(OP_FD_CLOSE, "close_fd", FDS, FD, NONE, NONE)             \
        X(OP_FD_OPEN, "open_pair", FDS, PAIR, NONE, NONE)           \
        X(OP_CANCEL_ALL, "cancel_all", NO_FAMILY, NONE, NONE, NONE) \
        X(OP_WAIT_ALL, "wait_all", NO_FAMILY, NONE, NONE, NONE)

enum family {
        TIME,
        MUTEXES,
        SEMS,
        EVENTS_,
        CONDS,
        CHANS,
        THREADS,
        CANCELS,
        GROUPS,
        POOLS,
        NAMES,
        QUEUES,
        FDS,
        N_FAMILIES,
        NO_FAMILY, /* the end of main, not to be generated */
};

#define OPERATION_NAME(kind, text, family, a, b, c) kind,
enum op_kind { OPERATIONS(OPERATION_NAME) N_OPS };
#undef OPERATION_NAME

struct op {
        enum op_kind kind;
        int arg[3];
};

struct program {
        unsigned n_threads; /* main counts */
        struct body {
                unsigned n;
                struct op ops[MAX_OPS];
        } threads[MAX_THREADS];
};

/* A deadline in ms: of an operation, not of the table. */
enum { BY_NEVER = -1, BY_NOW = 0 };
enum { IN_SHIELD_MS = 5000 }; /* what "never" means in a shield, lest nothing could end it */
#define REST_MS INT64_C(1000000000)

struct op_info {
        const char *text;
        enum family family;
        enum arg args[3];
};
extern const struct op_info op_infos[N_OPS];

/* Smallest and largest value of a kind of argument; a thread's depends on how many there are. */
void arg_range(enum arg kind, unsigned n_threads, int *ret_min, int *ret_max);
/* An operation's deadline, or -1 when it waits for ever. */
int op_by(const struct op *op, bool in_shield);

/* The i-th operation of a thread, main's common end included; false when there is none. */
bool program_op(const struct program *p, unsigned thread, unsigned i, struct op *ret);
unsigned program_size(const struct program *p); /* operations, without main's end */

void op_print(FILE *to, const struct op *op);
/* One line: "main: spawn T1 root; sleep 5ms | T1: lock M0 never". */
void program_print(FILE *to, const struct program *p, const char *between_threads);
/* False with a message on stderr. */
bool program_parse(struct program *ret, const char *text);

/* generate.c: the same seed, the same program. */
void program_generate(struct program *ret, uint64_t seed);
