/*
 * agent/compute/image_cache.c: the task _run_image_cache_manager_pass (nova-contract 4.7, 7.4): which images
 * the rows of this host name; the files are left to images/.
 */
#define LOG_MODULE "compute.image_cache"
#include "compute/compute_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "images/cache_pass.h"

struct image_ids { /* each once for all instances that follow one another with the same */
        char **items;
        unsigned n;
};

static void image_ids_free(struct image_ids *ids)
{
        for (unsigned k = 0; k < ids->n; k++)
                free(ids->items[k]);
        free(ids->items);
}

static void add_id(struct image_ids *ids, const char *id)
{
        if (!id || !*id || (ids->n > 0 && strcmp(ids->items[ids->n - 1], id) == 0))
                return;
        if ((ids->n & (ids->n - 1)) == 0) /* full at each power of two */
                ids->items = xrealloc(ids->items, (ids->n ? ids->n * 2 : 1) * sizeof(ids->items[0]));
        ids->items[ids->n++] = xstrdup(id);
}

static int YIELDS read_ids(struct compute_manager *m, struct image_ids *ids, struct deadline by,
                           struct error *err)
{
        CLEANUP(instance_list_free) struct instance_list page = {};
        struct instance_cursor at = {};
        int r;

        while ((r = store_instances_page(m->store, &at, &page, by, err)) > 0)
                for (unsigned k = 0; k < page.n; k++)
                        add_id(ids, page.items[k]->image_ref);
        return r;
}

static int YIELDS run_pass(struct compute_manager *m, const struct image_ids *ids,
                           struct cache_pass_result *ret, struct deadline by, struct error *err)
{
        struct cache_pass pass = {
                .host = m->conf->host,
                .image_ids = (const char *const *)ids->items,
                .n_image_ids = ids->n,
                .remove = m->conf->image_cache.remove_unused_base_images,
                .original_age_s = m->conf->image_cache.remove_unused_original_minimum_age_seconds,
                .resized_age_s = m->conf->image_cache.remove_unused_resized_minimum_age_seconds,
        };

        return images_cache_pass(m->disks, &pass, ret, by, err);
}

int compute_image_cache_pass(struct compute_manager *m, struct deadline by, struct error *err)
{
        CLEANUP(image_ids_free) struct image_ids ids = {};
        struct cache_pass_result result = {};
        struct error left = {};

        if (read_ids(m, &ids, by, err) < 0 || run_pass(m, &ids, &result, by, err) < 0)
                return -1;
        if (disks_remove_leftovers(m->disks, by, &left) < 0)
                log_warning(
                        "files of unfinished downloads may be left behind: %s; the next round tries again",
                        left.text);
        if (result.removed > 0)
                log_info("%u of %u cached images were removed, which gave back %lld MiB; %u are in use",
                         result.removed, result.files, (long long)(result.freed_bytes >> 20), result.used);
        else
                log_debug("%u cached images: %u in use, %u not used for too short to be removed",
                          result.files, result.used, result.young);
        return 0;
}
