/* agent/virt/libvirt/hostinfo.c: what the compute_nodes row says of the host. */
#include "virt/libvirt/hostinfo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libvirt/virterror.h>

#include "base/mem.h"
#include "base/strbuf.h"
#include "base/words.h"
#include "json/json.h"
#include "virt/libvirt/vir_error.h"
#include "virt/libvirt/xmlutil.h"

/* ---- capabilities to JSON ---- */

static void set_text(struct jval *object, const char *key, xmlDoc *doc, const char *expression)
{
        CLEANUP(freep) char *value = xml_xpath_string(doc, expression);

        if (*value)
                jval_set_text(object, key, value);
        else
                jval_set(object, key, jval_new_null());
}

static void set_number(struct jval *object, const char *key, xmlDoc *doc, const char *expression)
{
        CLEANUP(freep) char *value = xml_xpath_string(doc, expression);

        jval_set_int(object, key, strtol(value, NULL, 10));
}

struct names {
        char **items;
        size_t n;
};

static void add_feature(xmlNode *node, void *arg)
{
        struct names *names = arg;

        names->items = xrealloc(names->items, (names->n + 1) * sizeof(*names->items));
        names->items[names->n++] = xml_xpath_string_at(node, "string(@name)");
}

static int by_name(const void *a, const void *b)
{
        return strcmp(*(char *const *)a, *(char *const *)b);
}

static struct jval *features_of(xmlDoc *doc)
{
        struct jval *features = jval_new_array();
        struct names names = {};

        xml_xpath_each(doc, "//cpu[1]/feature[not(@policy) or (@policy!='disable' and @policy!='forbid')]",
                       add_feature, &names);
        if (names.n)
                qsort(names.items, names.n, sizeof(*names.items), by_name);
        for (size_t i = 0; i < names.n; i++) {
                if (i == 0 || strcmp(names.items[i], names.items[i - 1]) != 0)
                        jval_push(features, jval_new_text(names.items[i]));
        }
        for (size_t i = 0; i < names.n; i++)
                free(names.items[i]);
        free(names.items);
        return features;
}

/* host: the capabilities; expanded: a <cpu> document, or NULL. */
static char *cpu_info_of(xmlDoc *host, xmlDoc *expanded)
{
        struct jval *cpu = jval_new_object(), *topology = jval_new_object();
        CLEANUP(freep) char *model = expanded ? xml_xpath_string(expanded, "string(/cpu/model)") : NULL;
        char *text;

        set_text(cpu, "arch", host, "string(/capabilities/host/cpu/arch)");
        if (model && *model)
                jval_set_text(cpu, "model", model);
        else
                set_text(cpu, "model", host, "string(/capabilities/host/cpu/model)");
        set_text(cpu, "vendor", host, "string(/capabilities/host/cpu/vendor)");
        set_number(topology, "cells", host, "string(count(/capabilities/host/topology/cells/cell))");
        set_number(topology, "sockets", host, "string(/capabilities/host/cpu/topology/@sockets)");
        set_number(topology, "cores", host, "string(/capabilities/host/cpu/topology/@cores)");
        set_number(topology, "threads", host, "string(/capabilities/host/cpu/topology/@threads)");
        jval_set(cpu, "topology", topology);
        jval_set(cpu, "features", features_of(expanded ? expanded : host));
        text = jval_print(cpu, NULL);
        jval_unref(cpu);
        return text;
}

/* nova's one name for machines that have several. */
static const char *canonical_arch(const char *arch)
{
        static const char *const same[][2] = { { "i386", "i686" },
                                               { "i486", "i686" },
                                               { "i586", "i686" },
                                               { "amd64", "x86_64" },
                                               { "armv7a", "armv7" } };

        for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
                if (strcmp(arch, same[i][0]) == 0)
                        return same[i][1];
        return arch;
}

