/* agent/ctl/threads.c: threads, pools, locks: the runtime as it is now. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "ctl/answer.h"

/* ---- threads ---- */

static void cpu_cell(struct table *t, const struct jval *thread)
{
        const struct jval *v = jval_get(thread, "cpu");

        if (v)
                table_cellf(t, "%.1f ms", number_of(thread, "cpu") * 1000);
        else
                table_cell(t, NULL);
}

static void kib_cell(struct table *t, const struct jval *object, const char *key)
{
        int64_t bytes = jval_get_int(object, key, 0);

        if (bytes)
                table_cellf(t, "%lld KiB", (long long)bytes / 1024);
        else
                table_cell(t, NULL);
}

static void print_green(const struct jval *list)
{
        static const char *const headers[] = { "#ID",        "~NAME", "~STATE",    "#IN STATE",
                                               "#AGE",       "#CPU",  "#SWITCHES", "#STACK",
                                               "SPAWNED AT", "",      NULL };
        struct table t;

        table_begin(&t, headers);
        for (size_t i = 0; i < jval_len(list); i++) {
                const struct jval *g = jval_at(list, i);

                int_cell(&t, g, "id");
                text_cell(&t, g, "name");
                text_cell(&t, g, "state");
                duration_cell(&t, g, "in_state");
                duration_cell(&t, g, "age");
                cpu_cell(&t, g);
                int_cell(&t, g, "switches");
                kib_cell(&t, g, "stack");
                text_cell(&t, g, "spawned_at");
                table_cell(&t, jval_get_bool(g, "cancelled", false) ? "cancelled" : " ");
        }
        table_print(&t, "none");
}

static void print_native(const struct jval *list)
{
        static const char *const headers[] = { "#TID", "NAME", "STATE", "#CPU", NULL };
        struct table t;

        table_begin(&t, headers);
        for (size_t i = 0; i < jval_len(list); i++) {
                const struct jval *n = jval_at(list, i);

                int_cell(&t, n, "tid");
                text_cell(&t, n, "name");
                text_cell(&t, n, "state");
                cpu_cell(&t, n);
        }
        table_print(&t, "none");
}

static void print_stacks(const struct jval *stacks)
{
        static const char *const headers[] = { "NAME", "#THREADS", "#DEEPEST", NULL };
        const struct jval *uses = jval_get(stacks, "uses");
        struct table t;
        char text[128];

        snprintf(text, sizeof(text), "stacks of %lld KiB; %lld guarded by %s, %lld refused",
                 (long long)jval_get_int(stacks, "size", 0) / 1024,
                 (long long)jval_get_int(stacks, "guards", 0), jval_get_text(stacks, "guard", "?"),
                 (long long)jval_get_int(stacks, "guards_refused", 0));
        puts("");
        print_heading(text);
        table_begin(&t, headers);
        for (size_t i = 0; i < jval_len(uses); i++) {
                text_cell(&t, jval_at(uses, i), "name");
                int_cell(&t, jval_at(uses, i), "threads");
                kib_cell(&t, jval_at(uses, i), "most");
        }
        table_print(&t, "none was looked at");
}

static void print_backtraces(const struct jval *green)
{
        for (size_t i = 0; i < jval_len(green); i++) {
                const struct jval *g = jval_at(green, i), *frames = jval_get(g, "backtrace");
                char CLEANUP(freep) *head =
                        xasprintf("#%lld %s: %s", (long long)jval_get_int(g, "id", 0),
                                  jval_get_text(g, "name", "?"), jval_get_text(g, "state", "?"));

                puts("");
                print_heading(head);
                for (size_t f = 0; f < jval_len(frames); f++)
                        printf("  %s\n", jval_text(jval_at(frames, f), "?"));
                if (jval_len(frames) == 0)
                        puts("  (it has not run yet)");
        }
}

/* Only the one with this id. False: there is none. */
static bool keep_one(struct jval *answer, int64_t id)
{
        const struct jval *green = jval_get(answer, "green");
        struct jval *kept = jval_new_array();

        for (size_t i = 0; i < jval_len(green); i++) {
                if (jval_get_int(jval_at(green, i), "id", -1) == id)
                        jval_push(kept, jval_ref(jval_at(green, i)));
        }
        jval_set(answer, "green", kept);
        return jval_len(kept) > 0;
}

static bool read_id(const char *word, int64_t *ret)
{
        char *end;

        errno = 0;
        word += *word == '#';
        *ret = strtoll(word, &end, 10);
        return end != word && !*end && errno == 0 && *ret >= 0;
}

static void print_threads(const struct jval *answer, bool one, bool backtraces)
{
        char text[64];

        if (!one) {
                snprintf(text, sizeof(text), "%zu green threads", jval_len(jval_get(answer, "green")));
                print_heading(text);
        }
        print_green(jval_get(answer, "green"));
        if (backtraces)
                print_backtraces(jval_get(answer, "green"));
        if (one)
                return;
        puts("");
        snprintf(text, sizeof(text), "%zu native threads", jval_len(jval_get(answer, "native")));
        print_heading(text);
        print_native(jval_get(answer, "native"));
        print_stacks(jval_get(answer, "stacks"));
}

enum ctl_exit ctl_threads(struct ctl *c)
{
        bool backtrace = false;
        const struct ctl_option options[] = {
                { "backtrace", CTL_FLAG, &backtrace, NULL, "where each green thread is in its code", 0, 0 },
                {},
        };
        const char *words[1] = {};
        struct jval CLEANUP(jval_unrefp) *answer = NULL;
        struct jval *args;
        int64_t id = -1;
        enum ctl_exit status;

