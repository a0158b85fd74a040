/*
 * Each captured request of what this agent does, with one member damaged at a time: gone, null, of another
 * type, or huge. Whatever it is, the answer is a result or an error that names what is wrong; nothing
 * crashes, nothing leaks (under the sanitizers), and no instance keeps a task that nobody works on.
 */
#include <limits.h>
#include <stdlib.h>

#include "rpc_fixture.h"

#define HUGE_TEXT ((size_t)70000) /* more than any column of text that a request ends in */

enum damage { GONE, NOTHING, OTHER_TYPE, HUGE_VALUE, N_DAMAGES };
static const char *const damage_names[] = { "gone", "null", "of another type", "huge" };

/* ---- one member of a tree, by its number ---- */

struct walk {
        unsigned left; /* members to pass before it */
        enum damage damage;
        struct jval *parent; /* of the member, once it is found */
        char key[80], path[512];
};

static int find_in(struct jval *v, struct walk *w);

static int find_member(const char *key, struct jval *v, void *arg)
{
        struct walk *w = arg;
        size_t len = strlen(w->path);

        snprintf(w->path + len, sizeof(w->path) - len, ".%s", key);
        if (w->left == 0) {
                snprintf(w->key, sizeof(w->key), "%s", key);
                return 1;
        }
        w->left--;
        if (find_in(v, w))
                return 1;
        w->path[len] = '\0';
        return 0;
}

static int find_in(struct jval *v, struct walk *w)
{
        if (jval_type(v) == JVAL_OBJECT) {
                if (!jval_foreach(v, find_member, w))
                        return 0;
                if (!w->parent)
                        w->parent = v;
                return 1;
        }
        for (size_t i = 0; i < jval_len(v); i++)
                if (find_in(jval_at(v, i), w))
                        return 1;
        return 0;
}

static struct jval *huge(const struct jval *v)
{
        char *text = xcalloc(1, HUGE_TEXT + 1);
        struct jval *big;

        memset(text, 'x', HUGE_TEXT);
        switch (jval_type(v)) {
        case JVAL_BOOL:
        case JVAL_INT:
        case JVAL_REAL:
                big = jval_new_int(INT64_MAX);
                break;
        case JVAL_ARRAY:
        case JVAL_OBJECT:
                big = jval_new_array();
                for (unsigned i = 0; i < 5000; i++)
                        jval_push(big, jval_new_object());
                break;
        default:
                big = jval_new_text(text);
        }
        free(text);
        return big;
}

static struct jval *another_type(const struct jval *v)
{
        switch (jval_type(v)) {
        case JVAL_TEXT:
                return jval_new_int(-1);
        case JVAL_ARRAY:
                return jval_new_text("an array no more");
        case JVAL_OBJECT:
                return jval_new_array();
        default:
                return jval_new_text("?");
        }
}

static void damage(const struct walk *w)
{
        struct jval *v = jval_get(w->parent, w->key);

        switch (w->damage) {
        case GONE:
                jval_remove(w->parent, w->key);
                break;
        case NOTHING:
                jval_set(w->parent, w->key, jval_new_null());
                break;
        case OTHER_TYPE:
                jval_set(w->parent, w->key, another_type(v));
                break;
        default:
                jval_set(w->parent, w->key, huge(v));
        }
}

/* ---- one request ---- */

struct seed {
        const char *method;
        enum vm_state vm_state;
        enum task_state task;
        enum power_state guest;
};

static struct rpc_request copy_of(const struct rpc_request *r)
{
        struct rpc_request c = { .method = xstrdup(r->method),
                                 .version = xstrdup(r->version),
                                 .ns = xstrdup(r->ns),
                                 .msg_id = xstrdup(r->msg_id),
                                 .reply_q = xstrdup(r->reply_q) };

        c.args = jval_copy(r->args);
        c.context = jval_copy(r->context);
        return c;
}

/* What a caller may be told about a request that is wrong, or that fails for what it says. */
static bool is_clear(const struct error *err)
{
        const struct nova_exception *e = nova_exception_of(err->code);

        return err->text[0] && e->class_name && strcmp(e->class_name, "Exception") != 0;
}

/* Nobody works on the instance any more, so it has no task. */
static void check_rows(const struct seed *s, const char *uuid, const char *what)
{
        const struct instance *row = fake_store_any_row(uuid);

        ck_assert_msg(row != NULL, "%s: the row is gone", what);
        ck_assert_msg(row->task_state == TASK_NONE || s->task == TASK_NONE, "%s: it keeps its task %s", what,
                      task_state_name(row->task_state));
}

static void YIELDS prepare(const struct seed *s, const struct rpc_request *r)
{
        const char *uuid = object_instance_uuid(r->args);

        rpc_fixture_start(NULL);
        if (!uuid)
                return;
        if (s->vm_state == VM_BUILDING) {
                fake_store_add(uuid, VM_BUILDING, s->task);
                fake_store_add_action(uuid, jval_get_text(r->context, "request_id", ""));
        } else {
                row_for(r, s->vm_state, s->task, s->guest);
        }
}

