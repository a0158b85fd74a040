/*
 * agent/ctl/main.c: compute-agentctl: the way from the command line to one of its commands.
 *
 * It runs on the same green threads as the agent, unpatched: one hub, one command, one deadline for all of
 * it.
 */
#include <locale.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "ctl/ctl.h"
#include "ctl/output.h"
#include "ctl/terminal.h"
#include "native/tpool.h"

#define ALIKE 3 /* letters that a name which was meant has in common */

/* ---- from main() to the command ---- */

struct run {
        struct ctl ctl;
        enum ctl_exit status;
};

static void YIELDS close_parts(struct ctl *c)
{
        rpc_client_free(c->client);
        if (c->store.db)
                db_pool_close(c->store.db);
        if (c->tpool)
                tpool_close(c->tpool, deadline_in_s(1));
        conf_free(c->conf);
}

static int run_command(void *arg, struct error *err)
{
        struct run *run = arg;

        assert_green();
        (void)err;
        run->status = run->ctl.command->run(&run->ctl);
        close_parts(&run->ctl);
        return 0;
}

/* With those that begin alike, if there are any. */
static void unknown_command(const char *name)
{
        struct strbuf CLEANUP(strbuf_free) like = {};
        size_t begin = strlen(name) < ALIKE ? strlen(name) : ALIKE;

        for (const struct ctl_command *k = ctl_commands; begin && k->name; k++) {
                if (k->summary && strncmp(k->name, name, begin) == 0)
                        strbuf_addf(&like, "%s%s", like.len ? ", " : "; did you mean ", k->name);
        }
        ctl_complain(CTL_USAGE, "unknown command \"%s\"%s%s (see " CTL_NAME " --help)", name,
                     like.data ? like.data : "", like.data ? "?" : "");
}

/* The options before the command, and which command. False: *ret_status is the exit status. */
static bool read_command_line(struct ctl *c, int argc, char **argv, enum ctl_exit *ret_status)
{
        struct strbuf CLEANUP(strbuf_free) why = {};
        struct ctl_option globals[CTL_GLOBALS + 1];
        const struct ctl_option *const tables[] = { globals, NULL };
        struct ctl_words stop = { .stop_at_first = true };
        int i;

        ctl_global_options(c, globals);
        i = ctl_parse(argc - 1, argv + 1, tables, &stop, &why);
        *ret_status = CTL_USAGE;
        if (i < 0) {
                ctl_complain(CTL_USAGE, "%s (see " CTL_NAME " --help)", why.data);
                return false;
        }
        if (c->help || c->version) {
                *ret_status = CTL_OK;
                if (c->help)
                        ctl_print_usage(c);
                else
                        puts(CTL_NAME " " AGENT_VERSION);
                return false;
        }
        if (i == argc - 1) {
                ctl_complain(CTL_USAGE, "which command? (see " CTL_NAME " --help)");
                return false;
        }
        c->command = ctl_find_command(argv[i + 1]);
        if (!c->command) {
                unknown_command(argv[i + 1]);
                return false;
        }
        c->argc = argc - 1 - i - 1;
        c->argv = argv + 1 + i + 1;
        return true;
}

int main(int argc, char **argv)
{
        struct run run = {};
        struct error err = {};

        setlocale(LC_CTYPE, "C.UTF-8");
        signal(SIGPIPE, SIG_DFL);
        jval_init();
        if (!read_command_line(&run.ctl, argc, argv, &run.status))
                return (int)run.status;
        if (hub_run(run_command, &run, NULL, &err) < 0)
                return (int)ctl_error(&err, "%s", run.ctl.command->name);
        if (fflush(stdout) == EOF)
                return (int)ctl_complain(CTL_FAILED, "the output could not be written");
        return (int)run.status;
}
