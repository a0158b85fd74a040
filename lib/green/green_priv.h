/*
 * lib/green/green_priv.h: what the runtime's own files share. Not for users of the library.
 */
#pragma once

#include "base/list.h"
#include "green/green.h"
#include "green/stack.h"
#include "green/sync.h"
#include "green/timer_heap.h"

enum green_state { G_READY, G_RUNNING, G_PARKED, G_ENDED };

/* Why a park ended. REFUSED: epoll would not go on watching the descriptor. */
enum wake { WAKE_OK, WAKE_TIMEOUT, WAKE_CANCELLED, WAKE_CLOSED, WAKE_REFUSED };

struct log_context { /* shared by the green threads that inherited it */
        unsigned refs;
        char text[];
};

/*
 * The order is that of use: a switch touches the second and the third cache line, an exit the fourth (of its
 * neighbours, too), the rest is for spawning and for dumps.
 */
struct green {
        struct stack_record stack; /* first: the record is the stack's top */
        void *asan_fake;           /* ASan's fake stack while not running */
        const char *site;          /* where it was spawned: "file.c:12" */
        uint64_t ticks;            /* of the hub's thread, while accounting is on */
        int64_t created_ns;        /* by the hub's clock at its last poll, as is since_ns */

        void *sp;         /* while not running: for green_switch() */
        struct list link; /* in the run queue, or in the list it waits in; else alone */
        enum green_state state;
        enum wake wake;
        /* what it waits for, for dumps: "read", "lock" ...; the rest depends on it */
        const char *wait_verb, *wait_name;
        int wait_fd;
        bool cancelled;
        bool timed;  /* it has a timer */
        bool failed; /* then error_of() says how, as long as its stack is its own */
        int64_t since_ns;

        const struct green_mutex *wait_mutex;
        unsigned long switches;
        struct hub *hub;
        struct green_group *group;
        struct log_context *log_context;
        unsigned shield;
        unsigned refs;     /* handles; the record is recycled when it has ended and this is 0 */
        unsigned fd_ready; /* set by the poller when it wakes a waiter for a descriptor */
        uint32_t timer;    /* its slot in the hub's timer heap */
        unsigned long id;

        struct list all_link;   /* hub->all */
        struct list group_link; /* group->members */
        struct list joiners;    /* green threads parked in green_join() */
        green_fn *fn;
        void *arg;

        char name[GREEN_NAME_MAX];
};
enum { GREEN_LINE = 64 };
_Static_assert(sizeof(void *) != 8 || (offsetof(struct green, sp) == GREEN_LINE &&
                                       offsetof(struct green, wait_mutex) == 2 * GREEN_LINE &&
                                       offsetof(struct green, all_link) == 3 * GREEN_LINE),
               "what is used together is on one line");

/* What the body leaves: just below the record, where it needs no memory and outlives the body. */
static inline struct error *error_of(struct green *g)
{
        return (struct error *)g - 1;
}

struct green_group {
        char name[GREEN_NAME_MAX];
        struct list members;
        struct list waiters;
        unsigned size;
        unsigned waiting; /* green threads in green_group_wait(); the last of them frees a closed group */
        bool closing, closed;
};

enum fd_side { READER, WRITER };

struct fd_entry {
        struct green *waiter[2];
        uint32_t generation; /* of the registration; its events carry it */
        uint32_t wait;       /* counts waits */
        uint32_t note;       /* green_fd_note() */
        uint8_t armed;       /* GREEN_READ, GREEN_WRITE: what epoll reports */
        uint8_t kept_by;     /* the same: which waiter has promised GREEN_KEPT */
        bool kept;           /* level-triggered, else EPOLLONESHOT */
        bool registered;     /* as far as we know */
};

/* Waits that rely on a registration made earlier, in their order; a ring. */
struct fd_checks {
        struct fd_check *ring;
        size_t head, n, cap;
};

enum hub_idle { HUB_BUSY, HUB_IDLE, HUB_IDLE_AWAITED };

struct hub {
        struct green *current;
        struct list ready;
        unsigned n_ready;
        unsigned since_poll; /* switches and yields since the last look at descriptors and timers */
        struct timer_heap timers;
        int epoll_fd;
        struct fd_entry *fds;
        size_t n_fds;
        unsigned fd_waiters;
        struct fd_checks checks;
        bool stale_events; /* epoll reports what it cannot be told to leave alone */
        int64_t now_ns;    /* at the last poll: for ages in dumps, never for deadlines */
        struct list all;
        struct list pools;        /* pool.c */
        struct list *named_locks; /* lockutils.c: a table; NULL before the first */
        unsigned atomic_depth;
        int *errno_at; /* of the hub's thread: asking for its place is a call */
        bool forked;   /* this is the copy in a forked child: no green calls any more */
        struct stack_pool stacks;
        int64_t trim_at_ns; /* when to look which stacks were not needed; 0: there are few */
        struct green *dead; /* ended, its stack still under us until the next switch is done */
        struct green_group root;
        struct green main;
        size_t main_stack_size; /* of the native stack; ASan tells */
        unsigned max_threads;
        unsigned long next_id;
        struct hub_stats stats;
        struct { /* accounting.c */
                bool on, by_counter;
                uint64_t slice; /* since when the current green thread runs, in ticks */
                uint64_t since, since_ns;
        } accounting;
        pid_t tid; /* of the hub's thread */
        struct hub *next_hub;
        /*
         * Written here only, sampled by other threads, as are `current` and what hub_progress() adds up: by
         * atomic accesses.
         */
        enum hub_idle idle; /* a futex */

