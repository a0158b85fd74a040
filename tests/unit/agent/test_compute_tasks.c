/* report_state, cleanup of running deleted guests, builds that take too long; the texts of calls. */
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "compute/compute_priv.h"
#include "compute/text.h"
#include "compute_fixture.h"
#include "green_test.h"

static struct compute_fixture f;

static bool YIELDS guest_is(const char *uuid, enum power_state state)
{
        struct guest_info info = {};
        struct error err = {};

        ck_assert_ok(f.driver->ops->get_info(f.driver, uuid, &info, deadline_in_s(10), &err), err);
        return info.power_state == state;
}

GREEN_TEST(report_state_begins_at_once_and_is_never_behind_other_work)
{
        struct error err = {};

        compute_fixture_start(&f);
        ck_assert_double_lt(compute_last_report_age(f.m), 0);
        /* an audit that hangs holds up the other tasks, not this one */
        ck_assert_ok(compute_service_ensure(f.m, deadline_in_s(1), &err), err);
        ck_assert_int_eq(compute_service(f.m)->version, SERVICE_VERSION);
        virt_fake_hang_next(f.driver, "list");
        ck_assert_ok(compute_start_periodic(f.m, &err), err);
        ck_assert_ok(green_sleep(45, &err), err);
        ck_assert_uint_eq(fake_store_reports(), 5);
        ck_assert_double_eq_tol(compute_last_report_age(f.m), 5, 0.1);
        compute_fixture_stop(&f);
}

GREEN_TEST(a_failed_report_is_tried_again)
{
        struct error err = {};

        compute_fixture_start(&f);
        fake_store_fail("store_service_report", 1, ERR_DB_LOST, "gone away");
        ck_assert_ok(compute_start_periodic(f.m, &err), err);
        ck_assert_ok(green_sleep(15, &err), err);
        ck_assert_uint_eq(fake_store_reports(), 1);
        compute_fixture_stop(&f);
}

GREEN_TEST(the_service_is_disabled_while_the_hypervisor_is_gone)
{
        struct error err = {};

        compute_fixture_start(&f);
        ck_assert_ok(compute_service_ensure(f.m, deadline_in_s(1), &err), err);
        ck_assert_ok(compute_start_periodic(f.m, &err), err);
        ck_assert_ok(green_sleep(3, &err), err);
        virt_fake_set_connected(f.driver, false);
        ck_assert_ok(green_sleep(0.1, &err), err); /* at once, not at the next report */
        ck_assert_int_eq(strncmp(fake_store_journal(), "service AUTO: Connection to libvirt lost: ", 42), 0);
        ck_assert(compute_service(f.m)->disabled);
        virt_fake_set_connected(f.driver, true);
        ck_assert_ok(green_sleep(0.1, &err), err);
        ck_assert_journal("service enabled\n");
        compute_fixture_stop(&f);
}

GREEN_TEST(a_service_that_an_operator_disabled_stays_so)
{
        struct error err = {};

        compute_fixture_start(&f);
        f.conf.enable_new_services = false;
        ck_assert_ok(compute_service_ensure(f.m, deadline_in_s(1), &err), err);
        ck_assert_ok(compute_start_periodic(f.m, &err), err);
        virt_fake_set_connected(f.driver, false);
        ck_assert_ok(green_sleep(15, &err), err);
        virt_fake_set_connected(f.driver, true);
        ck_assert_ok(green_sleep(15, &err), err);
        ck_assert(compute_service(f.m)->disabled);
        ck_assert_journal("");
        compute_fixture_stop(&f);
}

GREEN_TEST(a_database_that_is_away_then_delays_the_disabling)
{
        struct error err = {};

        compute_fixture_start(&f);
        ck_assert_ok(compute_service_ensure(f.m, deadline_in_s(1), &err), err);
        ck_assert_ok(compute_start_periodic(f.m, &err), err);
        ck_assert_ok(green_sleep(1, &err), err);
        fake_store_fail("store_service_follow", 1, ERR_DB_LOST, "gone away");
        virt_fake_set_connected(f.driver, false);
        ck_assert_ok(green_sleep(1, &err), err);
        ck_assert(!compute_service(f.m)->disabled);
        ck_assert_ok(green_sleep(10, &err), err);
        ck_assert(compute_service(f.m)->disabled);
        compute_fixture_stop(&f);
}

