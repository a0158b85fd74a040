/*
 * agent/virt/libvirt/domxml.c: the domain's XML: what the guest is (nova-contract 7.1); its devices are in
 * domxml_devices.c.
 */
#include "virt/libvirt/domxml.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/list.h"
#include "base/mem.h"
#include "virt/libvirt/domxml_priv.h"
#include "virt/libvirt/xmlutil.h"

#define NOVA_NS "http://openstack.org/xmlns/libvirt/nova/1.1"

/* ---- what depends on the machine ---- */

static bool is_x86(const struct domxml_host *h)
{
        return strcmp(h->arch, "x86_64") == 0 || strcmp(h->arch, "i686") == 0;
}

static const char *machine_of(const struct domxml_host *h, const struct guest_spec *s)
{
        if (s->machine)
                return s->machine;
        if (h->machine)
                return h->machine;
        if (is_x86(h))
                return "pc";
        return strcmp(h->arch, "aarch64") == 0 ? "virt" : NULL;
}

static bool is_windows(const struct guest_spec *s)
{
        return s->os_type && strcmp(s->os_type, "windows") == 0;
}

bool domxml_is_hypervised(const struct domxml_host *h)
{
        return strcmp(h->domain_type, "kvm") == 0 || strcmp(h->domain_type, "qemu") == 0;
}

bool domxml_cpu_mode_known(const char *cpu_mode)
{
        static const char *const known[] = { "none", "host-model", "host-passthrough", "maximum" };

        if (!cpu_mode || !*cpu_mode)
                return true;
        for (size_t i = 0; i < ARRAY_SIZE(known); i++)
                if (strcmp(cpu_mode, known[i]) == 0)
                        return true;
        return false;
}

/* ---- the document, top down ---- */

static void write_flavor(xmlTextWriter *w, const struct guest_spec *s)
{
        xml_open(w, "nova:flavor");
        xml_attr(w, "name", s->flavor_name);
        xml_number(w, "nova:memory", s->memory_mb);
        xml_number(w, "nova:disk", s->flavor_disk_gb);
        xml_number(w, "nova:swap", s->flavor_swap_mb);
        xml_number(w, "nova:ephemeral", s->flavor_ephemeral_gb);
        xml_number(w, "nova:vcpus", s->vcpus);
        xml_close(w);
}

static void write_owner(xmlTextWriter *w, const char *element, const char *id, const char *name)
{
        xml_open(w, element);
        xml_attr(w, "uuid", id);
        xml_string(w, name ? name : "N/A");
        xml_close(w);
}

static void write_ports(xmlTextWriter *w, const struct guest_spec *s)
{
        xml_open(w, "nova:ports");
        for (unsigned n = 0; n < s->n_nics; n++) {
                const struct guest_nic *nic = &s->nics[n];

                xml_open(w, "nova:port");
                xml_attr(w, "uuid", nic->port_id);
                for (unsigned i = 0; i < nic->n_ips; i++) {
                        xml_open(w, "nova:ip");
                        xml_attr(w, "type", nic->ips[i].type);
                        xml_attr(w, "address", nic->ips[i].address);
                        xml_attr_number(w, "ipVersion", nic->ips[i].version);
                        xml_close(w);
                }
                xml_close(w);
        }
        xml_close(w);
}

static void write_metadata(xmlTextWriter *w, const struct domxml_host *h, const struct guest_spec *s)
{
        char created[64];
        struct tm tm;

        gmtime_r(&s->created, &tm);
        strftime(created, sizeof(created), "%Y-%m-%d %H:%M:%S", &tm);
        xml_open(w, "metadata");
        xml_open(w, "nova:instance");
        xml_attr(w, "xmlns:nova", NOVA_NS);
        xml_leaf(w, "nova:package", "version", h->version, NULL);
        xml_text(w, "nova:name", s->display_name);
        xml_text(w, "nova:creationTime", created);
        write_flavor(w, s);
        if (s->user_id && s->project_id) {
                xml_open(w, "nova:owner");
                write_owner(w, "nova:user", s->user_id, s->user_name);
                write_owner(w, "nova:project", s->project_id, s->project_name);
                xml_close(w);
        }
        if (s->image_ref && *s->image_ref)
                xml_leaf(w, "nova:root", "type", "image", "uuid", s->image_ref, NULL);
        write_ports(w, s);
        xml_close(w);
        xml_close(w);
}

static void write_sysinfo(xmlTextWriter *w, const struct domxml_host *h, const struct guest_spec *s)
{
        const char *entries[][2] = {
                { "manufacturer", "OpenStack Foundation" },
                { "product", "OpenStack Nova" },
                { "version", h->version },
                { "serial", s->uuid },
                { "uuid", s->uuid },
                { "family", "Virtual Machine" },
        };

        xml_open(w, "sysinfo");
        xml_attr(w, "type", "smbios");
        xml_open(w, "system");
        for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
                xml_open(w, "entry");
                xml_attr(w, "name", entries[i][0]);
                xml_string(w, entries[i][1]);
                xml_close(w);
        }
        xml_close(w);
        xml_close(w);
}

