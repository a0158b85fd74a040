/* What image properties, extra specs and VIFs make of a guest, and what is refused with its name. */
#include "green_test.h"

#include <stdio.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "compute/compute_priv.h"
#include "compute_fixture.h"

static struct instance *an_instance(int64_t vcpus)
{
        struct instance *i = instance_new();

        snprintf(i->uuid, sizeof(i->uuid), "%s", UUID_A);
        i->flavor.vcpus = vcpus;
        i->flavor.memory_mb = 64;
        return i;
}

/* ---- image properties and extra specs ---- */

/* "image_hw_pmu" is an image property, "hw:pmu" an extra spec. */
static void give(struct instance *i, const char *key, const char *value)
{
        if (strncmp(key, "image_", 6) == 0)
                instance_set_system_meta(i, key, value);
        else
                flavor_add_extra_spec(&i->flavor, key, value);
}

START_TEST(what_cannot_be_given_is_refused_by_name)
{
        static const char *const cases[][2] = {
                { "hw:cpu_policy", "dedicated" },
                { "hw:cpu_policy", "mixed" },
                { "hw:cpu_realtime", "yes" },
                { "hw:cpu_dedicated_mask", "^0" },
                { "hw:emulator_threads_policy", "share" },
                { "hw:numa_nodes", "1" },
                { "hw:numa_cpus.0", "0,1" },
                { "hw:mem_page_size", "large" },
                { "hw:locked_memory", "True" },
                { "hw:mem_encryption", "true" },
                { "hw:pmem", "4GB" },
                { "hw:tpm_model", "tpm-crb" },
                { "hw:tpm_version", "2.0" },
                { "hw:viommu_model", "intel" },
                { "hw:ephemeral_encryption", "true" },
                { "os:secure_boot", "required" },
                { "os:secure_boot", "disabled optional" },
                { "pci_passthrough:alias", "gpu:1" },
                { "accel:device_profile", "fpga" },
                { "resources:VGPU", "1" },
                { "resources1:VGPU", "1" },
                { "resources_NET:PCPU", "2" },
                { "image_hw_cpu_policy", "dedicated" },
                { "image_hw_firmware_type", "uefi" },
                { "image_hw_mem_page_size", "2048" },
                { "image_hw_numa_nodes", "2" },
                { "image_hw_tpm_model", "tpm-tis" },
                { "image_hw_mem_encryption", "true" },
                { "image_hw_viommu_model", "auto" },
                { "image_hw_vm_mode", "xen" },
                { "image_hw_rng_model", "egd" },
                { "image_os_secure_boot", "required" },
                { "image_os_secure_boot", "disabled optional" },
                { "image_hw_architecture", "ppc64le" },
                { "image_hw_video_model", "holographic" },
                { "image_hw_input_bus", "serial" },
                { "image_hw_scsi_model", "floppy" },
                { "image_hw_watchdog_action", "bark" },
                { "image_hw_video_ram", "64" },
                { "image_hw_cpu_cores", "many" },
                { "quota:cpu_shares", "1k" },
                { "quota:disk_read_bytes_sec", "-1" },
                { "hw_rng:rate_bytes", "" },
        };

        for (size_t c = 0; c < ARRAY_SIZE(cases); c++) {
                const char *name = cases[c][0] + (strncmp(cases[c][0], "image_", 6) == 0 ? 6 : 0);
                CLEANUP(guest_spec_free) struct guest_spec s = {};
                struct instance *i = an_instance(2);
                struct error err = {};

                give(i, cases[c][0], cases[c][1]);
                ck_assert_msg(guestprops_apply(i, &s, &err) == -1, "%s=%s was taken", cases[c][0],
                              cases[c][1]);
                ck_assert_int_eq(err.code, NOVA_INVALID_INPUT);
                if (strcmp(name, "hw_architecture") == 0)
                        name = "ppc64le";
                else if (strcmp(name, "hw_watchdog_action") == 0)
                        name = "bark";
                ck_assert_msg(strstr(err.text, name) != NULL, "%s does not name %s", err.text, name);
                instance_free(i);
        }
}
END_TEST

