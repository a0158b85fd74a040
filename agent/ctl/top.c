/*
 * agent/ctl/top.c: the agent as it works: who has the processor, and what comes and goes each second.
 *
 * Two samples of what the agent counts make one screen. On a terminal it is drawn anew every interval until
 * somebody presses q; elsewhere it is printed, as often as was asked for.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "ctl/status.h"
#include "ctl/terminal.h"

#define INTERVAL_S  2.0
#define FIRST_S     0.5 /* the first screen comes soon */
#define ANSWER_S    10.0
#define METHODS_MAX 8
#define NAMES_MAX   1000000

/* ---- rates ---- */

/* What is between two samples. */
struct span {
        const struct jval *before, *now;
        double seconds;
};

static struct span part_of(const struct span *s, const char *key)
{
        return (struct span){ jval_get(s->before, key), jval_get(s->now, key), s->seconds };
}

/* A second. Times of the processor are measured and may fall by some nanoseconds. */
static double rate(const struct span *s, const char *key)
{
        double grown = number_of(s->now, key) - number_of(s->before, key);

        return s->seconds > 0 && grown > 0 ? grown / s->seconds : 0;
}

static double percent(const struct span *s, const char *key)
{
        return 100 * rate(s, key);
}

static const struct jval *find_number(const struct jval *list, const char *key, int64_t value)
{
        for (size_t i = 0; i < jval_len(list); i++) {
                if (jval_get_int(jval_at(list, i), key, -1) == value)
                        return jval_at(list, i);
        }
        return NULL;
}

static const struct jval *find_method(const struct jval *list, const struct jval *like)
{
        for (size_t i = 0; i < jval_len(list); i++) {
                const struct jval *one = jval_at(list, i);

                if (strcmp(jval_get_text(one, "method", ""), jval_get_text(like, "method", "")) == 0 &&
                    strcmp(jval_get_text(one, "namespace", ""), jval_get_text(like, "namespace", "")) == 0)
                        return one;
        }
        return NULL;
}

/* ---- the summary ---- */

static long long whole(const struct span *s, const char *key)
{
        return (long long)jval_get_int(s->now, key, 0);
}

static void add_summary(struct page *p, const struct span *s)
{
        const struct span hub = part_of(s, "hub"), rpc = part_of(s, "rpc"), sql = part_of(s, "database"),
                          virt = part_of(s, "hypervisor");
        double due = rate(&hub, "due");
        char up[32], resident[32], late[32];

        format_duration(number_of(s->now, "uptime_s"), up, sizeof(up));
        format_bytes(number_of(s->now, "resident"), resident, sizeof(resident));
        page_fieldf(p, "compute-agent", "%s on %s, up %s%s", jval_get_text(s->now, "version", "?"),
                    jval_get_text(s->now, "host", "?"), up,
                    jval_get_bool(s->now, "draining", false)  ? ", draining"
                    : jval_get_bool(s->now, "started", false) ? ""
                                                              : ", starting");
        page_fieldf(p, "processor", "%.1f %%, of it the hub %.1f %%; %s resident", percent(s, "cpu"),
                    percent(&hub, "cpu"), resident);
        format_duration(due > 0 ? rate(&hub, "late") / due : 0, late, sizeof(late));
        page_fieldf(p, "hub", "%.0f turns/s, %.0f switches/s, %.1f spawned/s, %s late, %lld stalls",
                    rate(&hub, "polls"), rate(&hub, "switches"), rate(&hub, "spawned"), late,
                    whole(&hub, "stalls"));
        page_fieldf(p, "requests", "%.1f/s, %.1f failed/s; %lld running, %lld waiting",
                    rate(&rpc, "received"), rate(&rpc, "failed"), whole(&rpc, "running"),
                    whole(&rpc, "queued"));
        page_fieldf(p, "SQL", "%.1f statements/s, %.1f errors/s; %lld of %lld connections used, %lld waiting",
                    rate(&sql, "statements"), rate(&sql, "errors"), whole(&sql, "used"),
                    whole(&sql, "used") + whole(&sql, "idle"), whole(&sql, "waiting"));
        page_fieldf(p, "hypervisor", "%.1f calls/s, %.1f events/s; %lld calls busy, %lld hung",
                    rate(&virt, "calls"), rate(&virt, "events"), whole(&virt, "busy"), whole(&virt, "hung"));
}

/* ---- methods ---- */

