/* tests/unit/agent/test_admin.c: status, health, and what changes something, as compute-agentctl is told. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "admin_world.h"
#include "base/log.h"
#include "admin/access.h"

/* ---- what is told ---- */

GREEN_TEST_REAL(status_tells_of_the_whole)
{
        struct jval CLEANUP(jval_unrefp) *s = NULL;

        start();
        beat(3);
        s = ask("status");
        ck_assert_str_eq(jval_get_text(s, "version", ""), AGENT_VERSION);
        ck_assert_str_eq(jval_get_text(s, "host", ""), "node-1");
        ck_assert_int_eq(jval_get_int(s, "pid", 0), getpid());
        ck_assert(jval_get_bool(s, "started", false) && !jval_get_bool(s, "draining", true));
        ck_assert(jval_get_bool(s, "hypervisor_ok", false));
        ck_assert(!jval_get_bool(s, "database_ok", true));
        ck_assert(jval_get_bool(s, "transport_ok", false));
        ck_assert_int_eq(jval_get_int(s, "running_rpc", 0), 1); /* this very call */
        ck_assert_double_ge(jval_real(jval_get(s, "heartbeat_age_s"), -1), 3);
        ck_assert(jval_is_null(jval_get(s, "instances_total"))); /* no database: not known, and no error */
        ck_assert_uint_eq(jval_len(jval_get(s, "running")), 0);
        finish();
}

GREEN_TEST_REAL(status_tells_what_the_manager_does)
{
        struct jval CLEANUP(jval_unrefp) *s = NULL;

        start();
        w.sources.manager = (struct compute_manager *)&w; /* only handed through */
        s = ask("status");
        ck_assert_str_eq(text_at(jval_get(s, "running"), 0, "doing"), "spawning");
        ck_assert_int_eq(jval_get_int(s, "builds_failed", 0), 1);
        ck_assert_double_eq(jval_real(jval_get(s, "last_report_age_s"), 0), 61);
        finish();
}

GREEN_TEST_REAL(status_tells_what_the_cloud_and_the_scheduler_see)
{
        struct jval CLEANUP(jval_unrefp) *s = NULL;

        start();
        s = ask("status");
        ck_assert(jval_is_null(jval_get(s, "service"))); /* no manager yet: not known, and no error */
        ck_assert(jval_is_null(jval_get(s, "resources")));
        ck_assert(jval_is_null(jval_get(s, "last_audit_age_s")));
        ck_assert_int_gt(jval_get_int(jval_get(s, "hub"), "switches", 0), 0);
        jval_unref(s);
        w.sources.manager = (struct compute_manager *)&w;
        s = ask("status");
        ck_assert(jval_is_null(jval_get(s, "service"))); /* not registered yet */
        ck_assert_str_eq(jval_get_text(s, "node", ""), "node-1.example");
        ck_assert_int_eq(jval_get_int(jval_get(jval_get(s, "resources"), "vcpus"), "used", 0), 3);
        ck_assert_int_eq(jval_get_int(jval_get(jval_get(s, "resources"), "vcpus"), "total", 0), 8);
        ck_assert_double_eq(jval_real(jval_get(s, "last_audit_age_s"), 0), 12);
        jval_unref(s);
        w.service_row = (struct service_row){ .id = 1, .disabled_reason = (char *)"old" };
        s = ask("status");
        ck_assert(!jval_get_bool(jval_get(s, "service"), "disabled", true));
        ck_assert(jval_is_null(jval_get(jval_get(s, "service"), "disabled_reason")));
        jval_unref(s);
        w.service_row.disabled = true;
        s = ask("status");
        ck_assert_str_eq(jval_get_text(jval_get(s, "service"), "disabled_reason", ""), "old");
        finish();
}

/* ---- health ---- */

static void YIELDS expect_health(const char *verdict, const char *check, const char *of_check)
{
        struct jval CLEANUP(jval_unrefp) *h = ask("health");
        const struct jval *one = jval_get(jval_get(h, "checks"), check);

        ck_assert_msg(strcmp(jval_get_text(h, "status", ""), verdict) == 0, "%s",
                      jval_get_text(h, "status", ""));
        ck_assert_str_eq(jval_get_text(one, "status", "(none)"), of_check);
        ck_assert(!one || strlen(jval_get_text(one, "output", "")) > 0);
}

