/*
 * Golden files for the domain's XML. After a change that is meant: DOMXML_WRITE=1 meson test virt-domxml
 * writes them anew; then read the difference.
 */
#include "suite.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <libxml/parser.h>

#include "base/mem.h"
#include "base/strbuf.h"
#include "virt/libvirt/domxml.h"
#include "virt/libvirt/xmlutil.h"

#define DIR_OF_ONE "/var/lib/compute-agent/instances/a14cc8ca-2568-44fe-8878-257bd1a1988d"

static const struct domxml_host kvm = {
        .arch = "x86_64",
        .domain_type = "kvm",
        .cpu_mode = "none",
        .vnc_listen = "127.0.0.1",
        .version = "0.0.1",
        .mem_stats_period_s = 10,
};

static struct guest_disk disks[] = {
        { .path = DIR_OF_ONE "/disk", .format = "qcow2", .cache = "none", .target = "vda", .bus = "virtio" },
        { .path = DIR_OF_ONE "/disk.config",
          .format = "raw",
          .cache = "none",
          .target = "hda",
          .bus = "ide",
          .cdrom = true },
};

static struct guest_spec plain(void)
{
        return (struct guest_spec){
                .uuid = "a14cc8ca-2568-44fe-8878-257bd1a1988d",
                .name = "instance-00000004",
                .memory_mb = 64,
                .vcpus = 1,
                .disks = disks,
                .n_disks = 1,
                .console_log = DIR_OF_ONE "/console.log",
                .display_name = "smoke",
                .flavor_name = "lab.tiny",
                .user_id = "7d42ae24c92b4a75bc9ef1d7abbc58ed",
                .user_name = "admin",
                .project_id = "b2a4ffa43a194a0fa91c27ba51eb950c",
                .project_name = "admin",
                .image_ref = "51e2c424-9aa0-4be3-9ba5-ddff81208f60",
                .flavor_disk_gb = 1,
                .created = 1795423469,
        };
}

static char *build(const struct domxml_host *host, const struct guest_spec *spec)
{
        struct error err = {};
        char *xml = NULL;

        ck_assert_msg(domxml_build(host, spec, &xml, &err) == 0, "%s", err.text);
        return xml;
}

static void check_golden(const char *name, const struct domxml_host *host, const struct guest_spec *spec)
{
        CLEANUP(freep) char *path = xasprintf(TEST_DATA "/domxml/%s.xml", name);
        CLEANUP(freep) char *xml = build(host, spec);
        CLEANUP(strbuf_free) struct strbuf want = {};
        char buf[4096];
        size_t n;
        FILE *f;

        if (getenv("DOMXML_WRITE")) {
                f = fopen(path, "w");
                ck_assert_ptr_nonnull(f);
                ck_assert_uint_eq(fwrite(xml, 1, strlen(xml), f), strlen(xml));
                ck_assert_int_eq(fclose(f), 0);
        }
        f = fopen(path, "r");
        ck_assert_msg(f != NULL, "no golden file %s", path);
        while ((n = fread(buf, 1, sizeof(buf), f)) > 0)
                strbuf_add(&want, buf, n);
        fclose(f);
        ck_assert_msg(strcmp(xml, want.data ? want.data : "") == 0, "%s differs from:\n%s", path, xml);
}

START_TEST(plain_guest_is_what_nova_defines)
{
        struct guest_spec s = plain();

        check_golden("plain", &kvm, &s);
}
END_TEST

START_TEST(config_drive_is_a_cdrom)
{
        struct guest_spec s = plain();

        s.n_disks = 2;
        check_golden("config_drive", &kvm, &s);
}
END_TEST

START_TEST(emulated_guest_without_graphics_needs_no_usb)
{
        struct domxml_host h = kvm;
        struct guest_spec s = plain();

        h.domain_type = "qemu";
        h.vnc_listen = NULL;
        h.cpu_mode = NULL;
        h.mem_stats_period_s = 0;
        s.vcpus = 3;
        s.user_id = NULL;
        s.image_ref = NULL;
        check_golden("emulated_headless", &h, &s);
}
END_TEST

START_TEST(windows_guest_has_local_time)
{
        struct guest_spec s = plain();

        s.os_type = "windows";
        s.machine = "pc-q35-7.2";
        s.video_model = "vga";
        check_golden("windows", &kvm, &s);
}
END_TEST

