/* agent/model/uuid.c: random identifiers, from the kernel: they must be unique over machines and restarts. */
#include "model/uuid.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

static bool is_dash(int i)
{
        return i == 8 || i == 13 || i == 18 || i == 23;
}

void uuid_new(char ret[UUID_LEN + 1])
{
        static const char digits[] = "0123456789abcdef";
        uint8_t b[16];
        int n = 0;

        /* Up to 256 bytes come whole; only a signal while the pool is not yet seeded can interrupt. */
        while (getrandom(b, sizeof(b), 0) != sizeof(b)) {
                if (errno == EINTR)
                        continue;
                perror("getrandom");
                abort();
        }
        b[6] = (b[6] & 0x0f) | 0x40;
        b[8] = (b[8] & 0x3f) | 0x80;
        for (int i = 0; i < UUID_LEN; i++) {
                if (is_dash(i)) {
                        ret[i] = '-';
                        continue;
                }
                ret[i] = digits[n % 2 ? b[n / 2] & 0x0f : b[n / 2] >> 4];
                n++;
        }
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
