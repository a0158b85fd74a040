/* agent/compute/text.h: the texts that calls answer with, as pure functions. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <time.h>

char *console_to_text(const char *bytes, size_t len);  /* caller frees */
const char *console_tail(const char *text, int64_t n); /* points into text */

/* One line as uptime(1) prints it, with its newline. Caller frees. */
char *uptime_line(const struct tm *now, int64_t up_s, unsigned users, const double load[3]);
