/*
 * agent/compute/scheduler.c: tells the scheduler which instances this host has (nova-contract 3.6), so that
 * it need not read them from the database for each request.
 *
 * What is to be told is noted in a queue, and one green thread tells it in that order: no build and no delete
 * waits for the broker. A note that is lost (the queue is full, the broker is away) does no harm that the
 * next synchronisation does not mend: a scheduler whose list differs then reads the rows.
 */
#define LOG_MODULE "compute.scheduler"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "compute/compute_priv.h"
#include "json/json.h"

#define NOTES_MAX 1000
#define PAGE      100 /* instances in one message */
#define TELL_S    30.0

enum note_kind { NOTE_ALL, NOTE_UPDATED, NOTE_DELETED, NOTE_SYNC };

struct note {
        struct list node;
        enum note_kind kind;
        char uuid[UUID_LEN + 1];
        struct request_context ctx; /* without the user's token: nobody there needs it */
};

struct scheduler {
        struct compute_manager *m;
        struct list notes;
        unsigned n_notes;
        bool full, sync_noted;
        struct green_cond noted;
        struct green *thread; /* owned handle */
};

/* ---- notes ---- */

static void copy_context(struct request_context *to, const struct request_context *from)
{
        *to = (struct request_context){ .request_id = xstrdup(from->request_id),
                                        .user_id = xstrdup(from->user_id),
                                        .project_id = xstrdup(from->project_id),
                                        .user_name = xstrdup(from->user_name),
                                        .project_name = xstrdup(from->project_name),
                                        .roles = xstrdup(from->roles) };
        to->is_admin = true; /* as nova: elevated */
}

static void note_free(struct note *n)
{
        request_context_free(&n->ctx);
        free(n);
}

static void HUB_ONLY add_note(struct compute_manager *m, enum note_kind kind,
                              const struct request_context *ctx, const char *uuid)
{
        struct scheduler *s = m->scheduler;
        struct note *n;

        if (!s)
                return;
        /* For the one synchronisation, which makes up for what is left out, there is always room. */
        if (s->n_notes >= NOTES_MAX && kind != NOTE_SYNC) {
                if (!s->full)
                        log_warning(
                                "the scheduler cannot be told as much as happens: its next synchronisation "
                                "makes up for it");
                s->full = true;
                return;
        }
        n = NEW(struct note);
        n->kind = kind;
        if (uuid)
                snprintf(n->uuid, sizeof(n->uuid), "%s", uuid);
        if (ctx)
                copy_context(&n->ctx, ctx);
        else
                request_context_admin(&n->ctx);
        list_append(&s->notes, &n->node);
        s->n_notes++;
        green_cond_signal(&s->noted);
}

void scheduler_updated(struct compute_manager *m, const struct request_context *ctx, const char *uuid)
{
        add_note(m, NOTE_UPDATED, ctx, uuid);
}

void scheduler_deleted(struct compute_manager *m, const struct request_context *ctx, const char *uuid)
{
        add_note(m, NOTE_DELETED, ctx, uuid);
}

/* One at a time: while the broker is away they would pile up. */
int scheduler_sync(struct compute_manager *m, struct deadline by, struct error *err)
{
        if (m->scheduler && !m->scheduler->sync_noted) {
                m->scheduler->sync_noted = true;
                add_note(m, NOTE_SYNC, NULL, NULL);
        }
        return 0;
}

/* ---- telling ---- */

static int YIELDS tell_updated(struct compute_manager *m, const struct note *n, struct deadline by,
                               struct error *err)
{
        CLEANUP(jval_unrefp) struct jval *list = NULL;

        if (store_instance_objects(m->store, n->uuid, 1, NULL, &list, by, err) < 0)
                return -1;
        if (jval_len(list) == 0)
                return 0; /* it went away again; that is noted, too */
        return m->scheduler_ops->update_instance_info(m->scheduler_arg, &n->ctx, list, by, err);
}