GREEN_TEST(periodic_tasks_can_be_off_but_the_report_stays)
{
        struct error err = {};
        unsigned listed;

        compute_fixture_start(&f);
        f.conf.periodic_enable = false;
        listed = virt_fake_calls(f.driver, "list");
        ck_assert_ok(compute_start_periodic(f.m, &err), err);
        ck_assert_ok(green_sleep(4000, &err), err);
        ck_assert_uint_gt(fake_store_reports(), 300);
        ck_assert_uint_eq(virt_fake_calls(f.driver, "list"), listed);
        compute_fixture_stop(&f);
}

GREEN_TEST(the_loop_synchronises_audits_and_cleans_up)
{
        struct error err = {};

        compute_fixture_start(&f);
        compute_fixture_instance(&f, UUID_A, VM_ACTIVE, TASK_NONE, POWER_SHUTDOWN);
        compute_fixture_instance(&f, UUID_B, VM_ACTIVE, TASK_NONE, POWER_RUNNING);
        fake_store_row(UUID_B)->deleted = true;
        ck_assert_ok(compute_start_periodic(f.m, &err), err);
        ck_assert_ok(green_sleep(70, &err), err);
        compute_fixture_settle(&f);
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_STOPPED);
        ck_assert(guest_is(UUID_B, POWER_NOSTATE));
        ck_assert_int_eq(fake_store_node()->running_vms, 1);
        compute_fixture_stop(&f);
}

static void find_idle(const struct periodic_info *info, void *arg)
{
        if (strcmp(info->task, "reclaim_queued_deletes") == 0)
                *(const char **)arg = info->idle ? info->idle : "";
}

GREEN_TEST(intervals_follow_the_settings)
{
        struct error err = {};
        const char *idle = NULL;
        unsigned before;

        compute_fixture_start(&f);
        ck_assert_ok(compute_start_periodic(f.m, &err), err);
        ck_assert_ok(green_sleep(25, &err), err);
        compute_foreach_periodic(f.m, find_idle, &idle);
        ck_assert_str_eq(idle, "reclaim_instance_interval is 0");
        before = fake_store_reports();
        ck_assert_uint_eq(before, 3);
        f.conf.report_interval = 1;
        f.conf.reclaim_instance_interval = 3600;
        compute_follow_settings(f.m);
        ck_assert_ok(green_sleep(20, &err), err);
        ck_assert_uint_ge(fake_store_reports(), before + 20);
        compute_foreach_periodic(f.m, find_idle, &idle);
        ck_assert_str_eq(idle, "");
        compute_fixture_stop(&f);
}

/* ---- running deleted ---- */

static void YIELDS clean_up(const char *action)
{
        struct error err = {};

        f.conf.running_deleted_instance_action = (char *)action;
        ck_assert_ok(tasks_cleanup_running_deleted(f.m, deadline_in_s(60), &err), err);
}

static void YIELDS begin_deleted(void)
{
        compute_fixture_start(&f);
        compute_fixture_instance(&f, UUID_A, VM_ACTIVE, TASK_NONE, POWER_RUNNING);
        compute_fixture_instance(&f, UUID_B, VM_ACTIVE, TASK_NONE, POWER_RUNNING);
        fake_store_row(UUID_A)->deleted_at = clock_wall_s() - 100;
        fake_store_row(UUID_A)->deleted = true;
}

#define UUID_C "30000000-0000-4000-8000-00000000000c"

GREEN_TEST(images_of_this_hosts_rows_stay_in_the_cache)
{
        struct error err = {};

        compute_fixture_start(&f);
        f.conf.image_cache.manager_interval = 100;
        compute_fixture_instance(&f, UUID_A, VM_ACTIVE, TASK_NONE, POWER_RUNNING);
        compute_fixture_instance(&f, UUID_B, VM_STOPPED, TASK_NONE, POWER_SHUTDOWN);
        compute_fixture_instance(&f, UUID_C, VM_ACTIVE, TASK_NONE, POWER_RUNNING);
        replace_str(&fake_store_row(UUID_B)->image_ref, "image-2");
        replace_str(&fake_store_row(UUID_C)->image_ref, ""); /* booted from a volume */
        ck_assert_ok(compute_start_periodic(f.m, &err), err);
        ck_assert_ok(green_sleep(90, &err), err);
        ck_assert_str_eq(fake_files_cache_pass(), "");
        ck_assert_ok(green_sleep(30, &err), err);
        ck_assert_str_eq(fake_files_cache_pass(), "image-1 image-2 ");
        compute_fixture_stop(&f);
}

