/*
 * agent/list_patched.h: `compute-agent --list-patched`.
 */
#pragma once

#include "base/strbuf.h"

/* After monkey_patch(). What calls are green in this process, and which are left alone, and why. */
void list_patched(struct strbuf *out);