static void add_methods(struct page *p, const struct span *s)
{
        static const char *const headers[] = { "METHOD", "#PER SECOND", "#FAILED", "#TOOK", NULL };
        const struct span rpc = part_of(s, "rpc"), methods = part_of(&rpc, "methods");
        struct table t;
        char took[32];

        table_begin(&t, headers);
        for (size_t i = 0; i < jval_len(methods.now) && t.n_cells < METHODS_MAX * t.n_columns; i++) {
                const struct jval *now = jval_at(methods.now, i);
                const struct span one = { find_method(methods.before, now), now, s->seconds };
                double done = rate(&one, "done");

                if (done <= 0)
                        continue;
                format_duration(rate(&one, "seconds") / done, took, sizeof(took));
                text_cell(&t, now, "method");
                table_cellf(&t, "%.1f", done);
                table_cellf(&t, "%.1f", rate(&one, "failed"));
                table_cell(&t, took);
        }
        if (t.n_cells)
                strbuf_adds(&p->text, "\n");
        page_table(p, &t, "");
}

/* ---- threads ---- */

struct user { /* of the processor */
        const struct jval *now;
        double percent, switches;
};

static int by_use(const void *a, const void *b)
{
        const struct user *x = a, *y = b;

        if (x->percent != y->percent)
                return x->percent < y->percent ? 1 : -1;
        return x->switches < y->switches ? 1 : x->switches > y->switches ? -1 : 0;
}

/* Who used most, first. Caller frees. */
static struct user *users(const struct span *list, const char *id, double seconds, size_t *ret_n)
{
        size_t n = jval_len(list->now);
        struct user *all = xcalloc(n + 1, sizeof(*all));

        for (size_t i = 0; i < n; i++) {
                const struct jval *now = jval_at(list->now, i);
                const struct span one = { find_number(list->before, id, jval_get_int(now, id, -2)), now,
                                          seconds };

                all[i] = (struct user){ now, percent(&one, "cpu"), rate(&one, "switches") };
        }
        qsort(all, n, sizeof(*all), by_use);
        *ret_n = n;
        return all;
}

static void add_green(struct page *p, const struct span *s, size_t most)
{
        static const char *const headers[] = {
                "#ID", "~GREEN THREAD", "~STATE", "#CPU", "#SWITCHES/S", NULL
        };
        const struct span list = part_of(s, "green");
        size_t n;
        struct user CLEANUP(freep) *all = users(&list, "id", s->seconds, &n);
        struct table t;

        strbuf_adds(&p->text, "\n");
        table_begin(&t, headers);
        for (size_t i = 0; i < n && i < most; i++) {
                int_cell(&t, all[i].now, "id");
                text_cell(&t, all[i].now, "name");
                text_cell(&t, all[i].now, "state");
                table_cellf(&t, "%.2f %%", all[i].percent);
                table_cellf(&t, "%.0f", all[i].switches);
        }
        page_table(p, &t, "no green threads");
}

static void add_native(struct page *p, const struct span *s, size_t most)
{
        static const char *const headers[] = { "#TID", "NATIVE THREAD", "STATE", "#CPU", NULL };
        const struct span list = part_of(s, "native");
        size_t n;
        struct user CLEANUP(freep) *all = users(&list, "tid", s->seconds, &n);
        struct table t;

        strbuf_adds(&p->text, "\n");
        table_begin(&t, headers);
        for (size_t i = 0; i < n && i < most; i++) {
                int_cell(&t, all[i].now, "tid");
                text_cell(&t, all[i].now, "name");
                text_cell(&t, all[i].now, "state");
                table_cellf(&t, "%.0f %%", all[i].percent);
        }
        page_table(p, &t, "no native threads");
}

/* ---- the screen ---- */

static size_t lines_of(const struct page *p)
{
        size_t n = 0;

        for (size_t i = 0; i < p->text.len; i++)
                n += p->text.data[i] == '\n';
        return n;
}