static int takes_nothing(const struct log_record *r)
{
        (void)r;
        return -1;
}

GREEN_TEST_REAL(lines_of_the_log_that_were_dropped_lately_warn)
{
        const struct log_options opt = { .level = LOG_INFO, .sink = takes_nothing };
        struct error err;

        start();
        beat(0);
        expect_health("warn", "log", "pass");
        ck_assert_ok(log_start(&opt, &err), err);
        log_info("nobody will read this");
        log_stop();
        expect_health("warn", "log", "warn");
        expect_health("warn", "log", "warn"); /* also without another one */
        finish();
}

GREEN_TEST_REAL(what_others_have_to_mend_warns_and_never_fails)
{
        start();
        beat(0);
        expect_health("warn", "database", "warn");
        expect_health("warn", "hypervisor", "pass");
        virt_fake_set_connected(w.sources.driver, false);
        expect_health("warn", "hypervisor", "warn");
        virt_fake_set_connected(w.sources.driver, true);
        virt_fake_lack(w.sources.driver, "kvm");
        expect_health("warn", "hypervisor", "warn");
        virt_fake_lack(w.sources.driver, NULL);
        expect_health("warn", "hypervisor", "pass");
        expect_health("warn", "message_bus", "pass");
        expect_health("warn", "hub", "pass");
        expect_health("warn", "workers", "pass");
        expect_health("warn", "service", "pass");
        expect_health("warn", "report_state", "warn"); /* there is no manager */
        w.sources.manager = (struct compute_manager *)&w;
        expect_health("warn", "report_state", "warn");
        w.conf.service_down_time = 62;
        expect_health("warn", "report_state", "pass");
        w.sources.draining = true;
        expect_health("warn", "service", "warn");
        finish();
}

static double YIELDS hypervisor_since(void)
{
        struct jval CLEANUP(jval_unrefp) *h = ask("health");

        return jval_real(jval_get(jval_get(jval_get(h, "checks"), "hypervisor"), "since_s"), -1);
}

GREEN_TEST_REAL(a_check_tells_since_when_it_is_as_it_is)
{
        struct error err;
        double well, ill;

        start();
        ck_assert_double_ge(hypervisor_since(), 0);
        ck_assert_ok(green_sleep(0.02, &err), err);
        well = hypervisor_since();
        ck_assert_double_ge(well, 0.02);
        virt_fake_set_connected(w.sources.driver, false);
        ill = hypervisor_since();
        ck_assert_double_lt(ill, well); /* it began just now */
        ck_assert_ok(green_sleep(0.02, &err), err);
        ck_assert_double_ge(hypervisor_since(), 0.02);
        finish();
}

static void YIELDS expect_missing(double after_s, const char *names)
{
        CLEANUP(freep) char *missing = NULL;
        struct error err;

        free(admin_health_missing(&w.sources)); /* from now on it counts */
        ck_assert_ok(green_sleep(after_s, &err), err);
        missing = admin_health_missing(&w.sources);
        ck_assert_str_eq(missing ? missing : "(none)", names);
}

GREEN_TEST(who_is_away_for_some_seconds_is_missing)
{
        struct error err;

        w.sources.conf = &w.conf;
        w.sources.driver = virt_fake_new();
        ck_assert_ok(w.sources.driver->ops->start(w.sources.driver, &err), err);
        expect_missing(1, "(none)");
        expect_missing(9, "database, message_bus"); /* neither was started */
        virt_fake_lack(w.sources.driver, "kvm");
        expect_missing(9, "database, message_bus"); /* it warns, but is there */
        virt_fake_lack(w.sources.driver, NULL);
        expect_missing(1, "database, message_bus");
        virt_fake_set_connected(w.sources.driver, false);
        expect_missing(9, "database, message_bus, hypervisor");
        virt_fake_set_connected(w.sources.driver, true);
        expect_missing(0, "database, message_bus");
        w.sources.driver->ops->stop(w.sources.driver);
}

GREEN_TEST_REAL(a_late_heartbeat_fails)
{
        start();
        beat(32);
        expect_health("fail", "heartbeat", "fail");
        beat(30);
        expect_health("warn", "heartbeat", "pass");
        beat(-100); /* the clock was put back */
        expect_health("warn", "heartbeat", "pass");
        finish();
}

