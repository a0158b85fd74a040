/* Builds: the steps, the outcomes, what a failure undoes, the queue. */
#include "compute_fixture.h"

#include "base/list.h"
#include "base/mem.h"
#include "green_test.h"

static struct compute_fixture f;

#define BEGUN                                         \
        "event+ compute__do_build_and_run_instance\n" \
        "instance vm_state=building task_state=NULL if scheduling|NULL\n"
#define CLAIMED                                                                                    \
        BEGUN "instance host=host-1 node=fake-host launched_on=host-1 +boot_roles=member,reader\n" \
              "node update vms=1 mb=576\n"                                                         \
              "instance vm_state=building task_state=networking if NULL\n"
#define SPAWNING                                                                                         \
        CLAIMED "disk /dev/vda virtio disk\n"                                                            \
                "instance vm_state=building task_state=block_device_mapping root_device_name=/dev/vda\n" \
                "instance vm_state=building task_state=spawning if block_device_mapping\n"
#define DEFAULTS                                                                                  \
        "+image_hw_machine_type=pc +image_hw_cdrom_bus=ide +image_hw_disk_bus=virtio "            \
        "+image_hw_input_bus=usb +image_hw_pointer_model=usbtablet +image_hw_video_model=virtio " \
        "+image_hw_vif_model=virtio"
#define UNDONE                                   \
        "instance cleaned=1 +clean_attempts=1\n" \
        "instance host=NULL node=NULL\n"         \
        "node update vms=0 mb=512\n"
#define GIVEN_UP(states)                                                               \
        "instance host=NULL node=NULL launched_on=NULL availability_zone=NULL " states \
        " +network_allocated=False\n"
#define FINISHED "event- compute__do_build_and_run_instance Success\n"

static struct instance *YIELDS begin(void)
{
        struct instance *i;

        compute_fixture_start(&f);
        i = fake_store_add(UUID_A, VM_BUILDING, TASK_SCHEDULING);
        fake_store_add_action(UUID_A, REQ);
        return i;
}

static void YIELDS build(unsigned *rescheduled)
{
        struct error err = {};

        ck_assert_ok(compute_build_and_run(f.m, compute_fixture_build(UUID_A, rescheduled), &err), err);
        compute_fixture_settle(&f);
        ck_assert_uint_eq(compute_fixture_builds_alive(), 0);
}

static bool YIELDS guest_is_there(const char *uuid)
{
        struct guest_info info = {};
        struct error err = {};

        ck_assert_ok(f.driver->ops->get_info(f.driver, uuid, &info, deadline_in_s(10), &err), err);
        return info.power_state != POWER_NOSTATE;
}

GREEN_TEST(a_build_writes_each_step)
{
        begin();
        build(NULL);
        ck_assert_journal(SPAWNING "extra vcpu_model\n"
                                   "instance " DEFAULTS "\n"
                                   "instance power_state=1 vm_state=active task_state=NULL launched_at=now "
                                   "if spawning\n" FINISHED);
        ck_assert(fake_files_exist(UUID_A));
        ck_assert_str_eq(virt_fake_spec(f.driver, UUID_A)->name, "instance-00000001");
        ck_assert_str_eq(virt_fake_spec(f.driver, UUID_A)->user_name, "N/A");
        compute_fixture_stop(&f);
}

GREEN_TEST(a_config_drive_is_made_and_noted_when_forced)
{
        compute_fixture_start(&f);
        f.conf.force_config_drive = true;
        fake_store_add(UUID_A, VM_BUILDING, TASK_SCHEDULING);
        fake_store_add_action(UUID_A, REQ);
        build(NULL);
        ck_assert_uint_eq(fake_files_config_drives(), 1);
        ck_assert_str_eq(fake_store_row(UUID_A)->config_drive, "True");
        compute_fixture_stop(&f);
}

GREEN_TEST(a_config_drive_that_was_asked_for_stays_as_it_was_written)
{
        struct instance *i = begin();
        struct compute_build *b = compute_fixture_build(UUID_A, NULL);
        struct error err = {};

        replace_str(&i->config_drive, "true");
        b->admin_password = xstrdup("s3cret");
        ck_assert_ok(compute_build_and_run(f.m, b, &err), err);
        compute_fixture_settle(&f);
        ck_assert_uint_eq(fake_files_config_drives(), 1);
        ck_assert_str_eq(fake_files_admin_password(), "s3cret");
        ck_assert_str_eq(fake_store_row(UUID_A)->config_drive, "true");
        ck_assert_ptr_null(strstr(fake_store_journal(), "s3cret"));
        compute_fixture_stop(&f);
}

