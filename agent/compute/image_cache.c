/*
 * agent/compute/image_cache.c: the task _run_image_cache_manager_pass (nova-contract 4.7, 7.4): which images
 * the rows of this host name; the files are left to images/.
 */
#define LOG_MODULE "compute.image_cache"
#include "compute/compute_priv.h"

#include "base/log.h"
#include "images/cache_pass.h"

static int YIELDS run_pass(struct compute_manager *m, const struct instance_list *list,
                           struct cache_pass_result *ret, struct deadline by, struct error *err)
{
        CLEANUP(freep) const char **ids = xcalloc(list->n, sizeof(*ids));
        struct cache_pass pass = {
                .host = m->conf->host,
                .image_ids = ids,
                .remove = m->conf->image_cache.remove_unused_base_images,
                .original_age_s = m->conf->image_cache.remove_unused_original_minimum_age_seconds,
                .resized_age_s = m->conf->image_cache.remove_unused_resized_minimum_age_seconds,
        };

        for (unsigned i = 0; i < list->n; i++)
                if (list->items[i]->image_ref && *list->items[i]->image_ref)
                        ids[pass.n_image_ids++] = list->items[i]->image_ref;
        return images_cache_pass(m->disks, &pass, ret, by, err);
}

int compute_image_cache_pass(struct compute_manager *m, struct deadline by, struct error *err)
{
        CLEANUP(instance_list_free) struct instance_list list = {};
        struct cache_pass_result result = {};
        struct error left = {};

        if (store_instances_of_host(m->store, &list, by, err) < 0 || run_pass(m, &list, &result, by, err) < 0)
                return -1;
        if (disks_remove_leftovers(m->disks, by, &left) < 0)
                log_warning("files of unfinished downloads may be left behind: %s", left.text);
        if (result.removed > 0)
                log_info("%u of %u cached images were removed, which gave back %lld MiB; %u are in use",
                         result.removed, result.files, (long long)(result.freed_bytes >> 20), result.used);
        else
                log_debug("%u cached images: %u in use, %u not used for too short to be removed",
                          result.files, result.used, result.young);
        return 0;
}
