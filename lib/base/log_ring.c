/*
 * lib/base/log_ring.c: messages between their callers and the writer, in the order in which they came. All of
 * it with the lock of log_writer.c held, but for log_ring_record().
 */
#include <string.h>

#include "base/log_priv.h"

#define RING_SIZE (512 * 1024)

struct entry { /* then context, NUL, text, NUL, up to a multiple of the alignment of this */
        size_t size;
        size_t context_len, text_len;
        enum log_level level;
        struct log_site *site;
        int64_t time_us;
};

static char ring[RING_SIZE];
static size_t ring_start, ring_len;

bool log_ring_empty(void)
{
        return ring_len == 0;
}

static void ring_put(const void *data, size_t len)
{
        size_t at = (ring_start + ring_len) % RING_SIZE;
        size_t first = len < RING_SIZE - at ? len : RING_SIZE - at;

        memcpy(ring + at, data, first);
        memcpy(ring, (const char *)data + first, len - first);
        ring_len += len;
}

static void ring_get(void *data, size_t len)
{
        size_t first = len < RING_SIZE - ring_start ? len : RING_SIZE - ring_start;

        memcpy(data, ring + ring_start, first);
        memcpy((char *)data + first, ring, len - first);
        ring_start = (ring_start + len) % RING_SIZE;
        ring_len -= len;
        if (ring_len == 0)
                ring_start = 0; /* an idle log touches the first pages only */
}

static size_t size_in_ring(const struct log_record *r)
{
        size_t size = sizeof(struct entry) + r->context_len + r->text_len + 2;

        return (size + __alignof__(struct entry) - 1) / __alignof__(struct entry) * __alignof__(struct entry);
}

bool log_ring_put(const struct log_record *r)
{
        static const char zeros[__alignof__(struct entry) + 1];
        struct entry e = { size_in_ring(r), r->context_len, r->text_len, r->level, r->site, r->time_us };

        if (e.size > RING_SIZE - ring_len)
                return false;
        ring_put(&e, sizeof(e));
        ring_put(r->context, r->context_len);
        ring_put(zeros, 1);
        ring_put(r->text, r->text_len);
        ring_put(zeros, e.size - sizeof(e) - r->context_len - 1 - r->text_len);
        return true;
}

size_t log_ring_take(char *into, size_t size)
{
        size_t n = 0;
        struct entry e;

        while (ring_len > 0) {
                size_t start = ring_start;

                ring_get(&e, sizeof(e));
                if (n + e.size > size) {
                        ring_start = start;
                        ring_len += sizeof(e);
                        break;
                }
                memcpy(into + n, &e, sizeof(e));
                ring_get(into + n + sizeof(e), e.size - sizeof(e));
                n += e.size;
        }
        return n;
}

unsigned long log_ring_drop(void)
{
        unsigned long lines = 0;
        struct entry e;

        while (ring_len > 0) {
                ring_get(&e, sizeof(e));
                lines++;
                for (size_t left = e.size - sizeof(e); left > 0; left--) {
                        char c;

                        ring_get(&c, 1);
                        lines += c == '\n';
                }
        }
        return lines;
}

size_t log_ring_record(const char *taken, struct log_record *ret)
{
        const struct entry *e = (const struct entry *)(const void *)taken;

        *ret = (struct log_record){
                .site = e->site,
                .level = e->level,
                .time_us = e->time_us,
                .context = (const char *)(e + 1),
                .text = (const char *)(e + 1) + e->context_len + 1,
                .context_len = e->context_len,
                .text_len = e->text_len,
        };
        return e->size;
}
