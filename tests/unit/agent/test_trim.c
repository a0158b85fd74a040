/*
 * What trim_memory() gives back, seen in /proc/self/smaps_rollup.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "suite.h"
#include "trim.h"

static long rollup_kb(const char *key)
{
        FILE *f = fopen("/proc/self/smaps_rollup", "re");
        char line[256];
        long kb = -1;

        ck_assert_ptr_nonnull(f);
        while (fgets(line, sizeof(line), f))
                if (strncmp(line, key, strlen(key)) == 0)
                        kb = strtol(line + strlen(key), NULL, 10);
        fclose(f);
        ck_assert_int_ge(kb, 0);
        return kb;
}

static long of_files_kb(void)
{
        return rollup_kb("Rss:") - rollup_kb("Anonymous:");
}

START_TEST(pages_of_a_library_are_given_back_and_read_again)
{
        void *library = dlopen("libcrypto.so.3", RTLD_NOW);
        const char *(*version)(int) =
                library ? (const char *(*)(int))dlsym(library, "OpenSSL_version") : NULL;
        char before[128];
        long kb;

        ck_assert_ptr_nonnull(version);
        ck_assert_int_lt(snprintf(before, sizeof(before), "%s", version(0)), (int)sizeof(before));
        kb = of_files_kb();
        trim_memory();
        ck_assert_int_lt(of_files_kb(), kb);
        ck_assert_str_eq(version(0), before);
        dlclose(library);
}
END_TEST

START_TEST(data_is_not_touched)
{
        static int written = 1;
        char *heap = strdup("on the heap");

        written = 42;
        trim_memory();
        ck_assert_int_eq(written, 42);
        ck_assert_str_eq(heap, "on the heap");
        free(heap);
}
END_TEST

UNIT_SUITE("trim", pages_of_a_library_are_given_back_and_read_again, data_is_not_touched)
