/*
 * agent/conf_derive.c: settings that follow from the machine or from other settings.
 */
#include "conf_priv.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/list.h"
#include "base/mem.h"

static int line_of_setting(const int *line_of, const char *section, const char *key)
{
        return line_of[setting_find(section, key) - settings];
}

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

static void expand_paths(struct conf *c, const int *line_of, struct findings *errors)
{
        static const char state[] = "$state_path";

        if (c->state_path[0] == '$')
                finding_add(errors, line_of_setting(line_of, "", "state_path"),
                            "state_path cannot begin with itself");
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

/* What is missing for a token is told before the start. */
static void check_placement(const struct conf *c, const int *line_of, struct findings *errors,
                            struct findings *notes)
{
        const struct {
                const char *key, *value, *instead;
        } needed[] = {
                { "auth_url", c->placement.auth_url, "" },
                { "username", c->placement.username, "" },
                { "password", c->placement.password, "" },
                { "user_domain_name", c->placement.user_domain_name, c->placement.user_domain_id },
                { "project_name", c->placement.project_name, "" },
                { "project_domain_name", c->placement.project_domain_name, c->placement.project_domain_id },
        };
        int line = line_of_setting(line_of, "placement", "auth_type");

        for (size_t i = 0; *c->placement.auth_type && i < ARRAY_SIZE(needed); i++)
                if (!*needed[i].value && !*needed[i].instead)
                        finding_add(errors, line, "[placement] auth_type = 'password' needs %s",
                                    needed[i].key);
        if (!*c->placement.auth_type && *c->placement.auth_url)
                finding_add(notes, line_of_setting(line_of, "placement", "auth_url"),
                            "[placement] is not used, since its auth_type is not set");
}

void conf_derive(struct conf *c, const int *line_of, struct findings *errors, struct findings *notes)
{
        find_host(c, errors);
        find_my_ip(c);
        expand_paths(c, line_of, errors);
        check_placement(c, line_of, errors, notes);

        if (c->service_down_time <= c->report_interval) {
                int64_t raised = c->report_interval * 5 / 2;
                int line = line_of_setting(line_of, "", "service_down_time");

                finding_add(notes, line ? line : line_of_setting(line_of, "", "report_interval"),
                            "service_down_time is not longer than report_interval: it becomes %d",
                            (int)raised);
                c->service_down_time = raised;
        }
        if (c->compute.max_disk_devices_to_attach == 0)
                finding_add(errors, line_of_setting(line_of, "compute", "max_disk_devices_to_attach"),
                            "max_disk_devices_to_attach must not be 0: a guest needs its root disk");
}
