/*
 * tests/integration/test_ctl.c: compute-agentctl as a person or a script runs it, against all of the agent
 * but its hypervisor: rows in a real MariaDB, real image files, guests in memory.
 *
 * The agent's parts run in this process, so a test can make a guest do what it likes.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "green/lockutils.h"
#include "mysql_fixture.h"
#include "private_dir.h"
#include "process/execute.h"
#include "admin/admin.h"
#include "rpc/methods.h"
#include "virt/fake.h"

#define ARGUMENTS_MAX 24

struct world {
        char dir[48], conf_path[64];
        struct conf *conf;
        struct tpool *tpool;
        struct store store;
        struct virt_driver *driver;
        struct image_source *images;
        struct disk_store *disks;
        struct compute_manager *manager;
        struct transport *transport;
        struct rpc_server *rpc;
        struct agent_methods methods;
        struct admin_sources admin;
        struct rpc_endpoint endpoints[8];
};
static struct world w;

/* ---- running the program ---- */

struct answer {
        int status;
        char *out, *err;
        struct jval *json; /* NULL when the output is none */
};

static void answer_free(struct answer *a)
{
        free(a->out);
        free(a->err);
        jval_unref(a->json);
}

/* compute-agentctl --config-file ... and these arguments, which end with NULL. */
static struct answer YIELDS ctl(const char *first, ...)
{
        static const int any[] = { 0, 1, 2, 3, 4, 5, 78, -1 };
        const char *argv[ARGUMENTS_MAX] = { CTL_PROGRAM, "--config-file", w.conf_path, first };
        const struct execute_options opt = { .argv = argv, .ok_exit_codes = any };
        struct execute_result r = {};
        struct error err = {}, ignored;
        struct answer a;
        va_list ap;

        va_start(ap, first);
        for (unsigned n = 4; (argv[n] = va_arg(ap, const char *)); n++)
                ck_assert_uint_lt(n, ARGUMENTS_MAX - 2);
        va_end(ap);
        ck_assert_ok(execute(&opt, deadline_in_s(60), &r, &err), err);
        a = (struct answer){ .status = r.exit_code, .out = r.out, .err = r.err };
        if (r.out_len && (r.out[0] == '{' || r.out[0] == '['))
                a.json = jval_parse(r.out, r.out_len, &ignored);
        return a;
}

/* It succeeded, or the test ends here with what it said. */
static struct jval *YIELDS good(struct answer a)
{
        struct jval *json = a.json;

        ck_assert_msg(a.status == 0, "exit status %d: %s%s", a.status, a.out, a.err);
        a.json = NULL;
        answer_free(&a);
        return json;
}

static void fine(struct answer a)
{
        assert_green();
        jval_unref(good(a));
}

static void expect(struct answer a, int status, const char *because)
{
        ck_assert_msg(a.status == status, "exit status %d: %s%s", a.status, a.out, a.err);
        ck_assert_msg(strstr(a.err, because) != NULL, "\"%s\" does not say \"%s\"", a.err, because);
        answer_free(&a);
}

static void shows(struct answer a, const char *what)
{
        ck_assert_msg(a.status == 0, "exit status %d: %s%s", a.status, a.out, a.err);
        ck_assert_msg(strstr(a.out, what) != NULL, "\"%s\" does not show \"%s\"", a.out, what);
        answer_free(&a);
}

/* ---- the agent around it ---- */

static void write_conf(void)
{
        FILE *f;

        snprintf(w.conf_path, sizeof(w.conf_path), "%s/conf", w.dir);
        f = fopen(w.conf_path, "we");
        ck_assert_ptr_nonnull(f);
        fprintf(f,
                "host = 'node-1'\nstate_path = '%s/state'\ntransport_url = "
                "'unix:%s/rpc'\nheartbeat_file_path = ''\n"
                "shutdown_timeout = 2\ndatabase {\n  connection = '%s'\n}\n",
                w.dir, w.dir, env("MARIADB_URL"));
        fclose(f);
}

static void YIELDS empty_database(void)
{
        struct error err = {};
        struct db_conn *c = db_pool_get(w.store.db, soon(), &err);

        ck_assert_msg(c != NULL, "%s", err.text);
        ck_assert_ok(db_script(c,
                               "DROP DATABASE nova_cell1; CREATE DATABASE nova_cell1 CHARACTER SET utf8; "
                               "USE nova_cell1",
                               soon(), &err),
                     err);
        db_pool_put(c);
}

