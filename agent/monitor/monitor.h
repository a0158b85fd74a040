/*
 * agent/monitor/monitor.h: what monitoring asks by HTTP: GET /health and GET /metrics.
 *
 *      /health   application/health+json, in the shape of nova's per-process health checks: status pass, warn
 *                (both 200) or fail (503), and what was looked at.
 *      /metrics  Prometheus' text format. Made of counters that the parts keep; nothing waits for anybody.
 *
 * Each is made at most once a second, however many ask.
 *
 * On a local socket, which any local user may ask (nothing secret is in it), and where [healthcheck] listen
 * is set on a port of a loopback address.
 */
#pragma once

#include "admin/admin.h"

struct monitor;

/* `from` is borrowed; its parts may come and go. ERR_BUSY, ERR_SYSTEM, ERR_INVALID: a listener. */
struct monitor *YIELDS monitor_start(const struct admin_sources *from, struct error *err);
void YIELDS monitor_stop(struct monitor *m); /* NULL is allowed */
