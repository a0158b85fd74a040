/*
 * agent/compute/refuse_snapshot.c: snapshot_instance and backup_instance, which this agent does not do, but
 * must undo: nova-api has made the image already, and nobody else deletes one that stays without data.
 */
#define LOG_MODULE "compute.refuse_snapshot"
#include "compute/compute_priv.h"

#include <string.h>

#include "base/log.h"

static int YIELDS discard_unfilled(struct action *a, struct error *err)
{
        const struct image_caller caller = action_image_caller(a);
        CLEANUP(image_info_free) struct image_info image = {};
        struct image_source *images = a->m->images;
        const char *id = a->arg;

        if (!images->ops->discard)
                return 0;
        if (images->ops->get(images, id, &caller, &image, a->by, err) < 0)
                return err->code == NOVA_IMAGE_NOT_FOUND ? 0 : -1;
        if (strcmp(image.status, "queued") != 0)
                return error_set(err, ERR_INVALID, "it is %.32s, not waiting for its data", image.status);
        return images->ops->discard(images, id, &caller, a->by, err);
}

static int refuse_body(struct action *a, struct error *err)
{
        struct error undo = {};

        assert_green();
        a->running.doing = "deleting the image of a snapshot that will not be";
        if (discard_unfilled(a, &undo) < 0) {
                if (undo.code == ERR_CANCELLED) {
                        *err = undo;
                        return -1;
                }
                log_warning("image %.64s stays behind: %s", (const char *)a->arg, undo.text);
        }
        return error_set(err, NOVA_NOT_IMPLEMENTED, "this agent does not implement %s", a->kind->method);
}

int compute_refuse_snapshot(struct compute_manager *m, const struct compute_call *c, const char *method,
                            const char *image_id, struct error *err)
{
        const struct action_kind kind = {
                .method = method,
                .wraps = WRAP_REVERTS | WRAP_EVENT | WRAP_FAULT,
                .body = refuse_body,
        };

        return action_run(m, &kind, c, (void *)image_id, err);
}