GREEN_TEST(hostile_names_reach_the_driver_as_they_are)
{
        struct instance *i = begin();

        replace_str(&i->display_name, "</name><evil attr=\"'&;--\n$(reboot)");
        build(NULL);
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_ACTIVE);
        ck_assert_str_eq(virt_fake_spec(f.driver, UUID_A)->display_name,
                         "</name><evil attr=\"'&;--\n$(reboot)");
        compute_fixture_stop(&f);
}

GREEN_TEST(a_device_name_that_makes_no_sense_is_replaced)
{
        begin();
        fake_store_root_disk(UUID_A)->device_name = xstrdup("/dev/../../etc/passwd");
        build(NULL);
        ck_assert_str_eq(fake_store_root_disk(UUID_A)->device_name, "/dev/vda");
        compute_fixture_stop(&f);
}

GREEN_TEST(the_image_chooses_the_bus)
{
        struct instance *i = begin();

        instance_set_system_meta(i, "image_hw_disk_bus", "ide");
        build(NULL);
        ck_assert_str_eq(fake_store_root_disk(UUID_A)->device_name, "/dev/hda");
        ck_assert_str_eq(fake_store_root_disk(UUID_A)->disk_bus, "ide");
        compute_fixture_stop(&f);
}

GREEN_TEST(an_unknown_bus_aborts)
{
        struct instance *i = begin();

        instance_set_system_meta(i, "image_hw_disk_bus", "floppynet");
        build(NULL);
        ck_assert_journal(CLAIMED UNDONE "fault 500 Build of instance " UUID_A
                                         " aborted: disk bus \"floppynet\" is not supported\n" GIVEN_UP(
                                                 "vm_state=error task_state=NULL") FINISHED);
        compute_fixture_stop(&f);
}

GREEN_TEST(ephemeral_and_swap_disks_are_named_in_their_rows)
{
        struct block_device *ephemeral, *swap;
        struct instance *i = begin();

        ephemeral = fake_store_add_disk(UUID_A, "blank", "local", NULL, 2);
        ephemeral->device_name = xstrdup("/dev/vdx"); /* what users want counts only for the root disk */
        swap = fake_store_add_disk(UUID_A, "blank", "local", "swap", 512);
        build(NULL);
        ck_assert_int_eq(i->vm_state, VM_ACTIVE);
        ck_assert_str_eq(fake_store_root_disk(UUID_A)->device_name, "/dev/vda");
        ck_assert_str_eq(ephemeral->device_name, "/dev/vdb");
        ck_assert_str_eq(ephemeral->device_type, "disk");
        ck_assert_str_eq(swap->device_name, "/dev/vdc");
        ck_assert_str_eq(swap->disk_bus, "virtio");
        ck_assert_str_eq(i->default_swap_device, "/dev/vdc");
        ck_assert_ptr_null(i->default_ephemeral_device); /* only without a row of its own */
        compute_fixture_stop(&f);
}

GREEN_TEST(an_unknown_image_without_retry_is_an_error_with_its_reason)
{
        struct instance *i = begin();

        replace_str(&i->image_ref, "image-9");
        build(NULL);
        ck_assert_journal(SPAWNING UNDONE "fault 500 Image image-9 could not be found.\n" GIVEN_UP(
                "vm_state=error task_state=NULL") FINISHED);
        ck_assert(!fake_files_exist(UUID_A));
        compute_fixture_stop(&f);
}

GREEN_TEST(a_failed_build_with_retry_goes_back_to_conductor)
{
        unsigned rescheduled = 0;

        begin();
        virt_fake_fail_next(f.driver, "spawn", NOVA_LIBVIRT_ERROR, "no such machine");
        build(&rescheduled);
        ck_assert_uint_eq(rescheduled, 1);
        ck_assert_journal(SPAWNING UNDONE GIVEN_UP("vm_state=building task_state=scheduling") FINISHED);
        ck_assert(!fake_files_exist(UUID_A));
        ck_assert(!guest_is_there(UUID_A));
        compute_fixture_stop(&f);
}

