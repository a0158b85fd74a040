/* tests/unit/agent/test_conf.c: the table of settings, good files, the dump, the example file. */
#include "conf_file.h"

#include <stdio.h>
#include <sys/stat.h>

#include "base/list.h"
#include "conf/conf_priv.h"

/* ---- the table ---- */

START_TEST(every_default_is_a_value)
{
        const struct setting *s = &settings[_i];
        struct conf *c = conf_of("");
        struct error err = {};

        ck_assert_msg(setting_parse(s, s->preset, c, &err) == 0, "%s: %s", s->key, err.text);
        ck_assert_msg(s->min <= s->max, "%s", s->key);
        ck_assert_msg(s->help && s->help[strlen(s->help) - 1] == '.', "%s: help is made of sentences",
                      s->key);
        ck_assert_ptr_eq(setting_find(s->section, s->key), s);
        ck_assert_ptr_null(unused_find(s->section, s->key));
        conf_free(c);
}
END_TEST

START_TEST(sections_stay_together_and_members_apart)
{
        for (size_t i = 0; i < n_settings; i++) {
                for (size_t j = 0; j < i; j++) {
                        ck_assert_msg(settings[i].offset != settings[j].offset, "%s and %s share a member",
                                      settings[i].key, settings[j].key);
                        if (j + 1 < i && strcmp(settings[j].section, settings[i].section) == 0)
                                ck_assert_msg(strcmp(settings[j + 1].section, settings[i].section) == 0,
                                              "section %s is torn apart", settings[i].section);
                }
        }
        ck_assert_str_eq(settings[0].section, "");
}
END_TEST

START_TEST(name_lookup_knows_used_and_unused)
{
        char buf[128];

        ck_assert_ptr_nonnull(setting_find("", "host"));
        ck_assert_ptr_null(setting_find("libvirt", "host"));
        ck_assert_ptr_nonnull(unused_find("libvirt", "live_migration_uri"));
        ck_assert_ptr_null(unused_find("libvirt", "live_migratio"));
        ck_assert_ptr_nonnull(unused_find("database", "max_retries"));
        ck_assert_ptr_null(unused_find("database", "max_retr"));
        ck_assert_ptr_nonnull(unused_find("neutron", "anything"));
        ck_assert(section_known("neutron"));
        ck_assert(!section_known("neutrino"));
        ck_assert_str_eq(suggest_section("neutrino", buf, sizeof(buf)), ", did you mean \"neutron\"?");
        ck_assert_str_eq(suggest_key("", "rpeort_interval", buf, sizeof(buf)),
                         ", did you mean \"report_interval\"?");
        ck_assert_str_eq(suggest_key("", "something_else_entirely", buf, sizeof(buf)), "");
}
END_TEST

/* What nova-compute itself knows is either used or accepted with a reason. */
START_TEST(each_option_of_nova_is_used_or_explained)
{
        FILE *file = fopen(NOVA_OPTIONS, "r");
        char line[512], section[128] = "";
        unsigned used = 0, unused = 0;

        ck_assert_ptr_nonnull(file);
        while (fgets(line, sizeof(line), file)) {
                line[strcspn(line, "\t\n")] = '\0';
                if (line[0] == '[') {
                        snprintf(section, sizeof(section), "%.*s", (int)strcspn(line + 1, "]"), line + 1);
                        if (strcmp(section, "DEFAULT") == 0)
                                section[0] = '\0';
                } else if (line[0] && line[0] != '#') {
                        bool is_used = setting_find(section, line);

                        ck_assert_msg(is_used || unused_find(section, line), "[%s] %s", section, line);
                        used += is_used;
                        unused += !is_used;
                }
        }
        fclose(file);
        ck_assert_uint_gt(used, 100);
        ck_assert_uint_gt(unused, 900);
}
END_TEST

START_TEST(each_reason_is_for_a_name_and_every_name_has_one)
{
        for (const struct unused_setting *u = unused_settings; u->section; u++) {
                ck_assert_msg(u->because && *u->because && !strchr(u->because, '\n'), "%s", u->keys);
                ck_assert_msg(u->because[strlen(u->because) - 1] != '.', "%s", u->because);
                if (strcmp(u->keys, "*") == 0) /* else it would be told of an option that is used */
                        for (const struct setting *s = settings; s->key; s++)
                                ck_assert_str_ne(s->section, u->section);
        }
}
END_TEST

/* ---- good files ---- */

