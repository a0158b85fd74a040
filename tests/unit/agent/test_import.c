/* tests/unit/agent/test_import.c: compute-agent.conf made of nova's files. */
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "import/import.h"
#include "import/nova_options.h"
#include "private_dir.h"

/* What the last import() put out. */
static struct strbuf out, said;

static void write_file(const char *name, const char *text)
{
        CLEANUP(freep) char *path = xasprintf("%s/%s", private_dir, name);
        FILE *f = fopen(path, "w");

        ck_assert_ptr_nonnull(f);
        ck_assert_int_ge(fputs(text, f), 0);
        ck_assert_int_eq(fclose(f), 0);
}

/* The private directory's name goes out of the messages. */
static void shorten(struct strbuf *b)
{
        struct strbuf to = {};
        const char *at = b->len ? b->data : "", *p;

        while ((p = strstr(at, private_dir))) {
                strbuf_add(&to, at, (size_t)(p - at));
                at = p + strlen(private_dir) + 1;
        }
        strbuf_adds(&to, at);
        strbuf_free(b);
        *b = to;
}

static enum import_outcome import_paths(char *const *paths, size_t n)
{
        enum import_outcome outcome;

        strbuf_free(&out);
        strbuf_free(&said);
        outcome = import_nova_conf(paths, n, &out, &said);
        shorten(&out);
        shorten(&said);
        return outcome;
}

/* "a.conf", and "b.conf" when there is one, below the private directory. */
static enum import_outcome import_files(const char *first, const char *second)
{
        char a[64], b[64];
        char *paths[] = { a, b };

        snprintf(a, sizeof(a), "%s/a.conf", private_dir);
        snprintf(b, sizeof(b), "%s/b.conf", private_dir);
        write_file("a.conf", first);
        if (second)
                write_file("b.conf", second);
        return import_paths(paths, second ? 2 : 1);
}

#define BASE                                                                     \
        "[DEFAULT]\ntransport_url = rabbit://mq/\nstate_path = /s\n[database]\n" \
        "connection = mysql://nova@db/nova_cell1\n"

/* Behind a file that has all that is needed. The settings as the agent will read them; NULL: refused. */
static struct conf *conf_after(const char *text)
{
        CLEANUP(strbuf_free) struct strbuf errors = {};
        struct conf *c;

        if (import_files(BASE, text) != IMPORT_WHOLE)
                return NULL;
        c = conf_load_text("imported", out.data, &errors);
        ck_assert_msg(c != NULL, "%s\n%s", errors.data, out.data);
        return c;
}

struct value {
        const char *text;  /* a file */
        const char *value; /* of mkisofs_cmd, which is any text; NULL: refused */
};

