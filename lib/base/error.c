/* lib/base/error.c: filling struct error. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int error_set(struct error *err, int code, const char *fmt, ...)
{
        va_list ap;

        err->code = code;
        err->sys = 0;
        va_start(ap, fmt);
        vsnprintf(err->text, sizeof(err->text), fmt, ap);
        va_end(ap);
        return -1;
}

int error_system(struct error *err, int sys, const char *fmt, ...)
{
        char buf[128];
        size_t len;
        va_list ap;

        err->code = ERR_SYSTEM;
        err->sys = sys;
        va_start(ap, fmt);
        vsnprintf(err->text, sizeof(err->text), fmt, ap);
        va_end(ap);
        len = strlen(err->text);
        snprintf(err->text + len, sizeof(err->text) - len, ": %s", strerror_r(sys, buf, sizeof(buf)));
        return -1;
}

int error_while(struct error *err, const char *fmt, ...)
{
        char was[ERROR_TEXT_MAX];
        size_t len;
        va_list ap;

        memcpy(was, err->text, sizeof(was));
        va_start(ap, fmt);
        vsnprintf(err->text, sizeof(err->text), fmt, ap);
        va_end(ap);
        len = strlen(err->text);
        snprintf(err->text + len, sizeof(err->text) - len, ": %s", was);
        return -1;
}

bool error_is_cancel(const struct error *one, struct error *err)
{
        if (one->code != ERR_CANCELLED)
                return false;
        *err = *one;
        return true;
}

const char *error_code_name(int code)
{
        static const char *const names[] = {
                [ERR_NONE] = "no error",         [ERR_SYSTEM] = "system error",
                [ERR_TIMEOUT] = "timeout",       [ERR_CANCELLED] = "cancelled",
                [ERR_CLOSED] = "closed",         [ERR_BUSY] = "busy",
                [ERR_LIMIT] = "limit reached",   [ERR_INVALID] = "invalid",
                [ERR_NOT_FOUND] = "not found",   [ERR_PROTOCOL] = "protocol error",
                [ERR_EXIT] = "command failed",   [ERR_DB] = "database error",
                [ERR_DB_LOST] = "database lost", [ERR_UNSUPPORTED] = "unsupported",
                [ERR_DENIED] = "denied",
        };

        if (code >= ERR_APP)
                return "application error";
        if (code < 0 || code >= (int)(sizeof(names) / sizeof(names[0])) || !names[code])
                return "unknown error";
        return names[code];
}
