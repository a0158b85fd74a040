/*
 * The libvirt driver against real hypervisors: the embedded driver with real QEMU processes, and libvirt's
 * own test driver. Guests are emulated (TCG): they print sooner than under nested KVM.
 */
#include "green_test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/list.h"
#include "base/mem.h"
#include "virt/driver.h"
#include "virt_env.h"
#include "virt_rig.h"

GREEN_TEST_REAL(a_guest_boots_prints_and_obeys_its_power_button)
{
        struct deadline by = deadline_in_s(60);
        struct error err = {};
        struct guest_info info;
        struct test_guest g;
        struct rig r = {};
        char *path;

        rig_open_embed(&r);
        test_guest_init(&g, r.root, 1);
        ck_assert_ok(r.d->ops->spawn(r.d, &g.spec, by, &err), err);
        expect_event(&r, VIRT_EVENT_STARTED, g.uuid);
        info = info_of(&r, g.uuid);
        ck_assert_int_eq(info.power_state, POWER_RUNNING);
        ck_assert_int_ge(info.id, 0);
        ck_assert_str_eq(info.name, g.spec.name);
        ck_assert_ok(wait_console(&g, "COMPUTE-AGENT GUEST up", by, &err), err);
        ck_assert_ok(r.d->ops->console_path(r.d, g.uuid, &path, by, &err), err);
        ck_assert_str_eq(path, g.spec.console_log);
        free(path);

        ck_assert_ok(r.d->ops->shutdown(r.d, g.uuid, by, &err), err);
        expect_event(&r, VIRT_EVENT_STOPPED, g.uuid);
        info = info_of(&r, g.uuid);
        ck_assert_int_eq(info.power_state, POWER_SHUTDOWN);
        ck_assert_int_eq(info.id, -1);
        remove_guest(&r, &g);
        test_guest_free(&g);
        rig_close(&r);
}

/* The whole life of a guest, and that each step of it is told once. */
GREEN_TEST_REAL(pause_suspend_reboot_and_start_again)
{
        struct deadline by = deadline_in_s(90);
        struct error err = {};
        struct guest_info first, now;
        struct test_guest g;
        struct rig r = {};

        rig_open_embed(&r);
        test_guest_init(&g, r.root, 2);
        ck_assert_ok(r.d->ops->spawn(r.d, &g.spec, by, &err), err);
        expect_event(&r, VIRT_EVENT_STARTED, g.uuid);
        ck_assert_ok(wait_console(&g, "GUEST up", by, &err), err);
        first = info_of(&r, g.uuid);

        ck_assert_ok(r.d->ops->pause(r.d, g.uuid, by, &err), err);
        expect_event(&r, VIRT_EVENT_PAUSED, g.uuid);
        ck_assert_int_eq(info_of(&r, g.uuid).power_state, POWER_PAUSED);
        ck_assert_ok(r.d->ops->unpause(r.d, g.uuid, by, &err), err);
        expect_event(&r, VIRT_EVENT_RESUMED, g.uuid);
        ck_assert_int_eq(info_of(&r, g.uuid).power_state, POWER_RUNNING);

        ck_assert_ok(r.d->ops->suspend(r.d, g.uuid, by, &err), err);
        expect_event(&r, VIRT_EVENT_STOPPED, g.uuid);
        ck_assert_int_eq(info_of(&r, g.uuid).power_state, POWER_SHUTDOWN);
        ck_assert_ok(r.d->ops->start_domain(r.d, g.uuid, by, &err), err);
        expect_event(&r, VIRT_EVENT_STARTED, g.uuid);
        ck_assert_int_eq(info_of(&r, g.uuid).power_state, POWER_RUNNING);
        ck_assert_ok(r.d->ops->start_domain(r.d, g.uuid, by, &err), err); /* runs already */
        ck_assert_ok(wait_console(&g, "GUEST tick", by, &err), err);      /* it went on, it did not boot */

        ck_assert_ok(r.d->ops->hard_reboot(r.d, &g.spec, by, &err), err);
        expect_event(&r, VIRT_EVENT_STOPPED, g.uuid);
        expect_event(&r, VIRT_EVENT_STARTED, g.uuid);
        now = info_of(&r, g.uuid);
        ck_assert_int_eq(now.power_state, POWER_RUNNING);
        ck_assert_int_ne(now.id, first.id);
        ck_assert_ok(wait_console(&g, "GUEST up", by, &err), err);

        ck_assert_ok(r.d->ops->power_off(r.d, g.uuid, by, &err), err);
        ck_assert_ok(r.d->ops->power_off(r.d, g.uuid, by, &err), err);
        ck_assert_ok(r.d->ops->start_domain(r.d, g.uuid, by, &err), err);
        ck_assert_int_eq(info_of(&r, g.uuid).power_state, POWER_RUNNING);
        remove_guest(&r, &g);
        ck_assert_ok(r.d->ops->undefine(r.d, g.uuid, by, &err), err); /* absent is success */
        ck_assert_ok(r.d->ops->power_off(r.d, g.uuid, by, &err), err);
        test_guest_free(&g);
        rig_close(&r);
}

