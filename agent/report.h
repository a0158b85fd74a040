/*
 * agent/report.h: the report that SIGUSR2 asks for: all there is to know about this process, as text.
 */
#pragma once

#include "rpc/admin.h"

/*
 * Writes it beside the log file, or to stderr when there is none (*ret_path NULL; else the caller frees it):
 * versions, configuration without secrets, native threads, green
 * threads with backtraces, pools, locks, hypervisor, database, instances being worked on.
 */
int YIELDS report_write(const struct admin_sources *from, char **ret_path, struct error *err);
