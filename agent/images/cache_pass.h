/*
 * agent/images/cache_pass.h: what nobody uses any more leaves the cache (nova-contract 7.4).
 *
 * In use is what an image of the caller's list is cached as, and whatever any disk below instances_path has
 * as its backing file, also of instances that other hosts or nova-compute put there. The mtime of those is
 * renewed; the others go when theirs is old enough. All calls yield; files are looked at in the tpool.
 */
#pragma once

#include "images/disks.h"

struct cache_pass {
        const char *host;             /* ours: noted in instances_path/compute_nodes, as nova does it */
        const char *const *image_ids; /* of the instances of this host; may come twice */
        unsigned n_image_ids;
        bool remove;            /* [image_cache] remove_unused_base_images; else they are only counted */
        int64_t original_age_s; /* remove_unused_original_minimum_age_seconds */
        int64_t resized_age_s;  /* remove_unused_resized_minimum_age_seconds: of <name>_<size> */
};
struct cache_pass_result {
        unsigned files, used, young, removed;
        int64_t freed_bytes; /* that the removed ones had allocated */
};
/* One file that cannot be removed is logged and does not fail the whole. Nothing is removed when a disk could
 * not be read. */
int YIELDS images_cache_pass(struct disk_store *s, const struct cache_pass *pass,
                             struct cache_pass_result *ret, struct deadline by, struct error *err);