/* What compute-agentctl needs when no agent runs. */
static void YIELDS start_without_agent(void)
{
        struct strbuf errors = {};
        struct db_options db = {};
        struct error err = {};

        log_set_level(LOG_CRITICAL);
        snprintf(w.dir, sizeof(w.dir), "%s/XXXXXX", private_dir);
        ck_assert_ptr_nonnull(mkdtemp(w.dir));
        write_conf();
        w.conf = conf_load(w.conf_path, &errors);
        ck_assert_msg(w.conf != NULL, "%s", errors.data);
        w.tpool = tpool_new("test", 8, &err);
        db.url = w.conf->database.connection;
        db.tpool = w.tpool;
        w.store.db = db_pool_new(&db, &err);
        w.store.host = w.conf->host;
        ck_assert_msg(w.store.db != NULL, "%s", err.text);
        empty_database();
}

static void YIELDS start_manager(void)
{
        struct disk_store_options disks = { .instances_path = w.conf->instances_path,
                                            .cache_name = w.conf->image_cache.subdirectory_name,
                                            .mkisofs_cmd = w.conf->mkisofs_cmd,
                                            .force_raw_images = w.conf->force_raw_images,
                                            .use_cow_images = true,
                                            .tpool = w.tpool };
        struct compute_options opt = { .conf = w.conf, .store = &w.store };
        struct error err = {};

        ck_assert_ok(lockutils_set_lock_path(w.conf->oslo_concurrency.lock_path, &err), err);
        image_source_set_tpool(w.tpool);
        disks.images = opt.images = w.images =
                image_source_local_new(w.conf->images.local_path, deadline_in_s(10), &err);
        ck_assert_msg(w.images != NULL, "%s", err.text);
        opt.disks = w.disks = disk_store_new(&disks, deadline_in_s(10), &err);
        ck_assert_msg(w.disks != NULL, "%s", err.text);
        opt.driver = w.driver = virt_fake_new();
        w.manager = compute_manager_new(&opt, &err);
        ck_assert_msg(w.manager != NULL, "%s", err.text);
        w.driver->on_event = compute_on_virt_event;
        w.driver->on_event_arg = w.manager;
        ck_assert_ok(w.driver->ops->start(w.driver, &err), err);
        ck_assert_ok(compute_init_host(w.manager, NULL, NULL, soon(), &err), err);
        ck_assert_ok(compute_service_ensure(w.manager, soon(), &err), err);
        ck_assert_ok(compute_audit(w.manager, soon(), &err), err);
        ck_assert_ok(compute_start_periodic(w.manager, &err), err);
}

static void YIELDS start_rpc(void)
{
        struct rpc_server_options opt = { .endpoints = w.endpoints,
                                          .target.topic = "compute",
                                          .describe_failure = rpc_describe_failure };
        struct error err = {};
        unsigned n = 0;

        opt.transport = w.transport = transport_new(w.conf->transport_url, &err);
        w.methods = (struct agent_methods){ .manager = w.manager,
                                            .transport = w.transport,
                                            .control_exchange = "nova",
                                            .timeout_s = 60,
                                            .long_timeout_s = 600 };
        w.admin = (struct admin_sources){ .conf = w.conf,
                                          .store = &w.store,
                                          .db = w.store.db,
                                          .driver = w.driver,
                                          .manager = w.manager,
                                          .tpool = w.tpool,
                                          .transport = w.transport,
                                          .started_ns = clock_now_ns(),
                                          .ready = true };
        for (const struct rpc_endpoint *e = agent_endpoints; e->methods; e++) {
                w.endpoints[n] = *e;
                w.endpoints[n++].app = &w.methods;
        }
        w.endpoints[n] = admin_endpoint;
        w.endpoints[n].app = &w.admin;
        w.admin.rpc = w.rpc = rpc_server_new(&opt, &err);
        ck_assert_ok(rpc_server_start(w.rpc, &err), err);
}

/* With an image "tiny" of one MiB. */
static void YIELDS start(void)
{
        char CLEANUP(freep) *file = NULL;
        int fd;

        start_without_agent();
        fine(ctl("db-init", NULL));
        file = xasprintf("%s/tiny.img", w.dir);
        fd = open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        ck_assert_int_eq(ftruncate(fd, 1 << 20), 0);
        close(fd);
        fine(ctl("image-import", file, "--name", "tiny", "--format", "raw", NULL));
        start_manager();
        start_rpc();
}

