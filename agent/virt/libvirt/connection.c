/*
 * agent/virt/libvirt/connection.c: one connection to the hypervisor, kept up for ever.
 *
 * An open of a stopped daemon hangs as long as the daemon is stopped, and no keepalive helps. So each attempt
 * has a deadline; an attempt that was given up closes its connection itself if it ever gets one, and there
 * are never more than OPENS_MAX attempts at once, or a frozen daemon would eat a thread every few seconds.
 *
 * Who needs the connection meanwhile has it opened at once, whatever pause has grown by then: a daemon that
 * was restarted serves the next call.
 */
#define LOG_MODULE "virt.libvirt.connection"
#include "virt/libvirt/connection.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "green/sync.h"
#include "virt/libvirt/embed.h"
#include "virt/libvirt/vir_error.h"

enum { OPENS_MAX = 2, RETRY_FIRST_MS = 200, RETRY_LAST_MS = 5000, SAY_AGAIN_S = 60, OPEN_NOW_S = 2 };
static const double RESYNC_AFTER_OPEN_S = 2, CHECK_EVERY_S = 10, CLOSE_TIMEOUT_S = 5;

struct connection {
        struct connection_options opt;
        char *uri, *embed_root;
        virConnectPtr conn; /* NULL: not connected */
        struct event_source *source;
        unsigned long generation;
        unsigned long closed_generation; /* the newest one that is known to be lost */
        char arch[64];
        struct green *keeper;
        struct green_cond changed; /* connected, lost, suspected, stopping */
        bool stopping, lost, suspected;
        bool opening, wanted;   /* an attempt is under way; somebody waits for the next one */
        unsigned long failures; /* attempts that failed so far */
        int64_t gap_since_ns;
        int64_t retry_ms, said_ns;
        char last_error[ERROR_TEXT_MAX];
};

/* ---- opening ---- */

static atomic_uint opens_running; /* of the process: an attempt may outlive the driver it was made for */

enum { OPEN_RUNNING, OPEN_DONE, OPEN_GIVEN_UP };

struct open_job {
        struct tpool_job base;
        char *uri, *embed_root;
        unsigned keepalive_interval_s, keepalive_count;
        struct event_source *source; /* a reference */
        atomic_int state;
        bool ran;
        virConnectPtr conn; /* the result; registered for events */
        char arch[64];
};

/* Nothing is answered that would need a person: an open that asks for credentials fails. */
static int no_credentials(virConnectCredentialPtr cred, unsigned n, void *arg)
{
        (void)cred;
        (void)n;
        (void)arg;
        return -1;
}

static void BLOCKS close_connection(virConnectPtr conn, struct event_source *source)
{
        events_deregister(conn, source);
        virConnectClose(conn);
}

/* Not from the capabilities: their first reader waits for seconds while libvirt asks QEMU what it can do. */
static int BLOCKS read_arch(virConnectPtr conn, char *buf, size_t size, struct error *err)
{
        virNodeInfo node;

        if (virNodeGetInfo(conn, &node) < 0)
                return vir_error(err, "reading the host's architecture");
        snprintf(buf, size, "%.*s", (int)sizeof(node.model), node.model);
        return *buf ? 0 : error_set(err, ERR_PROTOCOL, "libvirt does not name the host's architecture");
}

static int BLOCKS open_and_register(struct open_job *job, struct error *err)
{
        static int types[] = { VIR_CRED_AUTHNAME, VIR_CRED_PASSPHRASE };
        virConnectAuth auth = { .credtype = types, .ncredtype = ARRAY_SIZE(types), .cb = no_credentials };
        virConnectPtr conn;

        if (job->embed_root && embed_prepare(job->embed_root, err) < 0)
                return -1;
        conn = virConnectOpenAuth(job->uri, &auth, 0);
        if (!conn) {
                vir_error(err, "opening %s", job->uri);
                if (job->embed_root)
                        embed_failed(err);
                return -1;
        }
        if (job->embed_root)
                embed_opened();
        virConnectSetKeepAlive(conn, (int)job->keepalive_interval_s,
                               job->keepalive_count); /* local: not needed */
        if (events_register(conn, job->source, err) < 0) {
                virConnectClose(conn);
                return -1;
        }
        if (read_arch(conn, job->arch, sizeof(job->arch), err) < 0) {
                close_connection(conn, job->source);
                return -1;
        }
        job->conn = conn;
        return 0;
}

