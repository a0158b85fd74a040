/*
 * agent/compute/refuse.c: requests that are not done: the method is not here, or its arguments cannot be
 * understood.
 *
 * The method's wrappers run around the reason, so that the rows tell it and no task is left. For some methods
 * more than a task was prepared before the request was sent, and nobody else takes it back. That is done
 * first of all, and does not depend on the rows of the action: without them the event cannot be started, but
 * a migration that is not called failed costs an evacuated instance its disks, as the host it came from
 * removes the guests of all evacuations but the failed ones when it comes back.
 */
#define LOG_MODULE "compute.refuse"
#include "compute/compute_priv.h"

#include <string.h>

#include "base/list.h"
#include "base/log.h"
#include "peers/placement.h"

struct refusal {
        struct error why;
        const struct compute_leftover *left;
};

/* ---- what is taken back, step by step ---- */

static int error_state_body(struct action *a, struct error *err)
{
        assert_green();
        if (action_load(a, err) < 0)
                return -1;
        if (a->instance->vm_state == VM_BUILDING)
                action_error_state(a, 0);
        return 0;
}

/* Nobody else would build it: its owner sees an error with a fault instead of a build without end. */
static int YIELDS end_build(struct action *a, const struct compute_leftover *left, struct error *err)
{
        (void)left;
        inflight_step(a->op, "ending the build");
        return action_locked(a, error_state_body, err);
}

static int YIELDS fail_migration(struct action *a, const struct compute_leftover *left, struct error *err)
{
        inflight_step(a->op, "calling the migration failed");
        return store_migration_set_status(a->m->store, left->migration_id, "failed", a->by, err);
}

/* The conductor gave it to the migration, and the scheduler made the instance a new one, of the new flavor.
 */
static int YIELDS move_allocation(struct action *a, const struct compute_leftover *left, struct error *err)
{
        if (!a->m->placement)
                return 0;
        if (!left->migration_uuid[0])
                return error_set(err, ERR_INVALID, "the request does not name the migration's uuid");
        inflight_step(a->op, "giving the allocation back");
        if (placement_allocation_move(a->m->placement, left->migration_uuid, a->uuid, a->by, err) < 0)
                return error_while(err, "migration %s", left->migration_uuid);
        return 0;
}

/* The scheduler gave it a second allocation, here. What an instance of this very host holds is its own. */
static int YIELDS leave_this_host(struct action *a, const struct compute_leftover *left, struct error *err)
{
        const struct compute_node_row *row = tracker_row(a->m->tracker);
        CLEANUP(freep) char *provider = row ? xstrdup(row->uuid) : NULL;
        struct instance *i = NULL;
        bool ours;

        (void)left;
        if (!a->m->placement || !provider)
                return 0;
        inflight_step(a->op, "giving up the allocation here");
        if (store_instance_get(a->m->store, a->uuid, 0, &i, a->by, err) < 0)
                return -1;
        ours = i->host && strcmp(i->host, a->m->conf->host) == 0;
        instance_free(i);
        return ours ? 0 : placement_allocation_leave(a->m->placement, a->uuid, provider, a->by, err);
}

/* nova-api has made it already. */
static int YIELDS discard_image(struct action *a, const struct compute_leftover *left, struct error *err)
{
        const struct image_caller caller = action_image_caller(a);
        CLEANUP(image_info_free) struct image_info image = {};
        struct image_source *images = a->m->images;

        if (!images->ops->discard)
                return 0;
        inflight_step(a->op, "deleting the image of a snapshot that will not be");
        if (images->ops->get(images, left->image_id, &caller, &image, a->by, err) < 0)
                return err->code == NOVA_IMAGE_NOT_FOUND ? 0 : error_while(err, "image %s", left->image_id);
        if (strcmp(image.status, "queued") != 0)
                return error_set(err, ERR_INVALID, "image %s is %.32s, not waiting for its data",
                                 left->image_id, image.status);
        if (images->ops->discard(images, left->image_id, &caller, a->by, err) < 0)
                return error_while(err, "image %s", left->image_id);
        return 0;
}

struct undo_step {
        int (*fn)(struct action *a, const struct compute_leftover *left, struct error *err);
        const char *otherwise; /* what is so when it fails, for the log */
        enum log_level level;  /* of that */
};
static const struct undo_step undo_build[] = {
        { end_build, "the instance may go on to be called building", LOG_WARNING },
        {},
};
static const struct undo_step undo_resize[] = {
        { move_allocation, "the instance's allocation stays with the migration", LOG_WARNING },
        { fail_migration, "the migration stays as it is", LOG_WARNING },
        {},
};
static const struct undo_step undo_evacuation[] = {
        { fail_migration,
          "do not start the compute service of the other host before the migration is called failed",
          LOG_ERROR },
        { leave_this_host, "the instance goes on to hold something of this host", LOG_WARNING },
        {},
};
static const struct undo_step undo_snapshot[] = {
        { discard_image, "the image of the snapshot stays behind", LOG_WARNING },
        {},
};
static const struct undo_step *const undos[] = {
        [LEFT_BUILD] = undo_build,
        [LEFT_RESIZE] = undo_resize,
        [LEFT_EVACUATION] = undo_evacuation,
        [LEFT_IMAGE] = undo_snapshot,
};

/* A step that fails is told and is no reason to leave out the others. Only ERR_CANCELLED is returned. */
static int undo(struct action *a, struct error *err)
{
        const struct refusal *r = a->arg;

        assert_green();
        if (!r->left || r->left->what == LEFT_NOTHING)
                return 0;
        for (const struct undo_step *step = undos[r->left->what]; step->fn; step++) {
                struct error failed = {};

                if (step->fn(a, r->left, &failed) == 0 || failed.code == NOVA_INSTANCE_NOT_FOUND)
                        continue;
                if (error_is_cancel(&failed, err))
                        return -1;
                log_at(step->level, "%s: %s", step->otherwise, failed.text);
        }
        return 0;
}

/* ---- refusing ---- */

static int refuse_body(struct action *a, struct error *err)
{
        assert_green();
        *err = ((const struct refusal *)a->arg)->why;
        return -1;
}

int compute_refuse(struct compute_manager *m, const struct compute_call *c, const char *method,
                   unsigned wraps, const struct compute_leftover *left, const struct error *why,
                   struct error *err)
{
        const struct action_kind kind = {
                .method = left && left->what == LEFT_BUILD ? BUILD_METHOD : method,
                .wraps = wraps,
                .first = undo,
                .body = refuse_body,
        };
        struct refusal r = { .why = *why, .left = left };

        action_run(m, &kind, c, &r, err);
        if (err->code != ERR_CANCELLED)
                *err = r.why; /* whatever happened to the rows: that is logged */
        return -1;
}