static void YIELDS finish(void)
{
        rpc_server_free(w.rpc);
        transport_free(w.transport);
        if (w.manager)
                compute_stop_periodic(w.manager);
        compute_manager_free(w.manager);
        if (w.driver)
                w.driver->ops->stop(w.driver);
        disk_store_free(w.disks);
        if (w.images)
                w.images->ops->free(w.images);
        db_pool_close(w.store.db);
        ck_assert_uint_eq(tpool_close(w.tpool, soon()), 0);
        conf_free(w.conf);
}

/* ---- looking at what is there ---- */

static char *YIELDS query(const char *sql)
{
        struct db_result CLEANUP(db_result_freep) *rows = NULL;
        const struct db_value *v;
        struct error err = {};

        ck_assert_ok(db_pool_select(w.store.db, sql, NULL, 0, &rows, soon(), &err), err);
        if (db_result_rows(rows) == 0)
                return xstrdup("(no row)");
        v = db_result_row(rows, 0);
        return v->type == DB_TEXT  ? xstrdup(v->s)
               : v->type == DB_INT ? xasprintf("%lld", (long long)v->i)
                                   : xstrdup("(null)");
}

static void YIELDS expect_row(const char *sql, const char *want)
{
        char CLEANUP(freep) *got = query(sql);

        ck_assert_msg(strcmp(got, want) == 0, "%s: \"%s\", expected \"%s\"", sql, got, want);
}

static void expect_state(struct answer a, const char *vm_state)
{
        struct jval CLEANUP(jval_unrefp) *json = NULL;

        assert_green();
        json = good(a);
        ck_assert_str_eq(jval_get_text(json, "vm_state", "(none)"), vm_state);
        ck_assert(!jval_get_bool(json, "failed", true));
}

static struct answer YIELDS boot(const char *name)
{
        return ctl("boot", "--image", "tiny", "--memory", "64", "--disk", "1", "--wait", "--json", name,
                   NULL);
}

/* ---- the life of an instance ---- */

GREEN_TEST_REAL(an_instance_goes_through_all_its_states)
{
        start();
        expect_state(boot("web"), "active");
        expect_row("SELECT task_state FROM instances", "(null)");
        expect_row("SELECT host FROM instances", "node-1");
        expect_row("SELECT memory_mb FROM instances", "64");
        expect_row("SELECT GROUP_CONCAT(result) FROM instance_actions_events", "Success");
        expect_state(ctl("stop", "web", "--wait", "--json", NULL), "stopped");
        expect_state(ctl("start", "web", "--wait", "--json", NULL), "active");
        expect_state(ctl("pause", "web", "--wait", "--json", NULL), "paused");
        expect_state(ctl("unpause", "web", "--wait", "--json", NULL), "active");
        expect_state(ctl("suspend", "web", "--wait", "--json", NULL), "suspended");
        expect_state(ctl("resume", "web", "--wait", "--json", NULL), "active");
        expect_state(ctl("reboot", "web", "--wait", "--json", NULL), "active");
        expect_state(ctl("reboot", "web", "--hard", "--wait", "--json", NULL), "active");
        expect_state(ctl("stop", "web", "--force", "--wait", "--json", NULL), "stopped");
        expect_state(ctl("delete", "web", "--wait", "--json", NULL), "deleted");
        expect_row("SELECT COUNT(*) FROM instances WHERE deleted = 0", "0");
        expect_row("SELECT GROUP_CONCAT(action ORDER BY id) FROM instance_actions",
                   "create,stop,start,pause,unpause,suspend,resume,reboot,reboot,stop,delete");
        expect_row("SELECT COUNT(*) FROM instance_actions_events WHERE result <> 'Success'", "0");
        expect(ctl("stop", "web", NULL), 1, "there is no instance \"web\"");
        finish();
}

