/*
 * agent/compute/uptime.c: the line that uptime(1) prints, made from /proc and the login records instead of a
 * subprocess: nova-api only passes it on to people.
 */
#define LOG_MODULE "compute.uptime"
#include "compute/compute_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>
#include <utmp.h>

#include "base/strbuf.h"
#include "compute/text.h"

#define LOGINS_MAX 4096 /* login records looked at */

char *uptime_line(const struct tm *now, int64_t up_s, unsigned users, const double load[3])
{
        int64_t minutes = up_s / 60 % 60, hours = up_s / 3600 % 24, days = up_s / 86400;
        struct strbuf out = {};

        strbuf_addf(&out, " %02d:%02d:%02d up ", now->tm_hour, now->tm_min, now->tm_sec);
        if (days)
                strbuf_addf(&out, "%" PRId64 " day%s, ", days, days == 1 ? "" : "s");
        if (hours)
                strbuf_addf(&out, "%2" PRId64 ":%02" PRId64 ", ", hours, minutes);
        else
                strbuf_addf(&out, "%" PRId64 " min, ", minutes);
        strbuf_addf(&out, "%2u user%s,  load average: %.2f, %.2f, %.2f\n", users, users > 1 ? "s" : "",
                    load[0], load[1], load[2]);
        return strbuf_take(&out, NULL);
}

/* These files live in memory: reading them takes no longer than a system call. */
static int read_doubles(const char *path, double *values, int n, struct error *err)
{
        int got = 0;
        FILE *f;

        local_files("/proc is in memory");
        f = fopen(path, "re");
        if (!f)
                return error_system(err, errno, "opening %s", path);
        while (got < n && fscanf(f, "%lf", &values[got]) == 1)
                got++;
        fclose(f);
        return got == n ? 0 : error_set(err, ERR_PROTOCOL, "%s does not begin with %d numbers", path, n);
}

/* Read directly: getutent() locks the file with an alarm. Without login records nobody is logged in. */
static unsigned count_users(void)
{
        CLEANUP(closep) int fd = -1;
        struct utmp u;
        unsigned users = 0;

        local_files("login records are in /run");
        fd = open(_PATH_UTMP, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return 0;
        for (int i = 0; i < LOGINS_MAX && read(fd, &u, sizeof(u)) == (ssize_t)sizeof(u); i++)
                users += u.ut_type == USER_PROCESS && u.ut_user[0];
        return users;
}

int compute_host_uptime(struct compute_manager *m, char **ret, struct error *err)
{
        time_t now = clock_wall_s();
        double up[1], load[3];
        struct tm tm;

        if (read_doubles("/proc/uptime", up, 1, err) < 0 || read_doubles("/proc/loadavg", load, 3, err) < 0)
                return -1;
        localtime_r(&now, &tm);
        *ret = uptime_line(&tm, (int64_t)up[0], count_users(), load);
        return 0;
}
