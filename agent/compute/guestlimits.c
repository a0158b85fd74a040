/*
 * agent/compute/guestlimits.c: what an image or a flavor may ask for and this agent cannot give.
 *
 * A guest must never silently come out as something else than its image and flavor say. So what nova's driver
 * would act upon and this agent does not is refused with the key's name; keys that nova's driver ignores
 * (those of schedulers, of other hypervisors, of users) are ignored here too.
 */
#include "compute/compute_priv.h"

#include <string.h>

#include "base/words.h"

struct limit {
        const char *key;  /* ends with '*': every key that begins so */
        const char *fine; /* values without effect, separated by blanks; "": none; FALSE: any but true ones */
};
#define FALSE "\001"

static const struct limit image_limits[] = {
        { "hw_cpu_policy", "shared" },
        { "hw_ephemeral_encryption", FALSE },
        { "hw_firmware_type", "bios" },
        { "hw_locked_memory", FALSE },
        { "hw_mem_encryption", FALSE },
        { "hw_mem_page_size", "" },
        { "hw_numa_*", "" },
        { "hw_rng_model", "virtio" },
        { "hw_tpm_model", "" },
        { "hw_tpm_version", "" },
        { "hw_viommu_model", "" },
        { "hw_vm_mode", "hvm" },
        { "os_secure_boot", "disabled optional" },
};

static const struct limit flavor_limits[] = {
        { "accel:device_profile", "" },
        { "hw:cpu_dedicated_mask", "" },
        { "hw:cpu_policy", "shared" },
        { "hw:cpu_realtime", FALSE },
        { "hw:emulator_threads_policy", "" },
        { "hw:ephemeral_encryption", FALSE },
        { "hw:locked_memory", FALSE },
        { "hw:mem_encryption", FALSE },
        { "hw:mem_page_size", "" },
        { "hw:numa_*", "" },
        { "hw:pmem", "" },
        { "hw:tpm_*", "" },
        { "hw:viommu_model", "" },
        { "os:secure_boot", "disabled optional" },
        { "pci_passthrough:alias", "" },
};

static bool value_is_fine(const char *fine, const char *value)
{
        return strcmp(fine, FALSE) == 0 ? !guestprops_true(value) : words_have(fine, value);
}

static int check_one(const struct limit *limits, size_t n, const char *what, const char *key,
                     const char *value, struct error *err)
{
        for (size_t l = 0; l < n; l++)
                if (words_match(limits[l].key, key) && !value_is_fine(limits[l].fine, value))
                        return error_set(err, NOVA_INVALID_INPUT,
                                         "%s %.64s=%.64s is not supported by this agent", what, key, value);
        return 0;
}

/* Dedicated CPUs, virtual GPUs and encrypted memory come as resources, too: "resources:PCPU=2". */
static int check_resources(const char *key, const char *value, struct error *err)
{
        static const char *const classes[] = { "PCPU", "VGPU", "MEM_ENCRYPTION_CONTEXT", "PGPU" };
        const char *class_ = strchr(key, ':');

        if (strncmp(key, "resources", 9) != 0 || !class_ || strcmp(value, "0") == 0)
                return 0;
        for (size_t c = 0; c < ARRAY_SIZE(classes); c++)
                if (strcmp(class_ + 1, classes[c]) == 0)
                        return error_set(err, NOVA_INVALID_INPUT,
                                         "flavor extra spec %.64s=%.64s is not supported by this agent", key,
                                         value);
        return 0;
}

/* A guest of this host's kind, or of its 32 bit sibling. */
static bool architecture_fits(const char *arch)
{
#if defined(__aarch64__)
        return strcmp(arch, "aarch64") == 0;
#elif defined(__x86_64__)
        return strcmp(arch, "x86_64") == 0 || strcmp(arch, "i686") == 0;
#else
        return false;
#endif
}

static int check_instance(const struct instance *i, struct error *err)
{
        const char *arch = instance_system_meta(i, "image_hw_emulation_architecture");

        if (!arch || !*arch)
                arch = instance_system_meta(i, "image_hw_architecture");
        if (arch && *arch && !architecture_fits(arch))
                return error_set(err, NOVA_INVALID_INPUT, "guests of architecture %.32s cannot run here",
                                 arch);
        if (i->kernel_id && *i->kernel_id)
                return error_set(err, NOVA_INVALID_INPUT,
                                 "booting from a kernel image (kernel_id %.64s) is not supported by this "
                                 "agent",
                                 i->kernel_id);
        if (i->vm_mode && *i->vm_mode && strcmp(i->vm_mode, "hvm") != 0)
                return error_set(err, NOVA_INVALID_INPUT, "vm_mode %.32s is not supported by this agent",
                                 i->vm_mode);
        if (i->has_numa_topology)
                return error_set(err, NOVA_INVALID_INPUT,
                                 "a NUMA topology (instance_extra.numa_topology) is not supported by this "
                                 "agent");
        if (i->has_pci_requests)
                return error_set(err, NOVA_INVALID_INPUT,
                                 "PCI devices (instance_extra.pci_requests) are not supported by this agent");
        return 0;
}

int guestlimits_check(const struct instance *i, struct error *err)
{
        static const char prefix[] = "image_";

        /* The keys first: a flavor that asks for NUMA nodes also left a topology, which says less. */
        for (unsigned n = 0; n < i->flavor.n_extra_specs; n++) {
                const struct instance_meta *m = &i->flavor.extra_specs[n];

                if (check_one(flavor_limits, ARRAY_SIZE(flavor_limits), "flavor extra spec", m->key, m->value,
                              err) < 0 ||
                    check_resources(m->key, m->value, err) < 0)
                        return -1;
        }
        for (unsigned n = 0; n < i->n_system_metadata; n++) {
                const struct instance_meta *m = &i->system_metadata[n];

                if (strncmp(m->key, prefix, strlen(prefix)) == 0 &&
                    check_one(image_limits, ARRAY_SIZE(image_limits), "image property",
                              m->key + strlen(prefix), m->value, err) < 0)
                        return -1;
        }
        return check_instance(i, err);
}