GREEN_TEST_REAL(a_killed_qemu_is_told_at_once)
{
        struct deadline by = deadline_in_s(60);
        struct error err = {};
        struct test_guest g;
        struct rig r = {};
        pid_t pid;

        rig_open_embed(&r);
        test_guest_init(&g, r.root, 3);
        ck_assert_ok(r.d->ops->spawn(r.d, &g.spec, by, &err), err);
        expect_event(&r, VIRT_EVENT_STARTED, g.uuid);
        pid = qemu_pid(r.root, &g);
        ck_assert_int_gt(pid, 1);
        ck_assert_int_eq(kill(pid, SIGKILL), 0);
        expect_event(&r, VIRT_EVENT_STOPPED, g.uuid); /* nothing here polls */
        ck_assert_int_eq(info_of(&r, g.uuid).power_state, POWER_SHUTDOWN);
        ck_assert_ok(r.d->ops->undefine(r.d, g.uuid, by, &err), err);
        test_guest_free(&g);
        rig_close(&r);
}

GREEN_TEST_REAL(a_spawn_that_fails_leaves_nothing)
{
        struct deadline by = deadline_in_s(60);
        struct error err = {};
        struct guest_list list;
        struct test_guest g;
        struct rig r = {};

        rig_open_embed(&r);
        test_guest_init(&g, r.root, 4);
        ck_assert_int_eq(unlink(g.disk.path), 0);
        ck_assert_fails(r.d->ops->spawn(r.d, &g.spec, by, &err), err, NOVA_LIBVIRT_ERROR);
        ck_assert_msg(strstr(err.text, "disk") != NULL, "%s", err.text);
        ck_assert_int_gt(err.sys, 0);
        ck_assert_int_eq(info_of(&r, g.uuid).power_state, POWER_NOSTATE);
        ck_assert_ok(r.d->ops->list(r.d, &list, by, &err), err);
        ck_assert_uint_eq(list.n, 0);
        guest_list_free(&list);
        ck_assert_fails(r.d->ops->start_domain(r.d, g.uuid, by, &err), err, NOVA_INSTANCE_NOT_FOUND);
        ck_assert_fails(r.d->ops->pause(r.d, g.uuid, by, &err), err, NOVA_INSTANCE_NOT_FOUND);
        test_guest_free(&g);
        rig_close(&r);
}

struct spawning {
        struct rig *r;
        const struct test_guest *g;
        struct deadline by;
        int result;
        struct error err;
};

static int spawn_it(void *arg, struct error *unused)
{
        struct spawning *s = arg;

        assert_green();
        (void)unused;
        s->result = s->r->d->ops->spawn(s->r->d, &s->g->spec, s->by, &s->err);
        return 0;
}

