/*
 * agent/virt/libvirt/domxml.c: the domain's XML by libxml2's writer.
 *
 * The writer keeps its own error state badly (each call returns -1 once memory ends), so the small helpers
 * here abort on -1 like every other small allocation, and the tree reads like the document.
 */
#include "virt/libvirt/domxml.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <libxml/parser.h>
#include <libxml/xmlwriter.h>
#include <libxml/xpath.h>

#include "base/mem.h"
#include "base/strbuf.h"
#include "virt/libvirt/xmlutil.h"

#define NOVA_NS "http://openstack.org/xmlns/libvirt/nova/1.1"

/* ---- writing ---- */

static void must(int r)
{
        if (r < 0)
                abort(); /* out of memory: nothing else can fail, the text was checked before */
}

static void open_(xmlTextWriter *w, const char *name)
{
        must(xmlTextWriterStartElement(w, BAD_CAST name));
}

static void close_(xmlTextWriter *w)
{
        must(xmlTextWriterEndElement(w));
}

static void attr(xmlTextWriter *w, const char *name, const char *value)
{
        CLEANUP(freep) char *clean = xml_clean_text(value);

        must(xmlTextWriterWriteAttribute(w, BAD_CAST name, BAD_CAST clean));
}

static void text(xmlTextWriter *w, const char *name, const char *value)
{
        CLEANUP(freep) char *clean = xml_clean_text(value);

        must(xmlTextWriterWriteElement(w, BAD_CAST name, BAD_CAST clean));
}

static void number(xmlTextWriter *w, const char *name, int64_t value)
{
        char buf[32];

        snprintf(buf, sizeof(buf), "%" PRId64, value);
        text(w, name, buf);
}

/* An empty element with attributes: leaf(w, "timer", "name", "pit", "tickpolicy", "delay", NULL). */
static void __attribute__((sentinel)) leaf(xmlTextWriter *w, const char *name, ...)
{
        const char *key;
        va_list ap;

        open_(w, name);
        va_start(ap, name);
        while ((key = va_arg(ap, const char *)))
                attr(w, key, va_arg(ap, const char *));
        va_end(ap);
        close_(w);
}

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

static bool is_hypervised(const struct domxml_host *h)
{
        return strcmp(h->domain_type, "kvm") == 0 || strcmp(h->domain_type, "qemu") == 0;
}

bool domxml_cpu_mode_known(const char *cpu_mode)
{
        static const char *const known[] = { "none", "host-model", "host-passthrough", "maximum" };

        if (!cpu_mode || !*cpu_mode)
                return true;
        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
                if (strcmp(cpu_mode, known[i]) == 0)
                        return true;
        return false;
}

/* ---- the document, top down ---- */

static void write_flavor(xmlTextWriter *w, const struct guest_spec *s)
{
        open_(w, "nova:flavor");
        attr(w, "name", s->flavor_name);
        number(w, "nova:memory", s->memory_mb);
        number(w, "nova:disk", s->flavor_disk_gb);
        number(w, "nova:swap", s->flavor_swap_mb);
        number(w, "nova:ephemeral", s->flavor_ephemeral_gb);
        number(w, "nova:vcpus", s->vcpus);
        close_(w);
}

static void write_owner(xmlTextWriter *w, const char *element, const char *id, const char *name)
{
        CLEANUP(freep) char *clean = xml_clean_text(name ? name : "N/A");

        open_(w, element);
        attr(w, "uuid", id);
        must(xmlTextWriterWriteString(w, BAD_CAST clean));
        close_(w);
}

static void write_metadata(xmlTextWriter *w, const struct domxml_host *h, const struct guest_spec *s)
{
        char created[64];
        struct tm tm;

        gmtime_r(&s->created, &tm);
        strftime(created, sizeof(created), "%Y-%m-%d %H:%M:%S", &tm);
        open_(w, "metadata");
        open_(w, "nova:instance");
        attr(w, "xmlns:nova", NOVA_NS);
        leaf(w, "nova:package", "version", h->version, NULL);
        text(w, "nova:name", s->display_name);
        text(w, "nova:creationTime", created);
        write_flavor(w, s);
        if (s->user_id && s->project_id) {
                open_(w, "nova:owner");
                write_owner(w, "nova:user", s->user_id, s->user_name);
                write_owner(w, "nova:project", s->project_id, s->project_name);
                close_(w);
        }
        if (s->image_ref && *s->image_ref)
                leaf(w, "nova:root", "type", "image", "uuid", s->image_ref, NULL);
        leaf(w, "nova:ports", NULL);
        close_(w);
        close_(w);
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

        open_(w, "sysinfo");
        attr(w, "type", "smbios");
        open_(w, "system");
        for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
                open_(w, "entry");
                attr(w, "name", entries[i][0]);
                must(xmlTextWriterWriteString(w, BAD_CAST entries[i][1]));
                close_(w);
        }
        close_(w);
        close_(w);
}

