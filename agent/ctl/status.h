/* agent/ctl/status.h: the dashboard, as text. */
#pragma once

#include "ctl/answer.h"

/* Answers of "status", "health" and "pools"; the last two may be NULL. */
void page_dashboard(struct page *p, const struct jval *status, const struct jval *health,
                    const struct jval *pools);