/* However far it had come: at once, while it defines, while QEMU starts, while it waits for the end of that.
 */
GREEN_TEST_REAL(a_spawn_that_is_given_up_leaves_nothing)
{
        static const int64_t after_ms[] = { 0, 1, 30, 150, 300 };
        struct deadline by = deadline_in_s(90);
        struct test_guest g;
        struct rig r = {};

        rig_open_embed(&r);
        test_guest_init(&g, r.root, 9);
        for (size_t i = 0; i < 2 * ARRAY_SIZE(after_ms); i++) {
                struct deadline when = deadline_in_ms(after_ms[i / 2]);
                struct spawning s = { .r = &r, .g = &g, .by = i % 2 ? by : when };
                struct error err = {};
                struct green *t = green_spawn_ref(NULL, "spawn", spawn_it, &s, &err);

                ck_assert_ptr_nonnull(t);
                if (i % 2) {
                        ck_assert_int_eq(green_sleep_until(when, &err), 0);
                        green_cancel(t);
                }
                ck_assert_ok(green_join(t, by, NULL, &err), err);
                green_unref(t);
                if (s.result == 0) { /* it was quicker */
                        ck_assert_ok(r.d->ops->power_off(r.d, g.uuid, by, &err), err);
                        ck_assert_ok(r.d->ops->undefine(r.d, g.uuid, by, &err), err);
                } else {
                        ck_assert_int_eq(s.err.code, i % 2 ? ERR_CANCELLED : ERR_TIMEOUT);
                }
                while (info_of(&r, g.uuid).power_state != POWER_NOSTATE)
                        ck_assert_int_eq(green_sleep(0.05, &err), 0);
        }
        {
                struct error err = {};

                /* And it can be spawned again: nothing of the earlier ones comes too late. */
                ck_assert_ok(r.d->ops->spawn(r.d, &g.spec, by, &err), err);
                ck_assert_ok(wait_console(&g, "GUEST up", by, &err), err);
                ck_assert_int_eq(info_of(&r, g.uuid).power_state, POWER_RUNNING);
        }
        remove_guest(&r, &g);
        test_guest_free(&g);
        rig_close(&r);
}

GREEN_TEST_REAL(a_driver_that_is_stopped_leaves_its_guests_and_another_takes_over)
{
        struct deadline by = deadline_in_s(60);
        struct error err = {};
        struct test_guest g;
        struct rig r = {};
        pid_t pid;

        rig_open_embed(&r);
        test_guest_init(&g, r.root, 10);
        ck_assert_ok(r.d->ops->spawn(r.d, &g.spec, by, &err), err);
        ck_assert_ok(wait_console(&g, "GUEST up", by, &err), err);
        pid = qemu_pid(r.root, &g);
        r.d->ops->stop(r.d);
        ck_assert_int_eq(kill(pid, 0), 0);
        rig_open_uri(&r, r.uri, 0);
        rig_connect(&r);
        ck_assert_int_eq(info_of(&r, g.uuid).power_state, POWER_RUNNING);
        ck_assert_ok(r.d->ops->shutdown(r.d, g.uuid, by, &err), err);
        expect_event(&r, VIRT_EVENT_STOPPED, g.uuid);
        remove_guest(&r, &g);
        test_guest_free(&g);
        rig_close(&r);
}

/* A handler that is slower than the guests: the queue overflows, and a RESYNC says so. */
struct slow_handler {
        struct told told;
        struct green_event go;
};

static void slow(const struct virt_event *ev, void *arg)
{
        struct slow_handler *s = arg;
        struct error err = {};

        assert_green();
        green_event_wait(&s->go, deadline_never(), &err);
        if (ev->kind == VIRT_EVENT_RESYNC || ev->kind == VIRT_EVENT_CONNECTED)
                on_told(ev, &s->told);
}

