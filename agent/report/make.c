/*
 * agent/report/make.c: the reporter's thread: one report, from asking the hub to the file.
 *
 * Until it is written down everything is in a memory file, `raw`, with addresses instead of names. What the
 * hub was asked for and did not tell in time is read from a copy of the process, section by section, so that
 * one that finds inconsistent data costs only itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#define LOG_MODULE "report"
#include "base/log.h"
#include "base/mem.h"
#include "native/copy.h"
#include "report/report_priv.h"

enum {
        HUB_MS = 2000,     /* for the hub to answer */
        ROWS_MS = 4000,    /* then, for the database */
        SECTION_MS = 2000, /* for a section in the copy */
};

struct making {
        struct reporter *r;
        struct out o;
        int raw;
        struct contribution *facts, *rows; /* NULL: not there in time */
        unsigned long progress;            /* of the hub, when it was asked */
};

/* ---- asking the hub ---- */

void report_give_back(struct reporter *r, struct contribution *c)
{
        c->next = atomic_load(&r->returned);
        while (!atomic_compare_exchange_weak(&r->returned, &c->next, c))
                ;
}

/* What is in the box for this report; a late answer to an earlier one goes back. */
static struct contribution *open_box(struct reporter *r, contribution_box *box)
{
        struct contribution *c = atomic_exchange(box, NULL);

        if (c && c->of != atomic_load(&r->number)) {
                report_give_back(r, c);
                return NULL;
        }
        return c;
}

static struct contribution *BLOCKS await_box(struct reporter *r, contribution_box *box, struct deadline by)
{
        struct contribution *c;

        while (!(c = open_box(r, box)) && !deadline_passed(by)) {
                struct pollfd p = { .fd = r->answer, .events = POLLIN };
                uint64_t rings;

                if (poll(&p, 1, (int)deadline_left_ms(by)) > 0 &&
                    read(r->answer, &rings, sizeof(rings)) < 0 && errno != EAGAIN && errno != EINTR)
                        break;
        }
        return c;
}

static void BLOCKS ask_hub(struct making *m)
{
        const uint64_t one = 1;

        atomic_fetch_add(&m->r->number, 1);
        m->progress = hub_progress(m->r->hub);
        if (write(m->r->question, &one, sizeof(one)) < 0)
                return;
        m->facts = await_box(m->r, &m->r->facts, deadline_in_ms(HUB_MS));
}

/* ---- the text ---- */

static void title(struct making *m, const struct section *s)
{
        char text[64];

        snprintf(text, sizeof(text), "%s%s", s->title, s->inside && !m->facts ? " (from a copy)" : "");
        out_title(&m->o, text);
}

static void head(struct making *m)
{
        out_title(&m->o, "Guru Meditation");
        if (m->facts)
                return;
        out_addf(&m->o,
                 "The hub did not answer within %d s%s. It runs green thread %s: where it is stands below\n"
                 "at its native thread. What only the hub knows was read from a copy of the process, in\n"
                 "which some things may be half changed.\n",
                 HUB_MS / 1000,
                 hub_progress(m->r->hub) == m->progress ? " and does not turn" : ", though it turns",
                 hub_current_name(m->r->hub));
}

struct range {
        struct making *m;
        const struct section *first, *end;
};

struct attempt {
        const struct making *m;
        const struct section *section;
        struct strbuf text;
};

static void attempt(void *arg)
{
        struct attempt *a = arg;

        a->section->inside(a->m->r->from, &a->text);
}

/* Without locks and memory. */
static void BLOCKS tell_unsafely(struct making *m)
{
        out_flush(&m->o);
        green_dump_unsafe(m->r->hub, m->raw, GREEN_MAX);
}

/* In the copy. */
static int read_sections(void *arg)
{
        const struct range *range = arg;
        struct making *m = range->m;

        assert_on_worker();
        hub_enter_copy(m->r->hub);
        for (const struct section *s = range->first; s < range->end; s++) {
                struct attempt a = { m, s, {} };

                title(m, s);
                if (s->inside == inside_health)
                        out_addf(&m->o, "What it would say, if it turned:\n");
                if (copy_try(attempt, &a, SECTION_MS))
                        out_add(&m->o, a.text.data, a.text.len);
                else
                        out_addf(&m->o, "This could not be read: it was just being changed, or is locked.\n");
                if (s->inside == inside_green_threads && a.text.len == 0)
                        tell_unsafely(m);
                out_flush(&m->o);
        }
        return 0;
}

static void BLOCKS add_from_copy(struct making *m, const struct section *first, const struct section *end)
{
        struct range range = { m, first, end };
        const unsigned ms = (unsigned)(end - first + 1) * SECTION_MS;
        const struct copy c = { read_sections, &range, { m->raw, -1 }, ms };

        out_flush(&m->o);
        if (copy_run(&c) == 0)
                return;
        out_addf(&m->o, "\nThe copy of the process is of no use: %s.\n", strerrordesc_np(errno));
        if (first->inside == inside_green_threads)
                tell_unsafely(m);
}

static void BLOCKS add_rows(struct making *m)
{
        if (m->facts)
                m->rows = await_box(m->r, &m->r->rows, deadline_in_ms(ROWS_MS));
        if (m->rows)
                out_add(&m->o, m->rows->text[0].data, m->rows->text[0].len);
        else
                out_addf(&m->o, "The rows could not be read: %s.\n",
                         m->facts ? "they did not come in time" : "only the hub could");
}

static const struct section *end_of_inside(const struct section *s)
{
        while (s->inside)
                s++;
        return s;
}

static void BLOCKS add_sections(struct making *m)
{
        for (const struct section *s = report_sections; s->title;) {
                if (s->inside && !m->facts) {
                        const struct section *end = end_of_inside(s);

                        add_from_copy(m, s, end);
                        s = end;
                        continue;
                }
                title(m, s);
                if (s->outside) {
                        s->outside(m->r, &m->o);
                } else if (s->inside) {
                        const struct strbuf *text = &m->facts->text[s - report_sections];

                        out_add(&m->o, text->data, text->len);
                } else {
                        add_rows(m);
                }
                s++;
        }
        out_title(&m->o, "End of the report");
        out_flush(&m->o);
}

/* The log takes locks that a stuck thread may hold: stderr does not. */
static void BLOCKS say_where(const struct making *m, const struct destination *to)
{
        const char *where = *to->dir ? to->path : "standard error";

        if (to->sys != 0)
                report_say("the report could not be written to %s: %s", where, strerrordesc_np(to->sys));
        else if (!m->facts)
                report_say("a report of the hub, which is stuck, was written to %s", where);
        else
                log_info("report written to %s", where);
}

void report_make(struct reporter *r, int text_fd, struct destination *to)
{
        static struct making m; /* one report at a time; large */

        *to = (struct destination){ .fd = text_fd < 0 ? STDERR_FILENO : text_fd };
        if (text_fd < 0)
                snprintf(to->dir, sizeof(to->dir), "%s", r->folder);
        m = (struct making){ .r = r, .raw = memfd_create("report", MFD_CLOEXEC) };
        if (m.raw < 0) {
                to->sys = errno;
                return;
        }
        m.o.fd = m.raw;
        ask_hub(&m);
        head(&m);
        add_sections(&m);
        report_publish(m.raw, to);
        if (m.o.failed && to->sys == 0)
                to->sys = ENOSPC;
        if (text_fd < 0)
                say_where(&m, to);
        if (m.facts)
                report_give_back(r, m.facts);
        if (m.rows)
                report_give_back(r, m.rows);
        close(m.raw);
}
