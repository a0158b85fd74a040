/* tests/unit/messaging/test_transport_unix.c: the local socket, its well-behaved peers and the others. */
#include "messaging/transport.h"

#include <grp.h>

#include "base/list.h"
#include "socket_test.h"

static const struct transport_target target = { .exchange = "nova", .topic = "compute", .server = "host" };

static unsigned n_refused;
static char last_refused[ERROR_TEXT_MAX];

static void refused(const struct error *why, void *arg)
{
        (void)arg;
        assert_on_hub();
        n_refused++;
        snprintf(last_refused, sizeof(last_refused), "%s", why->text);
}

static struct transport *YIELDS listening(const char *name)
{
        const struct transport_options opt = { .refused = refused };
        struct error err = {};
        struct transport *t = transport_new_with(test_url(name), &opt, &err);

        ck_assert_msg(t != NULL, "%s", err.text);
        ck_assert_ok(transport_listen(t, &target, &err), err);
        return t;
}

static struct transport_message *YIELDS receive(struct transport *t)
{
        struct transport_message *m = NULL;
        struct error err = {};

        ck_assert_ok(transport_receive(t, deadline_in_s(3600), &m, &err), err);
        return m;
}

static void YIELDS expect_message(struct transport *t, const char *body)
{
        struct transport_message *m = receive(t);

        ck_assert_str_eq(m->body, body);
        ck_assert_uint_eq(m->len, strlen(body));
        transport_message_free(m);
}

static void YIELDS expect_nothing(struct transport *t)
{
        struct transport_message *m = NULL;
        struct error err;

        ck_assert_fails(transport_receive(t, deadline_in_ms(1), &m, &err), err, ERR_TIMEOUT);
}

/* ---- making it ---- */

GREEN_TEST(urls_are_checked)
{
        static const struct {
                const char *url;
                int code;
                const char *because;
        } rows[] = {
                { "amqp://guest:secret@localhost/", ERR_UNSUPPORTED, "\"amqp\"" },
                { "unixx:/path", ERR_UNSUPPORTED, "\"unixx\"" },
                { "uni:/path", ERR_UNSUPPORTED, "\"uni\"" },
                { "", ERR_INVALID, "no scheme" },
                { ":", ERR_INVALID, "no scheme" },
                { "/run/rpc.sock", ERR_INVALID, "no scheme" },
                { "unix:", ERR_INVALID, "expected unix:/path" },
                { "unix:/", ERR_INVALID, "expected unix:/path" },
                { "unix:run/rpc.sock", ERR_INVALID, "expected unix:/path" },
                { "unix://host/path", ERR_INVALID, "expected unix:/path" },
        };

        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct error err = {};

                ck_assert_msg(transport_new(rows[i].url, &err) == NULL, "%s", rows[i].url);
                ck_assert_int_eq(err.code, rows[i].code);
                ck_assert_msg(strstr(err.text, rows[i].because) != NULL, "%s: %s", rows[i].url, err.text);
                ck_assert_msg(strstr(err.text, "secret") == NULL, "%s", err.text);
        }
}

GREEN_TEST(the_socket_file_lives_as_long_as_the_transport)
{
        struct transport *t = listening("file");
        struct stat st;
        char text[160];
        bool ok;

        ck_assert_int_eq(stat(test_path("file"), &st), 0);
        ck_assert(S_ISSOCK(st.st_mode));
        ck_assert_uint_eq(st.st_mode & 07777, 0660);
        transport_describe(t, text, sizeof(text), &ok);
        ck_assert(ok && strstr(text, "listening, 0 connections"));
        transport_free(t);
        ck_assert_int_eq(stat(test_path("file"), &st), -1);
}

GREEN_TEST(a_missing_directory_is_made)
{
        struct error err = {};
        struct stat st;
        struct transport *t = transport_new(test_url("new/sock"), &err);

        ck_assert_ok(transport_listen(t, &target, &err), err);
        ck_assert_int_eq(stat(test_path("new/sock"), &st), 0);
        transport_free(t);
}