GREEN_TEST_REAL(stalls_are_counted_and_do_not_fail)
{
        struct jval CLEANUP(jval_unrefp) *h = NULL;
        const struct jval *hub;

        start();
        w.sources.watcher = (struct stall_watcher *)&w; /* only handed through */
        h = ask("health");
        hub = jval_get(jval_get(h, "checks"), "hub");
        ck_assert_int_eq(jval_get_int(hub, "observedValue", 0), 7);
        ck_assert_str_eq(jval_get_text(hub, "observedUnit", ""), "stalls");
        ck_assert_str_eq(jval_get_text(hub, "status", ""), "pass");
        finish();
}

GREEN_TEST_REAL(a_missing_heartbeat_file_warns)
{
        start();
        expect_health("warn", "heartbeat", "warn"); /* somebody may just have deleted it */
        w.conf.heartbeat_file_path[0] = '\0';       /* there is to be none */
        expect_health("warn", "heartbeat", "(none)");
        snprintf(w.conf.heartbeat_file_path, strlen(w.dir) + 1, "%s", w.dir);
        finish();
}

GREEN_TEST_REAL(placement_and_a_rival_warn_where_there_are_any)
{
        start();
        beat(0);
        w.sources.manager = (struct compute_manager *)&w;
        expect_health("warn", "placement", "(none)");
        expect_health("warn", "host_name", "(none)");
        w.has_placement = true;
        expect_health("warn", "placement", "warn"); /* nothing was told yet */
        w.placement = (struct compute_placement_state){ .known = true, .text = "no such user" };
        expect_health("warn", "placement", "warn");
        w.placement.ok = true;
        expect_health("warn", "placement", "pass");
        w.rival_age = 5;
        expect_health("warn", "host_name", "warn");
        w.rival_age = 600;
        expect_health("warn", "host_name", "(none)");
        finish();
}

GREEN_TEST_REAL(an_audit_that_failed_or_is_overdue_warns)
{
        start();
        beat(0);
        w.sources.manager = (struct compute_manager *)&w;
        w.audit.age_s = -1;
        expect_health("warn", "resource_audit", "warn"); /* none yet */
        w.audit = (struct compute_audit_state){ .known = true, .ok = true, .age_s = 240 };
        expect_health("warn", "resource_audit", "pass"); /* three times a minute, and one for itself */
        w.audit.age_s = 241;
        expect_health("warn", "resource_audit", "warn");
        w.conf.update_resources_interval = 600;
        expect_health("warn", "resource_audit", "pass");
        w.conf.update_resources_interval = -1;
        w.audit.age_s = 1e6;
        expect_health("warn", "resource_audit", "pass"); /* nobody wants another one */
        w.audit.ok = false;
        expect_health("warn", "resource_audit", "warn");
        finish();
}

GREEN_TEST_REAL(an_image_service_warns_after_a_request_without_answer)
{
        start();
        beat(0);
        expect_health("warn", "image_service", "(none)"); /* images come from a folder */
        replace_str(&w.conf.images.source, "glance");
        expect_health("warn", "image_service", "pass"); /* nothing was asked yet */
        w.http = (struct http_service_stats){ .service = "glance", .last_error = "connection refused" };
        expect_health("warn", "image_service", "warn");
        w.http.answers = true;
        expect_health("warn", "image_service", "pass");
        finish();
}

GREEN_TEST_REAL(a_service_that_somebody_disabled_is_told_and_passes)
{
        struct jval CLEANUP(jval_unrefp) *h = NULL;
        const char *output;

        start();
        beat(0);
        w.sources.manager = (struct compute_manager *)&w;
        w.service_row = (struct service_row){ .disabled = true, .disabled_reason = (char *)"new disks" };
        expect_health("warn", "service", "pass");
        h = ask("health");
        output = jval_get_text(jval_get(jval_get(h, "checks"), "service"), "output", "");
        ck_assert_str_eq(output, "serving; disabled, no new instances come: new disks");
        w.sources.draining = true;
        expect_health("warn", "service", "warn");
        finish();
}

static void YIELDS expect_placement(const char *text, bool ok)
{
        struct jval CLEANUP(jval_unrefp) *s = ask("status");

        ck_assert_pstr_eq(jval_get_text(s, "placement", NULL), text);
        ck_assert_int_eq(jval_get_bool(s, "placement_ok", !ok), ok);
}