START_TEST(what_has_no_effect_on_a_plain_guest_is_taken)
{
        static const char *const cases[][2] = {
                { "hw:cpu_policy", "shared" },
                { "hw:cpu_realtime", "no" },
                { "hw:locked_memory", "False" },
                { "os:secure_boot", "optional" },
                { "resources:VGPU", "0" },
                { "resources:CUSTOM_BAREMETAL", "1" },
                { "trait:HW_CPU_X86_AVX2", "required" },
                { "aggregate_instance_extra_specs:ssd", "true" },
                { "quota:memory_limit", "4096" },
                { "vmware:hw_version", "13" },
                { "image_hw_firmware_type", "bios" },
                { "image_hw_rng_model", "virtio" },
                { "image_hw_vm_mode", "hvm" },
                { "image_img_hv_type", "qemu" },
                { "image_os_distro", "debian" },
                { "image_os_command_line", "quiet" },
                { "image_hw_disk_type", "thin" },
                { "image_my_own_note", "anything" },
        };
        CLEANUP(guest_spec_free) struct guest_spec s = {};
        struct instance *i = an_instance(1);
        struct error err = {};

        for (size_t c = 0; c < ARRAY_SIZE(cases); c++)
                give(i, cases[c][0], cases[c][1]);
        ck_assert_ok(guestprops_apply(i, &s, &err), err);
        instance_free(i);
}
END_TEST

START_TEST(rows_that_ask_for_more_than_the_keys_say_are_refused)
{
        struct instance *numa = an_instance(1), *pci = an_instance(1), *kernel = an_instance(1),
                        *mode = an_instance(1);
        struct instance *const all[] = { numa, pci, kernel, mode };
        static const char *const words[] = { "numa_topology", "pci_requests", "kernel_id", "vm_mode" };

        numa->has_numa_topology = true;
        pci->has_pci_requests = true;
        kernel->kernel_id = xstrdup("aki-1");
        mode->vm_mode = xstrdup("exe");
        for (size_t c = 0; c < ARRAY_SIZE(all); c++) {
                CLEANUP(guest_spec_free) struct guest_spec s = {};
                struct error err = {};

                ck_assert_fails(guestprops_apply(all[c], &s, &err), err, NOVA_INVALID_INPUT);
                ck_assert_ptr_nonnull(strstr(err.text, words[c]));
                instance_free(all[c]);
        }
}
END_TEST

START_TEST(properties_become_devices)
{
        static const char *const given[][2] = {
                { "image_hw_video_model", "QXL" },
                { "image_hw_video_ram", "32" },
                { "hw_video:ram_max_mb", "64" },
                { "image_hw_input_bus", "virtio" },
                { "image_hw_scsi_model", "lsilogicsas" },
                { "image_hw_qemu_guest_agent", "yes" },
                { "image_hw_time_hpet", "true" },
                { "image_hw_boot_menu", "true" },
                { "hw:watchdog_action", "reset" },
                { "hw:pmu", "false" },
                { "hw:hide_hypervisor_id", "1" },
                { "hw_rng:allowed", "False" },
                { "hw_rng:rate_bytes", "1024" },
                { "hw_rng:rate_period", "1000" },
                { "quota:cpu_quota", "-1" },
                { "quota:cpu_shares", "512" },
                { "quota:vif_inbound_average", "125" },
        };
        CLEANUP(guest_spec_free) struct guest_spec s = {};
        struct instance *i = an_instance(1);
        struct error err = {};

        for (size_t c = 0; c < ARRAY_SIZE(given); c++)
                give(i, given[c][0], given[c][1]);
        ck_assert_ok(guestprops_apply(i, &s, &err), err);
        ck_assert_str_eq(s.video_model, "qxl");
        ck_assert_int_eq(s.video_ram_mb, 32);
        ck_assert_str_eq(s.pointer_bus, "virtio");
        ck_assert_str_eq(s.keyboard_bus, "virtio");
        ck_assert_str_eq(s.scsi_model, "lsisas1068");
        ck_assert(s.qemu_guest_agent && s.hpet && s.boot_menu && s.hide_hypervisor && s.no_rng);
        ck_assert_str_eq(s.watchdog_action, "reset");
        ck_assert_str_eq(s.pmu, "off");
        ck_assert_int_eq(s.rng_rate_bytes, 1024);
        ck_assert_int_eq(s.rng_rate_period_ms, 1000);
        ck_assert_int_eq(s.quotas[QUOTA_CPU_QUOTA], -1);
        ck_assert_int_eq(s.quotas[QUOTA_CPU_SHARES], 512);
        ck_assert_int_eq(s.quotas[QUOTA_VIF_INBOUND_AVERAGE], 125);
        ck_assert_int_eq(s.quotas[QUOTA_DISK_READ_IOPS], 0);
        instance_free(i);
}
END_TEST