/* In pages, so that no message is without bound: the scheduler adds the later ones to the first. */
static int YIELDS tell_all(struct compute_manager *m, const struct note *n, struct error *err)
{
        int64_t at = 0;

        for (;;) {
                CLEANUP(jval_unrefp) struct jval *list = NULL;
                struct deadline by = deadline_in_s(TELL_S);

                if (store_instance_objects(m->store, NULL, PAGE, &at, &list, by, err) < 0)
                        return -1;
                if (jval_len(list) == 0)
                        return 0;
                if (m->scheduler_ops->update_instance_info(m->scheduler_arg, &n->ctx, list, by, err) < 0)
                        return -1;
        }
}

static int YIELDS tell_sync(struct compute_manager *m, const struct note *n, struct deadline by,
                            struct error *err)
{
        CLEANUP(freep) struct uuid_text *uuids = NULL;
        unsigned count;

        m->scheduler->sync_noted = m->scheduler->full = false;
        if (store_instance_uuids(m->store, &uuids, &count, by, err) < 0)
                return -1;
        return m->scheduler_ops->sync_instance_info(m->scheduler_arg, &n->ctx, uuids, count, by, err);
}

static int YIELDS tell(struct compute_manager *m, const struct note *n, struct error *err)
{
        struct deadline by = deadline_in_s(TELL_S);

        compute_set_log_context(&n->ctx, *n->uuid ? n->uuid : NULL);
        switch (n->kind) {
        case NOTE_ALL:
                return tell_all(m, n, err);
        case NOTE_UPDATED:
                return tell_updated(m, n, by, err);
        case NOTE_DELETED:
                return m->scheduler_ops->delete_instance_info(m->scheduler_arg, &n->ctx, n->uuid, by, err);
        case NOTE_SYNC:
                return tell_sync(m, n, by, err);
        }
        return 0;
}

static int scheduler_main(void *arg, struct error *err)
{
        struct scheduler *s = arg;

        assert_green();
        for (;;) {
                struct list *node = list_pop(&s->notes);
                struct error tell_err = {};
                struct note *n;
                int r;

                if (!node) {
                        if (green_cond_wait(&s->noted, deadline_never(), err) < 0)
                                return -1;
                        continue;
                }
                s->n_notes--;
                n = CONTAINER_OF(node, struct note, node);
                r = tell(s->m, n, &tell_err);
                note_free(n);
                if (r == 0)
                        continue;
                if (error_is_cancel(&tell_err, err))
                        return -1;
                log_warning("the scheduler could not be told: %s; its next synchronisation makes up for it",
                            tell_err.text);
        }
}

/* ---- start and stop ---- */

int scheduler_start(struct compute_manager *m, struct error *err)
{
        struct scheduler *s;

        if (!m->scheduler_ops || !m->conf->filter_scheduler.track_instance_changes)
                return 0;
        m->scheduler = s = NEW(struct scheduler);
        s->m = m;
        list_init(&s->notes);
        green_cond_init(&s->noted, "something to tell the scheduler");
        s->thread = green_spawn_ref(NULL, "scheduler updates", scheduler_main, s, err);
        if (!s->thread) {
                free(take_ptr(&m->scheduler));
                return -1;
        }
        add_note(m, NOTE_ALL, NULL, NULL);
        return 0;
}

void scheduler_stop(struct compute_manager *m)
{
        struct scheduler *s = m->scheduler;
        struct error err = {};
        struct list *node;

        if (!s)
                return;
        green_cancel(s->thread);
        green_shield_begin();
        green_join(s->thread, deadline_never(), NULL, &err);
        green_shield_end();
        green_unref(s->thread);
        m->scheduler = NULL; /* what ends now is not noted any more: the next start tells of all */
        while ((node = list_pop(&s->notes)))
                note_free(CONTAINER_OF(node, struct note, node));
        free(s);
}
