/*
 * agent/compute/remote_console.c: who may look at a guest's screen, and where it is (nova-contract 3.4).
 *
 * The user gets an address of the console proxy with a token in it. The proxy looks for the token's row, asks
 * this agent whether the port in it is still that of the guest, and only then connects. Tokens are secrets:
 * none is ever logged.
 */
#include "compute/compute_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOVNC "novnc"

void compute_console_free(struct compute_console *c)
{
        free(c->access_url);
        *c = (struct compute_console){};
}

struct vnc_work {
        const char *console_type;
        struct compute_console *ret;
};

/* A guest that is missing while its instance is built has not been made yet. */
static int YIELDS missing_guest(struct action *a, struct error *err)
{
        struct error row_err = {};

        if (action_load(a, &row_err) == 0 && a->instance->vm_state == VM_BUILDING)
                return error_set(err, NOVA_INSTANCE_NOT_READY, "instance %s is still being built", a->uuid);
        return -1;
}

static int YIELDS find_vnc_port(struct action *a, int *ret, struct error *err)
{
        struct virt_driver *d = a->m->driver;

        if (d->ops->vnc_port(d, a->uuid, ret, a->by, err) < 0)
                return err->code == NOVA_INSTANCE_NOT_FOUND ? missing_guest(a, err) : -1;
        if (*ret < 0)
                return error_set(err, NOVA_INSTANCE_NOT_READY,
                                 "instance %s does not run, so its console has no port", a->uuid);
        return 0;
}

static int YIELDS authorise(struct action *a, int port, const char *console_type, struct compute_console *ret,
                            struct error *err)
{
        const struct conf *conf = a->m->conf;
        struct compute_console c = { .host = conf->vnc.server_proxyclient_address };
        struct console_token token = {
                .token = c.token,
                .console_type = console_type,
                .host = c.host,
                .access_url_base = conf->vnc.novncproxy_base_url,
                .instance_uuid = a->uuid,
                .port = port,
                .ttl_s = conf->consoleauth.token_ttl,
        };

        uuid_new(c.token);
        if (store_console_token_add(a->m->store, &token, a->by, err) < 0)
                return -1;
        snprintf(c.port, sizeof(c.port), "%d", port);
        /* The query is path=?token=TOKEN, quoted: noVNC reads no other. */
        c.access_url = xasprintf("%s?path=%%3Ftoken%%3D%s", token.access_url_base, c.token);
        *ret = c;
        return 0;
}

static int vnc_body(struct action *a, struct error *err)
{
        const struct vnc_work *w = a->arg;
        int port;

        assert_green();
        if (!a->m->conf->vnc.enabled)
                return error_set(err, NOVA_CONSOLE_TYPE_UNAVAILABLE,
                                 "console type %.64s is not available: this host gives guests no VNC display",
                                 w->console_type);
        if (strcmp(w->console_type, NOVNC) != 0)
                return error_set(err, NOVA_CONSOLE_TYPE_INVALID,
                                 "console type %.64s is not valid for VNC, which has %s", w->console_type,
                                 NOVNC);
        if (find_vnc_port(a, &port, err) < 0)
                return -1;
        return authorise(a, port, w->console_type, w->ret, err);
}

int compute_vnc_console(struct compute_manager *m, const struct compute_call *c, const char *console_type,
                        struct compute_console *ret, struct error *err)
{
        static const struct action_kind kind = {
                .method = "get_vnc_console",
                .wraps = WRAP_FAULT,
                .body = vnc_body,
        };
        struct vnc_work work = { console_type, ret };

        return action_run(m, &kind, c, &work, err);
}

/* ---- what the proxy asks before it connects ---- */

struct port_work {
        const char *port, *console_type;
        bool valid;
};

static bool is_other_console(const char *console_type)
{
        static const char *const types[] = { "spice-html5", "rdp-html5", "serial", "webmks" };

        for (size_t i = 0; i < ARRAY_SIZE(types); i++)
                if (strcmp(types[i], console_type) == 0)
                        return true;
        return false;
}

static int unavailable(const char *console_type, struct error *err)
{
        return error_set(err, NOVA_CONSOLE_TYPE_UNAVAILABLE,
                         "console type %.64s is not available: guests of this host have VNC displays only",
                         console_type);
}

static int port_body(struct action *a, struct error *err)
{
        struct port_work *w = a->arg;
        struct virt_driver *d = a->m->driver;
        char text[16];
        int port;

        assert_green();
        if (is_other_console(w->console_type))
                return unavailable(w->console_type, err);
        if (d->ops->vnc_port(d, a->uuid, &port, a->by, err) < 0)
                return -1;
        snprintf(text, sizeof(text), "%d", port);
        w->valid = port > 0 && strcmp(text, w->port) == 0;
        return 0;
}

int compute_validate_console_port(struct compute_manager *m, const struct compute_call *c, const char *port,
                                  const char *console_type, bool *ret, struct error *err)
{
        static const struct action_kind kind = { .method = "validate_console_port", .body = port_body };
        struct port_work work = { .port = port, .console_type = console_type };

        if (action_run(m, &kind, c, &work, err) < 0)
                return -1;
        *ret = work.valid;
        return 0;
}

/* ---- consoles that there are not ---- */

static int other_body(struct action *a, struct error *err)
{
        assert_green();
        return unavailable(a->arg, err);
}

int compute_other_console(struct compute_manager *m, const struct compute_call *c, const char *method,
                          const char *console_type, struct error *err)
{
        struct action_kind kind = { .method = method, .wraps = WRAP_FAULT, .body = other_body };

        return action_run(m, &kind, c, (void *)console_type, err);
}
