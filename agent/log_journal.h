/*
 * agent/log_journal.h: log messages to systemd's journal, with the fields that oslo.log's handler for it
 * gives them: LOGGER_NAME, LOGGER_LEVEL, CODE_FILE, CODE_LINE, CODE_FUNC, REQUEST_ID, USER_ID, PROJECT_ID;
 * and ours: INSTANCE_UUID, TIMESTAMP (when it was logged, which is earlier than the journal's time while that
 * hangs).
 */
#pragma once

#include <stdbool.h>

#include "base/log.h"

bool log_journal_is_stderr(void); /* it is what the service manager has connected standard error to */
bool log_journal_is_there(void);
int log_journal_write(const struct log_record *r); /* log_options.sink */