GREEN_TEST(reap_removes_the_guest_of_a_deleted_instance_only)
{
        begin_deleted();
        clean_up("reap");
        ck_assert(guest_is(UUID_A, POWER_NOSTATE));
        ck_assert(!fake_files_exist(UUID_A));
        ck_assert(guest_is(UUID_B, POWER_RUNNING));
        ck_assert(fake_files_exist(UUID_B));
        ck_assert_journal("");
        compute_fixture_stop(&f);
}

GREEN_TEST(shutdown_powers_it_off_and_keeps_it)
{
        begin_deleted();
        clean_up("shutdown");
        ck_assert(guest_is(UUID_A, POWER_SHUTDOWN));
        ck_assert(fake_files_exist(UUID_A));
        compute_fixture_stop(&f);
}

static unsigned warnings;

static void count_warnings(enum log_level level, const char *line, void *arg)
{
        (void)line;
        (void)arg;
        warnings += level >= LOG_WARNING;
}

static int reap_in_background(void *arg, struct error *err)
{
        assert_green();
        clean_up(arg);
        return 0;
}

/* Guests are listed first, then the rows are read: the deletion that went on meanwhile did it all. */
GREEN_TEST(a_guest_that_its_own_deletion_removes_meanwhile_is_none_of_ours)
{
        static char *const actions[] = { "reap", "shutdown", "log" };

        for (size_t k = 0; k < ARRAY_SIZE(actions); k++) {
                struct error err = {};
                struct named_lock *lock;
                struct green *g;
                unsigned before;

                begin_deleted();
                lock = lockutils_acquire(UUID_A, deadline_in_s(1), &err);
                ck_assert_ptr_nonnull(lock);
                warnings = 0;
                log_set_capture(count_warnings, NULL);
                g = green_spawn_ref(NULL, "reap", reap_in_background, actions[k], &err);
                ck_assert_ok(green_sleep(1, &err), err);
                ck_assert_ok(f.driver->ops->power_off(f.driver, UUID_A, deadline_in_s(1), &err), err);
                ck_assert_ok(f.driver->ops->undefine(f.driver, UUID_A, deadline_in_s(1), &err), err);
                before = virt_fake_calls(f.driver, "undefine") + virt_fake_calls(f.driver, "power_off");
                lockutils_release(lock);
                ck_assert_ok(green_join(g, deadline_in_s(1), NULL, &err), err);
                green_unref(g);
                log_set_capture(NULL, NULL);
                ck_assert_uint_eq(virt_fake_calls(f.driver, "undefine") +
                                          virt_fake_calls(f.driver, "power_off"),
                                  before);
                ck_assert_uint_eq(warnings, 0);
                compute_fixture_stop(&f);
        }
}

GREEN_TEST(log_and_noop_leave_it)
{
        begin_deleted();
        clean_up("log");
        clean_up("noop");
        ck_assert(guest_is(UUID_A, POWER_RUNNING));
        compute_fixture_stop(&f);
}

GREEN_TEST(an_instance_deleted_just_now_has_time)
{
        begin_deleted();
        f.conf.running_deleted_instance_timeout = 200;
        clean_up("reap");
        ck_assert(guest_is(UUID_A, POWER_RUNNING));
        compute_fixture_stop(&f);
}

GREEN_TEST(a_guest_that_resists_does_not_hold_up_the_others)
{
        begin_deleted();
        fake_store_row(UUID_B)->deleted = true;
        virt_fake_fail_next(f.driver, "power_off", NOVA_LIBVIRT_ERROR, "busy");
        clean_up("reap");
        ck_assert(guest_is(UUID_A, POWER_NOSTATE) + guest_is(UUID_B, POWER_NOSTATE) == 1);
        compute_fixture_stop(&f);
}

/* ---- the table ---- */

struct listed {
        const char *name;
        double interval_s, next_in_s;
        char idle[80];
};
static struct listed table[32];
static unsigned n_table;

static void list_task(const struct periodic_info *info, void *arg)
{
        struct listed *t = &table[n_table++];

        (void)arg;
        t->name = info->task;
        t->interval_s = info->interval_s;
        t->next_in_s = info->next_in_s;
        snprintf(t->idle, sizeof(t->idle), "%s", info->idle ? info->idle : "");
}