GREEN_TEST(without_a_conductor_the_fault_says_so)
{
        unsigned rescheduled = 0;

        begin();
        compute_fixture_reschedule_fails(ERR_NOT_FOUND);
        virt_fake_fail_next(f.driver, "spawn", NOVA_LIBVIRT_ERROR, "no such machine");
        build(&rescheduled);
        ck_assert_uint_eq(rescheduled, 0);
        ck_assert_journal(SPAWNING UNDONE GIVEN_UP(
                "vm_state=building task_state=scheduling") "fault 500 Build of instance " UUID_A
                                                           " aborted: starting the guest: no such machine "
                                                           "(there is no conductor that could "
                                                           "choose another host)\n"
                                                           "instance host=NULL node=NULL launched_on=NULL "
                                                           "availability_zone=NULL "
                                                           "vm_state=error task_state=NULL\n" FINISHED);
        compute_fixture_stop(&f);
}

GREEN_TEST(errors_of_the_list_abort_although_a_retry_is_allowed)
{
        unsigned rescheduled = 0;

        begin();
        fake_image()->status = "queued";
        build(&rescheduled);
        ck_assert_uint_eq(rescheduled, 0);
        ck_assert_ptr_nonnull(strstr(fake_store_journal(),
                                     "fault 500 Build of instance " UUID_A
                                     " aborted: creating disks: Image image-1 is not active.\n"));
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_ERROR);
        compute_fixture_stop(&f);
}

/* What runs with these words. */
static void look_for_download(const struct compute_running *r, void *arg)
{
        *(unsigned *)arg += strcmp(r->doing, "downloading image image-1: 37 % of 2.1 GiB") == 0;
}

GREEN_TEST(the_image_is_asked_for_as_the_user_and_its_download_shows)
{
        struct compute_build *b;
        unsigned downloads = 0;
        struct error err = {};

        begin();
        b = compute_fixture_build(UUID_A, NULL);
        b->ctx.auth_token = xstrdup("of-the-user");
        ck_assert_ok(compute_build_and_run(f.m, b, &err), err);
        for (int i = 0; i < 1000 && downloads == 0; i++) {
                green_yield();
                compute_manager_foreach_running(f.m, look_for_download, &downloads);
        }
        ck_assert_uint_eq(downloads, 1);
        compute_fixture_settle(&f);
        ck_assert_str_eq(fake_files_image_token(), "of-the-user");
        ck_assert_str_eq(fake_files_disks_token(), "of-the-user");
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_ACTIVE);
        compute_fixture_stop(&f);
}

GREEN_TEST(image_errors_end_a_build_as_novas_table_says)
{
        static const struct {
                const char *where;
                int code;
                bool rescheduled;
        } cases[] = {
                { "get_image", NOVA_IMAGE_NOT_FOUND, true },
                { "get_image", NOVA_IMAGE_NOT_AUTHORIZED, true },
                { "get_image", ERR_CLOSED, true }, /* no image server answers here */
                { "create", NOVA_NOT_IMPLEMENTED, true },
                { "create", NOVA_IMAGE_UNACCEPTABLE, false },
                { "create", NOVA_INVALID_DISK_INFO, false },
                { "create", NOVA_FLAVOR_DISK_SMALLER_THAN_IMAGE, false },
                { "create", NOVA_FLAVOR_DISK_SMALLER_THAN_MIN_DISK, false },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                unsigned rescheduled = 0;

                begin();
                fake_files_fail_next(cases[i].where, cases[i].code, "what is wrong with it");
                build(&rescheduled);
                ck_assert_msg(rescheduled == cases[i].rescheduled, "case %zu", i);
                ck_assert_int_eq(fake_store_row(UUID_A)->vm_state,
                                 cases[i].rescheduled ? VM_BUILDING : VM_ERROR);
                if (!cases[i].rescheduled)
                        ck_assert_ptr_nonnull(strstr(fake_store_journal(),
                                                     "fault 500 Build of instance " UUID_A " aborted: "
                                                     "creating disks: what is wrong with it"));
                compute_fixture_stop(&f);
        }
}

GREEN_TEST(too_little_memory_for_the_image_aborts)
{
        begin();
        fake_image()->min_ram_mb = 4096;
        build(NULL);
        ck_assert_ptr_nonnull(strstr(fake_store_journal(), "the image needs 4096 MiB of memory"));
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_ERROR);
        compute_fixture_stop(&f);
}

GREEN_TEST(a_volume_aborts)
{
        begin();
        replace_str(&fake_store_root_disk(UUID_A)->destination_type, "volume");
        build(NULL);
        ck_assert_ptr_nonnull(strstr(fake_store_journal(), "which this agent cannot attach"));
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_ERROR);
        compute_fixture_stop(&f);
}

