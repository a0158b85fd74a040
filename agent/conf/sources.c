/*
 * agent/conf/sources.c: which files are read, and in which order: as oslo.config has it. Files and
 * directories come in the order of the command line, the files of a directory in that of their names; later
 * values win.
 */
#include "conf/conf_priv.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"

static const struct conf_source defaults[] = { { CONF_DEFAULT_PATH }, { CONF_DEFAULT_DIR, .is_dir = true } };

unsigned conf_add_file(struct conf *c, const char *path)
{
        for (size_t i = 0; i < c->n_files; i++)
                if (strcmp(c->files[i], path) == 0)
                        return (unsigned)i;
        c->files = xrealloc(c->files, (c->n_files + 1) * sizeof(*c->files));
        c->files[c->n_files] = xstrdup(path);
        return (unsigned)c->n_files++;
}

/* As the shell's *.conf: no hidden ones, and nothing that an editor or a package manager left behind. */
static int is_conf(const struct dirent *entry)
{
        size_t len = strlen(entry->d_name);

        return entry->d_name[0] != '.' && len > 5 && strcmp(entry->d_name + len - 5, ".conf") == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
        return strcmp((*a)->d_name, (*b)->d_name);
}

static bool list_dir(struct conf *c, const char *path, const struct conf_from *from, struct findings *errors,
                     struct findings *notes)
{
        struct dirent **entries = NULL;
        int n = scandir(path, &entries, is_conf, by_name);
        bool read = n >= 0 || (errno == ENOENT && from->n == 0);

        if (!read) {
                bool told = (from->flags & CONF_WITHOUT_SECRETS) && errno == EACCES;

                finding_add(told ? notes : errors, 0, "the directory %s cannot be read: %s", path,
                            strerror(errno));
        }
        for (int i = 0; i < n; i++) {
                CLEANUP(freep) char *file = xasprintf("%s/%s", path, entries[i]->d_name);

                conf_add_file(c, file);
                free(entries[i]);
        }
        free(entries);
        return read;
}

bool sources_list(struct conf *c, const struct conf_from *from, struct findings *errors,
                  struct findings *notes)
{
        const struct conf_source *sources = from->n ? from->sources : defaults;
        size_t n = from->n ? from->n : ARRAY_SIZE(defaults);
        bool all = true;

        for (size_t i = 0; i < n; i++) {
                if (!sources[i].is_dir)
                        conf_add_file(c, sources[i].path);
                else if (!list_dir(c, sources[i].path, from, errors, notes))
                        all = false;
        }
        return all;
}
