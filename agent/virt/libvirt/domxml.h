/*
 * agent/virt/libvirt/domxml.h: from the model to the text that defines a domain (nova-contract 7.1). Pure.
 *
 * Display names, flavor names and user names come from users: whatever XML 1.0 cannot carry in them (control
 * characters, bad UTF-8) becomes U+FFFD, everything else is escaped by the writer. A path or the domain's own
 * name with such characters would name something else, so it is refused: NOVA_INVALID_INPUT.
 */
#pragma once

#include "virt/driver.h"

struct domxml_host {
        const char *arch;         /* "x86_64" */
        const char *domain_type;  /* "kvm", "qemu", "test" */
        const char *cpu_mode;     /* "none", "host-model", "host-passthrough", "maximum"; NULL: host-model */
        const char *vnc_listen;   /* NULL: no graphics */
        const char *machine;      /* NULL: "pc" on x86, "virt" on aarch64 */
        const char *rng_dev_path; /* NULL: /dev/urandom; "": no such device */
        const char *version;      /* of this agent */
        unsigned mem_stats_period_s;
};

/* Is this a cpu_mode that domxml_build() knows? */
bool domxml_cpu_mode_known(const char *cpu_mode);
int domxml_build(const struct domxml_host *host, const struct guest_spec *spec, char **ret_xml,
                 struct error *err);

/*
 * The other way: path of the console's log in a domain's XML: console[type=file]/source,
 * console[type=tcp]/log, console[type=pty]/log, in that order of preference; NOVA_CONSOLE_NOT_AVAILABLE.
 */
int domxml_console_path(const char *xml, char **ret, struct error *err);
/* The port of graphics[type=vnc]; -1: libvirt chooses one at the next start. NOVA_CONSOLE_TYPE_UNAVAILABLE.
 */
int domxml_vnc_port(const char *xml, int *ret, struct error *err);
