/*
 * agent/main.c: from the command line to the hub.
 *
 * Patching comes first, before any other thread and before anything could block; only --debug must be known
 * for it. Exit status: 0 stopped as asked, 1 a part failed, 2 wrong command line, 78 (EX_CONFIG) wrong
 * configuration, which a service manager must not retry.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOG_MODULE "agent"
#include "agent.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "green/green.h"
#include "import/import.h"
#include "json/json.h"
#include "list_patched.h"
#include "logging.h"
#include "options.h"
#include "patcher/patcher.h"
#include "process.h"

/* The unit's sandbox looks like a file system that is mounted read-only. */
static const char *sandbox_hint(const struct error *err)
{
        if (err->sys != EROFS || !getenv("INVOCATION_ID"))
                return "";
        return "; the unit lets it write below /var/lib/compute-agent: for other places a drop-in with "
               "ReadWritePaths= is needed";
}

static int give_up(int status, const struct error *err)
{
        fprintf(stderr, "compute-agent: %s%s\n", err->text, sandbox_hint(err));
        return status;
}

static void say_what_is_patched(bool debug)
{
        if (debug)
                log_warning("--debug: threads are NOT patched: code that calls pthread_create gets native "
                            "threads, visible to gdb and independent of the hub");
        log_info("compute-agent " AGENT_VERSION
                 " starting: patched socket=%d select=%d time=%d thread=%d os=%d",
                 is_patched(PATCH_SOCKET), is_patched(PATCH_SELECT), is_patched(PATCH_TIME),
                 is_patched(PATCH_THREAD), is_patched(PATCH_OS));
}

static int run(const struct options *opt, struct conf *conf)
{
        struct hub_options hub = { .stack_size = (size_t)conf->hub.stack_size_kb * 1024 };
        struct agent_options agent = { .conf = conf, .options = opt };
        struct error err = {};
        int r;

        if (process_prepare(conf, &err) < 0 || logging_start(opt, conf, &err) < 0)
                return give_up(EXIT_FAILURE, &err);
        say_what_is_patched(opt->debug);
        if (*conf->notes)
                log_warning("configuration:\n%s", conf->notes);
        r = hub_run(agent_main, &agent, &hub, &err);
        if (r < 0)
                log_critical("giving up: %s%s", err.text, sandbox_hint(&err));
        log_stop();
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* The command line, then patching: nothing before could block. -1: go on; else the exit status. */
static int read_options(struct options *opt, int argc, char **argv)
{
        CLEANUP(strbuf_free) struct strbuf out = {};
        struct error err;

        switch (options_parse(opt, argc, argv, &out)) {
        case OPTIONS_GO:
                break;
        case OPTIONS_DONE:
                fputs(out.data, stdout);
                return EXIT_SUCCESS;
        case OPTIONS_WRONG:
                fputs(out.data, stderr);
                return EXIT_USAGE;
        }
        if (monkey_patch(opt->debug ? PATCH_ALL & ~PATCH_OS & ~PATCH_THREAD : PATCH_ALL & ~PATCH_OS, &err) <
            0)
                return give_up(EXIT_FAILURE, &err);
        if (!opt->list_patched)
                return -1;
        list_patched(&out);
        fputs(out.data, stdout);
        return EXIT_SUCCESS;
}

static unsigned what_is_checked(const struct options *opt)
{
        if (opt->dump_config)
                return 0;
        return CONF_FOR_START | (opt->check_config ? CONF_MACHINE : 0);
}

int main(int argc, char **argv)
{
        struct options opt;
        CLEANUP(strbuf_free) struct strbuf text = {};
        struct conf *conf;
        int status;

        if (argc > 1 && strcmp(argv[1], "import-nova-conf") == 0)
                return import_command(argc - 1, argv + 1);
        status = read_options(&opt, argc, argv);
        if (status >= 0)
                return status;
        jval_init();
        conf = conf_load_from(&(struct conf_from){ opt.sources, opt.n_sources, what_is_checked(&opt) },
                              &text);
        if (!conf) {
                fputs(text.data, stderr);
                return EXIT_CONF;
        }
        status = EXIT_SUCCESS;
        if (opt.check_config) {
                printf("%s%s: no mistakes found\n", conf->notes, conf->path);
        } else if (opt.dump_config) {
                conf_dump(conf, CONF_DUMP_PLACES | (opt.show_secrets ? CONF_DUMP_SECRETS : 0), &text);
                fputs(text.data, stdout);
        } else {
                status = run(&opt, conf);
        }
        conf_free(conf);
        return status;
}
