/*
 * The definition of a guest against nova-compute's, for the same rows. libvirt fills in what a definition
 * leaves open, so what it said of nova's guest has more in it than nova had written; the list names all of
 * that. What is neither in the list nor equal fails, and so does an entry that is no longer needed.
 */
#include "green_test.h"

#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "nova_guest.h"
#include "virt/libvirt/xmlutil.h"
#include "xml_compare.h"

#define FILLED_IN "libvirt fills it in"
#define DEFAULT   "libvirt's default for a machine of this type"

static struct xml_rule rules[] = {
        { "- /domain/currentMemory", FILLED_IN " from memory", 0 },
        { "- /domain/memory@unit", FILLED_IN ", KiB is what was meant", 0 },
        { "- /domain/vcpu@placement", FILLED_IN, 0 },
        { "~ /domain/os/type@machine", "pc is libvirt's alias of the newest such machine", 0 },
        { "- /domain/features/vmcoreinfo@state", FILLED_IN, 0 },
        { "- /domain/cpu@*", "no model was named: libvirt shows QEMU's", 0 },
        { "- /domain/cpu/model", "no model was named: libvirt shows QEMU's", 0 },
        { "- /domain/cpu/topology@dies", FILLED_IN, 0 },
        { "- /domain/on_*", FILLED_IN, 0 },
        { "- /domain/devices/emulator", FILLED_IN ": the QEMU of this domain's type", 0 },
        { "- /domain/devices/*/address", FILLED_IN ": slots are given by libvirt", 0 },
        { "- /domain/devices/controller[[]pci 0]", DEFAULT, 0 },
        { "- /domain/devices/controller[[]ide 0]", DEFAULT ": the config drive needs it", 0 },
        { "- /domain/devices/controller[[]usb 0]@model", DEFAULT, 0 },
        { "- /domain/devices/disk[[]hda]/readonly", "CD-ROMs are", 0 },
        { "- /domain/devices/serial/target", FILLED_IN, 0 },
        { "- /domain/devices/console", "libvirt mirrors the first serial port", 0 },
        { "- /domain/devices/input[[]mouse ps2]", DEFAULT, 0 },
        { "- /domain/devices/input[[]keyboard ps2]", DEFAULT, 0 },
        { "- /domain/devices/graphics@port", FILLED_IN, 0 },
        { "- /domain/devices/graphics/listen", FILLED_IN " from the attribute", 0 },
        { "- /domain/devices/audio", DEFAULT, 0 },
        { "- /domain/devices/video/model@heads", FILLED_IN, 0 },
        { "- /domain/devices/video/model@primary", FILLED_IN, 0 },
};

GREEN_TEST(each_recorded_guest_is_defined_as_by_nova)
{
        for (unsigned k = 0; nova_guests[k]; k++) {
                CLEANUP(freep) char *ours = nova_guest_ours(nova_guests[k], "kvm");
                CLEANUP(freep) char *view = nova_guest_view(nova_guests[k]);
                CLEANUP(freep) char *unexpected = NULL;
                CLEANUP(xml_differences_free) struct xml_differences d = {};

                xml_compare(view, ours, &d);
                unexpected = xml_unexpected(&d, rules, ARRAY_SIZE(rules));
                ck_assert_msg(!*unexpected, "%s differs from ours:\n%s", nova_guests[k], unexpected);
        }
        for (size_t r = 0; r < ARRAY_SIZE(rules); r++)
                ck_assert_msg(rules[r].used > 0, "no such difference any more: %s (%s)", rules[r].pattern,
                              rules[r].reason);
}

START_TEST(the_comparison_finds_what_differs_and_only_that)
{
        static const char a[] = "<d><x k='1'/><disk><target dev='vda'/><c>none</c></disk><disk><target "
                                "dev='vdb'/></disk><t>1</t></d>";
        static const struct {
                const char *b, *found;
        } cases[] = {
                { "<d> <t>1</t><disk><target dev='vdb'/></disk><disk><c>none</c><target dev='vda'/></disk> "
                  "<x k='1'/></d>",
                  "" },
                { "<d><x k='2'/><disk><target dev='vda'/><c>none</c></disk><disk><target "
                  "dev='vdb'/></disk><t>1</t></d>",
                  "~ /d/x@k \"1\", \"2\"\n" },
                { "<d><x/><disk><target dev='vda'/><c>none</c></disk><disk><target "
                  "dev='vdb'/></disk><t>1</t></d>",
                  "- /d/x@k 1\n" },
                { "<d><x k='1' l='2'/><disk><target dev='vda'/><c>direct</c></disk><disk><target "
                  "dev='vdc'/></disk><t>1</t><t>1</t></d>",
                  "+ /d/x@l 2\n~ /d/disk[vda]/c \"none\", \"direct\"\n- /d/disk[vdb] \n+ /d/disk[vdc] \n+ "
                  "/d/t[1] \n" },
        };

        xml_init();
        for (size_t c = 0; c < ARRAY_SIZE(cases); c++) {
                CLEANUP(xml_differences_free) struct xml_differences d = {};
                CLEANUP(freep) char *found = NULL;

                xml_compare(a, cases[c].b, &d);
                found = xml_unexpected(&d, NULL, 0);
                ck_assert_str_eq(found, cases[c].found);
        }
}
END_TEST

START_TEST(a_rule_covers_what_it_says_and_is_counted)
{
        struct xml_rule few[] = { { "- /d/x", "", 0 }, { "- /d/y*", "", 0 } };
        CLEANUP(xml_differences_free) struct xml_differences d = {};
        CLEANUP(freep) char *left = NULL;

        xml_init();
        xml_compare("<d><x/><xx/></d>", "<d/>", &d);
        left = xml_unexpected(&d, few, ARRAY_SIZE(few));
        ck_assert_str_eq(left, "- /d/xx \n");
        ck_assert_uint_eq(few[0].used, 1);
        ck_assert_uint_eq(few[1].used, 0);
}
END_TEST

UNIT_SUITE("virt-domxml-nova", each_recorded_guest_is_defined_as_by_nova,
           the_comparison_finds_what_differs_and_only_that, a_rule_covers_what_it_says_and_is_counted)
