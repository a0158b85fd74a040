/* tests/unit/agent/test_conf_errors.c: wrong configuration files, and what is said about them. */
#include "conf_file.h"

#include "base/list.h"

struct wrong_file {
        const char *text;
        const char *errors;
};

static const struct wrong_file wrong_files[] = {
        /* names */
        { "hots = 'a'\n", "F:1: there is no option \"hots\", did you mean \"host\"?\n" },
        { "\n\nmax_concurent_builds = 3\n",
          "F:3: there is no option \"max_concurent_builds\", did you mean \"max_concurrent_builds\"?\n" },
        { "Debug = true\n", "F:1: there is no option \"Debug\", did you mean \"debug\"?\n" },
        { "zzz = 1\n", "F:1: there is no option \"zzz\"\n" },
        { "virt_type = 'qemu'\n",
          "F:1: there is no option \"virt_type\": it belongs into the section \"libvirt\"\n" },
        { "libvirt {\n  my_ip = '10.0.0.1'\n}\n",
          "F:2: there is no option \"my_ip\" in section \"libvirt\": it "
          "belongs to the top level, outside of sections\n" },
        { "libvirt {\n  vrit_type = 'qemu'\n}\n",
          "F:2: there is no option \"vrit_type\" in section \"libvirt\", did you mean \"virt_type\"?\n" },
        { "libvrit {\n  virt_type = 'qemu'\n}\n",
          "F:1: there is no section \"libvrit\", did you mean \"libvirt\"?\n" },
        { "nonsense { a = 1 b { c = 2 } }\nhots = 1\n", "F:1: there is no section \"nonsense\"\nF:2: there "
                                                        "is no option \"hots\", did you mean \"host\"?\n" },
        { "DEFAULT {\n  host = 'a'\n}\n",
          "F:1: there is no section \"DEFAULT\": what nova has in [DEFAULT] stands at the top level here\n" },
        { "[libvirt]\nhost = 'a'\n",
          "F:1: a section is written NAME { ... }, and [DEFAULT] is the top level of "
          "the file\n" },
        { "include('/etc/x')\n",
          "F:1: there is no include here: files of a --config-dir are read in the order of their names\n" },

        /* values */
        { "report_interval = ten\n", "F:1: report_interval must be a whole decimal number, not \"ten\"\n" },
        { "report_interval = 010\n",
          "F:1: report_interval must not begin with 0, which some would read as octal: write 10\n" },
        { "periodic_fuzzy_delay = 00\n",
          "F:1: periodic_fuzzy_delay must not begin with 0, which some would read as octal: write 0\n" },
        { "report_interval = 0x10\n", "F:1: report_interval must be a whole decimal number, not \"0x10\"\n" },
        { "report_interval = 10s\n",
          "F:1: report_interval must be a number of seconds without a unit, not \"10s\"\n" },
        { "report_interval = 1.5\n", "F:1: report_interval must be a whole decimal number, not \"1.5\"\n" },
        { "report_interval = 0\n", "F:1: report_interval must be 1 to 86400 seconds, not 0\n" },
        { "report_interval = -\n", "F:1: report_interval must be a whole decimal number, not \"-\"\n" },
        { "report_interval = ''\n", "F:1: report_interval must not be empty\n" },
        { "report_interval = 99999999999999999999\n",
          "F:1: report_interval must be 1 to 86400 seconds, not 99999999999999999999\n" },
        { "cpu_allocation_ratio = 1,5\n",
          "F:1: cpu_allocation_ratio: something stands right after the value: "
          "put all of it in single quotes\n" },
        { "cpu_allocation_ratio = '1,5'\n",
          "F:1: cpu_allocation_ratio must be a decimal fraction like 1.5, not \"1,5\"\n" },
        { "cpu_allocation_ratio = -1\n",
          "F:1: cpu_allocation_ratio must be a decimal fraction like 1.5, not \"-1\"\n" },
        { "cpu_allocation_ratio = inf\n",
          "F:1: cpu_allocation_ratio must be a decimal fraction like 1.5, not \"inf\"\n" },
        { "cpu_allocation_ratio = 1000000\n", "F:1: cpu_allocation_ratio must be 0 to 10000, not 1000000\n" },
        { "periodic_enable = maybe\n", "F:1: periodic_enable must be true or false, not \"maybe\"\n" },
        { "running_deleted_instance_action = 'kill'\n",
          "F:1: running_deleted_instance_action must be one of reap "
          "shutdown log noop, not \"kill\"\n" },
        { "libvirt { images_type = 'rbd'\n}\n",
          "F:1: images_type must be one of default qcow2 raw flat, not \"rbd\"\n" },
        { "compute_driver = 'ironic.IronicDriver'\n",
          "F:1: compute_driver must be libvirt.LibvirtDriver, not \"ironic.IronicDriver\"\n" },
        { "my_ip = '10.0.0.256'\n", "F:1: my_ip must be an IPv4 or IPv6 address\n" },
        { "host = 'node 17'\n", "F:1: host must be a host name: letters, digits and - _ . only\n" },
        { "state_path = 'var'\n",
          "F:1: state_path must be a path from / or from $state_path, not \"var\"\n" },
        { "state_path = '$state_path/x'\n", "F:1: state_path cannot begin with itself\n" },
        { "instances_path = '$home/x'\n",
          "F:1: instances_path must be a path from / or from $state_path, not \"$home/x\"\n" },
        { "instances_path = '$state_pathology/x'\n",
          "F:1: instances_path must be a path from / or from $state_path, not \"$state_pathology/x\"\n" },
        { "libvirt {\ndisk_cachemodes = 'file=fast'\n}\n",
          "F:2: disk_cachemodes must be a list of KIND=MODE: file, block, network or mount; default, none, "
          "writethrough, writeback, directsync or unsafe\n" },
        { "libvirt {\ndisk_cachemodes = 'file=none,writeback'\n}\n",
          "F:2: disk_cachemodes must be a list of KIND=MODE: file, block, network or mount; default, none, "
          "writethrough, writeback, directsync or unsafe\n" },
        { "instance_name_template = 'guest'\n",
          "F:1: instance_name_template must have exactly one of %d, %x, %X: the number of the instance\n" },
        { "instance_name_template = '%d-%d'\n",
          "F:1: instance_name_template must have exactly one of %d, %x, %X: the number of the instance\n" },
        { "instance_name_template = '%s'\n",
          "F:1: instance_name_template may only have %d, %x, %X (with a width) and %%\n" },
        { "instance_name_template = 'x%'\n",
          "F:1: instance_name_template may only have %d, %x, %X (with a width) and %%\n" },
        { "heartbeat_file_name = '../x'\n",
          "F:1: heartbeat_file_name must be the name of a file, without a directory\n" },
        { "host = 'a\\\tb'\n", "F:1: host must not have control characters in it\n" },
        { "compute {\n  max_disk_devices_to_attach = 0\n}\n",
          "F:2: max_disk_devices_to_attach must not be 0: a guest needs its root disk\n" },
        { "transport_url = 'rabbit://nova:geheim@[::1/'\n",
          "F:1: transport_url cannot be read: the address has no closing bracket\n" },
        { "transport_url = 'rabbit://nova:geheim@mq:port/'\n",
          "F:1: transport_url cannot be read: the port is a number from 1 to 65535\n" },
        { "transport_url = 'rabbit://nova:50%geheim@mq/'\n",
          "F:1: transport_url cannot be read: a % in the password needs two hexadecimal digits (%25 for % "
          "itself)\n" },
        { "transport_url = 'rabbit://mq/nova?sll=1'\n",
          "F:1: transport_url cannot be read: unknown option \"sll\"\n" },
        { "transport_url = 'rabbit://mq/nova?ssl=perhaps'\n",
          "F:1: transport_url cannot be read: ssl is true or false\n" },
        { "transport_url = 'rabbit://nova:123?geheim=@mq/nova'\n",
          "F:1: transport_url cannot be read: an @ stands after the ?; write ? @ in a password as %3F "
          "%40\n" },
        { "database { connection = 'mysql://nova:geheim@db' }\n",
          "F:1: connection cannot be read: no database is named: mysql://user:password@host/DATABASE\n" },
        { "database { connection = 'mysql://nova@db/nova?geheim@=1' }\n",
          "F:1: connection cannot be read: an @ stands after the ?; write ? @ in a password as %3F %40\n" },
        { "libvirt { connection_uri = 'xen:///system'\n}\n",
          "F:1: connection_uri must be qemu:///system, qemu:///embed?root=DIR, qemu+ssh://HOST/system or the "
          "like\n" },
        { "libvirt { connection_uri = 'qemu:///'\n}\n",
          "F:1: connection_uri must be qemu:///system, qemu:///embed?root=DIR, qemu+ssh://HOST/system or the "
          "like\n" },
        { "libvirt { connection_uri = 'qemu:///embed?root=libvirt'\n}\n",
          "F:1: connection_uri must be qemu:///embed?root=DIR, DIR from /\n" },
        { "database { mysql_sql_mode = \"ANSI'\"\n}\n",
          "F:1: mysql_sql_mode must be names of modes with commas between them\n" },
        { "healthcheck { socket = '/run/compute-agent/rpc.sock'\n}\n",
          "F:1: [healthcheck] socket is the one that transport_url names, too\n" },
        { "transport_url = 'rabbit://mq/'\ncontrol_socket = '/run/x'\nhealthcheck { socket = '/run/x'\n}\n",
          "F:3: [healthcheck] socket is the one that control_socket names, too\n" },
        { "transport_url = 'tcp://x'\n", "F:1: transport_url must be unix:/PATH (the local socket) or "
                                         "rabbit://USER:PASSWORD@HOST:PORT/VHOST\n" },

        /* what libconfuse accepts in silence */
        { "host = a#b\n",
          "F:1: host: the # would begin a comment and cut the value: put it in single quotes\n" },
        { "host = \"a${HOME}b\"\n",
          "F:1: ${...} between double quotes is replaced from the environment: use single quotes\n" },
        { "host = a${HOME}\n",
          "F:1: host: ${...} is replaced from the environment: put the value in single quotes\n" },
        { "host = ${HOME}\n",
          "F:1: host: ${...} is replaced from the environment: put the value in single quotes\n" },
        { "host = \"a\\d\"\n",
          "F:1: a backslash between double quotes changes what follows: use single quotes\n" },
        { "libvirt {\n  virt_type = 'kvm'\n",
          "F:1: section \"libvirt\" opens here and is not closed: a } is missing\n" },
        { "libvirt {\n  virt_type = 'kvm'\n\nvnc {\n  enabled = nope\n}\n",
          "F:4: section \"vnc\" opens inside section \"libvirt\" of line 1: is a } missing before it?\n"
          "F:5: enabled must be true or false, not \"nope\"\n" },
        { "libvirt {\n  vnc {\n    enabled = true\n  }\n}\nhots = 1\n",
          "F:2: section \"vnc\" opens inside section \"libvirt\" of line 1: is a } missing before it?\n"
          "F:6: there is no option \"hots\", did you mean \"host\"?\n" },
        { "neutron {\n  a = 'b'\n", "F:1: the section that opens here is not closed: a } is missing\n" },
        { "placement {\n  auth_type = 'password'\n  auth_url = 'http://k:5000'\n  username = 'nova'\n"
          "  user_domain_id = 'default'\n  project_name = 'service'\n}\n",
          "F:2: [placement] auth_type = 'password' needs password\n"
          "F:2: [placement] auth_type = 'password' needs project_domain_name\n" },
        { "service_user {\n  auth_type = 'password'\n  auth_url = 'http://k:5000'\n  username = 'nova'\n"
          "  password = 'p'\n  user_domain_id = 'default'\n  project_domain_id = 'default'\n}\n",
          "F:2: [service_user] auth_type = 'password' needs project_name\n" },
        { "glance {\n  api_servers = 'http://a, glance:9292'\n}\n",
          "F:2: api_servers must be http://HOST:PORT or https://..., several separated by commas\n" },
        { "placement {\n  auth_url = 'keystone:5000'\n}\n",
          "F:2: auth_url must be http://HOST:PORT/... or https://...\n" },
        { "host = 'a'\nreport_interval = 5\nhost = 'b'\n",
          "F:3: host is set a second time; the first is on line 1\n" },
        { "libvirt {\n  virt_type = 'kvm'\n}\nlibvirt {\n  virt_type = 'qemu'\n}\n",
          "F:5: virt_type is set a second time; the first is on line 2\n" },
        { "rpc_ping_enabled = true\nrpc_ping_enabled = false\n",
          "F:2: rpc_ping_enabled is set a second time; the first is on line 1\n" },
        { "host = a*b\n",
          "F:1: host: something stands right after the value: put all of it in single quotes\n" },

        /* what libconfuse stops at */
        { "}\nhots = 1\n",
          "F:1: this } closes nothing\nF:2: there is no option \"hots\", did you mean \"host\"?\n" },
        { "host 'a'\n", "F:1: = is missing after \"host\"\n" },
        { "host\n", "F:1: = is missing after \"host\"\n" },
        { "host =\nreport_interval = 0\n", "F:1: host: there is no value: an empty one is written ''\nF:2: "
                                           "report_interval must be 1 to 86400 seconds, not 0\n" },
        { "host = // x\n", "F:1: host: there is no value: an empty one is written ''\n" },
        { "libvirt { virt_type = }\n", "F:1: virt_type: there is no value: an empty one is written ''\n" },
        { "host = a b\n", "F:1: host: text after the value: one with blanks belongs in single quotes\n" },
        { "host = 'a'b\n", "F:1: host: something stands right after the value: a quote inside it needs a "
                           "backslash before it\n" },
        { "host = {'a', 'b'}\n", "F:1: host: a list is written as one text in quotes: 'a,b'\n" },
        { "host = (a)\n", "F:1: host: the value needs single quotes around it\n" },
        { "host = = 'a'\n", "F:1: host: the value needs single quotes around it\n" },
        { "host += 'a'\n", "F:1: = is missing after \"host\"\n" },
        { "'host' = 'a'\n", "F:1: the name of an option or of a section belongs here\n" },
        { "= 1\n", "F:1: the name of an option or of a section belongs here\n" },
        { "host = 'a\nhots = 'b'\n", "F:1: the quote that opens here is not closed on this line\n"
                                     "F:2: there is no option \"hots\", did you mean \"host\"?\n" },
        { "host = \"a", "F:1: the quote that opens here is not closed on this line\n" },
        { "host = 'a\\", "F:1: the quote that opens here is not closed on this line\n" },
        { "host = 'a\\'\n", "F:1: the quote that opens here is not closed on this line\n" },
        { "/* one\ntwo */ hots = 1\n/* no end\n",
          "F:2: there is no option \"hots\", did you mean \"host\"?\n"
          "F:3: the comment that begins here has no end: */ is missing\n" },
        { "\xef\xbb\xbfhots = 1\n", "F:1: the file begins with a byte order mark: save it without one\n"
                                    "F:1: there is no option \"hots\", did you mean \"host\"?\n" },
        { "# a\x01\n", "F:1: a control character (0x01) stands on this line\n" },
};

