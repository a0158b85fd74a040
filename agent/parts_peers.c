/*
 * agent/parts_peers.c: the parts that speak with other services of the cloud: placement, and where images
 * come from.
 */
#include "agent_priv.h"

#define LOG_MODULE "agent"
#include "base/log.h"
#include "base/mem.h"
#include "images/disks.h"
#include "peers/placement.h"

static int HUB_ONLY make_placement(struct agent *a, struct error *err)
{
        const struct conf *c = a->conf;
        struct http_options http = { .cafile = c->placement.cafile,
                                     .insecure = c->placement.insecure,
                                     .idle_timeout_s = (double)c->placement.timeout };
        struct keystone_options identity = { .auth_url = c->placement.auth_url,
                                             .username = c->placement.username,
                                             .password = c->placement.password,
                                             .user_domain_name = c->placement.user_domain_name,
                                             .user_domain_id = c->placement.user_domain_id,
                                             .project_name = c->placement.project_name,
                                             .project_domain_name = c->placement.project_domain_name,
                                             .project_domain_id = c->placement.project_domain_id,
                                             .timeout_s = (double)c->placement.timeout };
        struct service_options service = { .type = "placement",
                                           .interfaces = c->placement.valid_interfaces,
                                           .region = c->placement.region_name,
                                           .endpoint_override = c->placement.endpoint_override,
                                           .timeout_s = (double)c->placement.timeout };
        struct placement_options placement = { .refresh_s =
                                                       c->compute.resource_provider_association_refresh };

        a->http = http_client_new(&http, err);
        if (!a->http)
                return -1;
        identity.http = service.http = a->http;
        a->keystone = keystone_new(&identity, err);
        if (!a->keystone)
                return -1;
        service.keystone = a->keystone;
        placement.service = a->placement_service = service_new(&service);
        a->placement = placement_new(&placement);
        return 0;
}

/* Nothing is sent before the first audit. */
int peers_start(struct agent *a, struct error *err)
{
        if (!*a->conf->placement.auth_type) {
                log_info("no placement service: [placement] auth_type is not set");
                return 0;
        }
        return make_placement(a, err) < 0 ? error_while(err, "[placement]") : 0;
}

void peers_stop(struct agent *a)
{
        placement_free(take_ptr(&a->placement));
        service_free(take_ptr(&a->placement_service));
        keystone_free(take_ptr(&a->keystone));
        http_client_free(take_ptr(&a->http));
}

int images_start(struct agent *a, struct error *err)
{
        struct disk_store_options opt = {
                .instances_path = a->conf->instances_path,
                .cache_name = a->conf->image_cache.subdirectory_name,
                .mkisofs_cmd = a->conf->mkisofs_cmd,
                .force_raw_images = a->conf->force_raw_images,
                .use_cow_images = a->conf->use_cow_images,
                .max_concurrent_ops = (unsigned)a->conf->compute.max_concurrent_disk_ops,
                .tpool = a->tpool,
        };

        image_source_set_tpool(a->tpool);
        a->images = image_source_local_new(a->conf->images.local_path, err);
        if (!a->images)
                return -1;
        opt.images = a->images;
        a->disks = disk_store_new(&opt, err);
        return a->disks ? 0 : -1;
}

void images_stop(struct agent *a)
{
        disk_store_free(take_ptr(&a->disks));
        if (a->images)
                a->images->ops->free(take_ptr(&a->images));
}
