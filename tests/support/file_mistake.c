/* tests/support/file_mistake.c: work on files that nobody has allowed; compiled to be found, never run. */
#include "blocking_mistake.h"

#include <unistd.h>

int file_mistake(const char *path)
{
        return unlink(path);
}
