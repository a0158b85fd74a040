/* What image files say of themselves: bytes made by hand, byte for byte as their formats are documented. */
#include "suite.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/context.h"
#include "base/mem.h"
#include "images/header.h"
#include "model/fault.h"

enum { SIZE = 128 << 10 };

static unsigned char image[SIZE];
static char path[] = "/tmp/compute-agent-header.XXXXXX";

static void setup(void)
{
        int fd = mkstemp(path);

        ck_assert_int_ge(fd, 0);
        close(fd);
        memset(image, 0, sizeof(image));
}

static void teardown(void)
{
        unlink(path);
}

static void put_be32(size_t at, uint32_t v)
{
        for (int i = 0; i < 4; i++)
                image[at + (size_t)i] = (unsigned char)(v >> (24 - 8 * i));
}

static void put_be64(size_t at, uint64_t v)
{
        put_be32(at, (uint32_t)(v >> 32));
        put_be32(at + 4, (uint32_t)v);
}

static void put_le32(size_t at, uint32_t v)
{
        for (int i = 0; i < 4; i++)
                image[at + (size_t)i] = (unsigned char)(v >> (8 * i));
}

static void put_le64(size_t at, uint64_t v)
{
        put_le32(at, (uint32_t)v);
        put_le32(at + 4, (uint32_t)(v >> 32));
}

static void put_text(size_t at, const char *text)
{
        memcpy(image + at, text, strlen(text));
}

static void save(size_t len)
{
        FILE *f = fopen(path, "w");

        ck_assert_ptr_nonnull(f);
        ck_assert_uint_eq(fwrite(image, 1, len, f), len);
        ck_assert_int_eq(fclose(f), 0);
}

static void check_is(const char *format, int64_t size)
{
        struct image_header h = {};
        struct error err = {};

        assert_on_worker();
        ck_assert_ok(image_header_inspect(path, &h, &err), err);
        ck_assert_str_eq(h.format, format);
        ck_assert_int_eq(h.virtual_size, size);
}

static void check_refused(const char *why)
{
        struct image_header h = {};
        struct error err = {};

        assert_on_worker();
        ck_assert_int_eq(image_header_inspect(path, &h, &err), -1);
        ck_assert_int_eq(err.code, NOVA_IMAGE_UNACCEPTABLE);
        ck_assert_msg(strstr(err.text, why) != NULL, "\"%s\" does not say \"%s\"", err.text, why);
}

static void make_qcow2(uint32_t version)
{
        memset(image, 0, sizeof(image));
        put_text(0, "QFI\xfb");
        put_be32(4, version);
        put_be32(20, 16);
        put_be64(24, UINT64_C(5) << 30);
        put_be32(36, 10);
        put_be64(40, 0x30000);
        put_be64(48, 0x10000);
        put_be32(56, 1);
        if (version == 3)
                put_be32(100, 104);
}

START_TEST(what_has_no_header_is_raw)
{
        save(SIZE);
        check_is("raw", SIZE);
        save(0);
        check_is("raw", 0);
        put_text(0, "QF");
        save(2);
        check_is("raw", 2);
        put_text(510, "\x55\xaa");
        save(1536);
        check_is("raw", 1536);
}
END_TEST

START_TEST(iso_is_known)
{
        put_text(32769, "CD001");
        save(SIZE);
        check_is("iso", SIZE);
}
END_TEST

START_TEST(plain_qcow2_is_accepted)
{
        make_qcow2(2);
        save(SIZE);
        check_is("qcow2", INT64_C(5) << 30);
        make_qcow2(3);
        put_be64(72, 1 | 2 | 8 | 16);
        put_be32(104, 0x6803f857); /* feature names: harmless */
        put_be32(108, 13);
        save(SIZE);
        check_is("qcow2", INT64_C(5) << 30);
}
END_TEST

START_TEST(qcow2_that_names_other_files_is_refused)
{
        make_qcow2(3);
        put_be64(8, 200);
        put_be32(16, 11);
        put_text(200, "/etc/shadow");
        save(SIZE);
        check_refused("backing file");

        make_qcow2(3);
        put_be64(72, 4);
        save(SIZE);
        check_refused("data file");

        make_qcow2(3); /* the name alone, without its bit */
        put_be32(104, 0x6803f857);
        put_be32(108, 3);
        put_be32(120, 0x44415441);
        put_be32(124, 11);
        put_text(128, "/etc/shadow");
        save(SIZE);
        check_refused("data file");

        make_qcow2(2); /* extensions begin earlier in version 2 */
        put_be32(72, 0x44415441);
        put_be32(76, 4);
        save(SIZE);
        check_refused("data file");
}
END_TEST

