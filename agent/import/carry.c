/*
 * agent/import/carry.c: from nova's options to the table of settings.
 *
 * Each setting asks for nova's option of its own name, and for older names that nova still takes. What stands
 * for it goes through the same table as a value of compute-agent.conf does, so nothing is printed that the
 * agent would not read. A few options are said differently here; they have a row or a function below.
 */
#include "import/carry.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/words.h"

/* Names that mean the same, beyond those of oslo's table. */
static const struct {
        const char *section, *key, *also; /* section NULL: each that has an identity of keystone's */
} also_called[] = {
        /* oslo.messaging 14 spells them so */
        { "oslo_messaging_rabbit", "rabbit_quorum_max_memory_length", "rabbit_quroum_max_memory_length" },
        { "oslo_messaging_rabbit", "rabbit_quorum_max_memory_bytes", "rabbit_quroum_max_memory_bytes" },
        /* keystoneauth's ways to say it */
        { NULL, "user_domain_name", "default_domain_name" },
        { NULL, "project_domain_name", "default_domain_name" },
        { NULL, "user_domain_id", "default_domain_id" },
        { NULL, "project_domain_id", "default_domain_id" },
        { NULL, "project_name", "tenant-name" },
        { NULL, "project_name", "tenant_name" },
};

/* An identity: where auth_section is set, it stands in the group of that name. */
static const char auth_keys[] = "auth_type auth_url username password user_domain_name user_domain_id "
                                "project_name project_domain_name project_domain_id";

static bool has_identity(const char *section)
{
        return setting_find(section, "auth_type") != NULL;
}

/* Where nova has no other choice, or none at all, ours is better than its default. */
static bool has_better_default(const struct setting *s)
{
        return !*s->section && words_have("use_journal rate_limit_interval rate_limit_burst", s->key);
}

/* Without these the agent would be something else, or look for guests elsewhere. */
static bool must_fit(const struct setting *s)
{
        return *s->section ? strcmp(s->section, "libvirt") == 0 && strcmp(s->key, "virt_type") == 0
                           : words_have("host compute_driver state_path instances_path", s->key);
}

static void say(struct carry *c, const struct ini_value *v, const char *fmt, ...)
        __attribute__((format(printf, 3, 4)));

static void say(struct carry *c, const struct ini_value *v, const char *fmt, ...)
{
        va_list ap;

        strbuf_addf(c->said, "%s:%d: ", c->nova.ini.files[v->file], v->line);
        va_start(ap, fmt);
        strbuf_vaddf(c->said, fmt, ap);
        va_end(ap);
        strbuf_adds(c->said, "\n");
        c->n_mistakes++;
}

static void leave(struct carry *c, const struct ini_value *v, bool weighty, char *why)
{
        c->left = xrealloc(c->left, (c->n_left + 1) * sizeof(*c->left));
        c->left[c->n_left++] = (struct left_over){ v, why, weighty };
}

static void take_all(struct carry *c, const char *group, const char *key)
{
        for (size_t i = 0; i < c->nova.ini.n_values; i++)
                if (strcmp(c->nova.ini.values[i].group, group) == 0 &&
                    strcmp(c->nova.ini.values[i].key, key) == 0)
                        c->taken[i] = true;
}

/* The option and its other names, in another group. */
static void move_names(struct nova_option *o, const char *to)
{
        char group[NOVA_NAME_MAX], name[NOVA_NAME_MAX];
        struct strbuf moved = {};

        for (const char *p = o->aliases; (p = nova_alias_next(p, group, name));)
                strbuf_addf(&moved, "%s.%s ", to, name);
        replace_str(&o->group, to);
        free(o->aliases);
        o->aliases = strbuf_take(&moved, NULL);
}

static char *auth_section(const struct carry *c, const char *group)
{
        CLEANUP(nova_option_free) struct nova_option o = {};
        char *name = NULL;
        struct error err;

        if (!nova_option_find(group, "auth_section", &o) ||
            nova_value_text(&c->nova, &o, nova_value_find(&c->nova, &o), &name, &err) < 0)
                return NULL;
        return name;
}