GREEN_TEST(a_node_that_is_not_ours_is_not_claimed)
{
        struct compute_build *b;
        struct error err = {};

        begin();
        b = compute_fixture_build(UUID_A, NULL);
        replace_str(&b->node, "elsewhere");
        ck_assert_ok(compute_build_and_run(f.m, b, &err), err);
        compute_fixture_settle(&f);
        ck_assert_journal(BEGUN "fault 500 node elsewhere is not of this host, whose node is fake-host\n"
                                "instance host=NULL node=NULL launched_on=NULL availability_zone=NULL "
                                "vm_state=error task_state=NULL +boot_roles=member,reader "
                                "+network_allocated=False\n" FINISHED);
        compute_fixture_stop(&f);
}

GREEN_TEST(bad_injected_files_fail_the_event)
{
        struct compute_build *b;
        struct error err = {};

        begin();
        b = compute_fixture_build(UUID_A, NULL);
        b->files_error = xstrdup("file 0 is not a path with base64 data");
        ck_assert_ok(compute_build_and_run(f.m, b, &err), err);
        compute_fixture_settle(&f);
        ck_assert_journal(BEGUN
                          "instance vm_state=error\n"
                          "fault 400 injected_files: file 0 is not a path with base64 data\n"
                          "event- compute__do_build_and_run_instance Error: injected_files: file 0 is not a "
                          "path with base64 data\n"
                          "instance task_state=NULL\n");
        compute_fixture_stop(&f);
}

GREEN_TEST(a_request_that_comes_twice_builds_once)
{
        struct error err = {};

        begin();
        ck_assert_ok(compute_build_and_run(f.m, compute_fixture_build(UUID_A, NULL), &err), err);
        ck_assert_ok(compute_build_and_run(f.m, compute_fixture_build(UUID_A, NULL), &err), err);
        compute_fixture_settle(&f);
        ck_assert_uint_eq(virt_fake_calls(f.driver, "spawn"), 1);
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_ACTIVE);
        ck_assert(guest_is_there(UUID_A));
        compute_fixture_stop(&f);
}

static void set_deleting(void *arg)
{
        ((struct instance *)arg)->task_state = TASK_DELETING;
}

static void drop_row(void *arg)
{
        fake_store_drop(arg);
}

GREEN_TEST(a_delete_during_the_build_ends_it_quietly)
{
        /* save 1: begin, 2: claim, 3: networking, 4: block devices, 5: spawning, 6: defaults, 7: active */
        static const unsigned with_compare_and_set[] = { 3, 5, 7 };

        for (unsigned s = 0; s < 3; s++) {
                struct instance *i = begin();

                fake_store_before("store_instance_save", with_compare_and_set[s], set_deleting, i);
                build(NULL);
                ck_assert_ptr_null(strstr(fake_store_journal(), "fault"));
                ck_assert_int_eq(fake_store_row(UUID_A)->task_state, TASK_DELETING);
                ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_BUILDING);
                ck_assert(!guest_is_there(UUID_A));
                ck_assert(!fake_files_exist(UUID_A));
                compute_fixture_stop(&f);
        }
}

GREEN_TEST(a_row_that_vanishes_during_the_build_leaves_nothing_behind)
{
        for (unsigned save = 1; save <= 7; save++) {
                begin();
                fake_store_before("store_instance_save", save, drop_row, (void *)UUID_A);
                build(NULL);
                ck_assert_ptr_null(strstr(fake_store_journal(), "fault"));
                ck_assert(!guest_is_there(UUID_A));
                ck_assert(!fake_files_exist(UUID_A));
                compute_fixture_stop(&f);
        }
}

static void set_snapshot(void *arg)
{
        ((struct instance *)arg)->task_state = TASK_IMAGE_SNAPSHOT;
}

GREEN_TEST(another_task_at_networking_aborts)
{
        unsigned rescheduled = 0;
        struct instance *i = begin();

        fake_store_before("store_instance_save", 3, set_snapshot, i);
        build(&rescheduled);
        ck_assert_uint_eq(rescheduled, 0);
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_ERROR);
        compute_fixture_stop(&f);
}

GREEN_TEST(a_result_that_cannot_be_written_undoes_the_guest)
{
        begin();
        fake_store_fail("store_instance_save", 7, ERR_DB, "Data too long");
        build(NULL);
        ck_assert(!guest_is_there(UUID_A));
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_ERROR);
        ck_assert_ptr_nonnull(strstr(fake_store_journal(), "fault 500 Data too long\n"));
        compute_fixture_stop(&f);
}