static void write_os(xmlTextWriter *w, const struct domxml_host *h, const struct guest_spec *s)
{
        const char *machine = machine_of(h, s);

        xml_open(w, "os");
        xml_open(w, "type");
        xml_attr(w, "arch", h->arch);
        if (machine)
                xml_attr(w, "machine", machine);
        xml_string(w, "hvm");
        xml_close(w);
        xml_leaf(w, "boot", "dev", "hd", NULL);
        if (is_x86(h))
                xml_leaf(w, "smbios", "mode", "sysinfo", NULL);
        if (s->boot_menu)
                xml_leaf(w, "bootmenu", "enable", "yes", NULL);
        xml_close(w);
}

/* nova's set for Windows: Hyper-V's own interfaces, which Windows uses when it sees them. */
static void write_hyperv(xmlTextWriter *w, const struct guest_spec *s)
{
        static const char *const more[] = { "vpindex",         "runtime",  "synic", "reset", "frequencies",
                                            "reenlightenment", "tlbflush", "ipi",   "evmcs" };

        xml_open(w, "hyperv");
        xml_leaf(w, "relaxed", "state", "on", NULL);
        xml_leaf(w, "vapic", "state", "on", NULL);
        xml_leaf(w, "spinlocks", "state", "on", "retries", "8191", NULL);
        if (s->hide_hypervisor)
                xml_leaf(w, "vendor_id", "state", "on", "value", "1234567890ab", NULL);
        for (size_t i = 0; i < ARRAY_SIZE(more); i++)
                xml_leaf(w, more[i], "state", "on", NULL);
        xml_close(w);
}

static void write_features(xmlTextWriter *w, const struct domxml_host *h, const struct guest_spec *s)
{
        xml_open(w, "features");
        xml_leaf(w, "acpi", NULL);
        xml_leaf(w, "apic", NULL);
        if (is_windows(s) && is_x86(h) && domxml_is_hypervised(h))
                write_hyperv(w, s);
        xml_leaf(w, "vmcoreinfo", NULL);
        if (s->hide_hypervisor) {
                xml_open(w, "kvm");
                xml_leaf(w, "hidden", "state", "on", NULL);
                xml_close(w);
        }
        if (s->pmu)
                xml_leaf(w, "pmu", "state", s->pmu, NULL);
        xml_close(w);
}

static void write_cputune(xmlTextWriter *w, const struct guest_spec *s)
{
        static const struct {
                enum guest_quota quota;
                const char *element;
        } limits[] = {
                { QUOTA_CPU_SHARES, "shares" },
                { QUOTA_CPU_QUOTA, "quota" },
                { QUOTA_CPU_PERIOD, "period" },
        };
        bool any = false;

        for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
                any |= s->quotas[limits[i].quota] != 0;
        if (!any)
                return;
        xml_open(w, "cputune");
        for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
                if (s->quotas[limits[i].quota])
                        xml_number(w, limits[i].element, s->quotas[limits[i].quota]);
        xml_close(w);
}

static void write_clock(xmlTextWriter *w, const struct domxml_host *h, const struct guest_spec *s)
{
        xml_open(w, "clock");
        xml_attr(w, "offset", is_windows(s) ? "localtime" : "utc");
        if (strcmp(h->domain_type, "kvm") == 0) {
                xml_leaf(w, "timer", "name", "pit", "tickpolicy", "delay", NULL);
                xml_leaf(w, "timer", "name", "rtc", "tickpolicy", "catchup", NULL);
                if (is_x86(h))
                        xml_leaf(w, "timer", "name", "hpet", "present", s->hpet ? "yes" : "no", NULL);
                if (is_windows(s))
                        xml_leaf(w, "timer", "name", "hypervclock", "present", "yes", NULL);
        }
        xml_close(w);
}

static void write_cpu(xmlTextWriter *w, const struct domxml_host *h, const struct guest_spec *s)
{
        const char *mode = h->cpu_mode && *h->cpu_mode ? h->cpu_mode : "host-model";

        xml_open(w, "cpu");
        if (strcmp(mode, "none") != 0 && domxml_is_hypervised(h)) {
                xml_attr(w, "mode", mode);
                if (strcmp(mode, "host-model") == 0)
                        xml_attr(w, "match", "exact");
        }
        xml_open(w, "topology");
        xml_attr_number(w, "sockets", s->cpu_sockets ? s->cpu_sockets : s->vcpus);
        xml_attr_number(w, "cores", s->cpu_cores ? s->cpu_cores : 1);
        xml_attr_number(w, "threads", s->cpu_threads ? s->cpu_threads : 1);
        xml_close(w);
        xml_close(w);
}

struct domain {
        const struct domxml_host *host;
        const struct guest_spec *spec;
};

