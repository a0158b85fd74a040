/*
 * agent/ctl/completion.c: what may come next on a command line.
 *
 * The scripts for the shells only ask the program: so what they offer is always what this program takes, and
 * the instances and images there are. What goes wrong is said on stderr, which they throw away, and the agent
 * is not waited for long.
 */
#include <stdio.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "ctl/ctl.h"
#include "ctl/output.h"
#include "images/image_source.h"

#define WORDS_MAX 256
#define ANSWER_S  3.0

static const char bash_script[] =
#include <completion-bash.inc> /* made by the build */
        ;
static const char zsh_script[] =
#include <completion-zsh.inc>
        ;

/* ---- candidates ---- */

struct asked {
        struct ctl *c;
        const char *prefix; /* what is there of the word */
        const char *before; /* goes before each: "--colour=" where that is one word with it; or NULL */
        struct strbuf out;  /* a line for each */
};

static void offer(struct asked *a, const char *text)
{
        char CLEANUP(freep) *shown = harmless(text, "");

        if (strncmp(text, a->prefix, strlen(a->prefix)) != 0 || strcmp(shown, text) != 0)
                return; /* one with control characters cannot be typed anyway */
        strbuf_addf(&a->out, "%s%s\n", a->before ? a->before : "", text);
}

static void offer_words(struct asked *a, const char *const *words)
{
        for (; *words; words++)
                offer(a, *words);
}

static void offer_files(struct asked *a)
{
        strbuf_truncate(&a->out, 0);
        strbuf_adds(&a->out, ":files\n");
}

/* Names; uuids too, once somebody has begun to type one. */
static void YIELDS offer_instances(struct asked *a)
{
        struct jval CLEANUP(jval_unrefp) *answer = NULL;
        const struct jval *list;

        if (ctl_ask_admin(a->c, "instances", NULL, &answer) != CTL_OK)
                return;
        list = jval_get(answer, "instances");
        for (size_t i = 0; i < jval_len(list); i++) {
                offer(a, jval_get_text(jval_at(list, i), "display_name", "\n"));
                if (*a->prefix)
                        offer(a, jval_get_text(jval_at(list, i), "uuid", "\n"));
        }
}

static void YIELDS offer_images(struct asked *a)
{
        struct image_info *images = NULL;
        struct error ignored;
        unsigned n = 0;

        if (ctl_need_conf(a->c) != CTL_OK || ctl_need_tpool(a->c) != CTL_OK ||
            image_local_list(a->c->conf->images.local_path, &images, &n, &ignored) < 0)
                return;
        for (unsigned i = 0; i < n; i++) {
                offer(a, images[i].name ? images[i].name : "\n");
                if (*a->prefix)
                        offer(a, images[i].id);
                image_info_free(&images[i]);
        }
        free(images);
}

/* What a word is, as the usage calls it: "INSTANCE", "FILE". */
static void YIELDS offer_kind(struct asked *a, const char *kind, size_t len)
{
        static const char *const when[] = { "auto", "always", "never", NULL };
        static const char *const levels[] = {
                "debug", "info", "warning", "error", "critical", "reset", NULL
        };
        static const char *const shells[] = { "bash", "zsh", NULL };
        static const struct {
                const char *kind;
                const char *const *words;
        } fixed[] = { { "WHEN", when }, { "LEVEL", levels }, { "SHELL", shells } };

        for (size_t i = 0; i < ARRAY_SIZE(fixed); i++) {
                if (strlen(fixed[i].kind) == len && strncmp(kind, fixed[i].kind, len) == 0)
                        offer_words(a, fixed[i].words);
        }
        if (len == 8 && strncmp(kind, "INSTANCE", len) == 0)
                offer_instances(a);
        else if (len == 5 && strncmp(kind, "IMAGE", len) == 0)
                offer_images(a);
        else if (len == 4 && (strncmp(kind, "FILE", len) == 0 || strncmp(kind, "PATH", len) == 0))
                offer_files(a);
}

/* ---- where on the command line we are ---- */

struct line {
        const char **words; /* without the last */
        unsigned n;
        const struct ctl_command *command; /* or NULL: not said yet */
        struct ctl_option globals[CTL_GLOBALS + 1];
        struct ctl_option *options;    /* of the command; owned */
        const struct ctl_option *open; /* takes the last word as its value; or NULL */
        unsigned arguments;            /* of the command, without options */
        bool only_words;               /* "--" was there */
};

static const struct ctl_option *find_in(const struct ctl_option *options, const char *word)
{
        for (const struct ctl_option *o = options; o && o->name; o++) {
                size_t dashes = strlen(ctl_dashes(o)), len = strlen(o->name);

                if (strncmp(word, ctl_dashes(o), dashes) == 0 && strncmp(word + dashes, o->name, len) == 0 &&
                    (word[dashes + len] == '\0' || word[dashes + len] == '='))
                        return o;
        }
        return NULL;
}

static const struct ctl_option *find_option(const struct line *l, const char *word)
{
        const struct ctl_option *o = find_in(l->globals, word);

        return o ? o : find_in(l->options, word);
}

/* Which agent and which configuration are meant: for what is asked of them. */
static void take_value(const struct ctl_option *o, const char *value)
{
        if (o->type == CTL_TEXT && o->to)
                *(const char **)o->to = value;
}