START_TEST(other_architecture)
{
        struct domxml_host h = kvm;
        struct guest_spec s = plain();

        h.arch = "aarch64";
        h.cpu_mode = "host-passthrough";
        check_golden("aarch64", &h, &s);
}
END_TEST

static struct guest_ip ips[] = { { (char *)"fixed", (char *)"198.18.0.95", 4 },
                                 { (char *)"floating", (char *)"2001:db8::5", 6 } };
static struct guest_nic nics[] = {
        { .kind = GUEST_NIC_BRIDGE,
          .port_id = (char *)"effa63b1-a24a-4e3e-83ad-baf71f4f1754",
          .mac = (char *)"fa:16:3e:75:7b:15",
          .model = (char *)"virtio",
          .source = (char *)"brq089ebb8e-5c",
          .target = (char *)"tapeffa63b1-a2",
          .mtu = 1450,
          .queues = 4,
          .ips = ips,
          .n_ips = 2 },
        { .kind = GUEST_NIC_OVS,
          .port_id = (char *)"6798e6b9-46a5-4ae9-ae69-b1fe40f90d65",
          .mac = (char *)"fa:16:3e:1e:5b:fb",
          .model = (char *)"e1000",
          .source = (char *)"br-int",
          .target = (char *)"tap6798e6b9-46",
          .interface_id = (char *)"6798e6b9-46a5-4ae9-ae69-b1fe40f90d65" },
        { .kind = GUEST_NIC_MACVTAP,
          .port_id = (char *)"089ebb8e-5c0e-447c-8e8a-80e695f290bd",
          .mac = (char *)"fa:16:3e:00:00:01",
          .model = (char *)"virtio",
          .source = (char *)"eth1",
          .mode = (char *)"bridge" },
};

/* All that image properties and extra specs can add, and each kind of interface. */
static struct guest_spec full(void)
{
        struct guest_spec s = plain();

        s.vcpus = 4;
        s.cpu_sockets = 1;
        s.cpu_cores = 2;
        s.cpu_threads = 2;
        s.nics = nics;
        s.n_nics = 3;
        for (int q = 0; q < GUEST_QUOTAS; q++)
                s.quotas[q] = 1000 + q;
        s.quotas[QUOTA_DISK_TOTAL_BYTES] = s.quotas[QUOTA_DISK_TOTAL_IOPS] = 0; /* or the others */
        s.pointer_bus = (char *)"virtio";
        s.keyboard_bus = (char *)"virtio";
        s.video_model = (char *)"qxl";
        s.video_ram_mb = 32;
        s.watchdog_action = (char *)"reset";
        s.pmu = (char *)"off";
        s.qemu_guest_agent = s.hpet = s.hide_hypervisor = s.boot_menu = true;
        s.rng_rate_bytes = 1024;
        s.rng_rate_period_ms = 1000;
        return s;
}

START_TEST(all_that_image_and_flavor_can_add)
{
        struct guest_spec s = full();

        check_golden("everything", &kvm, &s);
}
END_TEST

START_TEST(scsi_disks_have_places_on_their_controller)
{
        struct guest_disk scsi[] = { disks[0], disks[0], disks[1] };
        struct guest_spec s = plain();

        scsi[0].bus = scsi[1].bus = (char *)"scsi";
        scsi[0].target = (char *)"sda";
        scsi[1].target = (char *)"sdb";
        scsi[1].discard = (char *)"unmap";
        s.disks = scsi;
        s.n_disks = 3;
        s.scsi_model = (char *)"virtio-scsi";
        s.no_rng = true;
        s.pointer_bus = (char *)"none";
        check_golden("scsi", &kvm, &s);
}
END_TEST

START_TEST(names_in_interfaces_are_never_altered)
{
        struct guest_nic bad = nics[1];
        struct guest_spec s = plain();
        struct error err = {};
        char *xml = NULL;

        s.nics = &bad;
        s.n_nics = 1;
        bad.source = (char *)"br\x01";
        ck_assert_fails(domxml_build(&kvm, &s, &xml, &err), err, NOVA_INVALID_INPUT);
        bad = nics[1];
        bad.interface_id = NULL;
        ck_assert_fails(domxml_build(&kvm, &s, &xml, &err), err, NOVA_INVALID_INPUT);
        ck_assert_ptr_null(xml);
}
END_TEST

