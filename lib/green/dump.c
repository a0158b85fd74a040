/*
 * lib/green/dump.c: green threads in words when the hub cannot be asked, because it is stuck.
 *
 * Everything is read through /proc/self/mem: the hub may go on meanwhile, and records, names and locks change
 * or go away under our eyes. Then the words are wrong or missing, but nothing crashes and nothing goes on for
 * ever. For signal handlers there is no lock, no allocation and no stdio here, and system calls are made
 * directly, not by names that the patcher may have given to others.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/raw_line.h"
#include "green/green_priv.h"

enum { TEXT_MAX = 80 };

struct dump {
        int mem;
        struct raw_line line; /* long enough for what is put into it */
};

/* How many of n bytes could be read. */
static size_t peek(const struct dump *d, const void *from, void *to, size_t n)
{
        long r = syscall(SYS_pread64, d->mem, to, n, (off_t)(uintptr_t)from);

        return r < 0 ? 0 : (size_t)r;
}

static bool peek_whole(const struct dump *d, const void *from, void *to, size_t n)
{
        return from && peek(d, from, to, n) == n;
}

static void put_name_at(struct dump *d, const char *there)
{
        char name[TEXT_MAX];
        size_t n = there ? peek(d, there, name, sizeof(name)) : 0;

        if (n > 0)
                raw_add_name(&d->line, name, n);
        else if (there)
                raw_add(&d->line, "(unreadable)");
}

static void put_thread(struct dump *d, const struct green *g)
{
        raw_add(&d->line, "#");
        raw_add_number(&d->line, g->id, 10);
        raw_add(&d->line, " ");
        raw_add_name(&d->line, g->name, sizeof(g->name));
}

static void put_state(struct dump *d, const struct green *g)
{
        static const char *const words[] = {
                [G_READY] = "ready", [G_RUNNING] = "running", [G_ENDED] = "ended"
        };
        struct green_mutex mutex;
        struct green owner;

        if (g->state != G_PARKED) {
                raw_add(&d->line, g->state > G_ENDED ? "?"
                                  : g->switches == 0 ? "not begun"
                                                     : words[g->state]);
                return;
        }
        put_name_at(d, g->wait_verb);
        if (g->wait_fd >= 0) {
                raw_add(&d->line, " fd ");
                raw_add_number(&d->line, (unsigned long)g->wait_fd, 10);
        }
        if (g->wait_name) {
                raw_add(&d->line, " ");
                put_name_at(d, g->wait_name);
        }
        if (peek_whole(d, g->wait_mutex, &mutex, sizeof(mutex)) &&
            peek_whole(d, mutex.owner, &owner, sizeof(owner))) {
                raw_add(&d->line, " held by ");
                put_thread(d, &owner);
        }
}

static void tell_thread(struct dump *d, const struct green *g, int64_t now)
{
        raw_add(&d->line, "  ");
        put_thread(d, g);
        raw_add(&d->line, " (group ");
        put_name_at(d, g->group ? g->group->name : NULL);
        raw_add(&d->line, ", spawned at ");
        put_name_at(d, g->site);
        raw_add(&d->line, "): ");
        put_state(d, g);
        raw_add(&d->line, " for ");
        raw_add_seconds(&d->line, now - g->since_ns);
        raw_add(&d->line, ", age ");
        raw_add_seconds(&d->line, now - g->created_ns);
        raw_add(&d->line, ", ");
        raw_add_number(&d->line, g->switches, 10);
        raw_add(&d->line, g->cancelled ? " switches, cancelled" : " switches");
        raw_end(&d->line);
}

static void tell_hub(struct dump *d, const struct hub *h)
{
        struct green current;

        raw_add(&d->line, "hub of native thread ");
        raw_add_number(&d->line, (unsigned long)h->tid, 10);
        raw_add(&d->line, ", ");
        raw_add_number(&d->line, h->stats.threads, 10);
        raw_add(&d->line, " green threads, ");
        if (h->idle != HUB_BUSY) {
                raw_add(&d->line, "waits for events");
        } else if (peek_whole(d, h->current, &current, sizeof(current))) {
                raw_add(&d->line, "runs ");
                put_thread(d, &current);
                raw_add(&d->line, ", since ");
                raw_add_seconds(&d->line, clock_now_ns() - current.since_ns);
        }
        raw_end(&d->line);
}

/* The hub is a copy, `there` is where it really is. */
static int tell_all(struct dump *d, const struct hub *h, const struct hub *there, unsigned max)
{
        const struct list *head = &there->all, *node = h->all.next;
        int64_t now = clock_now_ns();
        struct green g;
        unsigned n = 0;

        tell_hub(d, h);
        while (node != head && n <= h->stats.threads && n < max && !d->line.failed) {
                if (!peek_whole(d, CONTAINER_OF(node, struct green, all_link), &g, sizeof(g)))
                        break;
                tell_thread(d, &g, now);
                node = g.all_link.next;
                n++;
        }
        if (node != head && !d->line.failed) {
                raw_add(&d->line, n == max ? "  the others are left out: there are too many"
                                           : "  the list changed meanwhile: some may be missing");
                raw_end(&d->line);
        }
        return d->line.failed ? -1 : (int)n;
}

int green_dump_unsafe(const struct hub *hub, int fd, unsigned max)
{
        int saved_errno = errno, n = -1;
        struct dump d = { .line.fd = fd };
        struct hub copy;

        d.mem = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/mem", O_RDONLY | O_CLOEXEC);
        if (d.mem < 0) {
                raw_add(&d.line, "the green threads cannot be read: no /proc/self/mem");
                raw_end(&d.line);
        } else if (peek_whole(&d, hub, &copy, sizeof(copy))) {
                n = tell_all(&d, &copy, hub, max);
        }
        if (d.mem >= 0)
                syscall(SYS_close, d.mem);
        errno = saved_errno;
        return n;
}
