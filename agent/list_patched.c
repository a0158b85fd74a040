/*
 * agent/list_patched.c: what is patched in this very process: asked of the patcher, not of what we meant to
 * do.
 */
#include "list_patched.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "amqp/connection.h"
#include "base/list.h"
#include "patcher/patcher.h"

static const struct {
        unsigned category;
        const char *name;
} categories[] = {
        { PATCH_SOCKET, "socket" }, { PATCH_SELECT, "select" }, { PATCH_TIME, "time" },
        { PATCH_THREAD, "thread" }, { PATCH_OS, "os" },
};

/* Any one of its categories makes it green. */
static void add_symbol(struct strbuf *out, const struct patched_symbol *symbol)
{
        bool green = false;
        char names[64] = "";

        for (size_t i = 0; i < ARRAY_SIZE(categories); i++) {
                size_t len = strlen(names);

                if (!(symbol->category & categories[i].category))
                        continue;
                green = green || is_patched(categories[i].category);
                snprintf(names + len, sizeof(names) - len, "%s%s", len ? " " : "", categories[i].name);
        }
        strbuf_addf(out, "%-24s %-18s %s\n", symbol->name, names, green ? "yes" : "no");
}

static void add_import(const struct patcher_import *import, void *arg)
{
        struct strbuf *out = arg;

        if (import->patched)
                strbuf_addf(out, "%-24s %s\n", import->symbol, import->redirected ? "green" : "native");
        else
                strbuf_addf(out, "%-24s left alone: %s\n", import->symbol, import->not_patched->because);
}

static void add_library(struct strbuf *out)
{
        struct error err;

        strbuf_addf(out, "\nImport slots of %s\n\n", AMQP_LIBRARY);
        if (green_librabbitmq(&err) < 0 || patcher_list_imports(AMQP_LIBRARY, add_import, out, &err) < 0)
                strbuf_addf(out, "not green: %s\n", err.text);
}

void list_patched(struct strbuf *out)
{
        static const char *const harm[] = { [NOT_PATCHED_BLOCKS] = "blocks",
                                            [NOT_PATCHED_HANDLE] = "native threads only",
                                            [NOT_PATCHED_FINE] = "may be called" };

        strbuf_addf(out, "%-24s %-18s %s\n\n", "SYMBOL", "CATEGORIES", "GREEN");
        for (const struct patched_symbol *s = patched_symbols; s->name; s++)
                add_symbol(out, s);
        add_library(out);
        strbuf_adds(out, "\nNot patched, because\n\n");
        for (const struct not_patched_symbol *s = not_patched_symbols; s->name; s++)
                strbuf_addf(out, "%-26s %-20s %s\n", s->name, harm[s->harm], s->because);
}
