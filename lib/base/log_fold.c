/*
 * lib/base/log_fold.c: what a place says again and again is counted instead of written.
 *
 * Each place that logs has a past: its last line, and how often it was repeated or something else was left
 * out since. Pasts with something to tell are in a list, which the next line from anywhere looks at when the
 * first of them is due, and the writer's thread when no line comes. The text is compared, not a hash of it:
 * nobody can hide a line behind another one.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log_priv.h"
#include "base/mem.h"

#define KEPT_MAX   1024 /* longer texts are never taken for repeated */
#define SHOWN      3    /* so often the same is written: who does something twice shall see it twice */
#define SUFFIX_MAX 96

struct log_past {
        struct log_past *next; /* in pending */
        bool pending;
        struct log_site *site;

        char *kept; /* context and text of what was written last, each with a NUL; cut at KEPT_MAX */
        size_t cap, context_len, text_len;
        bool whole; /* nothing was cut */
        enum log_level level;
        int64_t written; /* when */
        unsigned shown;  /* how often in a row */
        unsigned long repeated;

        int64_t interval; /* when it began */
        unsigned in_interval;
        unsigned long left_out;
};

static int64_t repeat_ns, interval_ns;
static unsigned burst;
static enum log_level except;
static struct log_past *pending;
static int64_t due = INT64_MAX; /* of the first in there */

static atomic_ulong held_back;

void log_fold_set(const struct log_limits *l)
{
        repeat_ns = l->repeat_s * NS_PER_S;
        interval_ns = l->rate_limit_interval * NS_PER_S;
        burst = interval_ns ? l->rate_limit_burst : 0;
        except = l->rate_limit_except;
        due = 0; /* what is held back may be due at another time now: the next look finds out */
}

unsigned long log_held_back(void)
{
        return atomic_load(&held_back);
}

int64_t log_fold_due(void)
{
        return due;
}

/* ---- telling ---- */

static int64_t due_of(const struct log_past *p)
{
        int64_t repeats = p->repeated ? p->written + repeat_ns : INT64_MAX;
        int64_t rest = p->left_out ? p->interval + interval_ns : INT64_MAX;

        return repeats < rest ? repeats : rest;
}

static void remember_to_tell(struct log_past *p)
{
        int64_t when = due_of(p);

        atomic_fetch_add(&held_back, 1);
        if (when < due)
                due = when;
        if (p->pending)
                return;
        p->pending = true;
        p->next = pending;
        pending = p;
}

/* The line that was written last, with how many there were since. */
static void tell(struct log_past *p, int64_t since, int64_t now, const char *fmt, unsigned long n,
                 log_put_fn *put)
{
        char text[KEPT_MAX + SUFFIX_MAX];
        long long seconds = (now - since + NS_PER_S / 2) / NS_PER_S;
        struct log_record r = {
                .site = p->site,
                .level = p->level,
                .time_us = clock_wall_us(),
                .context = p->kept,
                .context_len = p->context_len,
                .text = text,
        };
        int len = snprintf(text, sizeof(text), "%s%s ", p->kept + p->context_len + 1, p->whole ? "" : "...");

        len += snprintf(text + len, sizeof(text) - (size_t)len, fmt, n, n == 1 ? "" : "s",
                        seconds > 0 ? seconds : 1);
        r.text_len = (size_t)len;
        put(&r);
}

static void tell_repeats(struct log_past *p, int64_t now, log_put_fn *put)
{
        if (p->repeated == 0)
                return;
        tell(p, p->written, now, "(repeated %lu time%s in %lld s)", p->repeated, put);
        p->repeated = 0;
        p->written = now;
}

static void tell_left_out(struct log_past *p, int64_t now, log_put_fn *put)
{
        if (p->left_out == 0)
                return;
        tell(p, p->interval, now, "(and %lu more line%s like this left out in %lld s)", p->left_out, put);
        p->left_out = 0;
}

void log_fold_tell(int64_t now, bool all, log_put_fn *put)
{
        struct log_past **at = &pending;

        if (!all && now < due)
                return;
        due = INT64_MAX;
        while (*at) {
                struct log_past *p = *at;
                int64_t next;

                if (all || now >= p->written + repeat_ns)
                        tell_repeats(p, now, put);
                if (all || now >= p->interval + interval_ns)
                        tell_left_out(p, now, put);
                next = due_of(p);
                if (next < due)
                        due = next;
                if (next == INT64_MAX) {
                        *at = p->next;
                        p->pending = false;
                } else {
                        at = &p->next;
                }
        }
}

/* ---- counting ---- */

/* NULL without memory: then all is written. */
static struct log_past *past_of(struct log_site *site)
{
        if (!site->past) {
                site->past = calloc(1, sizeof(*site->past));
                if (site->past)
                        site->past->site = site;
        }
        return site->past;
}

static bool is_same(const struct log_past *p, const struct log_record *r)
{
        return p->kept && p->whole && p->level == r->level && p->context_len == r->context_len &&
               p->text_len == r->text_len && memcmp(p->kept, r->context, r->context_len) == 0 &&
               memcmp(p->kept + p->context_len + 1, r->text, r->text_len) == 0;
}

static void keep(struct log_past *p, const struct log_record *r)
{
        size_t text_len = r->text_len < KEPT_MAX ? r->text_len : KEPT_MAX - 4; /* and "..." */
        size_t size = r->context_len + text_len + 2;

        if (size > p->cap) {
                char *bigger = realloc(p->kept, size);

                if (!bigger) {
                        p->whole = false; /* what is kept is no longer the last one */
                        return;
                }
                p->kept = bigger;
                p->cap = size;
        }
        memcpy(p->kept, r->context, r->context_len);
        p->kept[r->context_len] = '\0';
        memcpy(p->kept + r->context_len + 1, r->text, text_len);
        p->kept[size - 1] = '\0';
        p->context_len = r->context_len;
        p->text_len = text_len;
        p->whole = text_len == r->text_len;
        p->level = r->level;
}

/* A line that is no repetition: is it one too many? */
static bool is_limited(struct log_past *p, const struct log_record *r, int64_t now, log_put_fn *put)
{
        if (burst == 0 || r->level >= except)
                return false;
        if (p->in_interval == 0 || now >= p->interval + interval_ns) {
                tell_left_out(p, now, put);
                p->interval = now;
                p->in_interval = 0;
        }
        if (p->in_interval < burst) {
                p->in_interval++;
                return false;
        }
        return p->kept != NULL;
}

bool log_fold_takes(const struct log_record *r, int64_t now, log_put_fn *put)
{
        struct log_past *p = repeat_ns || burst ? past_of(r->site) : NULL;
        bool again;

        log_fold_tell(now, false, put);
        if (!p)
                return false;
        again = is_same(p, r) && now < p->written + repeat_ns;
        if (again && p->shown >= SHOWN) {
                p->repeated++;
                remember_to_tell(p);
                return true;
        }
        if (!again)
                tell_repeats(p, now, put);
        if (is_limited(p, r, now, put)) {
                p->left_out++;
                remember_to_tell(p);
                return true;
        }
        p->shown = again ? p->shown + 1 : 1;
        p->written = now;
        keep(p, r);
        return false;
}
