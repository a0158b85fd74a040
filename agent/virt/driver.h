/*
 * agent/virt/driver.h: what any hypervisor can do for the compute manager.
 *
 * All functions run on the hub thread and YIELD; each waits no longer than its deadline, and then fails with
 * ERR_TIMEOUT while the hypervisor's own call may still go on (see tpool). Errors use NOVA_* codes:
 * NOVA_INSTANCE_NOT_FOUND when there is no such domain, NOVA_HYPERVISOR_UNAVAILABLE when there is no
 * connection, NOVA_LIBVIRT_ERROR otherwise. Domains are found by uuid = instance uuid.
 */
#pragma once

#include "green/green.h"
#include "model/fault.h"
#include "model/instance.h"

struct guest_disk {
        char *path, *format, *cache; /* "qcow2", "raw"; "none", "writeback" */
        char *target, *bus;          /* "vda", "virtio" */
        bool cdrom;
        char *discard; /* "unmap", "ignore"; NULL: not said */
};

enum guest_nic_kind {
        GUEST_NIC_BRIDGE,  /* a tap device in a Linux bridge */
        GUEST_NIC_OVS,     /* a tap device in a bridge of Open vSwitch */
        GUEST_NIC_MACVTAP, /* on a device of the host */
};
struct guest_ip {
        char *type, *address;
        int64_t version;
};
struct guest_nic {
        enum guest_nic_kind kind;
        char *port_id, *mac, *model; /* model NULL: the hypervisor's choice */
        char *source;                /* the bridge, or the host's device */
        char *target;                /* name of the tap device; NULL for macvtap */
        char *mode;                  /* of a macvtap: "vepa", "bridge" */
        char *interface_id;          /* ovs */
        bool make_bridge;            /* a Linux bridge that misses is made */
        int64_t mtu, queues;         /* 0: not said */
        struct guest_ip *ips;        /* for the metadata element */
        unsigned n_ips;
};

/* Limits of a flavor (extra specs quota:...); 0: none. */
enum guest_quota {
        QUOTA_CPU_SHARES,
        QUOTA_CPU_QUOTA,
        QUOTA_CPU_PERIOD,
        QUOTA_DISK_READ_BYTES,
        QUOTA_DISK_READ_IOPS,
        QUOTA_DISK_WRITE_BYTES,
        QUOTA_DISK_WRITE_IOPS,
        QUOTA_DISK_TOTAL_BYTES,
        QUOTA_DISK_TOTAL_IOPS,
        QUOTA_VIF_INBOUND_AVERAGE,
        QUOTA_VIF_INBOUND_PEAK,
        QUOTA_VIF_INBOUND_BURST,
        QUOTA_VIF_OUTBOUND_AVERAGE,
        QUOTA_VIF_OUTBOUND_PEAK,
        QUOTA_VIF_OUTBOUND_BURST,
        GUEST_QUOTAS
};

/* All that is needed to define a domain (nova-contract 7.1); made by compute/, consumed by virt/. */
struct guest_spec {
        char uuid[UUID_LEN + 1];
        char *name; /* instance-00000001 */
        int64_t memory_mb, vcpus;
        struct guest_disk *disks;
        unsigned n_disks;
        char *console_log; /* path; made before start */
        /* metadata element, nova-contract 7.1.1 */
        char *display_name, *flavor_name, *user_id, *user_name, *project_id, *project_name, *image_ref;
        int64_t flavor_disk_gb, flavor_swap_mb, flavor_ephemeral_gb;
        time_t created;                        /* creationTime */
        char *machine, *video_model, *os_type; /* NULL: defaults of the driver */
        struct guest_nic *nics;
        unsigned n_nics;
        /* From the image and the flavor; what is zero is nova's default. */
        int64_t cpu_sockets, cpu_cores, cpu_threads; /* sockets 0: one per vcpu */
        int64_t quotas[GUEST_QUOTAS];
        char *pointer_bus;     /* "usb", "virtio", "none": no pointer; NULL: usb */
        char *keyboard_bus;    /* NULL: what the machine has */
        int64_t video_ram_mb;  /* 0: the hypervisor's choice */
        char *scsi_model;      /* NULL: no controller is named */
        char *watchdog_action; /* NULL: no watchdog */
        char *pmu;             /* "on", "off"; NULL: the hypervisor's choice */
        bool qemu_guest_agent, hpet, hide_hypervisor, boot_menu, no_rng;
        int64_t rng_rate_bytes, rng_rate_period_ms;
};
void guest_spec_free(struct guest_spec *s);
void guest_spec_forget_disks(struct guest_spec *s);                         /* and the console log */
void guest_spec_copy(struct guest_spec *to, const struct guest_spec *from); /* to is freed first */

