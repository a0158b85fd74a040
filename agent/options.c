/*
 * agent/options.c: the command line, by getopt_long. Options come before the configuration file's settings.
 */
#include "options.h"

#include <string.h>

static const char usage[] =
        "Usage: compute-agent [OPTION]...\n"
        "       compute-agent import-nova-conf [--output FILE] NOVA-CONF...\n"
        "\n"
        "Runs on a hypervisor host and does what the cloud asks of its guests, in the place of "
        "nova-compute.\n"
        "\n"
        "  --config-file FILE  settings; default: /etc/compute-agent.conf, /etc/compute-agent.conf.d\n"
        "  --config-dir DIR    settings: DIR/*.conf in the order of their names. Both may be given several "
        "times;\n"
        "                      later values come before earlier ones\n"
        "  --debug             code that starts threads gets native ones, visible to gdb and in the task "
        "list,\n"
        "                      instead of green ones. Not the log level: that is\n"
        "  --log-level LEVEL   debug, info, warning, error or critical\n"
        "  --log-file FILE     append log lines to FILE instead of standard error\n"
        "  --check-config      tell every mistake in the settings; exit status 78 if there is one\n"
        "  --dump-config       print every setting in effect, passwords masked, and where it was set\n"
        "  --show-secrets      with --dump-config: passwords as they are\n"
        "  --list-patched      print which calls are green here, with --debug or without, and why others are "
        "not\n"
        "  --version           print the version\n"
        "  --help              print this\n"
        "\n"
        "import-nova-conf prints a compute-agent.conf made of nova's own files; --help after it says more.\n"
        "\n"
        "Signals: TERM stops after what runs has finished, INT at once, USR2 writes a report of "
        "everything.\n";

enum {
        OPT_CONFIG_FILE = 256,
        OPT_CONFIG_DIR,
        OPT_DEBUG,
        OPT_LOG_LEVEL,
        OPT_LOG_FILE,
        OPT_CHECK,
        OPT_DUMP,
        OPT_SHOW_SECRETS,
        OPT_LIST_PATCHED,
        OPT_VERSION,
        OPT_HELP
};

const struct option options_table[] = {
        { "config-file", required_argument, NULL, OPT_CONFIG_FILE },
        { "config-dir", required_argument, NULL, OPT_CONFIG_DIR },
        { "debug", no_argument, NULL, OPT_DEBUG },
        { "log-level", required_argument, NULL, OPT_LOG_LEVEL },
        { "log-file", required_argument, NULL, OPT_LOG_FILE },
        { "check-config", no_argument, NULL, OPT_CHECK },
        { "dump-config", no_argument, NULL, OPT_DUMP },
        { "show-secrets", no_argument, NULL, OPT_SHOW_SECRETS },
        { "list-patched", no_argument, NULL, OPT_LIST_PATCHED },
        { "version", no_argument, NULL, OPT_VERSION },
        { "help", no_argument, NULL, OPT_HELP },
        {},
};

static enum options_outcome __attribute__((format(printf, 2, 3)))
wrong(struct strbuf *out, const char *fmt, ...)
{
        va_list ap;

        strbuf_truncate(out, 0);
        strbuf_adds(out, "compute-agent: ");
        va_start(ap, fmt);
        strbuf_vaddf(out, fmt, ap);
        va_end(ap);
        strbuf_adds(out, "\nTry: compute-agent --help\n");
        return OPTIONS_WRONG;
}

static enum options_outcome take_source(struct options *ret, const char *option, bool is_dir,
                                        struct strbuf *out)
{
        if (!*optarg)
                return wrong(out, "%s needs the name of a %s", option, is_dir ? "directory" : "file");
        if (ret->n_sources == OPTIONS_SOURCES)
                return wrong(out, "%s: at most %d files and directories can be named", option,
                             OPTIONS_SOURCES);
        ret->sources[ret->n_sources++] = (struct conf_source){ optarg, is_dir };
        return OPTIONS_GO;
}

/* One option that getopt_long has found. */
static enum options_outcome take(struct options *ret, int option, char **argv, struct strbuf *out)
{
        switch (option) {
        case OPT_CONFIG_FILE:
                return take_source(ret, "--config-file", false, out);
        case OPT_CONFIG_DIR:
                return take_source(ret, "--config-dir", true, out);
        case OPT_DEBUG:
                ret->debug = true;
                return OPTIONS_GO;
        case OPT_LOG_LEVEL:
                if (!log_level_parse(optarg, &ret->log_level))
                        return wrong(out, "--log-level: there is no level \"%s\"", optarg);
                ret->has_log_level = true;
                return OPTIONS_GO;
        case OPT_LOG_FILE:
                ret->log_file = optarg;
                return OPTIONS_GO;
        case OPT_CHECK:
                ret->check_config = true;
                return OPTIONS_GO;
        case OPT_DUMP:
                ret->dump_config = true;
                return OPTIONS_GO;
        case OPT_SHOW_SECRETS:
                ret->show_secrets = true;
                return OPTIONS_GO;
        case OPT_LIST_PATCHED:
                ret->list_patched = true;
                return OPTIONS_GO;
        case OPT_VERSION:
                strbuf_adds(out, "compute-agent " AGENT_VERSION "\n");
                return OPTIONS_DONE;
        case OPT_HELP:
                strbuf_adds(out, usage);
                return OPTIONS_DONE;
        case ':':
                return wrong(out, "%s needs a value", argv[optind - 1]);
        default:
                return wrong(out, "there is no option \"%s\", or it takes no value", argv[optind - 1]);
        }
}

enum options_outcome options_parse(struct options *ret, int argc, char **argv, struct strbuf *out)
{
        enum options_outcome outcome;
        int option;

        *ret = (struct options){};
        opterr = 0;
        optind = 0; /* from the start, also when called a second time */
        while ((option = getopt_long(argc, argv, "+:", options_table, NULL)) != -1) {
                outcome = take(ret, option, argv, out);
                if (outcome != OPTIONS_GO)
                        return outcome;
        }
        if (optind < argc)
                return wrong(out, "\"%s\" is no option", argv[optind]);
        if (ret->log_file && !*ret->log_file)
                return wrong(out, "--log-file needs the name of a file");
        if (ret->check_config + ret->dump_config + ret->list_patched > 1)
                return wrong(out, "--check-config, --dump-config and --list-patched exclude each other");
        if (ret->show_secrets && !ret->dump_config)
                return wrong(out, "--show-secrets belongs to --dump-config");
        return OPTIONS_GO;
}