START_TEST(wrong_file_is_refused_with_line_and_reason)
{
        const struct wrong_file *wrong = &wrong_files[_i];
        CLEANUP(freep) char *errors = NULL;

        ck_assert_ptr_null(conf_of_bytes(wrong->text, strlen(wrong->text), &errors));
        ck_assert_str_eq(errors, wrong->errors);
}
END_TEST

START_TEST(all_mistakes_are_told_at_once)
{
        static const char text[] = "host = 'here'\n"
                                   "hots = 'there'\n"
                                   "report_interval = 010\n"
                                   "databse {\n"
                                   "    connection = 'x'\n"
                                   "}\n"
                                   "libvirt {\n"
                                   "    virt_type = 'vmware'\n"
                                   "    cpu_mode = none # a comment\n"
                                   "    cpu_mode = none\n"
                                   "    hw_machine_type = q35#x\n"
                                   "}\n"
                                   "vnc {\n"
                                   "    enabled = maybe\n";
        CLEANUP(freep) char *errors = NULL;

        ck_assert_ptr_null(conf_of_bytes(text, strlen(text), &errors));
        ck_assert_str_eq(
                errors,
                "F:2: there is no option \"hots\", did you mean \"host\"?\n"
                "F:3: report_interval must not begin with 0, which some would read as octal: write 10\n"
                "F:4: there is no section \"databse\", did you mean \"database\"?\n"
                "F:8: virt_type must be one of kvm qemu, not \"vmware\"\n"
                "F:10: cpu_mode is set a second time; the first is on line 9\n"
                "F:11: hw_machine_type: the # would begin a comment and cut the value: put it in single "
                "quotes\n"
                "F:13: section \"vnc\" opens here and is not closed: a } is missing\n"
                "F:14: enabled must be true or false, not \"maybe\"\n");
}
END_TEST

