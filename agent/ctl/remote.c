/* agent/ctl/remote.c: the agent at the other end of its socket, and the configuration both read. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "ctl/ctl.h"
#include "ctl/primitive.h"
#include "images/image_source.h"
#include "messaging/transport.h"
#include "model/primitive.h"
#include "native/tpool.h"
#include "admin/admin.h"

#define CONNECT_S 10.0
#define WORKERS   4

#define DEFAULT_SOCKET "/run/compute-agent/rpc.sock" /* of transport_url and of control_socket */

static enum ctl_exit unusable_conf(const struct ctl *c, const char *mistakes)
{
        const char *path = c->config_file ? c->config_file : CONF_DEFAULT_PATH;

        local_files("a program for one command, whose user waits anyway");
        if (access(path, R_OK) < 0 && errno == EACCES)
                return ctl_complain(
                        CTL_DENIED,
                        "you may not read %s, as there may be passwords in it: become root or the "
                        "agent's user; to ask the agent itself --socket PATH is enough",
                        path);
        if (access(path, F_OK) < 0)
                return ctl_complain(CTL_CONF,
                                    "there is no configuration at %s: name that of the agent with "
                                    "--config-file, or its socket with --socket",
                                    path);
        fputs(mistakes, stderr);
        return ctl_complain(CTL_CONF, "the configuration cannot be used: correct it (\"compute-agent "
                                      "--check-config\" tells all that is wrong), or name another one with "
                                      "--config-file");
}

enum ctl_exit ctl_need_conf(struct ctl *c)
{
        const struct conf_source file = { .path = c->config_file };
        const struct conf_from from = { .sources = &file,
                                        .n = c->config_file != NULL,
                                        .flags = CONF_WITHOUT_SECRETS };
        struct strbuf CLEANUP(strbuf_free) errors = {};

        if (c->conf)
                return CTL_OK;
        c->conf = conf_load_from(&from, &errors);
        if (c->conf)
                return CTL_OK;
        return unusable_conf(c, errors.data ? errors.data : "");
}

enum ctl_exit ctl_need_tpool(struct ctl *c)
{
        struct error err;

        if (c->tpool)
                return CTL_OK;
        c->tpool = tpool_new("ctl", WORKERS, &err);
        if (!c->tpool)
                return ctl_error(&err, "starting threads");
        image_source_set_tpool(c->tpool);
        return CTL_OK;
}

/* Who may look at the agent need not be able to read its passwords: then the defaults have to do. */
static bool closed_to_readers(const struct ctl *c)
{
        local_files("a program for one command, whose user waits anyway");
        return !c->config_file && access(CONF_DEFAULT_PATH, R_OK) < 0 && errno == EACCES;
}

/* A reload of a file with mistakes is refused: now is when somebody wants to ask the agent. */
static bool runs_all_the_same(const struct ctl *c)
{
        local_files("a program for one command, whose user waits anyway");
        return !c->config_file && access(DEFAULT_SOCKET, F_OK) == 0;
}

/* The socket's path into c->socket. */
static enum ctl_exit find_socket(struct ctl *c)
{
        enum ctl_exit status;
        const char *url;

        if (c->socket)
                return CTL_OK;
        if (closed_to_readers(c)) {
                c->socket = DEFAULT_SOCKET;
                return CTL_OK;
        }
        status = ctl_need_conf(c);
        if (status == CTL_CONF && runs_all_the_same(c)) {
                fprintf(stderr, "compute-agentctl: asking the agent that runs, by what it read before\n");
                c->socket = DEFAULT_SOCKET;
                return CTL_OK;
        }
        if (status != CTL_OK)
                return status;
        url = c->conf->transport_url;
        /* a URL in a file of its own, which need not be readable here, is that of a broker */
        if (!transport_url_is_local(url) || *c->conf->transport_url_file) {
                c->socket = c->conf->control_socket;
                return CTL_OK;
        }
        c->socket = strchr(url, ':') + 1;
        c->socket += strncmp(c->socket, "///", 3) == 0 ? 2 : 0;
        return CTL_OK;
}

