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

#include "green/green_priv.h"

enum { TEXT_MAX = 80, LINE_ROOM = 1024 };

struct dump {
        int mem, fd;
        bool failed; /* writing did */
        size_t len;
        char line[LINE_ROOM]; /* long enough for what is put into it; more is cut off */
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

static void put(struct dump *d, const char *text, size_t len)
{
        if (len > sizeof(d->line) - d->len)
                len = sizeof(d->line) - d->len;
        memcpy(d->line + d->len, text, len);
        d->len += len;
}

static void put_text(struct dump *d, const char *text)
{
        put(d, text, strlen(text));
}

/* At most size bytes; what no terminal should get is a question mark. */
static void put_name(struct dump *d, const char *name, size_t size)
{
        for (size_t i = 0; i < size && name[i]; i++)
                put(d, (unsigned char)name[i] < ' ' || name[i] == 127 ? "?" : &name[i], 1);
}

static void put_name_at(struct dump *d, const char *there)
{
        char name[TEXT_MAX];
        size_t n = there ? peek(d, there, name, sizeof(name)) : 0;

        if (n > 0)
                put_name(d, name, n);
        else if (there)
                put_text(d, "(unreadable)");
}

static void put_number(struct dump *d, unsigned long n)
{
        char digits[24];
        size_t at = sizeof(digits);

        do
                digits[--at] = (char)('0' + n % 10);
        while (n /= 10);
        put(d, digits + at, sizeof(digits) - at);
}

static void put_seconds(struct dump *d, int64_t ns)
{
        char tenth;

        if (ns < 0)
                ns = 0;
        put_number(d, (unsigned long)(ns / NS_PER_S));
        tenth = (char)('0' + ns / (NS_PER_S / 10) % 10);
        put(d, ".", 1);
        put(d, &tenth, 1);
        put_text(d, " s");
}

static void end_line(struct dump *d)
{
        size_t at = 0;

        if (d->len == sizeof(d->line))
                d->len--;
        d->line[d->len++] = '\n';
        while (at < d->len && !d->failed) {
                long n = syscall(SYS_write, d->fd, d->line + at, d->len - at);

                if (n >= 0)
                        at += (size_t)n;
                else if (errno != EINTR)
                        d->failed = true;
        }
        d->len = 0;
}

static void put_thread(struct dump *d, const struct green *g)
{
        put_text(d, "#");
        put_number(d, g->id);
        put_text(d, " ");
        put_name(d, g->name, sizeof(g->name));
}

static void put_state(struct dump *d, const struct green *g)
{
        static const char *const words[] = {
                [G_READY] = "ready", [G_RUNNING] = "running", [G_ENDED] = "ended"
        };
        struct green_mutex mutex;
        struct green owner;

        if (g->state != G_PARKED) {
                put_text(d, g->state > G_ENDED ? "?" : g->switches == 0 ? "not begun" : words[g->state]);
                return;
        }
        put_name_at(d, g->wait_verb);
        if (g->wait_fd >= 0) {
                put_text(d, " fd ");
                put_number(d, (unsigned long)g->wait_fd);
        }
        if (g->wait_name) {
                put_text(d, " ");
                put_name_at(d, g->wait_name);
        }
        if (peek_whole(d, g->wait_mutex, &mutex, sizeof(mutex)) &&
            peek_whole(d, mutex.owner, &owner, sizeof(owner))) {
                put_text(d, " held by ");
                put_thread(d, &owner);
        }
}

static void tell_thread(struct dump *d, const struct green *g, int64_t now)
{
        put_text(d, "  ");
        put_thread(d, g);
        put_text(d, " (group ");
        put_name_at(d, g->group ? g->group->name : NULL);
        put_text(d, ", spawned at ");
        put_name_at(d, g->site);
        put_text(d, "): ");
        put_state(d, g);
        put_text(d, " for ");
        put_seconds(d, now - g->since_ns);
        put_text(d, ", age ");
        put_seconds(d, now - g->created_ns);
        put_text(d, ", ");
        put_number(d, g->switches);
        put_text(d, g->cancelled ? " switches, cancelled" : " switches");
        end_line(d);
}

static void tell_hub(struct dump *d, const struct hub *h)
{
        struct green current;

        put_text(d, "hub of native thread ");
        put_number(d, (unsigned long)h->tid);
        put_text(d, ", ");
        put_number(d, h->stats.threads);
        put_text(d, " green threads, ");
        if (h->idle != HUB_BUSY) {
                put_text(d, "waits for events");
        } else if (peek_whole(d, h->current, &current, sizeof(current))) {
                put_text(d, "runs ");
                put_thread(d, &current);
        }
        end_line(d);
}

/* The hub is a copy, `there` is where it really is. */
static int tell_all(struct dump *d, const struct hub *h, const struct hub *there)
{
        const struct list *head = &there->all, *node = h->all.next;
        int64_t now = clock_now_ns();
        struct green g;
        unsigned n = 0;

        tell_hub(d, h);
        while (node != head && n <= h->stats.threads && !d->failed) {
                if (!peek_whole(d, CONTAINER_OF(node, struct green, all_link), &g, sizeof(g)))
                        break;
                tell_thread(d, &g, now);
                node = g.all_link.next;
                n++;
        }
        if (node != head && !d->failed) {
                put_text(d, "  the list changed meanwhile: some may be missing");
                end_line(d);
        }
        return d->failed ? -1 : (int)n;
}

int green_dump_unsafe(const struct hub *hub, int fd)
{
        int saved_errno = errno, n = -1;
        struct dump d = { .fd = fd };
        struct hub copy;

        d.mem = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/mem", O_RDONLY | O_CLOEXEC);
        if (d.mem < 0) {
                put_text(&d, "the green threads cannot be read: no /proc/self/mem");
                end_line(&d);
        } else if (peek_whole(&d, hub, &copy, sizeof(copy))) {
                n = tell_all(&d, &copy, hub);
        }
        if (d.mem >= 0)
                syscall(SYS_close, d.mem);
        errno = saved_errno;
        return n;
}