GREEN_TEST_REAL(a_soft_deleted_instance_can_be_restored)
{
        start();
        expect_state(boot("web"), "active");
        expect_state(ctl("soft-delete", "web", "--wait", "--json", NULL), "soft-delete");
        expect_row("SELECT CONCAT_WS(' ', deleted, deleted_at IS NOT NULL, power_state) FROM instances",
                   "0 1 4");
        expect(ctl("start", "web", NULL), 1, "soft-delete");
        expect_state(ctl("restore", "web", "--wait", "--json", NULL), "active");
        expect_row("SELECT CONCAT_WS(' ', deleted, deleted_at IS NOT NULL, power_state) FROM instances",
                   "0 0 1");
        expect(ctl("restore", "web", NULL), 1, "active");
        expect_row("SELECT GROUP_CONCAT(a.action, ' ', e.event, ' ', e.result ORDER BY a.id) FROM "
                   "instance_actions a JOIN instance_actions_events e ON e.action_id = a.id",
                   "create compute__do_build_and_run_instance Success,"
                   "delete compute_soft_delete_instance Success,restore compute_restore_instance Success");
        finish();
}

GREEN_TEST_REAL(what_people_see_while_they_wait)
{
        start();
        shows(ctl("boot", "--image", "tiny", "--memory", "64", "web", "--wait", NULL),
              "web: active, running\n");
        shows(ctl("instances", NULL), "active  -     running  running      1   64 MB\n");
        shows(ctl("boot", "--image", "tiny", "--memory", "64", "two\nlines\033[31m", "--wait", NULL),
              "two?lines?[31m: active, running\n");
        shows(ctl("stop", "web", NULL), "request           req-");
        finish();
}

/* Its row has no host before resources are claimed, and that needs a lock which somebody holds. */
GREEN_TEST_REAL(an_instance_is_listed_right_after_boot)
{
        char CLEANUP(freep) *state = xstrdup("");
        struct error err = {};
        struct named_lock *held;

        start();
        held = lockutils_acquire("compute_resources", soon(), &err);
        ck_assert_msg(held != NULL, "%s", err.text);
        fine(ctl("boot", "--image", "tiny", "--memory", "64", "--disk", "1", "web", NULL));
        expect_row("SELECT host FROM instances", "(null)");
        shows(ctl("instances", NULL), "web   instance-00000001  building");
        shows(ctl("jobs", NULL), "claiming resources");
        shows(ctl("locks", NULL), "waits");
        lockutils_release(held);
        for (struct deadline by = soon(); !deadline_passed(by) && strcmp(state, "active") != 0;) {
                free(state);
                ck_assert_ok(green_sleep(0.02, &err), err);
                state = query("SELECT vm_state FROM instances");
        }
        ck_assert_str_eq(state, "active");
        finish();
}

GREEN_TEST_REAL(instances_are_named_by_uuid_or_name)
{
        struct jval CLEANUP(jval_unrefp) *one = NULL;
        const char *uuid;

        start();
        one = good(boot("twin"));
        uuid = jval_get_text(one, "uuid", "");
        fine(boot("twin"));
        expect(ctl("pause", "twin", NULL), 1, uuid); /* both are listed */
        expect_state(ctl("pause", uuid, "--wait", "--json", NULL), "paused");
        expect_row("SELECT COUNT(*) FROM instances WHERE vm_state = 'active'", "1");
        expect(ctl("pause", "00000000-0000-4000-8000-000000000000", NULL), 1, "could not be found");
        finish();
}

GREEN_TEST_REAL(a_request_that_does_not_fit_the_state_changes_nothing)
{
        start();
        fine(boot("web"));
        expect(ctl("start", "web", NULL), 1, "while it is active");
        expect(ctl("unpause", "web", NULL), 1, "while it is active");
        expect_row("SELECT COUNT(*) FROM instance_actions", "1");
        expect_row("SELECT task_state FROM instances", "(null)");
        /* Somebody else's request is under way. */
        virt_fake_slow_next(w.driver, "pause", 2);
        fine(ctl("pause", "web", NULL));
        expect(ctl("stop", "web", NULL), 1, "still busy with \"pausing\"");
        finish();
}

GREEN_TEST_REAL(a_hostile_name_stays_a_name)
{
        struct jval CLEANUP(jval_unrefp) *list = NULL;
        static const char name[] = "</name>'; DROP TABLE instances; -- \033[2J\n&amp;";

        start();
        fine(boot(name));
        list = good(ctl("instances", "--json", NULL));
        ck_assert_str_eq(jval_get_text(jval_at(jval_get(list, "instances"), 0), "display_name", ""), name);
        shows(ctl("instances", NULL), "</name>'; DROP TABLE instances; -- ?[2J?&amp;");
        expect_state(ctl("delete", name, "--wait", "--json", NULL), "deleted");
        finish();
}

/* ---- what fails ---- */

