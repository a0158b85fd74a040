/* agent/monitor/prometheus.c: the text format; numbers in the shortest form that reads back to the same. */
#include "monitor/prometheus.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>

static const char *const type_names[] = { "counter", "gauge", "histogram" };

void prometheus_family(struct strbuf *to, const char *name, enum prometheus_type type, const char *help)
{
        strbuf_addf(to, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type_names[type]);
}

static void add_escaped(struct strbuf *to, const char *text)
{
        for (; *text; text++)
                switch (*text) {
                case '\\':
                        strbuf_adds(to, "\\\\");
                        break;
                case '"':
                        strbuf_adds(to, "\\\"");
                        break;
                case '\n':
                        strbuf_adds(to, "\\n");
                        break;
                default:
                        strbuf_add(to, text, 1);
                }
}

static void add_number(struct strbuf *to, double value)
{
        if (isnan(value))
                strbuf_adds(to, "NaN");
        else if (isinf(value))
                strbuf_adds(to, value < 0 ? "-Inf" : "+Inf");
        else if (value == trunc(value) && fabs(value) < 1e15)
                strbuf_addf(to, "%.0f", value);
        else
                strbuf_addf(to, "%.15g", value);
}

void prometheus_sample_with(struct strbuf *to, const char *name, const struct prometheus_label *labels,
                            unsigned n, double value)
{
        strbuf_adds(to, name);
        for (unsigned i = 0; i < n; i++) {
                strbuf_addf(to, "%c%s=\"", i ? ',' : '{', labels[i].name);
                add_escaped(to, labels[i].value);
                strbuf_adds(to, "\"");
        }
        strbuf_adds(to, n ? "} " : " ");
        add_number(to, value);
        strbuf_adds(to, "\n");
}

void prometheus_sample(struct strbuf *to, const char *name, double value)
{
        prometheus_sample_with(to, name, NULL, 0, value);
}

void prometheus_sample_of(struct strbuf *to, const char *name, struct prometheus_label label, double value)
{
        prometheus_sample_with(to, name, &label, 1, value);
}

static void add_part(struct strbuf *to, const char *name, const char *part,
                     const struct prometheus_label *labels, unsigned n, double value)
{
        char whole[128];

        snprintf(whole, sizeof(whole), "%s_%s", name, part);
        prometheus_sample_with(to, whole, labels, n, value);
}

void prometheus_histogram_with(struct strbuf *to, const char *name, const struct prometheus_label *labels,
                               unsigned n, const struct histogram *h)
{
        struct prometheus_label all[PROMETHEUS_LABELS_MAX + 1];
        unsigned long within = 0;

        assert(n <= PROMETHEUS_LABELS_MAX);
        for (unsigned i = 0; i < n; i++)
                all[i] = labels[i];
        for (unsigned i = 0; i < HISTOGRAM_BOUNDS; i++) {
                char bound[32];

                snprintf(bound, sizeof(bound), "%g", histogram_bounds_s[i]);
                within += h->within[i];
                all[n] = (struct prometheus_label){ "le", bound };
                add_part(to, name, "bucket", all, n + 1, (double)within);
        }
        within += h->within[HISTOGRAM_BOUNDS];
        all[n] = (struct prometheus_label){ "le", "+Inf" };
        add_part(to, name, "bucket", all, n + 1, (double)within);
        add_part(to, name, "sum", labels, n, histogram_sum_s(h));
        add_part(to, name, "count", labels, n, (double)within);
}

void prometheus_histogram(struct strbuf *to, const char *name, const char *help, const struct histogram *h)
{
        prometheus_family(to, name, PROMETHEUS_HISTOGRAM, help);
        prometheus_histogram_with(to, name, NULL, 0, h);
}

void prometheus_counter(struct strbuf *to, const char *name, const char *help, double value)
{
        prometheus_family(to, name, PROMETHEUS_COUNTER, help);
        prometheus_sample(to, name, value);
}

void prometheus_gauge(struct strbuf *to, const char *name, const char *help, double value)
{
        prometheus_family(to, name, PROMETHEUS_GAUGE, help);
        prometheus_sample(to, name, value);
}
