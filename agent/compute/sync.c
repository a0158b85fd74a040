/*
 * agent/compute/sync.c: power state synchronisation (nova-contract 7.7), for one instance and for all.
 *
 * The row's power_state follows the hypervisor; vm_state is what somebody asked for, so a guest that went off
 * by itself is stopped the way the API stops one, with its action row, and a guest that runs against the row
 * is stopped too. An instance with a task under way is left alone: that task writes the state at its end.
 */
#define LOG_MODULE "compute.sync"
#include "compute/sync.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "compute/compute_priv.h"

enum sync_verdict sync_decide(enum vm_state vm_state, enum power_state actual)
{
        switch (vm_state) {
        case VM_ACTIVE:
                if (actual == POWER_SHUTDOWN || actual == POWER_CRASHED || actual == POWER_SUSPENDED)
                        return SYNC_STOP;
                if (actual == POWER_PAUSED || actual == POWER_NOSTATE)
                        return SYNC_REMARK;
                return SYNC_NOTHING;
        case VM_STOPPED:
                return power_is_off(actual) ? SYNC_NOTHING : SYNC_FORCE_STOP;
        case VM_PAUSED:
                return actual == POWER_SHUTDOWN || actual == POWER_CRASHED ? SYNC_FORCE_STOP : SYNC_NOTHING;
        case VM_SOFT_DELETED:
        case VM_DELETED:
                return actual == POWER_NOSTATE || actual == POWER_SHUTDOWN ? SYNC_NOTHING : SYNC_REMARK;
        default:
                return SYNC_NOTHING;
        }
}

/* ---- what follows ---- */

struct follow_up { /* a stop or a delete by the agent itself */
        struct compute_manager *m;
        struct request_context ctx;
        char uuid[UUID_LEN + 1];
        bool delete;
};

static void follow_up_free(struct follow_up *f)
{
        request_context_free(&f->ctx);
        free(f);
}

static int follow_up_main(void *arg, struct error *err)
{
        struct follow_up *f = arg;
        struct compute_call c =
                compute_internal_call(f->m, &f->ctx, f->uuid, (double)f->m->conf->long_rpc_timeout);
        int r;

        assert_green();
        r = f->delete ? compute_terminate(f->m, &c, err) : compute_stop(f->m, &c, true, err);
        follow_up_free(f);
        if (r < 0 && err->code == ERR_CANCELLED)
                return -1;
        return 0; /* it was logged and is in the rows; the next synchronisation tries again */
}

/* As the API: the row says what is to come, the action row who asked, then the method runs. */
static int YIELDS begin_follow_up(struct compute_manager *m, struct instance *i, bool delete,
                                  struct deadline by, struct error *err)
{
        struct follow_up *f;
        char name[GREEN_NAME_MAX];

        if (m->draining)
                return 0; /* the next start sees the same */
        i->task_state = delete ? TASK_DELETING : TASK_POWERING_OFF;
        i->progress = 0;
        if (store_instance_save(m->store, i, COL_TASK_STATE | COL_PROGRESS, EXPECT(TASK_NONE), by, err) < 0)
                return -1;
        f = NEW(struct follow_up);
        f->m = m;
        f->delete = delete;
        memcpy(f->uuid, i->uuid, sizeof(f->uuid));
        request_context_admin(&f->ctx);
        snprintf(name, sizeof(name), "%s %.36s", delete ? "delete" : "stop", i->uuid);
        if (store_action_start(m->store, i->uuid, delete ? "delete" : "stop", &f->ctx, by, err) == 0 &&
            green_spawn(m->work, name, follow_up_main, f, err) == 0)
                return 0;
        follow_up_free(f);
        if (err->code != ERR_CANCELLED) {
                struct error revert_err = {};

                i->task_state = TASK_NONE;
                store_instance_save(m->store, i, COL_TASK_STATE, EXPECT_ANY,
                                    deadline_in_s(CLEANUP_DEADLINE_S), &revert_err);
        }
        return -1;
}

/* ---- one instance ---- */

static int YIELDS act_on_difference(struct compute_manager *m, struct instance *i, enum power_state actual,
                                    struct deadline by, struct error *err)
{
        enum power_state again;

