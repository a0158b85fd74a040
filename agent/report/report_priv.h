/* agent/report/report_priv.h: what the files of the report share. */
#pragma once

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/strbuf.h"
#include "green/green.h"
#include "green/sync.h"
#include "report/report.h"

/* ---- out.c: text without locks and memory; any thread ---- */

struct out {
        int fd;
        bool failed;
        size_t len;
        char buf[8192];
};
void out_add(struct out *o, const char *data, size_t len);
void out_addf(struct out *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void out_flush(struct out *o);
void out_title(struct out *o, const char *title);

/*
 * Names for addresses are slow to find, so a report is made without: a line of FRAME_MARK and the address in
 * hexadecimal stands for each until all is written down.
 */
#define FRAME_MARK '\1'
void out_frame(struct out *o, const void *address);
/* Where the finished report goes; shared with the copy that writes it. */
struct destination {
        char dir[PATH_MAX]; /* "": to fd */
        int fd;
        char path[PATH_MAX]; /* of the file that was made */
        int sys;             /* why it was not, errno; 0: it is complete */
};
/* Writes what `raw` holds, with names; in a copy, so that neither names nor a disk hold up anybody. */
void BLOCKS report_publish(int raw, struct destination *to);
void BLOCKS report_say(const char *fmt, ...) __attribute__((format(printf, 1, 2))); /* a line on stderr */

enum {
        GREEN_MAX = 1000
}; /* green threads that are told of: more nobody reads, and the hub stands meanwhile */

/* ---- inside.c: what the hub tells, of the process as it is at one instant ---- */

/* Called on the hub, or in a copy that counts as such; must not yield. */
typedef void inside_fn(const struct admin_sources *from, struct strbuf *to);
inside_fn inside_green_threads, inside_configuration, inside_status, inside_health, inside_pools,
        inside_locks, inside_tasks, inside_hub;
int YIELDS inside_instances(const struct admin_sources *from, struct strbuf *to, struct error *err);
void report_add_value(struct strbuf *to, const struct jval *value, unsigned indent); /* text.c */

/* ---- outside.c: what the kernel tells; the reporter's thread ---- */

typedef void outside_fn(const struct reporter *r, struct out *o);
outside_fn outside_package, outside_threads, outside_processes, outside_memory, outside_descriptors;

/* ---- report.c ---- */

struct section {
        const char *title;
        inside_fn *inside; /* one of these; none: the rows of instances */
        outside_fn *outside;
};
extern const struct section report_sections[];
enum { SECTIONS_MAX = 16 };

/* What the hub tells of one report. Made and freed on the hub: its memory is not touched elsewhere. */
struct contribution {
        struct contribution *next;
        unsigned long of; /* the report's number */
        struct strbuf text[SECTIONS_MAX];
};
typedef struct contribution *_Atomic contribution_box;

struct wish {        /* of report_write(): from the hub to the thread by `wished`, and back by `done` */
        int text_fd; /* where to; -1: as on SIGUSR2 */
        char path[PATH_MAX];
        struct error err;
        bool failed;
};

struct reporter {
        const struct admin_sources *from;
        struct hub *hub;
        pthread_t thread;
        pid_t pid;
        char host[256];
        char folder[PATH_MAX]; /* for the files; "": to stderr */
        int64_t started_s;     /* wall time */
        struct destination *to;

        int signals, bell;    /* to the thread: SIGUSR2; a wish, or the end */
        int question, answer; /* from the thread to the hub and back: rung for each report */
        int done;             /* to the hub: a wish is fulfilled, or the thread has ended */
        atomic_bool wished, ending, ended;
        atomic_ulong number; /* of the report that is being made */
        contribution_box facts, rows, returned;

        /* The hub's. */
        struct green *contributor;
        struct green_group *readers; /* of rows; NULL: no more */
        struct green_mutex one;      /* over the next two */
        struct wish wish;
        bool outstanding; /* the thread has the wish */
};

/*
 * make.c: the reporter's thread. One report, to text_fd or (-1) as on SIGUSR2; to->sys says how it went.
 */
void BLOCKS report_make(struct reporter *r, int text_fd, struct destination *to);
/* For contributions that the thread has read, or that came too late. */
void report_give_back(struct reporter *r, struct contribution *c);