/* What a user types stays text: it comes out of a parser as it went in, and adds no element. */
START_TEST(hostile_names_stay_text)
{
        static const char *const name = "</nova:name><devices a='\"&amp;]]>'>\t\n<!-- \xf0\x9f\x90\x8d";
        CLEANUP(xml_doc_freep) xmlDoc *doc = NULL;
        CLEANUP(freep) char *xml = NULL, *seen = NULL, *flavor = NULL, *devices = NULL, *user = NULL;
        struct guest_spec s = plain();
        struct error err = {};

        s.display_name = (char *)name;
        s.flavor_name = (char *)name;
        s.user_name = (char *)name;
        check_golden("hostile_names", &kvm, &s);
        xml = build(&kvm, &s);
        doc = xml_parse(xml, strlen(xml), "domain XML", &err);
        ck_assert_msg(doc != NULL, "%s", err.text);
        seen = xml_xpath_string(doc, "string(/domain/metadata/*/*[local-name()='name'])");
        flavor = xml_xpath_string(doc, "string(/domain/metadata/*/*[local-name()='flavor']/@name)");
        user = xml_xpath_string(doc, "string(//*[local-name()='user'])");
        devices = xml_xpath_string(doc, "string(count(//devices))");
        ck_assert_str_eq(seen, name);
        ck_assert_str_eq(flavor, name);
        ck_assert_str_eq(user, name);
        ck_assert_str_eq(devices, "1");
}
END_TEST

