/*
 * agent/journal/journal_file.h: the journal's file: what workers do with it.
 *
 * Who has it open has it locked, so that of two agents with one state_path only one keeps a journal. A lock
 * ends with its process, however that ends.
 */
#pragma once

#include "native/tpool.h"

#define JOURNAL_SIZE_MAX (16u << 20) /* a longer one is none of ours */

/* An open journal. Counted, since a worker that hangs may be left behind with it. */
struct journal_file;
void journal_file_unref(struct journal_file *f); /* any thread; NULL allowed */

/*
 * Opens and locks what is there, and reads it. 0 with *ret_file NULL: there is nothing yet (its folder is
 * made). ERR_BUSY: another process has it. ERR_LIMIT: too long, *ret_file is set all the same.
 */
int YIELDS journal_file_load(struct tpool *p, const char *path, struct journal_file **ret_file,
                             char **ret_text, size_t *ret_len, struct error *err);
/* A new file in place of what is there, with this text, safe on disk. Takes text over. */
int YIELDS journal_file_replace(struct tpool *p, const char *path, char *text, size_t len,
                                struct journal_file **ret, struct error *err);
/* After a failure nobody knows how much of it was written: replace the file. Takes text over. */
int YIELDS journal_file_append(struct tpool *p, struct journal_file *f, char *text, size_t len,
                               struct error *err);
/* Safe on disk, what was appended until now. */
int YIELDS journal_file_sync(struct tpool *p, struct journal_file *f, struct error *err);