/* Compared with oslo.config 9.0 on Debian 12. */
static const struct value values[] = {
        { "[DEFAULT]\nmkisofs_cmd = plain\n", "plain" },
        { "[DEFAULT]\nmkisofs_cmd: plain\n", "plain" },
        { "[DEFAULT]\r\nmkisofs_cmd=plain\r\n", "plain" },
        { "[DEFAULT]\nmkisofs_cmd = a=b:c\n", "a=b:c" },
        { "[DEFAULT]\nmkisofs_cmd : a = b\n", "a = b" },
        { "[DEFAULT]\nmkisofs_cmd = x # no comment\n", "x # no comment" },
        { "[DEFAULT]\n# mkisofs_cmd = x\n; mkisofs_cmd = y\nmkisofs_cmd = z\n", "z" },
        { "[DEFAULT]\nmkisofs_cmd = first\nmkisofs_cmd = last\n", "last" },
        { "[DEFAULT]\nmkisofs_cmd = a\n[vnc]\nenabled = 1\n[DEFAULT]\nmkisofs_cmd = b", "b" },
        { "[DEFAULT]\nmkisofs_cmd = 'in quotes'\n", "in quotes" },
        { "[DEFAULT]\nmkisofs_cmd = \" x \"\n", " x " },
        { "[DEFAULT]\nmkisofs_cmd = 'it's'\n", "it's" },
        { "[DEFAULT]\nmkisofs_cmd = 'open\n", "'open" },
        { "[DEFAULT]\nmkisofs_cmd = 'mixed\"\n", "'mixed\"" },
        { "[DEFAULT]\nmkisofs_cmd = back\\slash \\n\n", "back\\slash \\n" },
        { "[DEFAULT]\nmkisofs_cmd = a}b{c\n", "a}b{c" },
        { "[DEFAULT]\nmkisofs_cmd = \xc3\xa9\n", "\xc3\xa9" },
        { "[DEFAULT]\nmkisofs_cmd = $$x \\$y $ $5 ${z\n", "$x $y $ $5 ${z" },
        { "[DEFAULT]\nmkisofs_cmd = $state_path/x\n", "/s/x" },
        { "[DEFAULT]\nmkisofs_cmd = ${state_path}x\n", "/sx" },
        { "[DEFAULT]\nmkisofs_cmd = $instances_path\n", "/s/instances" },          /* a default, and on */
        { "[DEFAULT]\nmkisofs_cmd = $vnc.server_listen|\n", "127.0.0.1|" },        /* of another group */
        { "[DEFAULT]\nmkisofs_cmd = ${vnc.enabled}\n[VNC]\nenabled=no", "False" }, /* as Python prints it */
        { "[DEFAULT]\nmkisofs_cmd = $report_interval s\nreport_interval = 007\n", "7 s" },
        { "[DEFAULT]\nmkisofs_cmd = [$compute_driver]\n", "[]" }, /* None */
        { "[DEFAULT]\nmkisofs_cmd = $console_host\nhost = h\n",
          NULL }, /* replaced below: the machine's name */
        { "[DEFAULT]\nmkisofs_cmd = $nothing\n", NULL },
        { "[DEFAULT]\nmkisofs_cmd = $state_path.\n", NULL },
        { "[DEFAULT]\nmkisofs_cmd = $vnc.nothing\n", NULL },
        { "[DEFAULT]\nmkisofs_cmd = $DEFAULT.state_path\n", NULL },
        { "[DEFAULT]\nmkisofs_cmd = $mkisofs_cmd\n", NULL },
        { "[DEFAULT]\nmkisofs_cmd = $preallocate_images\npreallocate_images = $mkisofs_cmd\n", NULL },
        { "[DEFAULT]\nmkisofs_cmd = $enabled_apis\n", NULL }, /* a list: Python's brackets are no value */
};

START_TEST(a_value_is_read_as_oslo_reads_it)
{
        const struct value *v = &values[_i];
        struct conf *c = conf_after(v->text);

        if (strstr(v->text, "console_host")) {
                char host[256] = "";

                ck_assert_int_eq(gethostname(host, sizeof(host) - 1), 0);
                ck_assert_ptr_nonnull(c);
                ck_assert_str_eq(c->mkisofs_cmd, host);
        } else if (v->value) {
                ck_assert_msg(c != NULL, "%s: %s", v->text, said.data);
                ck_assert_str_eq(c->mkisofs_cmd, v->value);
        } else {
                ck_assert_msg(c == NULL, "%s", v->text);
                ck_assert_msg(strstr(said.data, "b.conf:2: mkisofs_cmd: a $ in it "), "%s", said.data);
                ck_assert_uint_eq(out.len, 0);
        }
        conf_free(c);
}
END_TEST

START_TEST(a_value_goes_on_in_lines_that_begin_with_a_blank)
{
        struct conf *c = conf_after("[placement]\nvalid_interfaces = internal,\n   public,\n\tadmin\n\n");

        ck_assert_str_eq(c->placement.valid_interfaces, "internal,public,admin");
        conf_free(c);
        /* To oslo, too, this is a part of the value and no comment. */
        ck_assert_int_eq(import_files(BASE, "[placement]\nregion_name = one\n  # two\n"), IMPORT_WHOLE);
        ck_assert_ptr_null(strstr(out.data, "region_name ="));
        ck_assert_ptr_nonnull(strstr(out.data, "[placement] region_name (b.conf:2): must not have control "
                                               "characters in it\n"));
}
END_TEST