/* Fills table, leaving out report_state. */
static void YIELDS list_tasks(void)
{
        struct error err = {};

        ck_assert_ok(compute_start_periodic(f.m, &err), err);
        n_table = 0;
        compute_foreach_periodic(f.m, list_task, NULL);
        n_table--;
        memmove(table, table + 1, n_table * sizeof(table[0]));
}

static const struct listed *find_task(const char *name)
{
        for (unsigned k = 0; k < n_table; k++)
                if (strcmp(table[k].name, name) == 0)
                        return &table[k];
        ck_abort_msg("no task %s", name);
}

GREEN_TEST(the_table_has_the_tasks_of_nova_in_their_order)
{
        static const char *const names[] = {
                "check_instance_build_time",
                "sync_scheduler_instance_info",
                "heal_instance_info_cache",
                "poll_rebooting_instances",
                "poll_rescued_instances",
                "poll_unconfirmed_resizes",
                "poll_shelved_instances",
                "instance_usage_audit",
                "poll_volume_usage",
                "sync_power_states",
                "reclaim_queued_deletes",
                "update_available_resource",
                "cleanup_running_deleted_instances",
                "run_pending_deletes",
                "cleanup_incomplete_migrations",
                "cleanup_expired_console_auth_tokens",
        };
        unsigned at = 0;

        compute_fixture_start(&f);
        list_tasks();
        for (size_t n = 0; n < ARRAY_SIZE(names); n++, at++)
                while (ck_assert_msg(at < n_table, "%s is not there, or not in its place", names[n]),
                       strcmp(table[at].name, names[n]) != 0)
                        at++;
        compute_fixture_stop(&f);
}

GREEN_TEST(only_two_run_at_the_first_turn_and_the_others_one_interval_later)
{
        compute_fixture_start(&f);
        f.conf.instance_build_timeout = 100;
        list_tasks();
        for (unsigned k = 0; k < n_table; k++) {
                bool at_once = strcmp(table[k].name, "sync_power_states") == 0 ||
                               strcmp(table[k].name, "cleanup_running_deleted_instances") == 0;

                if (*table[k].idle)
                        ck_assert_double_lt(table[k].next_in_s, 0);
                else
                        ck_assert_double_eq_tol(table[k].next_in_s, at_once ? 0 : table[k].interval_s, 0.01);
        }
        compute_fixture_stop(&f);
}

GREEN_TEST(zero_is_sixty_seconds_and_negative_is_never)
{
        compute_fixture_start(&f);
        f.conf.instance_delete_interval = 0;
        f.conf.sync_power_state_interval = -1;
        list_tasks();
        ck_assert_double_eq(find_task("run_pending_deletes")->interval_s, 60);
        ck_assert_double_gt(find_task("run_pending_deletes")->next_in_s, 0);
        ck_assert_str_eq(find_task("sync_power_states")->idle, "its interval is negative");
        ck_assert_double_lt(find_task("sync_power_states")->next_in_s, 0);
        compute_fixture_stop(&f);
}

GREEN_TEST(no_task_runs_before_the_loops_first_turn)
{
        double first_turn;

        compute_fixture_start(&f);
        f.conf.periodic_fuzzy_delay = 86400; /* any time up to that */
        f.conf.instance_delete_interval = 600;
        list_tasks();
        first_turn = find_task("sync_power_states")->next_in_s;
        ck_assert_double_eq_tol(find_task("run_pending_deletes")->next_in_s,
                                first_turn > 600 ? first_turn : 600, 0.01);
        compute_fixture_stop(&f);
}

GREEN_TEST(what_is_off_says_which_option_did_it)
{
        compute_fixture_start(&f);
        f.conf.running_deleted_instance_action = (char *)"noop";
        list_tasks();
        ck_assert_str_eq(find_task("check_instance_build_time")->idle, "instance_build_timeout is 0");
        ck_assert_str_eq(find_task("reclaim_queued_deletes")->idle, "reclaim_instance_interval is 0");
        ck_assert_str_eq(find_task("cleanup_running_deleted_instances")->idle,
                         "running_deleted_instance_action is noop");
        ck_assert_str_ne(find_task("poll_rescued_instances")->idle, "");
        ck_assert_str_eq(find_task("update_available_resource")->idle, "");
        compute_fixture_stop(&f);
}