static void write_os(xmlTextWriter *w, const struct domxml_host *h, const struct guest_spec *s)
{
        const char *machine = machine_of(h, s);

        open_(w, "os");
        open_(w, "type");
        attr(w, "arch", h->arch);
        if (machine)
                attr(w, "machine", machine);
        must(xmlTextWriterWriteString(w, BAD_CAST "hvm"));
        close_(w);
        leaf(w, "boot", "dev", "hd", NULL);
        if (is_x86(h))
                leaf(w, "smbios", "mode", "sysinfo", NULL);
        close_(w);
}

static void write_features(xmlTextWriter *w, const struct domxml_host *h, const struct guest_spec *s)
{
        open_(w, "features");
        leaf(w, "acpi", NULL);
        leaf(w, "apic", NULL);
        leaf(w, "vmcoreinfo", NULL);
        if (is_windows(s) && is_x86(h) && is_hypervised(h)) {
                open_(w, "hyperv");
                leaf(w, "relaxed", "state", "on", NULL);
                leaf(w, "vapic", "state", "on", NULL);
                leaf(w, "spinlocks", "state", "on", "retries", "8191", NULL);
                close_(w);
        }
        close_(w);
}

static void write_clock(xmlTextWriter *w, const struct domxml_host *h, const struct guest_spec *s)
{
        open_(w, "clock");
        attr(w, "offset", is_windows(s) ? "localtime" : "utc");
        if (strcmp(h->domain_type, "kvm") == 0) {
                leaf(w, "timer", "name", "pit", "tickpolicy", "delay", NULL);
                leaf(w, "timer", "name", "rtc", "tickpolicy", "catchup", NULL);
                if (is_x86(h))
                        leaf(w, "timer", "name", "hpet", "present", "no", NULL);
        }
        close_(w);
}

static void write_cpu(xmlTextWriter *w, const struct domxml_host *h, const struct guest_spec *s)
{
        const char *mode = h->cpu_mode && *h->cpu_mode ? h->cpu_mode : "host-model";
        char sockets[32];

        snprintf(sockets, sizeof(sockets), "%" PRId64, s->vcpus);
        open_(w, "cpu");
        if (strcmp(mode, "none") != 0 && is_hypervised(h)) {
                attr(w, "mode", mode);
                if (strcmp(mode, "host-model") == 0)
                        attr(w, "match", "exact");
        }
        leaf(w, "topology", "sockets", sockets, "cores", "1", "threads", "1", NULL);
        close_(w);
}

static void write_disk(xmlTextWriter *w, const struct guest_disk *d)
{
        open_(w, "disk");
        attr(w, "type", "file");
        attr(w, "device", d->cdrom ? "cdrom" : "disk");
        leaf(w, "driver", "name", "qemu", "type", d->format, "cache", d->cache ? d->cache : "none", NULL);
        leaf(w, "source", "file", d->path, NULL);
        leaf(w, "target", "dev", d->target, "bus", d->bus, NULL);
        close_(w);
}

static void write_serial(xmlTextWriter *w, const struct guest_spec *s)
{
        open_(w, "serial");
        attr(w, "type", "pty");
        if (s->console_log)
                leaf(w, "log", "file", s->console_log, "append", "off", NULL);
        close_(w);
}

static void write_display(xmlTextWriter *w, const struct domxml_host *h, const struct guest_spec *s)
{
        if (h->vnc_listen) {
                leaf(w, "graphics", "type", "vnc", "autoport", "yes", "listen", h->vnc_listen, NULL);
                open_(w, "video");
                leaf(w, "model", "type", s->video_model ? s->video_model : "virtio", NULL);
                close_(w);
                leaf(w, "input", "type", "tablet", "bus", "usb", NULL);
        }
}