START_TEST(qcow2_that_is_odd_is_refused)
{
        static const struct {
                size_t at;
                uint32_t value;
                const char *why;
        } cases[] = {
                { 4, 1, "versions" },          { 4, 4, "versions" },         { 20, 8, "cluster" },
                { 20, 22, "cluster" },         { 24, 0x80000000, "64 TiB" }, { 32, 1, "encrypted" },
                { 32, 2, "encrypted" },        { 36, 0xffffffff, "absurd" }, { 60, 0x10000000, "absurd" },
                { 76, 0x20, "features" },      { 72, 1, "features" },        { 100, 72, "length" },
                { 100, 0xffffffff, "length" },
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                make_qcow2(3);
                put_be32(cases[i].at, cases[i].value);
                save(SIZE);
                check_refused(cases[i].why);
        }
        make_qcow2(3);
        save(50);
        check_refused("cut off");
        make_qcow2(3);
        put_be32(104, 1);
        put_be32(108, 0xfffffff0);
        save(SIZE);
        check_refused("longer than");
}
END_TEST

static void make_vmdk(const char *descriptor)
{
        memset(image, 0, sizeof(image));
        put_text(0, "KDMV");
        put_le32(4, 1);
        put_le64(12, 2097152);
        put_le64(28, 1);
        put_le64(36, 20);
        put_text(512, descriptor);
        save(SIZE);
}

START_TEST(only_vmdk_of_one_file_is_accepted)
{
        make_vmdk("# Disk DescriptorFile\ncreateType=\"monolithicSparse\"\nRW 2097152 SPARSE \"a.vmdk\"\n");
        check_is("vmdk", INT64_C(1) << 30);
        make_vmdk(
                "# Disk DescriptorFile\ncreateType=\"streamOptimized\"\nRDONLY 2097152 SPARSE \"a.vmdk\"\n");
        check_is("vmdk", INT64_C(1) << 30);
        make_vmdk("# Disk DescriptorFile\ncreateType=\"monolithicFlat\"\nRW 1 FLAT \"/etc/shadow\" 0\n");
        check_refused("only monolithicSparse");
        make_vmdk("createType=\"monolithicSparse\"\nRW 1 SPARSE \"a\"\nRW 1 FLAT \"/etc/shadow\" 0\n");
        check_refused("other files");
        make_vmdk("createType=\"monolithicSparse\"\nparentFileNameHint=\"/etc/shadow\"\nRW 1 SPARSE \"a\"\n");
        check_refused("other files");
        put_le64(36, 0);
        save(SIZE);
        check_refused("descriptor");
        put_le64(12, UINT64_MAX);
        save(SIZE);
        check_refused("absurd");
        save(100);
        check_refused("cut off");
}
END_TEST

START_TEST(vhd_and_vdi_without_parents_are_accepted)
{
        put_text(0, "conectix");
        put_be64(48, 3 << 20);
        put_be32(60, 3);
        save(SIZE);
        check_is("vhd", 3 << 20);
        put_be32(60, 4);
        save(SIZE);
        check_refused("vhd");

        memset(image, 0, sizeof(image));
        put_text(SIZE - 512, "conectix");
        put_be64(SIZE - 512 + 48, SIZE - 512);
        put_be32(SIZE - 512 + 60, 2);
        save(SIZE);
        check_is("vhd", SIZE - 512);

        memset(image, 0, sizeof(image));
        put_le32(64, 0xbeda107f);
        put_le32(76, 1);
        put_le64(368, 7 << 20);
        save(SIZE);
        check_is("vdi", 7 << 20);
        put_le32(76, 4);
        save(SIZE);
        check_refused("vdi");
}
END_TEST

START_TEST(formats_that_are_not_accepted_are_not_taken_for_raw)
{
        static const char *const magics[] = {
                "vhdxfile",         "QED",
                "LUKS\xba\xbe",     "COWD",
                "WithoutFreeSpace", "# Disk DescriptorFile\nRW 1 FLAT \"/etc/shadow\" 0",
                "WithouFreSpacExt", "Bochs Virtual HD Image"
        };

        for (size_t i = 0; i < sizeof(magics) / sizeof(magics[0]); i++) {
                memset(image, 0, sizeof(image));
                put_text(0, magics[i]);
                save(SIZE);
                check_refused("not supported");
        }
}
END_TEST

START_TEST(only_regular_files_are_looked_at)
{
        struct image_header h = {};
        struct error err = {};

        assert_on_worker();
        unlink(path);
        ck_assert_fails(image_header_inspect(path, &h, &err), err, ERR_NOT_FOUND);
        ck_assert_int_eq(mkfifo(path, 0600), 0);
        ck_assert_fails(image_header_inspect(path, &h, &err), err, NOVA_IMAGE_UNACCEPTABLE);
        ck_assert_fails(image_header_inspect("/dev", &h, &err), err, NOVA_IMAGE_UNACCEPTABLE);
}
END_TEST

UNIT_SUITE_FIXTURE("image-header", setup, teardown, what_has_no_header_is_raw, iso_is_known,
                   plain_qcow2_is_accepted, qcow2_that_names_other_files_is_refused,
                   qcow2_that_is_odd_is_refused, only_vmdk_of_one_file_is_accepted,
                   vhd_and_vdi_without_parents_are_accepted,
                   formats_that_are_not_accepted_are_not_taken_for_raw, only_regular_files_are_looked_at)