GREEN_TEST_REAL(a_build_that_fails_says_why)
{
        struct answer a;

        start();
        virt_fake_fail_next(w.driver, "spawn", NOVA_LIBVIRT_ERROR, "no room on this hypervisor");
        a = boot("web");
        ck_assert_str_eq(jval_get_text(a.json, "vm_state", ""), "error");
        ck_assert(jval_get_bool(a.json, "failed", false));
        expect(a, 1, "boot failed: ");
        expect_row("SELECT vm_state FROM instances", "error");
        expect_row("SELECT host IS NULL FROM instances", "1");
        shows(ctl("instances", NULL), "error"); /* it has no host, and stays to be seen all the same */
        expect_state(ctl("delete", "web", "--wait", "--json", NULL), "deleted");
        finish();
}

GREEN_TEST_REAL(a_method_that_fails_says_why)
{
        start();
        fine(boot("web"));
        virt_fake_fail_next(w.driver, "pause", NOVA_LIBVIRT_ERROR, "cannot pause today");
        expect(ctl("pause", "web", "--wait", NULL), 1, "pause failed: ");
        expect_row("SELECT vm_state FROM instances", "active");
        expect_row("SELECT task_state FROM instances", "(null)");
        finish();
}

GREEN_TEST_REAL(waiting_has_an_end)
{
        start();
        fine(boot("web"));
        virt_fake_slow_next(w.driver, "pause", 4);
        expect(ctl("pause", "web", "--wait", "--timeout", "1", NULL), 4, "is still active (pausing)");
        expect_row("SELECT task_state FROM instances", "pausing");
        finish();
}

GREEN_TEST_REAL(without_an_agent_no_row_is_touched)
{
        start();
        fine(boot("web"));
        rpc_server_free(w.rpc);
        transport_free(w.transport);
        w.rpc = NULL;
        w.transport = NULL;
        expect(ctl("stop", "web", NULL), 3, "is compute-agent running?");
        expect(boot("other"), 3, "is compute-agent running?");
        expect(ctl("status", NULL), 3, w.dir);
        expect(ctl("status", "--socket", "/nonexistent/socket", NULL), 3, "/nonexistent/socket");
        expect_row("SELECT task_state FROM instances", "(null)");
        expect_row("SELECT COUNT(*) FROM instances", "1");
        expect_row("SELECT COUNT(*) FROM instance_actions", "1");
        finish();
}

