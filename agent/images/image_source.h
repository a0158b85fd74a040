/*
 * agent/images/image_source.h: where images come from, behind one interface: a local folder here, glance
 * beside it.
 */
#pragma once

#include "green/green.h"
#include "model/fault.h"

struct image_info { /* glance's fields that the agent uses */
        char *id, *name, *disk_format, *container_format, *status, *checksum_algo, *checksum;
        int64_t size, min_disk_gb, min_ram_mb;
        char *created_at;
};
void image_info_free(struct image_info *i);

/*
 * For whom images are asked for; all of it borrowed for the time of the call. NULL instead of one: for the
 * agent itself, whose own identity asks.
 */
struct jval;
struct image_caller {
        const char *token;          /* secret: the user's; NULL: he has none */
        const char *request_id;     /* of the user's request, which goes along; or NULL */
        const struct jval *catalog; /* of the user's request context, or NULL */
        /* Hears in words for people what is being done, often; must not yield. NULL: nobody. */
        void (*doing)(void *arg, const char *text);
        /* And after each such text, where it can be counted, how many bytes of how many (0: not known). */
        void (*progress)(void *arg, int64_t done, int64_t total);
        void *arg; /* of both */
};
enum { IMAGE_DOING_MAX = 160 }; /* of its text */
/* Calls doing(), if there is anybody to hear it. */
void HUB_ONLY image_doing(const struct image_caller *caller, const char *fmt, ...)
        __attribute__((format(printf, 2, 3)));

void HUB_ONLY image_progress(const struct image_caller *caller, int64_t done, int64_t total);

struct image_source;
struct image_source_ops {
        const char *name;
        /* NOVA_IMAGE_NOT_FOUND, NOVA_IMAGE_NOT_AUTHORIZED */
        int (*get)(struct image_source *s, const char *id, const struct image_caller *caller,
                   struct image_info *ret, struct deadline by, struct error *err);
        /*
         * Writes the data of an image, as get() described it, to path (created, mode 0644), checksum
         * verified: NOVA_IMAGE_UNACCEPTABLE. Nothing stays at path after a failure; but what was
         * given up may go on for a while, and removes the file then: so each attempt has a path of its own.
         */
        int (*fetch)(struct image_source *s, const struct image_info *image,
                     const struct image_caller *caller, const char *path, struct deadline by,
                     struct error *err);
        /* The image itself goes: one that nobody will fill. Absent is success. NULL: nothing is made here. */
        int (*discard)(struct image_source *s, const char *id, const struct image_caller *caller,
                       struct deadline by, struct error *err);
        void (*free)(struct image_source *s);
};
struct image_source {
        const struct image_source_ops *ops;
};

/* A folder with <id>.json (metadata) and <id>.img (data). Created with mode 0755 when missing. */
struct image_source *YIELDS image_source_local_new(const char *dir, struct deadline by, struct error *err);

struct tpool;
/* File work that can block for long goes through this pool; borrowed; set once before any other call. */
void image_source_set_tpool(struct tpool *p);
struct tpool *image_source_tpool(void);

/* compute-agentctl image-import: copies the file in, checks its header, writes the metadata. */
struct image_import {
        const char *file, *name;
        const char *id;          /* NULL: a new uuid */
        const char *disk_format; /* NULL: by the header */
        int64_t min_disk_gb, min_ram_mb;
};
int YIELDS image_local_import(const char *dir, const struct image_import *what, struct image_info *ret,
                              struct deadline by, struct error *err);
/* All images, by name. Caller frees each and the array. */
int YIELDS image_local_list(const char *dir, struct image_info **ret, unsigned *ret_n, struct error *err);

/*
 * Looks at the first bytes of a file: "raw", "qcow2", "vmdk", ... and for qcow2 refuses backing files, data
 * files and absurd sizes (CVE-2024-32498) with NOVA_IMAGE_UNACCEPTABLE, whose text is only the reason: "it
 * has a backing file". Blocks shortly: worker threads.
 */
struct image_header {
        char format[16];
        int64_t virtual_size;
};
int BLOCKS image_header_inspect(const char *path, struct image_header *ret, struct error *err);
