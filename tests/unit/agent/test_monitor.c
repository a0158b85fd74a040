/*
 * tests/unit/agent/test_monitor.c: the pages as clients get them, of an agent of which nothing was started
 * but a hypervisor that counts how often somebody looks at it.
 */
#include "monitor/monitor.h"

#include <string.h>
#include <sys/socket.h>
#include <utime.h>

#include "base/mem.h"
#include "base/strbuf.h"
#include "conf/conf.h"
#include "green_test.h"
#include "messaging/local_socket.h"
#include "private_dir.h"

static unsigned looks;

static void count_look(struct virt_driver *d, struct virt_status *ret)
{
        assert_on_hub();
        looks++;
        *ret = (struct virt_status){ .connected = true, .uri = "here:///" };
}

static const struct virt_driver_ops ops = { .name = "counting", .get_status = count_look };
static struct virt_driver driver = { .ops = &ops };
static struct conf conf;
static struct admin_sources sources = { .conf = &conf, .driver = &driver };
static struct monitor *monitor;
static struct strbuf answer;

static void YIELDS set_up(void)
{
        struct error err = {};

        conf.host = xstrdup("node-1");
        conf.heartbeat_file_path = xstrdup(private_dir);
        conf.heartbeat_file_name = xstrdup("beat");
        conf.heartbeat_interval = 10;
        conf.images.source = xstrdup("local");
        conf.healthcheck.socket = xasprintf("%s/http.sock", private_dir);
        sources.started_ns = clock_now_ns();
        monitor = monitor_start(&sources, &err);
        ck_assert_msg(monitor != NULL, "%s", err.text);
}

static void YIELDS tear_down(void)
{
        monitor_stop(monitor);
        free(conf.host);
        free(conf.heartbeat_file_path);
        free(conf.heartbeat_file_name);
        free(conf.images.source);
        free(conf.healthcheck.socket);
        strbuf_free(&answer);
}

/* The whole answer, with its head, into `answer`. */
static void YIELDS ask(const char *path)
{
        CLEANUP(freep)
        char *text = xasprintf("GET %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", path);
        struct deadline by = deadline_in_s(30);
        struct error err = {};
        int fd = local_connect(conf.healthcheck.socket, by, &err);
        char part[4096];
        ssize_t n;

        ck_assert_msg(fd >= 0, "%s", err.text);
        ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
        strbuf_truncate(&answer, 0);
        do {
                ck_assert_int_gt(green_wait_fd(fd, GREEN_READ, by, &err), 0);
                n = recv(fd, part, sizeof(part), 0);
                if (n > 0)
                        strbuf_add(&answer, part, (size_t)n);
        } while (n != 0);
        green_close(fd);
}

static void expect_text(const char *text)
{
        ck_assert_msg(strstr(answer.data, text), "no \"%s\" in:\n%s", text, answer.data);
}

static void YIELDS expect_made_once_a_second(const char *path)
{
        enum { PROBES = 300 };
        unsigned looks_a_page, most;
        int64_t began;

        looks = 0;
        ask(path);
        looks_a_page = looks;
        ck_assert_uint_gt(looks_a_page, 0);
        began = clock_now_ns();
        for (int i = 0; i < PROBES; i++)
                ask(path);
        most = (unsigned)clock_since_s(began) + 2; /* so many pages at most, and far fewer than probes */
        ck_assert_uint_le(looks, most * looks_a_page);
        ck_assert_uint_lt(most, PROBES);
}

GREEN_TEST_REAL(however_many_ask_a_page_is_made_once_a_second)
{
        set_up();
        expect_made_once_a_second("/health");
        expect_made_once_a_second("/metrics");
        tear_down();
}

GREEN_TEST_REAL(a_page_is_made_anew_when_it_is_a_second_old)
{
        struct error err = {};

        set_up();
        ask("/health");
        looks = 0;
        ck_assert_ok(green_sleep(1.001, &err), err);
        ask("/health");
        ck_assert_uint_gt(looks, 0);
        tear_down();
}

GREEN_TEST_REAL(health_is_what_the_specification_wants)
{
        set_up();
        ask("/health");
        expect_text("HTTP/1.1 200 OK\r\n");
        expect_text("Content-Type: application/health+json\r\n");
        expect_text("Cache-Control: max-age=1\r\n");
        expect_text("\"status\": \"warn\"");
        expect_text("\"version\": \"1.0\"");
        expect_text("\"releaseId\": \"" AGENT_VERSION "\"");
        expect_text("\"description\": \"nova-compute\"");
        expect_text("\"host\": \"node-1\"");
        expect_text("+00:00\"");
        tear_down();
}

GREEN_TEST_REAL(what_fails_is_an_error_that_nobody_keeps)
{
        CLEANUP(freep) char *path = xasprintf("%s/beat", private_dir);
        struct utimbuf old = { .actime = clock_wall_s() - 600, .modtime = clock_wall_s() - 600 };
        FILE *f;

        set_up();
        f = fopen(path, "we");
        ck_assert_ptr_nonnull(f);
        fclose(f);
        ck_assert_int_eq(utime(path, &old), 0);
        ask("/health");
        expect_text("HTTP/1.1 503 ");
        expect_text("Cache-Control: no-cache\r\n");
        expect_text("\"status\": \"fail\"");
        ask("/metrics");
        expect_text("compute_agent_health{check=\"heartbeat\"} 2\n");
        expect_text("compute_agent_health{check=\"hypervisor\"} 0\n");
        expect_text("compute_agent_health{check=\"database\"} 1\n");
        tear_down();
}

GREEN_SUITE("monitor", however_many_ask_a_page_is_made_once_a_second,
            a_page_is_made_anew_when_it_is_a_second_old, health_is_what_the_specification_wants,
            what_fails_is_an_error_that_nobody_keeps)
