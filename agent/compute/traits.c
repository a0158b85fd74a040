/*
 * agent/compute/traits.c: traits of this host, from three sides: what the CPU that guests get has, what the
 * hypervisor offers, and what this agent does with it.
 *
 * A trait of nova-compute's that this agent does not do is ours all the same: it is taken away from a
 * provider that a nova-compute made before. What operators set themselves has other names and stays.
 */
#include "compute/traits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/words.h"
#include "peers/placement.h"

/* ---- by the names that others use ---- */

struct named_trait {
        const char *name; /* libvirt's, or an image format */
        const char *trait;
};

#define X86(feature, trait_)                  \
        {                                     \
                feature, "HW_CPU_X86_" trait_ \
        }
static const struct named_trait cpu_traits[] = {
        X86("3dnow", "3DNOW"),
        X86("abm", "ABM"),
        X86("aes", "AESNI"),
        X86("avx", "AVX"),
        X86("avx2", "AVX2"),
        X86("avx512-vpopcntdq", "AVX512VPOPCNTDQ"),
        X86("avx512bitalg", "AVX512BITALG"),
        X86("avx512bw", "AVX512BW"),
        X86("avx512cd", "AVX512CD"),
        X86("avx512dq", "AVX512DQ"),
        X86("avx512er", "AVX512ER"),
        X86("avx512f", "AVX512F"),
        X86("avx512ifma", "AVX512IFMA"),
        X86("avx512pf", "AVX512PF"),
        X86("avx512vbmi", "AVX512VBMI"),
        X86("avx512vbmi2", "AVX512VBMI2"),
        X86("avx512vl", "AVX512VL"),
        X86("avx512vnni", "AVX512VNNI"),
        X86("bmi1", "BMI"),
        X86("bmi2", "BMI2"),
        X86("f16c", "F16C"),
        X86("fma", "FMA3"),
        X86("fma4", "FMA4"),
        X86("gfni", "AVX512GFNI"),
        X86("mmx", "MMX"),
        X86("mpx", "MPX"),
        X86("pclmuldq", "CLMUL"),
        X86("sha-ni", "SHA"),
        X86("sse", "SSE"),
        X86("sse2", "SSE2"),
        X86("sse3", "SSE3"),
        X86("sse4.1", "SSE41"),
        X86("sse4.2", "SSE42"),
        X86("sse4a", "SSE4A"),
        X86("ssse3", "SSSE3"),
        X86("svm", "SVM"),
        X86("svm", "AMD_SVM"),
        X86("tbm", "TBM"),
        X86("vaes", "AVX512VAES"),
        X86("vmx", "VMX"),
        X86("vmx", "INTEL_VMX"),
        X86("vpclmulqdq", "AVX512VPCLMULQDQ"),
        X86("xop", "XOP"),
};

/* Buses that a root disk can be on. */
static const struct named_trait bus_traits[] = {
        { "ide", "COMPUTE_STORAGE_BUS_IDE" },       { "sata", "COMPUTE_STORAGE_BUS_SATA" },
        { "scsi", "COMPUTE_STORAGE_BUS_SCSI" },     { "usb", "COMPUTE_STORAGE_BUS_USB" },
        { "virtio", "COMPUTE_STORAGE_BUS_VIRTIO" },
};

static const struct named_trait video_traits[] = {
        { "bochs", "COMPUTE_GRAPHICS_MODEL_BOCHS" }, { "cirrus", "COMPUTE_GRAPHICS_MODEL_CIRRUS" },
        { "none", "COMPUTE_GRAPHICS_MODEL_NONE" },   { "qxl", "COMPUTE_GRAPHICS_MODEL_QXL" },
        { "vga", "COMPUTE_GRAPHICS_MODEL_VGA" },     { "virtio", "COMPUTE_GRAPHICS_MODEL_VIRTIO" },
        { "vmvga", "COMPUTE_GRAPHICS_MODEL_VMVGA" },
};

static const struct named_trait image_traits[] = {
        { "qcow2", "COMPUTE_IMAGE_TYPE_QCOW2" },
        { "raw", "COMPUTE_IMAGE_TYPE_RAW" },
};

