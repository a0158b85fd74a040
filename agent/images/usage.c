/*
 * agent/images/usage.c: how full the file system below instances_path is, and how much fuller its disks may
 * still make it (nova-contract 4.6). Headers are read by us: qemu-img for each of a thousand disks took nova
 * minutes.
 */
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/mem.h"
#include "base/uuid.h"
#include "images/filework.h"
#include "images/header.h"
#include "images/store_priv.h"
#include "json/json.h"

struct usage_work {
        char *path;
        struct disks_usage usage;
};

static void usage_free(void *arg)
{
        struct usage_work *w = arg;

        free(w->path);
        free(w);
}

/* What the agent wrote down, not what the disk says: a raw disk's content is the guest's. */
static int64_t BLOCKS virtual_size_of(const char *path, const char *format, int64_t *ret_allocated)
{
        struct image_header_facts facts = {};
        struct error ignored = {};
        struct stat st;

        if (stat(path, &st) < 0)
                return 0; /* just removed */
        *ret_allocated = (int64_t)st.st_blocks * 512;
        if (strcmp(format, "qcow2") != 0)
                return st.st_size;
        if (image_header_facts(path, &facts, &ignored) < 0 || strcmp(facts.format, "qcow2") != 0)
                return 0;
        return facts.virtual_size;
}

static int add_disk(const char *path, struct jval *format, void *arg)
{
        int64_t allocated = 0, size, *sum = arg;

        assert_on_worker();
        size = virtual_size_of(path, jval_text(format, ""), &allocated);
        if (size > allocated)
                *sum += size - allocated;
        return 0;
}

static int64_t BLOCKS over_committed(const char *dir)
{
        CLEANUP(freep) char *path = xasprintf("%s/disk.info", dir);
        CLEANUP(freep) char *text = NULL;
        struct error ignored = {};
        struct jval *info;
        int64_t sum = 0;
        size_t len;

        if (read_small_file(path, DISK_INFO_MAX, &text, &len, &ignored) < 0)
                return 0; /* being made, or just removed */
        info = jval_parse(text, len, &ignored);
        jval_foreach(info, add_disk, &sum);
        jval_unref(info);
        return sum;
}

static int measure(void *arg, const bool *given_up, struct error *err)
{
        struct usage_work *w = arg;
        struct statvfs fs;
        struct dirent *e;
        DIR *d;

        assert_on_worker();
        if (statvfs(w->path, &fs) < 0)
                return error_system(err, errno, "measuring %s", w->path);
        w->usage.total_bytes = (int64_t)(fs.f_blocks * fs.f_frsize);
        w->usage.available_bytes = (int64_t)(fs.f_bavail * fs.f_frsize);
        d = opendir(w->path);
        if (!d)
                return error_system(err, errno, "reading %s", w->path);
        while ((e = readdir(d)) && !file_given_up(given_up)) {
                if (uuid_is(e->d_name)) {
                        CLEANUP(freep) char *dir = xasprintf("%s/%s", w->path, e->d_name);

                        w->usage.over_committed_bytes += over_committed(dir);
                }
        }
        closedir(d);
        return 0;
}

static void take_usage(void *arg, void *into)
{
        *(struct disks_usage *)into = ((struct usage_work *)arg)->usage;
}

int disks_usage(struct disk_store *s, struct disks_usage *ret, struct deadline by, struct error *err)
{
        struct usage_work *w = NEW(struct usage_work);
        const struct file_call c = { "measure disks", s->instances_path, measure, w,
                                     usage_free,      take_usage,        ret };

        w->path = xstrdup(s->instances_path);
        return file_call(s->tpool, &c, by, err);
}
