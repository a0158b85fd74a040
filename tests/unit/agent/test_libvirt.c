/* The parts of the libvirt driver that need no libvirt to run: mappings, capabilities, the embedded folder.
 */
#include "suite.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/context.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "virt/libvirt/embed.h"
#include "virt/libvirt/events.h"
#include "virt/libvirt/hostinfo.h"
#include "virt/libvirt/jobs.h"
#include "virt/libvirt/usage.h"
#include "virt/libvirt/xmlutil.h"

static char dir[64];

static void setup(void)
{
        xml_init();
        snprintf(dir, sizeof(dir), "/tmp/compute-agent-libvirt.XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void teardown(void)
{
        static const char *const files[] = { "etc/qemu.conf",
                                             "compute-agent.lock",
                                             "run/qemu/driver.pid",
                                             "run/qemu/zero.xml",
                                             "run/qemu/runs.xml",
                                             "run/qemu/cut.xml",
                                             "run/qemu/zero.txt",
                                             "etc",
                                             "run/qemu",
                                             "run",
                                             "" };

        for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
                CLEANUP(freep) char *path = xasprintf("%s/%s", dir, files[i]);

                if (unlink(path) < 0)
                        rmdir(path);
        }
        ck_assert_msg(access(dir, F_OK) < 0, "%s was not cleaned up", dir);
}

static char *read_text(const char *path)
{
        struct strbuf b = {};
        FILE *f = fopen(path, "r");
        char buf[4096];
        size_t n;

        ck_assert_msg(f != NULL, "%s", path);
        while ((n = fread(buf, 1, sizeof(buf), f)) > 0)
                strbuf_add(&b, buf, n);
        fclose(f);
        return strbuf_take(&b, NULL);
}

static void put(const char *name, const char *text)
{
        CLEANUP(freep) char *path = xasprintf("%s/%s", dir, name);
        FILE *f = fopen(path, "w");

        ck_assert_ptr_nonnull(f);
        fputs(text, f);
        ck_assert_int_eq(fclose(f), 0);
}

static void make(const char *name)
{
        CLEANUP(freep) char *path = xasprintf("%s/%s", dir, name);

        ck_assert_int_eq(mkdir(path, 0755), 0);
}

static bool is_there(const char *name)
{
        CLEANUP(freep) char *path = xasprintf("%s/%s", dir, name);

        return access(path, F_OK) == 0;
}

START_TEST(states_become_novas)
{
        static const struct {
                int vir;
                enum power_state nova;
        } table[] = {
                { VIR_DOMAIN_NOSTATE, POWER_NOSTATE },
                { VIR_DOMAIN_RUNNING, POWER_RUNNING },
                { VIR_DOMAIN_BLOCKED, POWER_RUNNING },
                { VIR_DOMAIN_PAUSED, POWER_PAUSED },
                { VIR_DOMAIN_SHUTDOWN, POWER_SHUTDOWN },
                { VIR_DOMAIN_SHUTOFF, POWER_SHUTDOWN },
                { VIR_DOMAIN_CRASHED, POWER_CRASHED },
                { VIR_DOMAIN_PMSUSPENDED, POWER_SUSPENDED },
                { 99, POWER_NOSTATE },
        };

        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
                ck_assert_int_eq(power_state_of(table[i].vir), table[i].nova);
}
END_TEST

START_TEST(events_become_novas_and_the_others_nothing)
{
        static const struct {
                int vir;
                int kind; /* -1: none */
        } table[] = {
                { VIR_DOMAIN_EVENT_DEFINED, -1 },
                { VIR_DOMAIN_EVENT_UNDEFINED, -1 },
                { VIR_DOMAIN_EVENT_STARTED, VIRT_EVENT_STARTED },
                { VIR_DOMAIN_EVENT_SUSPENDED, VIRT_EVENT_PAUSED },
                { VIR_DOMAIN_EVENT_RESUMED, VIRT_EVENT_RESUMED },
                { VIR_DOMAIN_EVENT_STOPPED, VIRT_EVENT_STOPPED },
                { VIR_DOMAIN_EVENT_SHUTDOWN, -1 },
                { VIR_DOMAIN_EVENT_PMSUSPENDED, -1 },
                { VIR_DOMAIN_EVENT_CRASHED, -1 },
                { 1000, -1 },
        };

        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
                struct virt_fact fact = {
                        .kind = FACT_LIFECYCLE, .event = table[i].vir, .detail = 5, .uuid = "u"
                };
                struct virt_event ev = {};

                ck_assert_int_eq(virt_fact_to_event(&fact, &ev), table[i].kind >= 0);
                if (table[i].kind < 0)
                        continue;
                ck_assert_int_eq((int)ev.kind, table[i].kind);
                ck_assert_int_eq(ev.detail, 5);
                ck_assert_str_eq(ev.uuid, "u");
        }
}
END_TEST