void page_top(struct page *p, const struct jval *before, const struct jval *now, unsigned rows)
{
        struct span s = { before, now, number_of(now, "at") - number_of(before, "at") };
        size_t left, native = NAMES_MAX, green = NAMES_MAX;

        if (number_of(now, "uptime_s") < number_of(before, "uptime_s")) /* started anew: it counts from 0 */
                s = (struct span){ NULL, now, number_of(now, "uptime_s") };
        add_summary(p, &s);
        if (jval_len(jval_get(now, "running"))) {
                strbuf_adds(&p->text, "\n");
                page_jobs(p, jval_get(now, "running"));
        }
        add_methods(p, &s);
        if (rows) { /* a third of what is left is for native threads; each list has two lines more */
                left = lines_of(p) + 4 < rows ? rows - lines_of(p) - 4 : 0;
                native = left / 3;
                green = left - native;
        }
        add_green(p, &s, green);
        add_native(p, &s, native);
}

/* ---- the command ---- */

struct top {
        struct ctl *c;
        double interval_s;
        int64_t rounds; /* 0: until somebody ends it */
        struct jval *before, *now;
};

static enum ctl_exit YIELDS take_sample(struct top *t)
{
        struct jval *sample = NULL;
        struct ctl *c = t->c;
        enum ctl_exit status;

        c->by = deadline_in_s(c->timeout_s > 0 ? c->timeout_s : ANSWER_S); /* of each answer */
        status = ctl_ask_admin(c, "top", NULL, &sample);
        if (status != CTL_OK)
                return status;
        jval_unref(t->before);
        t->before = t->now;
        t->now = sample;
        return CTL_OK;
}

static void print_round(struct top *t)
{
        struct page p;

        if (t->c->json) {
                print_json(t->now);
        } else {
                page_begin(&p);
                page_top(&p, t->before, t->now, 0);
                page_print(&p);
        }
        fflush(stdout);
}

static enum ctl_exit YIELDS print_rounds(struct top *t)
{
        struct error err;
        enum ctl_exit status;

        for (int64_t i = 0; i < t->rounds; i++) {
                if (green_sleep(i ? t->interval_s : fmin(t->interval_s, FIRST_S), &err) < 0)
                        return CTL_FAILED;
                if ((status = take_sample(t)) != CTL_OK)
                        return status;
                if (i)
                        puts("");
                print_round(t);
        }
        return CTL_OK;
}

static void draw(const struct top *t)
{
        struct page p = { .colours = colours_wanted(STDOUT_FILENO) };
        unsigned rows;

        terminal_size(&rows, &p.width);
        page_top(&p, t->before, t->now, rows);
        terminal_draw(p.text.data);
        strbuf_free(&p.text);
}

/* Until q, Ctrl-C, or the end of the rounds. A changed size is drawn at once. */
static enum ctl_exit YIELDS draw_rounds(struct top *t)
{
        struct deadline next = deadline_in_s(fmin(t->interval_s, FIRST_S));
        enum ctl_exit status;

        for (int64_t drawn = 0;;) {
                int key = terminal_key(next);

                if (key == 'q' || key == 'Q' || key == TERMINAL_INTERRUPT)
                        return CTL_OK;
                if (key == ' ')
                        next = deadline_now();
                if (deadline_passed(next)) {
                        if (t->rounds && drawn++ == t->rounds)
                                return CTL_OK;
                        if ((status = take_sample(t)) != CTL_OK)
                                return status;
                        next = deadline_in_s(t->interval_s);
                }
                if (t->before)
                        draw(t);
        }
}

static enum ctl_exit YIELDS live(struct top *t)
{
        enum ctl_exit status;
        struct error err;

        if (terminal_enter(&err) < 0)
                return ctl_error(&err, "top");
        status = draw_rounds(t);
        terminal_leave();
        return status;
}

enum ctl_exit ctl_top(struct ctl *c)
{
        struct top t = { .c = c, .interval_s = INTERVAL_S };
        bool once = false;
        const struct ctl_option options[] = {
                { "interval", CTL_SECONDS, &t.interval_s, "S",
                  "seconds from one screen to the next; default 2", 0, 0 },
                { "n", CTL_INT, &t.rounds, "N", "end after N screens", 1, 1000000000 },
                { "once", CTL_FLAG, &once, NULL, "print one screen and end", 0, 0 },
                {},
        };
        enum ctl_exit status;

        if (!ctl_arguments(c, options, NULL, 0, 0, &status))
                return status;
        if (once)
                t.rounds = 1;
        status = take_sample(&t);
        if (status == CTL_OK && !once && !c->json && terminal_is_live())
                status = live(&t);
        else if (status == CTL_OK) {
                t.rounds = t.rounds ? t.rounds : 1;
                status = print_rounds(&t);
        }
        jval_unref(t.before);
        jval_unref(t.now);
        return status;
}
