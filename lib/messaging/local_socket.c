/*
 * lib/messaging/local_socket.c: making, removing and connecting to a socket file.
 *
 * A process that was killed leaves its file behind. Whether anybody still answers is found out by connecting;
 * between that and the bind nobody else may do the same, so both happen under a lock on the directory. The
 * mode is set on the unbound socket, from which bind() takes it (less the umask), and once more afterwards:
 * at no time is the file wider open than it should be.
 */
#include "messaging/local_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#define SOCKET_MODE    0660
#define BACKLOG        128
#define RETRY_PAUSE_S  0.02
#define DIRECTORY_MODE 0755

static int address_of(const char *path, struct sockaddr_un *ret, struct error *err)
{
        *ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
        if (path[0] != '/')
                return error_set(err, ERR_INVALID, "socket path \"%s\" does not begin with /", path);
        if (strlen(path) >= sizeof(ret->sun_path))
                return error_set(err, ERR_INVALID, "socket path %s is longer than %zu bytes", path,
                                 sizeof(ret->sun_path) - 1);
        memcpy(ret->sun_path, path, strlen(path));
        return 0;
}

static int new_socket(struct error *err)
{
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

        return fd >= 0 ? fd : error_system(err, errno, "making a socket");
}

int local_connect(const char *path, struct deadline by, struct error *err)
{
        struct sockaddr_un addr;
        int CLEANUP(closep) fd = -1;
        int got;

        if (address_of(path, &addr, err) < 0)
                return -1;
        fd = new_socket(err);
        if (fd < 0)
                return -1;
        while (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
                if (errno == EINTR)
                        continue;
                if (errno != EAGAIN)
                        return error_system(err, errno, "connecting to %s", path);
                /* The listener's queue is full: there is nothing to wait on but time. */
                if (deadline_passed(by))
                        return error_set(err, ERR_TIMEOUT, "connecting to %s: it does not accept", path);
                if (green_sleep(RETRY_PAUSE_S, err) < 0)
                        return -1;
        }
        got = fd;
        fd = -1;
        return got;
}

/* The directory of path, made when missing, locked against others who do the same. */
static int YIELDS lock_directory(const char *path, struct deadline by, struct error *err)
{
        char CLEANUP(freep) *dir = xstrndup(path, (size_t)(strrchr(path, '/') - path) + 1);
        int CLEANUP(closep) fd = -1;
        int got;

        local_files("sockets are made in a local directory, as below /run");
        if (mkdir(dir, DIRECTORY_MODE) < 0 && errno != EEXIST)
                return error_system(err, errno, "making the directory %s", dir);
        fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return error_system(err, errno, "opening the directory %s", dir);
        while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
                if (errno != EWOULDBLOCK && errno != EINTR)
                        return error_system(err, errno, "locking the directory %s", dir);
                if (deadline_passed(by))
                        return error_set(err, ERR_TIMEOUT, "another process holds the lock of %s", dir);
                if (green_sleep(RETRY_PAUSE_S, err) < 0)
                        return -1;
        }
        got = fd;
        fd = -1;
        return got;
}

/* Removes a socket file that nobody answers on. */
static int remove_stale(const char *path, const struct sockaddr_un *addr, struct error *err)
{
        struct stat st;
        int CLEANUP(closep) fd = -1;

        local_files("sockets are made in a local directory, as below /run");
        if (lstat(path, &st) < 0)
                return errno == ENOENT ? 0 : error_system(err, errno, "looking at %s", path);
        if (!S_ISSOCK(st.st_mode))
                return error_set(err, ERR_INVALID,
                                 "%s exists and is not a socket: remove it or choose another path", path);
        fd = new_socket(err);
        if (fd < 0)
                return -1;
        if (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0 || errno == EAGAIN)
                return error_set(err, ERR_BUSY, "another process listens on %s", path);
        if (errno != ECONNREFUSED && errno != ENOENT)
                return error_system(err, errno, "trying the socket at %s", path);
        if (unlink(path) < 0 && errno != ENOENT)
                return error_system(err, errno, "removing the stale socket %s", path);
        return 0;
}

int local_listen(const char *path, struct socket_file *ret_file, struct deadline by, struct error *err)
{
        struct sockaddr_un addr;
        struct stat st;
        int CLEANUP(closep) lock = -1;
        int CLEANUP(closep) fd = -1;
        int got;

        local_files("sockets are made in a local directory, as below /run");
        if (address_of(path, &addr, err) < 0)
                return -1;
        lock = lock_directory(path, by, err);
        if (lock < 0 || remove_stale(path, &addr, err) < 0)
                return -1;
        fd = new_socket(err);
        if (fd < 0)
                return -1;
        if (fchmod(fd, SOCKET_MODE) < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
                return error_system(err, errno, "binding %s", path);
        if (chmod(path, SOCKET_MODE) < 0 || lstat(path, &st) < 0 || listen(fd, BACKLOG) < 0) {
                int saved = errno;

                unlink(path);
                return error_system(err, saved, "listening on %s", path);
        }
        *ret_file = (struct socket_file){ .dev = st.st_dev, .ino = st.st_ino };
        got = fd;
        fd = -1;
        return got;
}

int local_give_to_group(const char *path, unsigned group, struct error *err)
{
        local_files("sockets are made in a local directory, as below /run");
        if (lchown(path, (uid_t)-1, (gid_t)group) < 0)
                return error_system(err, errno, "giving %s to group %u", path, group);
        return 0;
}

void local_unlink(const char *path, const struct socket_file *file)
{
        struct stat st;

        local_files("sockets are made in a local directory, as below /run");
        if (lstat(path, &st) == 0 && st.st_dev == file->dev && st.st_ino == file->ino)
                unlink(path);
}