GREEN_TEST_REAL(what_is_wrong_with_a_boot_is_found_before_the_first_row)
{
        char CLEANUP(freep) *large = NULL;
        int fd;

        start();
        expect(ctl("boot", "web", NULL), 2, "--image is missing");
        expect(ctl("boot", "--image", "tiny", "", NULL), 2, "the name is empty");
        expect(ctl("boot", "--image", "huge", "web", NULL), 1, "there is no image \"huge\"");
        expect(ctl("boot", "--image", "tiny", "--vcpus", "0", "web", NULL), 2, "--vcpus");
        expect(ctl("boot", "--image", "tiny", "--memory", "1e3", "web", NULL), 2, "--memory");
        expect(ctl("boot", "--image", "tiny", "--user-data", "/nonexistent", "web", NULL), 1, "/nonexistent");
        large = xasprintf("%s/large", w.dir);
        fd = open(large, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        ck_assert_int_eq(ftruncate(fd, 60000), 0);
        close(fd);
        expect(ctl("boot", "--image", "tiny", "--user-data", large, "web", NULL), 1, "bytes at most");
        expect_row("SELECT COUNT(*) FROM instances", "0");
        finish();
}

GREEN_TEST_REAL(user_data_and_the_config_drive_arrive)
{
        char CLEANUP(freep) *file = NULL, *drive = NULL;
        struct jval CLEANUP(jval_unrefp) *one = NULL;
        struct stat st;
        FILE *f;

        start();
        file = xasprintf("%s/user-data", w.dir);
        f = fopen(file, "we");
        fputs("#!/bin/sh\necho hello\n", f);
        fclose(f);
        one = good(ctl("boot", "--image", "tiny", "--user-data", file, "--config-drive", "--wait", "--json",
                       "web", NULL));
        ck_assert_str_eq(jval_get_text(one, "vm_state", ""), "active");
        expect_row("SELECT user_data FROM instances", "IyEvYmluL3NoCmVjaG8gaGVsbG8K");
        drive = xasprintf("%s/%s/disk.config", w.conf->instances_path, jval_get_text(one, "uuid", ""));
        ck_assert_msg(stat(drive, &st) == 0, "%s is not there", drive);
        finish();
}

GREEN_TEST_REAL(rows_that_no_host_has_are_deleted_without_one)
{
        const struct new_instance new = { .display_name = "lost",
                                          .image_ref = "i",
                                          .user_id = "u",
                                          .project_id = "p",
                                          .request_id = "req-1",
                                          .image_disk_format = "raw",
                                          .image_container_format = "bare",
                                          .memory_mb = 64,
                                          .vcpus = 1,
                                          .root_gb = 1 };
        struct instance *made = NULL;
        struct error err = {};

        start();
        ck_assert_ok(store_instance_create(&w.store, &new, &made, soon(), &err), err);
        instance_free(made);
        shows(ctl("delete", "lost", NULL), "lost: deleted, gone");
        expect_row("SELECT COUNT(*) FROM instances WHERE deleted = 0", "0");
        finish();
}

/* ---- the agent as a whole ---- */

GREEN_TEST_REAL(the_agent_is_shown_in_tables_and_in_json)
{
        static const char *const commands[] = { "status", "instances", "jobs",  "threads",
                                                "pools",  "locks",     "tasks", "health" };
        struct jval CLEANUP(jval_unrefp) *s = NULL;

        start();
        fine(boot("web"));
        for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
                struct answer a = ctl(commands[i], "--json", NULL);

                ck_assert_msg(a.status == 0 && a.json, "%s: %s%s", commands[i], a.out, a.err);
                answer_free(&a);
        }
        shows(ctl("status", NULL), "instances         1: 1 active\n");
        shows(ctl("status", NULL), "service           enabled");
        shows(ctl("status", NULL), "used              1 of ");
        shows(ctl("threads", NULL), "rpc threads");
        shows(ctl("threads", "--backtrace", NULL), "hub_park+0x");
        shows(ctl("threads", "0", "--backtrace", NULL), "#0 main: ");
        expect(ctl("threads", "999999999", NULL), 1, "no green thread #999999999");
        expect(ctl("threads", "zero", NULL), 2, "no number of a green thread");
        shows(ctl("jobs", NULL), "no operation on an instance is under way");
        shows(ctl("locks", NULL), "no lock is held");
        shows(ctl("pools", NULL), "rpc workers");
        shows(ctl("health", NULL), "health            pass\n");
        shows(ctl("health", "--colour", "always", NULL), "\033[32mpass\033[0m");
        expect(ctl("health", "--colour", "often", NULL), 2, "auto, always or never");
        s = good(ctl("status", "--json", NULL));
        ck_assert_int_eq(jval_get_int(s, "instances_total", 0), 1);
        ck_assert(jval_get_bool(s, "database_ok", false));
        finish();
}

GREEN_TEST_REAL(a_sick_hypervisor_warns_and_the_exit_status_stays)
{
        start();
        virt_fake_set_connected(w.driver, false);
        shows(ctl("health", NULL), "health            warn\n");
        finish();
}

GREEN_TEST_REAL(any_request_can_be_called)
{
        struct jval CLEANUP(jval_unrefp) *pong = NULL;

        start();
        pong = good(ctl("call", "ping", "{\"arg\": 7}", "--namespace", "baseapi", NULL));
        ck_assert_str_eq(jval_get_text(pong, "service", ""), "compute");
        ck_assert_int_eq(jval_get_int(pong, "arg", 0), 7);
        shows(ctl("call", "get_host_uptime", NULL), "load average");
        fine(ctl("call", "no_such_method", "--cast", NULL));
        expect(ctl("call", "no_such_method", NULL), 1, "NoSuchMethod");
        expect(ctl("call", "ping", "--namespace", "baseapi", "--rpc-version", "2.0", NULL), 1,
               "UnsupportedVersion");
        expect(ctl("call", "reboot_instance", "{\"instance\": 7}", NULL), 1, "TypeError");
        expect(ctl("call", "ping", "{\"arg\":", NULL), 2, "JSON");
        expect(ctl("call", "ping", "[]", NULL), 2, "must be a JSON object");
        finish();
}