/* A secret that was written wrongly must not come out in the message about it. */
START_TEST(no_message_shows_a_password)
{
        static const char *const values[] = {
                "mysql://nova:geheim#x@db/nova",
                "\"mysql://nova:geheim${x}@db/nova\"",
                "'postgresql://nova:geheim@db/nova'",
                "mysql://nova:geheim @db/nova",
                "'mysql://nova:geheim@db/nova",
                "'mysql://nova:geheim'@db/nova'",
                "'nova:geheim@db'",
                "{ 'mysql://nova:geheim@db/nova' }",
                "mysql://nova:geheim,@db/nova",
                "\"mysql://nova:\\geheim@db/nova\"",
                "'mysql://nova:geheim@db/nova' geheim = 1",
        };
        CLEANUP(freep) char *text = xasprintf("database {\n  connection = %s\n}\n", values[_i]);
        CLEANUP(freep) char *errors = NULL;

        ck_assert_ptr_null(conf_of_bytes(text, strlen(text), &errors));
        ck_assert_str_ne(errors, "");
        ck_assert_msg(!strstr(errors, "geheim") || _i == 10, "%s",
                      errors); /* the last one is a name by itself */
}
END_TEST

START_TEST(text_behind_a_null_byte_is_not_trusted)
{
        static const char text[] = "host = 'a'\n\0report_interval = 5\n";
        CLEANUP(freep) char *errors = NULL;

        ck_assert_ptr_null(conf_of_bytes(text, sizeof(text) - 1, &errors));
        ck_assert_str_eq(errors, "F:2: a control character (0x00) stands on this line\n");
}
END_TEST