GREEN_TEST_REAL(events_that_were_lost_are_made_up_for)
{
        static const char uuid[] = "6695eb01-f6a4-8304-79aa-97f2502e193f"; /* of the domain "test" */
        const struct virt_options opt = { .connection_uri = "test:///default" };
        struct deadline by = deadline_in_s(60);
        struct green_cond changed;
        struct slow_handler s = {};
        struct virt_status status;
        struct error err = {};
        struct virt_driver *d;
        unsigned seen = 0;

        green_cond_init(&changed, "told");
        green_event_init(&s.go, "go");
        s.told.changed = &changed;
        d = virt_libvirt_new(&opt, &err);
        ck_assert_msg(d != NULL, "%s", err.text);
        d->on_event = slow;
        d->on_event_arg = &s;
        ck_assert_ok(d->ops->start(d, &err), err);
        ck_assert_ok(d->ops->wait_connected(d, by, &err), err);
        do {
                ck_assert_ok(d->ops->pause(d, uuid, by, &err), err);
                ck_assert_ok(d->ops->unpause(d, uuid, by, &err), err);
                d->ops->get_status(d, &status);
        } while (status.overflows == 0);
        green_event_set(&s.go);
        ck_assert_ok(wait_told(&s.told, &seen, VIRT_EVENT_CONNECTED, NULL, by, &err), err);
        ck_assert_ok(wait_told(&s.told, &seen, VIRT_EVENT_RESYNC, NULL, by, &err), err);
        ck_assert_uint_ge(status.calls, 4000);
        d->ops->stop(d);
}

/* A process that spawns a guest and is killed: what an agent that dies leaves behind. */
struct owner {
        pid_t pid;
        int pipe[2];
};

static int own_and_wait(void *arg, struct error *unused)
{
        struct test_guest *g = arg;
        struct error err = {};
        struct rig r = {};

        assert_green();
        (void)unused;
        rig_open_uri(&r, getenv("OWNED_URI"), 0);
        rig_connect(&r);
        ck_assert_ok(r.d->ops->spawn(r.d, &g->spec, deadline_in_s(60), &err), err);
        return green_sleep(3600, &err);
}

static void owner_start(struct owner *o, const char *uri, struct test_guest *g, const char *root)
{
        ck_assert_int_eq(setenv("OWNED_URI", uri, 1), 0);
        o->pid = fork();
        ck_assert_int_ge(o->pid, 0);
        if (o->pid == 0) {
                struct error err = {};

                hub_run(own_and_wait, g, NULL, &err);
                _exit(1);
        }
        /* Until the guest itself runs: a kill in the middle of its start is another matter. */
        for (int i = 0; i < 6000 && !console_holds(g, "GUEST up"); i++)
                usleep(10000);
        ck_assert_int_gt(qemu_pid(root, g), 0);
}

static void owner_kill(struct owner *o)
{
        int status;

        ck_assert_int_eq(kill(o->pid, SIGKILL), 0);
        ck_assert_int_eq(waitpid(o->pid, &status, 0), o->pid);
}

static int adopt(void *arg, struct error *unused)
{
        struct test_guest *g = arg;
        struct deadline by = deadline_in_s(60);
        struct error err = {};
        struct rig r = {};
        struct guest_info info;
        pid_t pid = qemu_pid(getenv("OWNED_ROOT"), g);

        assert_green();
        (void)unused;
        rig_open_uri(&r, getenv("OWNED_URI"), 0);
        rig_connect(&r);
        info = info_of(&r, g->uuid);
        ck_assert_int_eq(info.power_state, POWER_RUNNING);
        ck_assert_int_eq(kill(pid, 0), 0);
        ck_assert_int_eq(qemu_pid(getenv("OWNED_ROOT"), g), pid);
        expect_event(&r, VIRT_EVENT_RESYNC, NULL); /* 2 s after the open */
        ck_assert_ok(wait_console(g, "GUEST up", by, &err), err);
        ck_assert_ok(r.d->ops->shutdown(r.d, g->uuid, by, &err), err);
        expect_event(&r, VIRT_EVENT_STOPPED, g->uuid);
        ck_assert_ok(r.d->ops->undefine(r.d, g->uuid, by, &err), err);
        rig_close(&r);
        return 0;
}