GREEN_TEST_REAL(the_console_is_shown)
{
        struct jval CLEANUP(jval_unrefp) *one = NULL;
        char CLEANUP(freep) *path = NULL;
        FILE *f;

        start();
        one = good(boot("web"));
        path = xasprintf("%s/%s/console.log", w.conf->instances_path, jval_get_text(one, "uuid", ""));
        f = fopen(path, "we");
        ck_assert_msg(f != NULL, "%s", path);
        fputs("first\nsecond\nthird\n", f);
        fclose(f);
        shows(ctl("console", "web", NULL), "first\nsecond\nthird\n");
        shows(ctl("console", "web", "--lines", "2", "--json", NULL), "\"third\\n\"");
        finish();
}

GREEN_TEST_REAL(a_guest_can_be_looked_at_and_interrupted)
{
        struct jval CLEANUP(jval_unrefp) *vnc = NULL, *counters = NULL;

        start();
        fine(boot("web"));
        vnc = good(ctl("vnc", "web", "--json", NULL));
        expect_row(
                "SELECT CONCAT_WS(' ', console_type, host, port, access_url_base) FROM console_auth_tokens",
                "novnc 127.0.0.1 5901 http://127.0.0.1:6080/vnc_auto.html");
        ck_assert_str_eq(jval_get_text(vnc, "port", ""), "5901");
        shows(ctl("vnc", "web", NULL), "127.0.0.1:5901\n");
        shows(ctl("vnc", "web", NULL), "http://127.0.0.1:6080/vnc_auto.html?path=%3Ftoken%3D");
        counters = good(ctl("diagnostics", "web", "--json", NULL));
        ck_assert_int_eq(jval_get_int(counters, "vda_write", 0), 1024);
        shows(ctl("diagnostics", "web", NULL), "vda_errors               -1\n");
        expect_state(ctl("nmi", "web", "--wait", "--json", NULL), "active");
        ck_assert_uint_eq(virt_fake_calls(w.driver, "inject_nmi"), 1);
        expect_row("SELECT CONCAT_WS(' ', a.action, e.event, e.result) FROM instance_actions a JOIN "
                   "instance_actions_events e ON e.action_id = a.id ORDER BY a.id DESC LIMIT 1",
                   "trigger_crash_dump compute_trigger_crash_dump Success");

        expect_state(ctl("stop", "web", "--wait", "--json", NULL), "stopped");
        expect(ctl("nmi", "web", NULL), 1, "cannot nmi instance");
        expect(ctl("vnc", "web", NULL), 1, "does not run, so its console has no port");
        expect(ctl("diagnostics", "web", NULL), 1, "its power state is shutdown");
        expect_state(ctl("delete", "web", "--wait", "--json", NULL), "deleted");
        expect_row("SELECT COUNT(*) FROM console_auth_tokens", "0");
        expect(ctl("vnc", "web", NULL), 1, "web");
        finish();
}

GREEN_TEST_REAL(an_interrupt_that_fails_says_why)
{
        start();
        fine(boot("web"));
        virt_fake_fail_next(w.driver, "inject_nmi", NOVA_TRIGGER_CRASH_DUMP_NOT_SUPPORTED, "no such thing");
        expect(ctl("nmi", "web", "--wait", NULL), 1, "nmi failed: no such thing");
        expect_row("SELECT CONCAT_WS(' ', vm_state, COALESCE(task_state, 'none')) FROM instances",
                   "active none");
        finish();
}

GREEN_TEST_REAL(the_log_level)
{
        start();
        shows(ctl("log-level", "warning", NULL), "WARNING");
        ck_assert_int_eq(log_get_level(), LOG_WARNING);
        expect(ctl("log-level", "loud", NULL), 1, "none of debug, info");
        log_set_level(LOG_CRITICAL);
        finish();
}

/* ---- draining ---- */

static bool HUB_ONLY is_running(void)
{
        struct compute_stats stats;

        compute_get_stats(w.manager, &stats);
        return stats.running > 0;
}

GREEN_TEST_REAL(draining_names_what_is_left_and_is_taken_back)
{
        struct jval CLEANUP(jval_unrefp) *s = NULL;
        struct error err;

        start();
        fine(boot("web"));
        virt_fake_hang_next(w.driver, "pause");
        fine(ctl("pause", "web", NULL));
        while (!is_running())
                ck_assert_ok(green_sleep(0.05, &err), err);
        expect(ctl("drain", "--reason", "new kernel", "--timeout", "2", NULL), 4, "pause_instance of");
        expect_row("SELECT CONCAT(disabled, disabled_reason LIKE 'DRAIN: by %: new kernel') FROM services",
                   "11");
        shows(ctl("drain", "--no-wait", "--reason", "new disk", NULL), "left              1");
        s = good(ctl("status", "--json", NULL));
        ck_assert_int_eq(jval_get_int(jval_get(s, "drain"), "left", 0), 1);
        shows(ctl("health", NULL), "DRAIN: by");
        expect(ctl("boot", "--image", "tiny", "--vcpus", "1", "--memory", "64", "--disk", "1", "db", "--wait",
                   NULL),
               1, "is drained");
        shows(ctl("undrain", NULL), "takes builds again");
        expect_row("SELECT disabled FROM services", "0");
        finish();
}

