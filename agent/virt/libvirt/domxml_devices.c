/* agent/virt/libvirt/domxml_devices.c: the devices of a domain, in nova's order (nova-contract 7.1). */
#include "virt/libvirt/domxml_priv.h"

#include <stdio.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"

/* An element that holds one number per limit that is set; nothing when none is. */
struct limit {
        enum guest_quota quota;
        const char *name;
};

static bool any_limit(const struct guest_spec *s, const struct limit *limits, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (s->quotas[limits[i].quota])
                        return true;
        return false;
}

/* ---- disks ---- */

static void write_iotune(xmlTextWriter *w, const struct guest_spec *s)
{
        static const struct limit limits[] = {
                { QUOTA_DISK_TOTAL_BYTES, "total_bytes_sec" }, { QUOTA_DISK_READ_BYTES, "read_bytes_sec" },
                { QUOTA_DISK_WRITE_BYTES, "write_bytes_sec" }, { QUOTA_DISK_TOTAL_IOPS, "total_iops_sec" },
                { QUOTA_DISK_READ_IOPS, "read_iops_sec" },     { QUOTA_DISK_WRITE_IOPS, "write_iops_sec" },
        };

        if (!any_limit(s, limits, ARRAY_SIZE(limits)))
                return;
        xml_open(w, "iotune");
        for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
                if (s->quotas[limits[i].quota])
                        xml_number(w, limits[i].name, s->quotas[limits[i].quota]);
        xml_close(w);
}

/* unit: its place on the first virtio-scsi controller, or negative: libvirt finds one. */
static void write_disk(xmlTextWriter *w, const struct guest_spec *s, const struct guest_disk *d, int unit)
{
        xml_open(w, "disk");
        xml_attr(w, "type", "file");
        xml_attr(w, "device", d->cdrom ? "cdrom" : "disk");
        xml_open(w, "driver");
        xml_attr(w, "name", "qemu");
        xml_attr(w, "type", d->format);
        xml_attr(w, "cache", d->cache ? d->cache : "none");
        if (d->discard)
                xml_attr(w, "discard", d->discard);
        xml_close(w);
        xml_leaf(w, "source", "file", d->path, NULL);
        xml_leaf(w, "target", "dev", d->target, "bus", d->bus, NULL);
        write_iotune(w, s);
        if (unit >= 0) {
                xml_open(w, "address");
                xml_attr(w, "type", "drive");
                xml_attr_number(w, "controller", 0);
                xml_attr_number(w, "unit", unit);
                xml_close(w);
        }
        xml_close(w);
}

/* One virtio-scsi controller takes 256 disks, but libvirt's own numbering stops at the seventh. */
static void write_disks(xmlTextWriter *w, const struct guest_spec *s)
{
        bool numbered = s->scsi_model && strcmp(s->scsi_model, "virtio-scsi") == 0;
        int unit = 0;

        for (unsigned i = 0; i < s->n_disks; i++) {
                bool scsi = strcmp(s->disks[i].bus, "scsi") == 0;

                write_disk(w, s, &s->disks[i], numbered && scsi ? unit++ : -1);
        }
        if (s->scsi_model)
                xml_leaf(w, "controller", "type", "scsi", "index", "0", "model", s->scsi_model, NULL);
}

/* ---- network interfaces ---- */

static void write_bandwidth(xmlTextWriter *w, const struct guest_spec *s)
{
        static const struct {
                const char *element;
                struct limit limits[3]; /* the average first: without it there is no such element */
        } ways[] = {
                { "inbound",
                  { { QUOTA_VIF_INBOUND_AVERAGE, "average" },
                    { QUOTA_VIF_INBOUND_PEAK, "peak" },
                    { QUOTA_VIF_INBOUND_BURST, "burst" } } },
                { "outbound",
                  { { QUOTA_VIF_OUTBOUND_AVERAGE, "average" },
                    { QUOTA_VIF_OUTBOUND_PEAK, "peak" },
                    { QUOTA_VIF_OUTBOUND_BURST, "burst" } } },
        };

        if (!s->quotas[QUOTA_VIF_INBOUND_AVERAGE] && !s->quotas[QUOTA_VIF_OUTBOUND_AVERAGE])
                return;
        xml_open(w, "bandwidth");
        for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
                if (!s->quotas[ways[i].limits[0].quota])
                        continue;
                xml_open(w, ways[i].element);
                for (size_t l = 0; l < ARRAY_SIZE(ways[i].limits); l++)
                        if (s->quotas[ways[i].limits[l].quota])
                                xml_attr_number(w, ways[i].limits[l].name,
                                                s->quotas[ways[i].limits[l].quota]);
                xml_close(w);
        }
        xml_close(w);
}

/* Emulated guests are kept from vhost, which libvirt would choose for them, too. */
static void write_nic_driver(xmlTextWriter *w, const struct domxml_host *h, const struct guest_nic *n)
{
        if (!n->model || strcmp(n->model, "virtio") != 0 || n->kind == GUEST_NIC_MACVTAP)
                return;
        if (strcmp(h->domain_type, "qemu") == 0) {
                xml_leaf(w, "driver", "name", "qemu", NULL);
        } else if (n->queues > 0 && strcmp(h->domain_type, "kvm") == 0) {
                xml_open(w, "driver");
                xml_attr(w, "name", "vhost");
                xml_attr_number(w, "queues", n->queues);
                xml_close(w);
        }
}