START_TEST(guests_outlive_their_owner_and_are_adopted_by_the_next)
{
        CLEANUP(freep) char *root = NULL, *uri = virt_env_embed(&root);
        struct owner o;
        struct test_guest g;
        struct error err = {};

        ck_assert_int_eq(setenv("OWNED_ROOT", root, 1), 0);
        test_guest_init(&g, root, 5);
        owner_start(&o, uri, &g, root);
        owner_kill(&o);
        ck_assert_ok(hub_run(adopt, &g, NULL, &err), err);
        test_guest_free(&g);
}
END_TEST

static int wait_for_owner(void *arg, struct error *unused)
{
        struct owner *o = arg;
        struct error err = {};
        struct virt_status status;
        struct rig r = {};

        assert_green();
        (void)unused;
        rig_open_uri(&r, getenv("OWNED_URI"), 0);
        ck_assert_fails(r.d->ops->wait_connected(r.d, deadline_in_s(1.5), &err), err, ERR_TIMEOUT);
        r.d->ops->get_status(r.d, &status);
        ck_assert(!status.connected);
        ck_assert_ptr_nonnull(strstr(status.last_error, "another process"));
        ck_assert(status.event_gap_s > 1);
        owner_kill(o);
        rig_connect(&r); /* by itself */
        r.d->ops->get_status(r.d, &status);
        ck_assert(status.connected && status.event_gap_s == 0);
        rig_close(&r); /* while libvirt still adopts the guest: the process exits right after */
        return 0;
}

START_TEST(a_second_opener_waits_until_the_first_is_gone)
{
        CLEANUP(freep) char *root = NULL, *uri = virt_env_embed(&root);
        struct owner o;
        struct test_guest g;
        struct error err = {};

        test_guest_init(&g, root, 6);
        owner_start(&o, uri, &g, root);
        ck_assert_ok(hub_run(wait_for_owner, &o, NULL, &err), err);
        test_guest_free(&g);
}
END_TEST

/* As it looks when the owner is killed in the few milliseconds before QEMU has a process. */
GREEN_TEST_REAL(status_files_without_a_process_are_removed_before_the_open)
{
        static const char status[] = "<domstatus state='paused' reason='starting up' pid='0'>\n"
                                     "<domain type='qemu' id='1'><name>instance-00000007</name></domain>\n"
                                     "</domstatus>\n";
        CLEANUP(freep) char *run = NULL, *qemu = NULL, *file = NULL;
        struct error err = {};
        struct guest_list list;
        struct rig r = {};
        FILE *f;

        r.uri = virt_env_embed(&r.root);
        run = xasprintf("%s/run", r.root);
        qemu = xasprintf("%s/run/qemu", r.root);
        file = xasprintf("%s/run/qemu/instance-00000007.xml", r.root);
        ck_assert_int_eq(mkdir(run, 0755) | mkdir(qemu, 0755), 0);
        f = fopen(file, "w");
        ck_assert_ptr_nonnull(f);
        fputs(status, f);
        ck_assert_int_eq(fclose(f), 0);
        rig_open_uri(&r, r.uri, 0);
        rig_connect(&r);
        ck_assert_int_eq(access(file, F_OK), -1);
        ck_assert_ok(r.d->ops->list(r.d, &list, deadline_in_s(10), &err), err);
        ck_assert_uint_eq(list.n, 0);
        guest_list_free(&list);
        rig_close(&r);
}

