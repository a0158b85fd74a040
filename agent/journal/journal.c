/*
 * agent/journal/journal.c: what is open, and the green threads that have it written.
 *
 * The list of open operations is the truth. Records only say how it changes, and are appended by one writer,
 * many at a time when many come; after any failure, and when the file has grown, the whole list is written
 * anew beside it and renamed. So a half-written file is never gone on with, and the file stays as small as
 * what is going on.
 *
 * What was appended outlives this process at once. That it outlives the machine, too, is seen to by another
 * green thread at most once a second: nobody waits for a disk's platter, and when the machine dies, so do the
 * guests, which is what recovery finds anyway.
 */
#define LOG_MODULE "journal"
#include "journal/journal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "green/sync.h"
#include "journal/journal_file.h"
#include "journal/record.h"
#include "native/file.h"

#define GROWN      ((size_t)256 << 10) /* then it is written anew */
#define WAIT_S     1.0                 /* for a disk that is slow */
#define RETRY_S    5.0
#define SYNC_S     1.0
#define CLOSE_S    5.0
#define UNREADABLE ".unreadable"

struct journal {
        struct tpool *files;
        char *path, *host;
        bool taken; /* another process has it, or it cannot be read: nothing is written */
        struct list left, open;
        unsigned n_left, n_open;
        uint64_t last_id;
        struct journal_file *file; /* NULL: it has to be written anew */
        size_t size, grown;        /* of it; at which size it is written anew */
        struct strbuf pending;     /* records for it, while there is a file */
        bool dirty;                /* something changed while there was no file */
        bool behind;               /* the disk is slow: nobody waits until it is not any more */
        struct error trouble;
        struct deadline retry;
        uint64_t last, written, synced; /* records: made; in the file; safe on disk */
        bool closing;
        struct green_cond more, progress, unsynced;
        struct green_group *group;
        struct green *writer; /* owned handle */
        char *former_version;
        int64_t former_pid;
};

/* ---- records ---- */

static void HUB_ONLY changed(struct journal *j)
{
        j->last++;
        if (!j->file)
                j->dirty = true;
        green_cond_signal(&j->more);
}

struct journal_entry *journal_begin(struct journal *j, const char *method, const char *uuid,
                                    const char *request_id, const char *step)
{
        struct journal_entry *e = NEW(struct journal_entry);

        e->id = ++j->last_id;
        snprintf(e->uuid, sizeof(e->uuid), "%s", uuid);
        e->method = xstrdup(method);
        e->request_id = xstrdup(request_id);
        e->step = xstrdup(step);
        e->begun_at = clock_wall_s();
        e->version = xstrdup(AGENT_VERSION);
        e->pid = getpid();
        list_append(&j->open, &e->node);
        j->n_open++;
        if (j->file)
                record_begin(&j->pending, e);
        changed(j);
        e->written = j->last;
        return e;
}

void journal_step(struct journal *j, struct journal_entry *e, const char *step)
{
        if (strcmp(e->step, step) == 0)
                return;
        replace_str(&e->step, step);
        if (j->file)
                record_step(&j->pending, e->id, step);
        changed(j);
        e->written = j->last;
}

static bool is_left(const struct journal *j, const struct journal_entry *e)
{
        list_for_each (node, &j->left)
                if (node == &e->node)
                        return true;
        return false;
}

void journal_end(struct journal *j, struct journal_entry *e)
{
        if (!e)
                return;
        if (is_left(j, e))
                j->n_left--;
        else
                j->n_open--;
        if (j->file)
                record_end(&j->pending, e->id);
        journal_entry_free(e);
        changed(j);
}

struct journal_entry *journal_next_left(struct journal *j, const struct journal_entry *after)
{
        struct list *next = after ? after->node.next : j->left.next;

        return next == &j->left ? NULL : CONTAINER_OF(next, struct journal_entry, node);
}

void journal_wait(struct journal *j, const struct journal_entry *e)
{
        struct deadline by = deadline_in_s(WAIT_S);
        struct error err;
        uint64_t record = e->written; /* e may end meanwhile */

        while (!j->taken && !j->behind && !j->trouble.code && j->written < record)
                if (green_cond_wait(&j->progress, by, &err) < 0) {
                        j->behind |= err.code == ERR_TIMEOUT;
                        return;
                }
}

/* ---- writing ---- */

