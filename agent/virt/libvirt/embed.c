/* agent/virt/libvirt/embed.c: the folder of libvirt's embedded driver. */
#define LOG_MODULE "virt.libvirt.embed"
#include "virt/libvirt/embed.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/original.h"
#include "base/strbuf.h"
#include "virt/libvirt/xmlutil.h"

enum { STATUS_FILE_MAX = 4 << 20, SETTLE_STEP_MS = 10, SETTLE_STEPS = 400 };

static int hex_digit(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        if (c >= 'A' && c <= 'F')
                return c - 'A' + 10;
        return -1;
}

static char *percent_decode(const char *s, size_t len)
{
        char *out = xmalloc(len + 1), *o = out;

        for (size_t i = 0; i < len; i++) {
                int high = i + 2 < len && s[i] == '%' ? hex_digit(s[i + 1]) : -1;
                int low = high >= 0 ? hex_digit(s[i + 2]) : -1;

                if (low >= 0) {
                        *o++ = (char)(high << 4 | low);
                        i += 2;
                } else {
                        *o++ = s[i];
                }
        }
        *o = '\0';
        return out;
}

char *embed_root_of(const char *uri)
{
        static const char prefix[] = "qemu:///embed?";
        const char *p;

        if (strncmp(uri, prefix, sizeof(prefix) - 1) != 0)
                return NULL;
        for (p = uri + sizeof(prefix) - 1; *p; p += strcspn(p, "&;") + 1) {
                size_t len = strcspn(p, "&;#");

                if (len > 5 && strncmp(p, "root=", 5) == 0)
                        return percent_decode(p + 5, len - 5);
                if (!p[strcspn(p, "&;")])
                        break;
        }
        return NULL;
}

static int BLOCKS make_dir(const char *path, struct error *err)
{
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
                return error_system(err, errno, "making %s", path);
        return 0;
}

/* Beside the file first, then linked in place, so that neither a crash nor a second agent leaves half of it.
 */
static int BLOCKS write_new_file(const char *path, const char *text, struct error *err)
{
        CLEANUP(freep) char *tmp = xasprintf("%s.%ld.tmp", path, (long)getpid());
        CLEANUP(closep) int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        size_t len = strlen(text);
        int r = 0;

        if (fd < 0)
                return error_system(err, errno, "writing %s", tmp);
        if (write(fd, text, len) != (ssize_t)len)
                r = error_system(err, errno, "writing %s", tmp);
        else if (link(tmp, path) < 0 && errno != EEXIST)
                r = error_system(err, errno, "writing %s", path);
        unlink(tmp);
        return r;
}

static int BLOCKS ensure_qemu_conf(const char *root, struct error *err)
{
        CLEANUP(freep) char *dir = xasprintf("%s/etc", root);
        CLEANUP(freep) char *path = xasprintf("%s/etc/qemu.conf", root);
        CLEANUP(strbuf_free) struct strbuf text = {};

        if (make_dir(root, err) < 0 || make_dir(dir, err) < 0)
                return -1;
        if (access(path, F_OK) == 0)
                return 0;
        strbuf_adds(&text, "# Written by compute-agent because it was missing; yours to change.\n"
                           "stdio_handler = \"file\"\n"
                           "security_driver = \"none\"\n"
                           "namespaces = []\n"
                           "cgroup_controllers = []\n");
        if (geteuid() == 0)
                strbuf_adds(&text, "user = \"root\"\ngroup = \"root\"\n");
        return write_new_file(path, text.data, err);
}

/* True only when the file is whole and says so: what cannot be read is left to libvirt. */
static bool BLOCKS never_started(int dir, const char *name)
{
        CLEANUP(closep) int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        CLEANUP(strbuf_free) struct strbuf text = {};
        CLEANUP(xml_doc_freep) xmlDoc *doc = NULL;
        CLEANUP(freep) char *pid = NULL;
        struct error ignored = {};
        char buf[8192];
        ssize_t n;

        if (fd < 0)
                return false;
        while ((n = read(fd, buf, sizeof(buf))) > 0 && text.len < STATUS_FILE_MAX)
                strbuf_add(&text, buf, (size_t)n);
        if (n != 0 || text.len == 0)
                return false;
        doc = xml_parse(text.data, text.len, name, &ignored);
        if (!doc)
                return false;
        pid = xml_xpath_string(doc, "string(/domstatus/@pid)");
        return strcmp(pid, "0") == 0;
}

