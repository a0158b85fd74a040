/* agent/readers.c: a group may be asked for over a network, so that is for a worker. */
#include "readers.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>

#define LOG_MODULE "agent"
#include "base/log.h"
#include "base/mem.h"
#include "native/file.h"

#define MEMBERS_MAX ((size_t)1 << 20) /* bytes of a group with all its members */

struct look_up {
        char *name;
        struct readers found;
};

static int look_up(void *arg, const bool *given_up, struct error *err)
{
        CLEANUP(freep) char *buf = NULL;
        struct look_up *l = arg;
        struct group entry, *got = NULL;
        size_t size = 1024;
        int r;

        assert_on_worker();
        (void)given_up;
        do {
                size *= 4;
                buf = xrealloc(buf, size);
                r = getgrnam_r(l->name, &entry, buf, size, &got);
        } while (r == EINTR || (r == ERANGE && size < MEMBERS_MAX));
        if (got)
                l->found = (struct readers){ .exist = true, .gid = got->gr_gid };
        return got || r == 0 ? 0 : error_system(err, r, "looking for it");
}

static void free_look_up(void *arg)
{
        struct look_up *l = arg;

        free(l->name);
        free(l);
}

static void take_found(void *arg, void *into)
{
        *(struct readers *)into = ((struct look_up *)arg)->found;
}

int readers_find(const char *name, struct tpool *p, struct readers *ret, struct error *err)
{
        struct look_up *l;
        struct file_call c = { "look for a group", name, look_up, NULL, free_look_up, take_found, ret };

        *ret = (struct readers){};
        if (!*name)
                return 0;
        c.arg = l = NEW(struct look_up);
        l->name = xstrdup(name);
        if (file_call(p, &c, file_soon(deadline_never()), err) < 0) {
                if (err->code == ERR_CANCELLED)
                        return -1;
                log_warning(
                        "group %s (control_readers_group): %s; only root and the agent's own user may use "
                        "the control socket",
                        name, err->text);
                *err = (struct error){};
        } else if (!ret->exist) {
                log_info("there is no group %s (control_readers_group): only root and the agent's own user "
                         "may "
                         "use the control socket",
                         name);
        }
        return 0;
}
