/* tests/support/fake_store_objects.c: agent/store/instance_objects.c in memory: objects that only have a
 * uuid. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "fake_store.h"
#include "json/json.h"
#include "model/primitive.h"

static bool is_ours(const struct store *s, const struct instance *i)
{
        return !i->deleted && i->host && strcmp(i->host, s->host) == 0;
}

static struct jval *object_of(const struct instance *i)
{
        struct jval *data = jval_new_object();

        jval_set_text(data, "uuid", i->uuid);
        return nova_object("Instance", "2.7", data);
}

int store_instance_objects(struct store *s, const char *uuid, unsigned most, int64_t *at, struct jval **ret,
                           struct deadline by, struct error *err)
{
        const struct instance *i;
        struct jval *list;

        if (fake_store_enter(__func__, by, err) < 0)
                return -1;
        list = jval_new_array();
        for (unsigned k = 0; (i = fake_store_nth(k)) && jval_len(list) < most; k++) {
                if (!is_ours(s, i) || (uuid ? strcmp(i->uuid, uuid) != 0 : i->id <= *at))
                        continue;
                jval_push(list, object_of(i));
                if (!uuid)
                        *at = i->id;
        }
        *ret = list;
        return 0;
}

int store_instance_uuids(struct store *s, struct uuid_text **ret, unsigned *ret_n, struct deadline by,
                         struct error *err)
{
        const struct instance *i;
        unsigned n = 0;

        if (fake_store_enter(__func__, by, err) < 0)
                return -1;
        *ret = xcalloc(64, sizeof(**ret));
        for (unsigned k = 0; (i = fake_store_nth(k)); k++)
                if (is_ours(s, i))
                        memcpy((*ret)[n++].text, i->uuid, sizeof(i->uuid));
        *ret_n = n;
        return 0;
}
