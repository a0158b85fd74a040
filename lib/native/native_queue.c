/*
 * lib/native/native_queue.c: a ring of cells, each with a turn number of its own.
 *
 * Cell i starts at turn i. A producer claims the tail position by compare-and-swap when the cell's turn says
 * that it is free for exactly that position, copies its item in and publishes it by turn + 1; the consumer
 * copies it out and gives the cell to the next round by turn + capacity. So producers never wait for one
 * another, and a full ring is seen without looking at the head: the cell at the tail is still of last round.
 *
 * The bell: the consumer says "asleep" and looks once more before it waits; a producer publishes and then
 * looks whether the consumer is asleep. Both sides use sequentially consistent operations, so at least one
 * sees the other, and only who turns "asleep" off writes to the eventfd: one system call per sleep, not per
 * item.
 *
 * An overflow is reported in its place: first whatever was in the ring when the consumer noticed it, then the
 * report. A consumer that re-reads everything on the report thus never applies facts older than its reading.
 */
#include "native/native_queue.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

enum {
        CACHE_LINE = 64,
        CAPACITY_MAX = 1 << 24,
        STREAK_MAX = 64, /* pops without a wait before the others get a turn */
};

struct cell {
        atomic_size_t turn;
        unsigned char item[];
};

struct native_queue {
        /* Producers' side. */
        _Alignas(CACHE_LINE) atomic_size_t tail;

        /* Both sides, seldom written. */
        _Alignas(CACHE_LINE) atomic_bool asleep;
        atomic_bool overflowed, closed;
        atomic_ulong lost, overflows;

        /* The consumer's side; head is read by native_queue_get_info() only. */
        _Alignas(CACHE_LINE) atomic_size_t head;
        bool draining; /* an overflow was noticed and waits for the items before drain_to */
        size_t drain_to;
        unsigned streak;

        /* Constant. */
        _Alignas(CACHE_LINE) unsigned char *cells;
        size_t mask, stride, item_size;
        int bell;
        char *name;
};

static struct cell *cell_at(const struct native_queue *q, size_t pos)
{
        return (struct cell *)(q->cells + (pos & q->mask) * q->stride);
}

static size_t round_up_to_power_of_two(size_t n)
{
        size_t power = 2; /* with one cell "free in the next round" and "full" would be the same turn */

        while (power < n)
                power *= 2;
        return power;
}

static struct native_queue *no_memory(const char *name, size_t item_size, size_t capacity, struct error *err)
{
        error_system(err, ENOMEM, "queue %s: %zu items of %zu bytes", name, capacity, item_size);
        return NULL;
}

struct native_queue *native_queue_new(const char *name, size_t item_size, size_t capacity, struct error *err)
{
        struct native_queue *q;
        size_t bytes;

        if (!item_size || !capacity || capacity > CAPACITY_MAX) {
                error_set(err, ERR_INVALID, "queue %s: %zu items of %zu bytes", name, capacity, item_size);
                return NULL;
        }
        q = aligned_alloc(CACHE_LINE, sizeof(*q));
        if (!q)
                return no_memory(name, item_size, capacity, err);
        memset(q, 0, sizeof(*q));
        q->bell = -1;
        capacity = round_up_to_power_of_two(capacity);
        q->mask = capacity - 1;
        q->item_size = item_size;
        q->stride = (sizeof(struct cell) + item_size + sizeof(size_t) - 1) & ~(sizeof(size_t) - 1);
        q->name = strdup(name);
        if (!q->name || __builtin_mul_overflow(q->stride, capacity, &bytes) || !(q->cells = malloc(bytes))) {
                native_queue_free(q);
                return no_memory(name, item_size, capacity, err);
        }
        for (size_t i = 0; i < capacity; i++)
                atomic_init(&cell_at(q, i)->turn, i);
        q->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (q->bell < 0) {
                error_system(err, errno, "queue %s: eventfd", name);
                native_queue_free(q);
                return NULL;
        }
        return q;
}

void native_queue_free(struct native_queue *q)
{
        if (!q)
                return;
        if (q->bell >= 0)
                green_close(q->bell);
        free(q->cells);
        free(q->name);
        free(q);
}

/* After something was published: ends the consumer's sleep if it is in one. */
static void ring(struct native_queue *q)
{
        if (atomic_load(&q->asleep) && atomic_exchange(&q->asleep, false))
                eventfd_write(q->bell, 1);
}

static bool refuse(struct native_queue *q)
{
        atomic_fetch_add_explicit(&q->lost, 1, memory_order_relaxed);
        if (atomic_load(&q->closed))
                return false;
        if (!atomic_exchange(&q->overflowed, true))
                atomic_fetch_add_explicit(&q->overflows, 1, memory_order_relaxed);
        ring(q);
        return false;
}

