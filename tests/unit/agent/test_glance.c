/* tests/unit/agent/test_glance.c: images from a scripted image service. */
#include "fake_keystone.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "images/filework.h"
#include "images/glance.h"
#include "native/tpool.h"
#include "private_dir.h"

#define ID "9b3d7a52-8f6d-4a4f-9a53-0f2a5a1f0c11"
enum { DATA = 3 << 20 };

/* What the service has and how it behaves. */
struct images {
        char *data;
        struct http_answer get; /* instead of the metadata, when it has a status or a body */
        struct http_answer file;
        const char *sums;             /* members of the metadata */
        int64_t size;                 /* said in the metadata */
        unsigned bad_gets, bad_files; /* so many answers are get and file, the others are right */
        unsigned gets, files;
        bool ranges, no_range, wrong_range; /* parts are served; the next one is refused, or is a wrong one */
        long long from;
        char range[80];
        char text[2048];
        char path[256], auth[64], service[64], request_id[64];
        int deletes; /* the status; 0: 204 */
};
static struct images im;
static struct fake_keystone f;
static struct image_source *s;
static struct tpool *pool;
static struct error e;
static const struct image_caller *caller;
static char target[64], sums[512];

static void note(char *to, size_t size, char *value)
{
        snprintf(to, size, "%s", value ? value : "");
        free(value);
}

static bool asks_for_part(const struct http_seen *seen)
{
        CLEANUP(freep) char *range = http_seen_header(seen, "Range");

        if (!range)
                return false;
        ck_assert_int_eq(sscanf(range, "bytes=%lld-", &im.from), 1);
        ck_assert_int_gt(im.from, 0);
        return true;
}

static void serve_part(struct http_answer *ret)
{
        if (im.no_range) {
                im.files++;
                im.no_range = false;
                *ret = (struct http_answer){ .status = 416, .body = "no such part" };
                return;
        }
        snprintf(im.range, sizeof(im.range), "Content-Range: bytes %lld-%d/%d\r\n",
                 im.wrong_range ? im.from + 1 : im.from, DATA - 1, DATA);
        im.wrong_range = false;
        *ret = (struct http_answer){ .status = 206,
                                     .headers = im.range,
                                     .body = im.data + im.from,
                                     .len = (size_t)(DATA - im.from),
                                     .way = ++im.files <= im.bad_files ? HTTP_CUT : HTTP_WHOLE };
}

static void serve(const struct http_seen *seen, struct http_answer *ret, void *arg)
{
        bool file = strstr(seen->path, "/file") != NULL;

        (void)arg;
        note(im.auth, sizeof(im.auth), http_seen_header(seen, "X-Auth-Token"));
        note(im.service, sizeof(im.service), http_seen_header(seen, "X-Service-Token"));
        note(im.request_id, sizeof(im.request_id), http_seen_header(seen, "X-OpenStack-Request-ID"));
        snprintf(im.path, sizeof(im.path), "%s", seen->path);
        if (strcmp(seen->method, "DELETE") == 0) {
                ret->status = im.deletes ? im.deletes : 204;
        } else if (file && asks_for_part(seen) && (im.no_range || im.wrong_range || im.ranges)) {
                serve_part(ret);
        } else if (file && ++im.files <= im.bad_files) {
                *ret = im.file;
        } else if (file) {
                *ret = (struct http_answer){ .body = im.data, .len = DATA, .headers = im.file.headers };
        } else if (++im.gets <= im.bad_gets) {
                *ret = im.get;
        } else {
                snprintf(im.text, sizeof(im.text),
                         "{\"id\": \"%s\", \"name\": \"tiny\", \"status\": \"active\", \"disk_format\": "
                         "\"qcow2\", "
                         "\"container_format\": \"bare\", \"size\": %lld, \"min_disk\": 2, \"min_ram\": 64, "
                         "\"created_at\": \"2026-11-23T08:40:00Z\", \"visibility\": \"public\"%s}",
                         ID, (long long)im.size, im.sums);
                ret->body = im.text;
        }
}

