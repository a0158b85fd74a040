/* agent/ctl/log_level.c: log-level: shows and sets the levels of the agent's log. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "ctl/ctl.h"
#include "ctl/output.h"

static void print_level(const char *key, const struct jval *one)
{
        const struct jval *back = jval_get(one, "back_in_s");
        char in[32] = "";

        if (!jval_is_null(back))
                format_duration(jval_real(back, 0), in, sizeof(in));
        print_fieldf(key, "%s%s%s%s", jval_get_text(one, "level", "?"), *in ? " (for " : "", in,
                     *in ? ")" : "");
}

static void print_levels(const struct jval *answer)
{
        const struct jval *modules = jval_get(answer, "modules");
        const char *module = jval_get_text(answer, "module", NULL);

        print_level(module ? module : "log level", answer);
        for (size_t i = 0; !module && i < jval_len(modules); i++)
                print_level(jval_get_text(jval_at(modules, i), "module", "?"), jval_at(modules, i));
}

enum ctl_exit ctl_log_level(struct ctl *c)
{
        const char *module = NULL, *words[1] = {};
        double seconds = 0;
        const struct ctl_option options[] = {
                { "module", CTL_TEXT, &module, "M",
                  "only of this module, as compute.build; of compute: all below it", 0, 0 },
                { "for", CTL_SECONDS, &seconds, "TIME", "then it goes back by itself; 90, 10m, 2h", 0, 0 },
                {},
        };
        struct jval CLEANUP(jval_unrefp) *answer = NULL;
        struct jval *args;
        enum ctl_exit status;
        bool reset;

        if (!ctl_arguments(c, options, words, 0, 1, &status))
                return status;
        reset = words[0] && strcmp(words[0], "reset") == 0;
        if (seconds > 0 && (!words[0] || reset))
                return ctl_complain(CTL_USAGE, "log-level: --for goes with a level");
        args = jval_new_object();
        jval_set_text(args, "module", module);
        jval_set_bool(args, "reset", reset);
        if (!reset)
                jval_set_text(args, "level", words[0]);
        if (seconds > 0)
                jval_set_int(args, "seconds", seconds < 1 ? 1 : (int64_t)seconds);
        status = ctl_ask_admin(c, "log-level", args, &answer);
        if (status == CTL_OK && c->json)
                print_json(answer);
        else if (status == CTL_OK)
                print_levels(answer);
        return status;
}