START_TEST(file_that_cannot_be_read_is_an_error)
{
        CLEANUP(strbuf_free) struct strbuf errors = {};

        ck_assert_ptr_null(conf_load("/nonexistent/compute-agent.conf", &errors));
        ck_assert_str_eq(errors.data,
                         "/nonexistent/compute-agent.conf: cannot be opened: No such file or directory\n");
        strbuf_truncate(&errors, 0);
        ck_assert_ptr_null(conf_load("/tmp", &errors));
        ck_assert_str_eq(errors.data, "/tmp: is not a regular file\n");
}
END_TEST

START_TEST(huge_file_is_refused)
{
        CLEANUP(strbuf_free) struct strbuf text = {};
        CLEANUP(freep) char *errors = NULL;

        while (text.len <= 1024 * 1024)
                strbuf_adds(&text, "# another line that says nothing\n");
        ck_assert_ptr_null(conf_of_bytes(text.data, text.len, &errors));
        ck_assert_str_eq(errors, "F: is larger than 1048576 bytes\n");
}
END_TEST

/* libconfuse's lexer stays inside a quote that the file before never closed: it must not get to see one. */
START_TEST(wrong_file_does_not_spoil_the_next_one)
{
        static const char *const texts[] = { "host = 'a", "host = \"a", "/* a", "libvirt {", "host = " };

        for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
                CLEANUP(freep) char *errors = NULL;
                struct conf *c;

                ck_assert_ptr_null(conf_of_bytes(texts[i], strlen(texts[i]), &errors));
                c = conf_of("host = 'good'\n");
                ck_assert_str_eq(c->host, "good");
                conf_free(c);
        }
}
END_TEST

