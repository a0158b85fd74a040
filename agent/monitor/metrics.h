/*
 * agent/monitor/metrics.h: the page for Prometheus, and the parts of it, a file each.
 *
 * Label values come from tables of ours, never from requests, so their number is bounded; where names come
 * from many places, what is too many is counted as "other". A part that was not started yet leaves its
 * families out.
 */
#pragma once

#include "base/strbuf.h"
#include "monitor/prometheus.h"
#include "admin/admin.h"

#define P "compute_agent_"

/* All of it. Nothing waits for anybody: it is made of what the parts count and keep. */
void HUB_ONLY metrics_page(const struct admin_sources *from, struct strbuf *to);

void HUB_ONLY metrics_process(const struct admin_sources *from, struct strbuf *to);
void HUB_ONLY metrics_runtime(const struct admin_sources *from, struct strbuf *to);
void HUB_ONLY metrics_peers(const struct admin_sources *from, struct strbuf *to);
void HUB_ONLY metrics_compute(const struct admin_sources *from, struct strbuf *to);

/* ---- families of several rows ---- */

/* Writes the sample of one row into one of its families. */
struct metrics_rows {
        struct strbuf *to;
        int which; /* family, by its place in the table below */
        const char *name;
        const char *of; /* what the rows belong to, as a pool; or NULL */
};
struct metrics_family {
        const char *name, *help;
        enum prometheus_type type;
};
/* For each of n families: its head, then add(), which goes over the rows with `page` as their argument. */
void HUB_ONLY metrics_families(struct strbuf *to, const struct metrics_family *families, int n,
                               void (*add)(struct metrics_rows *page, void *arg), void *arg);
