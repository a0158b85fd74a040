/* agent/model/flavor.c: copying a flavor out of a request that ends before the work does. */
#include "model/instance.h"

#include <stdlib.h>

#include "base/mem.h"

void flavor_clear(struct flavor *f)
{
        free(f->name);
        free(f->flavorid);
        *f = (struct flavor){};
}

void flavor_copy(struct flavor *to, const struct flavor *from)
{
        struct flavor copy = *from;

        copy.name = xstrdup(from->name);
        copy.flavorid = xstrdup(from->flavorid);
        flavor_clear(to);
        *to = copy;
}
