/*
 * agent/import/weight.h: options of nova without which guests, or their operators, get something else than
 * before.
 */
#pragma once

/* What is different without the option, a sentence; NULL: nothing that a guest would notice. */
const char *weight_of(const char *group, const char *name);
