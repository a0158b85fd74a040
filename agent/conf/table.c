/*
 * agent/conf/table.c: the table of settings. Names, units and defaults are nova's (nova-contract
 * 8, 4.5, 4.7);
 * "(ours)" in a help text marks what nova does not have.
 *
 * A new option is a member of struct conf, a row here and the line in etc/compute-agent.conf that the test of
 * the example file asks for.
 */
#include "conf/conf_priv.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "messaging/transport.h"
#include "mysql/url.h"

/* The member's offset; does not compile when the member has another type than the row says. */
#define AT(member, type)                                                                                \
        (offsetof(struct conf, member) +                                                                \
         0 * sizeof(char[__builtin_types_compatible_p(__typeof__(((struct conf *)0)->member), type) ? 1 \
                                                                                                    : -1]))

#define INT(sec, key_, at, preset_, min_, max_, ...)                                         \
        {                                                                                    \
                .section = sec, .key = key_, .type = SETTING_INT, .offset = AT(at, int64_t), \
                .preset = preset_, .min = min_, .max = max_, .help = __VA_ARGS__             \
        }
#define RATIO(key_, preset_, ...)                                                               \
        {                                                                                       \
                .section = "", .key = #key_, .type = SETTING_RATIO, .offset = AT(key_, double), \
                .preset = preset_, .min = 0, .max = 10000, .help = __VA_ARGS__                  \
        }
#define BOOL(sec, key_, at, preset_, flags_, ...)                                          \
        {                                                                                  \
                .section = sec, .key = key_, .type = SETTING_BOOL, .offset = AT(at, bool), \
                .preset = preset_, .flags = flags_, .help = __VA_ARGS__                    \
        }
#define TEXT_OF(type_, sec, key_, at, preset_, flags_, check_, ...)                                      \
        {                                                                                                \
                .section = sec, .key = key_, .type = type_, .offset = AT(at, char *), .preset = preset_, \
                .flags = flags_, .check = check_, .help = __VA_ARGS__                                    \
        }
#define TEXT(...) TEXT_OF(SETTING_TEXT, __VA_ARGS__)
#define PATH(...) TEXT_OF(SETTING_PATH, __VA_ARGS__)
#define CHOICE(sec, key_, at, preset_, choices_, flags_, ...)                                  \
        {                                                                                      \
                .section = sec, .key = key_, .type = SETTING_CHOICE, .offset = AT(at, char *), \
                .preset = preset_, .choices = choices_, .flags = flags_, .help = __VA_ARGS__   \
        }
#define SEC_RATIO(sec, key_, preset_, max_, ...)                                                      \
        {                                                                                             \
                .section = #sec, .key = #key_, .type = SETTING_RATIO, .offset = AT(sec.key_, double), \
                .preset = preset_, .min = 0, .max = max_, .help = __VA_ARGS__                         \
        }