START_TEST(the_image_decides_about_the_watchdog)
{
        CLEANUP(guest_spec_free) struct guest_spec s = {};
        struct instance *i = an_instance(1);
        struct error err = {};

        give(i, "hw:watchdog_action", "reset");
        give(i, "image_hw_watchdog_action", "disabled");
        ck_assert_ok(guestprops_apply(i, &s, &err), err);
        ck_assert_ptr_null(s.watchdog_action);
        instance_free(i);
}
END_TEST

START_TEST(flavor_and_image_must_agree_on_the_pmu)
{
        CLEANUP(guest_spec_free) struct guest_spec s = {};
        struct instance *i = an_instance(1);
        struct error err = {};

        give(i, "hw:pmu", "true");
        give(i, "image_hw_pmu", "false");
        ck_assert_fails(guestprops_apply(i, &s, &err), err, NOVA_INVALID_INPUT);
        ck_assert_ptr_nonnull(strstr(err.text, "hw_pmu"));
        instance_free(i);
}
END_TEST

/* The figures are what nova.virt.hardware.get_best_cpu_topology() answers. */
START_TEST(cpu_topology_is_novas)
{
        static const struct {
                int64_t vcpus;
                const char *given[4][2];
                int64_t sockets, cores, threads; /* 0: refused */
        } cases[] = {
                { 1, {}, 1, 1, 1 },
                { 6, {}, 6, 1, 1 },
                { 8, { { "hw:cpu_max_sockets", "2" } }, 2, 4, 1 },
                { 8, { { "hw:cpu_max_sockets", "2" }, { "hw:cpu_max_cores", "2" } }, 2, 2, 2 },
                { 8, { { "hw:cpu_cores", "4" } }, 2, 4, 1 },
                { 8, { { "hw:cpu_threads", "2" } }, 4, 1, 2 },
                { 8, { { "hw:cpu_sockets", "2" }, { "hw:cpu_threads", "2" } }, 2, 2, 2 },
                { 8, { { "hw:cpu_cores", "4" }, { "image_hw_cpu_sockets", "1" } }, 1, 8, 1 },
                { 8, { { "hw:cpu_cores", "8" }, { "image_hw_cpu_max_cores", "2" } }, 8, 1, 1 },
                { 7,
                  { { "hw:cpu_max_sockets", "2" },
                    { "hw:cpu_max_cores", "2" },
                    { "hw:cpu_max_threads", "1" } },
                  0,
                  0,
                  0 },
                { 4, { { "hw:cpu_max_cores", "2" }, { "image_hw_cpu_max_cores", "4" } }, 0, 0, 0 },
                { 4, { { "image_hw_cpu_cores", "4" }, { "hw:cpu_max_cores", "2" } }, 0, 0, 0 },
        };

        for (size_t c = 0; c < ARRAY_SIZE(cases); c++) {
                CLEANUP(guest_spec_free) struct guest_spec s = {};
                struct instance *i = an_instance(cases[c].vcpus);
                struct error err = {};
                int r;

                for (size_t g = 0; g < 4 && cases[c].given[g][0]; g++)
                        give(i, cases[c].given[g][0], cases[c].given[g][1]);
                r = guestprops_apply(i, &s, &err);
                ck_assert_msg(r == (cases[c].sockets ? 0 : -1), "case %zu: %s", c, err.text);
                ck_assert_msg(s.cpu_sockets == cases[c].sockets && s.cpu_cores == cases[c].cores &&
                                      s.cpu_threads == cases[c].threads,
                              "case %zu: %lld:%lld:%lld", c, (long long)s.cpu_sockets, (long long)s.cpu_cores,
                              (long long)s.cpu_threads);
                instance_free(i);
        }
}
END_TEST

/* ---- interfaces ---- */

#define PORT "effa63b1-a24a-4e3e-83ad-baf71f4f1754"
#define VIF(more)                                                                                           \
        "[{\"id\": \"" PORT "\", \"address\": \"fa:16:3e:75:7b:15\", \"devname\": \"tapeffa63b1-a2\", "     \
        "\"vnic_type\": \"normal\", \"network\": {\"bridge\": \"brq089ebb8e-5c\", \"subnets\": [{\"ips\": " \
        "[{\"address\": \"198.18.0.95\", \"type\": \"fixed\", \"version\": 4}]}], \"meta\": {\"mtu\": "     \
        "1450, \"should_create_bridge\": true}}, " more "}]"

