/*
 * agent/virt/libvirt/vif.c: bridges of the host, by the kernel's oldest interface: two ioctls, and files in
 * /sys and /proc. Each of them waits for the kernel's network lock, so that all happens on a worker.
 */
#include "virt/libvirt/vif.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/sockios.h>

#include "base/mem.h"

struct vif_work { /* copied to the worker and back */
        char name[IFNAMSIZ];
        bool linux_bridge, make;
};

static bool BLOCKS there(const char *name, const char *file)
{
        CLEANUP(freep) char *path = xasprintf("/sys/class/net/%s%s", name, file);

        return access(path, F_OK) == 0;
}

/* What is not there (no IPv6 in this kernel) need not be set. */
static void BLOCKS set_sysctl(const char *family, const char *name, const char *key, const char *value)
{
        CLEANUP(freep) char *path = xasprintf("/proc/sys/net/%s/conf/%s/%s", family, name, key);
        CLEANUP(closep) int fd = open(path, O_WRONLY | O_CLOEXEC);

        if (fd >= 0 && write(fd, value, strlen(value)) < 0)
                return; /* a matter of tidiness: the host shall not take part in the guests' network */
}

static int BLOCKS make_bridge(const char *name, struct error *err)
{
        CLEANUP(closep) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        struct ifreq r = {};

        if (fd < 0)
                return error_system(err, errno, "making bridge %s", name);
        if (ioctl(fd, SIOCBRADDBR, name) < 0 && errno != EEXIST)
                return error_system(err, errno, "making bridge %s", name);
        set_sysctl("ipv6", name, "disable_ipv6", "1");
        set_sysctl("ipv4", name, "arp_ignore", "1");
        set_sysctl("ipv4", name, "arp_announce", "2");
        snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
        if (ioctl(fd, SIOCGIFFLAGS, &r) < 0)
                return error_system(err, errno, "looking at bridge %s", name);
        r.ifr_flags = (short)(r.ifr_flags | IFF_UP);
        if (ioctl(fd, SIOCSIFFLAGS, &r) < 0)
                return error_system(err, errno, "bringing bridge %s up", name);
        return 0;
}

static int prepare_one(void *arg, struct error *err)
{
        struct vif_work *w = arg;

        assert_on_worker();
        if (!there(w->name, "")) {
                if (w->make)
                        return make_bridge(w->name, err);
                return error_set(err, NOVA_INVALID_INPUT, "there is no %s %s on this host",
                                 w->linux_bridge ? "bridge" : "network device", w->name);
        }
        if (w->linux_bridge && !there(w->name, "/bridge"))
                return error_set(err, NOVA_INVALID_INPUT, "network device %s is no bridge", w->name);
        return 0;
}

int vif_prepare(struct tpool *p, const struct guest_spec *s, struct deadline by, struct error *err)
{
        for (unsigned n = 0; n < s->n_nics; n++) {
                const struct guest_nic *nic = &s->nics[n];
                struct vif_work w = { .linux_bridge = nic->kind == GUEST_NIC_BRIDGE,
                                      .make = nic->make_bridge };

                snprintf(w.name, sizeof(w.name), "%s", nic->source);
                if (tpool_execute(p, "prepare bridge", prepare_one, &w, sizeof(w), by, err) < 0)
                        return error_while(err, "network interface %.36s", nic->port_id);
        }
        return 0;
}
