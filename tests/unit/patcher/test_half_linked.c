/*
 * What must not run half patched. HALF_LINKED: the program has all wraps but one. Else: all of them, and the
 * C library seems to lack a symbol (its look-up is ours).
 */
#include <dlfcn.h>
#include <string.h>

#include "patcher/patcher.h"
#include "suite.h"

#ifdef HALF_LINKED

START_TEST(the_wrap_that_is_missing_is_named)
{
        struct error err;

        ck_assert_fails(monkey_patch(PATCH_ALL, &err), err, ERR_UNSUPPORTED);
        ck_assert_ptr_nonnull(strstr(err.text, "--wrap=" HALF_LINKED));
        ck_assert(!is_patched(PATCH_TIME));
        ck_assert_fails(monkey_patch(PATCH_TIME, &err), err, ERR_UNSUPPORTED); /* whatever is asked for */
}
END_TEST

UNIT_SUITE("patcher-half-linked", the_wrap_that_is_missing_is_named)

#else

void *__real_dlsym(void *handle, const char *name);
void *__wrap_dlsym(void *handle, const char *name);

void *__wrap_dlsym(void *handle, const char *name)
{
        return strcmp(name, "epoll_pwait2") == 0 ? NULL : __real_dlsym(handle, name);
}

START_TEST(a_function_that_the_c_library_lacks_is_named)
{
        struct error err;

        ck_assert_fails(monkey_patch(PATCH_ALL, &err), err, ERR_UNSUPPORTED);
        ck_assert_ptr_nonnull(strstr(err.text, "\"epoll_pwait2\""));
        ck_assert(!is_patched(PATCH_SELECT));
}
END_TEST

UNIT_SUITE("patcher-no-original", a_function_that_the_c_library_lacks_is_named)

#endif
