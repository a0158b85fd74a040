/* tests/unit/http/test_http_tls.c: certificates, against the server of the openssl program. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "green_test.h"
#include "http/http.h"
#include "private_dir.h"

static pid_t server;
static unsigned port;
static char cert[64], key[64];

static void run(char *const argv[])
{
        int status = -1;
        pid_t pid = fork();

        if (pid == 0) {
                if (!freopen("/dev/null", "w", stderr))
                        _exit(126);
                execvp(argv[0], argv);
                _exit(127);
        }
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_msg(status == 0, "%s %s: status %d", argv[0], argv[1], status);
}

static void make_certificate(void)
{
        char *argv[] = { "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes",
                         "-days",   "2",   "-subj", "/CN=lo",  "-addext",  "subjectAltName=IP:127.0.0.1",
                         "-keyout", key,   "-out",  cert,      NULL };

        snprintf(cert, sizeof(cert), "%s/cert.pem", private_dir);
        snprintf(key, sizeof(key), "%s/key.pem", private_dir);
        run(argv);
}

/* It says where it listens: "ACCEPT 127.0.0.1:PORT". */
static void start_server(void)
{
        char *argv[] = { "openssl", "s_server", "-accept", "127.0.0.1:0", "-cert",
                         cert,      "-key",     key,       "-www",        NULL };
        char line[256];
        int out[2];
        FILE *said;

        make_certificate();
        ck_assert_int_eq(pipe(out), 0);
        server = fork();
        if (server == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL); /* also when the test fails */
                dup2(out[1], 1);
                if (!freopen("/dev/null", "w", stderr))
                        _exit(126);
                execvp(argv[0], argv);
                _exit(127);
        }
        close(out[1]);
        said = fdopen(out[0], "r");
        while (!port && fgets(line, sizeof(line), said))
                sscanf(line, "ACCEPT 127.0.0.1:%u", &port);
        ck_assert_uint_ne(port, 0);
}

static void stop_server(void)
{
        kill(server, SIGKILL);
        waitpid(server, NULL, 0);
}

static int YIELDS get(const char *host, const struct http_options *opt, struct error *err)
{
        CLEANUP(freep) char *url = xasprintf("https://%s:%u/", host, port);
        struct http_request req = { .method = "GET", .url = url };
        struct http_client *c = http_client_new(opt, err);
        struct http_response r = {};
        int done = http_call(c, &req, &r, deadline_in_s(20), err);

        if (done == 0) {
                ck_assert_int_eq(r.status, 200);
                ck_assert_ptr_nonnull(strstr(r.body, "s_server"));
        }
        http_response_free(&r);
        http_client_free(c);
        return done;
}

/* On a green thread's stack, as in the daemon: "main" has the native one. */
static int try_all(void *arg, struct error *err)
{
        struct http_options trusting = { .cafile = cert }, strict = {}, careless = { .insecure = true };
        struct http_options lost = { .cafile = "/nowhere.pem" };
        struct error e = {};

        assert_green();
        (void)err;
        ck_assert_ok(get("127.0.0.1", &trusting, &e), e);
        ck_assert_ok(get("127.0.0.1", &careless, &e), e);
        ck_assert_fails(get("127.0.0.1", &strict, &e), e, ERR_INVALID);
        ck_assert_msg(strstr(e.text, "certificate"), "%s", e.text);
        ck_assert_fails(get("localhost", &trusting, &e), e,
                        ERR_INVALID); /* the certificate has no such name */
        ck_assert_fails(get("127.0.0.1", &lost, &e), e, ERR_INVALID);
        *(bool *)arg = true;
        return 0;
}

GREEN_TEST_REAL(only_a_server_with_a_trusted_certificate_and_its_name_is_talked_to)
{
        static bool tried;
        struct error e = {};
        struct green *g;

        signal(SIGPIPE, SIG_IGN);
        start_server();
        g = green_spawn_ref(NULL, "tls", try_all, &tried, &e);
        ck_assert_ptr_nonnull(g);
        ck_assert_ok(green_join(g, deadline_in_s(50), NULL, &e), e);
        green_unref(g);
        ck_assert(tried);
        stop_server();
}

GREEN_SUITE("http-tls", only_a_server_with_a_trusted_certificate_and_its_name_is_talked_to)
