/* tests/unit/agent/test_image_cache.c: bases that are fetched once, what was left on the way, what goes
 * again. */
#include "green_test.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/list.h"
#include "base/mem.h"
#include "green/lockutils.h"
#include "images/cache_pass.h"
#include "images/filework.h"
#include "images/store_priv.h"
#include "json/json.h"
#include "native/tpool.h"
#include "private_dir.h"

#define ID   "9b3d7a52-8f6d-4a4f-9a53-0f2a5a1f0c11"
#define DATA "what the guest boots from"

/* A source of images whose fetch does as the test says. */
struct source {
        struct image_source base;
        unsigned gets, fetches;
        int fail;                   /* of the next fetch: after it has written a half */
        const char *token;          /* that get() and fetch() must come with */
        char first[256], last[256]; /* paths that were fetched to */
        bool late;                  /* the worker of the first attempt, which was given up, is still at it */
        int *in_all;                /* fetches of all processes */
};
static struct source source;
static struct disk_store *s;
static struct tpool *pool;
static char dir[64];
static struct error e;
static struct image_info image = {
        .id = (char *)ID, .name = (char *)"tiny", .status = (char *)"active", .disk_format = (char *)"raw"
};

static void put(const char *path, const char *text)
{
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

        ck_assert_msg(fd >= 0, "%s", path);
        ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
        close(fd);
}

static int get(struct image_source *base, const char *id, const struct image_caller *caller,
               struct image_info *ret, struct deadline by, struct error *err)
{
        assert_green();
        source.gets++;
        if (source.token && (!caller || !caller->token || strcmp(caller->token, source.token) != 0))
                return error_set(err, NOVA_IMAGE_NOT_AUTHORIZED, "Not authorized for image %s.", id);
        *ret = (struct image_info){ .id = xstrdup(id), .disk_format = xstrdup("raw") };
        return 0;
}

static int fetch(struct image_source *base, const struct image_info *info, const struct image_caller *caller,
                 const char *path, struct deadline by, struct error *err)
{
        int fail = source.fail;

        assert_green();
        source.fail = 0;
        snprintf(source.fetches++ ? source.last : source.first, sizeof(source.first), "%s", path);
        if (source.in_all) {
                __atomic_add_fetch(source.in_all, 1, __ATOMIC_SEQ_CST);
                ck_assert_int_eq(green_sleep(0.05, err), 0);
        }
        put(path, fail ? "half" : DATA);
        if (source.late) {
                unlink(source.first);
                put(source.first, "of the first attempt");
        }
        return fail ? error_set(err, fail, "no more of it") : 0;
}

static const struct image_source_ops ops = { .name = "scripted", .get = get, .fetch = fetch };

static void YIELDS open_store(void)
{
        struct disk_store_options opt = { .instances_path = dir,
                                          .force_raw_images = true,
                                          .use_cow_images = true,
                                          .images = &source.base };

        pool = tpool_new("files", 2, &e);
        ck_assert_msg(pool != NULL, "%s", e.text);
        opt.tpool = pool;
        s = disk_store_new(&opt, deadline_in_s(10), &e);
        ck_assert_msg(s != NULL, "%s", e.text);
}

static void YIELDS begin(void)
{
        source = (struct source){ .base.ops = &ops };
        snprintf(dir, sizeof(dir), "%s/XXXXXX", private_dir);
        ck_assert_ptr_nonnull(mkdtemp(dir));
        open_store();
}

static void YIELDS end(void)
{
        ck_assert_ok(file_remove_tree(pool, dir, deadline_in_s(10), &e), e);
        disk_store_free(s);
        ck_assert_uint_eq(tpool_close(pool, deadline_in_s(5)), 0);
}

static char *cached(const char *id, const char *more)
{
        char hex[DIGEST_HEX_MAX + 1];

        ck_assert_ok(digest_text("sha1", id, hex, &e), e);
        return xasprintf("%s/_base/%s%s", dir, hex, more);
}

