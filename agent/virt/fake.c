/*
 * agent/virt/fake.c: a hypervisor in memory.
 *
 * Guests are a list; events go through a queue and one green thread as with the real one, so a handler that
 * waits delays the events after it and nothing else. What tests ordered for the next call of an operation is
 * a list of plans, looked at when the call begins.
 */
#include "virt/fake_priv.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

static const char *const op_names[FAKE_OPS] = {
        "wait_connected", "get_host_info", "list",      "get_info",   "spawn",     "hard_reboot", "power_off",
        "shutdown",       "start_domain",  "plug",      "pause",      "unpause",   "suspend",     "undefine",
        "console_path",   "vnc_port",      "get_usage", "inject_nmi", "abort_job", "get_job",
};

struct fake *fake_of(const struct virt_driver *d)
{
        return CONTAINER_OF(d, struct fake, base);
}

unsigned fake_op_index(const char *op)
{
        for (unsigned i = 0; i < ARRAY_SIZE(op_names); i++)
                if (strcmp(op_names[i], op) == 0)
                        return i;
        fprintf(stderr, "virt_fake: there is no operation \"%s\"\n", op);
        abort();
}

const char *fake_op_name(unsigned index)
{
        return op_names[index];
}

struct fake_guest *fake_find(const struct fake *f, const char *uuid)
{
        list_for_each (n, &f->guests) {
                struct fake_guest *g = CONTAINER_OF(n, struct fake_guest, link);

                if (strcmp(g->info.uuid, uuid) == 0)
                        return g;
        }
        return NULL;
}

void fake_send_event(struct fake *f, const char *uuid, enum virt_event_kind kind)
{
        struct queued_event *q = NEW(struct queued_event);

        q->ev.kind = kind;
        snprintf(q->ev.uuid, sizeof(q->ev.uuid), "%s", uuid);
        list_append(&f->events, &q->link);
        green_cond_broadcast(&f->changed);
}

static int feed(void *arg, struct error *err)
{
        struct fake *f = arg;

        assert_green();
        for (;;) {
                struct list *n = list_pop(&f->events);

                if (n) {
                        struct queued_event *q = CONTAINER_OF(n, struct queued_event, link);

                        f->delivering = true;
                        f->n_events++;
                        if (f->base.on_event)
                                f->base.on_event(&q->ev, f->base.on_event_arg);
                        free(q);
                        f->delivering = false;
                        green_cond_broadcast(&f->changed);
                } else if (f->stopping) {
                        return 0;
                } else if (green_cond_wait(&f->changed, deadline_never(), err) < 0) {
                        return -1;
                }
        }
}

/* ---- what each call begins with ---- */

static int YIELDS follow_plan(struct fake *f, struct plan *p, struct deadline by, struct error *err)
{
        struct plan now = *p;

        free(p);
        switch (now.kind) {
        case PLAN_FAIL:
                return error_set(err, now.code, "%s", now.text);
        case PLAN_HANG:
                if (green_sleep_until(by, err) < 0)
                        return -1;
                f->n_timeouts++;
                return error_set(err, ERR_TIMEOUT, "%s did not come back in time", now.op);
        case PLAN_SLOW:
                if (deadline_in_s(now.seconds).ns > by.ns) {
                        if (green_sleep_until(by, err) < 0)
                                return -1;
                        f->n_timeouts++;
                        return error_set(err, ERR_TIMEOUT, "%s did not come back in time", now.op);
                }
                return green_sleep(now.seconds, err);
        }
        return 0;
}

static int YIELDS begin(struct fake *f, const char *op, struct deadline by, struct error *err)
{
        f->calls[fake_op_index(op)]++;
        f->n_calls++;
        green_yield();
        if (green_cancelled())
                return error_set(err, ERR_CANCELLED, "%s was cancelled", op);
        if (!f->connected)
                return error_set(err, NOVA_HYPERVISOR_UNAVAILABLE, "no connection to the hypervisor");
        list_for_each (n, &f->plans) {
                struct plan *p = CONTAINER_OF(n, struct plan, link);

                if (strcmp(p->op, op) == 0) {
                        list_remove(&p->link);
                        return follow_plan(f, p, by, err);
                }
        }
        return 0;
}