/* What nova-compute says of itself and this agent does not do (yet). */
static const char *const not_done[] = {
        "COMPUTE_ACCELERATORS",
        "COMPUTE_DEVICE_TAGGING",
        "COMPUTE_GRAPHICS_MODEL_GOP",
        "COMPUTE_GRAPHICS_MODEL_XEN",
        "COMPUTE_IMAGE_TYPE_AKI",
        "COMPUTE_IMAGE_TYPE_AMI",
        "COMPUTE_IMAGE_TYPE_ARI",
        "COMPUTE_IMAGE_TYPE_ISO",
        "COMPUTE_NET_ATTACH_INTERFACE",
        "COMPUTE_NET_ATTACH_INTERFACE_WITH_TAG",
        "COMPUTE_NET_VIF_MODEL_E1000",
        "COMPUTE_NET_VIF_MODEL_E1000E",
        "COMPUTE_NET_VIF_MODEL_NE2K_PCI",
        "COMPUTE_NET_VIF_MODEL_PCNET",
        "COMPUTE_NET_VIF_MODEL_RTL8139",
        "COMPUTE_NET_VIF_MODEL_SPAPR_VLAN",
        "COMPUTE_NET_VIF_MODEL_VIRTIO",
        "COMPUTE_NET_VIF_MODEL_VMXNET3",
        "COMPUTE_RESCUE_BFV",
        "COMPUTE_SECURITY_UEFI_SECURE_BOOT",
        "COMPUTE_SOCKET_PCI_NUMA_AFFINITY",
        "COMPUTE_STORAGE_BUS_FDC",
        "COMPUTE_TRUSTED_CERTS",
        "COMPUTE_VIOMMU_MODEL_AUTO",
        "COMPUTE_VIOMMU_MODEL_INTEL",
        "COMPUTE_VIOMMU_MODEL_SMMUV3",
        "COMPUTE_VIOMMU_MODEL_VIRTIO",
        "COMPUTE_VOLUME_ATTACH_WITH_TAG",
        "COMPUTE_VOLUME_EXTEND",
        "COMPUTE_VOLUME_MULTI_ATTACH",
        "HW_CPU_X86_AMD_SEV",
};

_Static_assert(ARRAY_SIZE(cpu_traits) + ARRAY_SIZE(bus_traits) + ARRAY_SIZE(video_traits) +
                               ARRAY_SIZE(image_traits) + ARRAY_SIZE(not_done) + 3 <=
                       TRAITS_MAX,
               "TRAITS_MAX is too small");

/* ---- deciding ---- */

struct decision {
        struct traits *to;
        unsigned n_yes, n_owned;
};

static void decide(struct decision *d, const char *trait, bool yes)
{
        d->to->owned[d->n_owned++] = trait;
        if (yes)
                d->to->yes[d->n_yes++] = trait;
}

/* One that depends on what the host does not say is left as it is. */
static void decide_by_words(struct decision *d, const struct named_trait *table, size_t n, const char *words)
{
        for (size_t i = 0; words && i < n; i++)
                decide(d, table[i].trait, words_have(words, table[i].name));
}

static bool is_excluded(const char *list, const char *format)
{
        size_t len = strlen(format);

        for (const char *p = list; p && *p; p += strspn(p, ", ")) {
                size_t word = strcspn(p, ", ");

                if (word == len && strncasecmp(p, format, len) == 0)
                        return true;
                p += word;
        }
        return false;
}

/* Guests get QEMU's default CPU: asked for, or the default of emulation. */
static bool cpu_is_plain(const struct conf *conf)
{
        const char *mode = conf->libvirt.cpu_mode;

        return *mode ? strcmp(mode, "none") == 0 : strcmp(conf->libvirt.virt_type, "qemu") == 0;
}

void traits_decide(const struct conf *conf, const struct host_info *host, bool disabled, struct traits *ret)
{
        struct decision d = { .to = ret };
        const char *video = conf->vnc.enabled ? host->video_models : "";

        *ret = (struct traits){};
        decide(&d, TRAIT_COMPUTE_NODE, true);
        decide(&d, TRAIT_STATUS_DISABLED, disabled);
        decide(&d, "HW_CPU_HYPERTHREADING", host->hyperthreading);
        decide_by_words(&d, cpu_traits, ARRAY_SIZE(cpu_traits),
                        cpu_is_plain(conf) ? host->plain_cpu_features : host->cpu_features);
        decide_by_words(&d, bus_traits, ARRAY_SIZE(bus_traits), host->disk_buses);
        decide_by_words(&d, video_traits, ARRAY_SIZE(video_traits), video);
        for (size_t i = 0; i < ARRAY_SIZE(image_traits); i++)
                decide(&d, image_traits[i].trait,
                       !is_excluded(conf->compute.image_type_exclude_list, image_traits[i].name));
        for (size_t i = 0; i < ARRAY_SIZE(not_done); i++)
                decide(&d, not_done[i], false);
}
