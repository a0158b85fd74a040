/* agent/model/network_info.c: VIFs out of their JSON. */
#include "model/network_info.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "json/json.h"

#define VIFS_MAX 1000

static void vif_free(struct vif *v)
{
        free(v->id);
        free(v->address);
        free(v->type);
        free(v->vnic_type);
        free(v->devname);
        free(v->bridge);
        free(v->ovs_interfaceid);
        free(v->datapath_type);
        free(v->macvtap_source);
        free(v->macvtap_mode);
        free(v->vlan);
        for (unsigned i = 0; i < v->n_ips; i++) {
                free(v->ips[i].type);
                free(v->ips[i].address);
        }
        free(v->ips);
}

void network_info_free(struct network_info *n)
{
        for (unsigned i = 0; i < n->n; i++)
                vif_free(&n->items[i]);
        free(n->items);
        *n = (struct network_info){};
}

static char *text_of(const struct jval *object, const char *key)
{
        return xstrdup(jval_get_text(object, key, NULL));
}

/* Neutron sends the number, and some of its drivers the text. */
static char *text_or_number(const struct jval *v)
{
        if (jval_type(v) == JVAL_INT)
                return xasprintf("%" PRId64, jval_int(v, 0));
        return xstrdup(jval_text(v, NULL));
}

static void add_ip(struct vif *v, const struct jval *ip)
{
        v->ips = xrealloc(v->ips, (v->n_ips + 1) * sizeof(*v->ips));
        v->ips[v->n_ips++] = (struct vif_ip){
                .type = text_of(ip, "type"),
                .address = text_of(ip, "address"),
                .version = jval_get_int(ip, "version", 4),
        };
}

static void read_network(struct vif *v, const struct jval *network)
{
        const struct jval *subnets = jval_get(network, "subnets"), *meta = jval_get(network, "meta");

        v->bridge = text_of(network, "bridge");
        v->mtu = jval_get_int(meta, "mtu", 0);
        v->should_create_bridge = jval_get_bool(meta, "should_create_bridge", false);
        v->should_create_vlan = jval_get_bool(meta, "should_create_vlan", false);
        for (size_t s = 0; s < jval_len(subnets); s++) {
                const struct jval *ips = jval_get(jval_at(subnets, s), "ips");

                for (size_t i = 0; i < jval_len(ips); i++)
                        add_ip(v, jval_at(ips, i));
        }
}

static int read_vif(struct vif *v, const struct jval *o, struct error *err)
{
        const struct jval *details = jval_get(o, "details");

        v->id = text_of(o, "id");
        v->address = text_of(o, "address");
        v->type = text_of(o, "type");
        v->vnic_type = text_of(o, "vnic_type");
        v->devname = text_of(o, "devname");
        v->ovs_interfaceid = text_of(o, "ovs_interfaceid");
        v->ovs_hybrid_plug = jval_get_bool(details, "ovs_hybrid_plug", false);
        v->datapath_type = text_of(details, "datapath_type");
        v->macvtap_source = text_of(details, "macvtap_source");
        v->macvtap_mode = text_of(details, "macvtap_mode");
        v->vlan = text_or_number(jval_get(details, "vlan"));
        read_network(v, jval_get(o, "network"));
        if (!v->id || !v->address || !v->type)
                return error_set(err, ERR_PROTOCOL, "interface %.64s has no %s", v->id ? v->id : "?",
                                 !v->id        ? "id"
                                 : !v->address ? "address"
                                               : "type");
        return 0;
}

int network_info_parse(const char *json, struct network_info *ret, struct error *err)
{
        CLEANUP(network_info_free) struct network_info info = {};
        CLEANUP(jval_unrefp) struct jval *list = jval_parse(json, strlen(json), err);

        if (!list)
                return error_while(err, "network_info");
        if (jval_type(list) != JVAL_ARRAY || jval_len(list) > VIFS_MAX)
                return error_set(err, ERR_PROTOCOL, "network_info is no list of at most %d interfaces",
                                 VIFS_MAX);
        info.items = xcalloc(jval_len(list) + 1, sizeof(*info.items));
        for (size_t i = 0; i < jval_len(list); i++) {
                info.n++;
                if (read_vif(&info.items[i], jval_at(list, i), err) < 0)
                        return error_while(err, "network_info");
        }
        *ret = info;
        info = (struct network_info){};
        return 0;
}
