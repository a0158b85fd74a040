/* agent/ctl/status.h: the dashboard and what top shows, as text. */
#pragma once

#include "ctl/answer.h"

/* Answers of "status", "health" and "pools"; the last two may be NULL. */
void page_dashboard(struct page *p, const struct jval *status, const struct jval *health,
                    const struct jval *pools);
/* Two answers of "top". rows: of the terminal, or 0 for all there is. */
void page_top(struct page *p, const struct jval *before, const struct jval *now, unsigned rows);
