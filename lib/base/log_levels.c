/*
 * lib/base/log_levels.c: which level a module is logged from.
 *
 * The table is looked at once per call of log_info() and its like, and again after each change: the answer is
 * kept beside the call (struct log_site) with the generation of the table that it comes from. So a line that
 * is not wanted costs two loads and two comparisons, however many modules have a level of their own.
 */
#include <ctype.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "base/mem.h"

#define MODULE_MAX 64 /* the length of a name */
#define LEVELS_MAX 256

struct module_level {
        char module[MODULE_MAX];
        enum log_level level;
};

/* The three low bits are free for a level, see log_passes(); never 0, which is what a new site has. */
_Atomic unsigned log_generation = 8;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* the next three */
static enum log_level min_level = LOG_INFO;
static struct module_level *levels; /* owned */
static size_t n_levels;

static const char *const level_names[] = {
        [LOG_DEBUG] = "DEBUG", [LOG_INFO] = "INFO",         [LOG_WARNING] = "WARNING",
        [LOG_ERROR] = "ERROR", [LOG_CRITICAL] = "CRITICAL",
};

/* ---- the table; with the lock held ---- */

static void changed(void)
{
        unsigned next = atomic_load(&log_generation) + 8;

        atomic_store(&log_generation, next ? next : 8);
}

static struct module_level *find(struct module_level *list, size_t n, const char *module, size_t len)
{
        for (size_t i = 0; i < n; i++)
                if (strlen(list[i].module) == len && memcmp(list[i].module, module, len) == 0)
                        return &list[i];
        return NULL;
}

static bool is_name(const char *module, size_t len)
{
        if (len == 0 || len >= MODULE_MAX || module[0] == '.' || module[len - 1] == '.')
                return false;
        for (size_t i = 0; i < len; i++)
                if (!isalnum((unsigned char)module[i]) && !strchr("._-", module[i]))
                        return false;
        return true;
}

static bool is_below(const char *module, const char *prefix, size_t len)
{
        return strncmp(module, prefix, len) == 0 && (module[len] == '.' || !module[len]);
}

static enum log_level level_of(const char *module)
{
        enum log_level found = min_level;
        size_t longest = 0;

        for (size_t i = 0; i < n_levels; i++) {
                size_t len = strlen(levels[i].module);

                if (len > longest && is_below(module, levels[i].module, len)) {
                        longest = len;
                        found = levels[i].level;
                }
        }
        return found;
}

bool log_passes_anew(struct log_site *site, enum log_level level)
{
        enum log_level from;

        pthread_mutex_lock(&lock);
        from = level_of(site->module);
        atomic_store_explicit(&site->known, atomic_load(&log_generation) | (unsigned)from,
                              memory_order_relaxed);
        pthread_mutex_unlock(&lock);
        return level >= from;
}

/* ---- settings ---- */

void log_set_level(enum log_level level)
{
        pthread_mutex_lock(&lock);
        min_level = level;
        changed();
        pthread_mutex_unlock(&lock);
}

enum log_level log_get_level(void)
{
        enum log_level level;

        pthread_mutex_lock(&lock);
        level = min_level;
        pthread_mutex_unlock(&lock);
        return level;
}

enum log_level log_get_module_level(const char *module)
{
        enum log_level level;

        pthread_mutex_lock(&lock);
        level = level_of(module);
        pthread_mutex_unlock(&lock);
        return level;
}

/* NULL: err says why. *n is the size of *list, both may change. */
static struct module_level *find_or_add(struct module_level **list, size_t *n, const char *module, size_t len,
                                        struct error *err)
{
        struct module_level *m = find(*list, *n, module, len);

        if (m)
                return m;
        if (!is_name(module, len)) {
                error_set(err, ERR_INVALID, "\"%.*s\" is no name of a module, like compute.build",
                          len < MODULE_MAX ? (int)len : MODULE_MAX, module);
                return NULL;
        }
        if (*n == LEVELS_MAX) {
                error_set(err, ERR_INVALID, "more than %d modules with a level of their own", LEVELS_MAX);
                return NULL;
        }
        *list = xrealloc(*list, (*n + 1) * sizeof(**list));
        m = &(*list)[(*n)++];
        *m = (struct module_level){};
        memcpy(m->module, module, len);
        return m;
}