/* nova's option for a setting; one that nova does not know is taken by its name, as a text. */
static void option_of(const struct carry *c, const struct setting *s, struct nova_option *ret)
{
        const char *group = *s->section ? s->section : "DEFAULT";
        CLEANUP(freep) char *section = NULL;

        if (!nova_option_find(group, s->key, ret))
                *ret = (struct nova_option){ .group = xstrdup(group),
                                             .name = xstrdup(s->key),
                                             .preset = xstrdup(""),
                                             .aliases = xstrdup("") };
        for (size_t i = 0; i < ARRAY_SIZE(also_called); i++) {
                const char *of = also_called[i].section;
                char *more;

                if (strcmp(also_called[i].key, s->key) != 0 ||
                    !(of ? strcmp(of, s->section) == 0 : has_identity(s->section)))
                        continue;
                more = xasprintf("%s%s%s.%s", ret->aliases, *ret->aliases ? " " : "", group,
                                 also_called[i].also);
                free(ret->aliases);
                ret->aliases = more;
        }
        if (!has_identity(s->section) || !words_have(auth_keys, s->key))
                return;
        section = auth_section(c, group);
        if (section && *section)
                move_names(ret, section);
}

/* Another option's value; NULL: not set, or wrong, which is told where the option itself is looked at. */
static char *text_of(const struct carry *c, const char *group, const char *name)
{
        CLEANUP(nova_option_free) struct nova_option o = {};
        struct error err;
        char *text = NULL;

        if (nova_option_find(group, name, &o) &&
            nova_value_text(&c->nova, &o, nova_value_find(&c->nova, &o), &text, &err) < 0)
                return NULL;
        return text;
}

/* oslo.log joins the two; with a directory alone the file is called as the program. */
static bool adjust_log_file(const struct carry *c, char **text)
{
        CLEANUP(freep) char *dir = text_of(c, "DEFAULT", "log_dir");
        char *joined;

        if (!dir || !*dir || (*text && **text == '/'))
                return false;
        joined = xasprintf("%s%s%s", dir, dir[strlen(dir) - 1] == '/' ? "" : "/",
                           *text && **text ? *text : "compute-agent.log");
        free(*text);
        *text = joined;
        return true;
}

/* auth_section was followed before. */
static bool adjust_auth_type(const struct carry *c, char **text)
{
        if (*text && strcmp(*text, "v3password") == 0)
                replace_str(text, "password");
        return true;
}

/* Ours are called as nova's without the "nova." before it; others have no meaning here. */
static bool adjust_log_levels(const struct carry *c, char **text)
{
        static const char nova[] = "nova.";
        struct strbuf kept = {};

        (void)c;
        for (const char *at = *text ? *text : ""; *at;) {
                size_t len = strcspn(at += strspn(at, ", "), ", ");

                if (strncmp(at, nova, strlen(nova)) == 0)
                        strbuf_addf(&kept, "%s%.*s", kept.len ? "," : "", (int)(len - strlen(nova)),
                                    at + strlen(nova));
                at += len;
        }
        free(*text);
        *text = strbuf_take(&kept, NULL);
        return true;
}

/* Settings that depend on more than nova's option of their name. adjust: true if the other one had a say. */
static const struct adjustment {
        const char *section, *key;
        bool (*adjust)(const struct carry *c, char **text);
        const char *group, *other;
} adjustments[] = {
        { "", "log_file", adjust_log_file, "DEFAULT", "log_dir" },
        { "", "default_log_levels", adjust_log_levels, "DEFAULT", "default_log_levels" },
        { NULL, "auth_type", adjust_auth_type, NULL, "auth_section" }, /* in any section */
};

static void take_names(struct carry *c, const struct nova_option *o)
{
        char group[NOVA_NAME_MAX], name[NOVA_NAME_MAX];

        take_all(c, o->group, o->name);
        for (const char *p = o->aliases; (p = nova_alias_next(p, group, name));)
                take_all(c, group, name);
}

/* Returns the assignment that says it then. */
static const struct ini_value *adjust(struct carry *c, const struct setting *s, const struct ini_value *v,
                                      char **text)
{
        for (size_t i = 0; i < ARRAY_SIZE(adjustments); i++) {
                const struct adjustment *a = &adjustments[i];
                CLEANUP(nova_option_free) struct nova_option o = {};

                if (strcmp(a->section ? a->section : s->section, s->section) != 0 ||
                    strcmp(a->key, s->key) != 0 || !a->adjust(c, text) ||
                    !nova_option_find(a->group ? a->group : s->section, a->other, &o))
                        continue;
                take_names(c, &o);
                return v ? v : nova_value_find(&c->nova, &o);
        }
        return v;
}

/* The value is nova's; it becomes the setting's if that can be. */
static void set(struct carry *c, size_t i, const struct ini_value *v, const char *text)
{
        const struct setting *s = &settings[i];
        struct error err = {};

        if (setting_parse(s, text, c->conf, &err) == 0) {
                c->carried[i] = v ? CARRIED_FROM_FILE : CARRIED_DEFAULT;
        } else if (v && must_fit(s)) {
                say(c, v, "%s %s", s->key, err.text);
        } else if (v) {
                bool same = strcmp(v->key, s->key) == 0;

                leave(c, v, true, xasprintf("%s%s%s", same ? "" : s->key, same ? "" : " ", err.text));
        }
}