struct spelled {
        const char *text;
        const char *line; /* in what is printed */
};

static const struct spelled spelled[] = {
        { "[DEFAULT]\ndebug = TRUE\n", "\ndebug = true\n" },
        { "[DEFAULT]\ndebug = Yes\n", "\ndebug = true\n" },
        { "[DEFAULT]\ndebug = oN\n", "\ndebug = true\n" },
        { "[DEFAULT]\ndebug = 1\n", "\ndebug = true\n" },
        { "[DEFAULT]\ndebug = False\n", "\ndebug = false\n" },
        { "[DEFAULT]\ndebug = off\n", "\ndebug = false\n" },
        { "[DEFAULT]\ndebug = NO\n", "\ndebug = false\n" },
        { "[DEFAULT]\ndebug = 0\n", "\ndebug = false\n" },
        { "[DEFAULT]\nreport_interval = 010\n", "\nreport_interval = 10\n" }, /* not eight */
        { "[DEFAULT]\nreport_interval = +1_0\n", "\nreport_interval = 10\n" },
        { "[DEFAULT]\nsync_power_state_interval = -1\n", "\nsync_power_state_interval = -1\n" },
        { "[DEFAULT]\nreserved_host_cpus = 00\n", "\nreserved_host_cpus = 0\n" },
        { "[DEFAULT]\ncpu_allocation_ratio = 4\n", "\ncpu_allocation_ratio = 4.0\n" },
        { "[DEFAULT]\nram_allocation_ratio = 1.5e0\n", "\nram_allocation_ratio = 1.5\n" },
        { "[placement]\nvalid_interfaces = internal , public,\n",
          "    valid_interfaces = 'internal,public'\n" },
        /* older names */
        { "[DEFAULT]\nrpc_thread_pool_size = 7\n", "\nexecutor_thread_pool_size = 7\n" },
        { "[DEFAULT]\nvnc_enabled = false\n", "    enabled = false\n" },
        { "[DEFAULT]\nimage_cache_subdirectory_name = base\n", "    subdirectory_name = 'base'\n" },
        { "[DEFAULT]\nlock_path = /l\n", "    lock_path = '/l'\n" },
        { "[oslo_messaging_rabbit]\nrabbit_use_ssl = 1\n", "    ssl = true\n" },
        { "[oslo_messaging_rabbit]\nkombu_ssl_ca_certs = /ca\n", "    ssl_ca_file = '/ca'\n" },
        { "[oslo_messaging_rabbit]\nrabbit_quroum_max_memory_length = 5\n",
          "    rabbit_quorum_max_memory_length = 5\n" },
        { "[DATABASE]\nsql_connection = mysql://a@b/c\n", "    connection = 'mysql://a@b/c'\n" },
        { "[placement]\nuser-name = u\n", "    username = 'u'\n" },
        /* said differently */
        { "[libvirt]\nimages_type = raw\n", "\n    images_type = 'raw'\n" },
        { "[DEFAULT]\nlog_dir = /var/log/nova/\n", "\nlog_file = '/var/log/nova/compute-agent.log'\n" },
        { "[DEFAULT]\nlogdir = /v\nlogfile = n.log\n", "\nlog_file = '/v/n.log'\n" },
        { "[DEFAULT]\nlog_dir = /v\nlog_file = /w/n.log\n", "\nlog_file = '/w/n.log'\n" },
        { "[DEFAULT]\ndefault_log_levels = amqp=WARN, nova.compute=DEBUG,nova.virt.libvirt=INFO,suds=INFO\n",
          "\ndefault_log_levels = 'compute=DEBUG,virt.libvirt=INFO'\n" },
        { "[DEFAULT]\nuse_journal = True\n", "\nuse_journal = 'true'\n" },
        { "[DEFAULT]\nuse_journal = no\n", "\nuse_journal = 'false'\n" },
        { "[DEFAULT]\nrate_limit_interval = 5\nrate_limit_burst = 100\nrate_limit_except_level = ERROR\n",
          "\nrate_limit_interval = 5\nrate_limit_burst = 100\nrate_limit_except_level = 'ERROR'\n" },
        /* ours, for those who run it a second time over a file with additions */
        { "[DEFAULT]\nheartbeat_interval = 3\n", "\nheartbeat_interval = 3\n" },
};