GREEN_TEST_REAL(status_tells_of_placement_where_there_is_one)
{
        start();
        expect_placement(NULL, false); /* no manager yet */
        w.sources.manager = (struct compute_manager *)&w;
        expect_placement(NULL, false);
        w.has_placement = true;
        expect_placement("nothing was told yet", false);
        w.placement = (struct compute_placement_state){ .known = true, .text = "no such user" };
        expect_placement("no such user", false);
        w.placement.ok = true;
        expect_placement("no such user", true);
        finish();
}

/* ---- changing something ---- */

GREEN_TEST_REAL(the_log_level_is_told_and_set)
{
        struct jval CLEANUP(jval_unrefp) *answer = NULL;
        struct error err = {};

        start();
        log_set_level(LOG_INFO);
        answer = ask("log-level");
        ck_assert_str_eq(jval_get_text(answer, "level", ""), log_level_name(LOG_INFO));
        jval_unref(take_ptr(&answer));
        ck_assert_ok(call("log-level", "{\"level\":\"error\"}", &answer, &err), err);
        ck_assert_int_eq(log_get_level(), LOG_ERROR);
        jval_unref(take_ptr(&answer));
        ck_assert_fails(call("log-level", "{\"level\":\"loud\"}", &answer, &err), err, ERR_APP);
        ck_assert_str_eq(err.text,
                         "TypeError: level: \"loud\" is none of debug, info, warning, error, critical");
        ck_assert_fails(call("log-level", "{\"level\":7}", &answer, &err), err, ERR_APP);
        ck_assert_str_eq(err.text, "TypeError: level: expected text, got integer");
        ck_assert_fails(call("log-level", "{\"volume\":7}", &answer, &err), err, ERR_APP);
        ck_assert_int_eq(log_get_level(), LOG_ERROR);
        finish();
}

static unsigned reports;

static int count_report(const struct admin_sources *from, char **ret_path, char **ret_text, struct error *err)
{
        (void)from, (void)err;
        if (ret_text)
                *ret_text = xstrdup("all there is to know");
        else if (reports++)
                *ret_path = xstrdup("/var/log/report");
        return 0;
}

static struct jval *YIELDS log_level(const char *args)
{
        struct jval *answer = NULL;
        struct error err = {};

        ck_assert_ok(call("log-level", args, &answer, &err), err);
        return answer;
}

GREEN_TEST_REAL(a_module_has_a_level_of_its_own_until_it_is_reset)
{
        struct jval CLEANUP(jval_unrefp) *set = NULL, *all = NULL, *reset = NULL;
        struct error err;

        start();
        log_set_level(LOG_CRITICAL);
        set = log_level("{\"level\":\"debug\",\"module\":\"compute.build\"}");
        ck_assert_str_eq(jval_get_text(set, "level", ""), "DEBUG");
        ck_assert_str_eq(jval_get_text(set, "module", ""), "compute.build");
        all = log_level("{}");
        ck_assert_str_eq(jval_get_text(all, "level", ""), "CRITICAL");
        ck_assert_str_eq(text_at(jval_get(all, "modules"), 0, "module"), "compute.build");
        ck_assert_str_eq(text_at(jval_get(all, "modules"), 0, "level"), "DEBUG");
        reset = log_level("{\"reset\":true,\"module\":\"compute.build\"}");
        ck_assert_str_eq(jval_get_text(reset, "level", ""), "CRITICAL");
        ck_assert_uint_eq(jval_len(jval_get(reset, "modules")), 0);
        ck_assert_fails(call("log-level", "{\"level\":\"debug\",\"module\":\"no such\"}", &set, &err), err,
                        ERR_APP);
        ck_assert_str_eq(err.text, "TypeError: \"no such\" is no name of a module, like compute.build");
        ck_assert_fails(call("log-level", "{\"level\":\"debug\",\"seconds\":86401}", &set, &err), err,
                        ERR_APP);
        ck_assert_str_eq(err.text, "TypeError: seconds: 86401 is not from 0 to 86400, a day");
        finish();
}