static void HUB_ONLY in_trouble(struct journal *j, const struct error *err)
{
        if (!j->trouble.code)
                log_warning("journal: %s; going on without it: should the agent be killed now, the next "
                            "start would "
                            "know only by the rows what was in flight; trying again every %.0f s",
                            err->text, RETRY_S);
        j->trouble = *err;
        j->retry = deadline_in_s(RETRY_S);
        journal_file_unref(take_ptr(&j->file));
        strbuf_free(&j->pending);
        j->dirty = true;
        green_cond_broadcast(&j->progress);
}

static void HUB_ONLY in_order(struct journal *j, uint64_t record)
{
        if (j->trouble.code)
                log_info("journal: %s is written again", j->path);
        j->trouble = (struct error){};
        j->behind = false;
        j->written = record;
        green_cond_broadcast(&j->progress);
        green_cond_signal(&j->unsynced);
}

static int YIELDS write_anew(struct journal *j, struct error *err)
{
        struct journal_file *file = NULL;
        uint64_t record = j->last;
        struct strbuf text = {};
        size_t len;

        record_header(&text, j->host);
        list_for_each (node, &j->left)
                record_begin(&text, CONTAINER_OF(node, struct journal_entry, node));
        list_for_each (node, &j->open)
                record_begin(&text, CONTAINER_OF(node, struct journal_entry, node));
        strbuf_free(&j->pending);
        j->dirty = false;
        len = text.len;
        if (journal_file_replace(j->files, j->path, strbuf_take(&text, NULL), len, &file, err) < 0)
                return -1;
        journal_file_unref(j->file);
        j->file = file;
        j->size = len;
        j->grown = len * 4 > GROWN ? len * 4 : GROWN;
        j->synced = record;
        in_order(j, record);
        return 0;
}

static int YIELDS write_pending(struct journal *j, struct error *err)
{
        uint64_t record = j->last;
        size_t len;
        char *text = strbuf_take(&j->pending, &len);

        if (journal_file_append(j->files, j->file, text, len, err) < 0)
                return -1;
        j->size += len;
        in_order(j, record);
        return 0;
}

static bool needs_new_file(const struct journal *j)
{
        return !j->file || j->dirty || j->size > j->grown;
}

/* 1: there is nothing to do. */
static int YIELDS write_some(struct journal *j, struct error *err)
{
        if (needs_new_file(j))
                return j->trouble.code && !deadline_passed(j->retry) ? 1 : write_anew(j, err);
        return j->pending.len ? write_pending(j, err) : 1;
}

static int write_main(void *arg, struct error *err)
{
        struct journal *j = arg;

        assert_green();
        for (;;) {
                int r = write_some(j, err);

                if (r < 0 && err->code == ERR_CANCELLED)
                        return -1;
                if (r < 0)
                        in_trouble(j, err);
                if (r == 0)
                        continue;
                if (j->closing)
                        return 0;
                *err = (struct error){};
                if (green_cond_wait(&j->more, j->trouble.code ? j->retry : deadline_never(), err) < 0 &&
                    err->code != ERR_TIMEOUT)
                        return -1;
                *err = (struct error){};
        }
}

static int YIELDS sync_once(struct journal *j, struct error *err)
{
        const struct journal_file *file = j->file;
        uint64_t record = j->written;

        if (journal_file_sync(j->files, j->file, err) == 0) {
                j->synced = record > j->synced ? record : j->synced;
                return 0;
        }
        if (err->code == ERR_CANCELLED)
                return -1;
        if (file == j->file) /* else it was replaced meanwhile */
                in_trouble(j, err);
        return 0;
}

static int sync_main(void *arg, struct error *err)
{
        struct journal *j = arg;

        assert_green();
        for (;;) {
                while (!j->file || j->synced >= j->written)
                        if (green_cond_wait(&j->unsynced, deadline_never(), err) < 0)
                                return -1;
                if (sync_once(j, err) < 0 || green_sleep(SYNC_S, err) < 0)
                        return -1;
        }
}

/* ---- opening ---- */

/* What cannot be used now may be of use to somebody later, once. */
static int YIELDS keep_beside(struct journal *j, const char *why, struct error *err)
{
        CLEANUP(freep) char *beside = xasprintf("%s" UNREADABLE, j->path);
        struct error kept = {};

        if (file_rename(j->files, j->path, beside, deadline_never(), &kept) == 0)
                log_warning("journal: %s: %s; it is kept as %s, and the rows alone say what was in flight",
                            j->path, why, beside);
        else if (error_is_cancel(&kept, err))
                return -1;
        else
                log_warning("journal: %s: %s; it is replaced, since it could not be kept (%s)", j->path, why,
                            kept.text);
        return 0;
}