START_TEST(a_value_is_printed_in_the_agents_words)
{
        const struct spelled *s = &spelled[_i];
        struct conf *c = conf_after(s->text);

        ck_assert_msg(c != NULL, "%s: %s", s->text, said.data);
        ck_assert_msg(strstr(out.data, s->line), "%s: %s", s->text, out.data);
        conf_free(c);
}
END_TEST

START_TEST(an_older_name_in_a_later_file_wins_and_in_the_same_file_loses)
{
        struct conf *c;

        ck_assert_int_eq(import_files(BASE "[vnc]\nenabled = true\n", "[DEFAULT]\nvnc_enabled = false\n"),
                         IMPORT_WHOLE);
        ck_assert_ptr_nonnull(strstr(out.data, "    enabled = false\n"));
        c = conf_after("[DEFAULT]\nvnc_enabled = false\n[vnc]\nenabled = true\n");
        ck_assert(c->vnc.enabled);
        conf_free(c);
}
END_TEST

START_TEST(later_files_win)
{
        ck_assert_int_eq(
                import_files(BASE "[DEFAULT]\nhost = one\n[vnc]\nenabled = no\n", "[DEFAULT]\nhost = two\n"),
                IMPORT_WHOLE);
        ck_assert_ptr_nonnull(strstr(out.data, "\nhost = 'two'\n"));
        ck_assert_ptr_null(strstr(out.data, "one"));
        ck_assert_ptr_nonnull(strstr(out.data, "    enabled = false\n"));
}
END_TEST

START_TEST(a_directory_is_read_in_the_order_of_its_names)
{
        char dir[64], sub[80];
        char *paths[] = { dir };

        snprintf(dir, sizeof(dir), "%s/d", private_dir);
        ck_assert(mkdir(dir, 0700) == 0 || errno == EEXIST);
        write_file("d/20.conf", "[DEFAULT]\nhost = twenty\n");
        write_file("d/10.conf", BASE "[DEFAULT]\nhost = ten\nmy_ip = 10.0.0.10\n");
        write_file("d/30.conf.bak", "not = read\n");
        write_file("d/.40.conf", "not = read\n");
        ck_assert_int_eq(import_paths(paths, 1), IMPORT_WHOLE);
        ck_assert_ptr_nonnull(strstr(out.data, "\nhost = 'twenty'\nmy_ip = '10.0.0.10'\n"));
        snprintf(sub, sizeof(sub), "%s/50.conf", dir);
        ck_assert(mkdir(sub, 0700) == 0 || errno == EEXIST);
        ck_assert_int_eq(import_paths(paths, 1), IMPORT_NO_INPUT);
        ck_assert_str_eq(said.data, "d/50.conf: is not a regular file\n");
        ck_assert_int_eq(rmdir(sub), 0);
}
END_TEST

