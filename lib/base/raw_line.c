/* lib/base/raw_line.c: a line that is put together in place and written by one bare system call. */
#include "base/raw_line.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"

void raw_add_bytes(struct raw_line *l, const char *text, size_t len)
{
        if (len > sizeof(l->text) - l->len)
                len = sizeof(l->text) - l->len;
        memcpy(l->text + l->len, text, len);
        l->len += len;
}

void raw_add(struct raw_line *l, const char *text)
{
        raw_add_bytes(l, text, strlen(text));
}

void raw_add_name(struct raw_line *l, const char *name, size_t size)
{
        for (size_t i = 0; i < size && name[i]; i++)
                raw_add_bytes(l, (unsigned char)name[i] < ' ' || name[i] == 127 ? "?" : &name[i], 1);
}

void raw_add_number(struct raw_line *l, uintptr_t n, unsigned base)
{
        char digits[24];
        size_t at = sizeof(digits);

        do
                digits[--at] = "0123456789abcdef"[n % base];
        while (n /= base);
        raw_add_bytes(l, digits + at, sizeof(digits) - at);
}

void raw_add_seconds(struct raw_line *l, int64_t ns)
{
        if (ns < 0)
                ns = 0;
        raw_add_number(l, (uintptr_t)(ns / NS_PER_S), 10);
        raw_add(l, ".");
        raw_add_number(l, (uintptr_t)(ns / (NS_PER_S / 10) % 10), 10);
        raw_add(l, " s");
}

void raw_end(struct raw_line *l)
{
        size_t at = 0;

        if (l->len == sizeof(l->text))
                l->len--;
        l->text[l->len++] = '\n';
        while (at < l->len && !l->failed) {
                long n = syscall(SYS_write, l->fd, l->text + at, l->len - at);

                if (n >= 0)
                        at += (size_t)n;
                else if (errno != EINTR)
                        l->failed = true;
        }
        l->len = 0;
}