static int open_run(struct tpool_job *base, struct error *err)
{
        struct open_job *job = CONTAINER_OF(base, struct open_job, base);
        int expected = OPEN_RUNNING, r;

        assert_on_worker();
        job->ran = true;
        r = open_and_register(job, err);
        if (!atomic_compare_exchange_strong(&job->state, &expected, OPEN_DONE) && job->conn) {
                close_connection(job->conn, job->source);
                job->conn = NULL;
        }
        atomic_fetch_sub(&opens_running, 1);
        return r;
}

static void open_drop(struct tpool_job *base)
{
        struct open_job *job = CONTAINER_OF(base, struct open_job, base);

        if (!job->ran)
                atomic_fetch_sub(&opens_running, 1);
        event_source_unref(job->source);
        free(job->uri);
        free(job->embed_root);
        free(job);
}

static const struct tpool_ops open_ops = { .name = "virConnectOpen", .run = open_run, .drop = open_drop };

/* ---- closing ---- */

struct close_job {
        struct tpool_job base;
        virConnectPtr conn;
        struct event_source *source; /* a reference */
        bool is_embedded;
};

static int close_run(struct tpool_job *base, struct error *err)
{
        struct close_job *job = CONTAINER_OF(base, struct close_job, base);

        assert_on_worker();
        (void)err;
        if (job->is_embedded)
                embed_settle();
        close_connection(job->conn, job->source);
        return 0;
}

static void close_drop(struct tpool_job *base)
{
        struct close_job *job = CONTAINER_OF(base, struct close_job, base);

        event_source_unref(job->source);
        free(job);
}

static const struct tpool_ops close_ops = { .name = "virConnectClose", .run = close_run, .drop = close_drop };

/* In a shield: a connection that is forgotten without being closed would go on sending events. */
static void YIELDS close_in_pool(struct connection *c, virConnectPtr conn, struct event_source *source)
{
        struct close_job *job = NEW(struct close_job);
        struct error err = {};

        job->base.ops = &close_ops;
        snprintf(job->base.what, sizeof(job->base.what), "%s", c->uri);
        job->conn = conn;
        job->source = source;
        job->is_embedded = c->embed_root != NULL;
        green_shield_begin();
        if (tpool_call(c->opt.tpool, &job->base, deadline_in_s(CLOSE_TIMEOUT_S), &err) < 0)
                log_warning("closing the connection to %s: %s; leaving it behind", c->uri, err.text);
        tpool_job_done(&job->base);
        green_shield_end();
}

/* ---- the green thread ---- */

static void announce(struct connection *c, enum virt_event_kind kind)
{
        struct virt_fact fact = { .kind = FACT_ANNOUNCE, .generation = c->generation, .event = (int)kind };

        native_queue_push(c->opt.queue, &fact); /* full: its reader compares the state anyway */
}

static int YIELDS open_once(struct connection *c, struct error *err)
{
        struct open_job *job;
        int r;

        if (atomic_load(&opens_running) >= OPENS_MAX)
                return error_set(err, ERR_BUSY, "%u earlier attempts to open %s still hang", OPENS_MAX,
                                 c->uri);
        job = NEW(struct open_job);
        atomic_fetch_add(&opens_running, 1);
        job->base.ops = &open_ops;
        snprintf(job->base.what, sizeof(job->base.what), "%s", c->uri);
        job->uri = xstrdup(c->uri);
        job->embed_root = xstrdup(c->embed_root);
        job->keepalive_interval_s = c->opt.keepalive_interval_s;
        job->keepalive_count = c->opt.keepalive_count;
        job->source = event_source_new(c->opt.queue, c->generation + 1);
        r = tpool_call(c->opt.tpool, &job->base, deadline_in_s(c->opt.open_timeout_s), err);
        if (r == 0) {
                c->conn = job->conn;
                c->source = job->source;
                memcpy(c->arch, job->arch, sizeof(c->arch));
        } else {
                int expected = OPEN_RUNNING;

                /* Given up, yet it came to an end in that same moment: then the result is ours to close. */
                if (!atomic_compare_exchange_strong(&job->state, &expected, OPEN_GIVEN_UP) && job->conn) {
                        event_source_ref(job->source);
                        close_in_pool(c, job->conn, job->source);
                }
        }
        if (r == 0)
                job->source = NULL;
        tpool_job_done(&job->base);
        return r;
}

static void HUB_ONLY came_up(struct connection *c)
{
        double gap_s = (double)(clock_now_ns() - c->gap_since_ns) / 1e9;
        bool again = c->generation > 0;

        c->generation++;
        c->suspected = false;
        c->lost = c->closed_generation == c->generation; /* it may have died on the way here */
        c->retry_ms = RETRY_FIRST_MS;
        c->last_error[0] = '\0';
        if (again)
                log_info("connected to %s again after %.1f s; all guests will be looked at", c->uri, gap_s);
        else
                log_info("connected to %s", c->uri);
        announce(c, VIRT_EVENT_CONNECTED);
        if (again)
                announce(c, VIRT_EVENT_RESYNC);
        green_cond_broadcast(&c->changed);
}

