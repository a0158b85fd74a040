/*
 * agent/ctl/drain.c: drain and undrain.
 *
 * The agent drains by itself; here is only waited for that, and shown how far it is. Who does not want to
 * wait any longer takes nothing back by that.
 */
#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "ctl/bar.h"
#include "ctl/ctl.h"
#include "ctl/output.h"

#define POLL_S 0.3

/* Whoever became root by sudo is who it was; else the user that runs this. */
static const char *who(void)
{
        const char *sudo = geteuid() == 0 ? getenv("SUDO_USER") : NULL;
        const struct passwd *user = getpwuid(geteuid());

        return sudo && *sudo ? sudo : user ? user->pw_name : "somebody";
}

/* "build_and_run_instance of INSTANCE (creating disks) for 4.2 s" */
static void describe(const struct jval *op, struct strbuf *to)
{
        char seconds[32];

        format_duration(jval_real(jval_get(op, "seconds"), 0), seconds, sizeof(seconds));
        strbuf_addf(to, "%s of %s (%s) for %s", jval_get_text(op, "method", "?"),
                    jval_get_text(op, "uuid", "?"), jval_get_text(op, "doing", "?"), seconds);
}

static enum ctl_exit not_in_time(const struct jval *drain)
{
        const struct jval *left = jval_get(drain, "operations");
        struct strbuf CLEANUP(strbuf_free) text = {};

        strbuf_addf(&text, "drain: not drained in time; it goes on, and these are left:");
        for (size_t i = 0; i < jval_len(left); i++) {
                strbuf_adds(&text, "\n  ");
                describe(jval_at(left, i), &text);
        }
        return ctl_complain(CTL_TIMEOUT, "%s", text.data);
}

static void show_left(struct bar *b, const struct jval *drain)
{
        const struct jval *operations = jval_get(drain, "operations");
        unsigned total = (unsigned)jval_get_int(drain, "total", 0);
        unsigned left = (unsigned)jval_get_int(drain, "left", 0);
        struct strbuf CLEANUP(strbuf_free) text = {};

        strbuf_adds(&text, "");
        if (jval_len(operations))
                describe(jval_at(operations, 0), &text);
        bar_show(b, "draining", total - left, total, text.data ? text.data : "");
}

static bool is_gone(pid_t pid)
{
        return pid <= 0 || (kill(pid, 0) < 0 && errno == ESRCH);
}

/* With --stop: until it has exited, as `stop` of the service manager would have it. */
static enum ctl_exit YIELDS wait_until_gone(struct ctl *c, pid_t pid)
{
        struct error err;

        while (!is_gone(pid)) {
                if (deadline_passed(c->by))
                        return ctl_complain(
                                CTL_TIMEOUT,
                                "drain: drained, but the agent (pid %d) still runs; see its log for what "
                                "it waits for",
                                (int)pid);
                if (green_sleep(POLL_S, &err) < 0)
                        return CTL_FAILED;
        }
        return CTL_OK;
}

/* *answer is that of the last question. Somebody may take the drain back meanwhile. */
static enum ctl_exit YIELDS wait_until_drained(struct ctl *c, struct jval **answer, bool stop)
{
        pid_t pid = (pid_t)jval_get_int(*answer, "pid", 0);
        const struct jval *drain;
        enum ctl_exit status;
        struct bar bar;
        struct error err;

        bar_begin(&bar);
        for (;;) {
                drain = jval_get(*answer, "drain");
                if (jval_is_null(drain) || jval_get_int(drain, "left", 0) == 0)
                        break;
                show_left(&bar, drain);
                if (deadline_passed(c->by) || green_sleep(POLL_S, &err) < 0) {
                        bar_end(&bar);
                        return not_in_time(drain);
                }
                jval_unref(take_ptr(answer));
                status = ctl_ask_admin(c, "drain-state", NULL, answer);
                if (status == CTL_UNREACHABLE && stop && is_gone(pid))
                        break;
                if (status != CTL_OK) {
                        bar_end(&bar);
                        return status;
                }
        }
        bar_end(&bar);
        if (*answer && jval_is_null(jval_get(*answer, "drain")))
                return ctl_complain(CTL_FAILED, "drain: it was taken back meanwhile");
        return stop ? wait_until_gone(c, pid) : CTL_OK;
}

static void tell(const struct jval *drain, bool waited, bool stop)
{
        print_field("host", waited ? stop ? "drained, and the agent has exited" : "drained" : "draining");
        print_field("reason", jval_get_text(drain, "reason", NULL));
        print_field("service", jval_get_text(drain, "service", NULL));
        if (!waited)
                print_fieldf("left", "%lld", (long long)jval_get_int(drain, "left", 0));
}

static struct jval *arguments(const char *reason, bool stop)
{
        struct jval *args = jval_new_object();

        jval_set_text(args, "user", who());
        jval_set_text(args, "reason", reason);
        jval_set_bool(args, "stop", stop);
        return args;
}

enum ctl_exit ctl_drain(struct ctl *c)
{
        bool wait = false, no_wait = false, stop = false;
        const char *reason = NULL;
        const struct ctl_option options[] = {
                { "reason", CTL_TEXT, &reason, "TEXT", "what the cloud shows as the reason, after who it was",
                  0, 0 },
                { "wait", CTL_FLAG, &wait, NULL, "until what runs has finished: the default", 0, 0 },
                { "no-wait", CTL_FLAG, &no_wait, NULL, "do not", 0, 0 },
                { "stop", CTL_FLAG, &stop, NULL, "end the agent then", 0, 0 },
                {},
        };
        struct jval CLEANUP(jval_unrefp) *answer = NULL, *first = NULL;
        enum ctl_exit status;

        if (!ctl_arguments(c, options, NULL, 0, 0, &status))
                return status;
        if (wait && no_wait)
                return ctl_complain(CTL_USAGE, "drain: --wait and --no-wait exclude each other");
        if (!no_wait)
                ctl_may_take_long(c);
        status = ctl_ask_admin(c, "drain", arguments(reason, stop), &answer);
        if (status != CTL_OK)
                return status;
        first = jval_ref(answer);
        if (!no_wait)
                status = wait_until_drained(c, &answer, stop);
        if (status != CTL_OK)
                return status;
        if (c->json)
                print_json(answer ? answer : first);
        else
                tell(jval_get(first, "drain"), !no_wait, stop);
        return CTL_OK;
}

enum ctl_exit ctl_undrain(struct ctl *c)
{
        static const struct ctl_option options[] = { {} };
        struct jval CLEANUP(jval_unrefp) *answer = NULL;
        enum ctl_exit status;

        if (!ctl_arguments(c, options, NULL, 0, 0, &status))
                return status;
        status = ctl_ask_admin(c, "undrain", NULL, &answer);
        if (status != CTL_OK)
                return status;
        if (c->json)
                print_json(answer);
        else if (jval_get_bool(answer, "enabled", false))
                puts("the host takes builds again");
        else
                printf("not drained any more; the service stays disabled: %s\n",
                       jval_get_text(answer, "disabled_reason", "no reason was given"));
        return CTL_OK;
}
