/* tests/support/blocking_mistake.c: calls that the patcher does not know; compiled to be found, never run. */
#include "blocking_mistake.h"

#include <netdb.h>
#include <stddef.h>

int blocking_mistake(sem_t *semaphore)
{
        return gethostbyname("example.invalid") ? sem_wait(semaphore) : 0;
}
