/*
 * lib/green/stack.h: stacks of green threads: cut from slabs, guarded, recycled, known to the sanitizers.
 *
 * The thread's record lies at the top of its stack, so that a parked thread costs one page. Below each stack
 * is a guard page, by MADV_GUARD_INSTALL where the kernel has it (no mapping used) and mprotect elsewhere
 * (ends at vm.max_map_count: then stack_get() refuses; a stack is never handed out unguarded).
 */
#pragma once

#include <stddef.h>

#include "base/error.h"

struct stack_pool {
        size_t size;   /* bytes of one stack with its guard page */
        size_t record; /* bytes at the top that belong to the owner */
        void *free;    /* recycled records, linked through their first word */
        unsigned cached;
        struct stack_slab *slabs;
        unsigned char *fresh, *fresh_end; /* the part of the newest slab that was not handed out yet */
};

/* What a record begins with. */
struct stack_record {
        struct stack_record *next_free;
        unsigned char *low; /* lowest usable byte, above the guard */
        void *tsan_fiber;   /* kept with the stack: making one is slow */
        unsigned valgrind_id;
};

void stack_pool_init(struct stack_pool *p, size_t stack_size, size_t record_size);
/* The record (its stack_record part filled, the rest as its last owner left it). NULL with err. */
void *stack_get(struct stack_pool *p, struct error *err);
void stack_put(struct stack_pool *p, void *record);
void stack_pool_free(struct stack_pool *p); /* unmaps all: none may be in use */