static bool there(const char *path)
{
        return access(path, F_OK) == 0;
}

static int YIELDS get_base(void)
{
        struct base_image base = {};
        int r;

        e = (struct error){};
        r = cache_get(s, &image, NULL, &base, deadline_in_s(20), &e);
        free(base.path);
        return r;
}

static unsigned files_in_cache(void)
{
        CLEANUP(freep) char *path = xasprintf("%s/_base", dir);
        unsigned n = 0;
        struct dirent *entry;
        DIR *d = opendir(path);

        ck_assert_ptr_nonnull(d);
        while ((entry = readdir(d)))
                n += entry->d_name[0] != '.';
        closedir(d);
        return n;
}

/* ---- fetching ---- */

GREEN_TEST_REAL(a_base_is_fetched_once_and_appears_whole)
{
        CLEANUP(freep) char *path = NULL;

        begin();
        path = cached(ID, "");
        source.fail = ERR_CLOSED;
        ck_assert_int_eq(get_base(), -1);
        ck_assert_int_eq(e.code, ERR_CLOSED);
        ck_assert_uint_eq(files_in_cache(), 0);
        ck_assert_ok(get_base(), e);
        ck_assert_ok(get_base(), e);
        ck_assert_uint_eq(source.fetches, 2);
        ck_assert(there(path));
        ck_assert_uint_eq(files_in_cache(), 1);
        end();
}

GREEN_TEST_REAL(an_attempt_that_lives_on_does_not_meet_the_next_one)
{
        begin();
        source.fail = ERR_TIMEOUT;
        ck_assert_int_eq(get_base(), -1);
        source.late = true;
        ck_assert_ok(get_base(), e);
        ck_assert_str_ne(source.first, source.last);
        ck_assert_uint_eq(files_in_cache(), 2);
        ck_assert(there(source.first));
        ck_assert_ok(disks_remove_leftovers(s, deadline_in_s(10), &e), e);
        ck_assert_uint_eq(files_in_cache(), 1);
        end();
}

GREEN_TEST_REAL(what_a_killed_agent_left_is_removed_unless_somebody_is_at_it)
{
        static const char *const left[] = { ".part", ".0123456789abcdef.part", ".converted",
                                            ".0123456789abcdef.converted" };
        static const char *const others[] = { "", "_20", ".partial", ".txt" };
        char *paths[ARRAY_SIZE(left) + ARRAY_SIZE(others)];
        struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
        CLEANUP(freep) char *lock_path = NULL;
        int fd;

        begin();
        for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
                paths[i] = cached(ID, i < ARRAY_SIZE(left) ? left[i] : others[i - ARRAY_SIZE(left)]);
                put(paths[i], "x");
        }
        lock_path = xasprintf("%s/locks/nova-%.40s", dir, strrchr(paths[0], '/') + 1);
        fd = open(lock_path, O_RDWR | O_CREAT, 0640);
        ck_assert_int_eq(fcntl(fd, F_OFD_SETLK, &whole), 0); /* as another process would */
        ck_assert_ok(disks_remove_leftovers(s, deadline_in_s(10), &e), e);
        ck_assert_uint_eq(files_in_cache(), ARRAY_SIZE(paths));
        close(fd);
        e = (struct error){};
        ck_assert_ok(disks_remove_leftovers(s, deadline_in_s(10), &e), e);
        for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
                ck_assert_msg(there(paths[i]) == (i >= ARRAY_SIZE(left)), "%s", paths[i]);
                free(paths[i]);
        }
        end();
}

GREEN_TEST_REAL(a_fetch_begins_with_removing_what_was_left_of_that_image)
{
        CLEANUP(freep) char *mine = NULL, *others = NULL;

        begin();
        mine = cached(ID, ".part");
        others = cached("another", ".part");
        put(mine, "x");
        put(others, "x");
        ck_assert_ok(get_base(), e);
        ck_assert(!there(mine));
        ck_assert(there(others));
        end();
}