START_TEST(empty_file_gives_novas_defaults)
{
        struct conf *c = conf_of("");
        char name[256];

        ck_assert_int_eq(gethostname(name, sizeof(name)), 0);
        ck_assert_str_eq(c->host, name);
        ck_assert_str_ne(c->my_ip, "");
        ck_assert_str_eq(c->libvirt.connection_uri, "qemu:///system");
        ck_assert_int_eq(c->report_interval, 10);
        ck_assert_int_eq(c->service_down_time, 60);
        ck_assert_int_eq(c->executor_thread_pool_size, 64);
        ck_assert_int_eq(c->sync_power_state_pool_size, 1000);
        ck_assert_int_eq(c->reserved_host_memory_mb, 512);
        ck_assert_double_eq(c->initial_cpu_allocation_ratio, 16.0);
        ck_assert_double_eq(c->cpu_allocation_ratio, 0.0);
        ck_assert(c->force_raw_images);
        ck_assert_str_eq(c->instances_path, "/var/lib/compute-agent/instances");
        ck_assert_str_eq(c->running_deleted_instance_action, "reap");
        ck_assert_str_eq(c->notes, "");
        conf_free(c);
}
END_TEST

START_TEST(every_way_to_write_a_value_is_read)
{
        struct conf *c = conf_of("host = plain-1.example # comment\n"
                                 "state_path = \"/srv/a b\" // comment\r\n"
                                 "\tmkisofs_cmd='it\\'s \\\\ # not ${a} comment'\n"
                                 "/* report_interval = 1\n"
                                 "   over lines */ report_interval = 20 debug = YES periodic_enable = 0\n"
                                 "update_resources_interval = -1\n"
                                 "cpu_allocation_ratio = 2\n"
                                 "ram_allocation_ratio = 1.25\n"
                                 "log_level = debug\n"
                                 "database { connection = mysql://nova@db/nova }\n"
                                 "libvirt\n{\n virt_type = qemu\n}\n"
                                 "libvirt { cpu_mode = 'none' }\n"
                                 "vnc{enabled=off}");

        ck_assert_str_eq(c->host, "plain-1.example");
        ck_assert_str_eq(c->state_path, "/srv/a b");
        ck_assert_str_eq(c->instances_path, "/srv/a b/instances");
        ck_assert_str_eq(c->oslo_concurrency.lock_path, "/srv/a b/lock");
        ck_assert_str_eq(c->mkisofs_cmd, "it's \\ # not ${a} comment");
        ck_assert_int_eq(c->report_interval, 20);
        ck_assert(c->debug);
        ck_assert(!c->periodic_enable);
        ck_assert_int_eq(c->update_resources_interval, -1);
        ck_assert_double_eq(c->cpu_allocation_ratio, 2.0);
        ck_assert_double_eq(c->ram_allocation_ratio, 1.25);
        ck_assert_str_eq(c->log_level, "DEBUG");
        ck_assert_str_eq(c->database.connection, "mysql://nova@db/nova");
        ck_assert_str_eq(c->libvirt.virt_type, "qemu");
        ck_assert_str_eq(c->libvirt.cpu_mode, "none");
        ck_assert(!c->vnc.enabled);
        conf_free(c);
}
END_TEST

START_TEST(double_quotes_know_the_common_escapes)
{
        struct conf *c = conf_of("mkisofs_cmd = \"a\\\"b\\\\c\\${d}\"\n");

        ck_assert_str_eq(c->mkisofs_cmd, "a\"b\\c${d}");
        conf_free(c);
}
END_TEST

START_TEST(nova_options_without_effect_are_noted)
{
        struct conf *c = conf_of("volume_usage_poll_interval = 5\n"
                                 "host = 'a'\n"
                                 "neutron {\n"
                                 "    auth_url = 'http://x'\n"
                                 "    auth { nested = 1 }\n"
                                 "}\n"
                                 "libvirt {\n"
                                 "    disk_prefix = 'hd'\n"
                                 "    virt_type = 'qemu'\n"
                                 "}\n");
        CLEANUP(freep)
        char *want = xasprintf(
                "%s:1: volume_usage_poll_interval has no effect: there are no volumes in this version\n"
                "%s:3: section \"neutron\" has no effect: neutron is not driven in this version: guests keep "
                "the interfaces they have, new ones get none\n"
                "%s:8: disk_prefix has no effect: it cannot be chosen in this version\n",
                c->path, c->path, c->path);

        ck_assert_str_eq(c->notes, want);
        ck_assert_str_eq(c->host, "a");
        ck_assert_str_eq(c->libvirt.virt_type, "qemu");
        conf_free(c);
}
END_TEST