static void digest(const char *algo, char *hex)
{
        unsigned char sum[EVP_MAX_MD_SIZE];
        unsigned len;

        ck_assert_int_eq(EVP_Digest(im.data, DATA, sum, &len, EVP_get_digestbyname(algo), NULL), 1);
        digest_to_hex(sum, len, hex);
}

static void YIELDS begin_with(struct glance_options opt)
{
        char hex[DIGEST_HEX_MAX + 1];

        fake_keystone_start(&f, serve, NULL);
        pool = tpool_new("files", 2, &e);
        ck_assert_msg(pool != NULL, "%s", e.text);
        image_source_set_tpool(pool);
        im.data = xcalloc(1, DATA);
        for (size_t i = 0; i < DATA; i++)
                im.data[i] = i > DATA / 3 && i < DATA / 2 ? '\0' : (char)(i % 251);
        digest("sha512", hex);
        snprintf(sums, sizeof(sums), ", \"os_hash_algo\": \"sha512\", \"os_hash_value\": \"%s\"", hex);
        im.sums = sums;
        im.size = DATA;
        snprintf(target, sizeof(target), "%s/target", private_dir);
        opt.http = f.http;
        opt.keystone = f.keystone;
        opt.retry_pause_s = 0.01;
        s = image_source_glance_new(&opt);
}

static void YIELDS begin(void)
{
        begin_with((struct glance_options){ .region = "one", .num_retries = 3 });
}

static void YIELDS replace_source(struct glance_options opt)
{
        s->ops->free(s);
        opt.http = f.http;
        opt.retry_pause_s = 0.01;
        s = image_source_glance_new(&opt);
}

static void YIELDS end(void)
{
        s->ops->free(s);
        ck_assert_uint_eq(tpool_close(pool, deadline_in_s(5)), 0);
        fake_keystone_stop(&f);
        free(im.data);
        unlink(target);
}

/* As a build does it: what it is, then its data. */
static int YIELDS fetch_to(const char *path, struct deadline by, struct error *err)
{
        CLEANUP(image_info_free) struct image_info info = {};

        *err = (struct error){};
        if (s->ops->get(s, ID, caller, &info, by, err) < 0)
                return -1;
        return s->ops->fetch(s, &info, caller, path, by, err);
}

static int YIELDS fetch(void)
{
        return fetch_to(target, deadline_in_s(30), &e);
}

static void YIELDS expect_fetch_fails(int code)
{
        ck_assert_int_eq(fetch(), -1);
        ck_assert_msg(e.code == code, "code %d: %s", e.code, e.text);
        ck_assert_int_eq(access(target, F_OK), -1);
}

static void expect_file(void)
{
        CLEANUP(freep) char *got = xmalloc(DATA + 1);
        FILE *file = fopen(target, "re");
        struct stat st;

        ck_assert_ptr_nonnull(file);
        ck_assert_uint_eq(fread(got, 1, DATA + 1, file), DATA);
        fclose(file);
        ck_assert_int_eq(memcmp(got, im.data, DATA), 0);
        ck_assert_int_eq(stat(target, &st), 0);
        ck_assert_uint_eq(st.st_mode & 0777, 0644);
}

GREEN_TEST_REAL(metadata_is_read)
{
        struct image_info info = {};

        begin();
        ck_assert_ok(s->ops->get(s, ID, caller, &info, deadline_in_s(20), &e), e);
        ck_assert_str_eq(im.path, "/i/v2/images/" ID);
        ck_assert_str_eq(info.id, ID);
        ck_assert_str_eq(info.name, "tiny");
        ck_assert_str_eq(info.status, "active");
        ck_assert_str_eq(info.disk_format, "qcow2");
        ck_assert_str_eq(info.container_format, "bare");
        ck_assert_str_eq(info.checksum_algo, "sha512");
        ck_assert_uint_eq(strlen(info.checksum), 128);
        ck_assert_int_eq(info.size, DATA);
        ck_assert_int_eq(info.min_disk_gb, 2);
        ck_assert_int_eq(info.min_ram_mb, 64);
        image_info_free(&info);
        end();
}

