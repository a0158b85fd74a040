/*
 * agent/compute/console.c: what the guest wrote to its serial console, as text (nova-contract 3.4).
 */
#define LOG_MODULE "compute.console"
#include "compute/compute_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "compute/text.h"

struct console_work {
        int64_t tail;
        char *text;
};

/* The console's bytes are decoded as ASCII, as nova does; all else becomes U+FFFD. NUL too: C readers. */
char *console_to_text(const char *bytes, size_t len)
{
        struct strbuf out = {};

        for (size_t i = 0; i < len; i++) {
                unsigned char c = (unsigned char)bytes[i];

                if (c == 0 || c >= 0x80)
                        strbuf_adds(&out, "\xef\xbf\xbd");
                else
                        strbuf_add(&out, &bytes[i], 1);
        }
        return strbuf_take(&out, NULL);
}

/* The last n pieces between newlines: a newline at the end makes an empty last piece. */
const char *console_tail(const char *text, int64_t n)
{
        const char *at = text + strlen(text);

        if (n == COMPUTE_TAIL_ALL || n < 0)
                return text;
        if (n == 0)
                return at;
        while (at > text) {
                if (at[-1] == '\n' && --n == 0)
                        return at;
                at--;
        }
        return text;
}

static int console_body(struct action *a, struct error *err)
{
        struct console_work *w = a->arg;
        struct virt_driver *d = a->m->driver;
        CLEANUP(freep) char *path = NULL;
        CLEANUP(freep) char *bytes = NULL;
        CLEANUP(freep) char *text = NULL;
        size_t len = 0;

        assert_green();
        if (d->ops->console_path(d, a->uuid, &path, a->by, err) < 0)
                return -1;
        if (disks_console_read(a->m->disks, path, 0, &bytes, &len, a->by, err) < 0)
                return error_while(err, "reading the console log");
        text = console_to_text(bytes, len);
        w->text = xstrdup(console_tail(text, w->tail));
        return 0;
}

int compute_console_output(struct compute_manager *m, const struct compute_call *c, int64_t tail, char **ret,
                           struct error *err)
{
        static const struct action_kind kind = {
                .method = "get_console_output",
                .wraps = WRAP_FAULT,
                .body = console_body,
        };
        struct console_work work = { .tail = tail };

        if (action_run(m, &kind, c, &work, err) < 0)
                return -1;
        *ret = work.text;
        return 0;
}