static enum ctl_exit unreachable(const struct ctl *c, const struct error *err)
{
        if (err->sys == EACCES || err->sys == EPERM)
                return ctl_complain(
                        CTL_DENIED,
                        "you may not talk to the agent at %s: become root or the agent's user; to look "
                        "only, be a member of its control_readers_group, compute-agent-readers by "
                        "default (usermod -aG GROUP USER, then log in anew)",
                        c->socket);
        if (err->sys == ENOENT || err->sys == ECONNREFUSED)
                return ctl_complain(CTL_UNREACHABLE,
                                    "cannot reach the agent at %s: is compute-agent running? Start it with "
                                    "\"systemctl start compute-agent\" or \"compute-agent%s%s\"; if it "
                                    "should run, \"systemctl status compute-agent\" tells why it does not",
                                    c->socket, c->config_file ? " --config-file " : "",
                                    c->config_file ? c->config_file : "");
        return ctl_complain(CTL_UNREACHABLE, "cannot reach the agent: %s", err->text);
}

enum ctl_exit ctl_need_agent(struct ctl *c)
{
        struct error err = {};
        enum ctl_exit status;

        if (c->client)
                return CTL_OK;
        status = find_socket(c);
        if (status != CTL_OK)
                return status;
        c->client = rpc_client_connect(c->socket, deadline_earlier(c->by, deadline_in_s(CONNECT_S)), &err);
        return c->client ? CTL_OK : unreachable(c, &err);
}

/* What a request ended with, in words. */
static enum ctl_exit request_error(const struct ctl *c, const char *method, const struct error *err)
{
        switch (err->code) {
        case ERR_TIMEOUT:
                return ctl_complain(CTL_TIMEOUT,
                                    "%s: the agent did not answer in time (--timeout S waits longer); "
                                    "\"compute-agentctl jobs\" tells what it is at. If that does not answer "
                                    "either, it hangs: the log says where, and \"kill -USR2\" with its pid "
                                    "has it write a report all the same",
                                    method);
        case ERR_CLOSED:
        case ERR_SYSTEM:
                return ctl_complain(CTL_UNREACHABLE, "%s: the agent at %s went away: %s", method, c->socket,
                                    err->text);
        case ERR_DENIED:
                return ctl_complain(CTL_DENIED, "%s: you may not: %s", method, err->text);
        case ERR_APP:
                return ctl_complain(CTL_FAILED, "%s: the agent says: %s", method, err->text);
        default:
                return ctl_complain(CTL_FAILED, "%s: %s", method, err->text);
        }
}

enum ctl_exit ctl_need_serving_agent(struct ctl *c)
{
        struct jval CLEANUP(jval_unrefp) *args = jval_new_object(), *answer = NULL;
        enum ctl_exit status = ctl_need_agent(c);
        struct error err = {};

        if (status != CTL_OK)
                return status;
        jval_set_text(args, "arg", "compute-agentctl");
        if (rpc_client_call(c->client, "baseapi", "1.0", "ping", args, NULL, c->by, &answer, &err) == 0)
                return CTL_OK;
        if (err.code == ERR_APP)
                return ctl_complain(CTL_FAILED, "the agent is still starting: \"compute-agentctl health\" "
                                                "tells for what it waits");
        if (err.code == ERR_DENIED) /* its text is about the ping */
                return ctl_complain(CTL_DENIED, "%s: you may not: this is for root and the agent's own user",
                                    c->command->name);
        return request_error(c, "ping", &err);
}

enum ctl_exit ctl_ask(struct ctl *c, const char *ns, const char *version, const char *method,
                      struct jval *args, struct jval **ret)
{
        struct jval CLEANUP(jval_unrefp) *owned = args, *context = NULL;
        struct request_context ctx;
        struct error err = {};
        enum ctl_exit status = ctl_need_agent(c);
        int r;

        if (status != CTL_OK)
                return status;
        request_context_admin(&ctx);
        context = nova_context(&ctx);
        request_context_free(&ctx);
        r = rpc_client_call(c->client, ns, version, method, owned, context, c->by, ret, &err);
        return r == 0 ? CTL_OK : request_error(c, method, &err);
}

enum ctl_exit ctl_ask_admin(struct ctl *c, const char *method, struct jval *args, struct jval **ret)
{
        return ctl_ask(c, ADMIN_NAMESPACE, ADMIN_VERSION, method, args, ret);
}

enum ctl_exit ctl_cast(struct ctl *c, const char *method, struct jval *args,
                       const struct request_context *ctx)
{
        struct jval CLEANUP(jval_unrefp) *owned = args, *context = nova_context(ctx);
        struct error err = {};
        enum ctl_exit status = ctl_need_agent(c);

        if (status != CTL_OK)
                return status;
        if (rpc_client_cast(c->client, NULL, COMPUTE_VERSION, method, owned, context, c->by, &err) == 0)
                return CTL_OK;
        return request_error(c, method, &err);
}