        if (!ctl_arguments(c, options, words, 0, 1, &status))
                return status;
        if (words[0] && !read_id(words[0], &id))
                return ctl_complain(CTL_USAGE, "threads: \"%s\" is no number of a green thread", words[0]);
        args = jval_new_object();
        if (backtrace) { /* an older agent knows no arguments */
                jval_set_bool(args, "backtrace", true);
                jval_set_int(args, "id", id);
        }
        status = ctl_ask_admin(c, "threads", args, &answer);
        if (status != CTL_OK)
                return status;
        if (id >= 0 && !keep_one(answer, id))
                return ctl_complain(CTL_FAILED, "there is no green thread #%lld (any more)", (long long)id);
        if (c->json)
                print_json(answer);
        else
                print_threads(answer, id >= 0, backtrace);
        return CTL_OK;
}

/* ---- pools ---- */

static void print_pools(const struct jval *list)
{
        static const char *const headers[] = { "POOL",  "#SIZE",    "#RUNNING", "#WAITING",
                                               "#MOST", "#STARTED", NULL };
        static const char *const keys[] = { "size", "running", "waiting", "most", "started" };
        struct table t;

        table_begin(&t, headers);
        for (size_t i = 0; i < jval_len(list); i++) {
                text_cell(&t, jval_at(list, i), "name");
                for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++)
                        int_cell(&t, jval_at(list, i), keys[k]);
        }
        table_print(&t, "no green pools");
}

static void print_tpools(const struct jval *list)
{
        static const char *const headers[] = { "WORKERS OF", "#WORKERS", "#BUSY",     "#HUNG",
                                               "#QUEUED",    "#DONE",    "#TIMEOUTS", NULL };
        static const char *const keys[] = { "workers", "busy", "hung", "queued", "done", "timeouts" };
        struct table t;

        puts("");
        table_begin(&t, headers);
        for (size_t i = 0; i < jval_len(list); i++) {
                text_cell(&t, jval_at(list, i), "name");
                for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++)
                        int_cell(&t, jval_at(list, i), keys[k]);
        }
        table_print(&t, "no pools of native workers");
        table_begin(&t, call_headers);
        for (size_t i = 0; i < jval_len(list); i++)
                call_rows(&t, jval_get(jval_at(list, i), "doing"));
        if (t.n_cells)
                puts("");
        if (t.n_cells)
                table_print(&t, "");
}

static void print_queues(const struct jval *list)
{
        static const char *const headers[] = { "QUEUE", "#PUSHED", "#OVERFLOWS", NULL };
        struct table t;

        puts("");
        table_begin(&t, headers);
        for (size_t i = 0; i < jval_len(list); i++) {
                text_cell(&t, jval_at(list, i), "name");
                int_cell(&t, jval_at(list, i), "pushed");
                int_cell(&t, jval_at(list, i), "overflows");
        }
        table_print(&t, "no queues");
}

/* ---- locks ---- */

static void add_holder(struct table *t, const struct jval *lock)
{
        const char *owner = jval_get_text(lock, "owner", "");

        table_cell(t, jval_get_text(lock, "name", NULL));
        if (*owner) {
                table_cellf(t, "#%lld %s", (long long)jval_get_int(lock, "owner_id", 0), owner);
                table_cell(t, "holds it");
        } else {
                table_cell(t, jval_get_int(lock, "owner_id", 0) ? "another process" : "nobody");
                table_cell(t, jval_get_int(lock, "owner_id", 0) ? "holds it" : " ");
        }
        duration_cell(t, lock, "held");
}

static void print_locks(const struct jval *list, const char *when_empty)
{
        static const char *const headers[] = { "~LOCK", "~WHO", "", "#FOR", NULL };
        struct table t;

        table_begin(&t, headers);
        for (size_t i = 0; i < jval_len(list); i++) {
                const struct jval *lock = jval_at(list, i), *waiting = jval_get(lock, "waiting");

                add_holder(&t, lock);
                for (size_t w = 0; w < jval_len(waiting); w++) {
                        const struct jval *one = jval_at(waiting, w);

                        table_cell(&t, " ");
                        table_cellf(&t, "#%lld %s", (long long)jval_get_int(one, "id", 0),
                                    jval_get_text(one, "name", "?"));
                        table_cell(&t, "waits");
                        duration_cell(&t, one, "since");
                }
        }
        table_print(&t, when_empty);
}

enum ctl_exit ctl_locks(struct ctl *c)
{
        struct jval CLEANUP(jval_unrefp) *answer = NULL;
        enum ctl_exit status = ctl_ask_plainly(c, "locks", &answer);

        if (ctl_for_people(c, status, answer))
                print_locks(jval_get(answer, "locks"), "no lock is held");
        return status;
}

enum ctl_exit ctl_pools(struct ctl *c)
{
        struct jval CLEANUP(jval_unrefp) *answer = NULL;
        enum ctl_exit status = ctl_ask_plainly(c, "pools", &answer);

        if (!ctl_for_people(c, status, answer))
                return status;
        print_pools(jval_get(answer, "pools"));
        print_tpools(jval_get(answer, "tpools"));
        print_queues(jval_get(answer, "queues"));
        if (jval_len(jval_get(answer, "locks"))) {
                puts("");
                print_locks(jval_get(answer, "locks"), "");
        }
        return CTL_OK;
}
