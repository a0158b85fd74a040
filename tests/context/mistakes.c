/*
 * tests/context/mistakes.c: the mistakes that the words of lib/base/context.h are there to find.
 *
 * Never built: tests/run's part "context" has clang look at it, once without a mistake (MISTAKE=0: it must be
 * accepted, or refusing the others would prove nothing) and once with each.
 */
#include <unistd.h>

#include "green/green.h"

static int free_slots;

static int YIELDS fetch_row(void);
static int BLOCKS call_hypervisor(void);
static void HUB_ONLY take_slot(void);

static int fetch_row(void)
{
        green_yield();
        return free_slots;
}

static int call_hypervisor(void)
{
        return 0;
}

static void take_slot(void)
{
        free_slots--;
}

/* An event thread of a foreign library: it may only push facts into a native queue. */
void on_native_event(void);
void on_native_event(void)
{
#if MISTAKE == 1
        take_slot();
#endif
}

/* A worker: it may block, and it may not touch what belongs to the hub. */
int BLOCKS worker_job(void);
int worker_job(void)
{
        return call_hypervisor() + unlink("/a/file/on/any/disk");
}

/* Whatever has a reason may be done on the hub, too. */
int HUB_ONLY pid_of(void);
int pid_of(void)
{
        local_files("/proc is in memory");
        return access("/proc/self", F_OK);
}

/* A handler on the hub: it may wait, but only so that the others go on. */
int YIELDS handler(void);
int handler(void)
{
        int rows = fetch_row();

#if MISTAKE == 2
        rows += call_hypervisor();
#endif
#if MISTAKE == 4
        rows += unlink("/a/file/on/any/disk");
#endif
        atomic_begin();
        if (free_slots > rows) {
#if MISTAKE == 3
                green_yield(); /* what was just read may be wrong after this */
#endif
                take_slot();
        }
        atomic_end();
        return rows;
}
