/*
 * agent/admin/backtrace.c: where green threads are in their code.
 *
 * Return addresses are read on the hub, all at one moment; what functions they are is read from debug
 * information, which is slow, so a worker does that.
 */
#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "native/stall_watcher.h"
#include "native/tpool.h"
#include "admin/admin.h"

#define FRAMES_MAX  32
#define THREADS_MAX 10000 /* that are looked at */
#define SYMBOLS_S   50.0

struct trace {
        unsigned long id;
        int n;
        void *frames[FRAMES_MAX];
        char *names[FRAMES_MAX];
};

struct trace_job {
        struct tpool_job base;
        struct trace *traces;
        size_t n;
        int64_t only; /* the id of one; negative: all */
};

static int trace_run(struct tpool_job *base, struct error *err)
{
        struct trace_job *job = CONTAINER_OF(base, struct trace_job, base);
        char text[256];

        assert_on_worker();
        (void)err;
        for (size_t i = 0; i < job->n; i++) {
                for (int f = 0; f < job->traces[i].n; f++) {
                        symbolise(job->traces[i].frames[f], text, sizeof(text));
                        job->traces[i].names[f] = xstrdup(text);
                }
        }
        return 0;
}

static void trace_drop(struct tpool_job *base)
{
        struct trace_job *job = CONTAINER_OF(base, struct trace_job, base);

        for (size_t i = 0; i < job->n; i++) {
                for (int f = 0; f < job->traces[i].n; f++)
                        free(job->traces[i].names[f]);
        }
        free(job->traces);
        free(job);
}

static const struct tpool_ops trace_ops = { "symbolise", trace_run, trace_drop };

static void note_frames(const struct green_info *info, struct green *g, void *arg)
{
        struct trace_job *job = arg;
        struct trace *t;

        assert_on_hub();
        if ((job->only >= 0 && info->id != (unsigned long)job->only) || job->n == THREADS_MAX)
                return;
        job->traces = xrealloc(job->traces, (job->n + 1) * sizeof(*job->traces));
        t = &job->traces[job->n++];
        *t = (struct trace){ .id = info->id };
        t->n = green_backtrace(g, t->frames, FRAMES_MAX);
}

static struct jval *names_of(const struct trace *t)
{
        struct jval *list = jval_new_array();

        for (int f = 0; f < t->n; f++)
                jval_push(list, jval_new_text(t->names[f]));
        return list;
}

/* By id: threads may have come and gone meanwhile. */
static void add_to(struct jval *green, const struct trace_job *job)
{
        for (size_t i = 0; i < jval_len(green); i++) {
                struct jval *one = jval_at(green, i);
                unsigned long id = (unsigned long)jval_get_int(one, "id", -1);

                for (size_t t = 0; t < job->n; t++) {
                        if (job->traces[t].id == id)
                                jval_set(one, "backtrace", names_of(&job->traces[t]));
                }
        }
}

int admin_backtraces(const struct admin_sources *s, struct jval *green, int64_t only, struct error *err)
{
        struct trace_job *job;
        int r;

        if (!s->tpool)
                return error_set(err, ERR_BUSY, "the agent's workers are not started yet");
        job = NEW(struct trace_job);
        job->base.ops = &trace_ops;
        job->only = only;
        green_foreach(note_frames, job);
        r = tpool_call(s->tpool, &job->base, deadline_in_s(SYMBOLS_S), err);
        if (r == 0)
                add_to(green, job);
        tpool_job_done(&job->base);
        return r < 0 ? error_while(err, "naming functions") : 0;
}