struct heard {
        int percent;
        int64_t done, total; /* bytes */
};

static void hear(void *arg, const char *text)
{
        struct heard *heard = arg;
        char first[IMAGE_DOING_MAX] = "";
        int percent = -1;

        if (sscanf(text, "downloading image " ID ": %d %% of %s", &percent, first) == 2)
                ck_assert_str_eq(first, "3.0"); /* MiB */
        heard->percent = percent;
        heard->done = -1;
}

static void hear_progress(void *arg, int64_t done, int64_t total)
{
        struct heard *heard = arg;

        ck_assert_int_eq(heard->done, -1); /* after each text */
        heard->done = done;
        heard->total = total;
}

GREEN_TEST_REAL(data_is_fetched_and_verified)
{
        struct heard heard = {};
        struct image_caller who = { .doing = hear, .progress = hear_progress, .arg = &heard };

        begin();
        caller = &who;
        ck_assert_ok(fetch(), e);
        expect_file();
        ck_assert_str_eq(im.path, "/i/v2/images/" ID "/file");
        ck_assert_int_eq(heard.percent, 100); /* heard last */
        ck_assert_int_eq(heard.done, DATA);
        ck_assert_int_eq(heard.total, DATA);
        end();
}

GREEN_TEST_REAL(both_requests_carry_the_id_of_the_users_request)
{
        struct image_caller who = { .token = "of-a-user", .request_id = "req-1" };
        struct image_info info = {};

        begin();
        f.any_token = true;
        caller = &who;
        ck_assert_ok(s->ops->get(s, ID, caller, &info, deadline_in_s(20), &e), e);
        ck_assert_str_eq(im.request_id, "req-1");
        image_info_free(&info);
        im.request_id[0] = '\0';
        ck_assert_ok(fetch(), e);
        ck_assert_str_eq(im.request_id, "req-1");
        caller = NULL;
        ck_assert_ok(s->ops->get(s, ID, caller, &info, deadline_in_s(20), &e), e);
        ck_assert_str_eq(im.request_id, "");
        image_info_free(&info);
        end();
}

GREEN_TEST_REAL(damaged_data_is_refused_by_each_kind_of_checksum)
{
        begin();
        im.sums = ", \"os_hash_algo\": \"sha512\", \"os_hash_value\": \"00ff\"";
        expect_fetch_fails(NOVA_IMAGE_UNACCEPTABLE);
        ck_assert_ptr_nonnull(strstr(e.text, "damaged"));
        im.sums = ", \"checksum\": \"00ff\"";
        expect_fetch_fails(NOVA_IMAGE_UNACCEPTABLE);
        im.sums = ", \"os_hash_value\": null";
        im.file.headers = "Content-MD5: 00ff\r\n";
        expect_fetch_fails(NOVA_IMAGE_UNACCEPTABLE);
        im.sums = ", \"os_hash_algo\": \"rot13\", \"os_hash_value\": \"00ff\"";
        expect_fetch_fails(NOVA_IMAGE_UNACCEPTABLE);
        ck_assert_ptr_nonnull(strstr(e.text, "rot13"));
        ck_assert_uint_eq(im.files, 3);
        end();
}

GREEN_TEST_REAL(an_md5_is_enough_when_there_is_no_other)
{
        char hex[DIGEST_HEX_MAX + 1], text[192];

        begin();
        digest("md5", hex);
        snprintf(text, sizeof(text), ", \"checksum\": \"%s\"", hex);
        im.sums = text;
        ck_assert_ok(fetch(), e);
        expect_file();
        end();
}

static void YIELDS expect_status(int status, int code)
{
        im.bad_gets = 99;
        im.get = (struct http_answer){ .status = status, .body = "reason" };
        expect_fetch_fails(code);
        im.bad_gets = 0;
        im.bad_files = 99;
        im.files = 0;
        im.file = im.get;
        expect_fetch_fails(code);
        ck_assert_uint_eq(im.files, status == 401 ? 2 : 1); /* 401: once more with a new token */
}