static void add_guest(xmlNode *domain, void *arg)
{
        CLEANUP(freep) char *arch = xml_xpath_string_at(domain, "string(../@name)");
        CLEANUP(freep) char *type = xml_xpath_string_at(domain, "string(@type)");
        CLEANUP(freep) char *mode = xml_xpath_string_at(domain, "string(../../os_type)");
        struct jval *row = jval_new_array();

        jval_push(row, jval_new_text(canonical_arch(arch)));
        jval_push(row, jval_new_text(type));
        jval_push(row, jval_new_text(mode));
        jval_push(arg, row);
}

int hostinfo_parse(const char *capabilities, const char *expanded_cpu, char **ret_cpu_info,
                   char **ret_supported_instances, struct error *err)
{
        CLEANUP(xml_doc_freep) xmlDoc *host = NULL;
        CLEANUP(xml_doc_freep) xmlDoc *expanded = NULL;
        struct jval *guests;

        host = xml_parse(capabilities, strlen(capabilities), "the host's capabilities", err);
        if (!host)
                return -1;
        if (expanded_cpu) {
                expanded = xml_parse(expanded_cpu, strlen(expanded_cpu), "the host's CPU", err);
                if (!expanded)
                        return -1;
        }
        guests = jval_new_array();
        xml_xpath_each(host, "/capabilities/guest/arch/domain", add_guest, guests);
        *ret_cpu_info = cpu_info_of(host, expanded);
        *ret_supported_instances = jval_print(guests, NULL);
        jval_unref(guests);
        return 0;
}

/* ---- what guests can be given ---- */

static void add_word(xmlNode *node, void *arg)
{
        CLEANUP(freep) char *word = xml_xpath_string_at(node, "string(.)");
        struct strbuf *words = arg;

        if (*word && !strchr(word, ' ') && !words_have(words->data, word))
                strbuf_addf(words, "%s ", word);
}

static char *words_at(const char *text, const char *what, const char *expression)
{
        CLEANUP(strbuf_free) struct strbuf words = {};
        struct error ignored = {};
        CLEANUP(xml_doc_freep) xmlDoc *doc = text ? xml_parse(text, strlen(text), what, &ignored) : NULL;

        if (!doc)
                return NULL;
        xml_xpath_each(doc, expression, add_word, &words);
        return strbuf_take(&words, NULL);
}

char *hostinfo_features(const char *cpu)
{
        return words_at(cpu, "a CPU",
                        "/cpu/feature[not(@policy) or (@policy!='disable' and "
                        "@policy!='forbid')]/@name");
}

char *hostinfo_device_values(const char *domain_capabilities, const char *device, const char *name)
{
        CLEANUP(freep)
        char *expression = xasprintf(
                "/domainCapabilities/devices/%s[@supported='yes']/enum[@name='%s']/value", device, name);

        return words_at(domain_capabilities, "domain capabilities", expression);
}

/* Threads of one core share it: libvirt's own count of threads is not reliable. */
static bool has_hyperthreading(const char *capabilities)
{
        CLEANUP(freep)
        char *shared = words_at(capabilities, "capabilities",
                                "/capabilities/host/topology/cells/cell/cpus/cpu[contains(@siblings, ',') or "
                                "contains(@siblings, '-')]/@siblings");

        return shared && *shared;
}

/* ---- asking libvirt ---- */

/* The features that the model's name stands for; NULL where the driver cannot tell. */
static char *BLOCKS expand_cpu(virConnectPtr conn, const char *capabilities)
{
        struct error ignored = {};
        CLEANUP(xml_doc_freep)
        xmlDoc *doc = xml_parse(capabilities, strlen(capabilities), "capabilities", &ignored);
        char *expanded = NULL;

        if (doc) {
                CLEANUP(freep) char *cpu = xml_element_text(doc, "/capabilities/host/cpu");
                const char *one[] = { cpu };

                if (cpu)
                        expanded =
                                virConnectBaselineCPU(conn, one, 1, VIR_CONNECT_BASELINE_CPU_EXPAND_FEATURES);
        }
        return expanded;
}