START_TEST(what_nova_does_by_default_is_printed_where_the_agent_would_not)
{
        ck_assert_int_eq(import_files("[DEFAULT]\n", NULL), IMPORT_INCOMPLETE);
        ck_assert_ptr_nonnull(strstr(out.data,
                                     "\nstate_path = '/usr/lib/python3/dist-packages' # nova's default\n"
                                     "instances_path = '/usr/lib/python3/dist-packages/instances' # "
                                     "nova's default\n"
                                     "transport_url = 'rabbit://' # nova's default\n\n"
                                     "database {\n    # nova-compute has no database"));
        ck_assert_ptr_nonnull(strstr(said.data, "warning: state_path stands in none of these files"));
        /* Where nova knows none, or one choice only, ours stays. */
        ck_assert_ptr_null(strstr(out.data, "use_journal"));
        ck_assert_ptr_null(strstr(out.data, "rate_limit"));
        /* All others are the same, or the table of settings is wrong. */
        ck_assert_ptr_null(strstr(strstr(out.data, "database {"), "# nova's default"));
}
END_TEST

START_TEST(without_a_database_the_line_stands_there_as_a_comment)
{
        static const char *const none[] = { "", "[database]\nmax_pool_size = 3\n",
                                            "[database]\nconnection =\n",
                                            "[database]\nconnection = sqlite:////var/lib/nova/novadb\n" };

        for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
                ck_assert_int_eq(import_files("[DEFAULT]\ntransport_url = rabbit://mq/\n", none[i]),
                                 IMPORT_INCOMPLETE);
                ck_assert_ptr_nonnull(strstr(out.data, "    # connection = 'mysql+pymysql://nova:PASSWORD@"));
                ck_assert_ptr_nonnull(strstr(said.data, "[database] connection is missing"));
        }
}
END_TEST

struct left {
        const char *text;
        const char *line; /* in the list */
        bool warned;
};

static const struct left left[] = {
        { "[DEFAULT]\nuse_stderr = 1\n",
          "[DEFAULT] use_stderr (b.conf:2): log lines go to the journal, to log_file or to standard error\n",
          false },
        { "[quota]\ncores = 5\n", "[quota] cores (b.conf:2): it is read by nova-api\n", false },
        { "[DEFAULT]\nquota_cores = 5\n", "[DEFAULT] quota_cores (b.conf:2): it is read by nova-api\n",
          false },
        { "[keystone_authtoken]\nusername = x\n",
          "[keystone_authtoken] username (b.conf:2): it is read by nova-api\n", false },
        { "[DEFAULT]\nneutron_ovs_bridge=br-int\n",
          "[DEFAULT] neutron_ovs_bridge (b.conf:2): unknown to nova 26 (Zed)\n", false },
        { "[default]\nreport_interval = 5\n",
          "[default] report_interval (b.conf:2): unknown to nova 26 (Zed): it belongs to the top level, "
          "outside "
          "of sections\n",
          false },
        { "[DEFAULT]\nhosst = x\n",
          "[DEFAULT] hosst (b.conf:2): unknown to nova 26 (Zed), did you mean \"host\"?\n", false },
        { "[pci]\nalias = {\"a\": 1}\nalias = {\"b\": 2}\n",
          "[pci] alias (b.conf:3): no devices of the host are given to guests in this version\n", true },
        { "[DEFAULT]\npci_alias = {}\n", "[DEFAULT] pci_alias (b.conf:2): no devices of the host are given",
          true },
        { "[compute]\ncpu_dedicated_set = 4-7\n",
          "[compute] cpu_dedicated_set (b.conf:2): guests are not bound to CPUs", true },
        { "[libvirt]\nimages_type = rbd\n",
          "[libvirt] images_type (b.conf:2): must be one of default qcow2 raw flat, not \"rbd\"\n", true },
        { "[libvirt]\nlive_migration_uri = qemu+tls://%s/system\n",
          "[libvirt] live_migration_uri (b.conf:2): instances are not moved", true },
        { "[libvirt]\ncpu_mode = custom\n",
          "[libvirt] cpu_mode (b.conf:2): must be one of host-model host-passthrough none, not \"custom\"\n",
          true },
        { "[ephemeral_storage_encryption]\nenabled = true\n",
          "[ephemeral_storage_encryption] enabled (b.conf:2): guests' disks are NOT encrypted", true },
        { "[ephemeral_storage_encryption]\nenabled = off\n",
          "[ephemeral_storage_encryption] enabled (b.conf:2): guests' disks are NOT encrypted", false },
        { "[spice]\nenabled = false\n", "[spice] enabled (b.conf:2): ", false },
        { "[spice]\nenabled = true\n", "[spice] enabled (b.conf:2): VNC is the only console", true },
        { "[libvirt]\nswtpm_enabled = true\n", "[libvirt] swtpm_enabled (b.conf:2): guests have no TPM",
          true },
        { "[DEFAULT]\nshelved_poll_interval = 5\n",
          "[DEFAULT] shelved_poll_interval (b.conf:2): there is no shelving", false },
        { "[placement]\nauth_type = v3token\n",
          "[placement] auth_type (b.conf:2): must be password, not \"v3token\"\n", true },
        { "[vnc]\nserver_listen = node.example.org\n",
          "[vnc] server_listen (b.conf:2): must be an IPv4 or IPv6 address\n", true },
};