/* nova-contract 4.4 */
START_TEST(service_down_time_is_raised_above_the_report_interval)
{
        struct conf *c = conf_of("report_interval = 61\n");

        ck_assert_int_eq(c->service_down_time, 152);
        ck_assert_ptr_nonnull(strstr(c->notes, ":1: service_down_time is not longer"));
        conf_free(c);
}
END_TEST

START_TEST(readable_password_is_noted)
{
        char path[] = "/tmp/compute-agent-conf.XXXXXX";
        CLEANUP(strbuf_free) struct strbuf errors = {};
        int fd = mkstemp(path);
        struct conf *c;

        ck_assert_int_gt(dprintf(fd, "database { connection = 'mysql://nova:pw@db/nova' }\n"), 0);
        ck_assert_int_eq(fchmod(fd, 0644), 0);
        close(fd);
        c = conf_load(path, &errors);
        unlink(path);
        ck_assert_ptr_nonnull(c);
        ck_assert_ptr_nonnull(
                strstr(c->notes, "has a password in it and is readable by everyone (mode 644)"));
        conf_free(c);
}
END_TEST

/* ---- the dump ---- */

START_TEST(dump_read_again_is_the_same)
{
        struct conf *first = conf_of("mkisofs_cmd = 'it\\'s \\\\ a \"name\" # ${x}'\n"
                                     "ram_allocation_ratio = 1.125\n"
                                     "state_path = '/srv'\n"
                                     "libvirt { virt_type = 'qemu' }\n");
        CLEANUP(strbuf_free) struct strbuf text = {}, again = {};
        struct conf *second;

        conf_dump(first, 0, &text);
        second = conf_of(text.data);
        for (const struct setting *s = settings; s->key; s++)
                ck_assert_msg(setting_equal(s, first, second), "%s", s->key);
        conf_dump(second, 0, &again);
        ck_assert_str_eq(text.data, again.data);
        conf_free(first);
        conf_free(second);
}
END_TEST

/* Another value than the default. */
static void change(const struct setting *s, struct conf *c)
{
        static const char *const texts[] = {
                "it's \\ a \"name\" # ${x}",
                "127.0.0.2",
                "http://h:1/x",
                "mysql://u:geheim@h/d?charset=utf8",
                "rabbit://u:geheim@h:5/v",
                "guest-%d",
                "file=none",
                "qemu:///embed?root=/x",
                "compute=DEBUG",
                "name",
        };
        CLEANUP(freep) char *path = xasprintf("/srv/%s/%s", s->section, s->key);
        struct error err = {};
        char number[32];

        snprintf(number, sizeof(number), "%lld",
                 atoll(s->preset) + (atoll(s->preset) + 2 <= s->max ? 2 : -2));
        switch (s->type) {
        case SETTING_INT:
                ck_assert_msg(setting_parse(s, number, c, &err) == 0, "%s %s", s->key, err.text);
                break;
        case SETTING_RATIO:
                ck_assert_int_eq(setting_parse(s, "3.25", c, &err), 0);
                break;
        case SETTING_BOOL:
                ck_assert_int_eq(setting_parse(s, strcmp(s->preset, "true") == 0 ? "false" : "true", c, &err),
                                 0);
                break;
        case SETTING_PATH:
                ck_assert_msg(setting_parse(s, path, c, &err) == 0, "%s %s", s->key, err.text);
                break;
        case SETTING_CHOICE: {
                const char *last = strrchr(s->choices, ' ');

                ck_assert_int_eq(setting_parse(s, last ? last + 1 : s->choices, c, &err), 0);
                break;
        }
        case SETTING_TEXT:
                for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
                        if (setting_parse(s, texts[i], c, &err) == 0)
                                return;
                ck_abort_msg("%s: no text here is good for it: %s", s->key, err.text);
        }
}

START_TEST(a_dump_of_changed_settings_read_again_is_the_same)
{
        struct conf *first = conf_of(""), *second, *third;
        CLEANUP(strbuf_free) struct strbuf whole = {}, masked_text = {}, again = {};

        for (const struct setting *s = settings; s->key; s++)
                if (strcmp(s->key, "rabbit_ha_queues") != 0 && !strstr(s->key, "_file")) /* else mistakes */
                        change(s, first);
        conf_dump(first, CONF_DUMP_SECRETS | CONF_DUMP_PLACES, &whole);
        second = conf_of(whole.data);
        conf_dump(first, CONF_DUMP_PLACES, &masked_text);
        ck_assert_ptr_null(strstr(masked_text.data, "geheim"));
        third = conf_of(masked_text.data);
        for (const struct setting *s = settings; s->key; s++) {
                ck_assert_msg(setting_equal(s, first, second), "%s", s->key);
                ck_assert_msg((s->flags & SETTING_SECRET) || setting_equal(s, first, third), "%s", s->key);
        }
        conf_dump(third, 0, &again);
        ck_assert_str_eq(again.data, masked_text.data);
        conf_free(first);
        conf_free(second);
        conf_free(third);
}
END_TEST

