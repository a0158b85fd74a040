/*
 * agent/ctl/commands.c: the table of commands, the options they share, and what is said about both.
 *
 * The options of one command are in the command itself, which hands them to ctl_arguments() before anything
 * else: that is where whoever wants to know them listens (completion, the test of the manual page).
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "ctl/ctl.h"
#include "ctl/output.h"
#include "ctl/terminal.h"

#define DEFAULT_S      60.0
#define DEFAULT_LONG_S 600.0

const struct ctl_command ctl_commands[] = {
        { "status", "", "the agent at a glance", ctl_status, NULL },
        { "health", "", "what is well and what is not; exit status 1 when it fails", ctl_health, NULL },
        { "instances", "", "the guests of this host, in the rows and in the hypervisor", ctl_instances,
          NULL },
        { "top", "", "who uses the processor, and what comes each second, until q is pressed", ctl_top,
          "Where stdout is no terminal one screen is printed, or as many as -n says.\n"
          "With --json: what the agent counts, as samples without rates.\n" },
        { "jobs", "", "what is under way, how far it is, and what hangs", ctl_jobs, NULL },
        { "threads", "[ID]", "green and native threads of the agent", ctl_threads,
          "With ID only that green thread.\n" },
        { "pools", "", "its pools, blocking calls, queues and locks", ctl_pools, NULL },
        { "locks", "", "who holds which lock, and who waits for it", ctl_locks, NULL },
        { "tasks", "", "its periodic tasks, and why some are idle", ctl_tasks, NULL },
        { "images", "", "images in the local folder", ctl_images, NULL },
        { "image-import", "FILE", "copy an image into the local folder", ctl_image_import, NULL },
        { "boot", "NAME", "create an instance and start its guest", ctl_boot, NULL },
        { "stop", "INSTANCE", "shut a guest down", ctl_stop, NULL },
        { "start", "INSTANCE", "start a guest that is stopped", ctl_start, NULL },
        { "reboot", "INSTANCE", "reboot a guest", ctl_reboot, NULL },
        { "pause", "INSTANCE", "freeze a guest in memory", ctl_pause, NULL },
        { "unpause", "INSTANCE", "let a paused guest go on", ctl_unpause, NULL },
        { "suspend", "INSTANCE", "save a guest to disk and stop it", ctl_suspend, NULL },
        { "resume", "INSTANCE", "let a suspended guest go on", ctl_resume, NULL },
        { "delete", "INSTANCE", "delete an instance with its disks", ctl_delete, NULL },
        { "soft-delete", "INSTANCE", "power off and keep until reclaim_instance_interval has passed",
          ctl_soft_delete, NULL },
        { "restore", "INSTANCE", "take a soft delete back", ctl_restore, NULL },
        { "console", "INSTANCE", "what a guest wrote to its console", ctl_console, NULL },
        { "vnc", "INSTANCE", "where a guest's screen can be seen", ctl_vnc,
          "The address for a browser leads to the console proxy of the cloud; a VNC viewer on this\n"
          "host needs no proxy. Whoever has the address can use the console.\n" },
        { "diagnostics", "INSTANCE", "what a guest has used so far", ctl_diagnostics, NULL },
        { "nmi", "INSTANCE", "send a guest an interrupt that makes it dump its memory", ctl_nmi,
          "What it does then is the guest's affair: many kernels crash on purpose.\n" },
        { "call", "METHOD [JSON]", "send any RPC request", ctl_call,
          "JSON is an object of arguments; \"-\" reads it from standard input.\n" },
        { "log-level", "[LEVEL]", "show or set the agent's log level", ctl_log_level,
          "LEVEL is debug, info, warning, error or critical; \"reset\" is what the configuration\n"
          "says. Nothing is left of it after a restart.\n" },
        { "report", "", "make the agent write its report", ctl_report,
          "To log_dir of [oslo_reports], else beside the log file, else to standard error, which the "
          "journal\n"
          "takes under systemd.\n" },
        { "resync", "[INSTANCE]", "look at everything now, not when its turn comes", ctl_resync,
          "What the agent otherwise does now and then (see tasks): compares power states with the\n"
          "hypervisor, audits the resources of this host and tells placement, reads and writes the\n"
          "services row. With INSTANCE only that one's power state. One at a time; guests that went off\n"
          "are stopped as at any other time. Exit status 1: a step failed, which the others do not mind.\n" },
        { "drain", "", "take no more builds and finish what runs", ctl_drain,
          "The cloud sees the service disabled, with the reason; builds that come nevertheless are sent\n"
          "on to another host; instances that are here can be used as before. A restart changes nothing.\n"
          "Exit status 4: not drained within --timeout (default 600 s); what is left is named, and the\n"
          "drain goes on.\n" },
        { "undrain", "", "take builds again", ctl_undrain,
          "Enabling the service in the cloud does the same. A service that was disabled there for\n"
          "another reason stays so.\n" },
        { "db-init", "", "make the tables in an empty database", ctl_db_init, NULL },
        { "completion", "SHELL", "print what makes bash or zsh complete command lines", ctl_completion,
          "The packages install it; by hand: source <(compute-agentctl completion bash)\n" },
        { "__complete", "[WORD]...", NULL, ctl_complete, NULL },
        {},
};

const struct ctl_command *ctl_find_command(const char *name)
{
        for (const struct ctl_command *k = ctl_commands; k->name; k++) {
                if (strcmp(k->name, name) == 0)
                        return k;
        }
        return NULL;
}

/* ---- usage ---- */

