/*
 * tests/support/fake_files.h: agent/images/disks.h and an image source without files, for tests of compute/.
 *
 * There is one image, "image-1" (raw, active). Linked instead of the real disks.c.
 */
#pragma once

#include "images/disks.h"

void fake_files_reset(void);
struct image_source *fake_images(void);
struct disk_store *fake_disks(void);
struct image_info *fake_image(void);    /* tests may change what it says */
const char *fake_image_discarded(void); /* the last one, "ID for TOKEN"; "": none */
bool fake_files_exist(const char *uuid);
void fake_files_add(const char *uuid);
unsigned fake_files_config_drives(void);     /* how many were made */
const char *fake_files_admin_password(void); /* of the last one made */
/* The token that the last question for the image came with, "" if none; and that of the last disks_create()
 * or disks_load(). */
const char *fake_files_image_token(void);
const char *fake_files_disks_token(void);
/* The images that the last pass through the cache called used, each with a blank after it. */
const char *fake_files_cache_pass(void);
/* The next call of "get_image", "discard_image", "create", "load", "remove", "take_back", "console_read",
 * "usage", "cache_pass" fails so.
 */
void fake_files_fail_next(const char *what, int code, const char *text);
void fake_files_set_shared(bool yes);
unsigned fake_files_taken_back(void);
/* What the console log holds. */
void fake_files_set_console(const char *bytes, size_t len);
