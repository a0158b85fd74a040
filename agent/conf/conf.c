/*
 * agent/conf/conf.c: reading the configuration file.
 *
 * check.c looks at the text first and hands on what is sound; libconfuse reads that, and its callback
 * puts each value through the table (table.c, value.c) into struct conf; derive.c does the
 * rest. Everybody adds to the same two lists, mistakes and notes, which are sorted by line at the end.
 *
 * libconfuse gets no defaults and no types: every option is a text with a callback. So nothing depends on how
 * it reads numbers, and the callback is told of each assignment together with its line.
 */
#include "conf/conf.h"

#include <confuse.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "conf/conf_priv.h"

#define FILE_MAX (1024 * 1024)

struct loading {
        struct conf *conf;
        struct findings errors, notes;
        bool unread; /* a file could not be read: what seems to miss may stand there */
};

/* libconfuse's callbacks have no argument of ours. Loading is one call from one thread at a time. */
static __thread struct loading *loading;

static void __attribute__((format(printf, 4, 0)))
add(struct findings *f, unsigned file, int line, const char *fmt, va_list ap)
{
        if (f->n == f->cap) {
                f->cap = f->cap ? 2 * f->cap : 16;
                f->items = xrealloc(f->items, f->cap * sizeof(*f->items));
        }
        f->items[f->n++] = (struct finding){ file, line, xvasprintf(fmt, ap) };
}

void finding_add(struct findings *f, int line, const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        add(f, f->file, line, fmt, ap);
        va_end(ap);
}

void finding_at(struct findings *f, const struct conf_place *where, const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        add(f, where->file, where->line, fmt, ap);
        va_end(ap);
}

static bool comes_before(const struct finding *a, const struct finding *b)
{
        return a->file != b->file ? a->file < b->file : a->line < b->line;
}

/* One line each, sorted. */
static void findings_print(struct findings *f, const struct conf *c, struct strbuf *out)
{
        /* Few, and nearly sorted: insertion keeps the order within a line. */
        for (size_t i = 1; i < f->n; i++) {
                struct finding moving = f->items[i];
                size_t j = i;

                for (; j > 0 && comes_before(&moving, &f->items[j - 1]); j--)
                        f->items[j] = f->items[j - 1];
                f->items[j] = moving;
        }
        for (size_t i = 0; i < f->n; i++) {
                const struct finding *item = &f->items[i];

                strbuf_adds(out, item->file < c->n_files ? c->files[item->file] : "configuration");
                if (item->line > 0)
                        strbuf_addf(out, ":%d", item->line);
                strbuf_addf(out, ": %s\n", item->text);
        }
}

void findings_free(struct findings *f)
{
        for (size_t i = 0; i < f->n; i++)
                free(f->items[i].text);
        free(f->items);
        *f = (struct findings){};
}

int conf_read_text(int fd, size_t max, struct strbuf *text, struct error *err)
{
        char buf[16384];
        struct stat st;
        ssize_t n;

        if (fstat(fd, &st) < 0)
                return error_system(err, errno, "cannot be read");
        if (!S_ISREG(st.st_mode))
                return error_set(err, ERR_INVALID, "is not a regular file");
        while ((n = read(fd, buf, sizeof(buf))) > 0) {
                strbuf_add(text, buf, (size_t)n);
                if (text->len > max)
                        return error_set(err, ERR_LIMIT, "is larger than %zu bytes", max);
        }
        explicit_bzero(buf, sizeof(buf));
        return n < 0 ? error_system(err, errno, "cannot be read") : 0;
}

