/*
 * agent/compute/inflight.h: operations in flight: what is being done with which instance, for which request,
 * since when, and how far it is. One list; status, draining and the journal all look at it.
 *
 * Hub thread only.
 */
#pragma once

#include "base/list.h"
#include "base/uuid.h"
#include "green/sync.h"

#define INFLIGHT_DETAIL_MAX 160

struct inflight {
        struct list ops; /* of struct inflight_op, the oldest first */
        unsigned n;
        uint64_t last_id;
        struct green_cond idle;  /* signalled when ops becomes empty */
        struct journal *journal; /* borrowed; NULL: nothing is recorded */
        struct green_cond some;  /* signalled when it was empty */
};

struct inflight_op { /* lives in the frame of who does it */
        struct list node;
        struct inflight *in;              /* NULL: not begun, or over */
        uint64_t id;                      /* counts from 1 in this process */
        const char *method;               /* "stop_instance"; outlives the operation */
        const char *step;                 /* what is being done now: "waiting for the instance's lock" */
        char detail[INFLIGHT_DETAIL_MAX]; /* "" or more about the step: "downloading: 12 of 40 MiB" */
        int64_t done, total;              /* bytes of the detail; done < 0: not counted; total 0: not known */
        char uuid[UUID_LEN + 1];          /* of the instance */
        char request_id[64];              /* "req-..."; "" if none */
        int64_t since_ns;                 /* monotonic */
        int64_t begun_at;                 /* seconds since 1970 */
        struct journal_entry *entry;      /* what the journal has of it, or NULL */
};

void HUB_ONLY inflight_init(struct inflight *in);

/* request_id may be NULL. The first step is "starting". */
void HUB_ONLY inflight_begin(struct inflight *in, struct inflight_op *op, const char *method,
                             const char *uuid, const char *request_id);
/* It is to be found by the next start, should this agent be killed before its end. */
void HUB_ONLY inflight_record(struct inflight_op *op);
/* What follows cannot be taken back: the record is safe from a kill now, or the disk is in trouble. */
void YIELDS inflight_settle(struct inflight_op *op);
/* The next step; step outlives the operation. */
void HUB_ONLY inflight_step(struct inflight_op *op, const char *step);
/* How far the step is, in words that are copied; the next step forgets them. */
void HUB_ONLY inflight_detail(struct inflight_op *op, const char *text);
/* And in bytes, after that. */
void HUB_ONLY inflight_progress(struct inflight_op *op, int64_t done, int64_t total);
/* Over: what is left of it in rows and files is final. Nothing happens when it is over already. */
void HUB_ONLY inflight_end(struct inflight_op *op);
/* Cut short, because the agent is being stopped: its record stays, and the next start goes on with it. */
void HUB_ONLY inflight_leave(struct inflight_op *op);

/* detail, or step when there is none. */
const char *inflight_doing(const struct inflight_op *op);
double inflight_seconds(const struct inflight_op *op);
/* Is anything done with this instance? */
bool HUB_ONLY inflight_has(const struct inflight *in, const char *uuid);
/* Until nothing is in flight. */
int YIELDS inflight_wait_idle(struct inflight *in, struct deadline by, struct error *err);
