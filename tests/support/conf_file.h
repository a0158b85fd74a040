/*
 * tests/support/conf_file.h: a configuration file made of a string, for tests that load one.
 */
#pragma once

#include <check.h>
#undef fail

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "conf/conf.h"

/* Loads text as a file of its own; its path, which differs from run to run, reads "F" in errors and notes. */
static inline struct conf *conf_of_bytes(const char *text, size_t len, char **ret_errors)
{
        char path[] = "/tmp/compute-agent-conf.XXXXXX";
        struct strbuf errors = {}, plain = {};
        int fd = mkstemp(path);
        struct conf *c;

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(write(fd, text, len), (ssize_t)len);
        ck_assert_int_eq(close(fd), 0);
        c = conf_load(path, &errors);
        ck_assert_int_eq(unlink(path), 0);
        for (const char *p = errors.len ? errors.data : ""; *p; p++) {
                if (strncmp(p, path, strlen(path)) == 0) {
                        strbuf_adds(&plain, "F");
                        p += strlen(path) - 1;
                } else {
                        strbuf_add(&plain, p, 1);
                }
        }
        strbuf_free(&errors);
        *ret_errors = strbuf_take(&plain, NULL);
        return c;
}

static inline struct conf *conf_of(const char *text)
{
        char *errors;
        struct conf *c = conf_of_bytes(text, strlen(text), &errors);

        ck_assert_msg(c != NULL, "%s", errors);
        ck_assert_str_eq(errors, "");
        free(errors);
        return c;
}
