/* tests/support/odd_lib.c: a library that refers to a patched function in a way that no slot shows. */
#include <sys/socket.h>

extern const char *const odd_reference;
const char *const odd_reference = (const char *)recv + 1;