START_TEST(a_bridge_is_what_the_network_says)
{
        CLEANUP(guest_spec_free) struct guest_spec s = {};
        struct instance *i = an_instance(4);
        const struct guest_nic *n;
        struct error err = {};

        instance_set_system_meta(i, "image_hw_vif_model", "VirtualE1000");
        give(i, "hw:vif_multiqueue_enabled", "true");
        ck_assert_ok(guestnics_fill(i, VIF("\"type\": \"bridge\""), &s, &err), err);
        ck_assert_uint_eq(s.n_nics, 1);
        n = &s.nics[0];
        ck_assert_int_eq(n->kind, GUEST_NIC_BRIDGE);
        ck_assert_str_eq(n->port_id, PORT);
        ck_assert_str_eq(n->mac, "fa:16:3e:75:7b:15");
        ck_assert_str_eq(n->source, "brq089ebb8e-5c");
        ck_assert_str_eq(n->target, "tapeffa63b1-a2");
        ck_assert_str_eq(n->model, "e1000");
        ck_assert_int_eq(n->mtu, 1450);
        ck_assert_int_eq(n->queues, 0); /* only virtio has more than one */
        ck_assert(n->make_bridge);
        ck_assert_uint_eq(n->n_ips, 1);
        ck_assert_str_eq(n->ips[0].address, "198.18.0.95");
        instance_free(i);
}
END_TEST

START_TEST(open_vswitch_is_told_the_port)
{
        CLEANUP(guest_spec_free) struct guest_spec s = {}, hybrid = {};
        struct instance *i = an_instance(4);
        struct error err = {};

        give(i, "hw:vif_multiqueue_enabled", "true");
        ck_assert_ok(guestnics_fill(i, VIF("\"type\": \"ovs\", \"ovs_interfaceid\": \"iface-1\""), &s, &err),
                     err);
        ck_assert_int_eq(s.nics[0].kind, GUEST_NIC_OVS);
        ck_assert_str_eq(s.nics[0].interface_id, "iface-1");
        ck_assert_int_eq(s.nics[0].queues, 4);
        ck_assert(!s.nics[0].make_bridge);
        ck_assert_ok(guestnics_fill(i, VIF("\"type\": \"ovs\", \"details\": {\"ovs_hybrid_plug\": true}"),
                                    &hybrid, &err),
                     err);
        ck_assert_int_eq(hybrid.nics[0].kind, GUEST_NIC_BRIDGE);
        ck_assert_str_eq(hybrid.nics[0].source, "qbreffa63b1-a2");
        ck_assert(!hybrid.nics[0].make_bridge);
        instance_free(i);
}
END_TEST

START_TEST(a_macvtap_needs_its_device_and_mode)
{
        CLEANUP(guest_spec_free) struct guest_spec s = {}, bad = {};
        struct instance *i = an_instance(1);
        struct error err = {};
        CLEANUP(freep) char *text = NULL, *tagged = NULL;

        text = xasprintf("[{\"id\": \"" PORT "\", \"address\": \"fa:16:3e:75:7b:15\", \"type\": \"macvtap\", "
                         "\"vnic_type\": \"macvtap\", \"details\": {\"macvtap_source\": \"eth1\", "
                         "\"macvtap_mode\": \"bridge\"%s}}]",
                         "");
        tagged = xasprintf("[{\"id\": \"" PORT "\", \"address\": \"fa:16:3e:75:7b:15\", \"type\": "
                           "\"macvtap\", \"vnic_type\": \"macvtap\", \"details\": {\"macvtap_source\": "
                           "\"eth1.7\", \"macvtap_mode\": \"bridge\", \"vlan\": %d}}]",
                           7);
        ck_assert_ok(guestnics_fill(i, text, &s, &err), err);
        ck_assert_int_eq(s.nics[0].kind, GUEST_NIC_MACVTAP);
        ck_assert_str_eq(s.nics[0].source, "eth1");
        ck_assert_str_eq(s.nics[0].mode, "bridge");
        ck_assert_ptr_null(s.nics[0].target);
        ck_assert_fails(guestnics_fill(i, tagged, &bad, &err), err, NOVA_INVALID_INPUT);
        ck_assert_ptr_nonnull(strstr(err.text, "VLAN"));
        instance_free(i);
}
END_TEST

