/* agent/notify.c: sd_notify; its datagrams are sent without waiting. */
#include "notify.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <systemd/sd-daemon.h>

#include "green/green.h"

void notify_status(const char *fmt, ...)
{
        char text[256];
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        sd_notifyf(0, "STATUS=%s", text);
}

void notify_ready(void)
{
        sd_notify(0, "READY=1");
}

void notify_reloading(void)
{
        /* the time is what later versions of systemd ask for; those of today leave it unread */
        sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)(clock_now_ns() / 1000));
}

void notify_stopping(void)
{
        sd_notify(0, "STOPPING=1");
}

void notify_extend_timeout(double seconds)
{
        sd_notifyf(0, "EXTEND_TIMEOUT_USEC=%llu", (unsigned long long)(seconds * 1e6));
}

static int feed_watchdog(void *arg, struct error *err)
{
        uint64_t every_us = *(uint64_t *)arg / 2; /* as sd_watchdog_enabled(3) advises */

        assert_green();
        do {
                sd_notify(0, "WATCHDOG=1");
        } while (green_sleep((double)every_us / 1e6, err) == 0);
        return -1;
}

int notify_watchdog_start(struct error *err)
{
        static uint64_t limit_us;

        if (sd_watchdog_enabled(0, &limit_us) <= 0)
                return 0;
        return green_spawn(NULL, "watchdog", feed_watchdog, &limit_us, err);
}
