/*
 * agent/conf/machine.c: what --check-config looks at beyond the files: would a start find what the settings
 * name? It only looks: nothing is made, opened for writing, or connected to. A start itself does not ask
 * this, as what is missing may come yet (a file system that is mounted late), and then has its own words for
 * it.
 */
#include "conf/conf_priv.h"

#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/list.h"
#include "base/mem.h"
#include "messaging/transport.h"
#include "mysql/url.h"

#define BEFORE "--check-config, before there is a hub"

struct look {
        struct conf *conf;
        struct findings *errors, *notes;
};

static const char *text_of(const struct look *l, const char *section, const char *key)
{
        return *setting_text(setting_find(section, key), l->conf);
}

static void wrong(const struct look *l, const char *section, const char *key, const char *what)
{
        finding_at(l->errors, setting_place(l->conf, section, key), "%s: %s", key, what);
}

/* What is not there will be made, below the nearest directory that is. */
static void check_dir(const struct look *l, const char *section, const char *key)
{
        CLEANUP(freep) char *path = xstrdup(text_of(l, section, key)), *text = NULL;
        struct stat st;

        if (!*path)
                return;
        local_files(BEFORE);
        while (stat(path, &st) < 0) {
                char *slash = strrchr(path, '/');

                if (errno != ENOENT || !slash) {
                        text = xasprintf("%s: %s", path, strerror(errno));
                        wrong(l, section, key, text);
                        return;
                }
                slash[slash == path] = '\0';
        }
        if (!S_ISDIR(st.st_mode))
                text = xasprintf("%s is not a directory", path);
        else if (access(path, W_OK | X_OK) < 0)
                text = xasprintf("nothing can be made in %s: %s", path, strerror(errno));
        if (text)
                wrong(l, section, key, text);
}

/* A file that is read; its name may be of a setting, or of a part of one. */
static void check_readable(const struct look *l, const char *section, const char *key, const char *path)
{
        CLEANUP(freep) char *text = NULL;
        struct stat st;

        if (!path || !*path)
                return;
        local_files(BEFORE);
        if (access(path, R_OK) < 0 || stat(path, &st) < 0)
                text = xasprintf("%s cannot be read: %s", path, strerror(errno));
        else if (!S_ISREG(st.st_mode))
                text = xasprintf("%s is not a file", path);
        if (text)
                wrong(l, section, key, text);
}

/* The directory of a file that is made or appended to. */
static void check_parent(const struct look *l, const char *section, const char *key, const char *path)
{
        CLEANUP(freep) char *dir = xstrdup(path), *text = NULL;
        char *slash = strrchr(dir, '/');
        struct stat st;

        if (!slash)
                return;
        slash[slash == dir] = '\0';
        if (strcmp(dir, l->conf->heartbeat_file_path) == 0)
                return; /* made by the heartbeat, which comes first */
        local_files(BEFORE);
        if (stat(dir, &st) < 0)
                text = xasprintf("the directory %s is not there: %s", dir, strerror(errno));
        else if (!S_ISDIR(st.st_mode) || access(dir, W_OK | X_OK) < 0)
                text = xasprintf("nothing can be made in %s", dir);
        if (text)
                wrong(l, section, key, text);
}

static void check_socket(const struct look *l, const char *section, const char *key, const char *path)
{
        struct sockaddr_un address;

        if (!*path)
                return;
        if (strlen(path) >= sizeof(address.sun_path))
                finding_at(l->errors, setting_place(l->conf, section, key),
                           "%s: the path of a socket has at most %zu characters", key,
                           sizeof(address.sun_path) - 1);
        else
                check_parent(l, section, key, path);
}

static void check_log_file(const struct look *l)
{
        const char *path = l->conf->log_file;
        CLEANUP(freep) char *text = NULL;
        struct stat st;

        if (!*path)
                return;
        local_files(BEFORE);
        if (stat(path, &st) < 0)
                check_parent(l, "", "log_file", path);
        else if (S_ISDIR(st.st_mode))
                wrong(l, "", "log_file", "it is a directory");
        else if (access(path, W_OK) < 0) {
                text = xasprintf("it cannot be written: %s", strerror(errno));
                wrong(l, "", "log_file", text);
        }
}

static void check_database(const struct look *l)
{
        struct error ignored;
        struct db_url url;

        if (db_url_parse(l->conf->database.connection, &url, &ignored) < 0)
                return; /* not set, which was told */
        check_readable(l, "database", "connection", url.ssl_ca);
        check_readable(l, "database", "connection", url.ssl_cert);
        check_readable(l, "database", "connection", url.ssl_key);
        db_url_free(&url);
}

static void check_sockets(const struct look *l)
{
        const struct conf *c = l->conf;

        if (transport_url_is_local(c->transport_url))
                check_socket(l, "", "transport_url", conf_local_path(c));
        else
                check_socket(l, "", "control_socket", c->control_socket);
        check_socket(l, "healthcheck", "socket", c->healthcheck.socket);
        if (*c->control_readers_group && setting_place(c, "", "control_readers_group")->line &&
            !getgrnam(c->control_readers_group))
                finding_at(l->notes, setting_place(c, "", "control_readers_group"),
                           "control_readers_group: there is no such group, so only root and the agent's own "
                           "user "
                           "may look");
}

/* The default suits few virtual machines. */
static void check_virt_type(const struct look *l)
{
        const struct conf *c = l->conf;

        local_files(BEFORE);
        if (strcmp(c->libvirt.virt_type, "kvm") == 0 &&
            strncmp(c->libvirt.connection_uri, "qemu:///", 8) == 0 && access("/dev/kvm", F_OK) < 0)
                finding_at(
                        l->notes, setting_place(c, "libvirt", "virt_type"),
                        "virt_type is 'kvm', and this machine has no /dev/kvm: no guest will start; 'qemu' "
                        "needs none");
}

void conf_check_machine(struct conf *c, struct findings *errors, struct findings *notes)
{
        static const struct {
                const char *section, *key;
        } dirs[] = {
                { "", "state_path" },
                { "", "instances_path" },
                { "", "heartbeat_file_path" },
                { "oslo_concurrency", "lock_path" },
        };
        const struct look l = { c, errors, notes };

        for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
                check_dir(&l, dirs[i].section, dirs[i].key);
        if (strcmp(c->images.source, "local") == 0)
                check_dir(&l, "images", "local_path");
        check_virt_type(&l);
        check_log_file(&l);
        check_database(&l);
        check_sockets(&l);
        if (*c->placement.identity.auth_type)
                check_readable(&l, "placement", "cafile", c->placement.identity.cafile);
        if (*c->service_user.identity.auth_type)
                check_readable(&l, "service_user", "cafile", c->service_user.identity.cafile);
        if (strcmp(c->images.source, "glance") == 0)
                check_readable(&l, "glance", "cafile", c->glance.cafile);
        if (!transport_url_is_local(c->transport_url) && c->oslo_messaging_rabbit.ssl) {
                check_readable(&l, "oslo_messaging_rabbit", "ssl_ca_file",
                               c->oslo_messaging_rabbit.ssl_ca_file);
                check_readable(&l, "oslo_messaging_rabbit", "ssl_cert_file",
                               c->oslo_messaging_rabbit.ssl_cert_file);
                check_readable(&l, "oslo_messaging_rabbit", "ssl_key_file",
                               c->oslo_messaging_rabbit.ssl_key_file);
        }
}
