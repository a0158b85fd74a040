/* tests/unit/agent/admin_world.c: see admin_world.h. */
#include "admin_world.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compute/tracker.h"
#include "messaging/rpc_client.h"
#include "native/stall_watcher.h"
#include "native/tpool.h"
#include "periodic.h"
#include "private_dir.h"

struct world w;

static void fill_conf(void)
{
        w.conf = (struct conf){
                .transport_url = xstrdup("rabbit://broker/"),
                .host = xstrdup("node-1"),
                .instance_name_template = xstrdup("instance-%08x"),
                .heartbeat_file_path = xstrdup(w.dir),
                .heartbeat_file_name = xstrdup("beat"),
                .heartbeat_interval = 10,
                .service_down_time = 60,
                .log_file = xstrdup(""),
                .log_level = xstrdup("info"),
                .default_log_levels = xstrdup(""),
                .libvirt.connection_uri = xstrdup("test:///default"),
                .images.source = xstrdup("local"),
                .periodic_enable = true,
                .hub.stall_threshold_ms = 100,
        };
}

void YIELDS start(void)
{
        struct rpc_server_options opt = { .endpoints = w.endpoints, .target.topic = "compute" };
        struct admin_sources *s = &w.sources;
        struct error err = {};
        char url[96];

        snprintf(w.dir, sizeof(w.dir), "%s/XXXXXX", private_dir);
        ck_assert_ptr_nonnull(mkdtemp(w.dir));
        fill_conf();
        snprintf(url, sizeof(url), "unix:%s/rpc", w.dir);
        w.n_running = 1;
        w.rival_age = -1;
        s->conf = &w.conf;
        s->store = &w.store;
        s->ready = true;
        s->started_ns = clock_now_ns();
        s->driver = virt_fake_new();
        ck_assert_ok(s->driver->ops->start(s->driver, &err), err);
        s->tpool = tpool_new("workers", 2, &err);
        s->transport = opt.transport = transport_new(url, &err);
        w.endpoints[0] = admin_endpoint;
        w.endpoints[0].app = s;
        s->rpc = rpc_server_new(&opt, &err);
        ck_assert_ok(rpc_server_start(s->rpc, &err), err);
        w.client = rpc_client_connect(url + strlen("unix:"), deadline_in_s(5), &err);
        ck_assert_msg(w.client != NULL, "%s", err.text);
}

void YIELDS finish(void)
{
        struct admin_sources *s = &w.sources;

        rpc_client_free(w.client);
        rpc_server_free(s->rpc);
        transport_free(s->transport);
        s->driver->ops->stop(s->driver);
        ck_assert_uint_eq(tpool_close(s->tpool, deadline_in_s(5)), 0);
        free(w.conf.host);
        free(w.conf.transport_url);
        free(w.conf.instance_name_template);
        free(w.conf.heartbeat_file_path);
        free(w.conf.heartbeat_file_name);
        free(w.conf.log_file);
        free(w.conf.log_level);
        free(w.conf.default_log_levels);
        free(w.conf.libvirt.connection_uri);
        free(w.conf.images.source);
}

int YIELDS call(const char *method, const char *args, struct jval **ret, struct error *err)
{
        struct jval CLEANUP(jval_unrefp) *a = jval_parse(args, strlen(args), err);

        ck_assert_msg(a != NULL, "%s", err->text);
        return rpc_client_call(w.client, "admin", "1.0", method, a, NULL, deadline_in_s(30), ret, err);
}

struct jval *YIELDS ask(const char *method)
{
        struct jval *answer = NULL;
        struct error err = {};

        ck_assert_ok(call(method, "{}", &answer, &err), err);
        return answer;
}

const char *text_at(const struct jval *list, size_t i, const char *key)
{
        return jval_get_text(jval_at(list, i), key, "(none)");
}

const struct jval *find(const struct jval *list, const char *key, const char *value)
{
        for (size_t i = 0; i < jval_len(list); i++) {
                if (strcmp(text_at(list, i, key), value) == 0)
                        return jval_at(list, i);
        }
        return NULL;
}

