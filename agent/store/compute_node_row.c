/* agent/store/compute_node_row.c: what a row of compute_nodes owns. Apart from the SQL: tests replace that.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "store/store.h"

void compute_node_row_free(struct compute_node_row *r)
{
        free(r->hypervisor_type);
        free(r->hypervisor_hostname);
        free(r->cpu_info);
        free(r->host_ip);
        free(r->supported_instances);
        free(r->stats);
        free(r->numa_topology);
        free(r->pci_stats);
        free(r->metrics);
        *r = (struct compute_node_row){};
}

void compute_node_row_copy(struct compute_node_row *to, const struct compute_node_row *from)
{
        compute_node_row_free(to);
        *to = *from;
        to->hypervisor_type = xstrdup(from->hypervisor_type);
        to->hypervisor_hostname = xstrdup(from->hypervisor_hostname);
        to->cpu_info = xstrdup(from->cpu_info);
        to->host_ip = xstrdup(from->host_ip);
        to->supported_instances = xstrdup(from->supported_instances);
        to->stats = xstrdup(from->stats);
        to->numa_topology = xstrdup(from->numa_topology);
        to->pci_stats = xstrdup(from->pci_stats);
        to->metrics = xstrdup(from->metrics);
}