GREEN_TEST(a_guest_that_vanishes_while_it_starts_is_not_taken_for_a_deleted_instance)
{
        begin();
        virt_fake_fail_next(f.driver, "spawn", NOVA_INSTANCE_NOT_FOUND, "no domain");
        build(NULL);
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_ERROR);
        compute_fixture_stop(&f);
}

/* ---- the queue ---- */

static unsigned spawning_now, spawning_most;

static void watch(const struct compute_running *r, void *arg)
{
        if (strcmp(r->doing, "starting the guest") == 0)
                spawning_now++;
}

GREEN_TEST(no_more_builds_at_once_than_configured)
{
        char uuid[UUID_LEN + 1];
        struct error err = {};
        struct compute_stats stats;

        compute_fixture_start(&f);
        compute_fixture_stop(&f);
        fake_store_reset();
        fake_files_reset();
        compute_fixture_defaults(&f);
        f.conf.max_concurrent_builds = 3;
        compute_fixture_make(&f);
        ck_assert_ok(compute_audit(f.m, deadline_in_s(10), &err), err);
        for (int n = 0; n < 10; n++) {
                snprintf(uuid, sizeof(uuid), "cccccccc-cccc-4ccc-8ccc-cccccccccc%02d", n);
                fake_store_add(uuid, VM_BUILDING, TASK_SCHEDULING);
                fake_store_add_action(uuid, REQ);
                virt_fake_slow_next(f.driver, "spawn", 20);
                ck_assert_ok(compute_build_and_run(f.m, compute_fixture_build(uuid, NULL), &err), err);
        }
        for (int s = 0; s < 100; s++) {
                ck_assert_ok(green_sleep(1, &err), err);
                spawning_now = 0;
                compute_manager_foreach_running(f.m, watch, NULL);
                if (spawning_now > spawning_most)
                        spawning_most = spawning_now;
        }
        ck_assert_uint_eq(spawning_most, 3);
        compute_fixture_settle(&f);
        compute_get_stats(f.m, &stats);
        ck_assert_uint_eq(stats.builds, 10);
        ck_assert_uint_eq(stats.builds_failed, 0);
        ck_assert_uint_eq(stats.builds_waiting, 0);
        for (int n = 0; n < 10; n++) {
                snprintf(uuid, sizeof(uuid), "cccccccc-cccc-4ccc-8ccc-cccccccccc%02d", n);
                ck_assert_int_eq(fake_store_row(uuid)->vm_state, VM_ACTIVE);
        }
        compute_fixture_stop(&f);
}

static unsigned YIELDS spawning_after_a_second(void)
{
        struct error err = {};

        ck_assert_ok(green_sleep(1, &err), err);
        spawning_now = 0;
        compute_manager_foreach_running(f.m, watch, NULL);
        return spawning_now;
}

GREEN_TEST(another_limit_holds_for_builds_that_wait)
{
        char uuid[UUID_LEN + 1];
        struct error err = {};

        compute_fixture_start(&f);
        compute_fixture_stop(&f);
        fake_store_reset();
        fake_files_reset();
        compute_fixture_defaults(&f);
        f.conf.max_concurrent_builds = 1;
        compute_fixture_make(&f);
        ck_assert_ok(compute_audit(f.m, deadline_in_s(10), &err), err);
        for (int n = 0; n < 6; n++) {
                snprintf(uuid, sizeof(uuid), "cccccccc-cccc-4ccc-8ccc-cccccccccc%02d", n);
                fake_store_add(uuid, VM_BUILDING, TASK_SCHEDULING);
                fake_store_add_action(uuid, REQ);
                virt_fake_slow_next(f.driver, "spawn", 20);
                ck_assert_ok(compute_build_and_run(f.m, compute_fixture_build(uuid, NULL), &err), err);
        }
        ck_assert_uint_eq(spawning_after_a_second(), 1);
        f.conf.max_concurrent_builds = 3;
        compute_follow_settings(f.m);
        ck_assert_uint_eq(spawning_after_a_second(), 3);
        f.conf.max_concurrent_builds = 1;
        compute_follow_settings(f.m);
        ck_assert_uint_eq(spawning_after_a_second(), 3); /* they go on */
        ck_assert_ok(green_sleep(20, &err), err);
        ck_assert_uint_eq(spawning_after_a_second(), 1);
        f.conf.max_concurrent_builds = 0; /* no limit */
        compute_follow_settings(f.m);
        ck_assert_uint_eq(spawning_after_a_second(), 3);
        compute_fixture_settle(&f);
        for (int n = 0; n < 6; n++) {
                snprintf(uuid, sizeof(uuid), "cccccccc-cccc-4ccc-8ccc-cccccccccc%02d", n);
                ck_assert_int_eq(fake_store_row(uuid)->vm_state, VM_ACTIVE);
        }
        compute_fixture_stop(&f);
}