static int not_found(const char *uuid, struct error *err)
{
        return error_set(err, NOVA_INSTANCE_NOT_FOUND, "no domain with uuid %s", uuid);
}

static bool is_active(const struct fake_guest *g)
{
        return g->info.id >= 0;
}

void fake_go_on(struct fake *f, struct fake_guest *g)
{
        g->info.power_state = POWER_RUNNING;
        g->info.id = ++f->next_id;
        fake_send_event(f, g->info.uuid, VIRT_EVENT_STARTED);
}

void fake_go_off(struct fake *f, struct fake_guest *g, enum power_state state)
{
        g->info.power_state = state;
        g->info.id = -1;
        fake_send_event(f, g->info.uuid, VIRT_EVENT_STOPPED);
}

struct fake_guest *fake_add(struct fake *f, const char *uuid, const char *name)
{
        struct fake_guest *g = NEW(struct fake_guest);

        snprintf(g->info.uuid, sizeof(g->info.uuid), "%s", uuid);
        snprintf(g->info.name, sizeof(g->info.name), "%s", name);
        g->info.power_state = POWER_SHUTDOWN;
        g->info.id = -1;
        list_append(&f->guests, &g->link);
        return g;
}

static void drop(struct fake_guest *g)
{
        list_remove(&g->link);
        guest_spec_free(&g->spec);
        free(g);
}

/* ---- the operations ---- */

static int fake_start(struct virt_driver *d, struct error *err)
{
        struct fake *f = fake_of(d);

        assert_on_hub();
        f->feeder = green_spawn_ref(NULL, "virt-events", feed, f, err);
        if (!f->feeder)
                return -1;
        f->started = true;
        fake_send_event(f, "", VIRT_EVENT_CONNECTED);
        return 0;
}

static int fake_wait_connected(struct virt_driver *d, struct deadline by, struct error *err)
{
        struct fake *f = fake_of(d);

        assert_green();
        f->calls[fake_op_index("wait_connected")]++;
        while (!f->connected)
                if (green_cond_wait(&f->changed, by, err) < 0)
                        return -1;
        return 0;
}

static void fake_stop(struct virt_driver *d)
{
        struct fake *f = fake_of(d);
        struct error ignored = {};
        struct list *n;

        assert_green();
        f->stopping = true;
        if (f->started) {
                green_shield_begin();
                green_cond_broadcast(&f->changed);
                green_join(f->feeder, deadline_never(), NULL, &ignored);
                green_shield_end();
                green_unref(f->feeder);
        }
        while ((n = list_pop(&f->guests)))
                drop(CONTAINER_OF(n, struct fake_guest, link));
        while ((n = list_pop(&f->plans)))
                free(CONTAINER_OF(n, struct plan, link));
        while ((n = list_pop(&f->events)))
                free(CONTAINER_OF(n, struct queued_event, link));
        free(f);
}

static int fake_host_info(struct virt_driver *d, struct host_info *ret, struct deadline by, struct error *err)
{
        struct fake *f = fake_of(d);
        struct host_info h = { .hypervisor_type = "QEMU",
                               .hypervisor_version = f->qemu_version,
                               .libvirt_version = f->libvirt_version };

        assert_green();
        if (begin(f, "get_host_info", by, err) < 0)
                return -1;
        h.vcpus = f->vcpus;
        h.memory_mb = f->memory_mb;
        memcpy(h.hostname, f->hostname, sizeof(h.hostname));
        h.cpu_info = xstrdup("{\"arch\": \"x86_64\", \"model\": \"qemu64\", \"vendor\": \"Fake\", "
                             "\"topology\": {\"cells\": 1, \"sockets\": 1, \"cores\": 8, \"threads\": 1}, "
                             "\"features\": []}");
        h.supported_instances = xstrdup("[[\"x86_64\", \"qemu\", \"hvm\"]]");
        h.cpu_features = xstrdup("sse avx2 svm ");
        h.plain_cpu_features = xstrdup("sse mmx ");
        h.disk_buses = xstrdup("virtio fdc ");
        h.video_models = xstrdup("virtio ");
        *ret = h;
        return 0;
}