static int read_file(const char *path, struct strbuf *text, struct error *err)
{
        CLEANUP(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

        if (fd < 0)
                return error_system(err, errno, "cannot be opened");
        if (conf_read_text(fd, FILE_MAX, text, err) < 0)
                return -1;
        if (text->len == 0)
                strbuf_adds(text, "\n");
        return 0;
}

/* Each value that libconfuse reads. An error is noted and 0 returned, so that it goes on. */
static int on_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
        const struct setting *s = setting_find(strcmp(cfg->name, "root") == 0 ? "" : cfg->name, opt->name);
        struct error err = {};

        *(const char **)result = "";
        loading->conf->places[s - settings] =
                (struct conf_place){ ORIGIN_FILE, loading->errors.file, cfg->line };
        if (setting_parse(s, value, loading->conf, &err) < 0)
                finding_add(&loading->errors, cfg->line, "%s %s", s->key, err.text);
        return 0;
}

/* What check.c did not see coming. In sections the line is right and the file's name misses (design 7).
 */
static void __attribute__((format(printf, 2, 0))) on_error(cfg_t *cfg, const char *fmt, va_list ap)
{
        CLEANUP(freep) char *text = xvasprintf(fmt, ap);

        finding_add(&loading->errors, cfg->line, "%s", text);
}

/* The options of one section in libconfuse's words; ends with CFG_END. The caller frees. */
static cfg_opt_t *options_of(const char *section, size_t more, size_t *ret_n)
{
        cfg_opt_t *opts = xcalloc(n_settings + more + 1, sizeof(*opts));
        size_t n = 0;

        for (const struct setting *s = settings; s->key; s++)
                if (strcmp(s->section, section) == 0)
                        opts[n++] = (cfg_opt_t)CFG_STR_CB(s->key, NULL, CFGF_NODEFAULT, on_value);
        *ret_n = n;
        return opts;
}

static cfg_t *new_parser(void)
{
        size_t n, unused;
        cfg_opt_t *top = options_of("", n_settings, &n);
        size_t first_section = n;
        const char *last = "";
        cfg_t *cfg;

        for (const struct setting *s = settings; s->key; s++) {
                if (strcmp(s->section, last) == 0)
                        continue;
                last = s->section;
                top[n++] = (cfg_opt_t)CFG_SEC(last, options_of(last, 0, &unused), CFGF_NONE);
        }
        cfg = cfg_init(top, CFGF_NONE); /* copies */
        for (size_t i = first_section; i < n; i++)
                free(top[i].subopts);
        free(top);
        return cfg;
}

static void parse(const char *path, struct strbuf *clean)
{
        cfg_t *cfg = new_parser();
        FILE *in = clean->len ? fmemopen(clean->data, clean->len, "r") : NULL;
        size_t before = loading->errors.n;

        if (!cfg || (clean->len && !in)) {
                finding_add(&loading->errors, 0, "cannot be parsed: no memory");
        } else if (in) {
                cfg->filename = strdup(path);
                cfg_set_error_function(cfg, on_error);
                if (cfg_parse_fp(cfg, in) != CFG_SUCCESS && loading->errors.n == before)
                        finding_add(&loading->errors, 0, "cannot be parsed");
        }
        if (in)
                fclose(in);
        if (cfg)
                cfg_free(cfg);
}

void setting_defaults(struct conf *c)
{
        struct error err = {};

        for (const struct setting *s = settings; s->key; s++) {
                if (setting_is_text(s))
                        replace_str(setting_text(s, c), "");
                if (setting_parse(s, s->preset, c, &err) < 0) {
                        fprintf(stderr, "default of %s: %s\n", s->key, err.text);
                        abort(); /* the table is wrong; the unit test says so first */
                }
        }
}

/* A password that everybody on the machine can read is worth a word. */
static void check_mode(struct loading *l, unsigned file)
{
        struct stat st;

        if (stat(l->conf->files[file], &st) < 0 || !(st.st_mode & S_IROTH))
                return;
        for (const struct setting *s = settings; s->key; s++) {
                const struct conf_place *place = &l->conf->places[s - settings];

                if (!(s->flags & SETTING_SECRET) || place->origin != ORIGIN_FILE || place->file != file)
                        continue;
                if (strchr(*setting_text(s, l->conf), '@') ||
                    ((s->flags & SETTING_HIDDEN) && **setting_text(s, l->conf))) {
                        finding_at(&l->notes, &(struct conf_place){ .file = file },
                                   "has a password in it and is readable by everyone (mode %03o)",
                                   st.st_mode & 0777);
                        return;
                }
        }
}

