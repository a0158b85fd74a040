/* agent/ctl/jobs.c: what is under way, how far it is, and what hangs. */
#include <stdio.h>

#include "base/mem.h"
#include "ctl/answer.h"

/* ---- operations ---- */

static void progress_cell(struct table *t, const struct jval *p)
{
        int64_t done = jval_get_int(p, "done", 0), total = jval_get_int(p, "total", 0);
        char a[32], b[32];

        if (jval_is_null(p)) {
                table_cell(t, NULL);
                return;
        }
        format_bytes((double)done, a, sizeof(a));
        format_bytes((double)total, b, sizeof(b));
        if (total > 0)
                table_cellf(t, "%d %%, %s of %s", (int)(100 * (double)done / (double)total), a, b);
        else
                table_cell(t, a);
}

void page_jobs(struct page *p, const struct jval *jobs)
{
        static const char *const headers[] = { "METHOD", "INSTANCE", "~DOING", "#PROGRESS",
                                               "#FOR",   "REQUEST",  NULL };
        struct table t;

        table_begin(&t, headers);
        for (size_t i = 0; i < jval_len(jobs); i++) {
                const struct jval *job = jval_at(jobs, i);

                text_cell(&t, job, "method");
                text_cell(&t, job, "uuid");
                text_cell(&t, job, "doing");
                progress_cell(&t, jval_get(job, "progress"));
                duration_cell(&t, job, "seconds");
                text_cell(&t, job, "request_id");
        }
        page_table(p, &t, "no operation on an instance is under way");
}

static void add_requests(struct page *p, const struct jval *requests)
{
        static const char *const headers[] = { "OTHER REQUEST", "INSTANCE", "#FOR", "REQUEST", NULL };
        struct table t;

        if (jval_len(requests))
                strbuf_adds(&p->text, "\n");
        table_begin(&t, headers);
        for (size_t i = 0; i < jval_len(requests); i++) {
                text_cell(&t, jval_at(requests, i), "method");
                text_cell(&t, jval_at(requests, i), "uuid");
                duration_cell(&t, jval_at(requests, i), "seconds");
                text_cell(&t, jval_at(requests, i), "request_id");
        }
        page_table(p, &t, "");
}

/* ---- calls that block ---- */

const char *const call_headers[] = { "BLOCKING CALL", "~OF", "#SINCE", "!", NULL };

void call_rows(struct table *t, const struct jval *calls)
{
        for (size_t i = 0; i < jval_len(calls); i++) {
                const struct jval *call = jval_at(calls, i);

                text_cell(t, call, "name");
                text_cell(t, call, "what");
                duration_cell(t, call, "since");
                table_cell(t, jval_get_bool(call, "hung", false) ? "hung" : "running");
        }
}

static void add_calls(struct page *p, const struct jval *calls)
{
        struct table t;

        if (jval_len(calls))
                strbuf_adds(&p->text, "\n");
        table_begin(&t, call_headers);
        call_rows(&t, calls);
        page_table(p, &t, "");
}

enum ctl_exit ctl_jobs(struct ctl *c)
{
        struct jval CLEANUP(jval_unrefp) *answer = NULL;
        enum ctl_exit status = ctl_ask_plainly(c, "jobs", &answer);
        struct page p;

        if (!ctl_for_people(c, status, answer))
                return status;
        page_begin(&p);
        page_jobs(&p, jval_get(answer, "jobs"));
        add_requests(&p, jval_get(answer, "requests"));
        add_calls(&p, jval_get(answer, "calls"));
        page_print(&p);
        return CTL_OK;
}
