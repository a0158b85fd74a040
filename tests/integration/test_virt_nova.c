/*
 * Guests as nova-compute has them, for real: what libvirt makes of our definition against what it made of
 * nova's, and a guest with a network interface, in a network namespace of the test's own.
 */
#include "green_test.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "nova_guest.h"
#include "virt_env.h"
#include "virt_rig.h"
#include "xml_compare.h"

/* ---- definitions ---- */

/* Where this machine has no KVM both guests cannot be the same: what an emulated one lacks and has. */
static struct xml_rule emulated[] = {
        { "~ /domain@type", "no KVM here", 0 },
        { "- /domain/clock/timer*", "nova sets timers only with KVM", 0 },
        { "+ /domain/devices/interface*/driver", "emulated guests are kept from vhost", 0 },
};

static char *libvirts_view(virConnectPtr conn, const char *xml)
{
        virDomainPtr dom = virDomainDefineXML(conn, xml);
        char *view;

        ck_assert_msg(dom != NULL, "%s", virGetLastErrorMessage());
        view = virDomainGetXMLDesc(dom, 0);
        ck_assert_ptr_nonnull(view);
        ck_assert_int_eq(virDomainUndefine(dom), 0);
        virDomainFree(dom);
        return view;
}

GREEN_TEST_REAL(libvirt_sees_the_same_domains_as_from_nova)
{
        CLEANUP(freep) char *caps = NULL;
        struct libvirtd l;
        virConnectPtr conn;
        bool kvm;

        libvirtd_init(&l);
        libvirtd_start(&l);
        conn = virConnectOpen(l.uri);
        ck_assert_ptr_nonnull(conn);
        caps = virConnectGetCapabilities(conn);
        ck_assert_ptr_nonnull(caps);
        kvm = strstr(caps, "<domain type='kvm'") != NULL;
        for (unsigned k = 0; nova_guests[k]; k++) {
                CLEANUP(freep) char *ours = nova_guest_ours(nova_guests[k], kvm ? "kvm" : "qemu");
                CLEANUP(freep) char *want = nova_guest_view(nova_guests[k]);
                CLEANUP(freep) char *got = libvirts_view(conn, ours);
                CLEANUP(freep) char *unexpected = NULL;
                CLEANUP(xml_differences_free) struct xml_differences d = {};

                xml_compare(want, got, &d);
                unexpected = xml_unexpected(&d, emulated, kvm ? 0 : ARRAY_SIZE(emulated));
                ck_assert_msg(!*unexpected, "%s, as libvirt sees it:\n%s", nova_guests[k], unexpected);
        }
        virConnectClose(conn);
        libvirtd_kill(&l, SIGKILL);
}

static char *read_golden(const char *name, bool kvm)
{
        CLEANUP(freep) char *path = xasprintf(TEST_DATA "/domxml/%s.xml", name);
        CLEANUP(strbuf_free) struct strbuf b = {};
        char line[4096];
        FILE *f = fopen(path, "r");

        ck_assert_msg(f != NULL, "no file %s", path);
        while (fgets(line, sizeof(line), f))
                strbuf_adds(&b,
                            !kvm && strncmp(line, "<domain ", 8) == 0 ? "<domain type=\"qemu\">\n" : line);
        fclose(f);
        return strbuf_take(&b, NULL);
}

/* Of what the unit tests compare with; the interfaces' queues and the timers do not need KVM to be defined.
 */
GREEN_TEST_REAL(libvirt_takes_all_that_can_be_written)
{
        static const char *const names[] = { "plain",   "config_drive",  "emulated_headless",
                                             "windows", "hostile_names", "everything",
                                             "scsi" };
        CLEANUP(freep) char *caps = NULL;
        struct libvirtd l;
        virConnectPtr conn;

        libvirtd_init(&l);
        libvirtd_start(&l);
        conn = virConnectOpen(l.uri);
        ck_assert_ptr_nonnull(conn);
        caps = virConnectGetCapabilities(conn);
        for (size_t k = 0; k < ARRAY_SIZE(names); k++) {
                CLEANUP(freep) char *xml = read_golden(names[k], strstr(caps, "<domain type='kvm'") != NULL);
                virDomainPtr dom = virDomainDefineXMLFlags(conn, xml, VIR_DOMAIN_DEFINE_VALIDATE);

                ck_assert_msg(dom != NULL, "%s: %s", names[k], virGetLastErrorMessage());
                ck_assert_int_eq(virDomainUndefine(dom), 0);
                virDomainFree(dom);
        }
        virConnectClose(conn);
        libvirtd_kill(&l, SIGKILL);
}

