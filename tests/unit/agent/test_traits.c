/* tests/unit/agent/test_traits.c: what the scheduler may choose this host for. */
#include "compute/traits.h"

#include <string.h>

#include "base/list.h"
#include "compute_conf.h"
#include "suite.h"

static struct traits t;

static bool in(const char *const *list, const char *name)
{
        for (; *list; list++)
                if (strcmp(*list, name) == 0)
                        return true;
        return false;
}

#define ck_assert_has(name)    ck_assert_msg(in(t.yes, name) && in(t.owned, name), "%s is missing", name)
#define ck_assert_has_no(name) ck_assert_msg(!in(t.yes, name) && in(t.owned, name), "%s", name)

/* The CPU of the recorded first start of a nova-compute, with cpu_mode none. */
static struct host_info host = {
        .cpu_features = (char *)"sse sse2 sse4.1 sse4.2 aes vmx avx512-vpopcntdq pclmuldq sha-ni ",
        .plain_cpu_features = (char *)"cx16 mmx sse sse2 svm ",
        .disk_buses = (char *)"ide fdc scsi virtio usb sata ",
        .video_models = (char *)"vga cirrus vmvga qxl virtio none bochs ramfb ",
};

START_TEST(the_cpu_that_guests_get_decides)
{
        struct conf conf = compute_conf();

        traits_decide(&conf, &host, false, &t);
        ck_assert_has("HW_CPU_X86_MMX");
        ck_assert_has("HW_CPU_X86_SSE");
        ck_assert_has("HW_CPU_X86_SSE2");
        ck_assert_has("HW_CPU_X86_SVM");
        ck_assert_has("HW_CPU_X86_AMD_SVM");
        ck_assert_has_no("HW_CPU_X86_SSE42");
        ck_assert_has_no("HW_CPU_X86_SSE3"); /* not for a name that only begins like it */

        conf.libvirt.cpu_mode = (char *)"host-model";
        traits_decide(&conf, &host, false, &t);
        ck_assert_has("HW_CPU_X86_SSE41");
        ck_assert_has("HW_CPU_X86_SSE42");
        ck_assert_has("HW_CPU_X86_AESNI");
        ck_assert_has("HW_CPU_X86_VMX");
        ck_assert_has("HW_CPU_X86_INTEL_VMX");
        ck_assert_has("HW_CPU_X86_AVX512VPOPCNTDQ");
        ck_assert_has("HW_CPU_X86_CLMUL");
        ck_assert_has("HW_CPU_X86_SHA");
        ck_assert_has_no("HW_CPU_X86_MMX");

        conf.libvirt.cpu_mode = (char *)"";
        conf.libvirt.virt_type = (char *)"qemu";
        traits_decide(&conf, &host, false, &t);
        ck_assert_has("HW_CPU_X86_MMX");
        ck_assert_has_no("HW_CPU_X86_VMX");
}
END_TEST

START_TEST(only_what_this_agent_does_is_claimed)
{
        struct conf conf = compute_conf();

        conf.vnc.enabled = false;
        traits_decide(&conf, &host, false, &t);
        ck_assert_has("COMPUTE_NODE");
        ck_assert_has("COMPUTE_STORAGE_BUS_VIRTIO");
        ck_assert_has("COMPUTE_STORAGE_BUS_IDE");
        ck_assert_has_no("COMPUTE_STORAGE_BUS_FDC");
        ck_assert_has("COMPUTE_IMAGE_TYPE_RAW");
        ck_assert_has_no("COMPUTE_IMAGE_TYPE_ISO");
        ck_assert_has_no("COMPUTE_NET_VIF_MODEL_VIRTIO");
        ck_assert_has_no("COMPUTE_VOLUME_EXTEND");
        ck_assert_has_no("HW_CPU_HYPERTHREADING");
        ck_assert_has_no("COMPUTE_STATUS_DISABLED");
        ck_assert_has_no("COMPUTE_GRAPHICS_MODEL_VGA"); /* there is no display at all */
        conf.vnc.enabled = true;
        traits_decide(&conf, &host, true, &t);
        ck_assert_has("COMPUTE_GRAPHICS_MODEL_VGA");
        ck_assert_has("COMPUTE_GRAPHICS_MODEL_NONE");
        ck_assert_has_no("COMPUTE_GRAPHICS_MODEL_GOP");
        ck_assert_has("COMPUTE_STATUS_DISABLED");
}
END_TEST

START_TEST(image_types_can_be_excluded)
{
        struct conf conf = compute_conf();

        conf.compute.image_type_exclude_list = (char *)"iso, RAW";
        traits_decide(&conf, &host, false, &t);
        ck_assert_has_no("COMPUTE_IMAGE_TYPE_RAW");
        ck_assert_has("COMPUTE_IMAGE_TYPE_QCOW2");
}
END_TEST

START_TEST(what_the_hypervisor_does_not_say_is_left_as_it_is)
{
        struct conf conf = compute_conf();
        struct host_info silent = {};

        traits_decide(&conf, &silent, false, &t);
        ck_assert(!in(t.owned, "HW_CPU_X86_SSE"));
        ck_assert(!in(t.owned, "COMPUTE_STORAGE_BUS_VIRTIO"));
        ck_assert_has("COMPUTE_NODE");
}
END_TEST

START_TEST(every_trait_is_named_once)
{
        struct conf conf = compute_conf();
        unsigned n = 0;

        traits_decide(&conf, &host, false, &t);
        for (; t.owned[n]; n++)
                for (unsigned k = 0; k < n; k++)
                        ck_assert_str_ne(t.owned[k], t.owned[n]);
        ck_assert_uint_lt(n, TRAITS_MAX);
}
END_TEST

UNIT_SUITE("traits", the_cpu_that_guests_get_decides, only_what_this_agent_does_is_claimed,
           image_types_can_be_excluded, what_the_hypervisor_does_not_say_is_left_as_it_is,
           every_trait_is_named_once)