static int fake_list(struct virt_driver *d, struct guest_list *ret, struct deadline by, struct error *err)
{
        struct fake *f = fake_of(d);
        struct guest_list l = {};
        unsigned n = 0;

        assert_green();
        if (begin(f, "list", by, err) < 0)
                return -1;
        list_for_each (pos, &f->guests)
                n++;
        l.items = xcalloc(n, sizeof(*l.items));
        list_for_each (pos, &f->guests)
                l.items[l.n++] = CONTAINER_OF(pos, struct fake_guest, link)->info;
        *ret = l;
        return 0;
}

static int fake_get_info(struct virt_driver *d, const char *uuid, struct guest_info *ret, struct deadline by,
                         struct error *err)
{
        struct fake *f = fake_of(d);
        struct fake_guest *g;

        assert_green();
        if (begin(f, "get_info", by, err) < 0)
                return -1;
        g = fake_find(f, uuid);
        *ret = (struct guest_info){ .power_state = POWER_NOSTATE, .id = -1 };
        snprintf(ret->uuid, sizeof(ret->uuid), "%s", uuid);
        if (g)
                *ret = g->info;
        return 0;
}

static int fake_spawn(struct virt_driver *d, const struct guest_spec *spec, struct deadline by,
                      struct error *err)
{
        struct fake *f = fake_of(d);
        struct fake_guest *g;

        assert_green();
        if (begin(f, "spawn", by, err) < 0)
                return -1;
        g = fake_find(f, spec->uuid);
        if (g && is_active(g))
                return error_set(err, NOVA_LIBVIRT_ERROR, "domain %s is already active", spec->name);
        if (!g)
                g = fake_add(f, spec->uuid, spec->name);
        guest_spec_copy(&g->spec, spec);
        fake_go_on(f, g);
        return 0;
}

static int fake_hard_reboot(struct virt_driver *d, const struct guest_spec *spec, struct deadline by,
                            struct error *err)
{
        struct fake *f = fake_of(d);
        struct fake_guest *g;

        assert_green();
        if (begin(f, "hard_reboot", by, err) < 0)
                return -1;
        g = fake_find(f, spec->uuid);
        if (g && is_active(g))
                fake_go_off(f, g, POWER_SHUTDOWN);
        if (!g)
                g = fake_add(f, spec->uuid, spec->name);
        guest_spec_copy(&g->spec, spec);
        fake_go_on(f, g);
        return 0;
}

static int fake_power_off(struct virt_driver *d, const char *uuid, struct deadline by, struct error *err)
{
        struct fake *f = fake_of(d);
        struct fake_guest *g;

        assert_green();
        if (begin(f, "power_off", by, err) < 0)
                return -1;
        g = fake_find(f, uuid);
        if (g && is_active(g))
                fake_go_off(f, g, POWER_SHUTDOWN);
        return 0;
}

static int fake_shutdown(struct virt_driver *d, const char *uuid, struct deadline by, struct error *err)
{
        struct fake *f = fake_of(d);
        struct fake_guest *g;

        assert_green();
        if (begin(f, "shutdown", by, err) < 0)
                return -1;
        g = fake_find(f, uuid);
        if (!g)
                return not_found(uuid, err);
        if (!is_active(g))
                return error_set(err, NOVA_LIBVIRT_ERROR, "domain is not running");
        if (!g->ignores_acpi)
                fake_go_off(f, g, POWER_SHUTDOWN);
        return 0;
}

static int fake_start_domain(struct virt_driver *d, const char *uuid, struct deadline by, struct error *err)
{
        struct fake *f = fake_of(d);
        struct fake_guest *g;

        assert_green();
        if (begin(f, "start_domain", by, err) < 0)
                return -1;
        g = fake_find(f, uuid);
        if (!g)
                return not_found(uuid, err);
        if (!is_active(g))
                fake_go_on(f, g);
        return 0;
}

static int fake_plug(struct virt_driver *d, const struct guest_spec *spec, struct deadline by,
                     struct error *err)
{
        assert_green();
        return begin(fake_of(d), "plug", by, err);
}