/* False: there are no more members. */
static bool YIELDS try_one(const struct seed *s, const struct rpc_request *whole, unsigned member,
                           enum damage how, unsigned *ret_refused)
{
        struct walk w = { .left = member, .damage = how };
        struct rpc_request r = copy_of(whole);
        const char *uuid = object_instance_uuid(whole->args);
        bool in_context = false;
        struct error err = {};
        char what[700];
        int failed;

        if (!find_in(r.args, &w)) {
                in_context = true;
                if (!find_in(r.context, &w)) {
                        rpc_request_free(&r);
                        return false;
                }
        }
        snprintf(what, sizeof(what), "%s: %s%s %s", s->method, in_context ? "context" : "args", w.path,
                 damage_names[how]);
        damage(&w);
        prepare(s, whole);
        failed = dispatch(&r, NULL, &err);
        compute_fixture_settle(&f);
        ck_assert_msg(failed == 0 || is_clear(&err), "%s: error %d \"%s\"", what, err.code, err.text);
        if (failed)
                ++*ret_refused;
        /* Without its own uuid the request is about nothing, or about another instance. */
        if (uuid && object_instance_uuid(r.args) && strcmp(object_instance_uuid(r.args), uuid) == 0)
                check_rows(s, uuid, what);
        rpc_request_free(&r);
        compute_fixture_stop(&f);
        return true;
}

static void YIELDS try_all(const struct seed *s, unsigned least_refused)
{
        struct rpc_request whole = captured(s->method);
        unsigned refused = 0, member = 0;

        for (;; member++) {
                enum damage how;

                for (how = GONE; how < N_DAMAGES; how++)
                        if (!try_one(s, &whole, member, how, &refused))
                                break;
                if (how < N_DAMAGES)
                        break;
        }
        ck_assert_uint_gt(member, 20);
        ck_assert_msg(refused >= least_refused, "%s: only %u damaged requests were refused", s->method,
                      refused);
        rpc_request_free(&whole);
}

#define MUTATIONS(name, least, ...)                          \
        GREEN_TEST(name)                                     \
        {                                                    \
                static const struct seed seed = __VA_ARGS__; \
                                                             \
                try_all(&seed, least);                       \
        }

MUTATIONS(damaged_builds, 20, { "build_and_run_instance", VM_BUILDING, TASK_SCHEDULING, POWER_NOSTATE })
MUTATIONS(damaged_stops, 10, { "stop_instance", VM_ACTIVE, TASK_POWERING_OFF, POWER_RUNNING })
MUTATIONS(damaged_starts, 10, { "start_instance", VM_STOPPED, TASK_POWERING_ON, POWER_SHUTDOWN })
MUTATIONS(damaged_reboots, 10, { "reboot_instance", VM_ACTIVE, TASK_REBOOTING, POWER_RUNNING })
MUTATIONS(damaged_pauses, 10, { "pause_instance", VM_ACTIVE, TASK_PAUSING, POWER_RUNNING })
MUTATIONS(damaged_unpauses, 10, { "unpause_instance", VM_PAUSED, TASK_UNPAUSING, POWER_PAUSED })
MUTATIONS(damaged_suspends, 10, { "suspend_instance", VM_ACTIVE, TASK_SUSPENDING, POWER_RUNNING })
MUTATIONS(damaged_resumes, 10, { "resume_instance", VM_SUSPENDED, TASK_RESUMING, POWER_SHUTDOWN })
MUTATIONS(damaged_deletes, 10, { "terminate_instance", VM_ACTIVE, TASK_DELETING, POWER_RUNNING })
MUTATIONS(damaged_console_requests, 10, { "get_console_output", VM_ACTIVE, TASK_NONE, POWER_RUNNING })
MUTATIONS(damaged_vnc_requests, 10, { "get_vnc_console", VM_ACTIVE, TASK_NONE, POWER_RUNNING })
MUTATIONS(damaged_toggles, 2, { "set_host_enabled", VM_ACTIVE, TASK_NONE, POWER_RUNNING })

MUTATIONS(damaged_diagnostics_requests, 10,
          { "get_instance_diagnostics", VM_ACTIVE, TASK_NONE, POWER_RUNNING })
MUTATIONS(damaged_crash_dumps, 10, { "trigger_crash_dump", VM_ACTIVE, TASK_NONE, POWER_RUNNING })
MUTATIONS(damaged_external_events, 5, { "external_instance_event", VM_ACTIVE, TASK_NONE, POWER_RUNNING })

GREEN_SUITE("rpc-mutations", damaged_builds, damaged_stops, damaged_starts, damaged_reboots, damaged_pauses,
            damaged_unpauses, damaged_suspends, damaged_resumes, damaged_deletes, damaged_console_requests,
            damaged_vnc_requests, damaged_toggles, damaged_diagnostics_requests, damaged_crash_dumps,
            damaged_external_events)