int log_set_module_level(const char *module, enum log_level level, struct error *err)
{
        struct module_level *m;

        pthread_mutex_lock(&lock);
        m = find_or_add(&levels, &n_levels, module, strlen(module), err);
        if (m) {
                m->level = level;
                changed();
        }
        pthread_mutex_unlock(&lock);
        return m ? 0 : -1;
}

bool log_clear_module_level(const char *module)
{
        struct module_level *m;

        pthread_mutex_lock(&lock);
        m = find(levels, n_levels, module, strlen(module));
        if (m) {
                *m = levels[--n_levels];
                changed();
        }
        pthread_mutex_unlock(&lock);
        return m != NULL;
}

/* "module=LEVEL", without blanks around. */
static int parse_one(const char *item, size_t len, struct module_level **list, size_t *n, struct error *err)
{
        const char *equals = memchr(item, '=', len);
        CLEANUP(freep) char *name = NULL;
        struct module_level *m;
        enum log_level level;

        if (!equals)
                return error_set(err, ERR_INVALID, "\"%.*s\" is not like module=LEVEL",
                                 len < MODULE_MAX ? (int)len : MODULE_MAX, item);
        name = xstrndup(equals + 1, len - (size_t)(equals + 1 - item));
        if (!log_level_parse(name, &level))
                return error_set(err, ERR_INVALID,
                                 "\"%.20s\" is no level: DEBUG, INFO, WARNING, ERROR or CRITICAL", name);
        m = find_or_add(list, n, item, (size_t)(equals - item), err);
        if (m)
                m->level = level;
        return m ? 0 : -1;
}

static int parse(const char *text, struct module_level **list, size_t *n, struct error *err)
{
        static const char blanks[] = ", \t";

        for (text += strspn(text, blanks); *text; text += strspn(text, blanks)) {
                size_t len = strcspn(text, blanks);

                if (parse_one(text, len, list, n, err) < 0)
                        return -1;
                text += len;
        }
        return 0;
}

int log_check_module_levels(const char *text, struct error *err)
{
        CLEANUP(freep) struct module_level *list = NULL;
        size_t n = 0;

        return parse(text, &list, &n, err);
}

bool log_find_module_level(const char *text, const char *module, enum log_level *ret)
{
        CLEANUP(freep) struct module_level *list = NULL;
        const struct module_level *m = NULL;
        struct error ignored;
        size_t n = 0;

        if (parse(text, &list, &n, &ignored) == 0)
                m = find(list, n, module, strlen(module));
        if (m)
                *ret = m->level;
        return m != NULL;
}

int log_set_module_levels(const char *text, struct error *err)
{
        CLEANUP(freep) struct module_level *list = NULL;
        struct module_level *before;
        size_t n = 0;

        if (parse(text, &list, &n, err) < 0)
                return -1;
        pthread_mutex_lock(&lock);
        before = levels;
        levels = list;
        n_levels = n;
        changed();
        pthread_mutex_unlock(&lock);
        list = before;
        return 0;
}

void log_foreach_module_level(void (*fn)(const char *module, enum log_level level, void *arg), void *arg)
{
        CLEANUP(freep) struct module_level *copy = NULL;
        size_t n;

        pthread_mutex_lock(&lock);
        n = n_levels;
        if (n)
                copy = (struct module_level *)(void *)xmemdup(levels, n * sizeof(*levels));
        pthread_mutex_unlock(&lock);
        for (size_t i = 0; i < n; i++)
                fn(copy[i].module, copy[i].level, arg);
}

/* ---- names ---- */

bool log_level_parse(const char *name, enum log_level *ret)
{
        if (strcasecmp(name, "warn") == 0) {
                *ret = LOG_WARNING;
                return true;
        }
        for (int i = LOG_DEBUG; i <= LOG_CRITICAL; i++) {
                if (strcasecmp(name, level_names[i]) == 0) {
                        *ret = (enum log_level)i;
                        return true;
                }
        }
        return false;
}

const char *log_level_name(enum log_level level)
{
        return level_names[level];
}
