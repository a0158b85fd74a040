/* lib/base/original.c: looking up what the C library itself calls by a name. */
#include "base/original.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

void *original_symbol(const char *name)
{
        void *fn = dlsym(RTLD_DEFAULT, name);

        if (!fn) {
                fprintf(stderr, "original_symbol: the C library has no \"%s\"\n", name);
                abort();
        }
        return fn;
}
