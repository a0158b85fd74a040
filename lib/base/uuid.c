/* lib/base/uuid.c: random bytes of the kernel, written as nova and oslo write identifiers. */
#include "base/uuid.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

static void random_bytes(void *ret, size_t n)
{
        /* Up to 256 bytes come whole; only a signal while the pool is not yet seeded can interrupt. */
        while (getrandom(ret, n, 0) != (ssize_t)n) {
                if (errno == EINTR)
                        continue;
                perror("getrandom");
                abort();
        }
}

static bool is_dash(int i)
{
        return i == 8 || i == 13 || i == 18 || i == 23;
}

void uuid_new_hex(char ret[UUID_HEX_LEN + 1])
{
        static const char digits[] = "0123456789abcdef";
        uint8_t b[UUID_HEX_LEN / 2];

        random_bytes(b, sizeof(b));
        b[6] = (b[6] & 0x0f) | 0x40;
        b[8] = (b[8] & 0x3f) | 0x80;
        for (size_t i = 0; i < sizeof(b); i++) {
                ret[2 * i] = digits[b[i] >> 4];
                ret[2 * i + 1] = digits[b[i] & 0x0f];
        }
        ret[UUID_HEX_LEN] = '\0';
}

void uuid_new(char ret[UUID_LEN + 1])
{
        char hex[UUID_HEX_LEN + 1];
        const char *at = hex;

        uuid_new_hex(hex);
        for (int i = 0; i < UUID_LEN; i++)
                ret[i] = is_dash(i) ? '-' : *at++;
        ret[UUID_LEN] = '\0';
}

bool uuid_is(const char *s)
{
        if (!s)
                return false;
        for (int i = 0; i < UUID_LEN; i++) {
                bool hex = (s[i] >= '0' && s[i] <= '9') || ((s[i] | 0x20) >= 'a' && (s[i] | 0x20) <= 'f');

                if (is_dash(i) ? s[i] != '-' : !hex)
                        return false;
        }
        return s[UUID_LEN] == '\0';
}

double random_part(void)
{
        uint32_t r;

        random_bytes(&r, sizeof(r));
        return r / 4294967296.0;
}