START_TEST(capabilities_become_the_columns_of_the_row)
{
        CLEANUP(freep) char *caps = read_text(TEST_DATA "/capabilities/host.xml");
        CLEANUP(freep) char *cpu = NULL, *guests = NULL, *expanded = NULL, *same = NULL;
        struct error err = {};

        ck_assert_ok(hostinfo_parse(caps, NULL, &cpu, &guests, &err), err);
        ck_assert_str_eq(
                cpu, "{\"arch\":\"x86_64\",\"model\":\"EPYC\",\"vendor\":\"AMD\",\"topology\":{\"cells\":2,"
                     "\"sockets\":2,\"cores\":4,\"threads\":2},\"features\":[\"avx\",\"topoext\"]}");
        ck_assert_str_eq(guests, "[[\"i686\",\"qemu\",\"hvm\"],[\"i686\",\"kvm\",\"hvm\"],"
                                 "[\"x86_64\",\"qemu\",\"hvm\"],[\"x86_64\",\"kvm\",\"hvm\"]]");
        ck_assert_ok(hostinfo_parse(caps,
                                    "<cpu><model>kvm64</model><feature policy='require' name='sse'/>"
                                    "<feature policy='disable' name='svm'/><feature name='aes'/></cpu>",
                                    &expanded, &same, &err),
                     err);
        ck_assert_ptr_nonnull(strstr(expanded, "\"model\":\"kvm64\""));
        ck_assert_ptr_nonnull(strstr(expanded, "\"features\":[\"aes\",\"sse\"]"));
        ck_assert_ptr_nonnull(strstr(expanded, "\"cells\":2"));
}
END_TEST

START_TEST(what_guests_can_be_given_is_read_as_words)
{
        CLEANUP(freep)
        char *features = hostinfo_features("<cpu><model>qemu64</model><feature policy='require' name='sse'/>"
                                           "<feature policy='disable' name='svm'/><feature name='aes'/>"
                                           "<feature name='aes'/></cpu>");
        static const char domain[] =
                "<domainCapabilities><devices>"
                "<disk supported='yes'><enum name='bus'><value>virtio</value><value>ide</value></enum></disk>"
                "<video supported='no'><enum name='modelType'><value>vga</value></enum></video>"
                "</devices></domainCapabilities>";
        CLEANUP(freep) char *buses = hostinfo_device_values(domain, "disk", "bus");
        CLEANUP(freep) char *models = hostinfo_device_values(domain, "video", "modelType");

        ck_assert_str_eq(features, "sse aes ");
        ck_assert_str_eq(buses, "virtio ide ");
        ck_assert_str_eq(models, "");
        ck_assert_ptr_null(hostinfo_features(NULL));
        ck_assert_ptr_null(hostinfo_device_values("<domainCap", "disk", "bus"));
}
END_TEST

START_TEST(a_host_that_says_little_is_described_all_the_same)
{
        CLEANUP(freep) char *cpu = NULL, *guests = NULL;
        struct error err = {};

        ck_assert_ok(hostinfo_parse("<capabilities/>", NULL, &cpu, &guests, &err), err);
        ck_assert_str_eq(
                cpu, "{\"arch\":null,\"model\":null,\"vendor\":null,\"topology\":{\"cells\":0,\"sockets\":0,"
                     "\"cores\":0,\"threads\":0},\"features\":[]}");
        ck_assert_str_eq(guests, "[]");
        ck_assert_fails(hostinfo_parse("<capabilities>", NULL, &cpu, &guests, &err), err, ERR_PROTOCOL);
}
END_TEST

START_TEST(the_root_is_read_from_the_uri)
{
        static const char *const cases[][2] = {
                { "qemu:///embed?root=/a/b", "/a/b" },
                { "qemu:///embed?x=1&root=/a%20b%2fc&y=2", "/a b/c" },
                { "qemu:///embed?root=/a%zz", "/a%zz" },
                { "qemu:///embed?root=", NULL },
                { "qemu:///embed", NULL },
                { "qemu:///embed?", NULL },
                { "qemu:///system", NULL },
                { "test:///default?root=/a", NULL },
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                CLEANUP(freep) char *root = embed_root_of(cases[i][0]);

                ck_assert_pstr_eq(root, cases[i][1]);
        }
}
END_TEST

START_TEST(a_missing_qemu_conf_is_written_and_a_present_one_kept)
{
        CLEANUP(freep) char *path = xasprintf("%s/etc/qemu.conf", dir);
        CLEANUP(freep) char *text = NULL, *again = NULL;
        struct error err = {};

        assert_on_worker();
        ck_assert_ok(embed_prepare(dir, &err), err);
        text = read_text(path);
        ck_assert_ptr_nonnull(strstr(text, "stdio_handler = \"file\"\n"));
        ck_assert_ptr_nonnull(strstr(text, "security_driver = \"none\"\n"));
        ck_assert_int_eq(strstr(text, "user = \"root\"") != NULL, geteuid() == 0);
        put("etc/qemu.conf", "mine\n");
        ck_assert_ok(embed_prepare(dir, &err), err);
        again = read_text(path);
        ck_assert_str_eq(again, "mine\n");
        ck_assert_fails(embed_prepare("relative", &err), err, ERR_INVALID);
}
END_TEST

