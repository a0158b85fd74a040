/*
 * agent/options.h: the command line of compute-agent.
 */
#pragma once

#include <getopt.h>
#include <stdbool.h>

#include "base/log.h"
#include "base/strbuf.h"
#include "conf/conf.h"

#define OPTIONS_SOURCES 32
#define EXIT_USAGE      2
#define EXIT_CONF       78 /* sysexits.h: a configuration error; a service manager need not try again */

struct options {
        struct conf_source sources[OPTIONS_SOURCES]; /* of the settings, in the order given; paths of argv */
        unsigned n_sources;                          /* 0: the default ones */
        const char *log_file;                        /* borrowed from argv; NULL: not given */
        bool debug; /* thread patching off: what would be green threads are native ones */
        bool has_log_level;
        enum log_level log_level;
        bool check_config, dump_config, show_secrets, list_patched;
};

enum options_outcome {
        OPTIONS_GO,    /* start, check or dump, as ret says */
        OPTIONS_DONE,  /* out has what was asked for (--help, --version): print it, exit with 0 */
        OPTIONS_WRONG, /* out has what is wrong: print it to stderr, exit with EXIT_USAGE */
};

enum options_outcome options_parse(struct options *ret, int argc, char **argv, struct strbuf *out);

/* Every option, as getopt_long() takes them; agent/man/compute-agent.8 is compared with it. */
extern const struct option options_table[];