static void write_domain(xmlTextWriter *w, void *arg)
{
        const struct domain *d = arg;
        const struct domxml_host *h = d->host;
        const struct guest_spec *s = d->spec;

        xml_open(w, "domain");
        xml_attr(w, "type", h->domain_type);
        xml_text(w, "uuid", s->uuid);
        xml_text(w, "name", s->name);
        xml_number(w, "memory", s->memory_mb * 1024);
        xml_number(w, "vcpu", s->vcpus);
        write_metadata(w, h, s);
        write_cputune(w, s);
        if (is_x86(h))
                write_sysinfo(w, h, s);
        write_os(w, h, s);
        write_features(w, h, s);
        write_clock(w, h, s);
        write_cpu(w, h, s);
        domxml_write_devices(w, h, s);
        xml_close(w);
}

/* ---- what cannot be written ---- */

static int check_exact(const char *what, const char *value, struct error *err)
{
        if (!value || !*value)
                return error_set(err, NOVA_INVALID_INPUT, "%s of the guest is not set", what);
        if (!xml_text_is_clean(value))
                return error_set(err, NOVA_INVALID_INPUT, "%s of the guest cannot be written in XML", what);
        return 0;
}

static int check_nic(const struct guest_nic *n, struct error *err)
{
        if (check_exact("a network port's id", n->port_id, err) < 0 ||
            check_exact("a MAC address", n->mac, err) < 0 ||
            check_exact("a network interface's bridge or device", n->source, err) < 0)
                return -1;
        if (n->kind == GUEST_NIC_MACVTAP)
                return check_exact("the mode of a macvtap device", n->mode, err);
        if (n->kind == GUEST_NIC_OVS && check_exact("the id of an ovs port", n->interface_id, err) < 0)
                return -1;
        return check_exact("a network interface's name", n->target, err);
}

static int check_devices(const struct guest_spec *s, struct error *err)
{
        for (unsigned i = 0; i < s->n_disks; i++) {
                const struct guest_disk *d = &s->disks[i];

                if (check_exact("a disk's path", d->path, err) < 0 ||
                    check_exact("a disk's format", d->format, err) < 0 ||
                    check_exact("a disk's device name", d->target, err) < 0 ||
                    check_exact("a disk's bus", d->bus, err) < 0)
                        return -1;
        }
        for (unsigned i = 0; i < s->n_nics; i++)
                if (check_nic(&s->nics[i], err) < 0)
                        return -1;
        return 0;
}

static int check_spec(const struct domxml_host *h, const struct guest_spec *s, struct error *err)
{
        if (check_exact("the uuid", s->uuid, err) < 0 || check_exact("the name", s->name, err) < 0)
                return -1;
        if (strchr(s->name, '/') || strchr(s->name, '\n'))
                return error_set(err, NOVA_INVALID_INPUT, "the name of the guest has a '/' or a line break");
        if (s->memory_mb < 1 || s->memory_mb > INT64_MAX / 1024 || s->vcpus < 1 || s->vcpus > 4096)
                return error_set(err, NOVA_INVALID_INPUT, "a guest of %" PRId64 " MiB and %" PRId64 " vcpus",
                                 s->memory_mb, s->vcpus);
        if (check_devices(s, err) < 0)
                return -1;
        if (s->console_log && check_exact("the console log's path", s->console_log, err) < 0)
                return -1;
        if (!domxml_cpu_mode_known(h->cpu_mode))
                return error_set(err, NOVA_INVALID_INPUT, "cpu_mode \"%s\" is not supported", h->cpu_mode);
        return 0;
}

int domxml_build(const struct domxml_host *host, const struct guest_spec *spec, char **ret_xml,
                 struct error *err)
{
        struct domain d = { host, spec };

        if (check_spec(host, spec, err) < 0)
                return -1;
        *ret_xml = xml_document(write_domain, &d);
        return 0;
}

int domxml_console_path(const char *xml, char **ret, struct error *err)
{
        static const char *const places[] = {
                "string(/domain/devices/console[@type='file']/source/@path)",
                "string(/domain/devices/console[@type='tcp']/log/@file)",
                "string(/domain/devices/console[@type='pty']/log/@file)",
        };
        CLEANUP(xml_doc_freep) xmlDoc *doc = xml_parse(xml, strlen(xml), "domain XML", err);

        if (!doc)
                return -1;
        for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
                char *path = xml_xpath_string(doc, places[i]);

                if (*path) {
                        *ret = path;
                        return 0;
                }
                free(path);
        }
        return error_set(err, NOVA_CONSOLE_NOT_AVAILABLE, "the guest has no console with a log file");
}

int domxml_vnc_port(const char *xml, int *ret, struct error *err)
{
        CLEANUP(xml_doc_freep) xmlDoc *doc = xml_parse(xml, strlen(xml), "domain XML", err);
        CLEANUP(freep) char *type = NULL;
        CLEANUP(freep) char *port = NULL;
        char *end;
        long n;

        if (!doc)
                return -1;
        type = xml_xpath_string(doc, "string(/domain/devices/graphics[@type='vnc']/@type)");
        if (!*type)
                return error_set(err, NOVA_CONSOLE_TYPE_UNAVAILABLE, "the guest has no VNC display");
        port = xml_xpath_string(doc, "string(/domain/devices/graphics[@type='vnc']/@port)");
        n = strtol(port, &end, 10);
        *ret = end != port && !*end && n > 0 && n <= UINT16_MAX ? (int)n : -1;
        return 0;
}
