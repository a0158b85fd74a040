/*
 * agent/report/report.h: the report that SIGUSR2 and `compute-agentctl report` ask for: all there is to know
 * about this process, as text, in the spirit and order of oslo.reports' Guru Meditation Report.
 *
 * A native thread writes it. The hub contributes what only it can tell; when it does not answer, because some
 * green thread holds it, that is read from a copy of the process instead, and the report says so.
 */
#pragma once

#include "admin/admin.h"

struct reporter;

/*
 * SIGUSR2 must be blocked in all threads, and is taken from now on. `from` is borrowed; what it points to may
 * change on the hub. Early, so that a start that hangs can be looked into.
 */
struct reporter *YIELDS reporter_start(const struct admin_sources *from, struct error *err);
/*
 * Call it before `from` loses a part: the rows of instances are not read any more (it waits for who does
 * that), and reports tell of the parts that `from` still names.
 */
void YIELDS reporter_leave_rows(struct reporter *r);
/* NULL is allowed. A report that is being written is waited for, but not for ever. */
void YIELDS reporter_stop(struct reporter *r);

/*
 * Writes a report as SIGUSR2 does, to [oslo_reports] log_dir, else beside the log file (*ret_path: the
 * caller frees it), else to stderr (*ret_path NULL). With ret_text not NULL it is written nowhere but
 * returned; the caller frees it. ERR_UNSUPPORTED: from->reporter is not there. ERR_TIMEOUT: not within a
 * minute.
 */
int YIELDS report_write(const struct admin_sources *from, char **ret_path, char **ret_text,
                        struct error *err);