/* Each of them in turn hangs in the hypervisor; the cloud goes on hearing of this host. */
GREEN_TEST(whatever_task_hangs_the_report_goes_on)
{
        static const char *const hangs[] = { "list", "power_off", "get_info", "get_host_info" };

        for (size_t h = 0; h < ARRAY_SIZE(hangs); h++) {
                struct error err = {};
                unsigned before;

                compute_fixture_start(&f);
                f.conf.reclaim_instance_interval = 10;
                compute_fixture_instance(&f, UUID_A, VM_SOFT_DELETED, TASK_NONE, POWER_SHUTDOWN);
                compute_fixture_instance(&f, UUID_B, VM_ACTIVE, TASK_NONE, POWER_NOSTATE);
                fake_store_row(UUID_B)->deleted = true;
                ck_assert_ok(compute_start_periodic(f.m, &err), err);
                ck_assert_ok(green_sleep(45, &err), err);
                virt_fake_hang_next(f.driver, hangs[h]);
                before = fake_store_reports();
                ck_assert_ok(green_sleep(600, &err), err);
                ck_assert_msg(fake_store_reports() == before + 60, "%s hangs: %u reports", hangs[h],
                              fake_store_reports() - before);
                compute_fixture_stop(&f);
        }
}

GREEN_TEST(expired_console_tokens_are_removed)
{
        struct error err = {};

        compute_fixture_start(&f);
        ck_assert_ok(compute_start_periodic(f.m, &err), err);
        ck_assert_ok(green_sleep(299, &err), err);
        ck_assert_ptr_null(strstr(fake_store_journal(), "expired"));
        ck_assert_ok(green_sleep(20, &err), err);
        ck_assert_ptr_nonnull(strstr(fake_store_journal(), "expired"));
        compute_fixture_stop(&f);
}

/* ---- builds that take too long ---- */

GREEN_TEST(a_build_that_takes_too_long_is_called_an_error)
{
        struct error err = {};

        compute_fixture_start(&f);
        f.conf.instance_build_timeout = 600;
        fake_store_add(UUID_A, VM_BUILDING, TASK_SPAWNING)->created_at = clock_wall_s() - 601;
        fake_store_add(UUID_B, VM_BUILDING, TASK_SPAWNING)->created_at = clock_wall_s() - 10;
        replace_str(&fake_store_row(UUID_A)->host, "host-1");
        replace_str(&fake_store_row(UUID_B)->host, "host-1");
        ck_assert_ok(tasks_check_build_time(f.m, deadline_in_s(10), &err), err);
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_ERROR);
        ck_assert_int_eq(fake_store_row(UUID_B)->vm_state, VM_BUILDING);
        compute_fixture_stop(&f);
}

/* ---- console ---- */

START_TEST(console_bytes_become_text)
{
        char *text = console_to_text("a\xc3\xa4\0b\x1b[0m\r\n", 11);

        ck_assert_str_eq(text, "a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
                               "b\x1b[0m\r\n");
        free(text);
}
END_TEST

START_TEST(the_tail_counts_pieces_between_newlines)
{
        static const struct {
                const char *text;
                int64_t n;
                const char *tail;
        } cases[] = {
                { "a\nb\nc\n", COMPUTE_TAIL_ALL, "a\nb\nc\n" },
                { "a\nb\nc\n", 0, "" },
                { "a\nb\nc\n", 1, "" }, /* the piece after the last newline is empty */
                { "a\nb\nc\n", 2, "c\n" },
                { "a\nb\nc\n", 3, "b\nc\n" },
                { "a\nb\nc", 1, "c" },
                { "a\nb\nc", 2, "b\nc" },
                { "a\nb\nc", 3, "a\nb\nc" },
                { "a\nb\nc", 99, "a\nb\nc" },
                { "", 5, "" },
                { "\n\n", 2, "\n" },
        };

        for (size_t c = 0; c < ARRAY_SIZE(cases); c++)
                ck_assert_msg(strcmp(console_tail(cases[c].text, cases[c].n), cases[c].tail) == 0, "case %zu",
                              c);
}
END_TEST

GREEN_TEST(console_output_is_read_from_the_guests_log)
{
        struct compute_call c;
        struct error err = {};
        char *text = NULL;

        compute_fixture_start(&f);
        compute_fixture_instance(&f, UUID_A, VM_STOPPED, TASK_POWERING_ON, POWER_SHUTDOWN);
        c = compute_fixture_call(&f, UUID_A);
        ck_assert_ok(compute_start(f.m, &c, &err), err);
        fake_store_journal();
        fake_files_set_console("one\ntwo\n", 8);
        ck_assert_ok(compute_console_output(f.m, &c, 2, &text, &err), err);
        ck_assert_str_eq(text, "two\n");
        free(text);
        ck_assert_journal("");
        fake_files_fail_next("console_read", ERR_SYSTEM, "I/O error");
        ck_assert_fails(compute_console_output(f.m, &c, 2, &text, &err), err, ERR_SYSTEM);
        ck_assert_journal("fault 500 OSError\n");
        compute_fixture_stop(&f);
}

