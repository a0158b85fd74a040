/* tests/support/fake_store.c: rows in memory; see the header. */
#include "fake_store.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/strbuf.h"

#define ROWS_MAX  64
#define PLANS_MAX 16

struct fake_row {
        struct instance *i; /* NULL: free */
        struct block_device root, more[3];
        unsigned n_more;
        char *actions[8]; /* request ids, oldest first */
        unsigned n_actions;
        char *events[32];
        unsigned n_events;
        unsigned n_console_tokens;
        char *network_info; /* NULL: no such row */
};

struct plan {
        const char *function; /* NULL: free */
        unsigned left;
        int code;
        const char *text;
        void (*fn)(void *arg);
        void *arg;
};

static struct fake_row rows[ROWS_MAX];
static struct plan plans[PLANS_MAX];
static struct strbuf journal;
static char *handed_out;
/* ---- copies ---- */

static struct instance_meta *copy_meta(const struct instance_meta *from, unsigned n)
{
        struct instance_meta *to = xcalloc(n + 1, sizeof(*to));

        for (unsigned k = 0; k < n; k++)
                to[k] = (struct instance_meta){ xstrdup(from[k].key), xstrdup(from[k].value) };
        return to;
}

static struct instance *copy_instance(const struct instance *from)
{
        struct instance *to = instance_new();

        *to = *from;
        to->user_id = xstrdup(from->user_id);
        to->project_id = xstrdup(from->project_id);
        to->image_ref = xstrdup(from->image_ref);
        to->hostname = xstrdup(from->hostname);
        to->display_name = xstrdup(from->display_name);
        to->key_name = xstrdup(from->key_name);
        to->key_data = xstrdup(from->key_data);
        to->user_data = xstrdup(from->user_data);
        to->host = xstrdup(from->host);
        to->node = xstrdup(from->node);
        to->launched_on = xstrdup(from->launched_on);
        to->availability_zone = xstrdup(from->availability_zone);
        to->root_device_name = xstrdup(from->root_device_name);
        to->config_drive = xstrdup(from->config_drive);
        to->os_type = xstrdup(from->os_type);
        to->reservation_id = xstrdup(from->reservation_id);
        to->kernel_id = xstrdup(from->kernel_id);
        to->vm_mode = xstrdup(from->vm_mode);
        to->default_ephemeral_device = xstrdup(from->default_ephemeral_device);
        to->default_swap_device = xstrdup(from->default_swap_device);
        to->flavor = (struct flavor){};
        flavor_copy(&to->flavor, &from->flavor);
        to->system_metadata = copy_meta(from->system_metadata, from->n_system_metadata);
        to->metadata = copy_meta(from->metadata, from->n_metadata);
        return to;
}

/* ---- rows ---- */

static struct fake_row *find(const char *uuid)
{
        for (unsigned r = 0; r < ROWS_MAX; r++)
                if (rows[r].i && strcmp(rows[r].i->uuid, uuid) == 0)
                        return &rows[r];
        return NULL;
}

static void free_disk(struct block_device *d)
{
        free(d->source_type);
        free(d->destination_type);
        free(d->guest_format);
        free(d->device_type);
        free(d->disk_bus);
        free(d->device_name);
        free(d->image_id);
}

static void clear_row(struct fake_row *r)
{
        instance_free(r->i);
        for (unsigned k = 0; k < r->n_actions; k++)
                free(r->actions[k]);
        for (unsigned k = 0; k < r->n_events; k++)
                free(r->events[k]);
        free_disk(&r->root);
        for (unsigned k = 0; k < r->n_more; k++)
                free_disk(&r->more[k]);
        free(r->network_info);
        *r = (struct fake_row){};
}

void fake_store_reset(void)
{
        for (unsigned r = 0; r < ROWS_MAX; r++)
                clear_row(&rows[r]);
        memset(plans, 0, sizeof(plans));
        strbuf_free(&journal);
        journal = (struct strbuf){};
        free(take_ptr(&handed_out));
        fake_store_reset_host();
}

