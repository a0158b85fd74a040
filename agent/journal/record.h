/*
 * agent/journal/record.h: the journal's text: lines of JSON.
 *
 * The first says what the file is, and in which format; each other has "id" and "begin" (with all about the
 * operation), "step" or "end". What a reader does not know it passes over, so fields and records may be added
 * without another format number. That number is raised when an old reader would go wrong: it then leaves the
 * file alone. A last line without an end was being written when the agent died, and never counted.
 *
 * Pure: no files, no clock, any thread.
 */
#pragma once

#include "base/strbuf.h"
#include "journal/journal.h"

#define JOURNAL_FORMAT 1

void record_header(struct strbuf *to, const char *host);
void record_begin(struct strbuf *to, const struct journal_entry *e);
void record_step(struct strbuf *to, uint64_t id, const char *step);
void record_end(struct strbuf *to, uint64_t id);

struct journal_content {
        struct list entries; /* of struct journal_entry: begun and not ended */
        char *version;       /* who wrote it; NULL: the file was empty */
        int64_t pid;
        unsigned unreadable; /* lines that were passed over */
};
void journal_content_free(struct journal_content *c);
void journal_entry_free(struct journal_entry *e);
/* -1: ERR_INVALID, none of it can be used: it is something else, of another host, or of a later format. */
int journal_parse(const char *text, size_t len, const char *host, struct journal_content *ret,
                  struct error *err);
