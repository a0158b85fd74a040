/*
 * agent/conf/derive.c: settings that follow from the machine or from other settings.
 */
#include "conf/conf_priv.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/list.h"
#include "base/mem.h"
#include "messaging/transport.h"

static void find_host(struct conf *c, struct findings *errors)
{
        char name[256] = "";

        if (*c->host)
                return;
        if (gethostname(name, sizeof(name) - 1) < 0 || !*name)
                finding_add(errors, 0, "host is not set, and the machine has no host name");
        replace_str(&c->host, name);
}

/* Address that a packet to `to` would leave from. Nothing is sent: connecting a UDP socket only asks the
 * routes. */
static bool source_address(int family, const char *to, char *buf, socklen_t size)
{
        CLEANUP(closep) int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        struct sockaddr_storage address = { .ss_family = (sa_family_t)family };
        struct sockaddr_in *in4 = (struct sockaddr_in *)&address;
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&address;
        void *bytes = family == AF_INET ? (void *)&in4->sin_addr : (void *)&in6->sin6_addr;
        socklen_t len = sizeof(address);

        if (fd < 0 || inet_pton(family, to, bytes) != 1)
                return false;
        in4->sin_port = htons(9); /* at the same place in both */
        if (connect(fd, (struct sockaddr *)&address, family == AF_INET ? sizeof(*in4) : sizeof(*in6)) < 0)
                return false;
        return getsockname(fd, (struct sockaddr *)&address, &len) == 0 && inet_ntop(family, bytes, buf, size);
}

static void find_my_ip(struct conf *c)
{
        char address[INET6_ADDRSTRLEN];

        if (*c->my_ip)
                return;
        /* Addresses set aside for documentation: they only choose the default route. */
        if (source_address(AF_INET, "198.51.100.1", address, sizeof(address)) ||
            source_address(AF_INET6, "2001:db8::1", address, sizeof(address)))
                replace_str(&c->my_ip, address);
        else
                replace_str(&c->my_ip, "127.0.0.1");
}

/* As nova's. Left to libvirt, whoever is not root would get a hypervisor of his own (qemu:///session). */
static void find_hypervisor(struct conf *c)
{
        if (!*c->libvirt.connection_uri)
                replace_str(&c->libvirt.connection_uri, "qemu:///system");
}

void conf_expand_paths(struct conf *c, struct findings *errors)
{
        static const char state[] = "$state_path";

        if (c->state_path[0] == '$')
                finding_at(errors, setting_place(c, "", "state_path"), "state_path cannot begin with itself");
        for (const struct setting *s = settings; s->key; s++) {
                char **text = s->type == SETTING_PATH ? setting_text(s, c) : NULL;
                char *expanded;

                if (!text || text == &c->state_path || strncmp(*text, state, strlen(state)) != 0)
                        continue;
                expanded = xasprintf("%s%s", c->state_path, *text + strlen(state));
                free(*text);
                *text = expanded;
        }
}

/* What is missing for a token of that section is told before the start. */
static void check_identity(struct conf *c, const char *section, struct findings *errors,
                           struct findings *notes)
{
        static const struct {
                const char *key, *instead;
        } needed[] = {
                { "auth_url" },     { "username" },
                { "password" },     { "user_domain_name", "user_domain_id" },
                { "project_name" }, { "project_domain_name", "project_domain_id" },
        };
        bool used = **setting_text(setting_find(section, "auth_type"), c);
        const struct conf_place *place = setting_place(c, section, "auth_type");

        for (size_t i = 0; used && i < ARRAY_SIZE(needed); i++) {
                const char *value = *setting_text(setting_find(section, needed[i].key), c);
                const char *instead =
                        needed[i].instead ? *setting_text(setting_find(section, needed[i].instead), c) : "";

                if (strcmp(needed[i].key, "password") == 0 &&
                    **setting_text(setting_find(section, "password_file"), c))
                        continue; /* what is wrong with it was told */
                if (!*value && !*instead)
                        finding_at(errors, place, "[%s] auth_type = 'password' needs %s", section,
                                   needed[i].key);
        }
        if (!used && **setting_text(setting_find(section, "auth_url"), c))
                finding_at(notes, setting_place(c, section, "auth_url"),
                           "[%s] is not used, since its auth_type is not set", section);
}

static void find_image_source(struct conf *c, struct findings *notes)
{
        bool named = *c->glance.api_servers || *c->glance.endpoint_override;
        bool in_a_cloud = !transport_url_is_local(c->transport_url) || *c->placement.identity.auth_type;
        bool own_folder = setting_place(c, "images", "local_path")->line;

        if (strcmp(c->images.source, "auto") == 0)
                replace_str(&c->images.source, named || (in_a_cloud && !own_folder) ? "glance" : "local");
        else if (named && strcmp(c->images.source, "local") == 0)
                finding_at(notes, setting_place(c, "images", "source"),
                           "[glance] is not used, since [images] source is local");
        if (c->service_user.send_service_user_token && !*c->service_user.identity.auth_type)
                finding_at(notes, setting_place(c, "service_user", "send_service_user_token"),
                           "no token goes along with those of users, since [service_user] auth_type is not "
                           "set");
}

const char *conf_local_path(const struct conf *c)
{
        const char *path = strchr(c->transport_url, ':') + 1;

        return path + (strncmp(path, "///", 3) == 0 ? 2 : 0);
}

static void check_sockets(struct conf *c, struct findings *errors)
{
        bool local = transport_url_is_local(c->transport_url);

        if (strcmp(c->healthcheck.socket, local ? conf_local_path(c) : c->control_socket) == 0)
                finding_at(errors, setting_place(c, "healthcheck", "socket"),
                           "[healthcheck] socket is the one that %s names, too",
                           local ? "transport_url" : "control_socket");
}

void conf_derive(struct conf *c, struct findings *errors, struct findings *notes)
{
        find_host(c, errors);
        find_my_ip(c);
        find_hypervisor(c);
        check_sockets(c, errors);
        check_identity(c, "placement", errors, notes);
        check_identity(c, "service_user", errors, notes);
        find_image_source(c, notes);

        if (c->service_down_time <= c->report_interval) {
                int64_t raised = c->report_interval * 5 / 2;
                const struct conf_place *place = setting_place(c, "", "service_down_time");

                finding_at(notes, place->line ? place : setting_place(c, "", "report_interval"),
                           "service_down_time is not longer than report_interval: it becomes %d",
                           (int)raised);
                c->service_down_time = raised;
        }
        if (c->oslo_messaging_rabbit.rabbit_quorum_queue && c->oslo_messaging_rabbit.rabbit_ha_queues)
                finding_at(errors, setting_place(c, "oslo_messaging_rabbit", "rabbit_quorum_queue"),
                           "rabbit_quorum_queue and rabbit_ha_queues exclude one another");
        if (c->compute.max_disk_devices_to_attach == 0)
                finding_at(errors, setting_place(c, "compute", "max_disk_devices_to_attach"),
                           "max_disk_devices_to_attach must not be 0: a guest needs its root disk");
}
