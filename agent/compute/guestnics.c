/*
 * agent/compute/guestnics.c: the network interfaces of a guest, from what nova wrote down about them
 * (nova-contract 5.9, 7.1).
 *
 * Networks are neutron's, which this agent does not drive; but an instance that has interfaces keeps them. A
 * guest is only defined anew with all of them: one that cannot be plugged here refuses the whole, before
 * anything was done to the guest. Plugging is left to libvirt; where nova would have its own plug-in do it
 * (Open vSwitch), the bridge and the port's id that libvirt is told give the same result.
 */
#include "compute/compute_priv.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "model/network_info.h"

#define DEVICE_NAME_MAX 15 /* Linux's IFNAMSIZ without its NUL; nova cuts its names to 14 */

/* ---- names ---- */

static char *nova_device_name(const char *prefix, const char *id)
{
        return xasprintf("%s%.11s", prefix, id);
}

static int check_device_name(const char *what, const char *name, struct error *err)
{
        size_t n = name ? strlen(name) : 0;

        if (n < 1 || n > DEVICE_NAME_MAX || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
                return error_set(err, NOVA_INVALID_INPUT, "%s \"%.32s\" is no name of a network device", what,
                                 name ? name : "");
        for (const char *c = name; *c; c++)
                if (*c == '/' || *c == ':' || isspace((unsigned char)*c) || iscntrl((unsigned char)*c))
                        return error_set(err, NOVA_INVALID_INPUT,
                                         "%s \"%.32s\" is no name of a network device", what, name);
        return 0;
}

static int check_mac(const char *mac, struct error *err)
{
        for (unsigned k = 0; k < 17; k++)
                if (k % 3 == 2 ? mac[k] != ':' : !isxdigit((unsigned char)mac[k]))
                        return error_set(err, NOVA_INVALID_INPUT, "\"%.32s\" is no MAC address", mac);
        return mac[17] ? error_set(err, NOVA_INVALID_INPUT, "\"%.32s\" is no MAC address", mac) : 0;
}

/* ---- the model ---- */

static int model_of(const struct instance *i, char **ret, struct error *err)
{
        static const struct {
                const char *said, *model;
        } known[] = {
                { "virtio", "virtio" },         { "e1000", "e1000" },
                { "e1000e", "e1000e" },         { "ne2k_pci", "ne2k_pci" },
                { "pcnet", "pcnet" },           { "rtl8139", "rtl8139" },
                { "spapr-vlan", "spapr-vlan" }, { "vmxnet3", "vmxnet3" },
                { "virtuale1000", "e1000" },    { "virtuale1000e", "e1000e" },
                { "virtualpcnet32", "pcnet" },  { "virtualvmxnet3", "vmxnet3" },
        };
        const char *said = instance_system_meta(i, "image_hw_vif_model");

        if (!said || !*said)
                said = "virtio";
        for (size_t k = 0; k < ARRAY_SIZE(known); k++) {
                if (strcasecmp(said, known[k].said) == 0) {
                        *ret = xstrdup(known[k].model);
                        return 0;
                }
        }
        return error_set(err, NOVA_INVALID_INPUT,
                         "image property hw_vif_model=%.32s is not supported by this agent", said);
}

/* ---- kinds ---- */

static bool is(const char *a, const char *b)
{
        return a && strcmp(a, b) == 0;
}

static int use_bridge(const struct vif *v, struct guest_nic *n, struct error *err)
{
        if (v->should_create_vlan)
                return error_set(err, NOVA_INVALID_INPUT, "its bridge wants a VLAN that nova would make");
        n->kind = GUEST_NIC_BRIDGE;
        n->source = xstrdup(v->bridge);
        n->make_bridge = v->should_create_bridge;
        return 0;
}

/* With the hybrid plug a Linux bridge of the port's own stands before Open vSwitch; it stays with the port.
 */
static int use_ovs(const struct vif *v, struct guest_nic *n, struct error *err)
{
        if (v->ovs_hybrid_plug) {
                n->kind = GUEST_NIC_BRIDGE;
                n->source = nova_device_name("qbr", v->id);
                return 0;
        }
        if (is(v->datapath_type, "netdev"))
                return error_set(err, NOVA_INVALID_INPUT, "its bridge has the userspace datapath");
        n->kind = GUEST_NIC_OVS;
        n->source = xstrdup(v->bridge);
        n->interface_id = xstrdup(v->ovs_interfaceid ? v->ovs_interfaceid : v->id);
        return 0;
}

static int use_macvtap(const struct vif *v, struct guest_nic *n, struct error *err)
{
        if (v->vlan && *v->vlan && strcmp(v->vlan, "0") != 0)
                return error_set(err, NOVA_INVALID_INPUT, "it wants a VLAN that nova would make");
        if (!v->macvtap_mode)
                return error_set(err, NOVA_INVALID_INPUT, "it does not say its macvtap_mode");
        n->kind = GUEST_NIC_MACVTAP;
        n->source = xstrdup(v->macvtap_source);
        n->mode = xstrdup(v->macvtap_mode);
        replace_str(&n->model, "virtio");
        return 0;
}

static const struct kind {
        const char *type, *vnic_type;
        int (*use)(const struct vif *v, struct guest_nic *n, struct error *err);
} kinds[] = {
        { "bridge", "normal", use_bridge },
        { "ovs", "normal", use_ovs },
        { "macvtap", "macvtap", use_macvtap },
};

static int use_kind(const struct vif *v, struct guest_nic *n, struct error *err)
{
        const char *vnic_type = v->vnic_type ? v->vnic_type : "normal";

        for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
                if (strcmp(v->type, kinds[k].type) == 0 && strcmp(vnic_type, kinds[k].vnic_type) == 0)
                        return kinds[k].use(v, n, err);
        return error_set(err, NOVA_INVALID_INPUT,
                         "interfaces of type %.32s (%.32s) cannot be plugged by this agent", v->type,
                         vnic_type);
}

/* ---- one, and all ---- */

static int nic_of(const struct instance *i, const struct vif *v, struct guest_nic *n, struct error *err)
{
        n->port_id = xstrdup(v->id);
        n->mac = xstrdup(v->address);
        n->mtu = v->mtu;
        n->n_ips = v->n_ips;
        n->ips = xcalloc(v->n_ips + 1, sizeof(*n->ips));
        for (unsigned k = 0; k < v->n_ips; k++)
                n->ips[k] = (struct guest_ip){ xstrdup(v->ips[k].type), xstrdup(v->ips[k].address),
                                               v->ips[k].version };
        if (model_of(i, &n->model, err) < 0 || use_kind(v, n, err) < 0 || check_mac(n->mac, err) < 0 ||
            check_device_name(n->kind == GUEST_NIC_MACVTAP ? "device" : "bridge", n->source, err) < 0)
                return -1;
        if (n->mtu < 0 || n->mtu > 65535)
                return error_set(err, NOVA_INVALID_INPUT, "its MTU is %lld", (long long)n->mtu);
        if (n->kind == GUEST_NIC_MACVTAP)
                return 0;
        n->target = v->devname ? xstrdup(v->devname) : nova_device_name("nic", v->id);
        if (is(n->model, "virtio") && guestprops_queues(i, &n->queues, err) < 0)
                return -1;
        return check_device_name("device", n->target, err);
}

int guestnics_fill(const struct instance *i, const char *network_info, struct guest_spec *s,
                   struct error *err)
{
        CLEANUP(network_info_free) struct network_info info = {};

        if (network_info_parse(network_info, &info, err) < 0)
                return -1;
        s->nics = xcalloc(info.n + 1, sizeof(*s->nics));
        for (unsigned k = 0; k < info.n; k++) {
                s->n_nics++;
                if (nic_of(i, &info.items[k], &s->nics[k], err) < 0)
                        return error_while(err, "network interface %.36s", info.items[k].id);
        }
        return 0;
}

int guestnics_load(struct compute_manager *m, const struct instance *i, struct guest_spec *s,
                   struct deadline by, struct error *err)
{
        CLEANUP(freep) char *json = NULL;
        unsigned interfaces;

        if (store_network_info(m->store, i->uuid, &json, &interfaces, by, err) < 0)
                return -1;
        if (!json && interfaces > 0)
                return error_set(err, NOVA_INVALID_INPUT,
                                 "the instance has %u network interfaces, but instance_info_caches does not "
                                 "say how they are plugged",
                                 interfaces);
        return json ? guestnics_fill(i, json, s, err) : 0;
}
