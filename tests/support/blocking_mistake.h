#pragma once

#include <sys/socket.h>

int blocking_mistake(int fd, struct mmsghdr *messages);