START_TEST(interfaces_that_cannot_be_plugged_are_refused_by_name)
{
        static const struct {
                const char *vif, *says;
        } cases[] = {
                { VIF("\"type\": \"hw_veb\""), "hw_veb" },
                { VIF("\"type\": \"vhostuser\""), "vhostuser" },
                { VIF("\"type\": \"tap\""), "tap" },
                { VIF("\"type\": \"binding_failed\""), "binding_failed" },
                { VIF("\"type\": \"unbound\""), "unbound" },
                { "[{\"id\": \"" PORT "\", \"address\": \"fa:16:3e:75:7b:15\", \"type\": \"ovs\", "
                  "\"vnic_type\": \"direct\"}]",
                  "direct" },
                { VIF("\"type\": \"ovs\", \"details\": {\"datapath_type\": \"netdev\"}"), "userspace" },
                { "[{\"id\": \"" PORT "\", \"address\": \"fa:16:3e:75:7b:15\", \"type\": \"bridge\"}]",
                  "bridge" },
                { "[{\"id\": \"" PORT "\", \"address\": \"fa:16:3e:75:7b:15\", \"type\": \"bridge\", "
                  "\"network\": {\"bridge\": \"../../etc\"}}]",
                  "../../etc" },
                { "[{\"id\": \"" PORT "\", \"address\": \"fa:16:3e:75:7b:15\", \"type\": \"bridge\", "
                  "\"network\": {\"bridge\": \"a-name-of-16-byt\"}}]",
                  "a-name-of-16-byt" },
                { "[{\"id\": \"" PORT "\", \"address\": \"fa:16:3e:75:7b\", \"type\": \"bridge\", "
                  "\"network\": {\"bridge\": \"br0\"}}]",
                  "MAC" },
        };

        for (size_t c = 0; c < ARRAY_SIZE(cases); c++) {
                CLEANUP(guest_spec_free) struct guest_spec s = {};
                struct instance *i = an_instance(1);
                struct error err = {};

                ck_assert_fails(guestnics_fill(i, cases[c].vif, &s, &err), err, NOVA_INVALID_INPUT);
                ck_assert_msg(strstr(err.text, cases[c].says) != NULL, "%s", err.text);
                ck_assert_msg(strstr(err.text, PORT) != NULL, "%s", err.text);
                instance_free(i);
        }
}
END_TEST

START_TEST(a_cache_that_makes_no_sense_is_an_error)
{
        static const char *const cases[] = {
                "", "{}", "[", "null", "[{}]", "[{\"id\": \"a\", \"type\": 7}]"
        };

        for (size_t c = 0; c < ARRAY_SIZE(cases); c++) {
                CLEANUP(guest_spec_free) struct guest_spec s = {};
                struct instance *i = an_instance(1);
                struct error err = {};

                ck_assert_fails(guestnics_fill(i, cases[c], &s, &err), err, ERR_PROTOCOL);
                instance_free(i);
        }
}
END_TEST

/* ---- interfaces, through the methods ---- */

GREEN_TEST(hard_reboot_and_start_keep_the_interfaces)
{
        struct compute_fixture f;
        struct compute_call c;
        struct error err = {};

        compute_fixture_start(&f);
        compute_fixture_instance(&f, UUID_A, VM_ACTIVE, TASK_REBOOTING_HARD, POWER_RUNNING);
        compute_fixture_instance(&f, UUID_B, VM_STOPPED, TASK_POWERING_ON, POWER_SHUTDOWN);
        fake_store_set_network_info(UUID_A, VIF("\"type\": \"bridge\""));
        fake_store_set_network_info(UUID_B, VIF("\"type\": \"bridge\""));
        c = compute_fixture_call(&f, UUID_A);
        ck_assert_ok(compute_reboot(f.m, &c, true, &err), err);
        ck_assert_uint_eq(virt_fake_spec(f.driver, UUID_A)->n_nics, 1);
        c = compute_fixture_call(&f, UUID_B);
        ck_assert_ok(compute_start(f.m, &c, &err), err);
        ck_assert_uint_eq(virt_fake_spec(f.driver, UUID_B)->n_nics, 1);
        compute_fixture_stop(&f);
}

