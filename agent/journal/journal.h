/*
 * agent/journal/journal.h: operations in flight on disk, so that an agent that was killed can be followed by
 * one, also of another version, which knows what had been going on.
 *
 * The rows say nearly all of it. The journal has what they do not: a request that was taken and had changed
 * nothing yet, an instance whose rows are gone while its guest is not, and words for the log.
 *
 * Hub thread only. Writing is done by workers behind the back of who calls; when the file cannot be written,
 * work goes on without, a warning says so, and it is tried again.
 */
#pragma once

#include "base/list.h"
#include "base/uuid.h"
#include "native/tpool.h"

struct journal;

struct journal_entry { /* one operation; the journal's */
        struct list node;
        uint64_t id;      /* in this file */
        uint64_t written; /* journal.c: the record by which it is in the file as it is now */
        char uuid[UUID_LEN + 1];
        char *method, *request_id, *step;
        int64_t begun_at; /* seconds since 1970 */
        char *version;    /* of the agent that began it */
        int64_t pid;
};

struct journal_options {
        struct tpool *files; /* borrowed, outlives it */
        const char *path, *host;
};

/*
 * Reads what was left, and begins to write. NULL only with ERR_CANCELLED: a journal that cannot be read or
 * understood is logged and kept beside, one that another process holds is logged and left alone.
 */
struct journal *YIELDS journal_open(const struct journal_options *opt, struct error *err);
/* Writes out what is due, for a few seconds at most. What has not ended stays in the file. NULL allowed. */
void YIELDS journal_close(struct journal *j);

/* ---- what earlier agents left: each until journal_end() ---- */

/* The one after it, NULL: the first. NULL: there are no more. */
struct journal_entry *HUB_ONLY journal_next_left(struct journal *j, const struct journal_entry *after);

/* ---- what this one does ---- */

/* request_id: "" when there is none. */
struct journal_entry *HUB_ONLY journal_begin(struct journal *j, const char *method, const char *uuid,
                                             const char *request_id, const char *step);
void HUB_ONLY journal_step(struct journal *j, struct journal_entry *e, const char *step);
/* All there was to do is done. Frees it; NULL allowed. */
void HUB_ONLY journal_end(struct journal *j, struct journal_entry *e);
/*
 * Before something happens that cannot be taken back: until the operation with its step is in the file (safe
 * from a kill of this process; from one of the machine within a second). Mostly it is by then, and nothing is
 * waited for. A disk that is slow or full holds up nobody for longer than a second altogether.
 */
void YIELDS journal_wait(struct journal *j, const struct journal_entry *e);

struct journal_info {
        const char *path;
        bool ok;
        const char *trouble; /* when not ok */
        unsigned left, open; /* operations of earlier agents, of this one */
        /* Who wrote it before; NULL: nobody. */
        const char *former_version;
        int64_t former_pid;
};
void HUB_ONLY journal_get_info(const struct journal *j, struct journal_info *ret);