GREEN_TEST_REAL(a_missing_base_is_fetched_again_for_whoever_may)
{
        const struct image_caller user = { .token = "of-a-user" };
        CLEANUP(freep) char *path = NULL, *other = NULL, *elsewhere = NULL;

        begin();
        path = cached(ID, "");
        other = cached("another", "");
        elsewhere = xasprintf("/nowhere/_base%s", strrchr(path, '/'));
        source.token = "of-a-user";
        ck_assert_fails(cache_keep(s, path, ID, NULL, deadline_in_s(10), &e), e, NOVA_IMAGE_NOT_AUTHORIZED);
        ck_assert_ptr_nonnull(strstr(e.text, "missing backing file"));
        ck_assert_fails(cache_keep(s, other, ID, &user, deadline_in_s(10), &e), e, NOVA_INVALID_DISK_INFO);
        ck_assert_fails(cache_keep(s, path, NULL, &user, deadline_in_s(10), &e), e, NOVA_INVALID_DISK_INFO);
        ck_assert_uint_eq(source.fetches, 0);
        ck_assert_ok(cache_keep(s, path, ID, &user, deadline_in_s(10), &e), e);
        ck_assert(there(path));
        ck_assert_ok(cache_keep(s, path, "", NULL, deadline_in_s(10), &e), e); /* it is there: no question */
        ck_assert_uint_eq(source.fetches, 1);
        ck_assert_fails(cache_keep(s, elsewhere, ID, &user, deadline_in_s(10), &e), e,
                        NOVA_INVALID_DISK_INFO);
        end();
}

/* ---- two processes ---- */

static int in_a_process(void *arg, struct error *err)
{
        assert_green();
        open_store();
        ck_assert_ok(get_base(), e);
        disk_store_free(s);
        ck_assert_uint_eq(tpool_close(pool, deadline_in_s(5)), 0);
        return 0;
}

static int clean_up(void *arg, struct error *err)
{
        assert_green();
        open_store();
        end();
        return 0;
}

START_TEST(two_processes_fetch_an_image_once)
{
        int ready[2], go[2], status;
        pid_t children[2];
        char c;

        source = (struct source){ .base.ops = &ops };
        snprintf(dir, sizeof(dir), "%s/XXXXXX", private_dir);
        ck_assert_ptr_nonnull(mkdtemp(dir));
        source.in_all = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        ck_assert_ptr_ne(source.in_all, MAP_FAILED);
        ck_assert_int_eq(pipe(ready) | pipe(go), 0);
        for (unsigned i = 0; i < 2; i++) {
                children[i] = fork();
                if (children[i] == 0) {
                        if (write(ready[1], "r", 1) != 1 || read(go[0], &c, 1) != 1)
                                _exit(2);
                        _exit(hub_run(in_a_process, NULL, NULL, &e) == 0 ? 0 : 1);
                }
        }
        for (unsigned i = 0; i < 2; i++)
                ck_assert_int_eq(read(ready[0], &c, 1), 1);
        ck_assert_int_eq(write(go[1], "go", 2), 2);
        for (unsigned i = 0; i < 2; i++) {
                ck_assert_int_eq(waitpid(children[i], &status, 0), children[i]);
                ck_assert_int_eq(status, 0);
        }
        ck_assert_int_eq(*source.in_all, 1);
        ck_assert_int_eq(hub_run(clean_up, NULL, NULL, &e), 0);
}
END_TEST

/* ---- what goes again ---- */