/* A process that was killed leaves its file. */
static void leave_stale_socket(const char *path)
{
        struct sockaddr_un addr = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        memcpy(addr.sun_path, path, strlen(path));
        ck_assert_int_eq(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
        ck_assert_int_eq(listen(fd, 1), 0);
        close(fd);
}

GREEN_TEST(a_stale_socket_is_replaced)
{
        struct transport *t;
        int fd;

        leave_stale_socket(test_path("stale"));
        t = listening("stale");
        fd = raw_connect(test_path("stale"));
        raw_send(fd, "x");
        expect_message(t, "x");
        green_close(fd);
        transport_free(t);
}

GREEN_TEST(a_socket_somebody_answers_on_is_left_alone)
{
        struct transport *first = listening("busy"), *second;
        struct error err = {};
        int fd;

        second = transport_new(test_url("busy"), &err);
        ck_assert_fails(transport_listen(second, &target, &err), err, ERR_BUSY);
        transport_free(second);
        fd = raw_connect(test_path("busy"));
        raw_send(fd, "x");
        expect_message(first, "x");
        green_close(fd);
        transport_free(first);
}

GREEN_TEST(a_file_that_is_no_socket_is_left_alone)
{
        struct error err = {};
        struct stat st;
        struct transport *t = transport_new(test_url("regular"), &err);
        FILE *f = fopen(test_path("regular"), "we");

        ck_assert_ptr_nonnull(f);
        fclose(f);
        ck_assert_fails(transport_listen(t, &target, &err), err, ERR_INVALID);
        ck_assert_msg(strstr(err.text, "not a socket") != NULL, "%s", err.text);
        transport_free(t);
        ck_assert_int_eq(stat(test_path("regular"), &st), 0);
}

GREEN_TEST(only_our_own_socket_file_is_removed)
{
        struct transport *t = listening("replaced");
        struct stat st;

        ck_assert_int_eq(unlink(test_path("replaced")), 0);
        leave_stale_socket(test_path("replaced"));
        transport_free(t);
        ck_assert_int_eq(stat(test_path("replaced"), &st), 0);
}

GREEN_TEST(a_path_that_is_too_long_is_refused)
{
        char url[300];
        struct error err = {};
        struct transport *t;

        snprintf(url, sizeof(url), "unix:%s/%0150d", private_dir, 1);
        t = transport_new(url, &err);
        ck_assert_fails(transport_listen(t, &target, &err), err, ERR_INVALID);
        ck_assert_msg(strstr(err.text, "longer than") != NULL, "%s", err.text);
        transport_free(t);
}

/* ---- messages ---- */

GREEN_TEST(messages_arrive_in_order_with_the_peers_uid)
{
        struct transport *t = listening("order");
        struct transport_message *m;
        int fd = raw_connect(test_path("order"));
        struct error err = {};

        raw_send(fd, "one");
        raw_send(fd, "two");
        m = receive(t);
        ck_assert_str_eq(m->body, "one");
        ck_assert_uint_eq(m->peer_uid, geteuid());
        ck_assert_ok(transport_ack(m, &err), err);
        transport_message_free(m);
        expect_message(t, "two");
        green_close(fd);
        transport_free(t);
}

/* One connection by who we are now: does its message say that it comes from the group? */
static bool YIELDS comes_from_the_group(struct transport *t, const char *name)
{
        int fd = raw_connect(test_path(name));
        struct transport_message *m;
        bool in_group;

        raw_send(fd, "hello");
        m = receive(t);
        in_group = m->peer_in_group;
        transport_message_free(m);
        green_close(fd);
        return in_group;
}

GREEN_TEST(members_of_the_group_are_told_apart_by_all_their_groups)
{
        static const gid_t others[] = { 50123, 50124 }, ours[] = { 50123, 50001, 50124 };
        const bool root = geteuid() == 0;
        const struct transport_options opt = { .has_group = true, .group = root ? ours[1] : getegid() };
        struct error err = {};
        struct transport *t = transport_new_with(test_url("group"), &opt, &err);
        struct stat st;

        ck_assert_ok(transport_listen(t, &target, &err), err);
        ck_assert_int_eq(stat(test_path("group"), &st), 0);
        ck_assert_uint_eq(st.st_gid, opt.group);
        ck_assert_uint_eq(st.st_mode & 0777, 0660);
        if (root) {
                ck_assert_int_eq(setgroups(ARRAY_SIZE(others), others), 0);
                ck_assert(!comes_from_the_group(t, "group"));
                ck_assert_int_eq(setgroups(ARRAY_SIZE(ours), ours), 0);
                ck_assert(comes_from_the_group(t, "group"));
                ck_assert_int_eq(setgroups(0, NULL), 0);
                ck_assert_int_eq(setegid(ours[1]), 0);
        }
        ck_assert(comes_from_the_group(t, "group"));
        transport_free(t);
}

GREEN_TEST(a_group_that_cannot_have_the_socket_is_told_and_the_socket_works)
{
        const struct transport_options opt = { .refused = refused, .has_group = true, .group = 50002 };
        struct error err = {};
        struct transport *t = transport_new_with(test_url("closed"), &opt, &err);

        ck_assert_int_eq(chmod(private_dir, 0777), 0);
        if (geteuid() == 0)
                ck_assert_int_eq(seteuid(50003), 0);
        ck_assert_ok(transport_listen(t, &target, &err), err);
        ck_assert_uint_eq(n_refused, 1);
        ck_assert_msg(strstr(last_refused, "to group 50002") != NULL, "%s", last_refused);
        ck_assert(!comes_from_the_group(t, "closed"));
        transport_free(t);
        if (getuid() == 0)
                ck_assert_int_eq(seteuid(0), 0); /* LeakSanitizer needs the right to trace */
}

GREEN_TEST(a_frame_may_come_byte_by_byte)
{
        static const char frame[] = "\0\0\0\3abc";
        struct transport *t = listening("bytes");
        int fd = raw_connect(test_path("bytes"));

        for (size_t i = 0; i < sizeof(frame) - 1; i++) {
                raw_bytes(fd, frame + i, 1);
                ck_assert_int_eq(green_sleep(0.01, &(struct error){}), 0);
        }
        expect_message(t, "abc");
        green_close(fd);
        transport_free(t);
}

static int send_large(void *arg, struct error *err)
{
        int fd = *(int *)arg;
        char *body = malloc(TRANSPORT_BODY_MAX);
        bool begun;
        int r;

        assert_green();
        memset(body, 'x', TRANSPORT_BODY_MAX);
        r = frame_write(&fd, body, TRANSPORT_BODY_MAX, deadline_in_s(60), &begun, err);
        free(body);
        return r;
}

GREEN_TEST_REAL(the_largest_frame_arrives)
{
        struct transport *t = listening("large");
        struct transport_message *m;
        int fd = raw_connect(test_path("large"));
        struct error err = {};

        ck_assert_ok(green_spawn(NULL, "sender", send_large, &fd, &err), err);
        m = receive(t);
        ck_assert_uint_eq(m->len, TRANSPORT_BODY_MAX);
        ck_assert_int_eq(m->body[TRANSPORT_BODY_MAX - 1], 'x');
        transport_message_free(m);
        green_close(fd);
        transport_free(t);
}

/* Each bad peer loses its connection, which is told; a good one beside it does not notice. */
static void YIELDS bad_peer(const char *name, const void *bytes, size_t len, bool ends, const char *why)
{
        struct transport *t = listening(name);
        int good = raw_connect(test_path(name)), bad = raw_connect(test_path(name));

        raw_bytes(bad, bytes, len);
        if (ends)
                shutdown(bad, SHUT_WR);
        raw_expect_hang_up(bad);
        green_close(bad);
        expect_nothing(t);
        raw_send(good, "still here");
        expect_message(t, "still here");
        green_close(good);
        ck_assert_uint_eq(n_refused, 1);
        ck_assert_msg(strncmp(last_refused, "local socket: connection closed: ", 33) == 0 &&
                              strstr(last_refused, why),
                      "%s", last_refused);
        transport_free(t);
        ck_assert_uint_eq(n_refused, 1);
}

GREEN_TEST(an_oversized_frame_costs_the_connection)
{
        bad_peer("oversized", "\1\0\0\1", 4, false, "a frame of 16777217 bytes; 16777216 are allowed");
}

GREEN_TEST(a_frame_that_announces_four_gigabytes_costs_the_connection)
{
        bad_peer("huge", "\xff\xff\xff\xff", 4, false, "a frame of 4294967295 bytes");
}

GREEN_TEST(an_empty_frame_costs_the_connection)
{
        bad_peer("empty", "\0\0\0\0", 4, false, "an empty frame");
}

GREEN_TEST(a_frame_cut_off_in_its_body_is_dropped)
{
        bad_peer("cut", "\0\0\0\x0ahello", 9, true, "the stream ended inside a frame");
}

GREEN_TEST(a_frame_cut_off_in_its_head_is_dropped)
{
        bad_peer("cut-head", "\0\0", 2, true, "the stream ended inside a frame");
}

/* Fake clock: the 30 seconds that a frame may take pass at once. */
GREEN_TEST(a_frame_that_never_ends_costs_the_connection)
{
        bad_peer("slow", "\0\0\0\x0ahello", 9, false, "the rest of a frame did not come in time");
        ck_assert_int_ge(clock_fake_elapsed_ms(), 30000);
}

GREEN_TEST(a_rejected_message_costs_its_sender_the_connection)
{
        struct transport *t = listening("reject");
        struct transport_message *m;
        int fd = raw_connect(test_path("reject"));

        raw_send(fd, "not json");
        m = receive(t);
        transport_reject(m);
        transport_message_free(m);
        raw_expect_hang_up(fd);
        green_close(fd);
        transport_free(t);
}

/* ---- replies ---- */

static int YIELDS reply(struct transport_message *m, const char *body, struct error *err)
{
        return transport_reply(m, "reply_x", body, strlen(body), deadline_in_s(5), err);
}

GREEN_TEST(replies_go_back_the_way_the_request_came)
{
        struct transport *t = listening("replies");
        struct transport_message *from_a, *from_b;
        struct error err = {};
        int a = raw_connect(test_path("replies")), b = raw_connect(test_path("replies"));
        char CLEANUP(freep) *got_a = NULL, *got_b = NULL;

        raw_send(a, "a");
        from_a = receive(t);
        raw_send(b, "b");
        from_b = receive(t);
        ck_assert_ok(reply(from_b, "to b", &err), err);
        ck_assert_ok(reply(from_a, "to a", &err), err);
        got_a = raw_receive(a);
        got_b = raw_receive(b);
        ck_assert_str_eq(got_a, "to a");
        ck_assert_str_eq(got_b, "to b");
        transport_message_free(from_a);
        transport_message_free(from_b);
        green_close(a);
        green_close(b);
        transport_free(t);
}

GREEN_TEST(a_reply_to_a_caller_that_is_gone_fails_without_harm)
{
        struct transport *t = listening("gone");
        struct transport_message *m;
        struct error err;
        int fd = raw_connect(test_path("gone"));

        raw_send(fd, "x");
        m = receive(t);
        green_close(fd);
        ck_assert_fails(reply(m, "late", &err), err, ERR_CLOSED);
        ck_assert_fails(reply(m, "later", &err), err, ERR_CLOSED);
        transport_message_free(m);
        transport_free(t);
}

GREEN_TEST(a_caller_that_only_listens_gets_its_reply)
{
        struct transport *t = listening("half");
        struct transport_message *m;
        struct error err = {};
        int fd = raw_connect(test_path("half"));
        char CLEANUP(freep) *got = NULL;

        raw_send(fd, "x");
        shutdown(fd, SHUT_WR);
        m = receive(t);
        ck_assert_int_eq(green_sleep(1, &err), 0); /* its reader has ended */
        ck_assert_ok(reply(m, "there you are", &err), err);
        transport_message_free(m);
        got = raw_receive(fd);
        ck_assert_str_eq(got, "there you are");
        raw_expect_hang_up(fd);
        green_close(fd);
        transport_free(t);
}

GREEN_TEST(a_caller_that_does_not_read_stops_nobody)
{
        struct transport *t = listening("stuck");
        struct transport_message *m;
        struct error err;
        int fd = raw_connect(test_path("stuck")), good = raw_connect(test_path("stuck"));
        char CLEANUP(freep) *large = malloc(TRANSPORT_BODY_MAX);

        memset(large, 'x', TRANSPORT_BODY_MAX);
        raw_send(fd, "x");
        m = receive(t);
        ck_assert_fails(transport_reply(m, "q", large, TRANSPORT_BODY_MAX, deadline_in_s(5), &err), err,
                        ERR_TIMEOUT);
        /* Half a reply is out: the stream is spoilt, so the connection is closed. */
        ck_assert_fails(reply(m, "more", &err), err, ERR_CLOSED);
        transport_message_free(m);
        raw_send(good, "y");
        expect_message(t, "y");
        green_close(fd);
        green_close(good);
        transport_free(t);
}

static int fill_socket(void *arg, struct error *err)
{
        struct transport_message *m = arg;
        char text[4096];

        assert_green();
        memset(text, 'x', sizeof(text));
        while (transport_reply(m, "q", text, sizeof(text), deadline_in_s(3600), err) == 0)
                ;
        transport_message_free(m);
        return 0;
}

/* As many workers as there are wait for it, each with a deadline of an hour. */
GREEN_TEST(a_caller_that_does_not_read_is_given_up_soon)
{
        struct transport *t = listening("lazy");
        struct green_group *workers = green_group_new("workers");
        int64_t began = clock_now_ns();
        struct error err = {};
        int fd = raw_connect(test_path("lazy"));
        char text[160];
        bool ok;

        for (int i = 0; i < 64; i++) {
                raw_send(fd, "x");
                ck_assert_ok(green_spawn(workers, "worker", fill_socket, receive(t), &err), err);
        }
        ck_assert_ok(green_group_wait(workers, deadline_in_s(7200), &err), err);
        ck_assert_double_le((double)(clock_now_ns() - began) / 1e9, 11);
        transport_describe(t, text, sizeof(text), &ok);
        ck_assert_msg(strstr(text, "0 connections") != NULL, "%s", text);
        green_group_close(workers);
        green_close(fd);
        transport_free(t);
}

GREEN_TEST(a_reply_that_is_too_large_is_refused_and_the_connection_stays)
{
        struct transport *t = listening("too-large");
        struct transport_message *m;
        struct error err;
        int fd = raw_connect(test_path("too-large"));
        char CLEANUP(freep) *large = calloc(1, TRANSPORT_BODY_MAX + 1), *got = NULL;

        raw_send(fd, "x");
        m = receive(t);
        ck_assert_fails(transport_reply(m, "q", large, TRANSPORT_BODY_MAX + 1, deadline_in_s(5), &err), err,
                        ERR_LIMIT);
        ck_assert_ok(reply(m, "small", &err), err);
        got = raw_receive(fd);
        ck_assert_str_eq(got, "small");
        transport_message_free(m);
        green_close(fd);
        transport_free(t);
}

/* ---- waiting, bounds, stopping ---- */

struct receiving {
        struct transport *t;
        struct error err;
        int r;
};

static int receive_in_background(void *arg, struct error *err)
{
        struct receiving *x = arg;
        struct transport_message *m;

        assert_green();
        (void)err;
        x->r = transport_receive(x->t, deadline_never(), &m, &x->err);
        return 0;
}

GREEN_TEST(receiving_times_out_and_can_be_cancelled)
{
        struct transport *t = listening("waits");
        struct transport_message *m;
        struct receiving x = { .t = t };
        struct error err = {};
        struct green *g;

        ck_assert_fails(transport_receive(t, deadline_in_s(3), &m, &err), err, ERR_TIMEOUT);
        ck_assert_int_eq(clock_fake_elapsed_ms(), 3000);
        g = green_spawn_ref(NULL, "receive", receive_in_background, &x, &err);
        green_yield();
        green_cancel(g);
        ck_assert_ok(green_join(g, deadline_in_s(1), NULL, &err), err);
        ck_assert_int_eq(x.r, -1);
        ck_assert_int_eq(x.err.code, ERR_CANCELLED);
        green_unref(g);
        transport_free(t);
}

GREEN_TEST(connections_have_a_bound)
{
        struct transport *t = listening("many");
        int fds[257];
        char text[160];
        bool ok;

        for (int i = 0; i < 257; i++) {
                fds[i] = raw_connect(test_path("many"));
                green_yield();
        }
        raw_expect_hang_up(fds[256]);
        transport_describe(t, text, sizeof(text), &ok);
        ck_assert_msg(strstr(text, "256 connections") != NULL, "%s", text);
        raw_send(fds[255], "x");
        expect_message(t, "x");
        /* When one leaves there is room for another. */
        green_close(fds[0]);
        green_close(fds[256]);
        ck_assert_int_eq(green_sleep(1, &(struct error){}), 0);
        fds[0] = raw_connect(test_path("many"));
        raw_send(fds[0], "y");
        expect_message(t, "y");
        for (int i = 0; i < 256; i++)
                green_close(fds[i]);
        transport_free(t);
}

GREEN_TEST(an_idle_connection_is_closed_in_the_end)
{
        struct transport *t = listening("idle");
        int fd = raw_connect(test_path("idle"));

        raw_expect_hang_up(fd);
        ck_assert_int_eq(clock_fake_elapsed_ms(), 1200 * 1000);
        green_close(fd);
        transport_free(t);
}

static int send_many(void *arg, struct error *err)
{
        int fd = *(int *)arg;

        assert_green();
        (void)err;
        for (int i = 0; i < 1000; i++) {
                char body[16];

                snprintf(body, sizeof(body), "%d", i);
                raw_send(fd, body);
        }
        return 0;
}

GREEN_TEST_REAL(a_flood_waits_in_the_socket_and_loses_nothing)
{
        struct transport *t = listening("flood");
        int fd = raw_connect(test_path("flood"));
        struct error err = {};

        ck_assert_ok(green_spawn(NULL, "sender", send_many, &fd, &err), err);
        for (int i = 0; i < 1000; i++) {
                char body[16];

                snprintf(body, sizeof(body), "%d", i);
                expect_message(t, body);
        }
        green_close(fd);
        transport_free(t);
}

GREEN_TEST(after_the_stop_what_was_sent_before_is_delivered)
{
        struct transport *t = listening("stop");
        struct transport_message *first, *m;
        struct error err = {};
        struct stat st;
        int fd = raw_connect(test_path("stop"));
        char CLEANUP(freep) *got = NULL;

        raw_send(fd, "first");
        first = receive(t);
        raw_send(fd, "second"); /* still in the kernel */
        transport_stop_consuming(t);
        ck_assert_int_eq(stat(test_path("stop"), &st), -1);
        expect_message(t, "second");
        ck_assert_fails(transport_receive(t, deadline_in_s(5), &m, &err), err, ERR_CLOSED);
        ck_assert_ok(reply(first, "done", &err), err);
        got = raw_receive(fd);
        ck_assert_str_eq(got, "done");
        transport_message_free(first);
        raw_expect_hang_up(fd);
        green_close(fd);
        transport_free(t);
}

GREEN_TEST(a_frame_that_is_half_there_at_the_stop_is_dropped)
{
        struct transport *t = listening("stop-half");
        struct transport_message *m;
        struct error err = {};
        int fd = raw_connect(test_path("stop-half"));

        raw_bytes(fd, "\0\0\0\x0a\0\0\0\1x", 9);
        ck_assert_int_eq(green_sleep(1, &err), 0);
        transport_stop_consuming(t);
        ck_assert_fails(transport_receive(t, deadline_in_s(5), &m, &err), err, ERR_CLOSED);
        raw_expect_hang_up(fd);
        green_close(fd);
        transport_free(t);
}

GREEN_TEST(a_message_to_ourselves_arrives)
{
        const struct transport_target other = { .exchange = "nova", .topic = "conductor" };
        struct transport *t = listening("self");
        struct error err = {};
        struct transport_message *m;

        ck_assert_ok(transport_publish(t, &target, "hi", 2, deadline_in_s(1), &err), err);
        m = receive(t);
        ck_assert_str_eq(m->body, "hi");
        ck_assert_uint_eq(m->peer_uid, geteuid());
        ck_assert_fails(reply(m, "nobody", &err), err, ERR_CLOSED);
        transport_message_free(m);
        ck_assert_fails(transport_publish(t, &other, "hi", 2, deadline_in_s(1), &err), err, ERR_NOT_FOUND);
        transport_free(t);
}

GREEN_SUITE("transport-unix", urls_are_checked, the_socket_file_lives_as_long_as_the_transport,
            a_missing_directory_is_made, a_stale_socket_is_replaced,
            a_socket_somebody_answers_on_is_left_alone, a_file_that_is_no_socket_is_left_alone,
            only_our_own_socket_file_is_removed, a_path_that_is_too_long_is_refused,
            messages_arrive_in_order_with_the_peers_uid,
            members_of_the_group_are_told_apart_by_all_their_groups,
            a_group_that_cannot_have_the_socket_is_told_and_the_socket_works, a_frame_may_come_byte_by_byte,
            the_largest_frame_arrives, an_oversized_frame_costs_the_connection,
            a_frame_that_announces_four_gigabytes_costs_the_connection, an_empty_frame_costs_the_connection,
            a_frame_cut_off_in_its_body_is_dropped, a_frame_cut_off_in_its_head_is_dropped,
            a_frame_that_never_ends_costs_the_connection, a_rejected_message_costs_its_sender_the_connection,
            replies_go_back_the_way_the_request_came, a_reply_to_a_caller_that_is_gone_fails_without_harm,
            a_caller_that_only_listens_gets_its_reply, a_caller_that_does_not_read_stops_nobody,
            a_caller_that_does_not_read_is_given_up_soon,
            a_reply_that_is_too_large_is_refused_and_the_connection_stays,
            receiving_times_out_and_can_be_cancelled, connections_have_a_bound,
            an_idle_connection_is_closed_in_the_end, a_flood_waits_in_the_socket_and_loses_nothing,
            after_the_stop_what_was_sent_before_is_delivered,
            a_frame_that_is_half_there_at_the_stop_is_dropped, a_message_to_ourselves_arrives)