static void YIELDS went_down(struct connection *c)
{
        virConnectPtr conn = c->conn;
        struct event_source *source = c->source;

        c->conn = NULL;
        c->source = NULL;
        c->gap_since_ns = clock_now_ns();
        if (!c->stopping)
                log_warning("lost the connection to %s: %s; opening it again", c->uri, c->last_error);
        announce(c, VIRT_EVENT_DISCONNECTED);
        close_in_pool(c, conn, source);
}

static void YIELDS wait_to_retry(struct connection *c, const struct error *why)
{
        int64_t pause_ms = c->retry_ms / 2 + (int64_t)((double)c->retry_ms * random_part());
        struct deadline until = deadline_in_ms(pause_ms), soonest = deadline_in_ms(RETRY_FIRST_MS);
        struct error err = {};

        if (strcmp(c->last_error, why->text) != 0 || clock_now_ns() - c->said_ns > SAY_AGAIN_S * NS_PER_S) {
                c->said_ns = clock_now_ns();
                log_warning("no connection to the hypervisor: %s; retrying in %.1f s, and on and on",
                            why->text, (double)pause_ms / 1000);
        }
        snprintf(c->last_error, sizeof(c->last_error), "%s", why->text);
        c->retry_ms = c->retry_ms * 2 < RETRY_LAST_MS ? c->retry_ms * 2 : RETRY_LAST_MS;
        while (!c->stopping && !deadline_passed(until)) {
                if (c->wanted)
                        until = deadline_earlier(until, soonest);
                if (green_cond_wait(&c->changed, until, &err) < 0 && err.code != ERR_TIMEOUT)
                        return;
        }
}

struct check_job {
        struct tpool_job base;
        virConnectPtr conn; /* a reference */
        bool thoroughly;
};

static int check_run(struct tpool_job *base, struct error *err)
{
        struct check_job *job = CONTAINER_OF(base, struct check_job, base);
        unsigned long version;
        int r = 0;

        assert_on_worker();
        if (virConnectIsAlive(job->conn) == 0)
                r = error_set(err, NOVA_HYPERVISOR_UNAVAILABLE, "the connection is dead");
        else if (job->thoroughly && virConnectGetLibVersion(job->conn, &version) < 0)
                r = vir_error(err, "checking the connection");
        virConnectClose(take_ptr(&job->conn));
        return r;
}

static void check_drop(struct tpool_job *base)
{
        struct check_job *job = CONTAINER_OF(base, struct check_job, base);

        if (job->conn)
                virConnectClose(job->conn);
        free(job);
}

static const struct tpool_ops check_ops = { .name = "virConnectIsAlive",
                                            .run = check_run,
                                            .drop = check_drop };

/* Any other failure than of the connection itself is not its fault. A call that hangs is. */
static void YIELDS check(struct connection *c)
{
        struct error err = {};
        struct check_job *job;

        job = NEW(struct check_job);
        job->base.ops = &check_ops;
        job->thoroughly = c->suspected;
        job->conn = c->conn;
        virConnectRef(job->conn);
        c->suspected = false;
        if (tpool_call(c->opt.tpool, &job->base, deadline_in_s(c->opt.open_timeout_s), &err) < 0 &&
            (err.code == NOVA_HYPERVISOR_UNAVAILABLE || err.code == ERR_TIMEOUT)) {
                snprintf(c->last_error, sizeof(c->last_error), "%s", err.text);
                c->lost = true;
        }
        tpool_job_done(&job->base);
}

static void YIELDS watch(struct connection *c)
{
        struct deadline resync = deadline_in_s(RESYNC_AFTER_OPEN_S), next = deadline_in_s(CHECK_EVERY_S);
        struct error err = {};

        while (!c->stopping && !c->lost) {
                if (c->suspected || deadline_passed(next)) {
                        check(c);
                        next = deadline_in_s(CHECK_EVERY_S);
                        continue;
                }
                if (deadline_passed(resync)) {
                        announce(c, VIRT_EVENT_RESYNC);
                        resync = deadline_never();
                }
                if (green_cond_wait(&c->changed, deadline_earlier(resync, next), &err) < 0 &&
                    err.code != ERR_TIMEOUT)
                        return;
        }
}

