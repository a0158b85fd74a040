/*
 * lib/green/stack.h: stacks of green threads: cut from slabs, guarded, recycled, measured, known to the
 * sanitizers. Not for users of the library.
 *
 * The thread's record lies at the top of its stack, so that a parked thread costs one page. Below each stack
 * is a guard page (green/guard.h); a stack is never handed out unguarded.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "green/guard.h"

/* What a record begins with. */
struct stack_record {
        struct stack_record *next_free;
        unsigned char *low; /* lowest usable byte, above the guard */
        void *tsan_fiber;   /* kept with the stack: making one is slow */
        unsigned valgrind_id;
        unsigned pages_before; /* that earlier owners had touched when it was handed out */
};

enum { STACK_NAME_MAX = 48, STACK_KINDS_MAX = 128 };

/* How deep the threads of one kind went: of one name, but for numbers and ids. */
struct stack_kind {
        char name[STACK_NAME_MAX]; /* "*" where there was a number or an id */
        unsigned hash;
        unsigned long threads; /* looked at when they had ended */
        size_t most;           /* bytes, in whole pages; 0: never seen to need more than others before them */
};

struct stack_pool {
        size_t size;   /* bytes of one stack with its guard page */
        size_t record; /* bytes at the top that belong to the owner */
        size_t page;
        struct stack_record *free; /* recycled, the last one first */
        unsigned cached;
        unsigned cached_min; /* since its user wrote `cached` here */
        unsigned until_look; /* stacks put back until one is measured in any case; 1: the next */
        unsigned long looks;
        bool look_always; /* where the mark (see stack.c) cannot be relied upon */
        struct guards guards;
        unsigned refused; /* stacks not handed out for want of a guard */
        struct stack_slab *slabs;
        unsigned slab_stacks;             /* in the next slab */
        unsigned char *fresh, *fresh_end; /* the part of the newest slab that was not handed out yet */
        unsigned char **cold;             /* guarded, but without memory: only their places */
        size_t n_cold, cold_max;
        struct stack_kind *kinds;
        unsigned n_kinds;
};

void stack_pool_init(struct stack_pool *p, size_t stack_size, size_t record_size, bool only_mprotect);
/* The record (its stack_record part filled, the rest as its last owner left it). NULL with err. */
void *stack_get(struct stack_pool *p, struct error *err);
void stack_pool_free(struct stack_pool *p); /* unmaps all: none may be in use */

enum { STACK_CACHE_MIN = 256, STACK_MARK = 64 };

static inline bool stack_mark_is_intact(const struct stack_pool *p, const struct stack_record *r)
{
        const uint64_t *word = (const uint64_t *)((const unsigned char *)r + p->record - p->page);
        uint64_t all = 0;

        for (unsigned i = 0; i < STACK_MARK / sizeof(*word); i++)
                all |= word[i];
        return all == 0;
}

void stack_look(struct stack_pool *p, struct stack_record *r, const char *name);
/* `name` is its owner's, for the table of kinds. */
static inline void stack_put(struct stack_pool *p, void *record, const char *name)
{
        struct stack_record *r = record;

        if (p->until_look == 1 || !stack_mark_is_intact(p, r))
                stack_look(p, r, name);
        else
                p->until_look--;
        p->cached++;
        r->next_free = p->free;
        p->free = r;
}
/*
 * Gives the memory of up to n recycled stacks back, but for STACK_CACHE_MIN of them. False: there was no
 * memory to note their places.
 */
bool stack_pool_trim(struct stack_pool *p, unsigned n);

/* Bytes that this stack's owners have touched, in whole pages from the top. A system call or few. */
size_t stack_touched(const struct stack_pool *p, const struct stack_record *r);
/*
 * stack_kinds.c: notes how deep a thread went (0: no deeper than what was touched before); `ended` adds one
 * to its kind's threads. NULL when there is no memory for the table.
 */
struct stack_kind *stack_kind_note(struct stack_pool *p, const char *name, size_t touched, bool ended);
