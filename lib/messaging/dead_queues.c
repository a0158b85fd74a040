/* lib/messaging/dead_queues.c: a small table; its size bounds the search too. */
#include "messaging/dead_queues.h"

#include <string.h>

#include "base/mem.h"

bool dead_queues_has(struct dead_queues *d, const char *name)
{
        bool found = false;

        for (unsigned i = 0; i < DEAD_QUEUES_MAX; i++) {
                if (d->slots[i].name && deadline_passed(d->slots[i].until))
                        replace_str(&d->slots[i].name, NULL);
                if (d->slots[i].name && strcmp(d->slots[i].name, name) == 0)
                        found = true;
        }
        return found;
}

void dead_queues_add(struct dead_queues *d, const char *name)
{
        unsigned at = 0;

        for (unsigned i = 0; i < DEAD_QUEUES_MAX; i++) {
                if (!d->slots[i].name || strcmp(d->slots[i].name, name) == 0) {
                        at = i;
                        if (d->slots[i].name)
                                break;
                } else if (d->slots[at].name && d->slots[i].until.ns < d->slots[at].until.ns) {
                        at = i;
                }
        }
        replace_str(&d->slots[at].name, name);
        d->slots[at].until = deadline_in_s(DEAD_QUEUE_S);
}

void dead_queues_free(struct dead_queues *d)
{
        for (unsigned i = 0; i < DEAD_QUEUES_MAX; i++)
                replace_str(&d->slots[i].name, NULL);
}
