/*
 * lib/messaging/frame.h: frames of the local socket: 4 bytes of length, big endian, then that many bytes.
 *
 * The descriptor is given by reference because its owner may close it (and set it to -1) while we wait: the
 * number could by then belong to somebody else. Non-blocking stream sockets only.
 */
#pragma once

#include "green/green.h"

/*
 * 1 with a body (malloc'd, NUL-terminated after *ret_len bytes), 0 at the end of the stream between frames.
 * ERR_TIMEOUT: no frame began before `idle`. ERR_PROTOCOL: it ended inside a frame, the frame is empty or
 * took longer than frame_s. ERR_LIMIT: larger than TRANSPORT_BODY_MAX, or no memory for it. ERR_CANCELLED
 * comes only between frames: the stream is still good. Inside one it is ERR_CLOSED.
 */
int YIELDS frame_read(const int *fd, struct deadline idle, double frame_s, char **ret_body, size_t *ret_len,
                      struct error *err);

/*
 * Writes a whole frame. After an error *ret_begun says whether a part of it is out: the stream is then of no
 * use any more. ERR_CLOSED: the peer is gone.
 */
int YIELDS frame_write(const int *fd, const char *body, size_t len, struct deadline by, bool *ret_begun,
                       struct error *err);