/* ---- interfaces ---- */

/* A network of our own; threads that come later have it too. False: this machine does not let us. */
static bool own_network(void)
{
        if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0 || mount("", "/", "", MS_REC | MS_PRIVATE, NULL) < 0)
                return false;
        return mount("sysfs", "/sys", "sysfs", 0, NULL) == 0; /* that of the old network shows old devices */
}

static bool has_device(const char *name, const char *file)
{
        CLEANUP(freep) char *path = xasprintf("/sys/class/net/%s%s", name, file);

        return access(path, F_OK) == 0;
}

static struct guest_nic nic = {
        .kind = GUEST_NIC_BRIDGE,
        .port_id = (char *)"effa63b1-a24a-4e3e-83ad-baf71f4f1754",
        .mac = (char *)"fa:16:3e:75:7b:15",
        .model = (char *)"virtio",
        .target = (char *)"tapeffa63b1-a2",
        .mtu = 1450,
};

static void give_nic(struct test_guest *g, const char *bridge, bool make)
{
        nic.source = (char *)bridge;
        nic.make_bridge = make;
        g->spec.nics = &nic;
        g->spec.n_nics = 1;
}

GREEN_TEST_REAL(a_guest_gets_its_interface_again_at_each_definition)
{
        struct deadline by = deadline_in_s(60);
        struct error err = {};
        struct test_guest g;
        struct rig r = {};

        if (!own_network()) {
                printf("left out: no network namespace of our own: %s\n", strerror(errno));
                return;
        }
        rig_open_embed(&r);
        test_guest_init(&g, r.root, 21);
        give_nic(&g, "brq-made", true);
        ck_assert_ok(r.d->ops->spawn(r.d, &g.spec, by, &err), err);
        ck_assert(has_device("brq-made", "/brif/tapeffa63b1-a2"));
        ck_assert_ok(r.d->ops->power_off(r.d, g.uuid, by, &err), err);
        ck_assert(!has_device("tapeffa63b1-a2", ""));
        ck_assert_ok(r.d->ops->hard_reboot(r.d, &g.spec, by, &err), err);
        ck_assert(has_device("brq-made", "/brif/tapeffa63b1-a2"));
        ck_assert_ok(wait_console(&g, "GUEST up", by, &err), err);
        remove_guest(&r, &g);
        rig_close(&r);
}

GREEN_TEST_REAL(a_bridge_that_is_not_there_is_told_before_the_guest_is_ended)
{
        struct deadline by = deadline_in_s(60);
        struct error err = {};
        struct test_guest g;
        struct rig r = {};
        int id;

        if (!own_network()) {
                printf("left out: no network namespace of our own: %s\n", strerror(errno));
                return;
        }
        rig_open_embed(&r);
        test_guest_init(&g, r.root, 22);
        ck_assert_ok(r.d->ops->spawn(r.d, &g.spec, by, &err), err);
        id = info_of(&r, g.uuid).id;
        give_nic(&g, "brq-gone", false);
        ck_assert_fails(r.d->ops->hard_reboot(r.d, &g.spec, by, &err), err, NOVA_INVALID_INPUT);
        ck_assert_ptr_nonnull(strstr(err.text, "brq-gone"));
        ck_assert_int_eq(info_of(&r, g.uuid).id, id);
        give_nic(&g, "lo", false);
        ck_assert_fails(r.d->ops->hard_reboot(r.d, &g.spec, by, &err), err, NOVA_INVALID_INPUT);
        ck_assert_ptr_nonnull(strstr(err.text, "lo is no bridge"));
        ck_assert_int_eq(info_of(&r, g.uuid).id, id);
        remove_guest(&r, &g);
        rig_close(&r);
}

static int run_suite(void)
{
        const TTest *const tests[] = {
                libvirt_sees_the_same_domains_as_from_nova,
                libvirt_takes_all_that_can_be_written,
                a_guest_gets_its_interface_again_at_each_definition,
                a_bridge_that_is_not_there_is_told_before_the_guest_is_ended,
        };

        return virt_env_suite("virt-nova", tests, ARRAY_SIZE(tests));
}

int main(void)
{
        char why[128];

        if (!libvirtd_can_run(why, sizeof(why))) {
                printf("%s\n", why);
                return 77;
        }
        return virt_env_main(run_suite);
}