START_TEST(a_masked_url_can_be_read)
{
        static const char *const urls[] = { "mysql://nova:geheim@db/nova?ssl_key=/pw",
                                            "rabbit://nova:geheim@mq/?ssl_key_password=geheim" };
        const struct setting *s[] = { setting_find("database", "connection"),
                                      setting_find("", "transport_url") };

        for (size_t i = 0; i < ARRAY_SIZE(urls); i++) {
                struct conf *c = conf_of("");
                CLEANUP(strbuf_free) struct strbuf out = {};
                struct error err = {};

                replace_str(setting_text(s[i], c), urls[i]);
                setting_print(s[i], c, &out);
                ck_assert_ptr_null(strstr(out.data, "geheim"));
                strbuf_truncate(&out, out.len - 1);
                ck_assert_msg(setting_parse(s[i], out.data + 1, c, &err) == 0, "%s: %s", out.data, err.text);
                conf_free(c);
        }
}
END_TEST

struct masked {
        const char *written, *shown;
};

static const struct masked masked[] = {
        { "mysql://nova:geheim@db:3306/nova?charset=utf8", "'mysql://nova:***@db:3306/nova?charset=utf8'" },
        { "mysql+pymysql://nova:ge:heim@db/nova", "'mysql+pymysql://nova:***@db/nova'" },
        { "mysql://nova:geh@eim@db/nova", "'mysql://nova:***@db/nova'" },
        { "mysql://nova@db/nova", "'mysql://nova@db/nova'" },
        { "mysql://nova:geh/eim@db/nova",
          "'mysql://***@***/***'" }, /* the slash should have been %2F: no guessing */
        { "mysql://nova:geh?eim@db/nova", "'mysql://***@***/***'" },
        { "mysql://nova@db/nova?password=geheim", "'mysql://***@***/***'" },
        { "mysql://a:geheim@h1,b:geheim@h2/nova", "'mysql://a:***@h1,b:***@h2/nova'" },
        { "", "''" },
};

START_TEST(dump_masks_passwords)
{
        CLEANUP(freep) char *want = xasprintf("    connection = %s\n", masked[_i].shown);
        CLEANUP(strbuf_free) struct strbuf out = {};
        struct conf *c = conf_of("");

        replace_str(&c->database.connection, masked[_i].written); /* some would not be taken from a file */
        conf_dump(c, 0, &out);
        ck_assert_msg(strstr(out.data, want), "%s not in\n%s", want, out.data);
        ck_assert_ptr_null(strstr(out.data, "eim"));
        conf_free(c);
}
END_TEST

#define RABBIT "transport_url = 'rabbit://u:p@h/'\n"
#define PLACEMENT                                                                         \
        "placement {\n auth_type = 'password'\n auth_url = 'http://k'\n username = 'n'\n" \
        " password = 'p'\n user_domain_id = 'd'\n project_name = 's'\n project_domain_id = 'd'\n}\n"
static const struct {
        const char *text, *source;
} sources[] = {
        { "", "local" },
        { RABBIT, "glance" },
        { PLACEMENT, "glance" },
        { RABBIT "images {\n local_path = '/srv/images'\n}\n", "local" },
        { RABBIT "images {\n source = 'local'\n}\n", "local" },
        { "images {\n source = 'glance'\n}\n", "glance" },
        { "images {\n local_path = '/srv/images'\n}\nglance {\n api_servers = 'http://a, https://b/v2'\n}\n",
          "glance" },
        { "glance {\n endpoint_override = 'http://g'\n}\n", "glance" },
        { "glance {\n endpoint_override = 'http://g'\n}\nimages {\n source = 'local'\n}\n", "local" },
        { "glance {\n num_retries = 5\n}\n", "local" },
};

START_TEST(images_come_from_glance_where_there_is_a_cloud)
{
        struct conf *c = conf_of(sources[_i].text);

        ck_assert_str_eq(c->images.source, sources[_i].source);
        conf_free(c);
}
END_TEST

