/*
 * tests/unit/messaging/socket_test.h: a private directory for socket files, and a peer that speaks frames
 * raw.
 *
 * The directory belongs to the test program, not to the forked test: it goes also when a test fails.
 */
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "green_test.h"
#include "messaging/frame.h"
#include "messaging/local_socket.h"
#include "private_dir.h"

static const char *test_path(const char *name)
{
        static char path[128];

        snprintf(path, sizeof(path), "%s/%s", private_dir, name);
        return path;
}

__attribute__((unused)) static const char *test_url(const char *name)
{
        static char url[160];

        snprintf(url, sizeof(url), "unix:%s", test_path(name));
        return url;
}

/* ---- a raw peer ---- */

__attribute__((unused)) static int YIELDS raw_connect(const char *path)
{
        struct error err = {};
        int fd = local_connect(path, deadline_in_s(5), &err);

        ck_assert_msg(fd >= 0, "%s", err.text);
        return fd;
}

__attribute__((unused)) static void raw_bytes(int fd, const void *bytes, size_t len)
{
        ck_assert_int_eq(send(fd, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
}

__attribute__((unused)) static void YIELDS raw_send(int fd, const char *body)
{
        struct error err = {};
        bool begun;

        ck_assert_ok(frame_write(&fd, body, strlen(body), deadline_in_s(30), &begun, &err), err);
}

/* A frame, or NULL at the end of the stream. */
__attribute__((unused)) static char *YIELDS raw_receive(int fd)
{
        struct error err = {};
        char *body = NULL;
        size_t len;
        int r = frame_read(&fd, deadline_in_s(3600), 60, &body, &len, &err);

        ck_assert_msg(r >= 0, "%s", err.text);
        return body;
}

/* Waits until the server hung up. */
__attribute__((unused)) static void YIELDS raw_expect_hang_up(int fd)
{
        char *body = raw_receive(fd);

        ck_assert_msg(body == NULL, "got %s", body);
}
