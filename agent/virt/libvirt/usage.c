/*
 * agent/virt/libvirt/usage.c: counters of a guest, one libvirt call each, all of them on one worker.
 *
 * The XML says which devices there are. Counters are asked for device by device, and one that cannot be had
 * takes its device out of the answer and nothing else: a driver need not have them all.
 */
#include "virt/libvirt/usage.h"

#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "virt/libvirt/vir_error.h"
#include "virt/libvirt/xmlutil.h"

/* ---- which devices there are ---- */

static void add_disk(xmlNode *node, void *arg)
{
        struct guest_usage *u = arg;
        char *target = xml_xpath_string_at(node, "string(target/@dev)");

        if (!*target) {
                free(target);
                return;
        }
        u->disks = xrealloc(u->disks, (u->n_disks + 1) * sizeof(u->disks[0]));
        u->disks[u->n_disks++] = (struct guest_disk_usage){ .target = target };
}

static void add_nic(xmlNode *node, void *arg)
{
        struct guest_usage *u = arg;

        u->nics = xrealloc(u->nics, (u->n_nics + 1) * sizeof(u->nics[0]));
        u->nics[u->n_nics++] = (struct guest_nic_usage){
                .mac = xml_xpath_string_at(node, "string(mac/@address)"),
                .target = xml_xpath_string_at(node, "string(target/@dev)"),
        };
}

int usage_devices(const char *xml, struct guest_usage *ret, struct error *err)
{
        CLEANUP(xml_doc_freep) xmlDoc *doc = xml_parse(xml, strlen(xml), "domain XML", err);

        if (!doc)
                return -1;
        xml_xpath_each(doc, "/domain/devices/disk", add_disk, ret);
        xml_xpath_each(doc, "/domain/devices/interface", add_nic, ret);
        return 0;
}

/* ---- what they have counted ---- */

static void BLOCKS read_cpus(virDomainPtr dom, unsigned n, struct guest_usage *u)
{
        CLEANUP(freep) virVcpuInfo *infos = xcalloc(n + 1, sizeof(*infos));
        int got = virDomainGetVcpus(dom, infos, (int)n, NULL, 0);

        if (got <= 0)
                return;
        u->cpus = xcalloc((size_t)got, sizeof(u->cpus[0]));
        for (int i = 0; i < got; i++)
                u->cpus[u->n_cpus++] = (struct guest_cpu_usage){ infos[i].number, (int64_t)infos[i].cpuTime };
}

static bool BLOCKS read_disk(virDomainPtr dom, struct guest_disk_usage *d)
{
        virDomainBlockStatsStruct s;

        if (virDomainBlockStats(dom, d->target, &s, sizeof(s)) < 0)
                return false;
        d->read_requests = s.rd_req;
        d->read_bytes = s.rd_bytes;
        d->write_requests = s.wr_req;
        d->write_bytes = s.wr_bytes;
        d->errors = s.errs;
        return true;
}

static bool BLOCKS read_nic(virDomainPtr dom, struct guest_nic_usage *n)
{
        virDomainInterfaceStatsStruct s;

        if (!*n->target)
                return true;
        if (virDomainInterfaceStats(dom, n->target, &s, sizeof(s)) < 0)
                return false;
        n->rx_bytes = s.rx_bytes;
        n->rx_packets = s.rx_packets;
        n->rx_errors = s.rx_errs;
        n->rx_drop = s.rx_drop;
        n->tx_bytes = s.tx_bytes;
        n->tx_packets = s.tx_packets;
        n->tx_errors = s.tx_errs;
        n->tx_drop = s.tx_drop;
        return true;
}

static void BLOCKS read_devices(virDomainPtr dom, struct guest_usage *u)
{
        unsigned kept = 0;

        for (unsigned i = 0; i < u->n_disks; i++) {
                if (read_disk(dom, &u->disks[i]))
                        u->disks[kept++] = u->disks[i];
                else
                        free(u->disks[i].target);
        }
        u->n_disks = kept;
        kept = 0;
        for (unsigned i = 0; i < u->n_nics; i++) {
                if (read_nic(dom, &u->nics[i])) {
                        u->nics[kept++] = u->nics[i];
                } else {
                        free(u->nics[i].mac);
                        free(u->nics[i].target);
                }
        }
        u->n_nics = kept;
}

/* By the names of libvirt's Python binding, which nova shows to users. */
static const char *memory_name(int tag)
{
        static const char *const names[] = {
                [VIR_DOMAIN_MEMORY_STAT_SWAP_IN] = "swap_in",
                [VIR_DOMAIN_MEMORY_STAT_SWAP_OUT] = "swap_out",
                [VIR_DOMAIN_MEMORY_STAT_MAJOR_FAULT] = "major_fault",
                [VIR_DOMAIN_MEMORY_STAT_MINOR_FAULT] = "minor_fault",
                [VIR_DOMAIN_MEMORY_STAT_UNUSED] = "unused",
                [VIR_DOMAIN_MEMORY_STAT_AVAILABLE] = "available",
                [VIR_DOMAIN_MEMORY_STAT_ACTUAL_BALLOON] = "actual",
                [VIR_DOMAIN_MEMORY_STAT_RSS] = "rss",
                [VIR_DOMAIN_MEMORY_STAT_USABLE] = "usable",
                [VIR_DOMAIN_MEMORY_STAT_LAST_UPDATE] = "last_update",
                [VIR_DOMAIN_MEMORY_STAT_DISK_CACHES] = "disk_caches",
                [VIR_DOMAIN_MEMORY_STAT_HUGETLB_PGALLOC] = "hugetlb_pgalloc",
                [VIR_DOMAIN_MEMORY_STAT_HUGETLB_PGFAIL] = "hugetlb_pgfail",
        };

        return tag >= 0 && (size_t)tag < ARRAY_SIZE(names) ? names[tag] : NULL;
}

static void BLOCKS read_memory(virDomainPtr dom, struct guest_usage *u)
{
        virDomainMemoryStatStruct stats[GUEST_MEMORY_MAX];
        int n = virDomainMemoryStats(dom, stats, GUEST_MEMORY_MAX, 0);

        for (int i = 0; i < n; i++) {
                const char *name = memory_name(stats[i].tag);

                if (name)
                        u->memory[u->n_memory++] = (struct guest_memory_usage){ name, (int64_t)stats[i].val };
        }
}

int usage_read(virDomainPtr dom, struct guest_usage *ret, struct error *err)
{
        struct guest_usage u = {};
        CLEANUP(freep) char *xml = NULL;
        virDomainInfo info;

        if (virDomainGetInfo(dom, &info) < 0)
                return vir_error(err, "reading the state of the domain");
        xml = virDomainGetXMLDesc(dom, 0);
        if (!xml)
                return vir_error(err, "reading the XML of the domain");
        if (usage_devices(xml, &u, err) < 0)
                return -1;
        u.memory_max_kb = (int64_t)info.maxMem;
        u.memory_kb = (int64_t)info.memory;
        read_cpus(dom, info.nrVirtCpu, &u);
        read_devices(dom, &u);
        read_memory(dom, &u);
        *ret = u;
        return 0;
}