/* libvirt's own test driver: no processes, and it takes what real ones take. */
GREEN_TEST_REAL(the_test_driver_of_libvirt_works_too)
{
        struct deadline by = deadline_in_s(30);
        struct host_info host;
        struct error err = {};
        struct guest_list list;
        struct test_guest g;
        struct rig r = {};
        char *path;

        r.root = xasprintf("%s/none", virt_env_dir());
        ck_assert_int_eq(mkdir(r.root, 0755), 0);
        rig_open_uri(&r, "test:///default", 0);
        rig_connect(&r);
        ck_assert_ok(r.d->ops->get_host_info(r.d, &host, by, &err), err);
        ck_assert_str_eq(host.hypervisor_type, "TEST");
        ck_assert_int_gt(host.vcpus, 0);
        ck_assert_int_eq(host.memory_mb, 3145728 / 1024);
        ck_assert_ptr_nonnull(strstr(host.supported_instances, "\"test\",\"hvm\""));
        ck_assert_ptr_nonnull(strstr(host.cpu_info, "\"arch\":\"i686\""));
        host_info_free(&host);
        ck_assert_ok(r.d->ops->list(r.d, &list, by, &err), err);
        ck_assert_uint_eq(list.n, 1);
        ck_assert_str_eq(list.items[0].name, "test");
        ck_assert_int_eq(list.items[0].power_state, POWER_RUNNING);
        guest_list_free(&list);

        test_guest_init(&g, r.root, 8);
        ck_assert_ok(r.d->ops->spawn(r.d, &g.spec, by, &err), err);
        expect_event(&r, VIRT_EVENT_STARTED, g.uuid);
        ck_assert_ok(r.d->ops->pause(r.d, g.uuid, by, &err), err);
        expect_event(&r, VIRT_EVENT_PAUSED, g.uuid);
        ck_assert_ok(r.d->ops->unpause(r.d, g.uuid, by, &err), err);
        expect_event(&r, VIRT_EVENT_RESUMED, g.uuid);
        ck_assert_ok(r.d->ops->shutdown(r.d, g.uuid, by, &err), err);
        expect_event(&r, VIRT_EVENT_STOPPED, g.uuid);
        ck_assert_ok(r.d->ops->hard_reboot(r.d, &g.spec, by, &err), err);
        expect_event(&r, VIRT_EVENT_STARTED, g.uuid);
        ck_assert_ok(r.d->ops->console_path(r.d, g.uuid, &path, by, &err), err);
        ck_assert_str_eq(path, g.spec.console_log);
        free(path);
        remove_guest(&r, &g);
        test_guest_free(&g);
        rig_close(&r);
}

/* ---- looking at a guest from outside ---- */

/* Who listens there speaks VNC. */
static bool speaks_vnc(int port)
{
        const struct sockaddr_in to = {
                .sin_family = AF_INET,
                .sin_port = htons((uint16_t)port),
                .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
        };
        const struct timeval patience = { .tv_sec = 10 };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        char hello[4] = "";
        bool is_vnc;

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
        is_vnc = connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0 &&
                 recv(fd, hello, sizeof(hello), MSG_WAITALL) == (ssize_t)sizeof(hello) &&
                 memcmp(hello, "RFB ", sizeof(hello)) == 0;
        close(fd);
        return is_vnc;
}

static bool counts_memory(const struct guest_usage *u, const char *name)
{
        for (unsigned i = 0; i < u->n_memory; i++)
                if (strcmp(u->memory[i].name, name) == 0)
                        return u->memory[i].value > 0;
        return false;
}

