#include "green_test.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

#include "base/list.h"
#include "native/stall_watcher.h"

static __attribute__((noinline)) void *return_address(void)
{
        return __builtin_return_address(0);
}

START_TEST(a_static_function_with_file_and_line)
{
        char text[256], place[64];
        void *address;
        int line;

        symbolise((void *)return_address, text, sizeof(text));
        ck_assert_int_eq(strncmp(text, "return_address+0x0 (test_symbolise.c:", 37), 0);
        line = __LINE__ + 1;
        address = return_address(); /* the address is behind the call, the line is that of the call */
        symbolise(address, text, sizeof(text));
        snprintf(place, sizeof(place), " (test_symbolise.c:%d)", line);
        ck_assert_int_eq(strncmp(text, "a_static_function_with_file_and_line_fn+0x", 42), 0);
        ck_assert_msg(strstr(text, place) != NULL, "%s has no%s", text, place);
}
END_TEST

START_TEST(a_function_of_a_shared_library)
{
        char text[256];

        symbolise(dlsym(RTLD_DEFAULT, "gnu_get_libc_version"), text, sizeof(text));
        ck_assert_int_eq(strncmp(text, "gnu_get_libc_version+0x0 (", 26), 0);
}
END_TEST

START_TEST(a_static_function_of_a_library_that_came_later)
{
        char text[256];
        void *(*hidden)(void);
        void *plugin;

        symbolise((void *)strlen, text, sizeof(text)); /* now the loaded files are known */
        for (int i = 0; i < 3; i++) {
                plugin = dlopen(PLUGIN, RTLD_NOW);
                ck_assert_msg(plugin != NULL, "%s", dlerror());
                hidden = (void *(*)(void))dlsym(plugin, "plugin_hidden");
                symbolise(hidden(), text, sizeof(text));
                ck_assert_int_eq(strncmp(text, "hidden_in_plugin+0x0 (plugin.c:", 31), 0);
                dlclose(plugin);
        }
}
END_TEST

START_TEST(what_is_nothing_stays_a_number)
{
        char text[256], small[8];

        symbolise((void *)0x10, text, sizeof(text));
        ck_assert_str_eq(text, "0x10");
        symbolise(NULL, text, sizeof(text));
        ck_assert_str_eq(text, "0x0");
        symbolise((void *)return_address, small, sizeof(small));
        ck_assert_str_eq(small, "return_");
}
END_TEST

static void *symbolise_often(void *arg)
{
        for (int i = 0; i < 50; i++)
                symbolise((void *)symbolise_often, arg, 256);
        return NULL;
}

START_TEST(many_threads_at_once)
{
        pthread_t threads[4];
        char texts[4][256];

        for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
                ck_assert_int_eq(pthread_create(&threads[i], NULL, symbolise_often, texts[i]), 0);
        for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
                pthread_join(threads[i], NULL);
                ck_assert_int_eq(strncmp(texts[i], "symbolise_often+0x0 (", 21), 0);
        }
}
END_TEST

GREEN_SUITE("symbolise", a_static_function_with_file_and_line, a_function_of_a_shared_library,
            a_static_function_of_a_library_that_came_later, what_is_nothing_stays_a_number,
            many_threads_at_once)
