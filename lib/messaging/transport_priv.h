/* lib/messaging/transport_priv.h: the transports that transport.c knows, one maker for each scheme. */
#pragma once

#include "messaging/transport.h"

struct transport *HUB_ONLY transport_unix_new(const char *url, const struct transport_options *opt,
                                              struct error *err);
struct transport *HUB_ONLY transport_amqp_new(const char *url, const struct transport_options *opt,
                                              struct error *err);

/* Could such a transport be made? Of the URL alone: nothing is touched. */
int transport_unix_check(const char *url, struct error *err);
int transport_amqp_check(const char *url, struct error *err);

/*
 * For the local socket. Makes the socket at path, mode 0660, and listens. A socket file that nobody answers
 * on is replaced: ERR_BUSY when somebody does, ERR_INVALID when it is no socket. Returns the descriptor, and
 * the file's identity so that only our own file is removed later.
 */
struct socket_file {
        uint64_t dev, ino;
};
int YIELDS local_listen(const char *path, struct socket_file *ret_file, struct deadline by,
                        struct error *err);
void local_unlink(const char *path, const struct socket_file *file); /* only if it is still that file */
/* A non-blocking connection to path; nobody there: ERR_SYSTEM with ENOENT, ECONNREFUSED, EACCES in sys. */
int YIELDS local_connect(const char *path, struct deadline by, struct error *err);