GREEN_TEST_REAL(a_running_guest_has_a_screen_counters_and_takes_an_nmi)
{
        struct deadline by = deadline_in_s(60);
        struct error err = {};
        struct guest_usage usage = {};
        struct test_guest g;
        struct rig r = { .vnc_listen = "127.0.0.1" };
        struct guest_job job = { .total_bytes = 1 };
        int port = 0;

        rig_open_embed(&r);
        test_guest_init(&g, r.root, 11);
        ck_assert_ok(r.d->ops->spawn(r.d, &g.spec, by, &err), err);
        ck_assert_ok(wait_console(&g, "GUEST up", by, &err), err);

        ck_assert_ok(r.d->ops->vnc_port(r.d, g.uuid, &port, by, &err), err);
        ck_assert_int_ge(port, 5900);
        ck_assert(speaks_vnc(port));

        ck_assert_ok(r.d->ops->get_usage(r.d, g.uuid, &usage, by, &err), err);
        ck_assert_uint_eq(usage.n_cpus, (unsigned)g.spec.vcpus);
        ck_assert_int_eq(usage.cpus[0].id, 0);
        ck_assert_int_gt(usage.cpus[0].time_ns, 0);
        ck_assert_int_eq(usage.memory_max_kb, g.spec.memory_mb * 1024);
        ck_assert_int_eq(usage.memory_kb, g.spec.memory_mb * 1024);
        ck_assert(counts_memory(&usage, "rss"));
        ck_assert(counts_memory(&usage, "actual"));
        ck_assert_uint_eq(usage.n_disks, 1);
        ck_assert_str_eq(usage.disks[0].target, g.disk.target);
        ck_assert_int_ge(usage.disks[0].read_bytes, 512); /* its boot sector */
        ck_assert_int_gt(usage.disks[0].read_requests, 0);
        ck_assert_uint_eq(usage.n_nics, 0);
        guest_usage_free(&usage);
        ck_assert_ok(r.d->ops->get_job(r.d, g.uuid, &job, by, &err), err);
        ck_assert_int_eq(job.total_bytes, 0); /* nothing is under way */

        ck_assert_ok(r.d->ops->inject_nmi(r.d, g.uuid, by, &err), err);
        ck_assert_int_eq(info_of(&r, g.uuid).power_state, POWER_RUNNING);

        ck_assert_ok(r.d->ops->power_off(r.d, g.uuid, by, &err), err);
        ck_assert_ok(r.d->ops->vnc_port(r.d, g.uuid, &port, by, &err), err);
        ck_assert_int_eq(port, -1);
        ck_assert_fails(r.d->ops->inject_nmi(r.d, g.uuid, by, &err), err, NOVA_INSTANCE_NOT_RUNNING);
        remove_guest(&r, &g);
        ck_assert_fails(r.d->ops->vnc_port(r.d, g.uuid, &port, by, &err), err, NOVA_INSTANCE_NOT_FOUND);
        ck_assert_fails(r.d->ops->get_usage(r.d, g.uuid, &usage, by, &err), err, NOVA_INSTANCE_NOT_FOUND);
        ck_assert_fails(r.d->ops->get_job(r.d, g.uuid, &job, by, &err), err, NOVA_INSTANCE_NOT_FOUND);
        ck_assert_fails(r.d->ops->inject_nmi(r.d, g.uuid, by, &err), err, NOVA_INSTANCE_NOT_FOUND);
        test_guest_free(&g);
        rig_close(&r);
}

GREEN_TEST_REAL(a_guest_without_a_screen_has_no_port)
{
        struct deadline by = deadline_in_s(30);
        struct error err = {};
        struct guest_usage usage = {};
        struct test_guest g;
        struct rig r = {};
        int port;

        r.root = xasprintf("%s/little", virt_env_dir());
        ck_assert_int_eq(mkdir(r.root, 0755), 0);
        rig_open_uri(&r, "test:///default", 0);
        rig_connect(&r);
        test_guest_init(&g, r.root, 12);
        ck_assert_ok(r.d->ops->spawn(r.d, &g.spec, by, &err), err);
        ck_assert_ok(r.d->ops->get_usage(r.d, g.uuid, &usage, by, &err), err);
        ck_assert_int_eq(usage.memory_max_kb, g.spec.memory_mb * 1024);
        ck_assert_uint_eq(usage.n_cpus, (unsigned)g.spec.vcpus);
        guest_usage_free(&usage);
        ck_assert_fails(r.d->ops->vnc_port(r.d, g.uuid, &port, by, &err), err, NOVA_CONSOLE_TYPE_UNAVAILABLE);
        ck_assert_ok(r.d->ops->inject_nmi(r.d, g.uuid, by, &err), err);
        remove_guest(&r, &g);
        test_guest_free(&g);
        rig_close(&r);
}