GREEN_TEST(an_interface_that_cannot_be_plugged_leaves_the_guest_running)
{
        struct compute_fixture f;
        struct compute_call c;
        struct error err = {};
        struct instance *i;

        compute_fixture_start(&f);
        i = compute_fixture_instance(&f, UUID_A, VM_ACTIVE, TASK_REBOOTING_HARD, POWER_RUNNING);
        fake_store_set_network_info(UUID_A, VIF("\"type\": \"hw_veb\""));
        c = compute_fixture_call(&f, UUID_A);
        ck_assert_ok(compute_reboot(f.m, &c, true, &err), err);
        ck_assert_ptr_nonnull(strstr(fake_store_journal(), "hw_veb"));
        ck_assert_int_eq(i->vm_state, VM_ACTIVE);
        ck_assert_uint_eq(virt_fake_calls(f.driver, "hard_reboot"), 0);
        compute_fixture_stop(&f);
}

GREEN_TEST(a_resumed_guest_is_plugged_as_far_as_can_be)
{
        struct compute_fixture f;
        struct compute_call c;
        struct error err = {};
        struct instance *i;

        compute_fixture_start(&f);
        i = compute_fixture_instance(&f, UUID_A, VM_SUSPENDED, TASK_RESUMING, POWER_SHUTDOWN);
        fake_store_set_network_info(UUID_A, VIF("\"type\": \"bridge\""));
        c = compute_fixture_call(&f, UUID_A);
        ck_assert_ok(compute_resume(f.m, &c, &err), err);
        ck_assert_int_eq(i->vm_state, VM_ACTIVE);
        ck_assert_uint_eq(virt_fake_calls(f.driver, "plug"), 1);

        i = compute_fixture_instance(&f, UUID_B, VM_SUSPENDED, TASK_RESUMING, POWER_SHUTDOWN);
        fake_store_set_network_info(UUID_B, VIF("\"type\": \"hw_veb\""));
        c = compute_fixture_call(&f, UUID_B);
        ck_assert_ok(compute_resume(f.m, &c, &err), err); /* its definition has the interface still */
        ck_assert_int_eq(i->vm_state, VM_ACTIVE);
        ck_assert_uint_eq(virt_fake_calls(f.driver, "hard_reboot"), 0);
        compute_fixture_stop(&f);
}

GREEN_TEST(an_attached_volume_leaves_the_guest_running)
{
        struct compute_fixture f;
        struct compute_call c;
        struct error err = {};

        compute_fixture_start(&f);
        compute_fixture_instance(&f, UUID_A, VM_ACTIVE, TASK_REBOOTING_HARD, POWER_RUNNING);
        fake_store_add_disk(UUID_A, "volume", "volume", NULL, 1)->device_name = xstrdup("/dev/vdb");
        c = compute_fixture_call(&f, UUID_A);
        ck_assert_ok(compute_reboot(f.m, &c, true, &err), err);
        ck_assert_ptr_nonnull(strstr(fake_store_journal(), "block device 1 (/dev/vdb) is a volume"));
        ck_assert_uint_eq(virt_fake_calls(f.driver, "hard_reboot"), 0);
        compute_fixture_stop(&f);
}

GREEN_TEST(a_start_without_the_cache_is_refused)
{
        struct compute_fixture f;
        struct compute_call c;
        struct error err = {};
        struct instance *i;

        compute_fixture_start(&f);
        i = compute_fixture_instance(&f, UUID_A, VM_STOPPED, TASK_POWERING_ON, POWER_SHUTDOWN);
        fake_store_set_network_info(UUID_A, NULL);
        c = compute_fixture_call(&f, UUID_A);
        ck_assert_fails(compute_start(f.m, &c, &err), err, NOVA_INVALID_INPUT);
        ck_assert_ptr_nonnull(strstr(err.text, "instance_info_caches"));
        ck_assert_int_eq(i->vm_state, VM_STOPPED);
        ck_assert_int_eq(i->task_state, TASK_NONE);
        compute_fixture_stop(&f);
}

