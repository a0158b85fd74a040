/*
 * lib/messaging/local_socket.h: a socket file that one process listens on and others find.
 */
#pragma once

#include "green/green.h"

/*
 * Makes the socket at path, mode 0660, and listens. A socket file that nobody answers
 * on is replaced: ERR_BUSY when somebody does, ERR_INVALID when it is no socket. Returns the descriptor, and
 * the file's identity so that only our own file is removed later.
 */
struct socket_file {
        uint64_t dev, ino;
};
int YIELDS local_listen(const char *path, struct socket_file *ret_file, struct deadline by,
                        struct error *err);
/* Members of the group may connect, too. Fails, and changes nothing, for who is neither root nor a member. */
int local_give_to_group(const char *path, unsigned group, struct error *err);
void local_unlink(const char *path, const struct socket_file *file); /* only if it is still that file */
/* A non-blocking connection to path; nobody there: ERR_SYSTEM with ENOENT, ECONNREFUSED, EACCES in sys. */
int YIELDS local_connect(const char *path, struct deadline by, struct error *err);