/* A listener of ctl_arguments(). */
static void note_options(const struct ctl_option *options, void *arg)
{
        struct ctl_option **to = arg;
        size_t n = 0;

        while (options[n].name)
                n++;
        *to = (void *)xmemdup(options, (n + 1) * sizeof(*options));
        for (size_t i = 0; i < n; i++)
                (*to)[i].to = NULL; /* of a frame that is gone by then */
}

struct ctl_option *ctl_options_of(const struct ctl_command *k)
{
        struct ctl_option *options = NULL;
        struct ctl ask = { .command = k, .listen = note_options, .listen_arg = &options };

        k->run(&ask);
        return options;
}

static void read_option(struct line *l, const char *word)
{
        const char *value = strchr(word, '=');
        const struct ctl_option *o = find_option(l, word);

        if (!o || o->type == CTL_FLAG)
                return;
        if (value)
                take_value(o, value + 1);
        else
                l->open = o;
}

/* bash makes three words of "--colour=always". */
static void YIELDS read_line(struct line *l)
{
        for (unsigned i = 0; i < l->n; i++) {
                const char *word = l->words[i];

                if (l->open && strcmp(word, "=") == 0)
                        continue;
                if (l->open) {
                        take_value(l->open, word);
                        l->open = NULL;
                } else if (!l->only_words && strcmp(word, "--") == 0) {
                        l->only_words = true;
                } else if (!l->only_words && word[0] == '-' && word[1]) {
                        read_option(l, word);
                } else if (l->command) {
                        l->arguments++;
                } else {
                        l->command = ctl_find_command(word);
                        l->options = l->command ? ctl_options_of(l->command) : NULL;
                        if (!l->command)
                                l->arguments = WORDS_MAX; /* nothing is known of what follows */
                }
        }
}

/* ---- what may be the last word ---- */

static void offer_options(struct asked *a, const struct ctl_option *options)
{
        for (const struct ctl_option *o = options; o && o->name; o++) {
                char CLEANUP(freep) *text = xasprintf("%s%s", ctl_dashes(o), o->name);

                if (o->help)
                        offer(a, text);
        }
}

static void offer_commands(struct asked *a)
{
        for (const struct ctl_command *k = ctl_commands; k->name; k++) {
                if (k->summary)
                        offer(a, k->name);
        }
}

/* The n-th word of "METHOD [JSON]", without its brackets. */
static void YIELDS offer_argument(struct asked *a, const char *synopsis, unsigned n)
{
        for (; *synopsis; synopsis += strspn(synopsis, " ")) {
                size_t len = strcspn(synopsis, " ");
                const char *kind = synopsis + (*synopsis == '[');

                if (n-- == 0) {
                        offer_kind(a, kind, strcspn(kind, "] "));
                        return;
                }
                synopsis += len;
        }
}

/* "--colour=al" where the shell has left it one word. */
static bool YIELDS offer_joined(struct asked *a, const struct line *l, const char *last)
{
        const char *value = strchr(last, '=');
        const struct ctl_option *o = value ? find_option(l, last) : NULL;
        char CLEANUP(freep) *before = NULL;

        if (!o || !o->metavar)
                return false;
        before = xstrndup(last, (size_t)(value + 1 - last));
        a->before = before;
        a->prefix = value + 1;
        offer_kind(a, o->metavar, strlen(o->metavar));
        a->before = NULL;
        return true;
}

static void YIELDS complete(struct asked *a, struct line *l, const char *last)
{
        read_line(l);
        if (l->open && strcmp(last, "=") == 0)
                a->prefix = "";
        if (l->open)
                offer_kind(a, l->open->metavar, strlen(l->open->metavar));
        else if (!l->only_words && last[0] == '-' && !offer_joined(a, l, last)) {
                offer_options(a, l->options);
                offer_options(a, l->globals);
        } else if (last[0] != '-' && !l->command && l->arguments == 0)
                offer_commands(a);
        else if (last[0] != '-' && l->command)
                offer_argument(a, l->command->synopsis, l->arguments);
}

enum ctl_exit ctl_complete(struct ctl *c)
{
        static const struct ctl_option no_options[] = { {} };
        const char *words[WORDS_MAX] = {};
        struct line l = { .words = words };
        struct asked a = { .c = c };
        enum ctl_exit status;

        if (!ctl_arguments(c, no_options, words, 0, WORDS_MAX, &status))
                return status;
        while (l.n < WORDS_MAX && words[l.n])
                l.n++;
        if (l.n == 0)
                return CTL_OK;
        a.prefix = words[--l.n];
        c->by = deadline_in_s(c->timeout_s > 0 ? c->timeout_s : ANSWER_S);
        ctl_global_options(c, l.globals);
        complete(&a, &l, a.prefix);
        fputs(a.out.data ? a.out.data : "", stdout);
        strbuf_free(&a.out);
        free(l.options);
        return CTL_OK;
}

enum ctl_exit ctl_completion(struct ctl *c)
{
        static const struct ctl_option no_options[] = { {} };
        const char *words[1];
        enum ctl_exit status;

        if (!ctl_arguments(c, no_options, words, 1, 1, &status))
                return status;
        if (strcmp(words[0], "bash") == 0)
                fputs(bash_script, stdout);
        else if (strcmp(words[0], "zsh") == 0)
                fputs(zsh_script, stdout);
        else
                return ctl_complain(CTL_USAGE, "completion: there is bash and zsh, not \"%s\"", words[0]);
        return CTL_OK;
}
