/* agent/model/flavor.c: copying a flavor out of a request that ends before the work does; its extra specs. */
#include "model/instance.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void flavor_clear(struct flavor *f)
{
        for (unsigned i = 0; i < f->n_extra_specs; i++) {
                free(f->extra_specs[i].key);
                free(f->extra_specs[i].value);
        }
        free(f->extra_specs);
        free(f->name);
        free(f->flavorid);
        *f = (struct flavor){};
}

void flavor_copy(struct flavor *to, const struct flavor *from)
{
        struct flavor copy = *from;

        copy.name = xstrdup(from->name);
        copy.flavorid = xstrdup(from->flavorid);
        copy.extra_specs = NULL;
        copy.n_extra_specs = 0;
        for (unsigned i = 0; i < from->n_extra_specs; i++)
                flavor_add_extra_spec(&copy, from->extra_specs[i].key, from->extra_specs[i].value);
        flavor_clear(to);
        *to = copy;
}

const char *flavor_extra_spec(const struct flavor *f, const char *key)
{
        for (unsigned i = 0; i < f->n_extra_specs; i++)
                if (strcmp(f->extra_specs[i].key, key) == 0)
                        return f->extra_specs[i].value;
        return NULL;
}

void flavor_add_extra_spec(struct flavor *f, const char *key, const char *value)
{
        f->extra_specs = xrealloc(f->extra_specs, (f->n_extra_specs + 1) * sizeof(*f->extra_specs));
        f->extra_specs[f->n_extra_specs++] =
                (struct instance_meta){ .key = xstrdup(key), .value = xstrdup(value) };
}
