/* tests/unit/agent/test_compute_start.c: what must be true before this host takes part in the cloud. */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "compute_fixture.h"
#include "green_test.h"
#include "private_dir.h"

static struct compute_fixture f;
static struct strbuf said;

static void keep_line(enum log_level level, const char *line, void *arg)
{
        (void)arg;
        if (level >= LOG_WARNING)
                strbuf_addf(&said, "%s\n", line);
}

static void YIELDS prepare(void)
{
        fake_store_reset();
        fake_files_reset();
        compute_fixture_defaults(&f);
        f.conf.instances_path = private_dir;
        compute_fixture_make(&f);
        log_set_capture(keep_line, NULL);
}

static void YIELDS finish(void)
{
        log_set_capture(NULL, NULL);
        strbuf_free(&said);
        compute_fixture_stop(&f);
}

static int YIELDS start(struct error *err)
{
        *err = (struct error){};
        return compute_init_host(f.m, NULL, NULL, deadline_in_s(10), err);
}

static const char *warnings(void)
{
        return said.data ? said.data : "";
}

GREEN_TEST(a_host_in_order_starts_without_a_word)
{
        struct error err;

        prepare();
        fake_store_set_min_version(64);
        ck_assert_ok(start(&err), err);
        ck_assert_str_eq(warnings(), "");
        ck_assert_ok(compute_audit(f.m, deadline_in_s(10), &err), err);
        ck_assert_uint_eq(virt_fake_calls(f.driver, "get_host_info"), 1); /* for both */
        ck_assert_ok(compute_audit(f.m, deadline_in_s(10), &err), err);
        ck_assert_uint_eq(virt_fake_calls(f.driver, "get_host_info"), 2);
        finish();
}

GREEN_TEST(a_cell_that_is_too_old_or_too_new_is_not_joined)
{
        struct error err;

        prepare();
        fake_store_set_min_version(61);
        ck_assert_ok(start(&err), err);
        fake_store_set_min_version(60);
        ck_assert_fails(start(&err), err, ERR_INVALID);
        ck_assert_ptr_nonnull(strstr(err.text, "service version 60"));
        f.conf.workarounds.disable_compute_service_check_for_ffu = true;
        ck_assert_ok(start(&err), err);
        ck_assert_ptr_nonnull(strstr(warnings(), "disable_compute_service_check_for_ffu"));
        fake_store_set_min_version(65);
        ck_assert_fails(start(&err), err, ERR_INVALID);
        ck_assert_ptr_nonnull(strstr(err.text, "too old for its cell"));
        finish();
}

GREEN_TEST(a_database_that_is_away_is_no_fault_of_the_operators)
{
        struct error err;

        prepare();
        fake_store_fail("store_service_min_version", 1, ERR_DB_LOST, "gone away");
        ck_assert_fails(start(&err), err, ERR_DB_LOST);
        ck_assert_ok(start(&err), err);
        finish();
}

GREEN_TEST(an_old_hypervisor_is_refused_by_its_version)
{
        struct error err;

        prepare();
        virt_fake_set_versions(f.driver, 5010003, 7002000);
        ck_assert_fails(start(&err), err, ERR_INVALID);
        ck_assert_str_eq(err.text, "libvirt 5.10.3 is too old, 6.0.0 is needed");
        virt_fake_set_versions(f.driver, 6000000, 4001999);
        ck_assert_fails(start(&err), err, ERR_INVALID);
        ck_assert_str_eq(err.text, "QEMU 4.1.999 is too old, 4.2.0 is needed");
        virt_fake_set_versions(f.driver, 6000000, 4002000);
        ck_assert_ok(start(&err), err);
        finish();
}

GREEN_TEST(directories_must_be_there)
{
        struct error err;

        prepare();
        fake_files_fail_next("check", ERR_INVALID, "instances_path cannot be written");
        ck_assert_fails(start(&err), err, ERR_INVALID);
        ck_assert_ptr_nonnull(strstr(err.text, "instances_path cannot be written"));
        finish();
}

GREEN_TEST(what_is_odd_is_said_once)
{
        struct error err;
        CLEANUP(freep) char *dir = NULL;
        CLEANUP(freep) char *file = NULL;
        const char *first;

        prepare();
        dir = xasprintf("%s/providers", private_dir);
        file = xasprintf("%s/gpu.yaml", dir);
        ck_assert_int_eq(mkdir(dir, 0700), 0);
        close(open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
        f.conf.my_ip = (char *)"203.0.113.7";
        f.conf.compute.provider_config_location = dir;
        ck_assert_ok(start(&err), err);
        first = strstr(warnings(), "203.0.113.7");
        ck_assert_ptr_nonnull(first);
        ck_assert_ptr_nonnull(strstr(warnings(), "gpu.yaml"));
        ck_assert_ok(start(&err), err);
        ck_assert_ptr_null(strstr(strstr(warnings(), "gpu.yaml") + 1, "gpu.yaml"));
        finish();
}

/* A renamed host must not have to wait for the next audit, which may be an hour away. */
GREEN_TEST(the_first_audit_forgets_former_names_also_without_placement)
{
        struct error err;

        prepare();
        ck_assert_ok(start(&err), err);
        fake_store_add_former_node("old-name");
        ck_assert_ok(compute_first_audit(f.m, deadline_in_s(10), &err), err);
        ck_assert_ok(green_sleep(1, &err), err);
        ck_assert_ptr_nonnull(strstr(fake_store_journal(), "node old-name forgotten\n"));
        finish();
}

GREEN_SUITE("compute-start", the_first_audit_forgets_former_names_also_without_placement,
            a_host_in_order_starts_without_a_word, a_cell_that_is_too_old_or_too_new_is_not_joined,
            a_database_that_is_away_is_no_fault_of_the_operators, an_old_hypervisor_is_refused_by_its_version,
            directories_must_be_there, what_is_odd_is_said_once)