struct guest_info {
        char uuid[UUID_LEN + 1];
        char name[64];
        enum power_state power_state;
        int id; /* hypervisor's id while it runs, else -1; changes at each start */
};
struct guest_list {
        struct guest_info *items;
        unsigned n;
};
void guest_list_free(struct guest_list *l);

struct host_info { /* nova-contract 4.6 */
        char hostname[256];
        char hypervisor_type[32];
        int64_t hypervisor_version, libvirt_version;
        int64_t vcpus, memory_mb;
        char *cpu_info;            /* JSON text */
        char *supported_instances; /* JSON text */
        /* What guests can be given, each a list of words (base/words.h) with a blank after each;
         * NULL: not known. */
        char *cpu_features;       /* of the host's CPU */
        char *plain_cpu_features; /* of the CPU that cpu_mode none gives */
        char *disk_buses, *video_models;
        bool hyperthreading;
};
void host_info_free(struct host_info *h);

/* What a running guest has used so far (nova-contract 3.4). What the hypervisor does not count is not in it.
 */
struct guest_cpu_usage {
        int64_t id, time_ns;
};
struct guest_disk_usage {
        char *target; /* "vda" */
        int64_t read_requests, read_bytes, write_requests, write_bytes, errors;
};
struct guest_nic_usage {
        char *mac;
        char *target; /* "tap..."; "": it has none, and nothing below is counted */
        int64_t rx_bytes, rx_packets, rx_errors, rx_drop;
        int64_t tx_bytes, tx_packets, tx_errors, tx_drop;
};
struct guest_memory_usage {
        const char *name; /* libvirt's, a literal: "rss" */
        int64_t value;
};
#define GUEST_MEMORY_MAX 16
struct guest_usage {
        int64_t memory_max_kb, memory_kb;
        struct guest_cpu_usage *cpus;
        struct guest_disk_usage *disks;
        struct guest_nic_usage *nics;
        struct guest_memory_usage memory[GUEST_MEMORY_MAX];
        unsigned n_cpus, n_disks, n_nics, n_memory;
};
void guest_usage_free(struct guest_usage *u);

/* What the hypervisor does with a guest in the background: saving its memory, migrating it. */
struct guest_job {
        int64_t done_bytes, total_bytes; /* total 0: nothing is under way */
};

enum virt_event_kind {
        VIRT_EVENT_STARTED,
        VIRT_EVENT_STOPPED,
        VIRT_EVENT_PAUSED,
        VIRT_EVENT_RESUMED,
        VIRT_EVENT_SUSPENDED,
        VIRT_EVENT_RESYNC, /* events may have been lost (overflow, reconnect): look at all; uuid is "" */
        VIRT_EVENT_CONNECTED,
        VIRT_EVENT_DISCONNECTED,
};
struct virt_event {
        char uuid[UUID_LEN + 1];
        enum virt_event_kind kind;
        int detail; /* the hypervisor's own, for the log */
};
const char *virt_event_name(enum virt_event_kind k);

struct virt_status {
        bool connected;
        char uri[256], last_error[256];
        const char *lacks;  /* virt_type, where this hypervisor cannot have such guests; NULL: nothing */
        double event_gap_s; /* how long events have been missing; 0 while connected */
        unsigned long events, reconnects, overflows, calls, timeouts;
        unsigned workers, busy, hung;
        const char *queue; /* of events on their way to on_event; NULL: there is none */
        size_t queue_depth, queue_capacity;
        unsigned long queue_lost; /* events; each time all guests are looked at instead */
        double last_event_s;      /* since the last event of a guest; negative: none came yet */
};

