/*
 * agent/compute/start.c: what must be true before this host takes part in the cloud (nova-contract 4.1, 4.2):
 * versions of the cell, of libvirt and QEMU, directories that can be written. What an operator has to mend is
 * ERR_INVALID, which ends the start; what is only odd is logged.
 */
#define LOG_MODULE "compute.start"
#include "compute/compute_priv.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/strbuf.h"

#define OLDEST_SERVICE  61 /* Yoga: what a service of version 64 can work beside */
#define OLDEST_LIBVIRT  6000000
#define OLDEST_QEMU     4002000
#define NAMES_SHOWN_MAX 200

/* ---- the cell ---- */

static int YIELDS check_service_versions(struct compute_manager *m, struct deadline by, struct error *err)
{
        int64_t oldest;

        if (store_service_min_version(m->store, &oldest, by, err) < 0)
                return -1;
        if (oldest > SERVICE_VERSION)
                return error_set(err, ERR_INVALID,
                                 "this agent is too old for its cell: its service version is %d, the oldest "
                                 "nova-compute there has %lld",
                                 SERVICE_VERSION, (long long)oldest);
        if (oldest != 0 && oldest != SERVICE_VERSION && !m->checked)
                log_info("the cell's oldest nova-compute has service version %lld, this agent %d",
                         (long long)oldest, SERVICE_VERSION);
        if (oldest == 0 || oldest >= OLDEST_SERVICE)
                return 0;
        if (m->conf->workarounds.disable_compute_service_check_for_ffu) {
                log_warning(
                        "the cell has a nova-compute of service version %lld, older than %d: starting all "
                        "the same, as disable_compute_service_check_for_ffu says",
                        (long long)oldest, OLDEST_SERVICE);
                return 0;
        }
        return error_set(err, ERR_INVALID,
                         "the cell has a nova-compute of service version %lld, this agent works beside %d "
                         "(Yoga) and newer: upgrade or remove that service first",
                         (long long)oldest, OLDEST_SERVICE);
}

/* ---- the hypervisor ---- */

static int check_version(const char *what, int64_t version, int64_t oldest, struct error *err)
{
        if (version >= oldest)
                return 0;
        return error_set(err, ERR_INVALID, "%s %lld.%lld.%lld is too old, %lld.%lld.%lld is needed", what,
                         (long long)(version / 1000000), (long long)(version / 1000 % 1000),
                         (long long)(version % 1000), (long long)(oldest / 1000000),
                         (long long)(oldest / 1000 % 1000), (long long)(oldest % 1000));
}

static int YIELDS check_hypervisor(struct compute_manager *m, struct deadline by, struct error *err)
{
        CLEANUP(host_info_free) struct host_info host = {};

        if (m->driver->ops->get_host_info(m->driver, &host, by, err) < 0)
                return error_while(err, "asking the hypervisor for its version");
        if (check_version("libvirt", host.libvirt_version, OLDEST_LIBVIRT, err) < 0)
                return -1;
        if (strcmp(host.hypervisor_type, "QEMU") == 0 &&
            check_version("QEMU", host.hypervisor_version, OLDEST_QEMU, err) < 0)
                return -1;
        tracker_know_host(m->tracker, &host);
        return 0;
}

/* ---- the host ---- */

static bool same_address(const struct sockaddr *a, const char *text)
{
        char buf[INET6_ADDRSTRLEN] = "";

        if (a && a->sa_family == AF_INET)
                inet_ntop(AF_INET, &((const struct sockaddr_in *)a)->sin_addr, buf, sizeof(buf));
        else if (a && a->sa_family == AF_INET6)
                inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)a)->sin6_addr, buf, sizeof(buf));
        return strcmp(buf, text) == 0;
}

static void warn_of_foreign_address(const char *my_ip)
{
        struct ifaddrs *all, *a;

        if (getifaddrs(&all) < 0)
                return;
        for (a = all; a && !same_address(a->ifa_addr, my_ip); a = a->ifa_next)
                ;
        freeifaddrs(all);
        if (!a)
                log_warning("my_ip %s is no address of this machine: others may not reach it", my_ip);
}

static bool is_yaml(const char *name)
{
        const char *dot = strrchr(name, '.');

        return dot && dot != name && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0);
}

/* Inventories and traits that operators add by files. */
static void warn_of_provider_files(const char *path)
{
        CLEANUP(strbuf_free) struct strbuf names = {};
        struct dirent *entry;
        DIR *dir;

        local_files("configuration in /etc, at the start");
        dir = *path ? opendir(path) : NULL;
        if (!dir)
                return;
        while ((entry = readdir(dir)) && names.len < NAMES_SHOWN_MAX)
                if (is_yaml(entry->d_name))
                        strbuf_addf(&names, " %s", entry->d_name);
        closedir(dir);
        if (names.len)
                log_warning("files in provider_config_location %s have no effect, this agent does not "
                            "support them:%s",
                            path, names.data);
}

int start_check(struct compute_manager *m, struct deadline by, struct error *err)
{
        if (disks_check(m->disks, by, err) < 0)
                return -1;
        if (check_service_versions(m, by, err) < 0 || check_hypervisor(m, by, err) < 0)
                return -1;
        if (!m->checked) { /* an attempt that is repeated need not warn again */
                warn_of_foreign_address(m->conf->my_ip);
                warn_of_provider_files(m->conf->compute.provider_config_location);
        }
        m->checked = true;
        return 0;
}
