/*
 * agent/import/ini.c: oslo.config's own dialect of INI.
 *
 * A line that begins with a blank goes on with the value before it, whatever stands there, also "# text". A
 * value ends with an empty line, a comment or the next line that begins at the left. The first ":" or "="
 * ends the name. One pair of quotes around the first line of a value goes away. Nothing ends a value before
 * the end of its line: "#" in it is a part of it.
 */
#include "import/ini.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "conf/conf.h"

#define FILE_MAX (4u << 20)

struct parser {
        struct ini *ini;
        const char *path;
        int line;
        char *group; /* NULL before the first [GROUP] */
        char *key;   /* of the value being read, or NULL */
        int key_line;
        bool broken; /* the line before was a mistake: what goes on with it was told with it */
        struct strbuf value;
        struct strbuf *errors;
        size_t n_mistakes;
};

static void mistake(struct parser *p, const char *what)
{
        strbuf_addf(p->errors, "%s:%d: %s\n", p->path, p->line, what);
        p->n_mistakes++;
        p->broken = true;
}

/* The value is complete. */
static void flush(struct parser *p)
{
        struct ini *i = p->ini;

        if (!p->key)
                return;
        i->values = xrealloc(i->values, (i->n_values + 1) * sizeof(*i->values));
        i->values[i->n_values++] = (struct ini_value){ .group = xstrdup(p->group),
                                                       .key = take_ptr(&p->key),
                                                       .text = strbuf_take(&p->value, NULL),
                                                       .file = i->n_files - 1,
                                                       .line = p->key_line };
}

static void read_group(struct parser *p, const char *s, size_t len)
{
        if (s[len - 1] != ']') {
                mistake(p, "a [GROUP] must end with ] and nothing after it");
                return;
        }
        if (len == 2) {
                mistake(p, "the group has no name");
                return;
        }
        free(p->group);
        p->group = xstrndup(s + 1, len - 2);
        if (strcmp(p->group, "DEFAULT") != 0)
                for (char *c = p->group; *c; c++)
                        *c = (char)tolower((unsigned char)*c);
}

static void read_assignment(struct parser *p, const char *s, size_t len)
{
        size_t name = 0, from;

        while (name < len && s[name] != '=' && s[name] != ':')
                name++;
        if (name == len) {
                mistake(p, "there is no = or : after the name");
                return;
        }
        from = name + 1;
        while (name > 0 && isspace((unsigned char)s[name - 1]))
                name--;
        if (name == 0) {
                mistake(p, "there is no name before the = or :");
                return;
        }
        if (!p->group) {
                mistake(p, "a [GROUP] must stand before the first option");
                return;
        }
        while (from < len && isspace((unsigned char)s[from]))
                from++;
        if (from < len && (s[from] == '"' || s[from] == '\'') && s[from] == s[len - 1]) {
                from++;
                len -= from < len; /* one quote alone is both ends */
        }
        p->key = xstrndup(s, name);
        p->key_line = p->line;
        strbuf_add(&p->value, s + from, len - from);
}

static void read_line(struct parser *p, const char *s, size_t len)
{
        while (len > 0 && isspace((unsigned char)s[len - 1]))
                len--;
        if (len > 0 && (*s == ' ' || *s == '\t')) {
                while (isspace((unsigned char)*s))
                        s++, len--;
                if (p->key) {
                        strbuf_adds(&p->value, "\n");
                        strbuf_add(&p->value, s, len);
                } else if (!p->broken) {
                        mistake(p,
                                "a line that begins with a blank goes on with the one before it, and there "
                                "is no value before it");
                }
                return;
        }
        flush(p);
        p->broken = false;
        if (len == 0 || *s == '#' || *s == ';')
                return;
        if (*s == '[')
                read_group(p, s, len);
        else
                read_assignment(p, s, len);
}

size_t ini_parse(struct ini *i, const char *path, const char *text, size_t len, struct strbuf *errors)
{
        struct parser p = { .ini = i, .path = path, .errors = errors };
        const char *s = text, *end = text + len;

        i->files = xrealloc(i->files, (i->n_files + 1) * sizeof(*i->files));
        i->files[i->n_files++] = xstrdup(path);
        if (len >= 3 && memcmp(s, "\xef\xbb\xbf", 3) == 0) {
                p.line = 1;
                mistake(&p, "the file begins with a byte order mark: save it without one");
                s += 3;
        }
        for (p.line = 1; s < end; p.line++) {
                const char *nl = s;

                while (nl < end && *nl != '\n' && *nl != '\r')
                        nl++;
                if (memchr(s, '\0', (size_t)(nl - s))) {
                        mistake(&p, "a null byte stands on this line");
                        break; /* the rest cannot be read as text */
                }
                read_line(&p, s, (size_t)(nl - s));
                s = nl + 1 + (nl + 1 < end && nl[0] == '\r' && nl[1] == '\n');
        }
        flush(&p);
        free(p.group);
        strbuf_free(&p.value);
        return p.n_mistakes;
}

static int is_conf(const struct dirent *d)
{
        size_t len = strlen(d->d_name);

        return d->d_name[0] != '.' && len > 5 && strcmp(d->d_name + len - 5, ".conf") == 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
        return strcmp((*a)->d_name, (*b)->d_name);
}

/* False: it cannot be read. */
static bool read_file(struct ini *i, const char *path, size_t *n_mistakes, struct strbuf *errors)
{
        CLEANUP(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        CLEANUP(strbuf_free) struct strbuf text = {};
        struct error err = {};

        if (fd < 0)
                error_system(&err, errno, "cannot be opened");
        if (fd < 0 || conf_read_text(fd, FILE_MAX, &text, &err) < 0) {
                strbuf_addf(errors, "%s: %s\n", path, err.text);
                return false;
        }
        *n_mistakes += ini_parse(i, path, text.len ? text.data : "", text.len, errors);
        if (text.len)
                explicit_bzero(text.data, text.len);
        return true;
}

bool ini_read(struct ini *i, const char *path, size_t *n_mistakes, struct strbuf *errors)
{
        struct dirent **names;
        struct stat st;
        bool all = true;
        int n;

        if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
                return read_file(i, path, n_mistakes, errors);
        n = scandir(path, &names, is_conf, by_bytes);
        if (n < 0) {
                struct error err;

                error_system(&err, errno, "cannot be read");
                strbuf_addf(errors, "%s: %s\n", path, err.text);
                return false;
        }
        for (int k = 0; k < n; k++) {
                CLEANUP(freep) char *file = xasprintf("%s/%s", path, names[k]->d_name);

                all &= read_file(i, file, n_mistakes, errors);
                free(names[k]);
        }
        free(names);
        return all;
}

void ini_free(struct ini *i)
{
        for (size_t k = 0; k < i->n_values; k++) {
                struct ini_value *v = &i->values[k];

                free(v->group);
                free(v->key);
                free_secret(v->text);
        }
        for (size_t k = 0; k < i->n_files; k++)
                free(i->files[k]);
        free(i->values);
        free(i->files);
        *i = (struct ini){};
}

const struct ini_value *ini_last(const struct ini *i, size_t file, const char *group, const char *key)
{
        for (size_t k = i->n_values; k-- > 0;) {
                const struct ini_value *v = &i->values[k];

                if (v->file == file && strcmp(v->group, group) == 0 && strcmp(v->key, key) == 0)
                        return v;
        }
        return NULL;
}