/* What cpu_mode none gives: QEMU's own default, as nova has it. */
static char *BLOCKS plain_features(virConnectPtr conn, const char *arch)
{
        CLEANUP(freep) char *cpu = NULL, *expanded = NULL;
        const char *one[1];

        if (strcmp(arch, "x86_64") != 0)
                return NULL;
        cpu = xasprintf("<cpu><arch>%s</arch><model>qemu64</model></cpu>", arch);
        one[0] = cpu;
        expanded = virConnectBaselineCPU(conn, one, 1, VIR_CONNECT_BASELINE_CPU_EXPAND_FEATURES);
        return hostinfo_features(expanded);
}

/* Where the driver cannot tell (libvirt's own test driver), nothing is claimed. */
static void BLOCKS read_abilities(virConnectPtr conn, const char *capabilities, const char *expanded_cpu,
                                  struct host_info *h)
{
        CLEANUP(freep) char *arch = NULL, *domain = NULL;
        struct error ignored = {};
        CLEANUP(xml_doc_freep)
        xmlDoc *doc = xml_parse(capabilities, strlen(capabilities), "capabilities", &ignored);

        if (!doc)
                return;
        arch = xml_xpath_string(doc, "string(/capabilities/host/cpu/arch)");
        domain = virConnectGetDomainCapabilities(conn, NULL, *arch ? arch : NULL, NULL, NULL, 0);
        h->cpu_features = hostinfo_features(expanded_cpu);
        h->plain_cpu_features = plain_features(conn, arch);
        h->disk_buses = hostinfo_device_values(domain, "disk", "bus");
        h->video_models = hostinfo_device_values(domain, "video", "modelType");
        h->hyperthreading = has_hyperthreading(capabilities);
}

static int64_t BLOCKS count_cpus(virConnectPtr conn, const virNodeInfo *node)
{
        unsigned online = 0;

        if (virNodeGetCPUMap(conn, NULL, &online, 0) > 0 && online > 0)
                return online;
        return node->cpus;
}

static int BLOCKS read_identity(virConnectPtr conn, struct host_info *h, struct error *err)
{
        CLEANUP(freep) char *hostname = virConnectGetHostname(conn);
        unsigned long version, lib_version;
        const char *type = virConnectGetType(conn);

        if (!hostname || !type)
                return vir_error(err, "reading the host's name");
        if (virConnectGetVersion(conn, &version) < 0 || virConnectGetLibVersion(conn, &lib_version) < 0)
                return vir_error(err, "reading the hypervisor's version");
        snprintf(h->hostname, sizeof(h->hostname), "%s", hostname);
        snprintf(h->hypervisor_type, sizeof(h->hypervisor_type), "%s", type);
        h->hypervisor_version = (int64_t)version;
        h->libvirt_version = (int64_t)lib_version;
        return 0;
}

int hostinfo_read(virConnectPtr conn, struct host_info *ret, struct error *err)
{
        CLEANUP(freep) char *capabilities = NULL, *expanded = NULL;
        struct host_info h = {};
        virNodeInfo node;

        if (read_identity(conn, &h, err) < 0)
                return -1;
        if (virNodeGetInfo(conn, &node) < 0)
                return vir_error(err, "reading the host's size");
        h.memory_mb = (int64_t)(node.memory / 1024);
        h.vcpus = count_cpus(conn, &node);
        capabilities = virConnectGetCapabilities(conn);
        if (!capabilities)
                return vir_error(err, "reading the host's capabilities");
        expanded = expand_cpu(conn, capabilities);
        if (hostinfo_parse(capabilities, expanded, &h.cpu_info, &h.supported_instances, err) < 0)
                return -1;
        read_abilities(conn, capabilities, expanded, &h);
        *ret = h;
        return 0;
}