GREEN_TEST_REAL(statuses_become_novas_exceptions)
{
        begin();
        expect_status(404, NOVA_IMAGE_NOT_FOUND);
        expect_status(403, NOVA_IMAGE_NOT_AUTHORIZED);
        expect_status(401, NOVA_IMAGE_NOT_AUTHORIZED);
        expect_status(204, NOVA_IMAGE_UNACCEPTABLE);
        expect_status(500, ERR_BUSY);
        ck_assert_str_eq(nova_exception_of(NOVA_IMAGE_NOT_AUTHORIZED)->class_name, "ImageNotAuthorized");
        end();
}

GREEN_TEST_REAL(what_may_pass_is_tried_again_so_many_times)
{
        begin();
        im.bad_gets = 2;
        im.get.status = 503;
        im.bad_files = 3;
        im.file = (struct http_answer){ .way = HTTP_CUT, .body = im.data, .len = DATA };
        ck_assert_ok(fetch(), e);
        expect_file();
        ck_assert_uint_eq(im.gets, 3);
        ck_assert_uint_eq(im.files, 4);

        unlink(target);
        im.files = 0;
        im.bad_files = 99;
        expect_fetch_fails(ERR_CLOSED);
        ck_assert_uint_eq(im.files, 4);

        im.files = 0;
        im.file = (struct http_answer){ .status = 503 };
        expect_fetch_fails(ERR_BUSY);
        ck_assert_uint_eq(im.files, 4);
        end();
}

GREEN_TEST_REAL(the_next_server_is_asked_when_one_is_gone)
{
        CLEANUP(freep) char *servers = NULL;
        struct glance_options opt = { .num_retries = 1 };
        struct image_info info = {};

        begin_with(opt);
        servers = xasprintf("http://127.0.0.1:1, %s/v2/", f.server.url);
        replace_source(
                (struct glance_options){ .api_servers = servers, .num_retries = 1, .keystone = f.keystone });
        ck_assert_ok(s->ops->get(s, ID, caller, &info, deadline_in_s(20), &e), e);
        ck_assert_str_eq(im.path, "/v2/images/" ID);
        image_info_free(&info);
        end();
}

GREEN_TEST_REAL(more_or_less_data_than_said_is_refused_at_once)
{
        begin();
        im.size = DATA - 1;
        expect_fetch_fails(NOVA_IMAGE_UNACCEPTABLE);
        im.size = DATA + 1;
        expect_fetch_fails(NOVA_IMAGE_UNACCEPTABLE);
        ck_assert_uint_eq(im.files, 2);
        im.size = 0; /* not known */
        ck_assert_ok(fetch(), e);
        expect_file();
        end();
}

GREEN_TEST_REAL(what_is_no_metadata_is_a_protocol_error)
{
        static const char *const bodies[] = { "{\"id\": ", "[]", "{\"id\": \"another\"}", "" };
        struct image_info info;

        begin();
        im.bad_gets = 99;
        for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
                im.get.body = bodies[i];
                ck_assert_fails(s->ops->get(s, ID, caller, &info, deadline_in_s(20), &e), e, ERR_PROTOCOL);
        }
        end();
}

GREEN_TEST_REAL(ids_cannot_leave_their_place_in_the_path)
{
        struct image_info info;

        begin();
        im.bad_gets = 1;
        im.get.status = 404;
        ck_assert_fails(s->ops->get(s, "../../v3/users?x", caller, &info, deadline_in_s(20), &e), e,
                        NOVA_IMAGE_NOT_FOUND);
        ck_assert_str_eq(im.path, "/i/v2/images/..%2F..%2Fv3%2Fusers%3Fx");
        end();
}