GREEN_TEST(a_build_that_wants_networks_is_refused_unless_it_has_them)
{
        struct compute_fixture f;
        struct compute_build *b;
        struct error err = {};
        struct instance *i;

        compute_fixture_start(&f);
        i = fake_store_add(UUID_A, VM_BUILDING, TASK_SCHEDULING);
        fake_store_add_action(UUID_A, REQ);
        b = compute_fixture_build(UUID_A, NULL);
        b->wants_networks = true;
        ck_assert_ok(compute_build_and_run(f.m, b, &err), err);
        compute_fixture_settle(&f);
        ck_assert_int_eq(i->vm_state, VM_ERROR);
        ck_assert_ptr_nonnull(strstr(fake_store_journal(), "neutron"));

        i = fake_store_add(UUID_B, VM_BUILDING, TASK_SCHEDULING);
        fake_store_add_action(UUID_B, REQ);
        fake_store_set_network_info(UUID_B, VIF("\"type\": \"bridge\""));
        b = compute_fixture_build(UUID_B, NULL);
        b->wants_networks = true;
        ck_assert_ok(compute_build_and_run(f.m, b, &err), err);
        compute_fixture_settle(&f);
        ck_assert_int_eq(i->vm_state, VM_ACTIVE);
        ck_assert_uint_eq(virt_fake_spec(f.driver, UUID_B)->n_nics, 1);
        compute_fixture_stop(&f);
}

/* Config drives hang on another bus on q35, already in the first definition. */
GREEN_TEST(the_machine_type_is_the_configured_one_of_this_architecture)
{
        static const struct {
                const char *configured, *machine, *bus;
        } cases[] = {
                { "", "pc", "ide" },
                { "pc-q35-7.2", "pc-q35-7.2", "sata" },
                { "aarch64=virt,x86_64=q35", "q35", "sata" },
                { "aarch64=virt", "pc", "ide" },
        };

        for (size_t k = 0; k < ARRAY_SIZE(cases); k++) {
                struct compute_fixture f;
                struct error err = {};
                struct instance *i;

                compute_fixture_start(&f);
                f.conf.libvirt.hw_machine_type = (char *)cases[k].configured;
                i = fake_store_add(UUID_A, VM_BUILDING, TASK_SCHEDULING);
                replace_str(&i->config_drive, "True");
                fake_store_add_action(UUID_A, REQ);
                ck_assert_ok(compute_build_and_run(f.m, compute_fixture_build(UUID_A, NULL), &err), err);
                compute_fixture_settle(&f);
                ck_assert_str_eq(virt_fake_spec(f.driver, UUID_A)->machine, cases[k].machine);
                ck_assert_str_eq(virt_fake_spec(f.driver, UUID_A)->disks[1].bus, cases[k].bus);
                ck_assert_str_eq(instance_system_meta(i, "image_hw_machine_type"), cases[k].machine);
                ck_assert_str_eq(instance_system_meta(i, "image_hw_cdrom_bus"), cases[k].bus);
                compute_fixture_stop(&f);
        }
}

GREEN_TEST(what_a_flavor_asks_for_in_vain_ends_in_the_fault)
{
        struct compute_fixture f;
        struct error err = {};
        struct instance *i;

        compute_fixture_start(&f);
        i = fake_store_add(UUID_A, VM_BUILDING, TASK_SCHEDULING);
        flavor_add_extra_spec(&i->flavor, "hw:cpu_policy", "dedicated");
        fake_store_add_action(UUID_A, REQ);
        ck_assert_ok(compute_build_and_run(f.m, compute_fixture_build(UUID_A, NULL), &err), err);
        compute_fixture_settle(&f);
        ck_assert_int_eq(i->vm_state, VM_ERROR);
        ck_assert_ptr_nonnull(strstr(fake_store_journal(), "hw:cpu_policy=dedicated"));
        ck_assert(!fake_files_exist(UUID_A));
        compute_fixture_stop(&f);
}

UNIT_SUITE("compute-guestspec", what_cannot_be_given_is_refused_by_name,
           what_has_no_effect_on_a_plain_guest_is_taken, rows_that_ask_for_more_than_the_keys_say_are_refused,
           properties_become_devices, the_image_decides_about_the_watchdog,
           flavor_and_image_must_agree_on_the_pmu, cpu_topology_is_novas, a_bridge_is_what_the_network_says,
           open_vswitch_is_told_the_port, a_macvtap_needs_its_device_and_mode,
           interfaces_that_cannot_be_plugged_are_refused_by_name, a_cache_that_makes_no_sense_is_an_error,
           hard_reboot_and_start_keep_the_interfaces,
           an_interface_that_cannot_be_plugged_leaves_the_guest_running,
           a_resumed_guest_is_plugged_as_far_as_can_be, an_attached_volume_leaves_the_guest_running,
           a_start_without_the_cache_is_refused, a_build_that_wants_networks_is_refused_unless_it_has_them,
           the_machine_type_is_the_configured_one_of_this_architecture,
           what_a_flavor_asks_for_in_vain_ends_in_the_fault)