        struct hub_times times; /* once per poll: away from what a switch touches */
};

extern __thread struct hub *the_hub;
extern struct hub *green_all_hubs; /* for debuggers, which cannot read the variable above in each core file */

/*
 * Parks the current green thread, which the caller has put into the list it waits in (by ->link) or into the
 * descriptor table, until hub_wake(), the deadline, or cancellation; after that it is in no list. A deadline
 * that has passed and a cancelled thread do not park at all.
 */
struct wait_info {
        const char *verb, *name;
        int fd;
        const struct green_mutex *mutex;
};
enum wake YIELDS hub_park(struct hub *h, const struct wait_info *what, struct deadline by);
void HUB_ONLY hub_wake(struct green *g, enum wake why); /* g is parked */
void HUB_ONLY hub_make_ready(struct green *g);
struct green *HUB_ONLY hub_new_thread(struct hub *h, struct error *err); /* parked nowhere, not ready yet */

/* Wakes the first of a waiting list and returns it; NULL when nobody waits. */
struct green *HUB_ONLY hub_wake_first(struct list *waiters);
/* Parks at the end of a waiting list. */
enum wake YIELDS hub_park_in(struct list *waiters, const char *verb, const char *name, struct deadline by);
/* Fills err for anything but WAKE_OK: "waiting for lock x: deadline passed". Returns -1. */
int wake_error(enum wake w, const char *verb, const char *name, struct error *err);

/* hub_epoll.c */
int HUB_ONLY hub_fd_init(struct hub *h, struct error *err);
void HUB_ONLY hub_fd_free(struct hub *h);
/* Looks at descriptors, waiting up to timeout_ms (-1: until one is ready); wakes their waiters. */
void HUB_ONLY hub_fd_poll(struct hub *h, int timeout_ms);
/* Of fd >= 0; valid until the next call. NULL: no memory. */
struct fd_entry *HUB_ONLY hub_fd_entry(struct hub *h, int fd);
/* Tells epoll what is waited for now. 0, or an errno; EPERM: a kind of file that is always ready. */
int HUB_ONLY hub_fd_arm(struct hub *h, int fd, struct fd_entry *e);
/* Says again what is waited for. If that fails nobody would ever wake those who wait: they fail now. */
void HUB_ONLY hub_fd_arm_again(struct hub *h, int fd, struct fd_entry *e);
/* Forgets what epoll was told, and tells it. */
void HUB_ONLY hub_fd_unregister(struct hub *h, int fd, struct fd_entry *e);
/* Who still waits fails for this reason. */
void HUB_ONLY hub_fd_dismiss(struct hub *h, struct fd_entry *e, enum wake why);
/* A wait begins that relies on what epoll knows. False: no memory to remember that; it may not. */
bool HUB_ONLY hub_fd_check_later(struct hub *h, int fd, struct fd_entry *e);
/* Checks, at most a bounded number, those waits that are due. When to come again; INT64_MAX: no need. */
int64_t HUB_ONLY hub_fd_check(struct hub *h, int64_t now);

/* accounting.c; both only while it is on */
void HUB_ONLY hub_account(struct hub *h, struct green *g); /* what ran until now was g */
void HUB_ONLY hub_account_to_nobody(struct hub *h);
double HUB_ONLY hub_seconds_of(struct hub *h, struct green *g); /* -1: accounting is off */

/* stack_usage.c */
size_t HUB_ONLY hub_stack_touched(struct hub *h, struct green *g); /* 0: main, whose stack is not ours */
/*
 * The hub is about to wait: gives back some of the stacks that lay unused for a second. When to come again;
 * INT64_MAX: no need.
 */
int64_t HUB_ONLY hub_trim_stacks(struct hub *h);
void HUB_ONLY hub_stack_stats(struct hub *h, struct hub_stats *to);

/* fork.c */
void hub_prepare_for_forks(void);

/* info.c */
void HUB_ONLY hub_register(struct hub *h);
void HUB_ONLY hub_unregister(struct hub *h);
void HUB_ONLY hub_dump_and_abort(struct hub *h, const char *why) __attribute__((noreturn));
struct log_context *log_context_ref(struct log_context *c); /* NULL allowed */
void log_context_unref(struct log_context *c);