struct instance *fake_store_add(const char *uuid, enum vm_state vm_state, enum task_state task_state)
{
        unsigned r = 0;
        struct instance *i;

        while (rows[r].i)
                r++;
        rows[r].i = i = instance_new();
        snprintf(i->uuid, sizeof(i->uuid), "%s", uuid);
        i->id = r + 1;
        i->user_id = xstrdup("user-1");
        i->project_id = xstrdup("project-1");
        i->image_ref = xstrdup("image-1");
        i->display_name = xstrdup("guest");
        i->hostname = xstrdup("guest");
        i->host = xstrdup(vm_state == VM_BUILDING ? NULL : "host-1");
        i->node = xstrdup(vm_state == VM_BUILDING ? NULL : "fake-host");
        i->config_drive = xstrdup("");
        i->vm_state = vm_state;
        i->task_state = task_state;
        i->power_state = vm_state == VM_ACTIVE ? POWER_RUNNING : POWER_NOSTATE;
        i->created_at = clock_wall_s();
        i->flavor = (struct flavor){ xstrdup("tiny"), xstrdup("1"), 1, 64, 1, 1, 0, 0, NULL, 0 };
        rows[r].network_info = xstrdup("[]");
        rows[r].root.id = r + 100;
        rows[r].root.source_type = xstrdup("image");
        rows[r].root.destination_type = xstrdup("local");
        return i;
}

struct instance *fake_store_any_row(const char *uuid)
{
        struct fake_row *r = find(uuid);

        return r ? r->i : NULL;
}

struct instance *fake_store_row(const char *uuid)
{
        struct instance *i = fake_store_any_row(uuid);

        return i && !i->deleted ? i : NULL;
}

void fake_store_drop(const char *uuid)
{
        struct fake_row *r = find(uuid);

        if (r)
                clear_row(r);
}

void fake_store_add_action(const char *uuid, const char *request_id)
{
        struct fake_row *r = find(uuid);

        r->actions[r->n_actions++] = xstrdup(request_id);
}

struct block_device *fake_store_root_disk(const char *uuid)
{
        return &find(uuid)->root;
}

unsigned fake_store_console_tokens(const char *uuid)
{
        struct fake_row *r = find(uuid);

        return r ? r->n_console_tokens : 0;
}

const char *fake_store_journal(void)
{
        free(handed_out);
        handed_out = strbuf_take(&journal, NULL);
        return handed_out;
}

/* ---- plans ---- */

static struct plan *free_plan(void)
{
        for (unsigned p = 0; p < PLANS_MAX; p++)
                if (!plans[p].function)
                        return &plans[p];
        abort();
}

void fake_store_fail(const char *function, unsigned nth, int code, const char *text)
{
        *free_plan() = (struct plan){ .function = function, .left = nth, .code = code, .text = text };
}

void fake_store_before(const char *function, unsigned nth, void (*fn)(void *arg), void *arg)
{
        *free_plan() = (struct plan){ .function = function, .left = nth, .fn = fn, .arg = arg };
}

/* Each function begins with this: others run, plans come true. */
static int YIELDS begin(const char *function, struct deadline by, struct error *err)
{
        int failed = 0;

        green_yield();
        if (green_cancelled())
                return error_set(err, ERR_CANCELLED, "%s was cancelled", function);
        for (unsigned p = 0; p < PLANS_MAX; p++) {
                struct plan now = plans[p];

                if (!now.function || strcmp(now.function, function) != 0)
                        continue;
                if (--plans[p].left > 0)
                        continue;
                plans[p].function = NULL;
                if (now.fn)
                        now.fn(now.arg);
                else
                        failed = error_set(err, now.code, "%s", now.text);
        }
        if (failed == 0 && deadline_passed(by))
                return error_set(err, ERR_TIMEOUT, "%s: the deadline has passed", function);
        return failed;
}

static int not_found(const char *uuid, struct error *err)
{
        return error_set(err, NOVA_INSTANCE_NOT_FOUND, "Instance %s could not be found.", uuid);
}