START_TEST(a_service_user_without_a_way_to_authenticate_is_noted)
{
        struct conf *c = conf_of("service_user {\n  send_service_user_token = true\n}\n");

        ck_assert_ptr_nonnull(strstr(c->notes, ":2: no token goes along with those of users"));
        conf_free(c);
}
END_TEST

START_TEST(dump_hides_a_password_that_is_no_url)
{
        struct conf *c = conf_of("placement {\n  auth_url = 'http://k'\n  password = 'geheim'\n}\n");
        CLEANUP(strbuf_free) struct strbuf out = {};

        conf_dump(c, 0, &out);
        ck_assert_ptr_nonnull(strstr(out.data, "    password = '***'\n"));
        ck_assert_ptr_null(strstr(out.data, "geheim"));
        ck_assert_str_eq(c->placement.identity.password, "geheim");
        ck_assert_ptr_nonnull(
                strstr(c->notes, ":2: [placement] is not used, since its auth_type is not set\n"));
        conf_free(c);
}
END_TEST

/* ---- reload ---- */

static void write_change(const struct conf_change *c, void *arg)
{
        strbuf_addf(arg, "%s: %s → %s%s\n", c->name, c->from, c->to, c->reloads ? "" : " (restart)");
}

START_TEST(changes_are_told_with_what_needs_a_restart)
{
        struct conf *now = conf_of("host = 'a'\ndatabase { connection = 'mysql://n:geheim@db/nova'\n}\n");
        struct conf *next = conf_of("host = 'b'\nlog_level = DEBUG\nimage_cache { manager_interval = 60\n}\n"
                                    "database { connection = 'mysql://n:geheimer@db/nova'\n}\n");
        CLEANUP(strbuf_free) struct strbuf out = {};

        conf_compare(now, now, write_change, &out);
        ck_assert_uint_eq(out.len, 0);
        conf_compare(now, next, write_change, &out);
        ck_assert_str_eq(out.data, "host: 'a' → 'b' (restart)\n"
                                   "log_level: 'INFO' → 'DEBUG'\n"
                                   "[database] connection: 'mysql://n:***@db/nova' → 'mysql://n:***@db/nova' "
                                   "(another secret)\n"
                                   "[image_cache] manager_interval: 2400 → 60\n");
        conf_free(now);
        conf_free(next);
}
END_TEST

START_TEST(only_what_may_change_is_applied_and_texts_stay_where_they_are_held)
{
        struct conf *now = conf_of("host = 'a'\n");
        struct conf *next = conf_of("host = 'b'\nlog_level = DEBUG\nforce_config_drive = true\n"
                                    "cpu_allocation_ratio = 2.5\nneutron { url = 'x'\n}\n");
        const char *held = now->log_level;
        CLEANUP(strbuf_free) struct strbuf out = {};

        conf_apply(now, next);
        ck_assert_str_eq(now->host, "a");
        ck_assert_str_eq(now->log_level, "DEBUG");
        ck_assert_str_eq(held, "INFO");
        ck_assert(now->force_config_drive);
        ck_assert_double_eq(now->cpu_allocation_ratio, 2.5);
        ck_assert_str_eq(now->notes, next->notes);
        conf_compare(now, next, write_change, &out);
        ck_assert_str_eq(out.data, "host: 'a' → 'b' (restart)\n");
        conf_free(next);
        ck_assert_str_eq(now->log_level, "DEBUG");
        conf_free(now);
}
END_TEST

START_TEST(every_setting_that_reloads_is_applied)
{
        const struct setting *s = &settings[_i];
        struct conf *now = conf_of(""), *next = conf_of("");
        struct error err = {};

        switch (s->type) {
        case SETTING_INT: {
                int64_t *value = (int64_t *)(void *)((char *)next + s->offset);

                *value += *value < s->max ? 1 : -1;
                break;
        }
        case SETTING_RATIO:
                *(double *)(void *)((char *)next + s->offset) += 0.5;
                break;
        case SETTING_BOOL:
                ck_assert_int_eq(
                        setting_parse(s, strcmp(s->preset, "true") == 0 ? "false" : "true", next, &err), 0);
                break;
        default:
                replace_str(setting_text(s, next), "other");
        }
        ck_assert(!setting_equal(s, now, next));
        conf_apply(now, next);
        ck_assert_int_eq(setting_equal(s, now, next), s->reloads);
        conf_free(now);
        conf_free(next);
}
END_TEST

