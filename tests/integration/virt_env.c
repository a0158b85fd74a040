/* tests/integration/virt_env.c: private hypervisors for tests. */
#include "virt_env.h"

#include <check.h>
#undef fail

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "green/sync.h"

static char dir[64];
static char *guest_image;

/* ---- the program ---- */

static int run_command(const char *const *argv)
{
        int status;
        pid_t pid = fork();

        if (pid == 0) {
                execvp(argv[0], (char *const *)argv);
                _exit(127);
        }
        if (pid < 0 || waitpid(pid, &status, 0) != pid)
                return -1;
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void kill_children(void)
{
        char path[64];
        FILE *f;
        long pid;

        snprintf(path, sizeof(path), "/proc/self/task/%ld/children", (long)getpid());
        f = fopen(path, "r");
        while (f && fscanf(f, "%ld", &pid) == 1)
                kill((pid_t)pid, SIGKILL);
        if (f)
                fclose(f);
}

/* Collects whatever becomes an orphan below it; what is left when the suite has ended is ended too. */
static int look_after(pid_t suite)
{
        int status, result = EXIT_FAILURE;
        pid_t pid;

        while ((pid = waitpid(-1, &status, 0)) != suite)
                if (pid < 0)
                        return EXIT_FAILURE;
        if (WIFEXITED(status))
                result = WEXITSTATUS(status);
        for (;;) {
                kill_children();
                if (waitpid(-1, &status, 0) < 0 && errno == ECHILD)
                        return result;
        }
}

int virt_env_main(int (*run_suite)(void))
{
        const char *const make_guest[] = { TESTS "/support/guest", NULL, NULL };
        const char *argv[3];
        int result = EXIT_FAILURE;
        pid_t pid;

        snprintf(dir, sizeof(dir), "/tmp/compute-agent-virt.XXXXXX");
        if (!mkdtemp(dir) || chmod(dir, 0755) < 0) {
                perror("mkdtemp");
                return EXIT_FAILURE;
        }
        guest_image = xasprintf("%s/guest.raw", dir);
        memcpy(argv, make_guest, sizeof(argv));
        argv[1] = guest_image;
        result = run_command(argv);
        if (result == 0) {
                prctl(PR_SET_CHILD_SUBREAPER, 1);
                pid = fork();
                if (pid == 0)
                        exit(run_suite());
                result = pid < 0 ? EXIT_FAILURE : look_after(pid);
        }
        if (!getenv("KEEP")) {
                const char *const remove[] = { "rm", "-rf", "--one-file-system", dir, NULL };

                run_command(remove);
        }
        free(guest_image);
        return result;
}

int virt_env_suite(const char *name, const struct TTest *const *tests, size_t n)
{
        Suite *suite = suite_create(name);
        TCase *tcase = tcase_create(name);
        SRunner *runner;
        int failed;

        tcase_set_timeout(tcase, 120);
        for (size_t i = 0; i < n; i++)
                tcase_add_test(tcase, tests[i]);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

const char *virt_env_dir(void)
{
        return dir;
}

const char *virt_env_guest(void)
{
        return guest_image;
}

static void must_mkdir(const char *path)
{
        ck_assert_msg(mkdir(path, 0755) == 0 || errno == EEXIST, "%s: %s", path, strerror(errno));
}

/* libvirt asks QEMU what it can do, which takes seconds, once per folder: the answers are shared by a link.
 */
char *virt_env_embed(char **ret_root)
{
        static const char *const parts[] = { "", "/cache", "/cache/qemu" };
        CLEANUP(freep) char *shared = xasprintf("%s/capabilities", dir);
        CLEANUP(freep) char *link = NULL;
        char *root = xasprintf("%s/embed.XXXXXX", dir);

        ck_assert_ptr_nonnull(mkdtemp(root));
        ck_assert_int_eq(chmod(root, 0755), 0);
        must_mkdir(shared);
        for (size_t i = 1; i < ARRAY_SIZE(parts); i++) {
                CLEANUP(freep) char *path = xasprintf("%s%s", root, parts[i]);

                must_mkdir(path);
        }
        link = xasprintf("%s/cache/qemu/capabilities", root);
        ck_assert_int_eq(symlink(shared, link), 0);
        *ret_root = root;
        return xasprintf("qemu:///embed?root=%s", root);
}

/* ---- what a driver tells ---- */

void on_told(const struct virt_event *ev, void *arg)
{
        struct told *t = arg;

        assert_on_hub();
        ck_assert_uint_lt(t->n, ARRAY_SIZE(t->events));
        t->events[t->n++] = *ev;
        green_cond_broadcast(t->changed);
}

int wait_told(struct told *t, unsigned *from, enum virt_event_kind kind, const char *uuid, struct deadline by,
              struct error *err)
{
        for (;;) {
                while (*from < t->n) {
                        const struct virt_event *ev = &t->events[(*from)++];

                        if (ev->kind == kind && (!uuid || strcmp(ev->uuid, uuid) == 0))
                                return 0;
                }
                if (green_cond_wait(t->changed, by, err) < 0) {
                        struct strbuf got = {};

                        for (unsigned i = 0; i < t->n; i++)
                                strbuf_addf(&got, " %s", virt_event_name(t->events[i].kind));
                        error_while(err, "waiting for event %s; there came%s", virt_event_name(kind),
                                    got.data ? got.data : " none");
                        strbuf_free(&got);
                        return -1;
                }
        }
}

/* ---- guests ---- */

void test_guest_init(struct test_guest *g, const char *root, unsigned number)
{
        const char *const copy[] = { "cp", virt_env_guest(), NULL, NULL };
        const char *argv[4];
        int fd;

        *g = (struct test_guest){};
        snprintf(g->uuid, sizeof(g->uuid), "00000000-0000-4000-8000-%012u", number);
        snprintf(g->dir, sizeof(g->dir), "%s/guest-%u", root, number);
        must_mkdir(g->dir);
        g->disk = (struct guest_disk){
                .path = xasprintf("%s/disk", g->dir),
                .format = (char *)"raw",
                .cache = (char *)"writeback",
                .target = (char *)"vda",
                .bus = (char *)"virtio",
        };
        memcpy(argv, copy, sizeof(argv));
        argv[2] = g->disk.path;
        ck_assert_int_eq(run_command(argv), 0);
        g->spec = (struct guest_spec){
                .name = xasprintf("instance-%08x", number),
                .memory_mb = 64,
                .vcpus = 1,
                .disks = &g->disk,
                .n_disks = 1,
                .console_log = xasprintf("%s/console.log", g->dir),
                .display_name = (char *)"a <guest> & its 'name'",
                .flavor_name = (char *)"tiny",
                .user_id = (char *)"u",
                .project_id = (char *)"p",
                .created = 1795423469,
        };
        snprintf(g->spec.uuid, sizeof(g->spec.uuid), "%s", g->uuid);
        fd = open(g->spec.console_log, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
        ck_assert_int_ge(fd, 0);
        close(fd);
}

void test_guest_free(struct test_guest *g)
{
        free(g->disk.path);
        free(g->spec.name);
        free(g->spec.console_log);
}

void console_clear(const struct test_guest *g)
{
        ck_assert_int_eq(truncate(g->spec.console_log, 0), 0);
}

static bool file_holds(const char *path, const char *text)
{
        char buf[65536];
        FILE *f = fopen(path, "r");
        size_t n;

        if (!f)
                return false;
        n = fread(buf, 1, sizeof(buf) - 1, f);
        fclose(f);
        return memmem(buf, n, text, strlen(text)) != NULL;
}

bool console_holds(const struct test_guest *g, const char *text)
{
        return file_holds(g->spec.console_log, text);
}

int wait_console(const struct test_guest *g, const char *text, struct deadline by, struct error *err)
{
        while (!console_holds(g, text)) {
                if (deadline_passed(by))
                        return error_set(err, ERR_TIMEOUT, "the guest never said \"%s\"", text);
                if (green_sleep(0.02, err) < 0)
                        return -1;
        }
        return 0;
}

pid_t qemu_pid(const char *root, const struct test_guest *g)
{
        CLEANUP(freep) char *path = xasprintf("%s/run/qemu/%s.pid", root, g->spec.name);
        FILE *f = fopen(path, "r");
        long pid = 0;

        if (f && fscanf(f, "%ld", &pid) != 1)
                pid = 0;
        if (f)
                fclose(f);
        return (pid_t)pid;
}

/* ---- a libvirtd of our own ---- */

/* Its folders are bound over those it was built for, in a mount namespace of its own. */
static const char start_libvirtd[] =
        "set -e; d=$1\n"
        "for p in run:/run/libvirt lib:/var/lib/libvirt cache:/var/cache/libvirt etc:/etc/libvirt "
        "log:/var/log/libvirt; do\n"
        "  mkdir -p ${p#*:}; mount --bind $d/${p%%:*} ${p#*:}\n"
        "done\n"
        "exec libvirtd -p $d/pid >$d/out 2>&1 </dev/null\n";

bool libvirtd_can_run(char *why, size_t size)
{
        const char *const ask[] = { "unshare", "-m", "sh", "-c", "command -v libvirtd >/dev/null", NULL };

        if (geteuid() != 0) {
                snprintf(why, size, "a private libvirtd needs root");
                return false;
        }
        if (run_command(ask) != 0) {
                snprintf(why, size, "no libvirtd, or no mount namespaces");
                return false;
        }
        return true;
}

static void write_file(const char *folder, const char *name, const char *text)
{
        CLEANUP(freep) char *path = xasprintf("%s/%s", folder, name);
        FILE *f = fopen(path, "w");

        ck_assert_ptr_nonnull(f);
        fputs(text, f);
        ck_assert_int_eq(fclose(f), 0);
}

void libvirtd_init(struct libvirtd *l)
{
        static const char *const parts[] = { "run", "lib", "cache", "etc", "log", "cache/qemu" };
        CLEANUP(freep) char *template = xasprintf("%s/libvirtd.XXXXXX", dir);
        CLEANUP(freep) char *shared = xasprintf("%s/capabilities", dir);
        CLEANUP(freep) char *link = NULL;

        ck_assert_ptr_nonnull(mkdtemp(template));
        ck_assert_int_eq(chmod(template, 0755), 0);
        *l = (struct libvirtd){};
        snprintf(l->dir, sizeof(l->dir), "%s", template);
        snprintf(l->uri, sizeof(l->uri), "qemu+unix:///system?socket=%s/run/libvirt-sock", l->dir);
        for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
                CLEANUP(freep) char *path = xasprintf("%s/%s", l->dir, parts[i]);

                must_mkdir(path);
        }
        must_mkdir(shared);
        link = xasprintf("%s/cache/qemu/capabilities", l->dir);
        ck_assert_int_eq(symlink(shared, link), 0);
        write_file(l->dir, "etc/qemu.conf",
                   "stdio_handler = \"file\"\nuser = \"root\"\ngroup = \"root\"\nsecurity_driver = \"none\"\n"
                   "namespaces = []\ncgroup_controllers = []\n");
        write_file(l->dir, "etc/libvirtd.conf",
                   "unix_sock_group = \"root\"\nunix_sock_rw_perms = \"0700\"\nauth_unix_ro = \"none\"\n"
                   "auth_unix_rw = \"none\"\nlog_outputs = \"3:stderr\"\nhost_uuid_source = \"machine-id\"\n"
                   "host_uuid = \"5f6a4b5e-1ab0-4c0a-9e0a-0123456789ac\"\n");
}

/* The socket is there a moment before somebody listens. */
static bool listens(const char *path)
{
        struct sockaddr_un to = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        bool connected;

        ck_assert_int_ge(fd, 0);
        ck_assert_uint_lt(strlen(path), sizeof(to.sun_path));
        memcpy(to.sun_path, path, strlen(path));
        connected = connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0;
        close(fd);
        return connected;
}

void libvirtd_start(struct libvirtd *l)
{
        CLEANUP(freep) char *path = xasprintf("%s/run/libvirt-sock", l->dir);

        unlink(path);
        l->pid = fork();
        ck_assert_int_ge(l->pid, 0);
        if (l->pid == 0) {
                execlp("unshare", "unshare", "-m", "sh", "-c", start_libvirtd, "sh", l->dir, NULL);
                _exit(127);
        }
        for (int i = 0; i < 3000 && !listens(path); i++)
                usleep(10000);
        ck_assert_msg(listens(path), "libvirtd did not start; see %s/out", l->dir);
}

void libvirtd_kill(struct libvirtd *l, int signal)
{
        int status;

        ck_assert_int_gt(l->pid, 0);
        ck_assert_int_eq(kill(l->pid, signal), 0);
        if (signal == SIGSTOP || signal == SIGCONT)
                return;
        ck_assert_int_eq(waitpid(l->pid, &status, 0), l->pid);
        l->pid = 0;
}

unsigned open_descriptors(void)
{
        DIR *d = opendir("/proc/self/fd");
        unsigned n = 0;

        while (readdir(d))
                n++;
        closedir(d);
        return n;
}