START_TEST(what_is_left_is_listed_with_its_reason)
{
        const struct left *l = &left[_i];
        struct conf *c = conf_after(l->text);

        ck_assert_msg(c != NULL, "%s: %s", l->text, said.data);
        ck_assert_msg(strstr(out.data, l->line), "%s not in %s", l->line, out.data);
        ck_assert_msg(l->warned == (strstr(said.data, "warning: ") != NULL), "%s", said.data);
        conf_free(c);
}
END_TEST

START_TEST(what_is_left_for_one_reason_is_one_warning)
{
        ck_assert_int_eq(import_files(BASE, "[pci]\nalias = {}\ndevice_spec = {}\n"), IMPORT_WHOLE);
        ck_assert_str_eq(said.data,
                         "warning: [pci] alias (b.conf:2) and 1 more: no devices of the host are given to "
                         "guests in this version\n"
                         "3 options carried over, 2 not: they are listed at the end, with reasons\n");
}
END_TEST

START_TEST(secrets_are_carried_literally_and_never_said)
{
        struct conf *c = conf_after("[DEFAULT]\ntransport_url = rabbit://u:geheim$$#1@mq/?ssl=1\n"
                                    "[placement]\nauth_type = password\nauth_url = http://k\nusername = u\n"
                                    "project_name = p\nuser_domain_name = d\nproject_domain_name = d\n"
                                    "password = geheim'\\ \"#{}$$\n"
                                    "[neutron]\npassword = geheim2\n");

        ck_assert_msg(c != NULL, "%s", said.data);
        ck_assert_str_eq(c->placement.identity.password, "geheim'\\ \"#{}$");
        ck_assert_str_eq(c->transport_url, "rabbit://u:geheim$#1@mq/?ssl=1");
        ck_assert_ptr_null(strstr(said.data, "geheim"));
        ck_assert_ptr_null(strstr(out.data, "geheim2")); /* not even as a comment */
        conf_free(c);
        ck_assert_ptr_null(conf_after("[placement]\npassword = geheim$word\n"));
        ck_assert_ptr_null(conf_after("[DEFAULT]\ntransport_url = rabbit://u:$geheim@mq/\n"));
        ck_assert_ptr_null(strstr(said.data, "geheim"));
}
END_TEST

START_TEST(auth_section_is_followed)
{
        struct conf *c =
                conf_after("[placement]\nauth_section = other\nregion_name = here\nusername = not_this\n"
                           "[service_user]\nauth_section = other\n"
                           "[other]\nauth_type = v3password\nauth_url = http://k\nuser_name = u\n"
                           "password = p\ntenant_name = t\ndefault_domain_name = d\n");

        ck_assert_msg(c != NULL, "%s", said.data);
        ck_assert_str_eq(c->placement.identity.auth_type, "password");
        ck_assert_str_eq(c->placement.identity.username, "u");
        ck_assert_str_eq(c->placement.identity.project_name, "t");
        ck_assert_str_eq(c->placement.identity.user_domain_name, "d");
        ck_assert_str_eq(c->placement.identity.project_domain_name, "d");
        ck_assert_str_eq(c->placement.region_name, "here");
        ck_assert_str_eq(c->service_user.identity.username, "u");
        conf_free(c);
        ck_assert_ptr_null(strstr(out.data, "auth_section")); /* it was not left out */
}
END_TEST

