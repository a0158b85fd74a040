/*
 * agent/complaints.h: what others send us wrongly: each kind is logged once, then only counted. Hub thread.
 */
#pragma once

#include "base/context.h"

struct complaints;

struct complaints *complaints_new(void);
/*
 * Texts that differ in nothing but numbers and what stands in quotes are of one kind. The first one is
 * logged, and each time the count has grown tenfold. Without room for more kinds, the rest are one.
 */
void HUB_ONLY complain(struct complaints *c, const char *text);
void HUB_ONLY complaints_free(struct complaints *c); /* logs what was counted and not said; NULL is allowed */
