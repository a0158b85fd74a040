/* The local folder of images, files in the pool. */
#include "green_test.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "images/filework.h"
#include "images/image_source.h"

static char dir[64];
static struct tpool *pool;

static void YIELDS begin(void)
{
        struct error err = {};

        snprintf(dir, sizeof(dir), "/tmp/compute-agent-images.XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(dir));
        pool = tpool_new("files", 2, &err);
        ck_assert_msg(pool != NULL, "%s", err.text);
        image_source_set_tpool(pool);
}

static void YIELDS end(void)
{
        struct error err = {};

        ck_assert_ok(file_remove_tree(pool, dir, deadline_in_s(10), &err), err);
        ck_assert_int_eq(access(dir, F_OK), -1);
        ck_assert_uint_eq(tpool_close(pool, deadline_in_s(5)), 0);
}

static char *in_dir(const char *name)
{
        return xasprintf("%s/%s", dir, name);
}

static void put_file(const char *path, const void *data, size_t len)
{
        FILE *f = fopen(path, "w");

        ck_assert_ptr_nonnull(f);
        ck_assert_uint_eq(fwrite(data, 1, len, f), len);
        ck_assert_int_eq(fclose(f), 0);
}

GREEN_TEST_REAL(an_imported_image_is_found_listed_and_fetched)
{
        CLEANUP(freep) char *data = NULL, *file = NULL, *copy = NULL, *images = NULL;
        struct image_import what = { .name = "tiny", .min_disk_gb = 1, .min_ram_mb = 64 };
        struct image_info info = {}, got = {}, *list;
        struct deadline by = deadline_in_s(20);
        struct image_source *s;
        struct error err = {};
        struct stat st;
        unsigned n;

        begin();
        data = xcalloc(1, 3 << 20);
        memcpy(data + (1 << 20), "something", 9);
        file = in_dir("source");
        copy = in_dir("copy");
        images = in_dir("images");
        put_file(file, data, 3 << 20);
        what.file = file;
        ck_assert_ok(image_local_import(images, &what, &info, by, &err), err);
        ck_assert(uuid_is(info.id));
        ck_assert_str_eq(info.disk_format, "raw");
        ck_assert_str_eq(info.status, "active");
        ck_assert_int_eq(info.size, 3 << 20);

        s = image_source_local_new(images, deadline_in_s(10), &err);
        ck_assert_msg(s != NULL, "%s", err.text);
        ck_assert_ok(s->ops->get(s, info.id, NULL, &got, by, &err), err);
        ck_assert_str_eq(got.name, "tiny");
        ck_assert_str_eq(got.checksum, info.checksum);
        ck_assert_int_eq(got.min_disk_gb, 1);
        ck_assert_int_eq(got.min_ram_mb, 64);
        ck_assert_ok(s->ops->fetch(s, &info, NULL, copy, by, &err), err);
        ck_assert_int_eq(stat(copy, &st), 0);
        ck_assert_int_eq(st.st_size, 3 << 20);
        ck_assert_int_eq(st.st_mode & 0777, 0644);
        ck_assert_int_lt(st.st_blocks, 1024); /* holes stay holes */

        ck_assert_ok(image_local_list(images, &list, &n, &err), err);
        ck_assert_uint_eq(n, 1);
        ck_assert_str_eq(list[0].id, info.id);
        image_info_free(&list[0]);
        free(list);
        image_info_free(&info);
        image_info_free(&got);
        s->ops->free(s);
        end();
}

GREEN_TEST_REAL(damaged_data_is_noticed_and_not_left_behind)
{
        CLEANUP(freep) char *file = NULL, *copy = NULL, *stored = NULL;
        struct image_import what = { .id = "one" };
        struct deadline by = deadline_in_s(20);
        struct image_info info = {};
        struct image_source *s;
        struct error err = {};

        begin();
        file = in_dir("source");
        copy = in_dir("copy");
        stored = in_dir("one.img");
        put_file(file, "12345678", 8);
        what.file = file;
        ck_assert_ok(image_local_import(dir, &what, &info, by, &err), err);
        put_file(stored, "12345679", 8);
        s = image_source_local_new(dir, deadline_in_s(10), &err);
        ck_assert_fails(s->ops->fetch(s, &info, NULL, copy, by, &err), err, NOVA_IMAGE_UNACCEPTABLE);
        ck_assert_int_eq(access(copy, F_OK), -1);
        ck_assert_int_eq(unlink(stored), 0);
        ck_assert_fails(s->ops->fetch(s, &info, NULL, copy, by, &err), err, NOVA_IMAGE_NOT_FOUND);
        image_info_free(&info);
        s->ops->free(s);
        end();
}

GREEN_TEST_REAL(ids_are_not_paths)
{
        static const char *const ids[] = { "", "../x", "..", ".hidden", "a/b", "no-such-image", "a b", NULL };
        struct deadline by = deadline_in_s(20);
        struct image_info info = {};
        struct image_source *s;
        struct error err = {};

        begin();
        s = image_source_local_new(dir, deadline_in_s(10), &err);
        for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
                ck_assert_fails(s->ops->get(s, ids[i], NULL, &info, by, &err), err, NOVA_IMAGE_NOT_FOUND);
        s->ops->free(s);
        end();
}

GREEN_TEST_REAL(imports_that_make_no_sense_are_refused)
{
        CLEANUP(freep) char *file = NULL, *part = NULL;
        struct deadline by = deadline_in_s(20);
        struct image_info info = {};
        struct error err = {};

        begin();
        file = in_dir("source");
        part = in_dir("x.part");
        put_file(file, "12345678", 8);
        ck_assert_fails(image_local_import(dir, &(struct image_import){ .file = file, .id = "../x" }, &info,
                                           by, &err),
                        err, ERR_INVALID);
        ck_assert_fails(image_local_import(dir, &(struct image_import){ .file = file, .min_disk_gb = -1 },
                                           &info, by, &err),
                        err, ERR_INVALID);
        ck_assert_fails(
                image_local_import(dir, &(struct image_import){ .file = "/nonexistent" }, &info, by, &err),
                err, ERR_NOT_FOUND);
        ck_assert_fails(
                image_local_import(dir,
                                   &(struct image_import){ .file = file, .id = "x", .disk_format = "qcow2" },
                                   &info, by, &err),
                err, NOVA_IMAGE_UNACCEPTABLE);
        ck_assert_int_eq(access(part, F_OK), -1);
        ck_assert_ok(
                image_local_import(dir, &(struct image_import){ .file = file, .id = "x" }, &info, by, &err),
                err);
        image_info_free(&info);
        ck_assert_fails(
                image_local_import(dir, &(struct image_import){ .file = file, .id = "x" }, &info, by, &err),
                err, ERR_INVALID);
        end();
}

GREEN_TEST_REAL(broken_metadata_is_an_error_and_hides_no_other_image)
{
        CLEANUP(freep) char *bad = NULL, *odd = NULL, *file = NULL;
        struct deadline by = deadline_in_s(20);
        struct image_info info = {}, *list;
        struct image_source *s;
        struct error err = {};
        unsigned n;

        begin();
        bad = in_dir("bad.json");
        odd = in_dir("odd.json");
        file = in_dir("source");
        put_file(bad, "{", 1);
        put_file(odd, "[]", 2);
        put_file(file, "12345678", 8);
        ck_assert_ok(image_local_import(dir, &(struct image_import){ .file = file, .id = "good" }, &info, by,
                                        &err),
                     err);
        image_info_free(&info);
        s = image_source_local_new(dir, deadline_in_s(10), &err);
        ck_assert_fails(s->ops->get(s, "bad", NULL, &info, by, &err), err, ERR_PROTOCOL);
        ck_assert_fails(s->ops->get(s, "odd", NULL, &info, by, &err), err, NOVA_IMAGE_UNACCEPTABLE);
        ck_assert_ok(image_local_list(dir, &list, &n, &err), err);
        ck_assert_uint_eq(n, 1);
        image_info_free(&list[0]);
        free(list);
        s->ops->free(s);
        end();
}

GREEN_TEST_REAL(the_end_of_a_log_comes_with_its_predecessors)
{
        CLEANUP(freep) char *log = NULL, *log0 = NULL, *log1 = NULL, *got = NULL;
        struct deadline by = deadline_in_s(20);
        struct error err = {};
        size_t len;

        begin();
        log = in_dir("console.log");
        log0 = in_dir("console.log.0");
        log1 = in_dir("console.log.1");
        ck_assert_ok(file_tail(pool, log, 10, &got, &len, by, &err), err);
        ck_assert_str_eq(got, "");
        ck_assert_uint_eq(len, 0);
        free(take_ptr(&got));
        put_file(log, "new\0er", 6);
        put_file(log0, "old", 3);
        put_file(log1, "oldest", 6);
        ck_assert_ok(file_tail(pool, log, 4, &got, &len, by, &err), err);
        ck_assert_uint_eq(len, 4);
        ck_assert_int_eq(memcmp(got, "w\0er", 5), 0);
        free(take_ptr(&got));
        ck_assert_ok(file_tail(pool, log, 11, &got, &len, by, &err), err);
        ck_assert_uint_eq(len, 11);
        ck_assert_int_eq(memcmp(got, "stoldnew\0er", 12), 0);
        free(take_ptr(&got));
        ck_assert_ok(file_tail(pool, log, 1000, &got, &len, by, &err), err);
        ck_assert_uint_eq(len, 15);
        free(take_ptr(&got));
        ck_assert_fails(file_tail(pool, dir, 1000, &got, &len, by, &err), err, ERR_INVALID);
        end();
}

GREEN_TEST_REAL(removing_a_tree_does_not_follow_links)
{
        CLEANUP(freep) char *tree = NULL, *below = NULL, *link = NULL, *outside = NULL, *file = NULL;
        struct deadline by = deadline_in_s(20);
        struct error err = {};

        begin();
        tree = in_dir("tree");
        below = in_dir("tree/below");
        link = in_dir("tree/below/link");
        outside = in_dir("outside");
        file = in_dir("outside/file");
        ck_assert_int_eq(mkdir(tree, 0755) | mkdir(below, 0755) | mkdir(outside, 0755), 0);
        put_file(file, "x", 1);
        ck_assert_int_eq(symlink(outside, link), 0);
        ck_assert_ok(file_remove_tree(pool, tree, by, &err), err);
        ck_assert_int_eq(access(tree, F_OK), -1);
        ck_assert_int_eq(access(file, F_OK), 0);
        ck_assert_ok(file_remove_tree(pool, tree, by, &err), err);
        end();
}

GREEN_TEST_REAL(a_copy_whose_caller_gave_up_stops_and_leaves_nothing)
{
        CLEANUP(freep) char *big = NULL, *copy = NULL;
        struct error err = {};
        int fd;

        begin();
        big = in_dir("big");
        copy = in_dir("copy");
        fd = open(big, O_WRONLY | O_CREAT, 0644);
        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(ftruncate(fd, INT64_C(1) << 40), 0); /* a hole that takes minutes to read */
        close(fd);
        ck_assert_fails(file_copy(pool, big, copy, "sha512", NULL, deadline_in_ms(50), &err), err,
                        ERR_TIMEOUT);
        ck_assert_uint_eq(tpool_close(pool, deadline_in_s(20)), 0); /* it came back */
        ck_assert_int_eq(access(copy, F_OK), -1);
        pool = tpool_new("files", 2, &err);
        end();
}

GREEN_SUITE("images", an_imported_image_is_found_listed_and_fetched,
            damaged_data_is_noticed_and_not_left_behind, ids_are_not_paths,
            imports_that_make_no_sense_are_refused, broken_metadata_is_an_error_and_hides_no_other_image,
            the_end_of_a_log_comes_with_its_predecessors, removing_a_tree_does_not_follow_links,
            a_copy_whose_caller_gave_up_stops_and_leaves_nothing)