        switch (sync_decide(i->vm_state, actual)) {
        case SYNC_NOTHING:
                return 0;
        case SYNC_REMARK:
                log_warning("the instance is %s but its guest is %s; both stay as they are",
                            vm_state_name(i->vm_state), power_state_name(actual));
                return 0;
        case SYNC_STOP:
                if (compute_power_of(m, i->uuid, &again, by, err) < 0)
                        return -1;
                if (again != actual)
                        return 0; /* it is on the move: its event or the next round looks again */
                log_warning("the guest is %s by itself, %s the instance", power_state_name(actual),
                            i->shutdown_terminate ? "deleting" : "stopping");
                return begin_follow_up(m, i, i->shutdown_terminate, by, err);
        case SYNC_FORCE_STOP:
                log_warning("the instance is %s but its guest is %s, stopping it", vm_state_name(i->vm_state),
                            power_state_name(actual));
                return begin_follow_up(m, i, false, by, err);
        }
        return 0;
}

static const char *follow_up_name(const struct instance *i)
{
        return i->task_state == TASK_DELETING ? "delete" : i->task_state == TASK_POWERING_OFF ? "stop" : NULL;
}

static int YIELDS sync_locked(struct compute_manager *m, struct instance *i, struct sync_seen *seen,
                              struct deadline by, struct error *err)
{
        enum power_state actual;

        if (!i->host || strcmp(i->host, m->conf->host) != 0) {
                seen->left = SYNC_LEFT_ELSEWHERE;
                return 0;
        }
        if (i->task_state != TASK_NONE) {
                seen->left = SYNC_LEFT_BUSY;
                return 0;
        }
        if (compute_power_of(m, i->uuid, &actual, by, err) < 0)
                return -1;
        seen->was = i->power_state;
        seen->is = actual;
        if (actual != i->power_state) {
                log_info("power_state was %s, is %s", power_state_name(i->power_state),
                         power_state_name(actual));
                i->power_state = actual;
                if (store_instance_save(m->store, i, COL_POWER_STATE, EXPECT_ANY, by, err) < 0)
                        return -1;
        }
        if (act_on_difference(m, i, actual, by, err) < 0)
                return -1;
        seen->begun = follow_up_name(i);
        return 0;
}

int compute_sync_look(struct compute_manager *m, const char *uuid, struct sync_seen *ret, struct deadline by,
                      struct error *err)
{
        CLEANUP(lockutils_releasep) struct named_lock *lock = lockutils_acquire(uuid, by, err);
        struct instance *i = NULL;
        int r;

        *ret = (struct sync_seen){};
        if (!lock)
                return -1;
        m->stats.syncs++;
        r = store_instance_get(m->store, uuid, 0, &i, by, err);
        if (r == 0)
                r = sync_locked(m, i, ret, by, err);
        instance_free(i);
        if (r < 0 &&
            (err->code == NOVA_UNEXPECTED_TASK_STATE || err->code == NOVA_UNEXPECTED_DELETING_TASK_STATE)) {
                log_debug("not synchronised: %s", err->text);
                ret->left = SYNC_LEFT_BUSY;
                *err = (struct error){};
                return 0;
        }
        return r;
}

static int YIELDS look_if_there(struct compute_manager *m, const char *uuid, struct sync_seen *ret,
                                struct deadline by, struct error *err)
{
        int r = compute_sync_look(m, uuid, ret, by, err);

        if (r < 0 && err->code == NOVA_INSTANCE_NOT_FOUND) {
                log_debug("not synchronised: %s", err->text);
                *err = (struct error){};
                return 0;
        }
        return r;
}

int compute_sync_instance(struct compute_manager *m, const char *uuid, struct deadline by, struct error *err)
{
        struct sync_seen ignored;

        return look_if_there(m, uuid, &ignored, by, err);
}

/* ---- all ---- */

struct sync_round *sync_round_new(void)
{
        struct sync_round *r = NEW(struct sync_round);

        r->refs = 1;
        green_cond_init(&r->over, "power states");
        return r;
}

void sync_round_unref(struct sync_round *r)
{
        if (r && --r->refs == 0)
                free(r);
}

/* failed NULL: it was looked at. */
static void HUB_ONLY count_one(struct sync_round *r, const struct sync_seen *seen, const struct error *failed)
{
        if (failed && r->failed++ == 0)
                r->why = *failed;
        r->begun += !failed && seen->begun;
        r->busy += !failed && seen->left == SYNC_LEFT_BUSY;
        r->left--;
        green_cond_broadcast(&r->over);
}

struct sync_job {
        struct compute_manager *m;
        char uuid[UUID_LEN + 1];
        struct deadline by;
        struct sync_round *round; /* a reference */
};