static void BLOCKS remove_half_started(const char *root)
{
        CLEANUP(freep) char *path = xasprintf("%s/run/qemu", root);
        DIR *dir = opendir(path);
        struct dirent *e;

        if (!dir)
                return;
        while ((e = readdir(dir))) {
                size_t len = strlen(e->d_name);

                if (len <= 4 || strcmp(e->d_name + len - 4, ".xml") != 0 ||
                    !never_started(dirfd(dir), e->d_name))
                        continue;
                if (unlinkat(dirfd(dir), e->d_name, 0) == 0)
                        log_warning("forgot guest %.*s, whose start was cut off before it had a process",
                                    (int)(len - 4), e->d_name);
        }
        closedir(dir);
}

/* ---- one owner ---- */

/* Of the process; opens are made one at a time (connection.c). */
static struct {
        pthread_mutex_t lock;
        int lock_fd; /* of the folder that is ours; held until the process ends */
        bool opened;
        struct error failed;
} driver = { .lock = PTHREAD_MUTEX_INITIALIZER, .lock_fd = -1 };

/* Between agents: a lock of our own, so that of two that start at once only one goes on to the open. */
static int BLOCKS take_folder(const char *root, struct error *err)
{
        CLEANUP(freep) char *path = xasprintf("%s/compute-agent.lock", root);
        struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
        CLEANUP(closep) int fd = -1;

        if (driver.lock_fd >= 0)
                return 0;
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return error_system(err, errno, "opening %s", path);
        if (fcntl(fd, F_OFD_SETLK, &whole) < 0) {
                if (errno == EAGAIN || errno == EACCES)
                        return error_set(err, ERR_BUSY, "another process has the embedded driver of %s open",
                                         root);
                return error_system(err, errno, "locking %s", path);
        }
        driver.lock_fd = fd;
        fd = -1;
        return 0;
}

/*
 * Between us and anybody else: libvirt's own lock. It is one of the process, which closing any descriptor of
 * the file gives up: so this may only be called before the driver was opened here.
 */
static int BLOCKS check_libvirts_lock(const char *root, struct error *err)
{
        CLEANUP(freep) char *path = xasprintf("%s/run/qemu/driver.pid", root);
        CLEANUP(closep) int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
        struct flock probe = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

        if (fd < 0)
                return errno == ENOENT ? 0 : error_system(err, errno, "opening %s", path);
        if (fcntl(fd, F_GETLK, &probe) < 0)
                return error_system(err, errno, "looking at the lock of %s", path);
        if (probe.l_type != F_UNLCK)
                return error_set(err, ERR_BUSY,
                                 "another process (pid %ld) has the embedded driver of %s open",
                                 (long)probe.l_pid, root);
        return 0;
}

static int BLOCKS prepare_locked(const char *root, struct error *err)
{
        if (driver.opened)
                return 0;
        if (driver.failed.code) {
                *err = driver.failed;
                return -1;
        }
        if (root[0] != '/')
                return error_set(err, ERR_INVALID, "root of the embedded driver must be absolute: %s", root);
        if (ensure_qemu_conf(root, err) < 0 || take_folder(root, err) < 0 ||
            check_libvirts_lock(root, err) < 0)
                return -1;
        remove_half_started(root);
        return 0;
}

int embed_prepare(const char *root, struct error *err)
{
        int r;

        pthread_mutex_lock(&driver.lock);
        r = prepare_locked(root, err);
        pthread_mutex_unlock(&driver.lock);
        return r;
}

void embed_opened(void)
{
        pthread_mutex_lock(&driver.lock);
        driver.opened = true;
        pthread_mutex_unlock(&driver.lock);
}

void embed_failed(struct error *err)
{
        pthread_mutex_lock(&driver.lock);
        if (!driver.opened) {
                error_while(
                        err,
                        "restart the agent when this is cured, as the embedded driver starts only once in "
                        "a process");
                driver.failed = *err;
        }
        pthread_mutex_unlock(&driver.lock);
}

/* ---- the end ---- */

/* Adopting threads are named init-<guest>. */
static bool BLOCKS is_adopting(void)
{
        DIR *tasks = opendir("/proc/self/task");
        struct dirent *e;
        bool found = false;

        while (tasks && !found && (e = readdir(tasks))) {
                CLEANUP(freep) char *path = xasprintf("/proc/self/task/%s/comm", e->d_name);
                CLEANUP(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
                char name[16];

                found = fd >= 0 && read(fd, name, sizeof(name)) > 5 && memcmp(name, "init-", 5) == 0;
        }
        if (tasks)
                closedir(tasks);
        return found;
}

void embed_settle(void)
{
        static const struct timespec pause = { .tv_nsec = SETTLE_STEP_MS * 1000000L };

        for (int i = 0; i < SETTLE_STEPS && is_adopting(); i++)
                patcher_original(nanosleep)(&pause, NULL);
}
