/*
 * agent/parts_peers.c: the parts that speak with other services of the cloud: placement, and where images
 * come from.
 */
#include "agent_priv.h"

#include <string.h>

#define LOG_MODULE "agent"
#include "base/log.h"
#include "base/mem.h"
#include "images/disks.h"
#include "images/glance.h"
#include "peers/placement.h"

enum { LEFTOVERS_S = 10 };

/* What the section says of an identity, and the connections it is used over; both NULL when there is none. */
static int HUB_ONLY make_identity(const struct conf_identity *identity, struct http_client **ret_http,
                                  struct keystone **ret, struct error *err)
{
        const struct http_options http = { .cafile = identity->cafile,
                                           .insecure = identity->insecure,
                                           .idle_timeout_s = (double)identity->timeout };
        struct keystone_options opt = { .auth_url = identity->auth_url,
                                        .username = identity->username,
                                        .password = identity->password,
                                        .user_domain_name = identity->user_domain_name,
                                        .user_domain_id = identity->user_domain_id,
                                        .project_name = identity->project_name,
                                        .project_domain_name = identity->project_domain_name,
                                        .project_domain_id = identity->project_domain_id,
                                        .timeout_s = (double)identity->timeout };

        if (!*identity->auth_type)
                return 0;
        *ret_http = opt.http = http_client_new(&http, err);
        if (!opt.http)
                return -1;
        *ret = keystone_new(&opt, err);
        return *ret ? 0 : -1;
}

/* ---- placement ---- */

static void HUB_ONLY make_placement(struct agent *a)
{
        const struct conf *c = a->conf;
        const struct service_options service = { .type = "placement",
                                                 .interfaces = c->placement.valid_interfaces,
                                                 .region = c->placement.region_name,
                                                 .endpoint_override = c->placement.endpoint_override,
                                                 .timeout_s = (double)c->placement.identity.timeout,
                                                 .http = a->placement_http,
                                                 .keystone = a->placement_user };
        struct placement_options placement = { .refresh_s =
                                                       c->compute.resource_provider_association_refresh };

        placement.service = a->placement_service = service_new(&service);
        a->placement = placement_new(&placement);
}

/* Nothing is sent before the first audit. */
int peers_start(struct agent *a, struct error *err)
{
        if (make_identity(&a->conf->placement.identity, &a->placement_http, &a->placement_user, err) < 0)
                return error_while(err, "[placement]");
        if (a->placement_user)
                make_placement(a);
        else
                log_info("no placement service: [placement] auth_type is not set");
        return 0;
}

void peers_stop(struct agent *a)
{
        placement_free(take_ptr(&a->placement));
        service_free(take_ptr(&a->placement_service));
        keystone_free(take_ptr(&a->placement_user));
        http_client_free(take_ptr(&a->placement_http));
}

/* ---- images ---- */

/* What no user asks for is asked as [service_user], else as the user of [placement]. */
static int HUB_ONLY make_glance(struct agent *a, struct error *err)
{
        const struct conf *c = a->conf;
        struct http_options http = { .cafile = c->glance.cafile,
                                     .insecure = c->glance.insecure,
                                     .idle_timeout_s = (double)c->glance.timeout };
        struct glance_options opt = { .api_servers = c->glance.api_servers,
                                      .endpoint_override = c->glance.endpoint_override,
                                      .interfaces = c->glance.valid_interfaces,
                                      .region = c->glance.region_name,
                                      .num_retries = (unsigned)c->glance.num_retries,
                                      .timeout_s = (double)c->glance.timeout };

        if (make_identity(&c->service_user.identity, &a->service_user_http, &a->service_user, err) < 0)
                return error_while(err, "[service_user]");
        opt.http = a->glance_http = http_client_new(&http, err);
        if (!opt.http)
                return error_while(err, "[glance]");
        opt.keystone = a->service_user ? a->service_user : a->placement_user;
        opt.service = c->service_user.send_service_user_token ? a->service_user : NULL;
        a->images = image_source_glance_new(&opt);
        log_info("images come from glance (%s)", *c->glance.endpoint_override ? c->glance.endpoint_override
                                                 : *c->glance.api_servers     ? c->glance.api_servers
                                                                              : "found in the catalog");
        return 0;
}

static int YIELDS make_image_source(struct agent *a, struct deadline by, struct error *err)
{
        image_source_set_tpool(a->files);
        if (strcmp(a->conf->images.source, "glance") == 0)
                return make_glance(a, err);
        a->images = image_source_local_new(a->conf->images.local_path, by, err);
        if (!a->images)
                return -1;
        log_info("images come from %s", a->conf->images.local_path);
        return 0;
}

/* Of cached images; else they are copies. */
static bool root_disks_are_overlays(const struct conf *c)
{
        const char *type = c->libvirt.images_type;

        return strcmp(type, "default") == 0 ? c->use_cow_images : strcmp(type, "qcow2") == 0;
}

static int YIELDS make_disk_store(struct agent *a, struct deadline by, struct error *err)
{
        struct disk_store_options opt = {
                .instances_path = a->conf->instances_path,
                .cache_name = a->conf->image_cache.subdirectory_name,
                .mkisofs_cmd = a->conf->mkisofs_cmd,
                .disk_cachemodes = a->conf->libvirt.disk_cachemodes,
                .discard = a->conf->libvirt.hw_disk_discard,
                .default_ephemeral_format = a->conf->default_ephemeral_format,
                .force_raw_images = a->conf->force_raw_images,
                .use_cow_images = root_disks_are_overlays(a->conf),
                .max_concurrent_ops = (unsigned)a->conf->compute.max_concurrent_disk_ops,
                .images = a->images,
                .tpool = a->files,
        };

        a->disks = disk_store_new(&opt, by, err);
        return a->disks ? 0 : error_while(err, "instances_path");
}

/* A file server that does not answer may do so later; what else is wrong does not mend itself. */
static int YIELDS open_files(struct agent *a, struct deadline by, struct error *err)
{
        if ((a->images || make_image_source(a, by, err) == 0) && make_disk_store(a, by, err) == 0)
                return 0;
        if (err->code != ERR_TIMEOUT && err->code != ERR_CANCELLED)
                err->code = ERR_INVALID;
        return -1;
}

int images_start(struct agent *a, struct error *err)
{
        struct error left = {};

        if (until_it_works(a, "files of images and instances", REACH_S, open_files, err) < 0)
                return -1;
        if (disks_remove_leftovers(a->disks, deadline_in_s(LEFTOVERS_S), &left) < 0)
                log_warning("files of unfinished downloads may be left behind: %s; the image cache's next "
                            "round tries again",
                            left.text);
        return 0;
}

void images_stop(struct agent *a)
{
        disk_store_free(take_ptr(&a->disks));
        if (a->images)
                a->images->ops->free(take_ptr(&a->images));
        http_client_free(take_ptr(&a->glance_http));
        keystone_free(take_ptr(&a->service_user));
        http_client_free(take_ptr(&a->service_user_http));
}