/* In sections the member is called as the option, in a struct called as the section. */
#define SEC_INT(sec, key_, ...)           INT(#sec, #key_, sec.key_, __VA_ARGS__)
#define SEC_BOOL(sec, key_, preset_, ...) BOOL(#sec, #key_, sec.key_, preset_, 0, __VA_ARGS__)
#define SEC_TEXT(sec, key_, ...)          TEXT(#sec, #key_, sec.key_, __VA_ARGS__)
#define SEC_PATH(sec, key_, preset_, flags_, ...) \
        PATH(#sec, #key_, sec.key_, preset_, flags_, NULL, __VA_ARGS__)
#define SEC_CHOICE(sec, key_, ...)           CHOICE(#sec, #key_, sec.key_, __VA_ARGS__)
#define TOP_INT(key_, ...)                   INT("", #key_, key_, __VA_ARGS__)
#define TOP_BOOL(key_, ...)                  BOOL("", #key_, key_, __VA_ARGS__)
#define TOP_TEXT(key_, ...)                  TEXT("", #key_, key_, __VA_ARGS__)
#define TOP_PATH(key_, preset_, flags_, ...) PATH("", #key_, key_, preset_, flags_, NULL, __VA_ARGS__)
#define TOP_CHOICE(key_, ...)                CHOICE("", #key_, key_, __VA_ARGS__)

/* After the help of a row: it may change while the agent runs; what its number counts. */
#define RELOADS     .reloads = true
#define UNIT(unit_) .unit = unit_

/* The file that a secret stands in: secrets.c reads it. */
#define FILE_OF(sec, key_, credential, at, reloads_)                                                     \
        PATH(sec, key_ "_file", at, "", SETTING_EMPTY_OK, NULL,                                          \
             "(ours) File that holds nothing but " key_                                                  \
             ": its whole text, but for the end of the line. The "                                       \
             "systemd credential compute-agent." credential " may hold it, too. Only one of the three.", \
             .reloads = reloads_)

/* The options of a section's identity, in its member of that name. */
#define ID_TEXT(sec, key_, ...)   TEXT(#sec, #key_, sec.identity.key_, __VA_ARGS__)
#define ID_PATH(sec, key_, ...)   PATH(#sec, #key_, sec.identity.key_, __VA_ARGS__)
#define ID_CHOICE(sec, key_, ...) CHOICE(#sec, #key_, sec.identity.key_, __VA_ARGS__)
#define ID_BOOL(sec, key_, ...)   BOOL(#sec, #key_, sec.identity.key_, __VA_ARGS__)
#define ID_INT(sec, key_, ...)    INT(#sec, #key_, sec.identity.key_, __VA_ARGS__)
#define IDENTITY(sec, help_)                                                                                 \
        ID_CHOICE(sec, auth_type, "", "password", SETTING_EMPTY_OK, help_),                                  \
                ID_TEXT(sec, auth_url, "", SETTING_EMPTY_OK, check_http_url,                                 \
                        "Keystone, with or without /v3 at the end."),                                        \
                ID_TEXT(sec, username, "", SETTING_EMPTY_OK, NULL, "The user to authenticate as."),          \
                ID_TEXT(sec, password, "", SETTING_SECRET | SETTING_HIDDEN | SETTING_EMPTY_OK, NULL,         \
                        "The password, in single quotes.", RELOADS),                                         \
                FILE_OF(#sec, "password", #sec ".password", sec.identity.password_file, true),               \
                ID_TEXT(sec, user_domain_name, "", SETTING_EMPTY_OK, NULL, "The domain of the user."),       \
                ID_TEXT(sec, user_domain_id, "", SETTING_EMPTY_OK, NULL,                                     \
                        "The id of that domain; comes before its name."),                                    \
                ID_TEXT(sec, project_name, "", SETTING_EMPTY_OK, NULL, "The project of the token."),         \
                ID_TEXT(sec, project_domain_name, "", SETTING_EMPTY_OK, NULL, "The domain of the project."), \
                ID_TEXT(sec, project_domain_id, "", SETTING_EMPTY_OK, NULL,                                  \
                        "The id of that domain; comes before its name."),                                    \
                ID_PATH(sec, cafile, "", SETTING_EMPTY_OK, NULL,                                             \
                        "PEM file of the authorities to trust. '': those of the system."),                   \
                ID_BOOL(sec, insecure, "false", 0, "Certificates are not checked."),                         \
                ID_INT(sec, timeout, "60", 1, 3600, "Seconds that one request may take.", UNIT("seconds"))

#define DAY  86400
#define YEAR (366 * DAY)
#define MANY 1000000
#define TIB  (1024 * 1024) /* in MiB */

/* A host name or an address: it becomes a part of the names of queues. */
static int check_host(const char *value, struct error *err)
{
        for (const char *p = value; *p; p++)
                if (!isalnum((unsigned char)*p) && !strchr("-_.:", *p))
                        return error_set(err, ERR_INVALID,
                                         "must be a host name: letters, digits and - _ . only");
        return 0;
}

static int check_address(const char *value, struct error *err)
{
        unsigned char address[sizeof(struct in6_addr)];

        if (inet_pton(AF_INET, value, address) == 1 || inet_pton(AF_INET6, value, address) == 1)
                return 0;
        return error_set(err, ERR_INVALID, "must be an IPv4 or IPv6 address");
}

/* What is answered there is for this machine. */
static int check_loopback(const char *value, struct error *err)
{
        struct in6_addr v6;
        struct in_addr v4;

        if (inet_pton(AF_INET, value, &v4) == 1 && ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET)
                return 0;
        if (inet_pton(AF_INET6, value, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6))
                return 0;
        return error_set(err, ERR_INVALID, "must be a loopback address: 127.0.0.1 or ::1");
}

static int check_module_levels(const char *value, struct error *err)
{
        struct error wrong = {};

        if (log_check_module_levels(value, &wrong) == 0)
                return 0;
        return error_set(err, ERR_INVALID, "must be like compute=DEBUG,virt.libvirt=WARNING: %s", wrong.text);
}

/* err is that of a parser of URLs, which begins with what it read. */
static int url_is_wrong(struct error *err)
{
        const char *colon = strstr(err->text, ": ");
        CLEANUP(freep) char *text = xstrdup(colon ? colon + 2 : err->text);

        return error_set(err, ERR_INVALID, "cannot be read: %s", text);
}

static int check_transport_url(const char *value, struct error *err)
{
        if (transport_check_url(value, err) == 0)
                return 0;
        if (err->code == ERR_UNSUPPORTED)
                return error_set(err, ERR_INVALID,
                                 "must be unix:/PATH (the local socket) or "
                                 "rabbit://USER:PASSWORD@HOST:PORT/VHOST");
        return url_is_wrong(err);
}

static int check_database_url(const char *value, struct error *err)
{
        const char *end = strstr(value, "://");
        struct db_url url;

        if (!end || (strncmp(value, "mysql:", 6) != 0 && strncmp(value, "mysql+pymysql:", 14) != 0))
                return error_set(err, ERR_INVALID,
                                 "must be mysql://USER:PASSWORD@HOST:PORT/DATABASE or "
                                 "mysql+pymysql://...");
        if (db_url_parse(value, &url, err) < 0)
                return url_is_wrong(err);
        db_url_free(&url);
        return 0;
}

static int check_http_url(const char *value, struct error *err)
{
        if (strncmp(value, "http://", 7) == 0 || strncmp(value, "https://", 8) == 0)
                return 0;
        return error_set(err, ERR_INVALID, "must be http://HOST:PORT/... or https://...");
}

/* One or more, separated by commas, blanks around them. */
static int check_http_urls(const char *value, struct error *err)
{
        for (const char *p = value + strspn(value, ", "); *p; p += strspn(p, ", ")) {
                if (check_http_url(p, err) < 0)
                        return error_set(
                                err, ERR_INVALID,
                                "must be http://HOST:PORT or https://..., several separated by commas");
                p += strcspn(p, ", ");
        }
        return 0;
}

/* The template becomes a printf format with the row's id: anything but one integer in it is refused here. */
static int check_name_template(const char *value, struct error *err)
{
        unsigned numbers = 0;

        for (const char *p = value; *p; p++) {
                if (*p != '%')
                        continue;
                p++;
                if (*p == '%')
                        continue;
                while (isdigit((unsigned char)*p))
                        p++;
                if (!*p || !strchr("xXd", *p))
                        return error_set(err, ERR_INVALID,
                                         "may only have %%d, %%x, %%X (with a width) and %%%%");
                numbers++;
        }
        if (numbers == 1)
                return 0;
        return error_set(err, ERR_INVALID,
                         "must have exactly one of %%d, %%x, %%X: the number of the instance");
}

/* "file=writeback, network=none" */
static int check_cache_modes(const char *value, struct error *err)
{
        static const char *const kinds[] = { "file=", "block=", "network=", "mount=" };
        static const char *const modes[] = { "default",   "none",       "writethrough",
                                             "writeback", "directsync", "unsafe" };

        while (*value) {
                bool known = false;

                value += strspn(value, ", ");
                for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
                        size_t n = strlen(kinds[k]);
                        const char *mode = value + n;

                        if (strncmp(value, kinds[k], n) != 0)
                                continue;
                        for (size_t m = 0; m < ARRAY_SIZE(modes); m++)
                                known |= strcspn(mode, ", ") == strlen(modes[m]) &&
                                         strncmp(mode, modes[m], strlen(modes[m])) == 0;
                }
                if (*value && !known)
                        return error_set(
                                err, ERR_INVALID,
                                "must be a list of KIND=MODE: file, block, network or mount; default, none, "
                                "writethrough, writeback, directsync or unsafe");
                value += strcspn(value, ", ");
        }
        return 0;
}

/* Names with commas between them: it goes into a statement. */
static int check_sql_mode(const char *value, struct error *err)
{
        for (const char *p = value; *p; p++)
                if (!isalpha((unsigned char)*p) && *p != '_' && *p != ',')
                        return error_set(err, ERR_INVALID, "must be names of modes with commas between them");
        return 0;
}

/* The drivers of libvirt that this agent can use, and what it takes to reach each. */
static int check_libvirt_uri(const char *value, struct error *err)
{
        static const char embed[] = "qemu:///embed?root=/";
        const char *path = strstr(value, "://");
        size_t driver = strcspn(value, "+:");

        if (strncmp(value, "qemu:///embed", 13) == 0) {
                if (strncmp(value, embed, strlen(embed)) == 0)
                        return 0;
                return error_set(err, ERR_INVALID, "must be qemu:///embed?root=DIR, DIR from /");
        }
        if (path && driver == 4 && (strncmp(value, "qemu", 4) == 0 || strncmp(value, "test", 4) == 0)) {
                path = strchr(path + 3, '/');
                if (path && path[1] && path[1] != '?')
                        return 0;
        }
        return error_set(
                err, ERR_INVALID,
                "must be qemu:///system, qemu:///embed?root=DIR, qemu+ssh://HOST/system or the like");
}

static int check_file_name(const char *value, struct error *err)
{
        if (strchr(value, '/') || strcmp(value, ".") == 0 || strcmp(value, "..") == 0)
                return error_set(err, ERR_INVALID, "must be the name of a file, without a directory");
        return 0;
}

const struct setting settings[] = {
        /* ---- who we are, and where our things lie ---- */
        TOP_TEXT(host, "", SETTING_EMPTY_OK, check_host,
                 "Name of this host towards the cloud: the services row, the queues, instances.host. Never "
                 "change "
                 "it while instances are here. '' is the machine's host name."),
        TOP_TEXT(my_ip, "", SETTING_EMPTY_OK, check_address,
                 "Address of this host, shown in compute_nodes. '' is that of the default route."),
        TOP_PATH(state_path, "/var/lib/compute-agent", 0,
                 "Directory for what must survive a restart. Other paths may begin with $state_path."),
        TOP_PATH(instances_path, "$state_path/instances", 0,
                 "Directory of the disks and console logs of guests."),
        TOP_TEXT(instance_name_template, "instance-%08x", 0, check_name_template,
                 "Name of a guest in the hypervisor, from the number of its row."),
        TOP_CHOICE(compute_driver, "libvirt.LibvirtDriver", "libvirt.LibvirtDriver", 0,
                   "The hypervisor driver; there is this one."),

        /* ---- messages ---- */
        TOP_TEXT(transport_url, "unix:/run/compute-agent/rpc.sock", SETTING_SECRET, check_transport_url,
                 "Where requests come from: unix:/PATH is a socket for compute-agentctl on this machine, "
                 "'rabbit://USER:PASSWORD@HOST:PORT,HOST2/VHOST' the RabbitMQ of a cloud. A URL with a "
                 "password belongs in single quotes."),
        FILE_OF("", "transport_url", "transport_url", transport_url_file, false),
        TOP_PATH(control_socket, "/run/compute-agent/rpc.sock", 0,
                 "(ours) The socket for compute-agentctl when transport_url is no local socket itself."),
        TOP_TEXT(control_readers_group, "compute-agent-readers", SETTING_EMPTY_OK, NULL,
                 "(ours) Members of this group may look with compute-agentctl (status, health, ...); what "
                 "changes something is for root and the agent's own user. '' means no group."),
        TOP_TEXT(control_exchange, "nova", 0, NULL, "Exchange of the message bus."),
        TOP_INT(rpc_response_timeout, "60", 1, DAY, "Seconds to wait for the reply to a call.",
                UNIT("seconds"), RELOADS),
        TOP_INT(long_rpc_timeout, "1800", 1, DAY, "The same for calls that are known to take long.",
                UNIT("seconds"), RELOADS),
        TOP_INT(executor_thread_pool_size, "64", 1, 10000, "Requests that are worked on at the same time.",
                RELOADS),
        TOP_BOOL(rpc_ping_enabled, "false", 0,
                 "Answer oslo_rpc_server_ping, for tools that watch over the message bus."),

        /* ---- what we tell ---- */
        TOP_BOOL(debug, "false", 0,
                 "Log at level DEBUG. Not the --debug of the command line, which makes green threads native.",
                 RELOADS),
        TOP_CHOICE(log_level, "INFO", "DEBUG INFO WARNING ERROR CRITICAL", 0,
                   "(ours) The least important level that is logged. --log-level comes before it.", RELOADS),
        TOP_TEXT(default_log_levels, "", SETTING_EMPTY_OK, check_module_levels,
                 "Modules with a level of their own: 'compute=DEBUG,virt.libvirt=WARNING'. The module stands "
                 "in each line after the level. What is set for compute is for compute.build too. Modules of "
                 "nova that do not exist here have no effect.",
                 RELOADS),
        TOP_PATH(log_file, "", SETTING_EMPTY_OK,
                 "File that log lines are appended to. '' is the journal or standard error. After it was "
                 "renamed SIGHUP makes a new one."),
        TOP_CHOICE(
                use_journal, "auto", "auto true false", 0,
                "Log lines go to systemd's journal, with request, instance, level and place as fields. auto: "
                "if standard error goes there. log_file comes before it."),
        TOP_INT(log_repeat_interval, "60", 0, DAY,
                "(ours) A line that comes again and again from the same place is written three times, then "
                "counted and written once in so many seconds. 0: never.",
                UNIT("seconds"), RELOADS),
        TOP_INT(rate_limit_interval, "10", 0, DAY,
                "Seconds in which each place in the program may write rate_limit_burst lines; more are only "
                "counted. 0, nova's default: no limit. nova's is one for all places together.",
                UNIT("seconds"), RELOADS),
        TOP_INT(rate_limit_burst, "500", 0, MANY, "How many lines that are. 0: no limit.", RELOADS),
        TOP_CHOICE(rate_limit_except_level, "CRITICAL", "DEBUG INFO WARNING ERROR CRITICAL", SETTING_EMPTY_OK,
                   "From this level on there is no limit. '': there is one for all.", RELOADS),
        TOP_INT(report_interval, "10", 1, DAY, "Seconds between two reports of this service to the database.",
                UNIT("seconds"), RELOADS),
        TOP_INT(service_down_time, "60", 1, DAY,
                "Seconds after the last report at which the cloud calls a service down. If it is not longer "
                "than "
                "report_interval it becomes 2.5 times that.",
                UNIT("seconds"), RELOADS),
        TOP_BOOL(enable_new_services, "true", 0, "A services row made by us is enabled from the start."),
        TOP_PATH(heartbeat_file_path, "/run/compute-agent", SETTING_EMPTY_OK,
                 "(ours) Directory of the heartbeat file, made when it misses. '' means no heartbeat file."),
        TOP_TEXT(heartbeat_file_name, "heartbeat", 0, check_file_name, "(ours) Name of the heartbeat file."),
        TOP_INT(heartbeat_interval, "10", 1, 3600, "(ours) Seconds between two beats.", UNIT("seconds")),

        /* ---- periodic work ---- */
        TOP_BOOL(periodic_enable, "true", 0, "Run the periodic tasks."),
        TOP_INT(periodic_fuzzy_delay, "60", 0, DAY,
                "The first periodic run comes after a random time of up to so many seconds, so that many "
                "hosts "
                "started at once do not stay in step.",
                UNIT("seconds")),
        TOP_INT(sync_power_state_interval, "600", -1, YEAR,
                "Seconds between two comparisons of all rows with all guests. 0 is 60; negative: never.",
                UNIT("seconds"), RELOADS),
        TOP_INT(sync_power_state_pool_size, "1000", 1, 10000, "Guests that are compared at the same time.",
                RELOADS),
        TOP_INT(update_resources_interval, "0", -1, YEAR,
                "Seconds between two audits of this host's resources. 0 is 60; negative: never.",
                UNIT("seconds"), RELOADS),
        TOP_INT(running_deleted_instance_poll_interval, "1800", -1, YEAR,
                "Seconds between two searches for guests whose rows are deleted. 0 is 60; negative: never.",
                UNIT("seconds"), RELOADS),
        TOP_CHOICE(running_deleted_instance_action, "reap", "reap shutdown log noop", 0,
                   "What is done with them.", RELOADS),
        TOP_INT(running_deleted_instance_timeout, "0", 0, YEAR,
                "Seconds for which a row must have been deleted before its guest counts as such.",
                UNIT("seconds"), RELOADS),
        TOP_INT(instance_build_timeout, "0", 0, YEAR,
                "Seconds after which an instance that is still building is set to error. 0: never.",
                UNIT("seconds"), RELOADS),
        TOP_INT(reclaim_instance_interval, "0", 0, YEAR,
                "Seconds after which a soft-deleted instance is deleted for good. 0: never. The control "
                "plane "
                "has the same option, by which it soft-deletes at all.",
                UNIT("seconds"), RELOADS),
        TOP_INT(scheduler_instance_sync_interval, "120", -1, YEAR,
                "Seconds between two messages that tell the scheduler which instances are here. 0 is 60; "
                "negative: never.",
                UNIT("seconds"), RELOADS),
        TOP_INT(instance_delete_interval, "300", -1, YEAR,
                "Seconds between two attempts to remove what deleted instances left behind: files, "
                "migrations, "
                "expired console tokens. 0 is 60; negative: never.",
                UNIT("seconds"), RELOADS),
        TOP_INT(maximum_instance_delete_attempts, "5", 1, INT32_MAX,
                "How often the removal of an instance's files is tried.", RELOADS),

        /* ---- stopping ---- */
        TOP_INT(graceful_shutdown_timeout, "60", 0, DAY,
                "Seconds that running requests get to finish after SIGTERM. 0: as long as it takes. "
                "TimeoutStopSec of the unit (90) must be longer.",
                UNIT("seconds"), RELOADS),

        /* ---- what this host offers ---- */
        TOP_INT(reserved_host_memory_mb, "512", 0, 1024 * TIB, "MiB of memory that are not for guests.",
                UNIT("MiB"), RELOADS),
        TOP_INT(reserved_host_cpus, "0", 0, 100000, "CPUs that are not for guests.", RELOADS),
        TOP_INT(reserved_host_disk_mb, "0", 0, INT64_C(1024) * 1024 * TIB,
                "MiB of disk that are not for guests.", UNIT("MiB"), RELOADS),
        RATIO(cpu_allocation_ratio, "0.0",
              "Virtual CPUs per CPU. 0.0: what placement and the compute_nodes row have is kept.", RELOADS),
        RATIO(ram_allocation_ratio, "0.0", "The same for memory.", RELOADS),
        RATIO(disk_allocation_ratio, "0.0", "The same for disk.", RELOADS),
        RATIO(initial_cpu_allocation_ratio, "16.0", "Written once, when the compute_nodes row is made.",
              RELOADS),
        RATIO(initial_ram_allocation_ratio, "1.5", "The same for memory.", RELOADS),
        RATIO(initial_disk_allocation_ratio, "1.0", "The same for disk.", RELOADS),

        /* ---- guests ---- */
        TOP_INT(max_concurrent_builds, "10", 0, 10000, "Builds at the same time; more wait. 0: no limit.",
                RELOADS),
        TOP_BOOL(force_raw_images, "true", 0, "Images are converted to raw in the cache."),
        TOP_BOOL(use_cow_images, "true", 0,
                 "Root disks are qcow2 overlays of the cached image; else copies."),
        TOP_BOOL(force_config_drive, "false", 0, "Every guest gets a config drive.", RELOADS),
        TOP_TEXT(mkisofs_cmd, "genisoimage", 0, NULL, "The program that makes config drives."),
        TOP_CHOICE(default_ephemeral_format, "", "ext2 ext3 ext4 xfs vfat ntfs", SETTING_EMPTY_OK,
                   "File system of ephemeral disks. '' is ext4 for linux, ntfs for windows, else vfat."),
        TOP_INT(shutdown_timeout, "60", 0, DAY,
                "Seconds a guest gets to shut down before it is switched off.", UNIT("seconds"), RELOADS),
        TOP_BOOL(resume_guests_state_on_host_boot, "false", 0,
                 "Guests that ran before the host went down are started again."),
        TOP_TEXT(rootwrap_command, "sudo -n", SETTING_EMPTY_OK, NULL,
                 "(ours) Words before a command that must run as root, when the agent does not."),

        SEC_PATH(healthcheck, socket, "/run/compute-agent/http.sock", SETTING_EMPTY_OK,
                 "(ours) The local socket that answers GET /health and GET /metrics. '' means none."),
        SEC_TEXT(healthcheck, listen, "127.0.0.1", 0, check_loopback,
                 "(ours) The loopback address on which they are answered as well, if there is a port."),
        SEC_INT(healthcheck, port, "0", 0, 65535, "(ours) The port. 0: only the socket answers."),

        SEC_TEXT(
                database, connection, "", SETTING_SECRET | SETTING_EMPTY_OK, check_database_url,
                "The cell database: 'mysql://USER:PASSWORD@HOST:PORT/DATABASE', or with ?unix_socket=PATH. "
                "In "
                "single quotes: between double ones ${...} is replaced, without quotes # cuts the value. The "
                "agent does not start without it.",
                RELOADS),
        FILE_OF("database", "connection", "database.connection", database.connection_file, true),
        SEC_INT(database, max_pool_size, "5", 1, 1000, "Connections that are kept open.", RELOADS),
        SEC_INT(database, max_overflow, "50", 0, 10000, "More that may be open for a moment.", RELOADS),
        SEC_INT(database, connection_recycle_time, "3600", -1, YEAR,
                "Seconds after which a connection is replaced. -1: never.", UNIT("seconds"), RELOADS),
        SEC_TEXT(database, mysql_sql_mode, "TRADITIONAL", SETTING_EMPTY_OK, check_sql_mode,
                 "sql_mode of each session. '' keeps the server's."),

        SEC_INT(compute, shutdown_retry_interval, "10", 1, 3600,
                "Seconds after which a guest is asked again to shut down.", UNIT("seconds"), RELOADS),
        SEC_INT(compute, max_disk_devices_to_attach, "-1", -1, 10000, "Disks per guest. -1: no limit; not 0.",
                RELOADS),
        SEC_INT(compute, max_concurrent_disk_ops, "0", 0, 10000,
                "Images that are fetched or converted at the same time. 0: no limit."),
        SEC_INT(compute, consecutive_build_service_disable_threshold, "10", 0, MANY,
                "0: failed builds are not told to the scheduler.", RELOADS),

        SEC_INT(compute, resource_provider_association_refresh, "300", 0, YEAR,
                "Seconds after which an audit reads again what placement knows of this host. 0: never.",
                UNIT("seconds"), RELOADS),
        SEC_TEXT(compute, image_type_exclude_list, "", SETTING_EMPTY_OK, NULL,
                 "Image formats that this host is not to be chosen for, separated by commas: 'raw' or "
                 "'qcow2'.",
                 RELOADS),
        SEC_PATH(compute, provider_config_location, "/etc/nova/provider_config/", SETTING_EMPTY_OK,
                 "Directory of YAML files with inventories and traits of one's own. They are not supported: "
                 "if there are any, the log says so."),

        IDENTITY(placement,
                 "How to authenticate for the placement service. '': there is no placement, nobody is told "
                 "what this host has."),
        SEC_TEXT(placement, region_name, "", SETTING_EMPTY_OK, NULL,
                 "The region whose placement it is. '': the first of the catalog."),
        SEC_TEXT(placement, valid_interfaces, "internal,public", 0, NULL,
                 "Interfaces to look for in the catalog, the preferred one first."),
        SEC_TEXT(placement, endpoint_override, "", SETTING_EMPTY_OK, check_http_url,
                 "The URL of placement. '': the catalog tells it."),

        SEC_TEXT(glance, api_servers, "", SETTING_EMPTY_OK, check_http_urls,
                 "URLs of image services, separated by commas; asked in an order that is shuffled at the "
                 "start. "
                 "'': the catalog of the request tells the service, or that of our own identity."),
        SEC_TEXT(glance, endpoint_override, "", SETTING_EMPTY_OK, check_http_url,
                 "The URL of the image service; comes before api_servers and catalogs."),
        SEC_INT(glance, num_retries, "3", 0, 1000,
                "How many times a request is tried again, on the next server, when one is out of order or "
                "cuts "
                "the connection. A download goes on where it was cut."),
        SEC_TEXT(glance, valid_interfaces, "internal,public", 0, NULL,
                 "Interfaces to look for in the catalog, the preferred one first."),
        SEC_TEXT(glance, region_name, "", SETTING_EMPTY_OK, NULL,
                 "The region whose image service it is. '': the first of the catalog."),
        SEC_PATH(glance, cafile, "", SETTING_EMPTY_OK,
                 "PEM file of the authorities to trust. '': those of the system."),
        SEC_BOOL(glance, insecure, "false", "Certificates are not checked."),
        SEC_INT(glance, timeout, "60", 1, 3600,
                "Seconds that one request may take, and for which a download may stand still.",
                UNIT("seconds")),

        SEC_BOOL(service_user, send_service_user_token, "false",
                 "A token of this identity goes along with the token of a user, so that what he asked for "
                 "does "
                 "not fail when his expires on the way."),
        IDENTITY(service_user,
                 "How to authenticate. '': there is no such identity; images that no user asks for are "
                 "fetched as the user of [placement]."),

        SEC_CHOICE(libvirt, virt_type, "kvm", "kvm qemu", 0, "kvm, or qemu for machines without /dev/kvm."),
        SEC_TEXT(libvirt, connection_uri, "", SETTING_EMPTY_OK, check_libvirt_uri,
                 "'' is qemu:///system, a libvirtd on this machine; qemu:///embed?root=DIR needs no "
                 "libvirtd."),
        SEC_CHOICE(libvirt, images_type, "default", "default qcow2 raw flat", 0,
                   "Root disks: as use_cow_images says, or always overlays (qcow2) or copies (raw, flat)."),
        SEC_CHOICE(libvirt, cpu_mode, "", "host-model host-passthrough none", SETTING_EMPTY_OK,
                   "CPU that guests see. '' is host-model."),
        SEC_TEXT(libvirt, hw_machine_type, "", SETTING_EMPTY_OK, NULL,
                 "Machine type of guests whose image names none: \"q35\", or \"x86_64=q35\"; '' is pc on "
                 "x86, virt on "
                 "arm."),
        SEC_TEXT(libvirt, disk_cachemodes, "", SETTING_EMPTY_OK, check_cache_modes,
                 "How QEMU caches disks, by their kind: \"file=writeback\". Kinds other than file do not "
                 "occur. '' "
                 "is none, or writeback where files cannot be read past the host's cache."),
        SEC_CHOICE(libvirt, hw_disk_discard, "", "ignore unmap", SETTING_EMPTY_OK,
                   "What becomes of blocks that a guest discards. '' is QEMU's choice."),
        SEC_TEXT(libvirt, rng_dev_path, "/dev/urandom", SETTING_EMPTY_OK, NULL,
                 "Where guests' random numbers come from; '' gives them no such device."),
        SEC_INT(libvirt, mem_stats_period_seconds, "10", 0, 3600,
                "Seconds between two measurements of memory inside a guest. 0: none.", UNIT("seconds")),
        SEC_INT(libvirt, wait_soft_reboot_seconds, "120", 0, DAY,
                "Seconds a guest gets to shut down for a soft reboot before the hard one.", UNIT("seconds"),
                RELOADS),
        SEC_INT(libvirt, call_timeout, "60", 1, DAY,
                "(ours) Seconds after which a call to libvirt counts as failed. What starts a guest, ends it "
                "or saves its memory may take as long as the whole request.",
                UNIT("seconds"), RELOADS),
        SEC_INT(libvirt, delay_stopped_event, "0", 0, 300,
                "(ours; nova has 15 built in) Seconds for which the news that a guest stopped is held back, "
                "where other tools turn guests off and on again: reboots by the agent need none.",
                UNIT("seconds"), RELOADS),

        SEC_BOOL(vnc, enabled, "true", "Guests have a VNC console."),
        SEC_TEXT(vnc, server_listen, "127.0.0.1", 0, check_address, "Address that these consoles listen on."),
        SEC_TEXT(vnc, server_proxyclient_address, "127.0.0.1", 0, NULL,
                 "Name or address of this host by which the proxy for consoles reaches them.", RELOADS),
        SEC_TEXT(vnc, novncproxy_base_url, "http://127.0.0.1:6080/vnc_auto.html", 0, check_http_url,
                 "What users open in a browser: that page of the proxy for consoles.", RELOADS),

        SEC_INT(consoleauth, token_ttl, "600", 0, YEAR, "Seconds for which such an address can be opened.",
                UNIT("seconds"), RELOADS),

        SEC_TEXT(image_cache, subdirectory_name, "_base", 0, check_file_name,
                 "Directory of cached images, below instances_path."),
        SEC_INT(image_cache, manager_interval, "2400", -1, YEAR,
                "Seconds between two searches for cached images that nobody uses. 0 is 60; negative: never.",
                UNIT("seconds"), RELOADS),
        SEC_BOOL(image_cache, remove_unused_base_images, "true", "They are removed, not only counted.",
                 RELOADS),
        SEC_INT(image_cache, remove_unused_original_minimum_age_seconds, "86400", 0, YEAR,
                "Seconds for which an image must have been unused.", UNIT("seconds"), RELOADS),
        SEC_INT(image_cache, remove_unused_resized_minimum_age_seconds, "3600", 0, YEAR,
                "The same for images of another size that nova made of one.", UNIT("seconds"), RELOADS),

        SEC_CHOICE(
                images, source, "auto", "auto glance local", 0,
                "(ours) Where images come from. auto: glance when [glance] names it, or else when requests "
                "come over a broker or [placement] is used and local_path is not set; the local folder "
                "otherwise."),
        SEC_PATH(images, local_path, "$state_path/images", 0,
                 "(ours) The local folder of images, filled by `compute-agentctl image-import`."),

        SEC_BOOL(
                filter_scheduler, track_instance_changes, "true",
                "Tell the scheduler of each instance that comes or goes. The scheduler has the same option."),

        SEC_BOOL(workarounds, handle_virt_lifecycle_events, "true",
                 "Act at once when the hypervisor says that a guest started or stopped.", RELOADS),
        SEC_BOOL(workarounds, disable_compute_service_check_for_ffu, "false",
                 "Start although the cell has compute services of a release before Yoga."),

        SEC_PATH(oslo_concurrency, lock_path, "$state_path/lock", 0,
                 "Directory of lock files, shared with other services that touch the same things."),

        SEC_PATH(
                oslo_reports, log_dir, "", SETTING_EMPTY_OK,
                "Directory for the reports of SIGUSR2 and `compute-agentctl report`; empty: beside log_file, "
                "and to standard error where there is none."),

        SEC_BOOL(
                oslo_messaging_rabbit, amqp_durable_queues, "false",
                "Exchange and queues outlive a restart of the broker. This and the next three must equal the "
                "control plane's."),
        SEC_BOOL(oslo_messaging_rabbit, amqp_auto_delete, "false", "Queues go with their last consumer."),
        SEC_BOOL(oslo_messaging_rabbit, rabbit_ha_queues, "false", "Queues ask to be mirrored."),
        SEC_BOOL(oslo_messaging_rabbit, rabbit_quorum_queue, "false",
                 "Queues are quorum queues, which are durable."),
        SEC_INT(oslo_messaging_rabbit, rabbit_quorum_delivery_limit, "0", 0, INT32_MAX,
                "Deliveries after which a quorum queue drops a message. 0: not declared."),
        SEC_INT(oslo_messaging_rabbit, rabbit_quorum_max_memory_length, "0", 0, INT32_MAX,
                "Messages of a quorum queue in memory. 0: not declared."),
        SEC_INT(oslo_messaging_rabbit, rabbit_quorum_max_memory_bytes, "0", 0, INT32_MAX,
                "Bytes of a quorum queue in memory. 0: not declared.", UNIT("bytes")),
        SEC_INT(oslo_messaging_rabbit, rabbit_transient_queues_ttl, "1800", 0, YEAR / 16,
                "Seconds after which an unused fanout queue goes. 0: never.", UNIT("seconds")),
        SEC_INT(oslo_messaging_rabbit, rabbit_qos_prefetch_count, "0", 0, 65535,
                "Messages that the broker sends before the first is acknowledged. 0: no limit."),
        SEC_INT(oslo_messaging_rabbit, heartbeat_timeout_threshold, "60", 0, 65535,
                "Seconds of the heartbeat that is offered to the broker. 0: none.", UNIT("seconds")),
        SEC_INT(oslo_messaging_rabbit, rabbit_retry_interval, "1", 0, DAY,
                "Seconds of the first pause after all hosts could not be reached.", UNIT("seconds")),
        SEC_INT(oslo_messaging_rabbit, rabbit_retry_backoff, "2", 0, DAY,
                "Seconds by which each further pause is longer.", UNIT("seconds")),
        SEC_INT(oslo_messaging_rabbit, rabbit_interval_max, "30", 0, DAY,
                "Seconds of the longest such pause.", UNIT("seconds")),
        SEC_RATIO(oslo_messaging_rabbit, kombu_reconnect_delay, "1.0", 3600, "Seconds added to each pause."),
        SEC_INT(oslo_messaging_rabbit, kombu_missing_consumer_retry_timeout, "60", 0, DAY,
                "Seconds for which a reply is tried again whose queue is not there.", UNIT("seconds")),
        SEC_BOOL(oslo_messaging_rabbit, ssl, "false", "Speak TLS with the broker."),
        SEC_PATH(oslo_messaging_rabbit, ssl_ca_file, "", SETTING_EMPTY_OK,
                 "Authorities the broker's certificate is verified with. '': it is not verified."),
        SEC_PATH(oslo_messaging_rabbit, ssl_cert_file, "", SETTING_EMPTY_OK, "Our own certificate."),
        SEC_PATH(oslo_messaging_rabbit, ssl_key_file, "", SETTING_EMPTY_OK,
                 "Its key. '': it is in ssl_cert_file."),
        SEC_BOOL(oslo_messaging_rabbit, ssl_enforce_hostname_verification, "false",
                 "The certificate must be for the name in transport_url, too."),

        SEC_INT(hub, stall_threshold_ms, "100", 10, 60000,
                "(ours) Milliseconds for which one green thread may hold all others before a warning names "
                "it.",
                UNIT("milliseconds"), RELOADS),
        SEC_INT(hub, stack_size_kb, "64", 32, 8192, "(ours) KiB of stack of a green thread.", UNIT("KiB")),
        SEC_INT(hub, tpool_workers, "20", 1, 1000,
                "(ours) Native threads for calls that block, and as many again for work on files."),
        SEC_INT(hub, file_timeout, "60", 1, 3600,
                "(ours) Seconds after which a single operation of a file system is said to hang (a file "
                "server "
                "that does not answer): the agent goes on without it.",
                UNIT("seconds"), RELOADS),
        {}
};
const size_t n_settings = ARRAY_SIZE(settings) - 1;