void ctl_global_options(struct ctl *c, struct ctl_option to[CTL_GLOBALS + 1])
{
        const struct ctl_option options[CTL_GLOBALS + 1] = {
                { "config-file", CTL_TEXT, &c->config_file, "FILE", "the agent's configuration", 0, 0 },
                { "socket", CTL_TEXT, &c->socket, "PATH",
                  "the agent's socket; default: that of its configuration", 0, 0 },
                { "colour", CTL_TEXT, &c->colour, "WHEN", "auto, always or never; default auto: on terminals",
                  0, 0 },
                { "json", CTL_FLAG, &c->json, NULL, "JSON instead of tables", 0, 0 },
                { "timeout", CTL_SECONDS, &c->timeout_s, "S", "seconds to wait at most; default 60, or 600",
                  0, 0 },
                { "help", CTL_FLAG, &c->help, NULL, "print this", 0, 0 },
                { "version", CTL_FLAG, &c->version, NULL, "print the version", 0, 0 },
                { "h", CTL_FLAG, &c->help, NULL, NULL, 0, 0 },
                { "color", CTL_TEXT, &c->colour, "WHEN", NULL, 0, 0 },
                {},
        };

        memcpy(to, options, sizeof(options));
}

void ctl_print_usage(struct ctl *c)
{
        struct strbuf CLEANUP(strbuf_free) out = {};
        struct ctl_option globals[CTL_GLOBALS + 1];

        ctl_global_options(c, globals);
        strbuf_adds(&out,
                    "Usage: " CTL_NAME " [OPTION]... COMMAND [ARGUMENT]...\n\n"
                    "Talks to compute-agent on this host, and plays the control plane's part where there is "
                    "none.\n\nCommands:\n");
        for (const struct ctl_command *k = ctl_commands; k->name; k++) {
                int width = (int)(strlen(k->name) + strlen(k->synopsis));

                if (!k->summary)
                        continue;
                strbuf_addf(&out, "  %s %s%*s %s\n", k->name, k->synopsis, width < 22 ? 22 - width : 1, "",
                            k->summary);
        }
        strbuf_adds(&out, "\nOptions (before or after the command; " CTL_NAME " COMMAND --help has more):\n");
        ctl_describe_options(globals, &out);
        strbuf_adds(&out, "\nINSTANCE is a uuid or a name.\n\nExit status:\n");
#define X(name, status, meaning) strbuf_addf(&out, "  %2d  %s\n", status, meaning);
        CTL_EXITS(X)
#undef X
        fputs(out.data, stdout);
}