static void loading_begin(struct loading *l)
{
        *l = (struct loading){ .conf = NEW(struct conf) };
        l->conf->places = xcalloc(n_settings, sizeof(*l->conf->places));
        setting_defaults(l->conf);
}

static void read_text(struct loading *l, unsigned file, const char *text, size_t len)
{
        CLEANUP(strbuf_free) struct strbuf clean = {};

        loading = l;
        l->errors.file = l->notes.file = file;
        conf_check_text(text, len, &clean, &l->errors, &l->notes);
        parse(l->conf->files[file], &clean);
        l->errors.file = l->notes.file = 0;
        loading = NULL;
}

/* The settings, or NULL and what is wrong. */
static struct conf *loading_end(struct loading *l, unsigned flags, struct strbuf *errors)
{
        CLEANUP(strbuf_free) struct strbuf notes = {}, path = {};
        struct conf *c = l->conf;
        bool good;

        conf_derive(c, &l->errors, &l->notes);
        if ((flags & CONF_FOR_START) && !l->unread && !*c->database.connection &&
            !*c->database.connection_file)
                finding_at(&l->errors, setting_place(c, "database", "connection"),
                           "[database] connection is not set: the agent needs the cell database");
        if ((flags & CONF_MACHINE) && !l->unread)
                conf_check_machine(c, &l->errors, &l->notes);
        good = l->errors.n == 0;
        strbuf_adds(&path, "");
        for (size_t i = 0; i < c->n_files; i++)
                strbuf_addf(&path, "%s%s", i ? ", " : "", c->files[i]);
        c->path = strbuf_take(&path, NULL);
        findings_print(&l->notes, c, &notes);
        c->notes = strbuf_take(&notes, NULL);
        findings_print(&l->errors, c, errors);
        findings_free(&l->errors);
        findings_free(&l->notes);
        if (good)
                return c;
        conf_free(c);
        return NULL;
}

struct conf *conf_load_from(const struct conf_from *from, struct strbuf *errors)
{
        struct loading l;

        loading_begin(&l);
        l.unread = !sources_list(l.conf, from, &l.errors, &l.notes);
        for (unsigned i = 0; i < l.conf->n_files; i++) {
                CLEANUP(strbuf_free) struct strbuf text = {};
                struct error err = {};

                if (read_file(l.conf->files[i], &text, &err) < 0) {
                        finding_at(&l.errors, &(struct conf_place){ .file = i }, "%s", err.text);
                        l.unread = true;
                } else {
                        read_text(&l, i, text.data, text.len);
                }
        }
        conf_expand_paths(l.conf, &l.errors);
        secrets_read(l.conf, from->flags & CONF_WITHOUT_SECRETS, &l.errors, &l.notes);
        for (unsigned i = 0; i < l.conf->n_files; i++)
                check_mode(&l, i);
        return loading_end(&l, from->flags, errors);
}

struct conf *conf_load(const char *path, struct strbuf *errors)
{
        const struct conf_source file = { .path = path };

        return conf_load_from(&(struct conf_from){ .sources = &file, .n = path != NULL }, errors);
}

struct conf *conf_load_text(const char *path, const char *text, struct strbuf *errors)
{
        struct loading l;

        loading_begin(&l);
        read_text(&l, conf_add_file(l.conf, path), text, strlen(text));
        conf_expand_paths(l.conf, &l.errors);
        return loading_end(&l, 0, errors);
}

void conf_free(struct conf *c)
{
        if (!c)
                return;
        for (const struct setting *s = settings; s->key; s++)
                if (setting_is_text(s))
                        free(*setting_text(s, c));
        retired_free(c);
        for (size_t i = 0; i < c->n_files; i++)
                free(c->files[i]);
        free(c->files);
        free(c->places);
        free(c->path);
        free(c->notes);
        free(c);
}
