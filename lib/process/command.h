/*
 * lib/process/command.h: from the options of execute() to what execve() wants, and to what people may read.
 */
#pragma once

#include "process/execute.h"

enum { COMMAND_TEXT_MAX = 160 };

struct command {
        char *path;
        char **argv, **envp;         /* the arrays are owned, the strings borrowed from opt and environ */
        char *helper;                /* owned: the words of the root helper that argv points into */
        char text[COMMAND_TEXT_MAX]; /* for errors: bounded, printable, without secrets */
};

/* opt must outlive it. helper: the words that make a command run as root. */
int command_init(struct command *c, const struct execute_options *opt, const char *helper, struct error *err);
void command_destroy(struct command *c);

/* In place: valid UTF-8 without control characters, passwords become "***". For text that goes into errors.
 */
void make_presentable(char *text);