static void write_devices(xmlTextWriter *w, const struct domxml_host *h, const struct guest_spec *s)
{
        char period[16];

        open_(w, "devices");
        for (unsigned i = 0; i < s->n_disks; i++)
                write_disk(w, &s->disks[i]);
        write_serial(w, s);
        write_display(w, h, s);
        if (is_hypervised(h)) {
                open_(w, "rng");
                attr(w, "model", "virtio");
                open_(w, "backend");
                attr(w, "model", "random");
                must(xmlTextWriterWriteString(w,
                                              BAD_CAST(h->rng_dev_path ? h->rng_dev_path : "/dev/urandom")));
                close_(w);
                close_(w);
        }
        if (h->vnc_listen)
                leaf(w, "controller", "type", "usb", "index", "0", NULL);
        else
                leaf(w, "controller", "type", "usb", "index", "0", "model", "none", NULL);
        if (h->mem_stats_period_s) {
                snprintf(period, sizeof(period), "%u", h->mem_stats_period_s);
                open_(w, "memballoon");
                attr(w, "model", "virtio");
                leaf(w, "stats", "period", period, NULL);
                close_(w);
        }
        close_(w);
}

static void write_domain(xmlTextWriter *w, const struct domxml_host *h, const struct guest_spec *s)
{
        open_(w, "domain");
        attr(w, "type", h->domain_type);
        text(w, "uuid", s->uuid);
        text(w, "name", s->name);
        number(w, "memory", s->memory_mb * 1024);
        number(w, "vcpu", s->vcpus);
        write_metadata(w, h, s);
        if (is_x86(h))
                write_sysinfo(w, h, s);
        write_os(w, h, s);
        write_features(w, h, s);
        write_clock(w, h, s);
        write_cpu(w, h, s);
        write_devices(w, h, s);
        close_(w);
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

static int check_spec(const struct domxml_host *h, const struct guest_spec *s, struct error *err)
{
        if (check_exact("the uuid", s->uuid, err) < 0 || check_exact("the name", s->name, err) < 0)
                return -1;
        if (strchr(s->name, '/') || strchr(s->name, '\n'))
                return error_set(err, NOVA_INVALID_INPUT, "the name of the guest has a '/' or a line break");
        if (s->memory_mb < 1 || s->memory_mb > INT64_MAX / 1024 || s->vcpus < 1 || s->vcpus > 4096)
                return error_set(err, NOVA_INVALID_INPUT, "a guest of %" PRId64 " MiB and %" PRId64 " vcpus",
                                 s->memory_mb, s->vcpus);
        for (unsigned i = 0; i < s->n_disks; i++) {
                const struct guest_disk *d = &s->disks[i];

                if (check_exact("a disk's path", d->path, err) < 0 ||
                    check_exact("a disk's format", d->format, err) < 0 ||
                    check_exact("a disk's device name", d->target, err) < 0 ||
                    check_exact("a disk's bus", d->bus, err) < 0)
                        return -1;
        }
        if (s->console_log && check_exact("the console log's path", s->console_log, err) < 0)
                return -1;
        if (!domxml_cpu_mode_known(h->cpu_mode))
                return error_set(err, NOVA_INVALID_INPUT, "cpu_mode \"%s\" is not supported", h->cpu_mode);
        return 0;
}

int domxml_build(const struct domxml_host *host, const struct guest_spec *spec, char **ret_xml,
                 struct error *err)
{
        xmlBuffer *buf;
        xmlTextWriter *w;

        if (check_spec(host, spec, err) < 0)
                return -1;
        buf = xmlBufferCreate();
        w = buf ? xmlNewTextWriterMemory(buf, 0) : NULL;
        if (!w)
                abort();
        must(xmlTextWriterSetIndent(w, 1));
        must(xmlTextWriterSetIndentString(w, BAD_CAST "  "));
        write_domain(w, host, spec);
        xmlFreeTextWriter(w);
        *ret_xml = xmemdup(xmlBufferContent(buf), (size_t)xmlBufferLength(buf));
        xmlBufferFree(buf);
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