/* Whatever is cut off or damaged: an answer, no crash (and no report from a sanitizer). */
START_TEST(damaged_file_gets_an_answer)
{
        static const char good[] =
                "host = 'a\\'b' # c\nlibvirt { virt_type = \"qemu\" /* x */ }\nvnc {\n"
                "  enabled = false // no\n}\ndatabase { connection = 'mysql://a:b@c/d' }\n";
        static const char damage[] = "'\"{}=#\\$/*\n\r\t \xff(+,";

        for (size_t i = 0; i < sizeof(good) - 1; i++) {
                CLEANUP(freep) char *errors = NULL;

                conf_free(conf_of_bytes(good, i, &errors));
                for (size_t j = 0; j < sizeof(damage) - 1; j++) {
                        CLEANUP(freep) char *copy = xstrdup(good), *other = NULL;

                        copy[i] = damage[j];
                        conf_free(conf_of_bytes(copy, sizeof(good) - 1, &other));
                }
        }
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("conf-errors");
        TCase *tcase = tcase_create("conf-errors");
        SRunner *runner = srunner_create(suite);
        int failed;

        tcase_add_loop_test(tcase, wrong_file_is_refused_with_line_and_reason, 0, ARRAY_SIZE(wrong_files));
        tcase_add_test(tcase, all_mistakes_are_told_at_once);
        tcase_add_loop_test(tcase, no_message_shows_a_password, 0, 11);
        tcase_add_test(tcase, text_behind_a_null_byte_is_not_trusted);
        tcase_add_test(tcase, file_that_cannot_be_read_is_an_error);
        tcase_add_test(tcase, huge_file_is_refused);
        tcase_add_test(tcase, wrong_file_does_not_spoil_the_next_one);
        tcase_add_test(tcase, damaged_file_gets_an_answer);
        tcase_set_timeout(tcase, 60);
        suite_add_tcase(suite, tcase);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