START_TEST(what_xml_cannot_carry_is_replaced_in_names)
{
        static const struct {
                const char *in, *out;
        } cases[] = {
                { "bell\x07", "bell\xef\xbf\xbd" },
                { "\x01\x1f\x7f", "\xef\xbf\xbd\xef\xbf\xbd\x7f" },
                { "latin\xe9", "latin\xef\xbf\xbd" },
                { "cut\xe2\x82", "cut\xef\xbf\xbd\xef\xbf\xbd" },
                { "overlong\xc0\xaf", "overlong\xef\xbf\xbd\xef\xbf\xbd" },
                { "half\xed\xa0\x80", "half\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
                { "non\xef\xbf\xbf", "non\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
                { "high\xf4\x90\x80\x80", "high\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
                { "\xf0\x9f\x90\x8d \xe2\x82\xac \xc3\xa9", "\xf0\x9f\x90\x8d \xe2\x82\xac \xc3\xa9" },
                { "", "" },
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                CLEANUP(xml_doc_freep) xmlDoc *doc = NULL;
                CLEANUP(freep) char *xml = NULL, *seen = NULL;
                struct guest_spec s = plain();
                struct error err = {};

                s.display_name = (char *)cases[i].in;
                xml = build(&kvm, &s);
                doc = xml_parse(xml, strlen(xml), "domain XML", &err);
                ck_assert_msg(doc != NULL, "case %zu: %s", i, err.text);
                seen = xml_xpath_string(doc, "string(/domain/metadata/*/*[local-name()='name'])");
                ck_assert_str_eq(seen, cases[i].out);
        }
}
END_TEST

START_TEST(paths_are_never_altered)
{
        struct guest_disk bad = disks[0];
        struct guest_spec s = plain();
        struct error err = {};
        char *xml = NULL;

        bad.path = (char *)"/a\x01/disk";
        s.disks = &bad;
        ck_assert_int_eq(domxml_build(&kvm, &s, &xml, &err), -1);
        ck_assert_int_eq(err.code, NOVA_INVALID_INPUT);
        s = plain();
        s.console_log = (char *)"/a\xff";
        ck_assert_int_eq(domxml_build(&kvm, &s, &xml, &err), -1);
        ck_assert_int_eq(err.code, NOVA_INVALID_INPUT);
        ck_assert_ptr_null(xml);
}
END_TEST

START_TEST(impossible_guests_are_refused)
{
        struct guest_spec no_name = plain(), slash = plain(), no_memory = plain(), much = plain(),
                          none = plain();
        const struct guest_spec *const cases[] = { &no_name, &slash, &no_memory, &much, &none };
        struct domxml_host odd = kvm;
        struct error err = {};
        char *xml = NULL;

        no_name.name = NULL;
        slash.name = (char *)"../x";
        no_memory.memory_mb = 0;
        much.memory_mb = INT64_MAX / 2;
        none.vcpus = -1;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                err.code = 0;
                ck_assert_int_eq(domxml_build(&kvm, cases[i], &xml, &err), -1);
                ck_assert_int_eq(err.code, NOVA_INVALID_INPUT);
        }
        odd.cpu_mode = "custom";
        no_name = plain();
        ck_assert_int_eq(domxml_build(&odd, &no_name, &xml, &err), -1);
        ck_assert_ptr_nonnull(strstr(err.text, "custom"));
}
END_TEST

START_TEST(console_path_is_found_in_the_order_of_nova)
{
        struct error err = {};
        char *path = NULL;

        ck_assert_int_eq(
                domxml_console_path("<domain><devices><console type='pty'><log file='/p'/></console>"
                                    "<console type='tcp'><log file='/t'/></console></devices></domain>",
                                    &path, &err),
                0);
        ck_assert_str_eq(path, "/t");
        free(path);
        ck_assert_int_eq(
                domxml_console_path("<domain><devices><console type='pty'><source path='/dev/pts/1'/>"
                                    "<log file='/p'/></console></devices></domain>",
                                    &path, &err),
                0);
        ck_assert_str_eq(path, "/p");
        free(path);
        ck_assert_int_eq(
                domxml_console_path("<domain><devices><console type='pty'/></devices></domain>", &path, &err),
                -1);
        ck_assert_int_eq(err.code, NOVA_CONSOLE_NOT_AVAILABLE);
        ck_assert_int_eq(domxml_console_path("<domain><dev", &path, &err), -1);
        ck_assert_int_eq(err.code, ERR_PROTOCOL);
}
END_TEST

START_TEST(the_port_of_a_vnc_display_is_found)
{
        static const struct {
                const char *graphics;
                int port; /* 0: there is no display */
        } cases[] = {
                { "<graphics type='vnc' port='5903' autoport='yes' listen='127.0.0.1'/>", 5903 },
                { "<graphics type='spice' port='5900'/><graphics type='vnc' port='5901'/>", 5901 },
                { "<graphics type='vnc' port='-1' autoport='yes'/>", -1 },
                { "<graphics type='vnc' socket='/run/vnc'/>", -1 },
                { "<graphics type='vnc' port='70000'/>", -1 },
                { "<graphics type='vnc' port='59o1'/>", -1 },
                { "<graphics type='spice' port='5900'/>", 0 },
                { "", 0 },
        };

        for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
                CLEANUP(freep)
                char *xml = xasprintf("<domain><devices>%s</devices></domain>", cases[c].graphics);
                struct error err = {};
                int port = 0, r = domxml_vnc_port(xml, &port, &err);

                ck_assert_msg(r == (cases[c].port ? 0 : -1), "case %zu: %s", c, err.text);
                ck_assert_int_eq(port, cases[c].port);
                ck_assert_int_eq(err.code, r ? NOVA_CONSOLE_TYPE_UNAVAILABLE : 0);
        }
}
END_TEST

START_TEST(documents_with_entities_are_refused)
{
        static const char text[] = "<!DOCTYPE d [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><d>&e;</d>";
        struct error err = {};

        ck_assert_ptr_null(xml_parse(text, strlen(text), "it", &err));
        ck_assert_int_eq(err.code, ERR_PROTOCOL);
}
END_TEST

UNIT_SUITE_FIXTURE("virt-domxml", xml_init, NULL, plain_guest_is_what_nova_defines, config_drive_is_a_cdrom,
                   emulated_guest_without_graphics_needs_no_usb, windows_guest_has_local_time,
                   other_architecture, all_that_image_and_flavor_can_add,
                   scsi_disks_have_places_on_their_controller, names_in_interfaces_are_never_altered,
                   hostile_names_stay_text, what_xml_cannot_carry_is_replaced_in_names,
                   paths_are_never_altered, impossible_guests_are_refused,
                   console_path_is_found_in_the_order_of_nova, the_port_of_a_vnc_display_is_found,
                   documents_with_entities_are_refused)