GREEN_TEST_REAL(a_file_that_cannot_be_written_is_not_tried_again)
{
        begin();
        e = (struct error){};
        ck_assert_int_eq(fetch_to("/nowhere/at/all", deadline_in_s(30), &e), -1);
        ck_assert_int_eq(e.code, ERR_SYSTEM);
        ck_assert_uint_eq(im.files, 0);
        ck_assert_uint_eq(im.gets, 1);
        end();
}

GREEN_TEST_REAL(a_users_token_asks_and_ours_goes_along_if_it_may)
{
        struct image_caller who = { .token = "of-a-user" };
        struct image_info info = {};

        begin();
        f.any_token = true;
        caller = &who;
        ck_assert_ok(s->ops->get(s, ID, caller, &info, deadline_in_s(20), &e), e);
        ck_assert_str_eq(im.auth, "of-a-user");
        ck_assert_str_eq(im.service, "");
        image_info_free(&info);
        replace_source(
                (struct glance_options){ .region = "one", .keystone = f.keystone, .service = f.keystone });
        ck_assert_ok(s->ops->get(s, ID, caller, &info, deadline_in_s(20), &e), e);
        ck_assert_str_eq(im.auth, "of-a-user");
        ck_assert_str_eq(im.service, "token-1");
        image_info_free(&info);
        end();
}

GREEN_TEST_REAL(an_image_is_deleted_as_its_user)
{
        struct image_caller who = { .token = "of-a-user" };

        begin();
        f.any_token = true;
        ck_assert_ok(s->ops->discard(s, ID, &who, deadline_in_s(20), &e), e);
        ck_assert_str_eq(im.path, "/i/v2/images/" ID);
        ck_assert_str_eq(im.auth, "of-a-user");
        im.deletes = 404;
        ck_assert_ok(s->ops->discard(s, ID, &who, deadline_in_s(20), &e), e);
        im.deletes = 403;
        ck_assert_fails(s->ops->discard(s, ID, &who, deadline_in_s(20), &e), e, NOVA_IMAGE_NOT_AUTHORIZED);
        im.deletes = 200;
        ck_assert_fails(s->ops->discard(s, ID, &who, deadline_in_s(20), &e), e, ERR_INVALID);
        end();
}

GREEN_TEST_REAL(a_cut_download_goes_on_where_it_ended)
{
        begin();
        im.ranges = true;
        im.bad_files = 5; /* each brings half of the rest: more attempts than num_retries allows in a row */
        im.file = (struct http_answer){ .way = HTTP_CUT, .body = im.data, .len = DATA };
        ck_assert_ok(fetch(), e);
        expect_file();
        ck_assert_uint_eq(im.files, 6);
        ck_assert_int_gt(im.from, DATA / 2);

        /* A server that does not know ranges any more: from the beginning. */
        unlink(target);
        im.files = 0;
        im.bad_files = 1;
        im.ranges = false;
        ck_assert_ok(fetch(), e);
        expect_file();
        ck_assert_uint_eq(im.files, 2);

        /* One that sends another part than was asked for. */
        unlink(target);
        im.files = 0;
        im.ranges = true;
        im.wrong_range = true;
        expect_fetch_fails(ERR_PROTOCOL);

        /* One that says there is no such part. */
        im.files = 0;
        im.no_range = true;
        ck_assert_ok(fetch(), e);
        expect_file();
        ck_assert_uint_eq(im.files, 3);
        end();
}

GREEN_TEST_REAL(what_is_resumed_is_verified_as_a_whole)
{
        begin();
        im.ranges = true;
        im.bad_files = 1;
        im.file = (struct http_answer){ .way = HTTP_CUT, .body = im.data, .len = DATA };
        im.sums = ", \"os_hash_algo\": \"sha512\", \"os_hash_value\": \"00ff\"";
        expect_fetch_fails(NOVA_IMAGE_UNACCEPTABLE);
        ck_assert_uint_eq(im.files, 2);
        end();
}

static int fetch_in_thread(void *arg, struct error *err)
{
        assert_green();
        *(int *)arg = fetch_to(target, deadline_in_s(3600), err) < 0 ? err->code : 0;
        return 0;
}