bool native_queue_push(struct native_queue *q, const void *item)
{
        size_t pos = atomic_load_explicit(&q->tail, memory_order_relaxed);
        struct cell *cell;

        if (atomic_load_explicit(&q->closed, memory_order_acquire))
                return refuse(q);
        for (;;) {
                ptrdiff_t ahead;

                cell = cell_at(q, pos);
                ahead = (ptrdiff_t)(atomic_load_explicit(&cell->turn, memory_order_acquire) - pos);
                if (ahead < 0)
                        return refuse(q);
                if (ahead > 0)
                        pos = atomic_load_explicit(&q->tail, memory_order_relaxed);
                else if (atomic_compare_exchange_weak_explicit(&q->tail, &pos, pos + 1, memory_order_seq_cst,
                                                               memory_order_relaxed))
                        break;
        }
        memcpy(cell->item, item, q->item_size);
        atomic_store(&cell->turn, pos + 1);
        ring(q);
        return true;
}

void native_queue_close(struct native_queue *q)
{
        atomic_store(&q->closed, true);
        ring(q);
}

static bool HUB_ONLY is_ready(const struct native_queue *q, size_t pos)
{
        return atomic_load(&cell_at(q, pos)->turn) == pos + 1;
}

static size_t HUB_ONLY take(struct native_queue *q, unsigned char *to, size_t max)
{
        size_t head = atomic_load_explicit(&q->head, memory_order_relaxed), n = 0;

        while (n < max && is_ready(q, head)) {
                struct cell *cell = cell_at(q, head);

                memcpy(to + n * q->item_size, cell->item, q->item_size);
                atomic_store_explicit(&cell->turn, head + q->mask + 1, memory_order_release);
                head++;
                n++;
        }
        atomic_store_explicit(&q->head, head, memory_order_relaxed);
        return n;
}

/* True when the overflow is due: everything before it was taken. Otherwise *max is cut to what is before. */
static bool HUB_ONLY take_overflow(struct native_queue *q, size_t *max)
{
        size_t before;

        if (!q->draining) {
                if (!atomic_load(&q->overflowed))
                        return false;
                q->draining = true;
                q->drain_to = atomic_load(&q->tail);
        }
        before = q->drain_to - atomic_load_explicit(&q->head, memory_order_relaxed);
        if (before) {
                if (*max > before)
                        *max = before;
                return false;
        }
        q->draining = false;
        atomic_store(&q->overflowed, false); /* losses from here on are a new overflow */
        return true;
}

/* Closed, and no producer is between claiming a cell and publishing it. */
static bool HUB_ONLY is_over(struct native_queue *q)
{
        return atomic_load(&q->closed) && atomic_load(&q->tail) == atomic_load(&q->head);
}

static int YIELDS sleep_until_rung(struct native_queue *q, struct deadline by, struct error *err)
{
        size_t head = atomic_load_explicit(&q->head, memory_order_relaxed);
        eventfd_t rings;
        int r = 0;

        atomic_store(&q->asleep, true);
        if (!is_ready(q, head) && !is_over(q) && (q->draining || !atomic_load(&q->overflowed))) {
                r = green_wait_fd(q->bell, GREEN_READ | GREEN_KEPT, by, err) < 0 ? -1 : 0;
                eventfd_read(q->bell, &rings); /* EAGAIN after a timeout */
                q->streak = 0;
        }
        atomic_store(&q->asleep, false);
        return r < 0 ? error_while(err, "queue %s", q->name) : 0;
}

/* A consumer that never finds the queue empty must neither starve the others nor escape its cancellation. */
static int YIELDS take_turns(struct native_queue *q, struct error *err)
{
        struct error wait_err = {};

        if (++q->streak < STREAK_MAX)
                return 0;
        q->streak = 0;
        green_yield();
        if (green_cancelled() && green_wait_fd(q->bell, GREEN_READ, deadline_now(), &wait_err) < 0 &&
            wait_err.code == ERR_CANCELLED)
                return error_set(err, ERR_CANCELLED, "queue %s: cancelled", q->name);
        return 0;
}

int native_queue_pop(struct native_queue *q, void *ret_items, size_t max, bool *ret_overflowed,
                     struct deadline by, struct error *err)
{
        *ret_overflowed = false;
        if (!max)
                return error_set(err, ERR_INVALID, "queue %s: room for no item", q->name);
        if (max > INT32_MAX)
                max = INT32_MAX;
        if (take_turns(q, err) < 0)
                return -1;
        for (;;) {
                size_t n, room = max;

                if (take_overflow(q, &room)) {
                        *ret_overflowed = true;
                        return 0;
                }
                n = take(q, ret_items, room);
                if (n)
                        return (int)n;
                if (is_over(q) && !atomic_load(&q->overflowed))
                        return error_set(err, ERR_CLOSED, "queue %s: closed", q->name);
                if (sleep_until_rung(q, by, err) < 0)
                        return -1;
        }
}

void native_queue_get_info(struct native_queue *q, struct native_queue_info *ret)
{
        size_t head = atomic_load(&q->head), tail = atomic_load(&q->tail);

        *ret = (struct native_queue_info){
                .name = q->name,
                .capacity = q->mask + 1,
                .depth = tail - head <= q->mask + 1 ? tail - head : q->mask + 1, /* head may be old */
                .pushed = tail,
                .lost = atomic_load(&q->lost),
                .overflows = atomic_load(&q->overflows),
        };
}
