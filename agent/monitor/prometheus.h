/*
 * agent/monitor/prometheus.h: writing Prometheus' text format (version 0.0.4): families and their samples.
 *
 * Names end as the conventions want: _total for counters, _seconds and _bytes for units. A family is written
 * once, then all of its samples.
 */
#pragma once

#include "base/histogram.h"
#include "base/strbuf.h"

enum prometheus_type { PROMETHEUS_COUNTER, PROMETHEUS_GAUGE, PROMETHEUS_HISTOGRAM };

void prometheus_family(struct strbuf *to, const char *name, enum prometheus_type type, const char *help);

/* label NULL: none. Values may hold anything: they are escaped. */
struct prometheus_label {
        const char *name, *value;
};
void prometheus_sample(struct strbuf *to, const char *name, double value);
void prometheus_sample_of(struct strbuf *to, const char *name, struct prometheus_label label, double value);
void prometheus_sample_with(struct strbuf *to, const char *name, const struct prometheus_label *labels,
                            unsigned n, double value);

/* The samples of one histogram in a family named `name`; at most PROMETHEUS_LABELS_MAX labels of its own. */
enum { PROMETHEUS_LABELS_MAX = 4 };
void prometheus_histogram_with(struct strbuf *to, const char *name, const struct prometheus_label *labels,
                               unsigned n, const struct histogram *h);

/* The family and its only sample. */
void prometheus_counter(struct strbuf *to, const char *name, const char *help, double value);
void prometheus_gauge(struct strbuf *to, const char *name, const char *help, double value);
void prometheus_histogram(struct strbuf *to, const char *name, const char *help, const struct histogram *h);