static void write_nic(xmlTextWriter *w, const struct domxml_host *h, const struct guest_spec *s,
                      const struct guest_nic *n)
{
        xml_open(w, "interface");
        xml_attr(w, "type", n->kind == GUEST_NIC_MACVTAP ? "direct" : "bridge");
        xml_leaf(w, "mac", "address", n->mac, NULL);
        if (n->model)
                xml_leaf(w, "model", "type", n->model, NULL);
        write_nic_driver(w, h, n);
        if (n->kind == GUEST_NIC_MACVTAP)
                xml_leaf(w, "source", "dev", n->source, "mode", n->mode, NULL);
        else
                xml_leaf(w, "source", "bridge", n->source, NULL);
        if (n->mtu && n->kind != GUEST_NIC_MACVTAP) {
                xml_open(w, "mtu");
                xml_attr_number(w, "size", n->mtu);
                xml_close(w);
        }
        if (n->target)
                xml_leaf(w, "target", "dev", n->target, NULL);
        if (n->kind == GUEST_NIC_OVS) {
                xml_open(w, "virtualport");
                xml_attr(w, "type", "openvswitch");
                xml_leaf(w, "parameters", "interfaceid", n->interface_id, NULL);
                xml_close(w);
        }
        write_bandwidth(w, s);
        xml_close(w);
}

/* ---- consoles and what a person uses ---- */

static void write_serial(xmlTextWriter *w, const struct guest_spec *s)
{
        xml_open(w, "serial");
        xml_attr(w, "type", "pty");
        if (s->console_log)
                xml_leaf(w, "log", "file", s->console_log, "append", "off", NULL);
        xml_close(w);
}

static const char *pointer_bus(const struct guest_spec *s)
{
        return s->pointer_bus ? s->pointer_bus : "usb";
}

static void write_display(xmlTextWriter *w, const struct domxml_host *h, const struct guest_spec *s)
{
        if (!h->vnc_listen)
                return;
        xml_leaf(w, "graphics", "type", "vnc", "autoport", "yes", "listen", h->vnc_listen, NULL);
        xml_open(w, "video");
        xml_open(w, "model");
        xml_attr(w, "type", s->video_model ? s->video_model : "virtio");
        if (s->video_ram_mb)
                xml_attr_number(w, "vram", s->video_ram_mb * 1024);
        xml_close(w);
        xml_close(w);
        if (strcmp(pointer_bus(s), "none") != 0)
                xml_leaf(w, "input", "type", "tablet", "bus", pointer_bus(s), NULL);
        if (s->keyboard_bus)
                xml_leaf(w, "input", "type", "keyboard", "bus", s->keyboard_bus, NULL);
}

static bool needs_usb(const struct domxml_host *h, const struct guest_spec *s)
{
        for (unsigned i = 0; i < s->n_disks; i++)
                if (strcmp(s->disks[i].bus, "usb") == 0)
                        return true;
        if (!h->vnc_listen)
                return false;
        return strcmp(pointer_bus(s), "usb") == 0 || (s->keyboard_bus && strcmp(s->keyboard_bus, "usb") == 0);
}

/* ---- the rest ---- */

static void write_guest_agent(xmlTextWriter *w, const struct guest_spec *s)
{
        CLEANUP(freep)
        char *path = xasprintf("/var/lib/libvirt/qemu/org.qemu.guest_agent.0.%s.sock", s->name);

        xml_open(w, "channel");
        xml_attr(w, "type", "unix");
        xml_leaf(w, "source", "mode", "bind", "path", path, NULL);
        xml_leaf(w, "target", "type", "virtio", "name", "org.qemu.guest_agent.0", NULL);
        xml_close(w);
}

static void write_rng(xmlTextWriter *w, const struct domxml_host *h, const struct guest_spec *s)
{
        const char *path = h->rng_dev_path ? h->rng_dev_path : "/dev/urandom";

        if (s->no_rng || !*path)
                return;
        xml_open(w, "rng");
        xml_attr(w, "model", "virtio");
        if (s->rng_rate_bytes && s->rng_rate_period_ms) {
                xml_open(w, "rate");
                xml_attr_number(w, "period", s->rng_rate_period_ms);
                xml_attr_number(w, "bytes", s->rng_rate_bytes);
                xml_close(w);
        }
        xml_open(w, "backend");
        xml_attr(w, "model", "random");
        xml_string(w, path);
        xml_close(w);
        xml_close(w);
}

static void write_memballoon(xmlTextWriter *w, unsigned period_s)
{
        xml_open(w, "memballoon");
        xml_attr(w, "model", "virtio");
        xml_open(w, "stats");
        xml_attr_number(w, "period", period_s);
        xml_close(w);
        xml_close(w);
}

void domxml_write_devices(xmlTextWriter *w, const struct domxml_host *h, const struct guest_spec *s)
{
        xml_open(w, "devices");
        write_disks(w, s);
        for (unsigned i = 0; i < s->n_nics; i++)
                write_nic(w, h, s, &s->nics[i]);
        write_serial(w, s);
        write_display(w, h, s);
        if (domxml_is_hypervised(h)) {
                if (s->qemu_guest_agent)
                        write_guest_agent(w, s);
                write_rng(w, h, s);
        }
        if (needs_usb(h, s))
                xml_leaf(w, "controller", "type", "usb", "index", "0", NULL);
        else
                xml_leaf(w, "controller", "type", "usb", "index", "0", "model", "none", NULL);
        if (s->watchdog_action)
                xml_leaf(w, "watchdog", "model", "i6300esb", "action", s->watchdog_action, NULL);
        if (h->mem_stats_period_s)
                write_memballoon(w, h->mem_stats_period_s);
        xml_close(w);
}
