/* agent/model/instance.c: making, freeing and small readings of instances and what belongs to them. */
#include "model/instance.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/strbuf.h"
#include "base/uuid.h"
#include "json/json.h"

struct instance *instance_new(void)
{
        return NEW(struct instance);
}

static void free_meta(struct instance_meta *items, unsigned n)
{
        for (unsigned i = 0; i < n; i++) {
                free(items[i].key);
                free(items[i].value);
        }
        free(items);
}

void instance_free(struct instance *i)
{
        if (!i)
                return;
        free(i->user_id);
        free(i->project_id);
        free(i->image_ref);
        free(i->hostname);
        free(i->display_name);
        free(i->key_name);
        free(i->key_data);
        free(i->user_data);
        free(i->host);
        free(i->node);
        free(i->launched_on);
        free(i->availability_zone);
        free(i->root_device_name);
        free(i->config_drive);
        free(i->os_type);
        free(i->reservation_id);
        free(i->kernel_id);
        free(i->vm_mode);
        free(i->default_ephemeral_device);
        free(i->default_swap_device);
        flavor_clear(&i->flavor);
        free_meta(i->system_metadata, i->n_system_metadata);
        free_meta(i->metadata, i->n_metadata);
        free(i);
}

void instance_freep(struct instance **i)
{
        instance_free(*i);
        *i = NULL;
}

static struct instance_meta *find_meta(const struct instance *i, const char *key)
{
        for (unsigned n = 0; n < i->n_system_metadata; n++)
                if (!strcmp(i->system_metadata[n].key, key))
                        return &i->system_metadata[n];
        return NULL;
}

const char *instance_system_meta(const struct instance *i, const char *key)
{
        const struct instance_meta *m = find_meta(i, key);

        return m ? m->value : NULL;
}

void instance_set_system_meta(struct instance *i, const char *key, const char *value)
{
        struct instance_meta *m = find_meta(i, key);

        if (m && value) {
                replace_str(&m->value, value);
        } else if (m) {
                free(m->key);
                free(m->value);
                *m = i->system_metadata[--i->n_system_metadata];
        } else if (value) {
                i->system_metadata = xrealloc(i->system_metadata,
                                              (i->n_system_metadata + 1) * sizeof(*i->system_metadata));
                m = &i->system_metadata[i->n_system_metadata++];
                m->key = xstrdup(key);
                m->value = xstrdup(value);
        }
}

/* One conversion "%[0][width](d|x|X)", read by hand: what a configuration file says is no format of printf.
 */
static bool add_number(struct strbuf *b, const char **s, int64_t number)
{
        bool zero = **s == '0';
        int width = 0;

        for (; **s >= '0' && **s <= '9' && width < 100; (*s)++)
                width = width * 10 + (**s - '0');
        switch (*(*s)++) {
        case 'd':
                strbuf_addf(b, zero ? "%0*" PRId64 : "%*" PRId64, width, number);
                return true;
        case 'x':
                strbuf_addf(b, zero ? "%0*" PRIx64 : "%*" PRIx64, width, number);
                return true;
        case 'X':
                strbuf_addf(b, zero ? "%0*" PRIX64 : "%*" PRIX64, width, number);
                return true;
        default:
                return false;
        }
}

char *instance_domain_name(const struct instance *i, const char *template_)
{
        CLEANUP(strbuf_free) struct strbuf b = {};
        unsigned numbers = 0;

        for (const char *s = template_; *s;) {
                if (*s != '%') {
                        strbuf_add(&b, s++, 1);
                } else if (s[1] == '%') {
                        strbuf_add(&b, s, 1);
                        s += 2;
                } else {
                        s++;
                        if (!add_number(&b, &s, i->id))
                                return NULL;
                        numbers++;
                }
        }
        return numbers == 1 ? strbuf_take(&b, NULL) : NULL;
}

void block_devices_free(struct block_devices *b)
{
        for (unsigned i = 0; i < b->n; i++) {
                struct block_device *d = &b->items[i];

                free(d->source_type);
                free(d->destination_type);
                free(d->guest_format);
                free(d->device_type);
                free(d->disk_bus);
                free(d->device_name);
                free(d->image_id);
        }
        free(b->items);
        *b = (struct block_devices){};
}

void request_context_free(struct request_context *c)
{
        free_secret(c->auth_token);
        jval_unref(c->service_catalog);
        free(c->request_id);
        free(c->user_id);
        free(c->project_id);
        free(c->user_name);
        free(c->project_name);
        free(c->roles);
        *c = (struct request_context){};
}

void request_context_admin(struct request_context *ret)
{
        char uuid[UUID_LEN + 1];

        uuid_new(uuid);
        *ret = (struct request_context){ .request_id = xasprintf("req-%s", uuid), .is_admin = true };
}