/* The kernel's own sum over NUMA nodes, which can be less than /proc/meminfo says inside a container. */
static int64_t memory_by_nodes_mb(void)
{
        int64_t kib = 0;

        for (int node = 0;; node++) {
                CLEANUP(freep) char *path = xasprintf("/sys/devices/system/node/node%d/meminfo", node);
                FILE *f = fopen(path, "r");
                long long total = 0;

                if (!f)
                        return kib / 1024;
                ck_assert_int_eq(fscanf(f, "Node %*d MemTotal: %lld kB", &total), 1);
                fclose(f);
                kib += total;
        }
}

GREEN_TEST_REAL(the_host_is_described_as_nova_does)
{
        struct deadline by = deadline_in_s(30);
        struct error err = {};
        struct virt_status status;
        struct host_info host;
        struct rig r = {};
        char name[256];

        rig_open_embed(&r);
        ck_assert_ok(r.d->ops->get_host_info(r.d, &host, by, &err), err);
        ck_assert_int_eq(gethostname(name, sizeof(name)), 0);
        ck_assert_int_eq(strncmp(host.hostname, name, strcspn(name, ".")), 0);
        ck_assert_str_eq(host.hypervisor_type, "QEMU");
        ck_assert_int_ge(host.hypervisor_version, 7000000);
        ck_assert_int_ge(host.libvirt_version, 9000000);
        ck_assert_int_eq(host.vcpus, sysconf(_SC_NPROCESSORS_ONLN));
        ck_assert_int_eq(host.memory_mb, memory_by_nodes_mb());
        ck_assert_ptr_nonnull(strstr(host.supported_instances, "[\"x86_64\",\"qemu\",\"hvm\"]"));
        ck_assert_ptr_nonnull(strstr(host.cpu_info, "\"features\":[\""));
        r.d->ops->get_status(r.d, &status);
        ck_assert_ptr_null(status.lacks);
        host_info_free(&host);
        rig_close(&r);
}

GREEN_TEST_REAL(a_virt_type_that_the_hypervisor_lacks_is_told_by_its_status)
{
        struct deadline by = deadline_in_s(60);
        struct virt_status status;
        struct error err = {};
        struct host_info host;
        struct rig r = { .virt_type = "xen" };

        rig_open_embed(&r);
        r.d->ops->get_status(r.d, &status);
        ck_assert_ptr_null(status.lacks); /* it was not asked yet */
        ck_assert_ok(r.d->ops->get_host_info(r.d, &host, by, &err), err);
        r.d->ops->get_status(r.d, &status);
        ck_assert(status.connected);
        ck_assert_str_eq(status.lacks, "xen");
        host_info_free(&host);
        rig_close(&r);
}

static int run_suite(void)
{
        const TTest *const tests[] = {
                a_guest_boots_prints_and_obeys_its_power_button,
                pause_suspend_reboot_and_start_again,
                a_killed_qemu_is_told_at_once,
                a_spawn_that_fails_leaves_nothing,
                a_spawn_that_is_given_up_leaves_nothing,
                a_driver_that_is_stopped_leaves_its_guests_and_another_takes_over,
                events_that_were_lost_are_made_up_for,
                guests_outlive_their_owner_and_are_adopted_by_the_next,
                a_second_opener_waits_until_the_first_is_gone,
                status_files_without_a_process_are_removed_before_the_open,
                the_test_driver_of_libvirt_works_too,
                a_running_guest_has_a_screen_counters_and_takes_an_nmi,
                a_guest_without_a_screen_has_no_port,
                the_host_is_described_as_nova_does,
                a_virt_type_that_the_hypervisor_lacks_is_told_by_its_status,
        };

        return virt_env_suite("virt", tests, ARRAY_SIZE(tests));
}

int main(void)
{
        return virt_env_main(run_suite);
}
