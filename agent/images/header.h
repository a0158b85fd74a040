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
