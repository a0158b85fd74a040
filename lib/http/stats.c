/*
 * lib/http/stats.c: what came of requests, by the service they were made to.
 *
 * Of the process and not of a client: one service is asked over several clients, and one client asks several
 * services. Who gave up himself says nothing of the service, and is not counted.
 */
#include <stdio.h>
#include <string.h>

#include "http/http_priv.h"

struct row {
        struct http_service_stats stats;
        int64_t ended_ns;
};

static struct row rows[HTTP_SERVICES_MAX];
static unsigned n_rows;

static struct row *HUB_ONLY row_of(const char *service)
{
        for (unsigned i = 0; i < n_rows; i++)
                if (strncmp(rows[i].stats.service, service, sizeof(rows[i].stats.service) - 1) == 0)
                        return &rows[i];
        if (n_rows == HTTP_SERVICES_MAX)
                return &rows[HTTP_SERVICES_MAX - 1];
        snprintf(rows[n_rows].stats.service, sizeof(rows[n_rows].stats.service), "%.23s",
                 n_rows == HTTP_SERVICES_MAX - 1 ? "other" : service);
        return &rows[n_rows++];
}

static unsigned class_of(int status)
{
        return status >= 100 && status / 100 < HTTP_CLASSES ? (unsigned)status / 100 : 0;
}

void http_stats_count(const char *service, int64_t began_ns, int r, int status, const struct error *err)
{
        struct row *row = row_of(service ? service : "other");
        struct http_service_stats *s = &row->stats;

        if (r < 0 && err->code == ERR_CANCELLED)
                return;
        row->ended_ns = clock_now_ns();
        histogram_add(&s->times, row->ended_ns - began_ns);
        s->by_class[r < 0 ? 0 : class_of(status)]++;
        s->answers = r == 0 && status < 500;
        s->last_error[0] = '\0';
        if (r < 0)
                snprintf(s->last_error, sizeof(s->last_error), "%.255s", err->text);
        else if (!s->answers)
                snprintf(s->last_error, sizeof(s->last_error), "answered %d", status);
}

void http_foreach_service(void (*fn)(const struct http_service_stats *s, void *arg), void *arg)
{
        for (unsigned i = 0; i < n_rows; i++) {
                struct http_service_stats copy = rows[i].stats;

                copy.since_s = clock_since_s(rows[i].ended_ns);
                fn(&copy, arg);
        }
}