static void print_command_usage(const struct ctl_command *k, const struct ctl_option *options)
{
        struct strbuf CLEANUP(strbuf_free) out = {};

        strbuf_addf(&out, "Usage: " CTL_NAME " %s [OPTION]...%s%s\n\n", k->name, *k->synopsis ? " " : "",
                    k->synopsis);
        if (k->summary)
                strbuf_addf(&out, "%c%s.\n", k->summary[0] - 'a' + 'A', k->summary + 1);
        if (k->help)
                strbuf_adds(&out, k->help);
        strbuf_adds(&out, options->name ? "\n" : "");
        ctl_describe_options(options, &out);
        fputs(out.data, stdout);
}

enum ctl_exit ctl_complain(enum ctl_exit status, const char *fmt, ...)
{
        char CLEANUP(freep) *text = NULL, *clean = NULL;
        va_list ap;

        va_start(ap, fmt);
        text = xvasprintf(fmt, ap);
        va_end(ap);
        if (isatty(STDERR_FILENO)) /* names, and what the agent says, come from anywhere */
                clean = harmless(text, "\n\t");
        fflush(stdout);
        terminal_leave(); /* what is said there would vanish with its screen */
        fprintf(stderr, CTL_NAME ": %s\n", clean ? clean : text);
        return status;
}

enum ctl_exit ctl_error(const struct error *err, const char *fmt, ...)
{
        char CLEANUP(freep) *text = NULL;
        va_list ap;

        va_start(ap, fmt);
        text = xvasprintf(fmt, ap);
        va_end(ap);
        return ctl_complain(err->code == ERR_TIMEOUT ? CTL_TIMEOUT : CTL_FAILED, "%s: %s", text, err->text);
}

/* ---- arguments of a command ---- */

static enum ctl_exit wrong_arguments(const struct ctl_command *k, const char *why)
{
        ctl_complain(CTL_USAGE, "%s: %s", k->name, why);
        fprintf(stderr, "Usage: " CTL_NAME " %s [OPTION]...%s%s   (more: " CTL_NAME " %s --help)\n", k->name,
                *k->synopsis ? " " : "", k->synopsis, k->name);
        return CTL_USAGE;
}

/* What the usage calls the n-th argument. */
static void add_argument(const struct ctl_command *k, unsigned n, struct strbuf *to)
{
        const char *at = k->synopsis;

        while (n-- > 0) {
                at += strcspn(at, " ");
                at += strspn(at, " ");
        }
        strbuf_add(to, at, strcspn(at, " "));
}

bool ctl_arguments(struct ctl *c, const struct ctl_option *options, const char **words, unsigned least,
                   unsigned most, enum ctl_exit *ret_status)
{
        struct strbuf CLEANUP(strbuf_free) why = {};
        struct ctl_option globals[CTL_GLOBALS + 1];
        const struct ctl_option *const tables[] = { options, globals, NULL };
        struct ctl_words found = { .words = words, .max = most };

        if (c->listen) {
                c->listen(options, c->listen_arg);
                *ret_status = CTL_OK;
                return false;
        }
        ctl_global_options(c, globals);
        if (ctl_parse(c->argc, c->argv, tables, &found, &why) < 0) {
                *ret_status = wrong_arguments(c->command, why.data);
                return false;
        }
        if (c->colour && !terminal_set_colours(c->colour)) {
                *ret_status = wrong_arguments(c->command, "--colour: it is auto, always or never");
                return false;
        }
        if (c->help) {
                print_command_usage(c->command, options);
                *ret_status = CTL_OK;
                return false;
        }
        if (found.n < least) {
                add_argument(c->command, found.n, &why);
                strbuf_adds(&why, " is missing");
                *ret_status = wrong_arguments(c->command, why.data);
                return false;
        }
        c->by = deadline_in_s(c->timeout_s > 0 ? c->timeout_s : DEFAULT_S);
        return true;
}

void ctl_may_take_long(struct ctl *c)
{
        if (c->timeout_s <= 0)
                c->by = deadline_in_s(DEFAULT_LONG_S);
}