GREEN_TEST_REAL(a_level_for_a_while_goes_back_to_what_was_before_the_first)
{
        struct jval CLEANUP(jval_unrefp) *one = NULL, *two = NULL, *three = NULL;
        struct error err = {};

        start();
        log_set_level(LOG_CRITICAL);
        one = log_level("{\"level\":\"error\",\"seconds\":100}");
        ck_assert_double_gt(jval_real(jval_get(one, "back_in_s"), 0), 90);
        two = log_level("{\"level\":\"warning\",\"seconds\":1}");
        ck_assert_double_le(jval_real(jval_get(two, "back_in_s"), 0), 1);
        while (log_get_level() == LOG_WARNING)
                ck_assert_ok(green_sleep(0.05, &err), err);
        ck_assert_int_eq(log_get_level(), LOG_CRITICAL);
        three = log_level("{}");
        ck_assert(jval_is_null(jval_get(three, "back_in_s")));
        finish();
}

static bool YIELDS goes_back(void)
{
        struct jval CLEANUP(jval_unrefp) *now = log_level("{}");

        return !jval_is_null(jval_get(now, "back_in_s"));
}

static void YIELDS wait_until_the_time_is_over(void)
{
        struct error err = {};

        while (goes_back())
                ck_assert_ok(green_sleep(0.05, &err), err);
}

GREEN_TEST_REAL(a_level_that_somebody_sets_meanwhile_stays)
{
        struct jval CLEANUP(jval_unrefp) *one = NULL;

        start();
        log_set_level(LOG_CRITICAL);
        one = log_level("{\"level\":\"error\",\"seconds\":1}");
        log_set_level(LOG_WARNING); /* as a reload does */
        wait_until_the_time_is_over();
        ck_assert_int_eq(log_get_level(), LOG_WARNING);
        finish();
}

GREEN_TEST_REAL(a_level_for_a_while_goes_back_to_what_a_reload_set)
{
        struct jval CLEANUP(jval_unrefp) *one = NULL, *two = NULL;

        start();
        log_set_level(LOG_CRITICAL);
        one = log_level("{\"level\":\"error\",\"seconds\":100}");
        log_set_level(LOG_WARNING);
        two = log_level("{\"level\":\"error\",\"seconds\":1}");
        wait_until_the_time_is_over();
        ck_assert_int_eq(log_get_level(), LOG_WARNING);
        finish();
}

GREEN_TEST_REAL(levels_can_be_reset_to_what_is_configured)
{
        struct jval CLEANUP(jval_unrefp) *one = NULL, *two = NULL, *three = NULL;
        struct error err;

        start();
        replace_str(&w.conf.log_level, "critical");
        replace_str(&w.conf.default_log_levels, "virt=ERROR");
        one = log_level("{\"level\":\"error\",\"seconds\":100}");
        two = log_level("{\"reset\":true}");
        ck_assert_str_eq(jval_get_text(two, "level", ""), "CRITICAL");
        ck_assert_str_eq(text_at(jval_get(two, "modules"), 0, "module"), "virt");
        ck_assert(jval_is_null(jval_get(two, "back_in_s")));
        ck_assert_fails(call("log-level", "{\"reset\":true,\"level\":\"info\"}", &two, &err), err, ERR_APP);
        w.sources.log_level = "ERROR";
        three = log_level("{\"reset\":true}");
        ck_assert_str_eq(jval_get_text(three, "level", ""), "ERROR");
        finish();
}

GREEN_TEST_REAL(a_module_can_be_reset_to_what_is_configured_for_it)
{
        struct jval CLEANUP(jval_unrefp) *one = NULL, *two = NULL;

        start();
        replace_str(&w.conf.default_log_levels, "virt=ERROR");
        one = log_level("{\"level\":\"critical\",\"module\":\"virt\"}");
        ck_assert_str_eq(jval_get_text(one, "level", ""), "CRITICAL");
        two = log_level("{\"reset\":true,\"module\":\"virt\"}");
        ck_assert_str_eq(jval_get_text(two, "level", ""), "ERROR");
        finish();
}

GREEN_TEST_REAL(an_agent_that_does_not_serve_cannot_be_drained)
{
        struct jval CLEANUP(jval_unrefp) *answer = NULL;
        struct error err;

        start();
        w.sources.ready = false;
        ck_assert_fails(call("drain", "{}", &answer, &err), err, ERR_APP);
        ck_assert_msg(strstr(err.text, "still starting") != NULL, "%s", err.text);
        w.sources.draining = true;
        ck_assert_fails(call("undrain", "{}", &answer, &err), err, ERR_APP);
        ck_assert_msg(strstr(err.text, "being stopped") != NULL, "%s", err.text);
        finish();
}