static int YIELDS set_running(struct virt_driver *d, const char *op, const char *uuid, enum power_state state,
                              enum virt_event_kind kind, struct deadline by, struct error *err)
{
        struct fake *f = fake_of(d);
        struct fake_guest *g;

        if (begin(f, op, by, err) < 0)
                return -1;
        g = fake_find(f, uuid);
        if (!g)
                return not_found(uuid, err);
        if (!is_active(g))
                return error_set(err, NOVA_LIBVIRT_ERROR, "domain is not running");
        if (g->info.power_state != state) {
                g->info.power_state = state;
                fake_send_event(f, uuid, kind);
        }
        return 0;
}

static int fake_pause(struct virt_driver *d, const char *uuid, struct deadline by, struct error *err)
{
        assert_green();
        return set_running(d, "pause", uuid, POWER_PAUSED, VIRT_EVENT_PAUSED, by, err);
}

static int fake_unpause(struct virt_driver *d, const char *uuid, struct deadline by, struct error *err)
{
        assert_green();
        return set_running(d, "unpause", uuid, POWER_RUNNING, VIRT_EVENT_RESUMED, by, err);
}

static int fake_suspend(struct virt_driver *d, const char *uuid, struct deadline by, struct error *err)
{
        struct fake *f = fake_of(d);
        struct fake_guest *g;

        assert_green();
        if (begin(f, "suspend", by, err) < 0)
                return -1;
        g = fake_find(f, uuid);
        if (!g)
                return not_found(uuid, err);
        if (!is_active(g))
                return error_set(err, NOVA_LIBVIRT_ERROR, "domain is not running");
        fake_go_off(f, g, POWER_SHUTDOWN);
        return 0;
}

static int fake_undefine(struct virt_driver *d, const char *uuid, struct deadline by, struct error *err)
{
        struct fake *f = fake_of(d);
        struct fake_guest *g;

        assert_green();
        if (begin(f, "undefine", by, err) < 0)
                return -1;
        g = fake_find(f, uuid);
        if (g && is_active(g))
                return error_set(err, NOVA_LIBVIRT_ERROR, "cannot undefine a domain that runs");
        if (g)
                drop(g);
        return 0;
}

static int fake_console_path(struct virt_driver *d, const char *uuid, char **ret, struct deadline by,
                             struct error *err)
{
        struct fake *f = fake_of(d);
        struct fake_guest *g;

        assert_green();
        if (begin(f, "console_path", by, err) < 0)
                return -1;
        g = fake_find(f, uuid);
        if (!g)
                return not_found(uuid, err);
        if (!g->spec.console_log)
                return error_set(err, NOVA_CONSOLE_NOT_AVAILABLE, "guest %s has no console log", uuid);
        *ret = xstrdup(g->spec.console_log);
        return 0;
}

/* An active guest by its uuid; NULL: err says what is wrong with it. */
static struct fake_guest *YIELDS begin_active(struct virt_driver *d, const char *op, const char *uuid,
                                              struct deadline by, struct error *err)
{
        struct fake_guest *g;

        if (begin(fake_of(d), op, by, err) < 0)
                return NULL;
        g = fake_find(fake_of(d), uuid);
        if (!g)
                not_found(uuid, err);
        else if (!is_active(g))
                error_set(err, NOVA_INSTANCE_NOT_RUNNING, "domain is not running");
        return g && is_active(g) ? g : NULL;
}

static int fake_vnc_port(struct virt_driver *d, const char *uuid, int *ret, struct deadline by,
                         struct error *err)
{
        struct fake *f = fake_of(d);
        struct fake_guest *g;

        assert_green();
        if (begin(f, "vnc_port", by, err) < 0)
                return -1;
        g = fake_find(f, uuid);
        if (!g)
                return not_found(uuid, err);
        if (g->no_display)
                return error_set(err, NOVA_CONSOLE_TYPE_UNAVAILABLE, "guest %s has no VNC display", uuid);
        *ret = is_active(g) ? 5900 + g->info.id : -1;
        return 0;
}

/* Made up, and the same each time: a test knows them. */
static int fake_get_usage(struct virt_driver *d, const char *uuid, struct guest_usage *ret,
                          struct deadline by, struct error *err)
{
        struct fake_guest *g;

