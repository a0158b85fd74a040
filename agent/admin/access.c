/*
 * agent/admin/access.c: one rule for both kinds of sockets: what is not known to be harmless is for root and
 * the agent's own user. On the local socket that includes all compute methods, which there play the control
 * plane's part.
 */
#include "admin/access.h"

#include <string.h>
#include <unistd.h>

#include "admin/admin.h"

#define MESSAGE_BUS  ((unsigned)-1)
#define METHOD_SHOWN 64

const char access_look[] = "looks";

static bool is_admin(const struct rpc_call *call)
{
        return call->request->ns && strcmp(call->request->ns, ADMIN_NAMESPACE) == 0;
}

static bool may_all(const struct rpc_call *call)
{
        return call->peer_uid == 0 || call->peer_uid == geteuid();
}

int access_may_change(const struct rpc_call *call, struct error *err)
{
        if (call->peer_uid != MESSAGE_BUS && may_all(call))
                return 0;
        return error_set(err, ERR_DENIED, "%.*s is for root and the agent's own user, not for uid %u",
                         METHOD_SHOWN, call->request->method, call->peer_uid);
}

int access_check(const struct rpc_call *call, const char *readers, struct error *err)
{
        bool looks = call->method->about == access_look;

        if (call->peer_uid == MESSAGE_BUS && is_admin(call))
                return error_set(err, ERR_DENIED, "admin methods answer on the local socket only");
        if (call->peer_uid == MESSAGE_BUS || may_all(call))
                return 0;
        if (!is_admin(call) || !looks || !*readers)
                return access_may_change(call, err);
        if (call->peer_in_group)
                return 0;
        return error_set(err, ERR_DENIED,
                         "%.*s is for root, the agent's own user and members of group %s, not for uid %u",
                         METHOD_SHOWN, call->request->method, readers, call->peer_uid);
}
