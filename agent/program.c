/*
 * agent/program.c: compares the file that this process was started from with what has its name now.
 *
 * An upgrade renames another file to that name. While it does, the name may be missing for a moment; so only
 * what is seen twice in the same state counts.
 */
#include "program.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "native/file.h"

#define LOOK_S 5.0

struct program {
        struct tpool *files;
        void (*changed)(const char *text, void *arg);
        void *arg;
        char path[PATH_MAX];
        struct stat ours;
        struct stat seen,
                told;         /* what has its name: at the last look, when changed() was called; 0: nothing */
        struct green *thread; /* owned handle */
};

static bool same(const struct stat *a, const struct stat *b)
{
        return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static void HUB_ONLY tell(struct program *p)
{
        char text[PATH_MAX + 200] = "", when[32] = "";
        struct tm tm;

        if (p->seen.st_ino == 0) {
                snprintf(text, sizeof(text),
                         "%s is not there any more; this is compute-agent " AGENT_VERSION ", which goes on",
                         p->path);
        } else if (!same(&p->seen, &p->ours)) {
                strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", gmtime_r(&p->seen.st_ctime, &tm));
                snprintf(text, sizeof(text),
                         "%s was replaced at %s UTC; this is still the former one, "
                         "compute-agent " AGENT_VERSION ", until it is restarted",
                         p->path, when);
        }
        p->told = p->seen;
        p->changed(text, p->arg);
}

static int YIELDS look(struct program *p, struct error *err)
{
        struct stat now = {};

        if (file_stat(p->files, p->path, &now, deadline_never(), err) < 0) {
                if (err->code != ERR_NOT_FOUND) /* nothing is known then */
                        return err->code == ERR_CANCELLED ? -1 : 0;
                now = (struct stat){};
        }
        if (same(&now, &p->seen) && !same(&now, &p->told))
                tell(p);
        p->seen = now;
        return 0;
}

static int watch(void *arg, struct error *err)
{
        struct program *p = arg;

        assert_green();
        while (green_sleep(LOOK_S, err) == 0 && look(p, err) == 0)
                *err = (struct error){};
        return -1;
}

struct program *program_watch(struct tpool *files, void (*changed)(const char *text, void *arg), void *arg,
                              struct error *err)
{
        struct program *p = NEW(struct program);

        local_files("/proc; what it points at is mapped into this process");
        p->files = files;
        p->changed = changed;
        p->arg = arg;
        if (readlink("/proc/self/exe", p->path, sizeof(p->path) - 1) < 0 ||
            stat("/proc/self/exe", &p->ours) < 0)
                p->path[0] = '\0'; /* without /proc nobody can know */
        p->seen = p->told = p->ours;
        if (!p->path[0])
                return p;
        p->thread = green_spawn_ref(NULL, "program on disk", watch, p, err);
        if (p->thread)
                return p;
        free(p);
        return NULL;
}

void program_forget(struct program *p)
{
        struct error ignored;

        if (!p)
                return;
        if (p->thread) {
                green_cancel(p->thread);
                green_shield_begin();
                green_join(p->thread, deadline_never(), NULL, &ignored);
                green_shield_end();
                green_unref(p->thread);
        }
        free(p);
}