struct tpool_call_stats;
struct virt_driver;
struct virt_driver_ops {
        const char *name;
        /* Starts the event thread and the green threads that connect (for ever) and feed on_event. */
        int (*start)(struct virt_driver *d, struct error *err);
        /* Waits until it is connected. */
        int (*wait_connected)(struct virt_driver *d, struct deadline by, struct error *err);
        void (*stop)(struct virt_driver *d); /* deregisters, closes, frees d */
        int (*get_host_info)(struct virt_driver *d, struct host_info *ret, struct deadline by,
                             struct error *err);
        int (*list)(struct virt_driver *d, struct guest_list *ret, struct deadline by, struct error *err);
        /* No domain: 0 with POWER_NOSTATE and id -1. */
        int (*get_info)(struct virt_driver *d, const char *uuid, struct guest_info *ret, struct deadline by,
                        struct error *err);
        /* Defines, starts, and waits until it runs; on failure nothing of the domain is left. */
        int (*spawn)(struct virt_driver *d, const struct guest_spec *spec, struct deadline by,
                     struct error *err);
        /* Anew from a fresh definition: destroy if running, undefine (disks stay), define, start, wait. */
        int (*hard_reboot)(struct virt_driver *d, const struct guest_spec *spec, struct deadline by,
                           struct error *err);
        /* Forced off; already off or absent is success. Waits until it is off. */
        int (*power_off)(struct virt_driver *d, const char *uuid, struct deadline by, struct error *err);
        /* Asks the guest's ACPI; returns at once. */
        int (*shutdown)(struct virt_driver *d, const char *uuid, struct deadline by, struct error *err);
        /* Starts the defined domain (also from managed save) and waits until it runs. */
        int (*start_domain)(struct virt_driver *d, const char *uuid, struct deadline by, struct error *err);
        /* What the spec's network interfaces need of this host is there, or is made; before start_domain().
         */
        int (*plug)(struct virt_driver *d, const struct guest_spec *spec, struct deadline by,
                    struct error *err);
        int (*pause)(struct virt_driver *d, const char *uuid, struct deadline by, struct error *err);
        int (*unpause)(struct virt_driver *d, const char *uuid, struct deadline by, struct error *err);
        /* Managed save. */
        int (*suspend)(struct virt_driver *d, const char *uuid, struct deadline by, struct error *err);
        /* Removes the definition with managed save and nvram; absent is success. */
        int (*undefine)(struct virt_driver *d, const char *uuid, struct deadline by, struct error *err);
        /* Path of the console's log file, from the domain XML; NOVA_CONSOLE_NOT_AVAILABLE. Caller frees. */
        int (*console_path)(struct virt_driver *d, const char *uuid, char **ret, struct deadline by,
                            struct error *err);
        /* Of its VNC display; -1 while it does not run. NOVA_CONSOLE_TYPE_UNAVAILABLE: it has none. */
        int (*vnc_port)(struct virt_driver *d, const char *uuid, int *ret, struct deadline by,
                        struct error *err);
        int (*get_usage)(struct virt_driver *d, const char *uuid, struct guest_usage *ret, struct deadline by,
                         struct error *err);
        /* NOVA_INSTANCE_NOT_RUNNING, NOVA_TRIGGER_CRASH_DUMP_NOT_SUPPORTED. */
        int (*inject_nmi)(struct virt_driver *d, const char *uuid, struct deadline by, struct error *err);
        /* Ends what is done with the domain in the background (a migration); nothing under way is success. */
        int (*abort_job)(struct virt_driver *d, const char *uuid, struct deadline by, struct error *err);
        int (*get_job)(struct virt_driver *d, const char *uuid, struct guest_job *ret, struct deadline by,
                       struct error *err);
        void (*get_status)(struct virt_driver *d, struct virt_status *ret);
        /* What came of its library's calls, by name. NULL: it has none. */
        void (*foreach_call)(struct virt_driver *d, void (*fn)(const struct tpool_call_stats *s, void *arg),
                             void *arg);
        /* hung calls: for inventories */
        void (*foreach_worker)(struct virt_driver *d,
                               void (*fn)(const char *doing, const char *what, double since_s, bool hung,
                                          void *arg),
                               void *arg);
        /* Of calls without an own deadline, from the next one on. NULL: there are none that could wait. */
        void (*set_call_timeout)(struct virt_driver *d, double seconds);
};

struct virt_driver {
        const struct virt_driver_ops *ops;
        /* Called by the driver's one draining green thread, in order; may yield. Set before start. */
        void (*on_event)(const struct virt_event *ev, void *arg);
        void *on_event_arg;
};

struct virt_options {
        const char *connection_uri;  /* "qemu:///system", "qemu:///embed?root=DIR", "test:///default" */
        const char *virt_type;       /* "kvm", "qemu" */
        const char *cpu_mode;        /* "none", "host-model", ...; NULL or "": host-model */
        const char *vnc_listen;      /* NULL: no graphics */
        const char *machine;         /* NULL: "pc" on x86 */
        unsigned mem_stats_period_s; /* 0: none */
        const char *rng_dev_path;    /* NULL: /dev/urandom; "": no such device */
        double call_timeout_s;       /* of a call without an own deadline; 0: 60 */
        unsigned keepalive_interval_s, keepalive_count; /* remote connections; 0: 5 and 3 */
};
struct virt_driver *HUB_ONLY virt_libvirt_new(const struct virt_options *opt, struct error *err);
struct virt_driver *HUB_ONLY virt_fake_new(void); /* in memory; what most tests run on */