START_TEST(all_mistakes_are_told_at_once)
{
        ck_assert_int_eq(
                import_files("option = 1\n[DEFAULT]\n  a = 1\nhost\n= x\n[vnc\n[]\n[DEFAULT] # x\n"
                             "# fine\n  goes on with nothing\n  nor this\n",
                             "[DEFAULT]\ndebug = perhaps\nreport_interval = ten\n"
                             "cpu_allocation_ratio = x\ncompute_driver = ironic.IronicDriver\n"
                             "[libvirt]\nvirt_type = lxc\n[DEFAULT]\nstate_path = nova\nhost = a b\n"),
                IMPORT_WRONG);
        ck_assert_uint_eq(out.len, 0);
        ck_assert_str_eq(
                said.data,
                "a.conf:1: a [GROUP] must stand before the first option\n"
                "a.conf:3: a line that begins with a blank goes on with the one before it, and there is "
                "no value before it\n"
                "a.conf:4: there is no = or : after the name\n"
                "a.conf:5: there is no name before the = or :\n"
                "a.conf:6: a [GROUP] must end with ] and nothing after it\n"
                "a.conf:7: the group has no name\n"
                "a.conf:8: a [GROUP] must end with ] and nothing after it\n"
                "a.conf:10: a line that begins with a blank goes on with the one before it, and there is "
                "no value before it\n"
                "b.conf:10: host must be a host name: letters, digits and - _ . only\n"
                "b.conf:9: state_path must be a path from / or from $state_path, not \"nova\"\n"
                "b.conf:5: compute_driver must be libvirt.LibvirtDriver, not \"ironic.IronicDriver\"\n"
                "b.conf:2: debug: must be true or false\n"
                "b.conf:3: report_interval: must be a whole number\n"
                "b.conf:4: cpu_allocation_ratio: must be a number\n"
                "b.conf:7: virt_type must be one of kvm qemu, not \"lxc\"\n");
}
END_TEST

START_TEST(what_the_agent_would_refuse_is_not_printed)
{
        ck_assert_int_eq(import_files(BASE, "[placement]\nauth_type = password\nauth_url = http://k\n"),
                         IMPORT_WRONG);
        ck_assert_uint_eq(out.len, 0);
        ck_assert_ptr_nonnull(strstr(said.data,
                                     "what these files come to is not accepted: [placement] auth_type = "
                                     "'password' needs username\n"));
        ck_assert_ptr_null(strstr(said.data, "auth_url"));
}
END_TEST

START_TEST(files_that_cannot_be_read_are_all_told)
{
        char *paths[] = { "/nonexistent/nova.conf", "/dev/null", "/nonexistent/nova-compute.conf" };

        ck_assert_int_eq(import_paths(paths, 3), IMPORT_NO_INPUT);
        ck_assert_str_eq(said.data, "/nonexistent/nova.conf: cannot be opened: No such file or directory\n"
                                    "/dev/null: is not a regular file\n"
                                    "/nonexistent/nova-compute.conf: cannot be opened: No such file or "
                                    "directory\n");
}
END_TEST

START_TEST(bytes_that_are_no_text_are_refused)
{
        ck_assert_int_eq(import_files("\xef\xbb\xbf[DEFAULT]\nhost = x\n", NULL), IMPORT_WRONG);
        ck_assert_ptr_nonnull(strstr(said.data, "a.conf:1: the file begins with a byte order mark"));
}
END_TEST

