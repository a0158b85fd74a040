#include "green_test.h"

#include <limits.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "green/sync.h"

static char text[1 << 20];
static int result;

static struct green_mutex lock;
static struct green_event never;

static FILE *new_file(void)
{
        FILE *file = tmpfile();

        ck_assert_ptr_nonnull(file);
        return file;
}

static void read_back(FILE *file)
{
        size_t n;

        rewind(file);
        n = fread(text, 1, sizeof(text) - 1, file);
        text[n] = '\0';
        fclose(file);
}

static void dump_of(const struct hub *hub)
{
        FILE *file = new_file();

        result = green_dump_unsafe(hub, fileno(file), UINT_MAX);
        read_back(file);
}

static int hold(void *arg, struct error *err)
{
        assert_green();
        green_mutex_lock(&lock, deadline_never(), err);
        return green_event_wait(&never, deadline_never(), err);
}

static int want(void *arg, struct error *err)
{
        assert_green();
        return green_mutex_lock(&lock, deadline_never(), err);
}

static void HUB_ONLY prepare(void)
{
        struct error err;

        green_mutex_init(&lock, "the lock");
        green_event_init(&never, "never");
        ck_assert_ok(green_spawn(NULL, "holder", hold, NULL, &err), err);
        ck_assert_ok(green_spawn(NULL, "wanter", want, NULL, &err), err);
}

/* Lines as they must be, but for times. */
static void has(const char *before, const char *after)
{
        const char *at = strstr(text, before);
        const char *end = at ? strchr(at, '\n') : NULL;

        ck_assert_msg(end != NULL, "%s is not in: %s", before, text);
        ck_assert_msg(memmem(at, (size_t)(end - at), after, strlen(after)) != NULL,
                      "%s is not after %s in: %s", after, before, text);
}

static _Atomic bool dumped;

static void *dump_from_outside(void *hub)
{
        dump_of(hub);
        dumped = true;
        return NULL;
}

GREEN_TEST_REAL(a_native_thread_tells_of_all_while_the_hub_is_stuck)
{
        struct error err;
        pthread_t outside;

        prepare();
        green_yield();
        ck_assert_ok(green_spawn(NULL, "newborn", want, NULL, &err), err);
        ck_assert_int_eq(pthread_create(&outside, NULL, dump_from_outside, hub_self()), 0);
        while (!dumped) /* the hub does not turn */
                ;
        pthread_join(outside, NULL);
        ck_assert_int_eq(result, 4);
        has("hub of native thread ", ", 4 green threads, runs #0 main");
        has("  #0 main (group root, spawned at hub_run()): running for 0.", " s, 2 switches");
        has("  #1 holder (group root, spawned at test_dump.c:", "): event never for 0.");
        has("  #2 wanter (group root, spawned at test_dump.c:", "): lock the lock held by #1 holder for 0.");
        has("  #3 newborn (group root, spawned at test_dump.c:", "): not begun for 0.");
}

static const struct hub *interrupted;
static int handlers_fd;

static void on_signal(int sig)
{
        (void)sig;
        result = green_dump_unsafe(interrupted, handlers_fd, UINT_MAX);
}

GREEN_TEST_REAL(a_signal_handler_may_do_it_and_nothing_is_allocated)
{
        struct mallinfo2 before;
        FILE *file = new_file();

        prepare();
        green_yield();
        interrupted = hub_self();
        handlers_fd = fileno(file);
        signal(SIGUSR1, on_signal);
        before = mallinfo2();
        raise(SIGUSR1);
        ck_assert_uint_eq(mallinfo2().uordblks, before.uordblks);
        ck_assert_int_eq(result, 3);
        read_back(file);
        has("  #2 wanter ", "held by #1 holder");
}

GREEN_TEST_REAL(what_is_gone_is_said_and_harms_nobody)
{
        size_t page = (size_t)sysconf(_SC_PAGESIZE);
        char *gone = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        gone[0] = 'x';
        prepare();
        never.name = gone;
        green_yield();
        munmap(gone, page);
        dump_of(hub_self());
        ck_assert_int_eq(result, 3);
        has("  #1 holder ", "): event (unreadable) for 0.");
        never.name = "never"; /* it is read when the wait ends */
        ck_assert_int_eq(green_dump_unsafe(hub_self(), -1, UINT_MAX), -1);
        ck_assert_int_eq(green_dump_unsafe(NULL, STDOUT_FILENO, UINT_MAX), -1);
}

GREEN_TEST_REAL(control_characters_do_not_reach_a_terminal)
{
        green_set_name("a\033[2Jb\nc");
        dump_of(hub_self());
        has("  #0 a?[2Jb?c (group root", "running");
}

static _Atomic bool enough;

static void *dump_again_and_again(void *hub)
{
        FILE *file = new_file();

        for (int i = 0; i < 300; i++) {
                ck_assert_int_eq(ftruncate(fileno(file), 0), 0);
                green_dump_unsafe(hub, fileno(file), UINT_MAX);
        }
        fclose(file);
        enough = true;
        return NULL;
}

static int shortlived(void *arg, struct error *err)
{
        assert_green();
        green_yield();
        return 0;
}

GREEN_TEST_REAL(a_hub_that_turns_meanwhile_makes_nothing_worse_than_wrong_words)
{
        struct error err;
        pthread_t outside;

        ck_assert_int_eq(pthread_create(&outside, NULL, dump_again_and_again, hub_self()), 0);
        while (!enough) {
                for (int i = 0; i < 20; i++)
                        ck_assert_ok(green_spawn(NULL, "short", shortlived, NULL, &err), err);
                green_yield();
        }
        pthread_join(outside, NULL);
}

GREEN_SUITE("dump", a_native_thread_tells_of_all_while_the_hub_is_stuck,
            a_signal_handler_may_do_it_and_nothing_is_allocated, what_is_gone_is_said_and_harms_nobody,
            control_characters_do_not_reach_a_terminal,
            a_hub_that_turns_meanwhile_makes_nothing_worse_than_wrong_words)