static const char *or_null(const char *s)
{
        return s ? s : "NULL";
}

int fake_store_enter(const char *function, struct deadline by, struct error *err)
{
        return begin(function, by, err);
}

void fake_store_note(const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        strbuf_vaddf(&journal, fmt, ap);
        va_end(ap);
}

const struct instance *fake_store_nth(unsigned n)
{
        for (unsigned r = 0; r < ROWS_MAX; r++)
                if (rows[r].i && n-- == 0)
                        return rows[r].i;
        return NULL;
}

/* ---- instances ---- */

int store_instance_get(struct store *s, const char *uuid, unsigned flags, struct instance **ret,
                       struct deadline by, struct error *err)
{
        struct instance *i;

        if (begin(__func__, by, err) < 0)
                return -1;
        i = flags & WITH_DELETED ? fake_store_any_row(uuid) : fake_store_row(uuid);
        if (!i)
                return not_found(uuid, err);
        *ret = copy_instance(i);
        return 0;
}

static int check_expected(const struct instance *row, struct task_expect expect, struct error *err)
{
        if (task_expected(&expect, row->task_state))
                return 0;
        return error_set(err,
                         row->task_state == TASK_DELETING ? NOVA_UNEXPECTED_DELETING_TASK_STATE
                                                          : NOVA_UNEXPECTED_TASK_STATE,
                         "expected task_state %s, actual %s", or_null(task_state_name(expect.any[0])),
                         or_null(task_state_name(row->task_state)));
}

