/* A program that was linked without --wrap cannot be patched, and is told so. Linked with the plain library.
 */
#include <string.h>

#include "patcher/patcher.h"
#include "suite.h"

START_TEST(a_program_without_the_wraps_is_told)
{
        struct error err;

        ck_assert_fails(monkey_patch(PATCH_ALL, &err), err, ERR_UNSUPPORTED);
        ck_assert_ptr_nonnull(strstr(err.text, "--wrap="));
        ck_assert(!is_patched(PATCH_TIME));
        ck_assert_fails(patcher_green_library("libjansson.so.4", NULL, &err), err, ERR_INVALID);
}
END_TEST

UNIT_SUITE("patcher-unlinked", a_program_without_the_wraps_is_told)