GREEN_TEST(a_guest_without_a_console_says_so)
{
        struct compute_call c;
        struct error err = {};
        char *text;

        compute_fixture_start(&f);
        compute_fixture_instance(&f, UUID_A, VM_ACTIVE, TASK_NONE, POWER_RUNNING);
        c = compute_fixture_call(&f, UUID_A);
        ck_assert_fails(compute_console_output(f.m, &c, 2, &text, &err), err, NOVA_CONSOLE_NOT_AVAILABLE);
        c = compute_fixture_call(&f, UUID_B);
        ck_assert_fails(compute_console_output(f.m, &c, 2, &text, &err), err, NOVA_INSTANCE_NOT_FOUND);
        ck_assert_ptr_null(strstr(fake_store_journal(), "could not be found"));
        compute_fixture_stop(&f);
}

/* ---- uptime ---- */

START_TEST(uptime_reads_like_the_command)
{
        static const struct {
                int64_t up_s;
                unsigned users;
                const char *line;
        } cases[] = {
                { 53 * 60 + 7, 0, " 08:46:00 up 53 min,  0 user,  load average: 3.65, 3.51, 2.72\n" },
                { 3600, 1, " 08:46:00 up  1:00,  1 user,  load average: 3.65, 3.51, 2.72\n" },
                { 86400 + 120, 2, " 08:46:00 up 1 day, 2 min,  2 users,  load average: 3.65, 3.51, 2.72\n" },
                { 86400 * 12 + 3600 * 13, 11,
                  " 08:46:00 up 12 days, 13:00, 11 users,  load average: 3.65, 3.51, 2.72\n" },
        };
        const struct tm at = { .tm_hour = 8, .tm_min = 46 };
        const double load[3] = { 3.65, 3.51, 2.72 };

        for (size_t c = 0; c < ARRAY_SIZE(cases); c++) {
                char *line = uptime_line(&at, cases[c].up_s, cases[c].users, load);

                ck_assert_str_eq(line, cases[c].line);
                free(line);
        }
}
END_TEST

GREEN_TEST_REAL(uptime_of_this_machine)
{
        struct error err = {};
        char *line = NULL;

        ck_assert_ok(compute_host_uptime(NULL, &line, &err), err);
        ck_assert_ptr_nonnull(strstr(line, " up "));
        ck_assert_ptr_nonnull(strstr(line, " user"));
        ck_assert_ptr_nonnull(strstr(line, ",  load average: "));
        free(line);
}

GREEN_SUITE("compute-tasks", report_state_begins_at_once_and_is_never_behind_other_work,
            a_failed_report_is_tried_again, intervals_follow_the_settings,
            the_service_is_disabled_while_the_hypervisor_is_gone,
            a_service_that_an_operator_disabled_stays_so, a_database_that_is_away_then_delays_the_disabling,
            periodic_tasks_can_be_off_but_the_report_stays, the_loop_synchronises_audits_and_cleans_up,
            images_of_this_hosts_rows_stay_in_the_cache, reap_removes_the_guest_of_a_deleted_instance_only,
            shutdown_powers_it_off_and_keeps_it,
            a_guest_that_its_own_deletion_removes_meanwhile_is_none_of_ours, log_and_noop_leave_it,
            an_instance_deleted_just_now_has_time, a_guest_that_resists_does_not_hold_up_the_others,
            a_build_that_takes_too_long_is_called_an_error, the_table_has_the_tasks_of_nova_in_their_order,
            only_two_run_at_the_first_turn_and_the_others_one_interval_later,
            zero_is_sixty_seconds_and_negative_is_never, no_task_runs_before_the_loops_first_turn,
            what_is_off_says_which_option_did_it, whatever_task_hangs_the_report_goes_on,
            expired_console_tokens_are_removed, console_bytes_become_text,
            the_tail_counts_pieces_between_newlines, console_output_is_read_from_the_guests_log,
            a_guest_without_a_console_says_so, uptime_reads_like_the_command, uptime_of_this_machine)