static int keep(void *arg, struct error *unused)
{
        struct connection *c = arg;

        assert_green();
        (void)unused;
        while (!c->stopping && !green_cancelled()) { /* cancelled alone: the hub is going down */
                struct error err = {};
                bool failed;

                c->wanted = false;
                c->opening = true;
                failed = open_once(c, &err) < 0;
                c->opening = false;
                if (failed) {
                        c->failures++;
                        green_cond_broadcast(&c->changed);
                        if (!c->stopping)
                                wait_to_retry(c, &err);
                        continue;
                }
                came_up(c);
                watch(c);
                went_down(c);
        }
        return 0;
}

/* ---- the interface ---- */

struct connection *connection_new(const struct connection_options *opt)
{
        struct connection *c = NEW(struct connection);

        c->opt = *opt;
        c->uri = xstrdup(opt->uri);
        c->embed_root = embed_root_of(opt->uri);
        c->opt.uri = c->uri;
        c->retry_ms = RETRY_FIRST_MS;
        green_cond_init(&c->changed, "connection to libvirt");
        return c;
}

int connection_start(struct connection *c, struct error *err)
{
        c->gap_since_ns = clock_now_ns();
        c->keeper = green_spawn_ref(NULL, "libvirt-connection", keep, c, err);
        return c->keeper ? 0 : -1;
}

void connection_stop(struct connection *c)
{
        struct error err = {};

        if (!c)
                return;
        c->stopping = true;
        if (c->keeper) {
                green_shield_begin();
                green_cancel(c->keeper);
                green_join(c->keeper, deadline_never(), NULL, &err);
                green_shield_end();
                green_unref(c->keeper);
        }
        free(c->uri);
        free(c->embed_root);
        free(c);
}

int connection_wait(struct connection *c, struct deadline by, struct error *err)
{
        while (!c->conn) {
                if (green_cond_wait(&c->changed, by, err) == 0)
                        continue;
                if (err->code == ERR_TIMEOUT)
                        error_set(err, ERR_TIMEOUT, "no connection to the hypervisor: %s",
                                  *c->last_error ? c->last_error : "still opening");
                return -1;
        }
        return 0;
}

/* Until an attempt that began from now on has come to its end. */
static int YIELDS open_now(struct connection *c, struct deadline by, struct error *err)
{
        unsigned long enough = c->failures + (c->opening ? 2 : 1);
        struct deadline until = deadline_earlier(by, deadline_in_s(OPEN_NOW_S));

        while (!c->conn && !c->stopping && c->failures < enough) {
                if (!c->wanted) {
                        c->wanted = true;
                        green_cond_broadcast(&c->changed);
                }
                if (green_cond_wait(&c->changed, until, err) < 0)
                        return err->code == ERR_TIMEOUT ? 0 : -1;
        }
        return 0;
}

virConnectPtr connection_get(struct connection *c, struct deadline by, struct error *err)
{
        if (!c->conn && open_now(c, by, err) < 0)
                return NULL;
        if (!c->conn) {
                error_set(err, NOVA_HYPERVISOR_UNAVAILABLE, "no connection to the hypervisor: %s",
                          *c->last_error ? c->last_error : "still opening");
                return NULL;
        }
        virConnectRef(c->conn);
        return c->conn;
}

void connection_suspect(struct connection *c)
{
        c->suspected = true;
        green_cond_broadcast(&c->changed);
}

static const char *close_reason(int reason)
{
        static const char *const names[] = {
                [VIR_CONNECT_CLOSE_REASON_ERROR] = "input/output error",
                [VIR_CONNECT_CLOSE_REASON_EOF] = "the daemon closed it",
                [VIR_CONNECT_CLOSE_REASON_KEEPALIVE] = "the daemon did not answer keepalives",
                [VIR_CONNECT_CLOSE_REASON_CLIENT] = "closed by this side",
        };

        return reason >= 0 && (size_t)reason < ARRAY_SIZE(names) ? names[reason] : "unknown reason";
}

void connection_closed(struct connection *c, const struct virt_fact *fact)
{
        c->closed_generation = fact->generation;
        if (!c->conn || fact->generation != c->generation)
                return; /* an earlier one, or one that is not taken over yet */
        snprintf(c->last_error, sizeof(c->last_error), "%s", close_reason(fact->detail));
        c->lost = true;
        green_cond_broadcast(&c->changed);
}

void connection_get_status(const struct connection *c, struct connection_status *ret)
{
        *ret = (struct connection_status){
                .connected = c->conn != NULL,
                .generation = c->generation,
                .gap_s = c->conn ? 0 : (double)(clock_now_ns() - c->gap_since_ns) / 1e9,
                .last_error = c->last_error,
                .arch = c->arch,
        };
}