/* What was left gets ids in this file, in its order. */
static void HUB_ONLY take_over(struct journal *j, struct journal_content *c)
{
        struct list *node;

        while ((node = list_pop(&c->entries))) {
                CONTAINER_OF(node, struct journal_entry, node)->id = ++j->last_id;
                list_append(&j->left, node);
                j->n_left++;
        }
        j->former_version = take_ptr(&c->version);
        j->former_pid = c->pid;
}

static int YIELDS take_text(struct journal *j, const char *text, size_t len, struct error *err)
{
        CLEANUP(journal_content_free) struct journal_content c = {};
        struct error why = {};
        char lines[80];

        if (journal_parse(text, len, j->host, &c, &why) < 0)
                return keep_beside(j, why.text, err);
        if (c.unreadable) {
                snprintf(lines, sizeof(lines), "%u of its lines cannot be understood, the others are heeded",
                         c.unreadable);
                if (keep_beside(j, lines, err) < 0)
                        return -1;
        }
        take_over(j, &c);
        return 0;
}

static int YIELDS read_it(struct journal *j, struct error *err)
{
        struct journal_file *file = NULL; /* locked until ours is in its place */
        CLEANUP(freep) char *text = NULL;
        struct error why = {};
        size_t len = 0;
        int r;

        if (journal_file_load(j->files, j->path, &file, &text, &len, &why) == 0)
                r = take_text(j, text ? text : "", len, err);
        else if (error_is_cancel(&why, err))
                r = -1;
        else if (why.code == ERR_BUSY || why.code == ERR_TIMEOUT) /* it must not be replaced unread */
                r = 1;
        else
                r = keep_beside(j, why.text, err);
        if (r == 0 && write_anew(j, &why) < 0) {
                if (error_is_cancel(&why, err))
                        r = -1;
                else
                        in_trouble(j, &why);
        }
        journal_file_unref(file);
        if (r != 1)
                return r;
        j->taken = true;
        j->trouble = why;
        log_warning("journal: %s; this agent keeps none until it is started again%s", why.text,
                    why.code == ERR_BUSY ? ": give each agent a state_path of its own" : "");
        return 0;
}

static void HUB_ONLY destroy(struct journal *j)
{
        for (struct list *node; (node = list_pop(&j->left));)
                journal_entry_free(CONTAINER_OF(node, struct journal_entry, node));
        for (struct list *node; (node = list_pop(&j->open));)
                journal_entry_free(CONTAINER_OF(node, struct journal_entry, node));
        journal_file_unref(j->file);
        strbuf_free(&j->pending);
        green_unref(j->writer);
        free(j->former_version);
        free(j->path);
        free(j->host);
        free(j);
}

struct journal *journal_open(const struct journal_options *opt, struct error *err)
{
        struct journal *j = NEW(struct journal);

        j->files = opt->files;
        j->path = xstrdup(opt->path);
        j->host = xstrdup(opt->host);
        list_init(&j->left);
        list_init(&j->open);
        green_cond_init(&j->more, "records for the journal");
        green_cond_init(&j->progress, "journal");
        green_cond_init(&j->unsynced, "journal to be synced");
        j->group = green_group_new("journal");
        if (read_it(j, err) < 0)
                goto failed;
        if (j->taken)
                return j;
        j->writer = green_spawn_ref(j->group, "journal", write_main, j, err);
        if (j->writer && green_spawn(j->group, "journal sync", sync_main, j, err) == 0)
                return j;
failed:
        green_group_close(j->group);
        destroy(j);
        return NULL;
}

void journal_close(struct journal *j)
{
        struct error err;

        if (!j)
                return;
        j->closing = true;
        j->dirty = !j->taken; /* only what is open is kept, without what led there */
        j->retry = deadline_now();
        green_cond_signal(&j->more);
        if (j->writer)
                green_join(j->writer, deadline_in_s(CLOSE_S), NULL, &err);
        green_group_close(j->group);
        destroy(j);
}

void journal_get_info(const struct journal *j, struct journal_info *ret)
{
        *ret = (struct journal_info){ .path = j->path,
                                      .ok = j->trouble.code == 0,
                                      .trouble = j->trouble.text,
                                      .left = j->n_left,
                                      .open = j->n_open,
                                      .former_version = j->former_version,
                                      .former_pid = j->former_pid };
}