GREEN_TEST(a_draining_agent_refuses_builds)
{
        struct compute_build *b;
        struct error err = {};

        begin();
        ck_assert_ok(compute_drain(f.m, deadline_in_s(1), &err), err);
        b = compute_fixture_build(UUID_A, NULL);
        ck_assert_fails(compute_build_and_run(f.m, b, &err), err, ERR_CLOSED);
        b->drop(b);
        ck_assert_int_eq(fake_store_row(UUID_A)->task_state, TASK_SCHEDULING);
        compute_fixture_stop(&f);
}

GREEN_TEST(a_build_that_is_cut_short_leaves_its_rows_for_the_next_start)
{
        struct error err = {};

        begin();
        virt_fake_slow_next(f.driver, "spawn", 1000);
        ck_assert_ok(compute_build_and_run(f.m, compute_fixture_build(UUID_A, NULL), &err), err);
        ck_assert_ok(green_sleep(5, &err), err);
        compute_manager_free(f.m);
        f.m = NULL;
        ck_assert_uint_eq(compute_fixture_builds_alive(), 0);
        ck_assert_journal(SPAWNING);
        ck_assert_int_eq(fake_store_row(UUID_A)->task_state, TASK_SPAWNING);
        compute_fixture_stop(&f);
}

GREEN_TEST(failed_builds_are_counted_until_one_works)
{
        begin();
        virt_fake_fail_next(f.driver, "spawn", NOVA_LIBVIRT_ERROR, "no");
        build(NULL);
        ck_assert_ptr_null(strstr(fake_store_node()->stats, "\"failed_builds\":\"1\""));
        ck_assert_ok(compute_audit(f.m, deadline_in_s(10), &(struct error){}), (struct error){});
        ck_assert_ptr_nonnull(strstr(fake_store_node()->stats, "\"failed_builds\":\"1\""));
        fake_store_add(UUID_B, VM_BUILDING, TASK_SCHEDULING);
        fake_store_add_action(UUID_B, REQ);
        ck_assert_int_eq(compute_build_and_run(f.m, compute_fixture_build(UUID_B, NULL), &(struct error){}),
                         0);
        compute_fixture_settle(&f);
        ck_assert_ok(compute_audit(f.m, deadline_in_s(10), &(struct error){}), (struct error){});
        ck_assert_ptr_nonnull(strstr(fake_store_node()->stats, "\"failed_builds\":\"0\""));
        compute_fixture_stop(&f);
}

GREEN_SUITE("compute-build", a_build_writes_each_step, a_config_drive_is_made_and_noted_when_forced,
            a_config_drive_that_was_asked_for_stays_as_it_was_written,
            hostile_names_reach_the_driver_as_they_are, a_device_name_that_makes_no_sense_is_replaced,
            the_image_chooses_the_bus, an_unknown_bus_aborts,
            ephemeral_and_swap_disks_are_named_in_their_rows,
            an_unknown_image_without_retry_is_an_error_with_its_reason,
            a_failed_build_with_retry_goes_back_to_conductor, without_a_conductor_the_fault_says_so,
            errors_of_the_list_abort_although_a_retry_is_allowed,
            the_image_is_asked_for_as_the_user_and_its_download_shows,
            image_errors_end_a_build_as_novas_table_says, too_little_memory_for_the_image_aborts,
            a_volume_aborts, a_node_that_is_not_ours_is_not_claimed, bad_injected_files_fail_the_event,
            a_request_that_comes_twice_builds_once, a_delete_during_the_build_ends_it_quietly,
            a_row_that_vanishes_during_the_build_leaves_nothing_behind, another_task_at_networking_aborts,
            a_result_that_cannot_be_written_undoes_the_guest,
            a_guest_that_vanishes_while_it_starts_is_not_taken_for_a_deleted_instance,
            no_more_builds_at_once_than_configured, another_limit_holds_for_builds_that_wait,
            a_draining_agent_refuses_builds, a_build_that_is_cut_short_leaves_its_rows_for_the_next_start,
            failed_builds_are_counted_until_one_works)
