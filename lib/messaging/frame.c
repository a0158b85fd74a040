/*
 * lib/messaging/frame.c: reading and writing frames on a non-blocking stream socket.
 *
 * Memory for a body grows with the bytes that have come, so that a peer which only announces 16 MiB costs
 * 64 KiB.
 */
#include "messaging/frame.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "messaging/transport.h"

#define FIRST_READ ((size_t)64 << 10)

/* Up to len bytes, at least one; 0 at the end of the stream. */
static ssize_t YIELDS read_some(const int *fd, void *buf, size_t len, struct deadline by, struct error *err)
{
        for (;;) {
                ssize_t n;

                if (*fd < 0)
                        return error_set(err, ERR_CLOSED, "the connection was closed");
                n = recv(*fd, buf, len, MSG_DONTWAIT);
                if (n >= 0)
                        return n;
                if (errno == EINTR)
                        continue;
                if (errno == ECONNRESET)
                        return 0;
                if (errno != EAGAIN)
                        return error_system(err, errno, "reading from the socket");
                if (green_wait_fd(*fd, GREEN_READ | GREEN_KEPT, by, err) < 0)
                        return -1;
        }
}

/* All of len bytes of a frame that has begun. */
static int YIELDS read_rest(const int *fd, char *buf, size_t len, struct deadline by, struct error *err)
{
        while (len) {
                ssize_t n = read_some(fd, buf, len, by, err);

                if (n < 0 && err->code == ERR_TIMEOUT)
                        return error_set(err, ERR_PROTOCOL, "the rest of a frame did not come in time");
                if (n < 0 && err->code == ERR_CANCELLED)
                        return error_set(err, ERR_CLOSED, "stopped inside a frame");
                if (n < 0)
                        return -1;
                if (n == 0)
                        return error_set(err, ERR_PROTOCOL, "the stream ended inside a frame");
                buf += n;
                len -= (size_t)n;
        }
        return 0;
}

static int YIELDS read_body(const int *fd, size_t len, struct deadline by, char **ret, struct error *err)
{
        size_t have = 0, cap = len < FIRST_READ ? len : FIRST_READ;
        char *body = malloc(cap + 1), *larger;

        for (;;) {
                if (!body)
                        return error_set(err, ERR_LIMIT, "no memory for a frame of %zu bytes", len);
                if (read_rest(fd, body + have, cap - have, by, err) < 0) {
                        free(body);
                        return -1;
                }
                have = cap;
                if (have == len)
                        break;
                cap = len - have < have ? len : 2 * have;
                larger = realloc(body, cap + 1);
                if (!larger)
                        free(body);
                body = larger;
        }
        body[len] = '\0';
        *ret = body;
        return 0;
}

int frame_read(const int *fd, struct deadline idle, double frame_s, char **ret_body, size_t *ret_len,
               struct error *err)
{
        unsigned char head[4];
        struct deadline by;
        uint32_t len;
        ssize_t n = read_some(fd, head, sizeof(head), idle, err);

        if (n <= 0)
                return (int)n;
        by = deadline_in_s(frame_s);
        if (read_rest(fd, (char *)head + n, sizeof(head) - (size_t)n, by, err) < 0)
                return -1;
        memcpy(&len, head, sizeof(len));
        len = ntohl(len);
        if (len == 0)
                return error_set(err, ERR_PROTOCOL, "an empty frame");
        if (len > TRANSPORT_BODY_MAX)
                return error_set(err, ERR_LIMIT, "a frame of %u bytes; %u are allowed", len,
                                 TRANSPORT_BODY_MAX);
        if (read_body(fd, len, by, ret_body, err) < 0)
                return -1;
        *ret_len = len;
        return 1;
}

int frame_write(const int *fd, const char *body, size_t len, struct deadline by, bool *ret_begun,
                struct error *err)
{
        uint32_t head = htonl((uint32_t)len);
        struct iovec iov[2] = { { &head, sizeof(head) }, { (char *)body, len } };
        struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };

        *ret_begun = false;
        if (len == 0 || len > TRANSPORT_BODY_MAX)
                return error_set(err, ERR_LIMIT, "a frame of %zu bytes; %u are allowed", len,
                                 TRANSPORT_BODY_MAX);
        while (iov[0].iov_len || iov[1].iov_len) {
                ssize_t n;

                if (*fd < 0)
                        return error_set(err, ERR_CLOSED, "the connection was closed");
                n = sendmsg(*fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
                if (n < 0 && errno == EAGAIN) {
                        if (green_wait_fd(*fd, GREEN_WRITE | GREEN_KEPT, by, err) < 0)
                                return -1;
                } else if (n < 0 && (errno == EPIPE || errno == ECONNRESET)) {
                        return error_set(err, ERR_CLOSED, "the peer is gone");
                } else if (n < 0 && errno != EINTR) {
                        return error_system(err, errno, "writing to the socket");
                } else if (n > 0) {
                        *ret_begun = true;
                        for (int i = 0; i < 2; i++) {
                                size_t part = (size_t)n < iov[i].iov_len ? (size_t)n : iov[i].iov_len;

                                iov[i].iov_base = (char *)iov[i].iov_base + part;
                                iov[i].iov_len -= part;
                                n -= (ssize_t)part;
                        }
                }
        }
        return 0;
}