/* ---- etc/compute-agent.conf ---- */

/* Files that are made of the tables; UPDATE_EXAMPLE=1 writes them anew. */
static void compare_with_tables(const char *path, void (*make)(struct strbuf *out))
{
        CLEANUP(strbuf_free) struct strbuf want = {}, have = {};
        FILE *file = fopen(path, "r");
        char buf[4096];
        size_t n;

        strbuf_adds(&have, "");
        while (file && (n = fread(buf, 1, sizeof(buf), file)) > 0)
                strbuf_add(&have, buf, n);
        if (file)
                fclose(file);
        make(&want);
        if (strcmp(want.data, have.data) != 0 && getenv("UPDATE_EXAMPLE")) {
                file = fopen(path, "w");
                ck_assert_ptr_nonnull(file);
                ck_assert_uint_eq(fwrite(want.data, 1, want.len, file), want.len);
                fclose(file);
        }
        ck_assert_msg(
                strcmp(want.data, have.data) == 0,
                "%s differs from the table of settings: run this test with UPDATE_EXAMPLE=1 and look at "
                "the change",
                path);
}

START_TEST(example_file_is_what_the_table_says)
{
        compare_with_tables(EXAMPLE_CONF, conf_example);
}
END_TEST

START_TEST(manual_page_is_what_the_tables_say)
{
        compare_with_tables(MAN_DIR "/compute-agent.conf.5", conf_manual);
}
END_TEST

START_TEST(example_file_sets_every_option_to_its_default)
{
        CLEANUP(strbuf_free) struct strbuf errors = {};
        struct conf *defaults = conf_of(""), *example = conf_load(EXAMPLE_CONF, &errors);
        CLEANUP(strbuf_free) struct strbuf text = {};

        ck_assert_msg(example != NULL, "%s", errors.data);
        conf_example(&text);
        for (const struct setting *s = settings; s->key; s++) {
                CLEANUP(freep) char *line = xasprintf("\n%s%s = ", *s->section ? "    " : "", s->key);

                ck_assert_msg(setting_equal(s, defaults, example), "%s", s->key);
                ck_assert_msg(strstr(text.data, line) != NULL, "%s misses", s->key);
        }
        ck_assert_str_eq(example->notes, "");
        conf_free(defaults);
        conf_free(example);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("conf");
        TCase *tcase = tcase_create("conf");
        SRunner *runner = srunner_create(suite);
        int failed;

        tcase_add_loop_test(tcase, every_default_is_a_value, 0, (int)n_settings);
        tcase_add_test(tcase, sections_stay_together_and_members_apart);
        tcase_add_test(tcase, name_lookup_knows_used_and_unused);
        tcase_add_test(tcase, each_option_of_nova_is_used_or_explained);
        tcase_add_test(tcase, each_reason_is_for_a_name_and_every_name_has_one);
        tcase_add_test(tcase, empty_file_gives_novas_defaults);
        tcase_add_test(tcase, every_way_to_write_a_value_is_read);
        tcase_add_test(tcase, double_quotes_know_the_common_escapes);
        tcase_add_test(tcase, nova_options_without_effect_are_noted);
        tcase_add_test(tcase, service_down_time_is_raised_above_the_report_interval);
        tcase_add_test(tcase, readable_password_is_noted);
        tcase_add_test(tcase, dump_read_again_is_the_same);
        tcase_add_test(tcase, a_dump_of_changed_settings_read_again_is_the_same);
        tcase_add_test(tcase, a_masked_url_can_be_read);
        tcase_add_loop_test(tcase, dump_masks_passwords, 0, ARRAY_SIZE(masked));
        tcase_add_test(tcase, dump_hides_a_password_that_is_no_url);
        tcase_add_loop_test(tcase, images_come_from_glance_where_there_is_a_cloud, 0, ARRAY_SIZE(sources));
        tcase_add_test(tcase, a_service_user_without_a_way_to_authenticate_is_noted);
        tcase_add_test(tcase, changes_are_told_with_what_needs_a_restart);
        tcase_add_test(tcase, only_what_may_change_is_applied_and_texts_stay_where_they_are_held);
        tcase_add_loop_test(tcase, every_setting_that_reloads_is_applied, 0, (int)n_settings);
        tcase_add_test(tcase, example_file_is_what_the_table_says);
        tcase_add_test(tcase, manual_page_is_what_the_tables_say);
        tcase_add_test(tcase, example_file_sets_every_option_to_its_default);
        suite_add_tcase(suite, tcase);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
