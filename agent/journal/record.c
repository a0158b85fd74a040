/* agent/journal/record.c: lines of JSON to operations and back. */
#include "journal/record.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "json/json.h"

#define PROGRAM     "compute-agent"
#define ENTRIES_MAX 10000 /* more than can ever be in flight: such a file is none of ours */

/* Takes over v. */
static void add_line(struct strbuf *to, struct jval *v)
{
        size_t len;
        char *text = jval_print(v, &len);

        strbuf_add(to, text, len);
        strbuf_adds(to, "\n");
        free(text);
        jval_unref(v);
}

void record_header(struct strbuf *to, const char *host)
{
        struct jval *v = jval_new_object();

        jval_set_text(v, "journal", PROGRAM);
        jval_set_int(v, "format", JOURNAL_FORMAT);
        jval_set_text(v, "host", host);
        jval_set_text(v, "version", AGENT_VERSION);
        jval_set_int(v, "pid", getpid());
        add_line(to, v);
}

void record_begin(struct strbuf *to, const struct journal_entry *e)
{
        struct jval *v = jval_new_object();

        jval_set_int(v, "id", (int64_t)e->id);
        jval_set_text(v, "begin", e->method);
        jval_set_text(v, "instance", e->uuid);
        jval_set_text(v, "request_id", e->request_id);
        jval_set_text(v, "step", e->step);
        jval_set_int(v, "at", e->begun_at);
        jval_set_text(v, "version", e->version);
        jval_set_int(v, "pid", e->pid);
        add_line(to, v);
}

void record_step(struct strbuf *to, uint64_t id, const char *step)
{
        struct jval *v = jval_new_object();

        jval_set_int(v, "id", (int64_t)id);
        jval_set_text(v, "step", step);
        add_line(to, v);
}

void record_end(struct strbuf *to, uint64_t id)
{
        struct jval *v = jval_new_object();

        jval_set_int(v, "id", (int64_t)id);
        jval_set_bool(v, "end", true);
        add_line(to, v);
}

/* ---- and back ---- */

void journal_entry_free(struct journal_entry *e)
{
        list_remove(&e->node);
        free(e->method);
        free(e->request_id);
        free(e->step);
        free(e->version);
        free(e);
}

void journal_content_free(struct journal_content *c)
{
        struct list *node;

        while (c->entries.next && (node = list_pop(&c->entries)))
                journal_entry_free(CONTAINER_OF(node, struct journal_entry, node));
        free(c->version);
        *c = (struct journal_content){};
}

static int take_header(const struct jval *v, const char *host, struct journal_content *c, struct error *err)
{
        const char *theirs = jval_get_text(v, "host", "");
        int64_t format = jval_get_int(v, "format", 0);

        if (strcmp(jval_get_text(v, "journal", ""), PROGRAM) != 0 || format < 1)
                return error_set(err, ERR_INVALID, "it is no journal of a compute-agent");
        if (format > JOURNAL_FORMAT)
                return error_set(err, ERR_INVALID,
                                 "it has format %" PRId64 " of compute-agent %.32s, this is " AGENT_VERSION
                                 ", which knows none after %d",
                                 format, jval_get_text(v, "version", "?"), JOURNAL_FORMAT);
        if (strcmp(theirs, host) != 0)
                return error_set(err, ERR_INVALID, "it is of host %.64s, this is %.64s", theirs, host);
        c->version = xstrdup(jval_get_text(v, "version", "?"));
        c->pid = jval_get_int(v, "pid", 0);
        return 0;
}

static struct journal_entry *entry_of(const struct journal_content *c, uint64_t id)
{
        list_for_each (node, &c->entries) {
                struct journal_entry *e = CONTAINER_OF(node, struct journal_entry, node);

                if (e->id == id)
                        return e;
        }
        return NULL;
}

static bool take_begin(const struct jval *v, uint64_t id, struct journal_content *c)
{
        const char *method = jval_get_text(v, "begin", NULL), *uuid = jval_get_text(v, "instance", NULL);
        struct journal_entry *e;

        if (!method || !uuid_is(uuid) || entry_of(c, id))
                return false;
        e = NEW(struct journal_entry);
        e->id = id;
        memcpy(e->uuid, uuid, UUID_LEN);
        e->method = xstrdup(method);
        e->request_id = xstrdup(jval_get_text(v, "request_id", ""));
        e->step = xstrdup(jval_get_text(v, "step", ""));
        e->begun_at = jval_get_int(v, "at", 0);
        e->version = xstrdup(jval_get_text(v, "version", "?"));
        e->pid = jval_get_int(v, "pid", 0);
        list_append(&c->entries, &e->node);
        return true;
}

/* False: it cannot be understood. Unknown kinds of records are those of a later version. */
static bool take_record(const struct jval *v, struct journal_content *c)
{
        int64_t id = jval_get_int(v, "id", 0);
        struct journal_entry *e;

        if (jval_type(v) != JVAL_OBJECT || id < 1)
                return false;
        if (jval_get(v, "begin"))
                return take_begin(v, (uint64_t)id, c);
        e = entry_of(c, (uint64_t)id);
        if (e && jval_get_text(v, "step", NULL))
                replace_str(&e->step, jval_get_text(v, "step", NULL));
        if (e && jval_get_bool(v, "end", false))
                journal_entry_free(e);
        return true;
}

static int take_line(const char *line, size_t len, const char *host, bool first, struct journal_content *c,
                     struct error *err)
{
        struct error unreadable;
        struct jval CLEANUP(jval_unrefp) *v = jval_parse(line, len, &unreadable);

        if (first)
                return v ? take_header(v, host, c, err)
                         : error_set(err, ERR_INVALID, "it is no journal of a compute-agent: %s",
                                     unreadable.text);
        if (!v || !take_record(v, c))
                c->unreadable++;
        return 0;
}

static unsigned count(const struct list *l)
{
        unsigned n = 0;

        list_for_each (node, l)
                n++;
        return n;
}

int journal_parse(const char *text, size_t len, const char *host, struct journal_content *ret,
                  struct error *err)
{
        const char *end = text + len, *line = text, *eol;

        *ret = (struct journal_content){};
        list_init(&ret->entries);
        for (; line < end && (eol = memchr(line, '\n', (size_t)(end - line))); line = eol + 1)
                if (take_line(line, (size_t)(eol - line), host, line == text, ret, err) < 0) {
                        journal_content_free(ret);
                        return -1;
                }
        if (count(&ret->entries) > ENTRIES_MAX || (len > 0 && !ret->version)) {
                error_set(err, ERR_INVALID,
                          ret->version ? "it has too many operations" : "its first line has no end");
                journal_content_free(ret);
                return -1;
        }
        return 0;
}
