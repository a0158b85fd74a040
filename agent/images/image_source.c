/* agent/images/image_source.c: what all sources of images share. */
#include "images/image_source.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static struct tpool *pool; /* borrowed */

void image_source_set_tpool(struct tpool *p)
{
        pool = p;
}

struct tpool *image_source_tpool(void)
{
        return pool;
}

void image_info_free(struct image_info *i)
{
        if (!i)
                return;
        free(i->id);
        free(i->name);
        free(i->disk_format);
        free(i->container_format);
        free(i->status);
        free(i->checksum_algo);
        free(i->checksum);
        free(i->created_at);
        *i = (struct image_info){};
}

void image_doing(const struct image_caller *caller, const char *fmt, ...)
{
        char text[IMAGE_DOING_MAX];
        va_list ap;

        if (!caller || !caller->doing)
                return;
        va_start(ap, fmt);
        vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        caller->doing(caller->arg, text);
}

void image_progress(const struct image_caller *caller, int64_t done, int64_t total)
{
        if (caller && caller->progress)
                caller->progress(caller->arg, done, total);
}