static void carry_one(struct carry *c, size_t i)
{
        const struct setting *s = &settings[i];
        CLEANUP(nova_option_free) struct nova_option o = {};
        CLEANUP(freep) char *text = NULL;
        const struct ini_value *v;
        struct error err = {};

        option_of(c, s, &o);
        take_names(c, &o);
        v = nova_value_find(&c->nova, &o);
        if (nova_value_text(&c->nova, &o, v, &text, &err) < 0) {
                if (v)
                        say(c, v, "%s: %s", v->key, err.text);
                return;
        }
        v = adjust(c, s, v, &text);
        if (text && (v || !has_better_default(s)))
                set(c, i, v, text);
        if (c->carried[i] == CARRIED_DEFAULT && c->machine && setting_equal(s, c->conf, c->machine))
                c->carried[i] = CARRIED_NOT;
}

void carry_settings(struct carry *c)
{
        CLEANUP(strbuf_free) struct strbuf none = {};

        c->machine = conf_load_text("", "\n", &none);
        c->conf = NEW(struct conf);
        setting_defaults(c->conf);
        c->carried = xcalloc(n_settings, sizeof(*c->carried));
        c->taken = xcalloc(c->nova.ini.n_values + 1, sizeof(*c->taken));
        c->nova.host = c->machine ? c->machine->host : "localhost"; /* a machine without a name */
        c->nova.my_ip = c->machine ? c->machine->my_ip : "127.0.0.1";
        for (size_t i = 0; i < n_settings; i++)
                carry_one(c, i);
}

/* The option that v sets: by its name, an older one, or that of keystoneauth's plugin, which many groups
 * have. */
static void meant_by(const struct ini_value *v, struct nova_option *ret)
{
        CLEANUP(nova_option_free) struct nova_option plugin = {};

        if (nova_option_find(v->group, v->key, ret) || nova_option_by_alias(v->group, v->key, ret))
                return;
        if (nova_option_find(v->group, "auth_type", &plugin) && nova_option_find("placement", v->key, ret)) {
                replace_str(&ret->group, v->group);
                return;
        }
        *ret = (struct nova_option){ .group = xstrdup(v->group), .name = xstrdup(v->key) };
}

/* Is it what nova would do anyway? */
static bool at_default(const struct carry *c, const struct nova_option *o, const struct ini_value *v)
{
        CLEANUP(freep) char *text = NULL, *preset = NULL;
        struct error err;

        if (!o->preset || nova_value_text(&c->nova, o, v, &text, &err) < 0 ||
            nova_value_text(&c->nova, o, NULL, &preset, &err) < 0)
                return false;
        return strcmp(text ? text : "", preset ? preset : "") == 0;
}

static void leave_one(struct carry *c, const struct ini_value *v)
{
        CLEANUP(nova_option_free) struct nova_option o = {};
        const struct unused_setting *unused;
        char guess[128];

        meant_by(v, &o);
        unused = unused_find(strcmp(o.group, "DEFAULT") == 0 ? "" : o.group, o.name);
        if (unused)
                leave(c, v, unused->missed && !at_default(c, &o, v), xstrdup(unused->because));
        else if (o.preset)
                leave(c, v, false, xstrdup("not used by this agent"));
        else
                leave(c, v, false,
                      xasprintf("unknown to nova 26 (Zed)%s",
                                suggest_key(strcmp(v->group, "DEFAULT") == 0 ? "" : v->group, v->key, guess,
                                            sizeof(guess))));
}

void carry_left_over(struct carry *c)
{
        const struct ini *ini = &c->nova.ini;

        for (size_t i = 0; i < ini->n_values; i++) {
                const struct ini_value *v = &ini->values[i], *last = NULL;

                for (size_t file = ini->n_files; !last && file-- > 0;)
                        last = ini_last(ini, file, v->group, v->key);
                if (last == v && !c->taken[i]) /* the others were overruled, by nova's rules too */
                        leave_one(c, v);
        }
}

void carry_free(struct carry *c)
{
        for (size_t i = 0; i < c->n_left; i++)
                free(c->left[i].why);
        free(c->left);
        free(c->carried);
        free(c->taken);
        conf_free(c->conf);
        conf_free(c->machine);
        ini_free(&c->nova.ini);
}
