/*
 * agent/import/command.c: `compute-agent import-nova-conf`: its words, its files and its exit status.
 */
#include "import/import.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"

/* sysexits.h, and one of ours */
enum {
        STATUS_OK = 0,
        STATUS_NOT_WRITTEN = 1,
        STATUS_USAGE = 2,
        STATUS_INCOMPLETE = 3,
        STATUS_NO_INPUT = 66,
        STATUS_WRONG = 78
};

static const char import_usage[] =
        "Usage: compute-agent import-nova-conf [--output FILE] NOVA-CONF...\n"
        "\n"
        "Prints a compute-agent.conf made of nova's configuration files. Name them, or directories of "
        "*.conf,\n"
        "in the order in which nova-compute is given them: later ones overrule earlier ones.\n"
        "\n"
        "  --output FILE  write it to FILE, which must not be there yet and is readable for its owner only:\n"
        "                 there are passwords in it\n"
        "\n"
        "Exit status: 0 done; 3 done, but something must be filled in; 66 a file cannot be read; 78 the "
        "files\n"
        "have mistakes; 1 the output cannot be written; 2 wrong command line.\n";

static int wrong(const char *what, const char *word)
{
        fprintf(stderr, "compute-agent import-nova-conf: %s%s\n\n%s", what, word, import_usage);
        return STATUS_USAGE;
}

static int write_all(int fd, const struct strbuf *text, const char *name, struct error *err)
{
        for (size_t at = 0; at < text->len;) {
                ssize_t n = write(fd, text->data + at, text->len - at);

                if (n < 0 && errno != EINTR)
                        return error_system(err, errno, "%s cannot be written", name);
                at += n > 0 ? (size_t)n : 0;
        }
        return 0;
}

/* Nothing is left of a file that could not be written to its end. */
static int write_file(const char *path, const struct strbuf *text, struct error *err)
{
        CLEANUP(closep) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

        if (fd < 0 && errno == EEXIST)
                return error_set(err, ERR_BUSY, "%s is there already: remove it, or name another one", path);
        if (fd < 0)
                return error_system(err, errno, "%s cannot be made", path);
        if (write_all(fd, text, path, err) < 0 ||
            (fsync(fd) < 0 && error_system(err, errno, "%s cannot be written", path) < 0)) {
                unlink(path);
                return -1;
        }
        return 0;
}

/* Each line with our name before it. */
static void say(const struct strbuf *said)
{
        const char *at = said->len ? said->data : "";

        while (*at) {
                size_t len = strcspn(at, "\n");

                fprintf(stderr, "compute-agent import-nova-conf: %.*s\n", (int)len, at);
                at += len + (at[len] == '\n');
        }
}

static int status_of(enum import_outcome outcome)
{
        switch (outcome) {
        case IMPORT_WHOLE:
                return STATUS_OK;
        case IMPORT_INCOMPLETE:
                return STATUS_INCOMPLETE;
        case IMPORT_NO_INPUT:
                return STATUS_NO_INPUT;
        case IMPORT_WRONG:
                break;
        }
        return STATUS_WRONG;
}

static int import(char *const *paths, size_t n, const char *output)
{
        CLEANUP(strbuf_free) struct strbuf out = {}, said = {};
        int status = status_of(import_nova_conf(paths, n, &out, &said));
        struct error err = {};

        say(&said);
        if (out.len &&
            (output ? write_file(output, &out, &err) : write_all(STDOUT_FILENO, &out, "stdout", &err)) < 0) {
                fprintf(stderr, "compute-agent import-nova-conf: %s\n", err.text);
                status = STATUS_NOT_WRITTEN;
        }
        if (out.len)
                explicit_bzero(out.data, out.len);
        return status;
}

int import_command(int argc, char **argv)
{
        const char *output = NULL;
        int i;

        for (i = 1; i < argc && argv[i][0] == '-'; i++) {
                if (strcmp(argv[i], "--") == 0) {
                        i++;
                        break;
                }
                if (strcmp(argv[i], "--help") == 0) {
                        fputs(import_usage, stdout);
                        return STATUS_OK;
                }
                if (strncmp(argv[i], "--output=", 9) == 0)
                        output = argv[i] + 9;
                else if (strcmp(argv[i], "--output") != 0)
                        return wrong("there is no option ", argv[i]);
                else if (++i == argc)
                        return wrong("--output needs the name of a file", "");
                else
                        output = argv[i];
        }
        if (output && !*output)
                return wrong("--output needs the name of a file", "");
        if (i == argc)
                return wrong("name at least one file of nova's", "");
        return import(argv + i, (size_t)(argc - i), output);
}
