/*
 * agent/images/header.h: the facts behind image_header_inspect(), for files of our own that may have a
 * backing file: overlays of instances.
 */
#pragma once

#include <stdbool.h>

#include "base/context.h"
#include "images/image_source.h"

struct image_header_facts {
        char format[16]; /* as struct image_header */
        int64_t virtual_size, allocated_size;
        bool backing_file, data_file, encrypted;
};
/* ERR_NOT_FOUND, ERR_SYSTEM; NOVA_IMAGE_UNACCEPTABLE: not even readable as what it claims to be. */
int BLOCKS image_header_facts(const char *path, struct image_header_facts *ret, struct error *err);
/*
 * The path of a qcow2's backing file; NULL when it has none, or one that is no file ("nbd://..."), or path is
 * no qcow2. Nothing else of it is checked. Caller frees. ERR_NOT_FOUND, ERR_SYSTEM.
 */
int BLOCKS image_backing_path(const char *path, char **ret, struct error *err);