START_TEST(only_guests_that_never_had_a_process_are_forgotten)
{
        struct error err = {};

        make("run");
        make("run/qemu");
        put("run/qemu/zero.xml", "<domstatus state='paused' pid='0'><domain/></domstatus>");
        put("run/qemu/runs.xml", "<domstatus state='running' pid='4711'><domain/></domstatus>");
        put("run/qemu/cut.xml", "<domstatus state='paused' pid='0'><dom");
        put("run/qemu/zero.txt", "<domstatus state='paused' pid='0'/>");
        assert_on_worker();
        ck_assert_ok(embed_prepare(dir, &err), err);
        ck_assert(!is_there("run/qemu/zero.xml"));
        ck_assert(is_there("run/qemu/runs.xml"));
        ck_assert(is_there("run/qemu/cut.xml"));
        ck_assert(is_there("run/qemu/zero.txt"));
}
END_TEST

/* Whoever holds libvirt's own lock has the folder open; nothing may be touched then. */
START_TEST(a_folder_that_another_process_has_open_is_left_alone)
{
        CLEANUP(freep) char *path = xasprintf("%s/run/qemu/driver.pid", dir);
        struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
        int ready[2], go[2], status;
        struct error err = {};
        pid_t pid;
        char c;

        make("run");
        make("run/qemu");
        put("run/qemu/zero.xml", "<domstatus state='paused' pid='0'><domain/></domstatus>");
        ck_assert_int_eq(pipe(ready) | pipe(go), 0);
        pid = fork();
        if (pid == 0) {
                int fd = open(path, O_RDWR | O_CREAT, 0600);

                if (fd < 0 || fcntl(fd, F_SETLK, &whole) < 0 || write(ready[1], "r", 1) != 1 ||
                    read(go[0], &c, 1) != 1)
                        _exit(1);
                _exit(0);
        }
        ck_assert_int_eq(read(ready[0], &c, 1), 1);
        assert_on_worker();
        ck_assert_fails(embed_prepare(dir, &err), err, ERR_BUSY);
        ck_assert(is_there("run/qemu/zero.xml"));
        ck_assert_int_eq(write(go[1], "g", 1), 1);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_int_eq(status, 0);
        ck_assert_ok(embed_prepare(dir, &err), err);
        ck_assert(!is_there("run/qemu/zero.xml"));
}
END_TEST

START_TEST(after_an_open_that_failed_only_a_restart_helps)
{
        struct error err = {}, failed = {};

        assert_on_worker();
        ck_assert_ok(embed_prepare(dir, &err), err);
        error_set(&failed, NOVA_LIBVIRT_ERROR, "Failed to parse user");
        embed_failed(&failed);
        ck_assert_fails(embed_prepare(dir, &err), err, NOVA_LIBVIRT_ERROR);
        ck_assert_ptr_nonnull(strstr(err.text, "restart the agent"));
        ck_assert_ptr_nonnull(strstr(err.text, "Failed to parse user"));
}
END_TEST

/* ---- devices of a guest ---- */

START_TEST(disks_and_interfaces_are_read_from_the_xml)
{
        static const char xml[] =
                "<domain><devices>"
                "<disk type='file' device='disk'><target dev='vda' bus='virtio'/></disk>"
                "<disk type='file' device='cdrom'><target dev='hda' bus='ide'/></disk>"
                "<disk type='file' device='disk'/>"
                "<interface type='bridge'><mac address='fa:16:3e:75:7b:15'/><target dev='tap0'/></interface>"
                "<interface type='hostdev'><mac address='fa:16:3e:00:00:01'/></interface>"
                "<controller type='usb'><target dev='no-disk'/></controller>"
                "</devices></domain>";
        struct guest_usage u = {};
        struct error err = {};

        ck_assert_ok(usage_devices(xml, &u, &err), err);
        ck_assert_uint_eq(u.n_disks, 2);
        ck_assert_str_eq(u.disks[0].target, "vda");
        ck_assert_str_eq(u.disks[1].target, "hda");
        ck_assert_uint_eq(u.n_nics, 2);
        ck_assert_str_eq(u.nics[0].mac, "fa:16:3e:75:7b:15");
        ck_assert_str_eq(u.nics[0].target, "tap0");
        ck_assert_str_eq(u.nics[1].mac, "fa:16:3e:00:00:01");
        ck_assert_str_eq(u.nics[1].target, "");
        guest_usage_free(&u);
        ck_assert_fails(usage_devices("<domain><dev", &u, &err), err, ERR_PROTOCOL);
        ck_assert_uint_eq(u.n_disks + u.n_nics, 0);
}
END_TEST

UNIT_SUITE_FIXTURE("virt-libvirt", setup, teardown, states_become_novas,
                   events_become_novas_and_the_others_nothing, capabilities_become_the_columns_of_the_row,
                   a_host_that_says_little_is_described_all_the_same,
                   what_guests_can_be_given_is_read_as_words, the_root_is_read_from_the_uri,
                   a_missing_qemu_conf_is_written_and_a_present_one_kept,
                   only_guests_that_never_had_a_process_are_forgotten,
                   a_folder_that_another_process_has_open_is_left_alone,
                   after_an_open_that_failed_only_a_restart_helps, disks_and_interfaces_are_read_from_the_xml)