#define SAVE_TEXT(flag, field)                                                \
        if (columns & flag) {                                                 \
                replace_str(&row->field, i->field);                           \
                strbuf_addf(&journal, " " #field "=%s", or_null(row->field)); \
        }
#define SAVE_INT(flag, field)                                                     \
        if (columns & flag) {                                                     \
                row->field = i->field;                                            \
                strbuf_addf(&journal, " " #field "=%lld", (long long)row->field); \
        }
#define SAVE_TIME(flag, field)                                                        \
        if (columns & flag) {                                                         \
                row->field = i->field;                                                \
                strbuf_addf(&journal, " " #field "=%s", row->field ? "now" : "NULL"); \
        }

static void save_meta(struct instance *row, const struct instance *i)
{
        for (unsigned k = 0; k < i->n_system_metadata; k++) {
                const struct instance_meta *m = &i->system_metadata[k];
                const char *was = instance_system_meta(row, m->key);

                if (was && strcmp(was, m->value) == 0)
                        continue;
                strbuf_addf(&journal, " +%s=%s", m->key, m->value);
        }
        for (unsigned k = 0; k < row->n_system_metadata; k++)
                if (!instance_system_meta(i, row->system_metadata[k].key))
                        strbuf_addf(&journal, " -%s", row->system_metadata[k].key);
        for (unsigned k = 0; k < row->n_system_metadata; k++) {
                free(row->system_metadata[k].key);
                free(row->system_metadata[k].value);
        }
        free(row->system_metadata);
        row->system_metadata = copy_meta(i->system_metadata, i->n_system_metadata);
        row->n_system_metadata = i->n_system_metadata;
}

static void note_expected(struct task_expect expect)
{
        for (unsigned k = 0; k < expect.n; k++)
                strbuf_addf(&journal, "%s%s", k ? "|" : " if ", or_null(task_state_name(expect.any[k])));
        strbuf_adds(&journal, "\n");
}

int store_instance_save(struct store *s, const struct instance *i, unsigned columns,
                        struct task_expect expect, struct deadline by, struct error *err)
{
        struct instance *row;

        if (begin(__func__, by, err) < 0)
                return -1;
        row = fake_store_row(i->uuid);
        if (!row)
                return not_found(i->uuid, err);
        if (check_expected(row, expect, err) < 0)
                return -1;
        strbuf_adds(&journal, "instance");
        SAVE_TEXT(COL_HOST, host)
        SAVE_TEXT(COL_NODE, node)
        SAVE_TEXT(COL_LAUNCHED_ON, launched_on)
        SAVE_TEXT(COL_AVAILABILITY_ZONE, availability_zone)
        SAVE_INT(COL_POWER_STATE, power_state)
        if (columns & COL_VM_STATE) {
                row->vm_state = i->vm_state;
                strbuf_addf(&journal, " vm_state=%s", vm_state_name(row->vm_state));
        }
        if (columns & COL_TASK_STATE) {
                row->task_state = i->task_state;
                strbuf_addf(&journal, " task_state=%s", or_null(task_state_name(row->task_state)));
        }
        SAVE_TEXT(COL_ROOT_DEVICE_NAME, root_device_name)
        SAVE_TEXT(COL_EPHEMERAL_DEVICE, default_ephemeral_device)
        SAVE_TEXT(COL_SWAP_DEVICE, default_swap_device)
        SAVE_TEXT(COL_CONFIG_DRIVE, config_drive)
        SAVE_TIME(COL_LAUNCHED_AT, launched_at)
        SAVE_TIME(COL_TERMINATED_AT, terminated_at)
        SAVE_INT(COL_PROGRESS, progress)
        SAVE_INT(COL_CLEANED, cleaned)
        SAVE_TIME(COL_DELETED_AT, deleted_at)
        if (columns & COL_SYSTEM_METADATA)
                save_meta(row, i);
        note_expected(expect);
        return 0;
}

void instance_list_free(struct instance_list *l)
{
        for (unsigned k = 0; k < l->n; k++)
                instance_free(l->items[k]);
        free(l->items);
        *l = (struct instance_list){};
}

static void add_to_list(struct instance_list *l, const struct instance *i)
{
        l->items = xrealloc(l->items, (l->n + 1) * sizeof(struct instance *));
        l->items[l->n++] = copy_instance(i);
}

static bool is_of_host(const struct instance *i, const struct store *s)
{
        return i && !i->deleted && i->host && strcmp(i->host, s->host) == 0;
}

/* Pages of two: most tests have more than one. The cursor counts rows of ours, not ids. */
int store_instances_page(struct store *s, struct instance_cursor *at, struct instance_list *page,
                         struct deadline by, struct error *err)
{
        instance_list_free(page);
        if (begin(__func__, by, err) < 0)
                return -1;
        while (at->after < ROWS_MAX && page->n < 2) {
                const struct instance *i = rows[at->after++].i;

                if (is_of_host(i, s))
                        add_to_list(page, i);
        }
        return page->n > 0;
}

int store_instances_count(struct store *s, int64_t *ret, struct deadline by, struct error *err)
{
        if (begin(__func__, by, err) < 0)
                return -1;
        *ret = 0;
        for (unsigned r = 0; r < ROWS_MAX; r++)
                *ret += is_of_host(rows[r].i, s);
        return 0;
}

int store_instances_deleted_among(struct store *s, const char *const *uuids, unsigned n,
                                  struct instance_list *ret, struct deadline by, struct error *err)
{
        struct instance_list l = {};

        if (begin(__func__, by, err) < 0)
                return -1;
        for (unsigned k = 0; k < n; k++) {
                struct instance *i = fake_store_any_row(uuids[k]);

                if (i && i->deleted)
                        add_to_list(&l, i);
        }
        *ret = l;
        return 0;
}

int store_instances_building_among(struct store *s, const char *const *uuids, unsigned n,
                                   struct instance_list *ret, struct deadline by, struct error *err)
{
        struct instance_list l = {};

        if (begin(__func__, by, err) < 0)
                return -1;
        for (unsigned k = 0; k < n; k++) {
                struct instance *i = fake_store_row(uuids[k]);

                if (i && i->vm_state == VM_BUILDING)
                        add_to_list(&l, i);
        }
        *ret = l;
        return 0;
}

int store_instances_without_host(struct store *s, struct instance_list *ret, struct deadline by,
                                 struct error *err)
{
        struct instance_list l = {};

        if (begin(__func__, by, err) < 0)
                return -1;
        for (unsigned r = 0; r < ROWS_MAX; r++) {
                if (rows[r].i && !rows[r].i->deleted && !rows[r].i->host)
                        add_to_list(&l, rows[r].i);
        }
        *ret = l;
        return 0;
}

int store_instance_soft_delete(struct store *s, const struct instance *i, struct deadline by,
                               struct error *err)
{
        struct instance *row;

        if (begin(__func__, by, err) < 0)
                return -1;
        row = fake_store_row(i->uuid);
        if (!row)
                return not_found(i->uuid, err);
        row->deleted = true;
        row->deleted_at = clock_wall_s();
        strbuf_adds(&journal, "soft delete\n");
        return 0;
}

struct block_device *fake_store_add_disk(const char *uuid, const char *source, const char *destination,
                                         const char *format, int64_t size)
{
        struct fake_row *r = find(uuid);
        struct block_device *d = &r->more[r->n_more++];

        *d = (struct block_device){ .id = r->root.id + 100 * r->n_more,
                                    .boot_index = -1,
                                    .volume_size = size,
                                    .source_type = xstrdup(source),
                                    .destination_type = xstrdup(destination),
                                    .guest_format = xstrdup(format) };
        return d;
}

static void copy_disk(struct block_device *to, const struct block_device *from)
{
        *to = *from;
        to->source_type = xstrdup(from->source_type);
        to->destination_type = xstrdup(from->destination_type);
        to->guest_format = xstrdup(from->guest_format);
        to->device_type = xstrdup(from->device_type);
        to->disk_bus = xstrdup(from->disk_bus);
        to->device_name = xstrdup(from->device_name);
        to->image_id = xstrdup(from->image_id);
}

int store_block_devices(struct store *s, const char *uuid, struct block_devices *ret, struct deadline by,
                        struct error *err)
{
        struct fake_row *r;

        if (begin(__func__, by, err) < 0)
                return -1;
        r = find(uuid);
        if (!r)
                return not_found(uuid, err);
        ret->n = 1 + r->n_more;
        ret->items = xcalloc(ret->n, sizeof(*ret->items));
        copy_disk(&ret->items[0], &r->root);
        for (unsigned k = 0; k < r->n_more; k++)
                copy_disk(&ret->items[1 + k], &r->more[k]);
        return 0;
}

void fake_store_set_network_info(const char *uuid, const char *json)
{
        replace_str(&find(uuid)->network_info, json);
}

int store_network_info(struct store *s, const char *uuid, char **ret, unsigned *ret_interfaces,
                       struct deadline by, struct error *err)
{
        struct fake_row *r;

        if (begin(__func__, by, err) < 0)
                return -1;
        r = find(uuid);
        *ret = r ? xstrdup(r->network_info) : NULL;
        *ret_interfaces = r && !r->network_info; /* what a missing cache is told apart by */
        return 0;
}

static struct block_device *find_disk(int64_t id)
{
        for (unsigned r = 0; r < ROWS_MAX; r++) {
                if (rows[r].i && rows[r].root.id == id)
                        return &rows[r].root;
                for (unsigned k = 0; k < rows[r].n_more; k++)
                        if (rows[r].more[k].id == id)
                                return &rows[r].more[k];
        }
        return NULL;
}

int store_block_device_save(struct store *s, const struct block_device *b, struct deadline by,
                            struct error *err)
{
        struct block_device *d;

        if (begin(__func__, by, err) < 0)
                return -1;
        d = find_disk(b->id);
        if (!d)
                return error_set(err, ERR_NOT_FOUND, "no block device %" PRId64, b->id);
        replace_str(&d->device_name, b->device_name);
        replace_str(&d->disk_bus, b->disk_bus);
        replace_str(&d->device_type, b->device_type);
        strbuf_addf(&journal, "disk %s %s %s\n", b->device_name, b->disk_bus,
                    b->device_type ? b->device_type : "NULL");
        return 0;
}

int store_instance_extra_save(struct store *s, const char *uuid, const char *vcpu_model, struct deadline by,
                              struct error *err)
{
        if (begin(__func__, by, err) < 0)
                return -1;
        strbuf_addf(&journal, "extra vcpu_model%s\n", vcpu_model ? "" : "=NULL");
        return 0;
}

/* ---- actions, events, faults ---- */

int store_action_start(struct store *s, const char *uuid, const char *action,
                       const struct request_context *ctx, struct deadline by, struct error *err)
{
        if (begin(__func__, by, err) < 0)
                return -1;
        if (!find(uuid))
                return not_found(uuid, err);
        fake_store_add_action(uuid, ctx->request_id);
        strbuf_addf(&journal, "action %s\n", action);
        return 0;
}

static bool has_action(const struct fake_row *r, const struct request_context *ctx)
{
        for (unsigned k = 0; r && k < r->n_actions; k++)
                if (!ctx->project_id || strcmp(r->actions[k], ctx->request_id) == 0)
                        return true;
        return false;
}

int store_event_start(struct store *s, const char *uuid, const char *event, const struct request_context *ctx,
                      struct deadline by, struct error *err)
{
        if (begin(__func__, by, err) < 0)
                return -1;
        if (!has_action(find(uuid), ctx))
                return error_set(err, NOVA_INSTANCE_ACTION_NOT_FOUND,
                                 "Action for request_id %s on instance %s not found", ctx->request_id, uuid);
        strbuf_addf(&journal, "event+ %s\n", event);
        return 0;
}

int store_event_finish(struct store *s, const char *uuid, const char *event,
                       const struct request_context *ctx, const char *failure, const char *traceback,
                       struct deadline by, struct error *err)
{
        if (begin(__func__, by, err) < 0)
                return -1;
        if (failure)
                strbuf_addf(&journal, "event- %s Error: %s\n", event, failure);
        else
                strbuf_addf(&journal, "event- %s Success\n", event);
        return 0;
}

int store_event_interrupted(struct store *s, const char *uuid, const char *event, const char *request_id,
                            bool done, struct deadline by, struct error *err)
{
        if (begin(__func__, by, err) < 0)
                return -1;
        strbuf_addf(&journal, "event? %s %s\n", event, done ? "Success" : "Error");
        return 0;
}

int store_fault_add(struct store *s, const char *uuid, int code, const char *message, const char *details,
                    struct deadline by, struct error *err)
{
        if (begin(__func__, by, err) < 0)
                return -1;
        strbuf_addf(&journal, "fault %d %s\n", code, message);
        return 0;
}

/* ---- console tokens ---- */

int store_console_token_add(struct store *s, const struct console_token *t, struct deadline by,
                            struct error *err)
{
        if (begin(__func__, by, err) < 0)
                return -1;
        if (!fake_store_row(t->instance_uuid))
                return not_found(t->instance_uuid, err);
        find(t->instance_uuid)->n_console_tokens++;
        strbuf_addf(&journal, "console token %s %s %" PRId64 " %s for %" PRId64 " s\n", t->console_type,
                    t->host, t->port, t->access_url_base, t->ttl_s);
        return 0;
}

int store_console_tokens_delete(struct store *s, const char *uuid, struct deadline by, struct error *err)
{
        struct fake_row *r;

        if (begin(__func__, by, err) < 0)
                return -1;
        r = find(uuid);
        if (!r || !r->n_console_tokens)
                return 0;
        strbuf_addf(&journal, "%u console tokens deleted\n", r->n_console_tokens);
        r->n_console_tokens = 0;
        return 0;
}

int store_console_tokens_clean_expired(struct store *s, uint64_t *ret_n, struct deadline by,
                                       struct error *err)
{
        if (begin(__func__, by, err) < 0)
                return -1;
        if (ret_n)
                *ret_n = 0;
        strbuf_adds(&journal, "clean expired console tokens\n");
        return 0;
}
