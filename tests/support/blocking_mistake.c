/* tests/support/blocking_mistake.c: calls that the patcher does not know; compiled to be found, never run. */
#include "blocking_mistake.h"

#include <netdb.h>
#include <stddef.h>
#include <sys/socket.h>

int blocking_mistake(int fd, struct mmsghdr *messages)
{
        return gethostbyname("example.invalid") ? recvmmsg(fd, messages, 1, 0, NULL) : 0;
}
