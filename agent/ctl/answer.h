/* agent/ctl/answer.h: asking the agent, and cells of tables out of its answers. */
#pragma once

#include "ctl/ctl.h"
#include "ctl/output.h"

/* For a command without options and words: reads its arguments, asks, and prints the answer with --json. */
enum ctl_exit YIELDS ctl_ask_plainly(struct ctl *c, const char *method, struct jval **ret);
/* False: it was printed as JSON, or there is none. */
bool ctl_for_people(const struct ctl *c, enum ctl_exit status, const struct jval *answer);

double number_of(const struct jval *object, const char *key);

/* One cell; "-" where the answer has no such member. */
void text_cell(struct table *t, const struct jval *object, const char *key);
void int_cell(struct table *t, const struct jval *object, const char *key);
void duration_cell(struct table *t, const struct jval *object, const char *key);

/* Calls that block a native thread: a table with these headers, and a row for each. */
extern const char *const call_headers[];
void call_rows(struct table *t, const struct jval *calls);
/* Operations on instances that are under way, with how far they are. */
void page_jobs(struct page *p, const struct jval *jobs);