static void HUB_ONLY sync_job_free(struct sync_job *job)
{
        sync_round_unref(job->round);
        free(job);
}

static int sync_main(void *arg, struct error *err)
{
        struct sync_job *job = arg;
        struct sync_seen seen;
        int r;

        assert_green();
        green_set_log_context(NULL, job->uuid);
        r = look_if_there(job->m, job->uuid, &seen, job->by, err);
        count_one(job->round, &seen, r < 0 ? err : NULL);
        if (r < 0 && err->code != ERR_CANCELLED) {
                log_warning("power state synchronisation failed, the next round tries again: %s", err->text);
                r = 0;
        }
        sync_job_free(job);
        return r;
}

static int YIELDS start_sync(struct compute_manager *m, const char *uuid, struct sync_round *round,
                             struct deadline by, struct error *err)
{
        struct sync_job *job = NEW(struct sync_job);
        char name[GREEN_NAME_MAX];

        job->m = m;
        job->by = by;
        job->round = round;
        round->refs++;
        snprintf(job->uuid, sizeof(job->uuid), "%s", uuid);
        snprintf(name, sizeof(name), "sync %.36s", uuid);
        round->differ++;
        round->left++;
        if (green_pool_spawn(m->sync_pool, name, sync_main, job, by, err) == 0)
                return 0;
        round->left--;
        sync_job_free(job);
        return -1;
}

static int compare_guests(const void *a, const void *b)
{
        return strcmp(((const struct guest_info *)a)->uuid, ((const struct guest_info *)b)->uuid);
}

/* Sorted by uuid: one answer of the hypervisor serves all instances. */
int compute_list_guests(struct compute_manager *m, struct guest_list *ret, struct deadline by,
                        struct error *err)
{
        if (m->driver->ops->list(m->driver, ret, by, err) < 0)
                return error_while(err, "listing the guests");
        if (ret->n > 1)
                qsort(ret->items, ret->n, sizeof(*ret->items), compare_guests);
        return 0;
}

enum power_state guests_power(const struct guest_list *guests, const char *uuid)
{
        struct guest_info key = {};
        const struct guest_info *found;

        if (guests->n == 0)
                return POWER_NOSTATE;
        snprintf(key.uuid, sizeof(key.uuid), "%s", uuid);
        found = bsearch(&key, guests->items, guests->n, sizeof(key), compare_guests);
        return found ? found->power_state : POWER_NOSTATE;
}

static bool worth_a_look(const struct instance *i, const struct guest_list *guests)
{
        enum power_state actual = guests_power(guests, i->uuid);
        enum sync_verdict verdict = sync_decide(i->vm_state, actual);

        if (i->task_state != TASK_NONE)
                return false;
        return actual != i->power_state || (verdict != SYNC_NOTHING && verdict != SYNC_REMARK);
}

static int YIELDS sync_all(struct compute_manager *m, struct sync_round *round, struct deadline by,
                           struct error *err)
{
        CLEANUP(instance_list_free) struct instance_list page = {};
        CLEANUP(guest_list_free) struct guest_list guests = {};
        struct instance_cursor at = {};
        int r;

        if (compute_list_guests(m, &guests, by, err) < 0)
                return -1;
        round->guests = guests.n;
        while ((r = store_instances_page(m->store, &at, &page, by, err)) > 0) {
                round->instances += page.n;
                for (unsigned k = 0; k < page.n; k++)
                        if (worth_a_look(page.items[k], &guests) &&
                            start_sync(m, page.items[k]->uuid, round, by, err) < 0)
                                return error_while(err, "starting power state synchronisation");
        }
        if (r < 0)
                return error_while(err, "reading the instances of this host");
        if (guests.n != round->instances)
                log_warning("%u instances in the database, %u guests on the hypervisor; those of both are "
                            "compared",
                            round->instances, guests.n);
        return 0;
}

int compute_sync_all(struct compute_manager *m, struct deadline by, struct error *err)
{
        struct sync_round *round = sync_round_new();
        int r = sync_all(m, round, by, err);

        sync_round_unref(round);
        return r;
}

int compute_sync_round(struct compute_manager *m, struct sync_round *r, struct deadline by, struct error *err)
{
        if (sync_all(m, r, by, err) < 0)
                return -1;
        while (r->left > 0)
                if (green_cond_wait(&r->over, by, err) < 0)
                        return error_while(err, "waiting for %u of %u instances that differ", r->left,
                                           r->differ);
        return 0;
}