void beat(double age_s)
{
        char path[96];
        struct timespec now, times[2];
        FILE *f;

        snprintf(path, sizeof(path), "%s/beat", w.dir);
        f = fopen(path, "we");
        ck_assert_ptr_nonnull(f);
        fclose(f);
        clock_gettime(CLOCK_REALTIME, &now);
        times[0] = times[1] = (struct timespec){ now.tv_sec - (time_t)age_s, now.tv_nsec };
        ck_assert_int_eq(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* ---- in place of the database, the manager and the stall watcher ---- */

static struct instance *row(const char *uuid, int64_t id, const char *name)
{
        struct instance *i = instance_new();

        memcpy(i->uuid, uuid, sizeof(i->uuid));
        i->id = id;
        i->display_name = xstrdup(name);
        i->vm_state = VM_ACTIVE;
        i->power_state = POWER_RUNNING;
        return i;
}

int store_instances_of_host(struct store *s, struct instance_list *ret, struct deadline by, struct error *err)
{
        (void)s, (void)by;
        if (w.rows_fail)
                return error_set(err, w.rows_fail, "no database");
        ret->items = xcalloc(2, sizeof(*ret->items));
        ret->items[0] = row(UUID_A, 1, "web");
        ret->items[1] = row(UUID_B, 2, "db");
        ret->items[1]->task_state = TASK_DELETING;
        ret->n = 2;
        return 0;
}

void instance_list_free(struct instance_list *l)
{
        for (unsigned i = 0; i < l->n; i++)
                instance_free(l->items[i]);
        free(l->items);
}

/* Those asked for. */
int store_instances_building_among(struct store *s, const char *const *uuids, unsigned n,
                                   struct instance_list *ret, struct deadline by, struct error *err)
{
        (void)s, (void)by, (void)err;
        ret->items = xcalloc(n, sizeof(*ret->items));
        for (ret->n = 0; ret->n < n; ret->n++) {
                ret->items[ret->n] = row(uuids[ret->n], 3 + ret->n, "new");
                ret->items[ret->n]->vm_state = VM_BUILDING;
        }
        return 0;
}

int store_instances_without_host(struct store *s, struct instance_list *ret, struct deadline by,
                                 struct error *err)
{
        (void)s, (void)by, (void)err;
        ret->items = xcalloc(1, sizeof(*ret->items));
        ret->items[0] = row(UUID_C, 3, "failed");
        ret->items[0]->vm_state = VM_ERROR;
        ret->n = 1;
        return 0;
}

void compute_manager_foreach_running(struct compute_manager *m,
                                     void (*fn)(const struct compute_running *r, void *arg), void *arg)
{
        const struct compute_running rows[] = {
                { .method = "build_and_run_instance",
                  .request_id = "req-1",
                  .uuid = UUID_A,
                  .doing = "spawning",
                  .seconds = 2,
                  .done = -1 },
                { .method = "build_and_run_instance",
                  .request_id = "req-2",
                  .uuid = UUID_C,
                  .doing = "downloading image i: 25 % of 40.0 MiB",
                  .done = 10 << 20,
                  .total = 40 << 20 },
                { .method = "suspend_instance",
                  .request_id = "req-3",
                  .uuid = UUID_B,
                  .doing = "saving the guest's memory",
                  .done = -1 },
        };

        (void)m;
        for (size_t i = 0; i < w.n_running; i++)
                fn(&rows[i], arg);
}

static struct compute_node_row node_row = { .vcpus = 8, .vcpus_used = 3, .memory_mb = 100, .local_gb = 7 };

const struct service_row *compute_service(const struct compute_manager *m)
{
        (void)m;
        return &w.service_row;
}

const struct tracker *compute_tracker(const struct compute_manager *m)
{
        return (const struct tracker *)m;
}

const struct compute_node_row *tracker_row(const struct tracker *t)
{
        (void)t;
        return &node_row;
}

const char *tracker_node(const struct tracker *t)
{
        (void)t;
        return "node-1.example";
}

double tracker_audit_age(const struct tracker *t)
{
        (void)t;
        return 12;
}

double compute_last_report_age(const struct compute_manager *m)
{
        (void)m;
        return 61;
}

void compute_foreach_periodic(struct compute_manager *m,
                              void (*fn)(const struct periodic_info *info, void *arg), void *arg)
{
        const struct periodic_info busy = { .loop = "loop",
                                            .task = "sync_power_states",
                                            .interval_s = 600,
                                            .last_took_s = 0.5,
                                            .runs = 3,
                                            .failures = 1,
                                            .running = true };
        const struct periodic_info idle = {
                .loop = "loop", .task = "poll_rescued_instances", .next_in_s = -1, .idle = "no rescue"
        };

        (void)m;
        fn(&busy, arg);
        fn(&idle, arg);
}

void compute_get_audit_state(const struct compute_manager *m, struct compute_audit_state *ret)
{
        (void)m;
        *ret = w.audit;
}

void http_foreach_service(void (*fn)(const struct http_service_stats *s, void *arg), void *arg)
{
        fn(&(struct http_service_stats){ .service = "keystone" }, arg);
        if (*w.http.service)
                fn(&w.http, arg);
}

double compute_last_rival_age(const struct compute_manager *m)
{
        (void)m;
        return w.rival_age;
}

bool compute_get_placement_state(const struct compute_manager *m, struct compute_placement_state *ret)
{
        (void)m;
        *ret = w.placement;
        return w.has_placement;
}

void compute_get_stats(const struct compute_manager *m, struct compute_stats *ret)
{
        (void)m;
        *ret = (struct compute_stats){ .builds = 3, .builds_failed = 1 };
}

unsigned long stall_watcher_count(const struct stall_watcher *watcher)
{
        (void)watcher;
        return 7;
}

int compute_cordon(struct compute_manager *m, const char *reason, struct deadline by, struct error *err)
{
        (void)m, (void)reason, (void)by;
        return error_set(err, ERR_UNSUPPORTED, "not in these tests");
}

int compute_uncordon(struct compute_manager *m, struct deadline by, struct error *err)
{
        (void)m, (void)by;
        return error_set(err, ERR_UNSUPPORTED, "not in these tests");
}

int compute_resync_start(struct compute_manager *m, const char *uuid, unsigned uid, struct error *err)
{
        (void)m;
        if (w.resync.running)
                return error_set(err, ERR_BUSY, "a resync is under way");
        w.resync =
                (struct compute_resync){ .id = w.resync.id + 1, .uid = uid, .running = true, .n_steps = 2 };
        w.resync.steps[0] =
                (struct compute_resync_step){ "sync_power_states", RESYNC_RUNNING, 1.5, "3 of 7" };
        w.resync.steps[1] = (struct compute_resync_step){ .task = "report_state" };
        snprintf(w.resync.uuid, sizeof(w.resync.uuid), "%s", uuid ? uuid : "");
        return 0;
}

bool compute_get_resync(const struct compute_manager *m, struct compute_resync *ret)
{
        (void)m;
        *ret = w.resync;
        return w.resync.id > 0;
}

bool compute_get_cordon(const struct compute_manager *m, struct compute_cordon *ret)
{
        (void)m, (void)ret;
        return false;
}