        assert_green();
        g = begin_active(d, "get_usage", uuid, by, err);
        if (!g)
                return -1;
        *ret = (struct guest_usage){
                .memory_max_kb = 2 << 20,
                .memory_kb = 1 << 20,
                .cpus = NEW(struct guest_cpu_usage),
                .disks = NEW(struct guest_disk_usage),
                .nics = xcalloc(2, sizeof(struct guest_nic_usage)),
                .memory = { { "actual", 65536 }, { "rss", 123456 } },
                .n_cpus = 1,
                .n_disks = 1,
                .n_nics = 2,
                .n_memory = 2,
        };
        ret->cpus[0].time_ns = 1700000000;
        ret->disks[0] = (struct guest_disk_usage){ xstrdup("vda"), 1, 512, 2, 1024, -1 };
        ret->nics[0] = (struct guest_nic_usage){
                xstrdup("fa:16:3e:75:7b:15"), xstrdup("tap0"), 90, 1, 0, 3, 300, 5, 0, 4
        };
        ret->nics[1] = (struct guest_nic_usage){ .mac = xstrdup("fa:16:3e:00:00:01"), .target = xstrdup("") };
        return 0;
}

/* A guest that is asked about is half way. */
static int fake_get_job(struct virt_driver *d, const char *uuid, struct guest_job *ret, struct deadline by,
                        struct error *err)
{
        assert_green();
        if (!begin_active(d, "get_job", uuid, by, err))
                return -1;
        *ret = (struct guest_job){ 32 << 20, 64 << 20 };
        return 0;
}

static int fake_abort_job(struct virt_driver *d, const char *uuid, struct deadline by, struct error *err)
{
        assert_green();
        return begin(fake_of(d), "abort_job", by, err);
}

static int fake_inject_nmi(struct virt_driver *d, const char *uuid, struct deadline by, struct error *err)
{
        assert_green();
        return begin_active(d, "inject_nmi", uuid, by, err) ? 0 : -1;
}

static void fake_get_status(struct virt_driver *d, struct virt_status *ret)
{
        struct fake *f = fake_of(d);

        assert_on_hub();
        *ret = (struct virt_status){ .connected = f->connected,
                                     .lacks = f->lacks,
                                     .uri = "fake:///",
                                     .events = f->n_events,
                                     .reconnects = f->n_reconnects,
                                     .calls = f->n_calls,
                                     .timeouts = f->n_timeouts,
                                     .last_event_s = -1 };
}

static void fake_foreach_worker(struct virt_driver *d,
                                void (*fn)(const char *doing, const char *what, double since_s, bool hung,
                                           void *arg),
                                void *arg)
{
        (void)d;
        (void)fn;
        (void)arg;
}

static const struct virt_driver_ops fake_ops = {
        .name = "fake",
        .start = fake_start,
        .wait_connected = fake_wait_connected,
        .stop = fake_stop,
        .get_host_info = fake_host_info,
        .list = fake_list,
        .get_info = fake_get_info,
        .spawn = fake_spawn,
        .hard_reboot = fake_hard_reboot,
        .power_off = fake_power_off,
        .shutdown = fake_shutdown,
        .start_domain = fake_start_domain,
        .plug = fake_plug,
        .pause = fake_pause,
        .unpause = fake_unpause,
        .suspend = fake_suspend,
        .undefine = fake_undefine,
        .console_path = fake_console_path,
        .vnc_port = fake_vnc_port,
        .get_usage = fake_get_usage,
        .inject_nmi = fake_inject_nmi,
        .abort_job = fake_abort_job,
        .get_job = fake_get_job,
        .get_status = fake_get_status,
        .foreach_worker = fake_foreach_worker,
};

struct virt_driver *virt_fake_new(void)
{
        struct fake *f = NEW(struct fake);

        f->base.ops = &fake_ops;
        list_init(&f->guests);
        list_init(&f->plans);
        list_init(&f->events);
        green_cond_init(&f->changed, "fake hypervisor");
        f->connected = true;
        virt_fake_set_host(&f->base, "fake-host", 8, 16384);
        virt_fake_set_versions(&f->base, 9000000, 7002000);
        return &f->base;
}