GREEN_TEST_REAL(a_resync_is_begun_and_told_of)
{
        struct jval CLEANUP(jval_unrefp) *begun = NULL, *now = NULL;
        struct error err = {};

        start();
        w.sources.manager = (struct compute_manager *)&w; /* only handed through */
        now = ask("resync-state");
        ck_assert(jval_is_null(jval_get(now, "id")));
        jval_unref(take_ptr(&now));
        ck_assert_ok(call("resync", "{\"uuid\":\"4F1C2E6A-0000-4000-8000-00000000000A\"}", &begun, &err),
                     err);
        ck_assert_int_eq(jval_get_int(begun, "id", 0), 1);
        ck_assert_str_eq(jval_get_text(begun, "uuid", ""), UUID_A);
        ck_assert_int_eq(jval_get_int(begun, "uid", -1), geteuid());
        ck_assert(jval_get_bool(begun, "running", false) && jval_get_bool(begun, "ok", false));
        ck_assert_str_eq(text_at(jval_get(begun, "steps"), 0, "state"), "running");
        ck_assert_str_eq(text_at(jval_get(begun, "steps"), 0, "text"), "3 of 7");
        ck_assert_str_eq(text_at(jval_get(begun, "steps"), 1, "state"), "waiting");
        ck_assert_fails(call("resync", "{}", &now, &err), err, ERR_APP);
        ck_assert_msg(strstr(err.text, "under way") != NULL, "%s", err.text);
        w.resync.running = false;
        w.resync.steps[1].state = RESYNC_FAILED;
        now = ask("resync-state");
        ck_assert(!jval_get_bool(now, "running", true) && !jval_get_bool(now, "ok", true));
        ck_assert_str_eq(text_at(jval_get(now, "steps"), 1, "state"), "failed");
        finish();
}

GREEN_TEST_REAL(a_resync_is_refused_for_what_is_no_uuid_and_before_the_agent_serves)
{
        struct jval CLEANUP(jval_unrefp) *answer = NULL;
        struct error err;

        start();
        w.sources.manager = (struct compute_manager *)&w;
        ck_assert_fails(call("resync", "{\"uuid\":\"web\"}", &answer, &err), err, ERR_APP);
        ck_assert_str_eq(err.text, "TypeError: uuid: \"web\" is none");
        w.sources.ready = false;
        ck_assert_fails(call("resync", "{}", &answer, &err), err, ERR_APP);
        ck_assert_msg(strstr(err.text, "still starting") != NULL, "%s", err.text);
        ck_assert_uint_eq(w.resync.id, 0);
        finish();
}

GREEN_TEST_REAL(the_report_is_written_where_there_is_one)
{
        struct jval CLEANUP(jval_unrefp) *answer = NULL;
        struct error err = {};

        start();
        ck_assert_fails(call("report", "{}", &answer, &err), err, ERR_APP);
        ck_assert_msg(strstr(err.text, "SIGUSR2") != NULL, "%s", err.text);
        w.sources.write_report = count_report;
        w.sources.stderr_is_journal = true;
        answer = ask("report");
        ck_assert_uint_eq(reports, 1);
        ck_assert_str_eq(jval_get_text(answer, "written_to", ""), "standard error");
        ck_assert(jval_get_bool(answer, "journal", false));
        jval_unref(answer);
        answer = ask("report");
        ck_assert_str_eq(jval_get_text(answer, "written_to", ""), "/var/log/report");
        ck_assert(!jval_get_bool(answer, "journal", true));
        jval_unref(take_ptr(&answer));
        ck_assert_ok(call("report", "{\"text\":true}", &answer, &err), err);
        ck_assert_str_eq(jval_get_text(answer, "text", ""), "all there is to know");
        ck_assert(!jval_get(answer, "written_to"));
        finish();
}

/* ---- who may ---- */

static int as(unsigned uid, bool in_group, const char *ns, const char *method, const char *readers,
              struct error *err)
{
        const struct rpc_request request = { .method = (char *)method, .ns = (char *)ns };
        const struct rpc_method elsewhere = { .name = method }, *m = admin_methods;
        struct rpc_call c = { .request = &request, .peer_uid = uid, .peer_in_group = in_group };

