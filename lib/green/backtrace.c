/*
 * lib/green/backtrace.c: where a green thread is.
 *
 * A parked one is unwound from the registers that it left on its stack, by the compiler's own unwinder: see
 * unwind_*.S. Going there to unwind would need some kilobytes of a stack that may be nearly full, would make
 * each parked thread's stack resident, and would not do in a signal handler. Frame pointers would not do
 * either: libc and other libraries, whose callbacks wait, are built without them.
 *
 * Nothing here allocates: glibc finds unwind tables without a lock (_dl_find_object).
 */
#include <unwind.h>

#include "green/green_priv.h"
#include "green/switch.h"

struct walk {
        void **frames;
        int n, max;
        bool elsewhere; /* the frames wanted begin after green_unwind() */
};

static _Unwind_Reason_Code note_frame(struct _Unwind_Context *context, void *arg)
{
        struct walk *w = arg;
        void *address = (void *)_Unwind_GetIP(context);

        if (w->elsewhere) {
                w->elsewhere = address != (void *)green_unwind_frame;
                return _URC_NO_REASON;
        }
        if (!address || w->n == w->max)
                return _URC_END_OF_STACK;
        w->frames[w->n++] = address;
        return _URC_NO_REASON;
}

static void walk_from_here(void *walk)
{
        _Unwind_Backtrace(note_frame, walk);
        __asm__ volatile(""); /* no tail call: this frame is the one after which green_unwind() comes */
}

int green_backtrace(struct green *g, void **frames, int max)
{
        struct walk w = { .frames = frames, .max = max };

        if (g == g->hub->current) {
                walk_from_here(&w);
                return w.n;
        }
        if (g->state == G_ENDED || g->switches == 0)
                return 0;
        w.elsewhere = true;
        green_unwind(g->sp, walk_from_here, &w);
        return w.n;
}
