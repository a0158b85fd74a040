/* tests/support/fortified.h: calls with sizes that the compiler knows, as _FORTIFY_SOURCE=3 checks them. */
#pragma once

#include <sys/types.h>

int fortified_poll(int fd, unsigned n, int timeout_ms);
int fortified_ppoll(int fd, unsigned n, long timeout_ms);
ssize_t fortified_recv(int fd, size_t len);
ssize_t fortified_recvfrom(int fd, size_t len);
ssize_t fortified_read(int fd, size_t len);
int fortified_select(int fd, int timeout_ms);