/* The beginning of a qcow2 that has this backing file. */
static void put_overlay(const char *folder, const char *name, const char *backing)
{
        CLEANUP(freep) char *parent = xasprintf("%s/%s", dir, folder);
        CLEANUP(freep) char *path = xasprintf("%s/%s", parent, name);
        unsigned char head[1024] = "QFI\xfb";
        int fd;

        head[7] = 3;
        head[14] = 1; /* the name is at 256 */
        head[19] = (unsigned char)strlen(backing);
        memcpy(head + 256, backing, strlen(backing));
        mkdir(parent, 0755);
        fd = open(path, O_WRONLY | O_CREAT, 0644);
        ck_assert_int_eq(write(fd, head, sizeof(head)), sizeof(head));
        close(fd);
}

static void put_old(const char *path, int64_t age_s)
{
        struct timespec times[2] = { { .tv_sec = time(NULL) - age_s }, { .tv_sec = time(NULL) - age_s } };

        put(path, "x");
        ck_assert_int_eq(utimensat(AT_FDCWD, path, times, 0), 0);
}

static bool just_used(const char *path)
{
        struct stat st;

        return stat(path, &st) == 0 && time(NULL) - st.st_mtime < 1000;
}

static int YIELDS pass(struct cache_pass p, struct cache_pass_result *ret)
{
        p.host = "host-1";
        p.original_age_s = 86400;
        p.resized_age_s = 3600;
        e = (struct error){};
        return images_cache_pass(s, &p, ret, deadline_in_s(20), &e);
}

enum { OLD = 90000, YOUNGER = 4000 };

GREEN_TEST_REAL(only_what_nobody_uses_and_is_old_goes)
{
        static const char *const ids[] = { "by-instance", "by-instance" };
        const struct {
                const char *id, *more;
                int64_t age_s;
                bool stays, used;
        } files[] = {
                { "by-instance", "", OLD, true, true }, { "by-instance", "_20", OLD, true, true },
                { "by-disk", "", OLD, true, true },     { "by-relative", "", OLD, true, true },
                { "by-moved", "", OLD, true, true },    { "by-rescue", "", OLD, true, true },
                { "by-none", "", OLD, false, false },   { "by-none", "_20", YOUNGER, false, false },
                { "young", "", YOUNGER, true, false },  { "other", ".txt", OLD, true, false },
        };
        char *paths[ARRAY_SIZE(files)];
        struct cache_pass_result result = {};
        struct cache_pass p = { .image_ids = ids, .n_image_ids = 2 };
        CLEANUP(freep) char *relative = NULL, *elsewhere = NULL, *swap = NULL, *ephemeral = NULL;

        begin();
        for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
                paths[i] = cached(files[i].id, files[i].more);
                put_old(paths[i], files[i].age_s);
        }
        swap = xasprintf("%s/_base/swap_512", dir);
        ephemeral = xasprintf("%s/_base/ephemeral_1_0706d66", dir);
        put_old(swap, OLD);
        put_old(ephemeral, OLD);
        relative = xasprintf("../_base%s", strrchr(paths[3], '/'));
        elsewhere = xasprintf("/other/mount/_base%s", strrchr(paths[4], '/'));
        put_overlay("4f1c0f6e-2d5b-4a3e-9d77-0a1b2c3d4e5f", "disk", paths[2]);
        put_overlay("4f1c0f6e-2d5b-4a3e-9d77-0a1b2c3d4e5f", "disk.rescue", paths[5]);
        put_overlay("instance-00000001", "disk", relative);
        put_overlay("5f1c0f6e-2d5b-4a3e-9d77-0a1b2c3d4e5f_resize", "disk", elsewhere);
        put_overlay("6f1c0f6e-2d5b-4a3e-9d77-0a1b2c3d4e5f", "disk", "nbd://host/x");

        ck_assert_ok(pass(p, &result), e); /* without p.remove */
        ck_assert_uint_eq(result.removed, 0);
        ck_assert_uint_eq(files_in_cache(), ARRAY_SIZE(files) + 2);
        p.remove = true;
        ck_assert_ok(pass(p, &result), e);
        for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
                ck_assert_msg(there(paths[i]) == files[i].stays, "%s%s", files[i].id, files[i].more);
                ck_assert_msg(just_used(paths[i]) == files[i].used, "%s%s", files[i].id, files[i].more);
                free(paths[i]);
        }
        ck_assert(!there(swap) && !there(ephemeral));
        ck_assert_uint_eq(result.files, 11); /* all but other.txt */
        ck_assert_uint_eq(result.used, 6);
        ck_assert_uint_eq(result.young, 1);
        ck_assert_uint_eq(result.removed, 4);
        ck_assert_int_gt(result.freed_bytes, 0);
        end();
}