GREEN_TEST_REAL(with_nothing_to_finish_a_host_is_drained_at_once)
{
        start();
        shows(ctl("drain", NULL), "drained");
        shows(ctl("drain", "--json", NULL), "\"left\": 0");
        expect(ctl("drain", "--wait", "--no-wait", NULL), 2, "exclude each other");
        shows(ctl("undrain", "--json", NULL), "\"enabled\": true");
        finish();
}

/* ---- without the agent ---- */

GREEN_TEST_REAL(a_database_is_made_once)
{
        start_without_agent();
        expect(ctl("boot", "--image", "x", "y", NULL), 1, "there is no image");
        fine(ctl("db-init", NULL));
        expect(ctl("db-init", NULL), 1, "not empty");
        expect(ctl("delete", "web", NULL), 1, "there is no instance");
        finish();
}

GREEN_TEST_REAL(images_are_imported_and_listed)
{
        struct jval CLEANUP(jval_unrefp) *list = NULL;
        char CLEANUP(freep) *file = NULL;
        FILE *f;

        start_without_agent();
        shows(ctl("images", NULL), "no images here");
        file = xasprintf("%s/cirros.img", w.dir);
        f = fopen(file, "we");
        fputs("not much", f);
        fclose(f);
        shows(ctl("image-import", file, "--min-ram", "64", "--id", "11111111-2222-4333-8444-555555555555",
                  NULL),
              "11111111-2222-4333-8444-555555555555  cirros.img");
        list = good(ctl("images", "--json", NULL));
        ck_assert_uint_eq(jval_len(jval_get(list, "images")), 1);
        ck_assert_int_eq(jval_get_int(jval_at(jval_get(list, "images"), 0), "min_ram", 0), 64);
        expect(ctl("image-import", file, "--id", "7", NULL), 2, "is no uuid");
        expect(ctl("image-import", "/nonexistent.img", NULL), 1, "/nonexistent.img");
        finish();
}

GREEN_TEST_REAL(mistakes_are_told_with_what_to_do)
{
        start_without_agent();
        expect(ctl("nothing", NULL), 2, "unknown command \"nothing\"");
        expect(ctl("stop", NULL), 2, "Usage: compute-agentctl stop");
        expect(ctl("stop", "a", "b", NULL), 2, "one argument too many");
        expect(ctl("status", "--rainbow", NULL), 2, "unknown option");
        expect(ctl("--config-file", "/nonexistent", "status", NULL), 78, "--config-file");
        shows(ctl("--help", NULL), "Exit status:");
        shows(ctl("boot", "--help", NULL), "--config-drive");
        shows(ctl("--version", NULL), "compute-agentctl " AGENT_VERSION);
        finish();
}

GREEN_SUITE("ctl", an_instance_goes_through_all_its_states, a_soft_deleted_instance_can_be_restored,
            what_people_see_while_they_wait, an_instance_is_listed_right_after_boot,
            instances_are_named_by_uuid_or_name, a_request_that_does_not_fit_the_state_changes_nothing,
            a_hostile_name_stays_a_name, a_build_that_fails_says_why, a_method_that_fails_says_why,
            waiting_has_an_end, without_an_agent_no_row_is_touched,
            what_is_wrong_with_a_boot_is_found_before_the_first_row, user_data_and_the_config_drive_arrive,
            rows_that_no_host_has_are_deleted_without_one, the_agent_is_shown_in_tables_and_in_json,
            a_sick_hypervisor_warns_and_the_exit_status_stays, any_request_can_be_called,
            the_console_is_shown, a_guest_can_be_looked_at_and_interrupted, an_interrupt_that_fails_says_why,
            the_log_level, draining_names_what_is_left_and_is_taken_back,
            with_nothing_to_finish_a_host_is_drained_at_once, a_database_is_made_once,
            images_are_imported_and_listed, mistakes_are_told_with_what_to_do)