/* Whatever stands in a file: an answer, and no list that runs out of its comment. */
START_TEST(odd_names_stay_in_their_comment)
{
        CLEANUP(freep) char *key = xmalloc(3000), *text = NULL;
        struct conf *c;

        memset(key, 'k', 2999);
        key[2999] = '\0';
        text = xasprintf("[g\x01\x1b]\n%s\x7f = 1\na\vb = 2\n", key);
        c = conf_after(text);
        ck_assert_msg(c != NULL, "%s", said.data);
        ck_assert_ptr_nonnull(strstr(out.data, "[g??] kkkk"));
        conf_free(c);
}
END_TEST

START_TEST(damaged_files_get_an_answer)
{
        static const char good[] =
                BASE "[vnc]\nserver_listen = $my_ip\nenabled = 1\n  2\n# x\n[pci]\nalias = {}\n";
        static const char damage[] = { '\0', '\n', ' ', '[', '=', '$' };

        for (size_t i = 0; i < sizeof(good) - 1; i++) {
                for (size_t k = 0; k < sizeof(damage); k++) {
                        char copy[sizeof(good)];

                        memcpy(copy, good, sizeof(good));
                        copy[i] = damage[k];
                        import_files(copy, NULL);
                        ck_assert_uint_gt(said.len, 0);
                }
        }
}
END_TEST

START_TEST(the_table_knows_novas_options)
{
        struct nova_option o;
        char group[NOVA_NAME_MAX], name[NOVA_NAME_MAX];

        ck_assert(nova_option_find("pci", "device_spec", &o));
        ck_assert_int_eq(o.type, NOVA_MULTI);
        ck_assert_ptr_nonnull(nova_alias_next(o.aliases, group, name));
        ck_assert_str_eq(group, "pci");
        ck_assert_str_eq(name, "passthrough_whitelist");
        nova_option_free(&o);
        ck_assert(nova_option_by_alias("DEFAULT", "pci_passthrough_whitelist", &o));
        ck_assert_str_eq(o.name, "device_spec");
        nova_option_free(&o);
        ck_assert(!nova_option_find("pci", "device", &o));
        ck_assert(!nova_option_find("PCI", "alias", &o));
        ck_assert(!nova_option_find("", "", &o));
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("import");
        TCase *tcase = tcase_create("import");
        SRunner *runner = srunner_create(suite);
        int failed;

        tcase_add_loop_test(tcase, a_value_is_read_as_oslo_reads_it, 0, ARRAY_SIZE(values));
        tcase_add_test(tcase, a_value_goes_on_in_lines_that_begin_with_a_blank);
        tcase_add_loop_test(tcase, a_value_is_printed_in_the_agents_words, 0, ARRAY_SIZE(spelled));
        tcase_add_test(tcase, an_older_name_in_a_later_file_wins_and_in_the_same_file_loses);
        tcase_add_test(tcase, later_files_win);
        tcase_add_test(tcase, a_directory_is_read_in_the_order_of_its_names);
        tcase_add_test(tcase, what_nova_does_by_default_is_printed_where_the_agent_would_not);
        tcase_add_test(tcase, without_a_database_the_line_stands_there_as_a_comment);
        tcase_add_loop_test(tcase, what_is_left_is_listed_with_its_reason, 0, ARRAY_SIZE(left));
        tcase_add_test(tcase, what_is_left_for_one_reason_is_one_warning);
        tcase_add_test(tcase, secrets_are_carried_literally_and_never_said);
        tcase_add_test(tcase, auth_section_is_followed);
        tcase_add_test(tcase, all_mistakes_are_told_at_once);
        tcase_add_test(tcase, what_the_agent_would_refuse_is_not_printed);
        tcase_add_test(tcase, files_that_cannot_be_read_are_all_told);
        tcase_add_test(tcase, bytes_that_are_no_text_are_refused);
        tcase_add_test(tcase, odd_names_stay_in_their_comment);
        tcase_add_test(tcase, damaged_files_get_an_answer);
        tcase_add_test(tcase, the_table_knows_novas_options);
        tcase_set_timeout(tcase, 60);
        suite_add_tcase(suite, tcase);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