GREEN_TEST_REAL(a_disk_that_cannot_be_read_keeps_everything)
{
        CLEANUP(freep) char *path = NULL, *disk = NULL;
        struct cache_pass_result result = {};

        begin();
        path = cached("by-none", "");
        put_old(path, OLD);
        put_overlay("4f1c0f6e-2d5b-4a3e-9d77-0a1b2c3d4e5f", "disk", "x");
        disk = xasprintf("%s/4f1c0f6e-2d5b-4a3e-9d77-0a1b2c3d4e5f/disk.local", dir);
        ck_assert_int_eq(mkdir(disk, 0755), 0); /* opened, but not read */
        ck_assert_int_eq(pass((struct cache_pass){ .remove = true }, &result), -1);
        ck_assert_int_eq(e.code, ERR_SYSTEM);
        ck_assert(there(path));
        end();
}

GREEN_TEST_REAL(a_base_that_is_locked_is_left_for_the_next_pass)
{
        struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
        CLEANUP(freep) char *path = NULL, *lock_path = NULL, *other = NULL;
        struct cache_pass_result result = {};
        int fd;

        begin();
        path = cached("by-none", "");
        other = cached("by-none-neither", "");
        put_old(path, OLD);
        put_old(other, OLD);
        lock_path = xasprintf("%s/locks/nova-%s", dir, strrchr(path, '/') + 1);
        fd = open(lock_path, O_RDWR | O_CREAT, 0640);
        ck_assert_int_eq(fcntl(fd, F_OFD_SETLK, &whole), 0);
        ck_assert_ok(pass((struct cache_pass){ .remove = true }, &result), e);
        ck_assert(there(path));
        ck_assert(!there(other));
        ck_assert_uint_eq(result.removed, 1);
        close(fd);
        end();
}

GREEN_TEST_REAL(this_host_is_noted_as_a_user_of_the_storage)
{
        CLEANUP(freep) char *path = NULL, *text = NULL;
        struct cache_pass_result result = {};
        struct jval *hosts;

        begin();
        path = xasprintf("%s/compute_nodes", dir);
        put(path, "{\"host-2\": 1700000000.5}");
        ck_assert_ok(pass((struct cache_pass){}, &result), e);
        ck_assert_ok(file_read(pool, path, 4096, &text, NULL, deadline_in_s(10), &e), e);
        hosts = jval_parse(text, strlen(text), &e);
        ck_assert_double_eq(jval_real(jval_get(hosts, "host-2"), 0), 1700000000.5);
        ck_assert_double_gt(jval_real(jval_get(hosts, "host-1"), 0), 1700000001);
        jval_unref(hosts);
        put(path, "garbage");
        ck_assert_ok(pass((struct cache_pass){}, &result), e);
        end();
}

GREEN_SUITE("image-cache", a_base_is_fetched_once_and_appears_whole,
            an_attempt_that_lives_on_does_not_meet_the_next_one,
            what_a_killed_agent_left_is_removed_unless_somebody_is_at_it,
            a_fetch_begins_with_removing_what_was_left_of_that_image,
            a_missing_base_is_fetched_again_for_whoever_may, two_processes_fetch_an_image_once,
            only_what_nobody_uses_and_is_old_goes, a_disk_that_cannot_be_read_keeps_everything,
            a_base_that_is_locked_is_left_for_the_next_pass, this_host_is_noted_as_a_user_of_the_storage)