        while (ns && m->name && strcmp(m->name, method) != 0)
                m++;
        ck_assert(m->name != NULL);
        c.method = ns ? m : &elsewhere;
        return access_check(&c, readers, err);
}

static const char *const looks[] = { "status", "instances", "threads",     "pools",
                                     "locks",  "jobs",      "top",         "tasks",
                                     "health", "log-level", "drain-state", "resync-state" };
static const char *const changes[] = { "drain", "undrain", "report", "resync" };

START_TEST(root_and_the_agents_user_may_all)
{
        struct error err = {};

        for (size_t i = 0; i < ARRAY_SIZE(looks); i++)
                ck_assert_ok(as(geteuid(), false, "admin", looks[i], "readers", &err), err);
        for (size_t i = 0; i < ARRAY_SIZE(changes); i++)
                ck_assert_ok(as(0, false, "admin", changes[i], "", &err), err);
        ck_assert_ok(as(0, false, NULL, "terminate_instance", "", &err), err);
}
END_TEST

START_TEST(readers_may_look_and_no_more)
{
        struct error err = {};

        for (size_t i = 0; i < ARRAY_SIZE(looks); i++) {
                ck_assert_ok(as(12345, true, "admin", looks[i], "readers", &err), err);
                ck_assert_fails(as(12345, true, "admin", looks[i], "", &err), err, ERR_DENIED);
                ck_assert_fails(as(12345, false, "admin", looks[i], "readers", &err), err, ERR_DENIED);
                ck_assert_msg(strstr(err.text, "members of group readers") != NULL, "%s", err.text);
        }
        for (size_t i = 0; i < ARRAY_SIZE(changes); i++)
                ck_assert_fails(as(12345, true, "admin", changes[i], "readers", &err), err, ERR_DENIED);
        ck_assert_fails(as(12345, true, NULL, "get_host_uptime", "readers", &err), err, ERR_DENIED);
        ck_assert_fails(as(12345, true, "baseapi", "status", "readers", &err), err, ERR_DENIED);
        ck_assert_msg(strstr(err.text, "root and the agent's own user") != NULL, "%s", err.text);
}
END_TEST

START_TEST(the_message_bus_has_all_but_the_admin_methods)
{
        struct error err = {};

        ck_assert_ok(as((unsigned)-1, false, NULL, "terminate_instance", "readers", &err), err);
        ck_assert_fails(as((unsigned)-1, false, "admin", "status", "readers", &err), err, ERR_DENIED);
        ck_assert_msg(strstr(err.text, "local socket only") != NULL, "%s", err.text);
}
END_TEST

GREEN_SUITE("admin", status_tells_of_the_whole, status_tells_what_the_manager_does,
            lines_of_the_log_that_were_dropped_lately_warn, status_tells_what_the_cloud_and_the_scheduler_see,
            what_others_have_to_mend_warns_and_never_fails, placement_and_a_rival_warn_where_there_are_any,
            an_audit_that_failed_or_is_overdue_warns, an_image_service_warns_after_a_request_without_answer,
            a_service_that_somebody_disabled_is_told_and_passes, status_tells_of_placement_where_there_is_one,
            a_late_heartbeat_fails, a_check_tells_since_when_it_is_as_it_is,
            who_is_away_for_some_seconds_is_missing, stalls_are_counted_and_do_not_fail,
            a_missing_heartbeat_file_warns, the_log_level_is_told_and_set,
            a_module_has_a_level_of_its_own_until_it_is_reset,
            a_level_for_a_while_goes_back_to_what_was_before_the_first,
            a_level_that_somebody_sets_meanwhile_stays, a_level_for_a_while_goes_back_to_what_a_reload_set,
            levels_can_be_reset_to_what_is_configured, a_module_can_be_reset_to_what_is_configured_for_it,
            an_agent_that_does_not_serve_cannot_be_drained, a_resync_is_begun_and_told_of,
            a_resync_is_refused_for_what_is_no_uuid_and_before_the_agent_serves,
            the_report_is_written_where_there_is_one, root_and_the_agents_user_may_all,
            readers_may_look_and_no_more, the_message_bus_has_all_but_the_admin_methods)