GREEN_TEST_REAL(a_cancelled_download_leaves_no_file)
{
        struct green *g;
        int code = 0;

        begin();
        im.bad_files = 99;
        im.file = (struct http_answer){ .way = HTTP_HALF_OPEN, .body = im.data, .len = DATA };
        g = green_spawn_ref(NULL, "fetch", fetch_in_thread, &code, &e);
        while (access(target, F_OK) < 0)
                ck_assert_int_eq(green_sleep(0.001, &e), 0);
        green_cancel(g);
        ck_assert_ok(green_join(g, deadline_in_s(10), NULL, &e), e);
        green_unref(g);
        ck_assert_int_eq(code, ERR_CANCELLED);
        ck_assert_int_eq(access(target, F_OK), -1);
        end();
}

GREEN_TEST_REAL(a_silent_server_costs_the_deadline_only)
{
        begin();
        im.bad_files = 99;
        im.file = (struct http_answer){ .way = HTTP_SILENT };
        e = (struct error){};
        ck_assert_int_eq(fetch_to(target, deadline_in_ms(400), &e), -1);
        ck_assert_int_eq(e.code, ERR_TIMEOUT);
        ck_assert_int_eq(access(target, F_OK), -1);
        end();
}

GREEN_TEST_REAL(without_any_server_or_token_it_says_so)
{
        struct image_caller who = { .token = "of-a-user" };

        begin();
        replace_source((struct glance_options){});
        expect_fetch_fails(NOVA_IMAGE_NOT_AUTHORIZED);
        caller = &who;
        expect_fetch_fails(ERR_NOT_FOUND);
        ck_assert_ptr_nonnull(strstr(e.text, "no image service is known"));
        ck_assert_uint_eq(im.gets, 0);
        end();
}

GREEN_TEST_REAL(the_catalog_of_the_request_comes_before_ours)
{
        CLEANUP(freep) char *text = NULL;
        struct image_caller who = { .token = "of-a-user" };
        struct jval *catalog;

        begin();
        f.any_token = true;
        text = xasprintf("[{\"type\": \"image\", \"name\": \"glance\", \"endpoints\": [{\"region\": "
                         "\"one\", \"publicURL\": \"%s/theirs/\"}]}]",
                         f.server.url);
        catalog = jval_parse(text, strlen(text), &e);
        who.catalog = catalog;
        caller = &who;
        ck_assert_ok(fetch(), e);
        ck_assert_str_eq(im.path, "/theirs/v2/images/" ID "/file");
        replace_source((struct glance_options){}); /* no identity of ours is needed for it */
        ck_assert_ok(fetch(), e);
        ck_assert_str_eq(im.auth, "of-a-user");
        ck_assert_str_eq(im.service, "");
        unlink(target);
        replace_source((struct glance_options){ .region = "two" });
        expect_fetch_fails(ERR_NOT_FOUND);
        jval_unref(catalog);
        end();
}

GREEN_SUITE("glance", metadata_is_read, data_is_fetched_and_verified,
            both_requests_carry_the_id_of_the_users_request, an_image_is_deleted_as_its_user,
            damaged_data_is_refused_by_each_kind_of_checksum, an_md5_is_enough_when_there_is_no_other,
            statuses_become_novas_exceptions, what_may_pass_is_tried_again_so_many_times,
            the_next_server_is_asked_when_one_is_gone, more_or_less_data_than_said_is_refused_at_once,
            what_is_no_metadata_is_a_protocol_error, ids_cannot_leave_their_place_in_the_path,
            a_file_that_cannot_be_written_is_not_tried_again,
            a_users_token_asks_and_ours_goes_along_if_it_may, a_cancelled_download_leaves_no_file,
            a_silent_server_costs_the_deadline_only, without_any_server_or_token_it_says_so,
            the_catalog_of_the_request_comes_before_ours, a_cut_download_goes_on_where_it_ended,
            what_is_resumed_is_verified_as_a_whole)
