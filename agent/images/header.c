/*
 * agent/images/header.c: what a disk image says of itself, read by us before qemu-img gets to see it.
 *
 * Images come from users. A qcow2 can name a backing file or a data file, a vmdk can name extents, a vhd a
 * parent: qemu-img would open whatever they name on this host (CVE-2024-32498, CVE-2024-40767). So only what
 * is contained in itself is accepted, and the format is always told to qemu-img, never guessed by it.
 */
#include "images/header.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "model/fault.h"

enum { HEAD_MAX = 64 << 10, DESCRIPTOR_MAX = 64 << 10, QCOW2_NAME_MAX = 1023 };
#define VIRTUAL_MAX \
        (INT64_C(64) << 40) /* what qemu can address in qcow2 with the default clusters, and more */

/* The beginning of the file, and where it ends. */
struct head {
        int fd;
        const char *path;
        unsigned char *data;
        size_t len;
        int64_t file_size;
};

static uint32_t be32(const unsigned char *p)
{
        return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint64_t be64(const unsigned char *p)
{
        return (uint64_t)be32(p) << 32 | be32(p + 4);
}

static uint32_t le32(const unsigned char *p)
{
        return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static uint64_t le64(const unsigned char *p)
{
        return (uint64_t)le32(p + 4) << 32 | le32(p);
}

static bool begins(const struct head *h, size_t at, const char *magic, size_t len)
{
        return h->len >= at + len && memcmp(h->data + at, magic, len) == 0;
}
#define BEGINS(h, at, literal) begins(h, at, literal, sizeof(literal) - 1)

/* Whoever asked says which image it is: the file's name means nothing to a user. */
static int refuse(struct error *err, const char *why)
{
        return error_set(err, NOVA_IMAGE_UNACCEPTABLE, "%s", why);
}

static int set_size(struct image_header_facts *f, uint64_t size, struct error *err)
{
        if (size > (uint64_t)VIRTUAL_MAX)
                return refuse(err, "its disk would be larger than 64 TiB");
        f->virtual_size = (int64_t)size;
        return 0;
}

/* ---- qcow2 ---- */

enum { /* bits of incompatible_features */
       QCOW2_DATA_FILE = 1 << 2,
       QCOW2_KNOWN = 0x1f, /* dirty, corrupt, data file, compression, extended L2 */
};

static int qcow2_extensions(struct image_header_facts *f, const struct head *h, size_t at, size_t end,
                            struct error *err)
{
        while (at + 8 <= end) {
                uint32_t type = be32(h->data + at), len = be32(h->data + at + 4);

                if (type == 0)
                        return 0;
                if (len > end - at - 8)
                        return refuse(err, "a header extension of the qcow2 is longer than its cluster");
                if (type == 0x44415441) /* name of the data file */
                        f->data_file = true;
                else if (type == 0x0537be77) /* LUKS header */
                        f->encrypted = true;
                at += 8 + ((len + 7) & ~(size_t)7);
        }
        return 0;
}

static int read_qcow2(struct image_header_facts *f, const struct head *h, struct error *err)
{
        uint32_t version, cluster_bits;
        uint64_t incompatible = 0;
        size_t header_len = 72, end;

        if (h->len < 104)
                return refuse(err, "the qcow2 header is cut off");
        version = be32(h->data + 4);
        cluster_bits = be32(h->data + 20);
        if (version != 2 && version != 3)
                return refuse(err, "only versions 2 and 3 of qcow2 are supported");
        if (cluster_bits < 9 || cluster_bits > 21)
                return refuse(err, "the qcow2 has an impossible cluster size");
        if (version == 3) {
                incompatible = be64(h->data + 72);
                header_len = be32(h->data + 100);
        }
        if (incompatible & ~(uint64_t)QCOW2_KNOWN)
                return refuse(err, "the qcow2 needs features that are not known here");
        if (header_len < (version == 3 ? 104 : 72) || header_len > (1u << cluster_bits))
                return refuse(err, "the qcow2 header has an impossible length");
        if (be32(h->data + 36) > (32u << 20) / 8 || be32(h->data + 60) > 65536)
                return refuse(err, "the qcow2 has tables of an absurd size");
        f->backing_file = be64(h->data + 8) != 0 || be32(h->data + 16) != 0;
        f->data_file = incompatible & QCOW2_DATA_FILE;
        f->encrypted = be32(h->data + 32) != 0;
        end = h->len < (1u << cluster_bits) ? h->len : 1u << cluster_bits;
        if (qcow2_extensions(f, h, header_len, end, err) < 0)
                return -1;
        return set_size(f, be64(h->data + 24), err);
}

/* ---- vmdk ---- */

/* The descriptor inside a sparse extent: only the kinds that consist of this one file. */
static int vmdk_descriptor(const struct head *h, uint64_t offset, uint64_t len, struct error *err)
{
        static const char *const alone[] = { "createType=\"monolithicSparse\"",
                                             "createType=\"streamOptimized\"" };
        CLEANUP(freep) char *text = NULL;
        size_t extents = 0;
        ssize_t n;

        if (len == 0 || len > DESCRIPTOR_MAX || offset > (uint64_t)h->file_size)
                return refuse(err, "the vmdk has no descriptor, or one of an absurd size");
        text = xcalloc(1, len + 1);
        n = pread(h->fd, text, len, (off_t)offset);
        if (n < 0)
                return error_system(err, errno, "reading %s", h->path);
        for (const char *p = text; (p = strstr(p, "\nRW ")) || (p = NULL); p++)
                extents++;
        for (const char *p = text; (p = strstr(p, "\nRDONLY ")) || (p = NULL); p++)
                extents++;
        if (extents > 1 || strstr(text, "parentFileNameHint"))
                return refuse(err, "the vmdk refers to other files");
        for (size_t i = 0; i < sizeof(alone) / sizeof(alone[0]); i++)
                if (strstr(text, alone[i]))
                        return 0;
        return refuse(err, "only monolithicSparse and streamOptimized vmdk are supported");
}

static int read_vmdk(struct image_header_facts *f, const struct head *h, struct error *err)
{
        uint64_t sectors, offset, len;

        if (h->len < 512)
                return refuse(err, "the vmdk header is cut off");
        sectors = le64(h->data + 12);
        offset = le64(h->data + 28);
        len = le64(h->data + 36);
        if (sectors > (uint64_t)VIRTUAL_MAX / 512 || offset > (uint64_t)VIRTUAL_MAX / 512 ||
            len > DESCRIPTOR_MAX)
                return refuse(err, "the vmdk has absurd sizes");
        if (vmdk_descriptor(h, offset * 512, len * 512, err) < 0)
                return -1;
        return set_size(f, sectors * 512, err);
}

/* ---- vhd, vdi ---- */

static int read_vhd(struct image_header_facts *f, const struct head *h, const unsigned char *footer,
                    struct error *err)
{
        uint32_t type = be32(footer + 60);

        if (type != 2 && type != 3) /* fixed, dynamic; 4 has a parent */
                return refuse(err, "only fixed and dynamic vhd are supported");
        return set_size(f, be64(footer + 48), err);
}

static int read_vdi(struct image_header_facts *f, const struct head *h, struct error *err)
{
        uint32_t type;

        if (h->len < 512)
                return refuse(err, "the vdi header is cut off");
        type = le32(h->data + 76);
        if (type != 1 && type != 2) /* dynamic, static; others have a parent */
                return refuse(err, "only dynamic and static vdi are supported");
        return set_size(f, le64(h->data + 368), err);
}

/* ---- which one ---- */

static int name_it(struct image_header_facts *f, const char *format)
{
        snprintf(f->format, sizeof(f->format), "%s", format);
        return 0;
}

/* Formats that qemu knows and we do not accept: named, so that nobody takes them for raw. */
static const char *unsupported_format(const struct head *h)
{
        static const struct {
                size_t at;
                const char *magic, *name;
        } known[] = {
                { 0, "vhdxfile", "vhdx" },
                { 0, "QED", "qed" },
                { 0, "LUKS\xba\xbe", "luks" },
                { 0, "COWD", "vmdk of ESX" },
                { 0, "# Disk DescriptorFile", "vmdk descriptor" },
                { 0, "WithoutFreeSpace", "parallels" },
                { 0, "WithouFreSpacExt", "parallels" },
                { 0, "Bochs Virtual HD Image", "bochs" },
        };

        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
                if (begins(h, known[i].at, known[i].magic, strlen(known[i].magic)))
                        return known[i].name;
        return NULL;
}

static int identify(struct image_header_facts *f, const struct head *h, struct error *err)
{
        const char *other = unsupported_format(h);
        unsigned char footer[512];
        char why[96];

        if (other) {
                snprintf(why, sizeof(why), "format %s is not supported", other);
                return refuse(err, why);
        }
        if (BEGINS(h, 0, "QFI\xfb"))
                return name_it(f, "qcow2") < 0 ? -1 : read_qcow2(f, h, err);
        if (BEGINS(h, 0, "KDMV"))
                return name_it(f, "vmdk") < 0 ? -1 : read_vmdk(f, h, err);
        if (BEGINS(h, 64, "\x7f\x10\xda\xbe"))
                return name_it(f, "vdi") < 0 ? -1 : read_vdi(f, h, err);
        if (BEGINS(h, 0, "conectix") && h->len >= 512)
                return name_it(f, "vhd") < 0 ? -1 : read_vhd(f, h, h->data, err);
        if (h->file_size >= 1024 && pread(h->fd, footer, 512, h->file_size - 512) == 512 &&
            memcmp(footer, "conectix", 8) == 0)
                return name_it(f, "vhd") < 0 ? -1 : read_vhd(f, h, footer, err);
        name_it(f, BEGINS(h, 32769, "CD001") ? "iso" : "raw");
        return set_size(f, (uint64_t)h->file_size, err);
}

int image_header_facts(const char *path, struct image_header_facts *ret, struct error *err)
{
        CLEANUP(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        CLEANUP(freep) unsigned char *data = NULL;
        struct image_header_facts f = {};
        struct head h = { .path = path };
        struct stat st;
        ssize_t n;

        if (fd < 0 && errno == ENOENT)
                return error_set(err, ERR_NOT_FOUND, "there is no %s", path);
        if (fd < 0 || fstat(fd, &st) < 0)
                return error_system(err, errno, "opening %s", path);
        if (!S_ISREG(st.st_mode))
                return refuse(err, "it is not a regular file");
        data = xmalloc(HEAD_MAX);
        n = pread(fd, data, HEAD_MAX, 0);
        if (n < 0)
                return error_system(err, errno, "reading %s", path);
        h.fd = fd;
        h.data = data;
        h.len = (size_t)n;
        h.file_size = st.st_size;
        if (identify(&f, &h, err) < 0)
                return -1;
        f.allocated_size = (int64_t)st.st_blocks * 512;
        *ret = f;
        return 0;
}

int image_header_inspect(const char *path, struct image_header *ret, struct error *err)
{
        struct image_header_facts f;

        if (image_header_facts(path, &f, err) < 0)
                return -1;
        if (f.backing_file)
                return refuse(err, "it has a backing file");
        if (f.data_file)
                return refuse(err, "it has a data file of its own");
        if (f.encrypted)
                return refuse(err, "it is encrypted");
        memcpy(ret->format, f.format, sizeof(ret->format));
        ret->virtual_size = f.virtual_size;
        return 0;
}

/* ---- backing files of disks that are ours ---- */

static int BLOCKS read_backing_name(int fd, const char *path, char name[QCOW2_NAME_MAX + 1],
                                    struct error *err)
{
        unsigned char head[20];
        ssize_t n = pread(fd, head, sizeof(head), 0);
        uint32_t len;

        name[0] = '\0';
        if (n < 0)
                return error_system(err, errno, "reading %s", path);
        if (n < (ssize_t)sizeof(head) || memcmp(head, "QFI\xfb", 4) != 0)
                return 0;
        len = be32(head + 16);
        if (len == 0 || len > QCOW2_NAME_MAX)
                return 0;
        n = pread(fd, name, len, (off_t)be64(head + 8));
        name[n > 0 ? n : 0] = '\0';
        return n < 0 ? error_system(err, errno, "reading %s", path) : 0;
}

int image_backing_path(const char *path, char **ret, struct error *err)
{
        CLEANUP(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        const char *slash = strrchr(path, '/');
        char name[QCOW2_NAME_MAX + 1];

        *ret = NULL;
        if (fd < 0 && errno == ENOENT)
                return error_set(err, ERR_NOT_FOUND, "there is no %s", path);
        if (fd < 0)
                return error_system(err, errno, "opening %s", path);
        if (read_backing_name(fd, path, name, err) < 0)
                return -1;
        if (!*name || name[strcspn(name, ":/")] == ':') /* a protocol, or json: */
                return 0;
        if (*name == '/')
                *ret = xstrdup(name);
        else
                *ret = xasprintf("%.*s/%s", slash ? (int)(slash - path) : 1, slash ? path : ".", name);
        return 0;
}
