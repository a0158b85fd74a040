/*
 * agent/model/network_info.h: the network interfaces of an instance as nova keeps them in
 * instance_info_caches.network_info (nova-contract 5.9): the parts of them that a guest's definition needs.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct vif_ip {
        char *type, *address; /* "fixed", "198.18.0.95" */
        int64_t version;
};

/* Text is owned, NULL where the VIF says nothing. */
struct vif {
        char *id, *address, *type, *vnic_type, *devname, *bridge, *ovs_interfaceid;
        int64_t mtu; /* 0: not said */
        bool should_create_bridge, should_create_vlan;
        /* details */
        bool ovs_hybrid_plug;
        char *datapath_type, *macvtap_source, *macvtap_mode, *vlan;
        struct vif_ip *ips; /* of all subnets, in their order */
        unsigned n_ips;
};
struct network_info {
        struct vif *items;
        unsigned n;
};

/* ERR_PROTOCOL when the text is no list of VIFs with an id, a MAC address and a type each. */
int network_info_parse(const char *json, struct network_info *ret, struct error *err);
void network_info_free(struct network_info *n);
