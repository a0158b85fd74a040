/*
 * agent/images/header.h: the facts behind image_header_inspect(), for files of our own that may have a
 * backing file: overlays of instances.
 */
#pragma once

#include <stdbool.h>

#include "base/context.h"
#include "images/image_source.h"

enum { QCOW2_NAME_MAX = 1023 };

struct image_header_facts {
        char format[16]; /* as struct image_header */
        int64_t virtual_size, allocated_size;
        bool backing_file, data_file, encrypted;
        char backing_name[QCOW2_NAME_MAX + 1]; /* of a qcow2, as it stands there; "" if there is none */
};
/* ERR_NOT_FOUND, ERR_SYSTEM; NOVA_IMAGE_UNACCEPTABLE: not even readable as what it claims to be. */
int BLOCKS image_header_facts(const char *path, struct image_header_facts *ret, struct error *err);
/*
 * The path of a qcow2's backing file; NULL when it has none, or one that is no file ("nbd://..."). Caller
 * frees.
 */
int BLOCKS image_backing_path(const char *path, char **ret, struct error *err);
