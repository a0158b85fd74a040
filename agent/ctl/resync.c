/*
 * agent/ctl/resync.c: resync: have the agent look at everything now.
 *
 * It does so by itself; here is only waited for that, and shown how far it is. Who does not want to wait any
 * longer takes nothing back by that.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/uuid.h"
#include "ctl/answer.h"
#include "ctl/bar.h"

#define POLL_S 0.2

static bool is_over(const struct jval *step)
{
        const char *state = jval_get_text(step, "state", "");

        return strcmp(state, "done") == 0 || strcmp(state, "failed") == 0;
}

static void show_steps(struct bar *b, const struct jval *answer)
{
        const struct jval *steps = jval_get(answer, "steps"), *now;
        struct strbuf CLEANUP(strbuf_free) text = {};
        size_t over = 0, n = jval_len(steps);
        const char *more;

        while (over < n && is_over(jval_at(steps, over)))
                over++;
        if (over == n)
                return;
        now = jval_at(steps, over);
        more = jval_get_text(now, "text", "");
        strbuf_addf(&text, "%s%s%s", jval_get_text(now, "task", "?"), *more ? ": " : "", more);
        bar_show(b, "resync", (unsigned)over, (unsigned)n, text.data);
}

/* *answer is that of the last question, of this very resync. */
static enum ctl_exit YIELDS wait_until_over(struct ctl *c, struct jval **answer)
{
        int64_t id = jval_get_int(*answer, "id", 0);
        enum ctl_exit status = CTL_OK;
        struct error err;
        struct bar bar;

        bar_begin(&bar);
        while (status == CTL_OK && jval_get_bool(*answer, "running", false)) {
                show_steps(&bar, *answer);
                if (deadline_passed(c->by) || green_sleep(POLL_S, &err) < 0) {
                        bar_end(&bar);
                        return ctl_complain(CTL_TIMEOUT, "resync: not over in time; it goes on, and the log "
                                                         "tells what comes of it");
                }
                jval_unref(take_ptr(answer));
                status = ctl_ask_admin(c, "resync-state", NULL, answer);
                if (status == CTL_OK && jval_get_int(*answer, "id", 0) != id) {
                        bar_end(&bar);
                        return ctl_complain(CTL_FAILED,
                                            "resync: it is over, and somebody else began another; "
                                            "the log tells what came of it");
                }
        }
        bar_end(&bar);
        return status;
}

static void print_steps(const struct jval *steps)
{
        static const char *const headers[] = { "TASK", "!RESULT", "#TOOK", "FOUND", NULL };
        struct table t;

        table_begin(&t, headers);
        for (size_t i = 0; i < jval_len(steps); i++) {
                const struct jval *s = jval_at(steps, i);

                text_cell(&t, s, "task");
                text_cell(&t, s, "state");
                duration_cell(&t, s, "seconds");
                text_cell(&t, s, "text");
        }
        table_print(&t, "nothing was looked at");
}

/* A uuid is taken as it is: the agent knows whether it is here, and the database may be what is in doubt. */
static enum ctl_exit YIELDS instance_argument(struct ctl *c, const char *word, struct jval *args)
{
        struct instance *i = NULL;
        enum ctl_exit status;

        if (uuid_is(word)) {
                jval_set_text(args, "uuid", word);
                return CTL_OK;
        }
        status = ctl_find_instance(c, word, &i);
        if (status == CTL_OK)
                jval_set_text(args, "uuid", i->uuid);
        instance_free(i);
        return status;
}

enum ctl_exit ctl_resync(struct ctl *c)
{
        bool no_wait = false;
        const struct ctl_option options[] = {
                { "no-wait", CTL_FLAG, &no_wait, NULL, "do not wait for its end; the log tells of it", 0, 0 },
                {},
        };
        struct jval CLEANUP(jval_unrefp) *answer = NULL, *args = NULL;
        const char *words[1] = {};
        enum ctl_exit status;

        if (!ctl_arguments(c, options, words, 0, 1, &status))
                return status;
        if (!no_wait)
                ctl_may_take_long(c);
        args = jval_new_object();
        if (words[0] && (status = instance_argument(c, words[0], args)) != CTL_OK)
                return status;
        status = ctl_ask_admin(c, "resync", jval_ref(args), &answer);
        if (status == CTL_OK && !no_wait)
                status = wait_until_over(c, &answer);
        if (status != CTL_OK)
                return status;
        if (c->json)
                print_json(answer);
        else if (no_wait)
                printf("the agent looks at %s now\n", words[0] ? words[0] : "everything");
        else
                print_steps(jval_get(answer, "steps"));
        return jval_get_bool(answer, "ok", false) ? CTL_OK : CTL_FAILED;
}
