/*
 * agent/import/import.h: a compute-agent.conf made of nova's configuration files. Once in the life of a host,
 * before any thread: it blocks as files do.
 */
#pragma once

#include <stddef.h>

#include "base/strbuf.h"

enum import_outcome {
        IMPORT_WHOLE,      /* out is complete */
        IMPORT_INCOMPLETE, /* out is good, but the agent needs more: said and a comment in out tell what */
        IMPORT_NO_INPUT,   /* a file cannot be read; out is empty */
        IMPORT_WRONG,      /* the files have mistakes, or what this agent cannot be; out is empty */
};

/*
 * paths: files, or directories of *.conf, in the order in which nova-compute was given them. out holds
 * passwords, said none: it gets what an operator must know, one line each.
 */
enum import_outcome import_nova_conf(char *const *paths, size_t n, struct strbuf *out, struct strbuf *said);

/* `compute-agent import-nova-conf ...`: argv[0] is that word. Returns the exit status. */
int import_command(int argc, char **argv);
