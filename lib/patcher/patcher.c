/*
 * lib/patcher/patcher.c: which categories are patched, and what a patched call needs to decide and to wait.
 *
 * The linker's --wrap makes every call of a patched name in the program's own objects arrive at __wrap_NAME;
 * whether anything is different there depends on the categories and on the native thread, at each call.
 */
#include "patcher/patcher_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/time.h>

#define BUSY_PAUSE_MS 5

static atomic_uint patched; /* categories; 0: monkey_patch() was not called */
static void *originals[PATCHED_COUNT];

#define PATCHED_ROW(name, category) [PATCHED_##name] = { #name, category },
const struct patched_symbol patched_symbols[] = { PATCHED_SYMBOLS(PATCHED_ROW){ NULL, 0 } };
#undef PATCHED_ROW

/* Where a call of the name goes: volatile, or the compiler would "know" that two names are two functions. */
#define PATCHED_LINK(name, category) [PATCHED_##name] = { (void *)name, (void *)__wrap_##name },
static const volatile struct {
        void *called, *wrap;
} links[] = { PATCHED_SYMBOLS(PATCHED_LINK) };
#undef PATCHED_LINK

/* Before main(): a first look-up inside of a signal handler could dead-lock in the loader. */
static void __attribute__((constructor)) find_originals(void)
{
        for (int i = 0; i < PATCHED_COUNT; i++)
                originals[i] = original_symbol(patched_symbols[i].name);
}

void *patcher_original_at(enum patched_name name)
{
        void *fn = originals[name];

        return fn ? fn : original_symbol(patched_symbols[name].name); /* in an earlier constructor */
}

void *patcher_replacement(const char *name)
{
        if (strcmp(name, "fcntl") == 0) /* the same function; our own objects call it by this name: */
                name = "fcntl64";
        for (int i = 0; i < PATCHED_COUNT; i++)
                if (strcmp(patched_symbols[i].name, name) == 0)
                        return patched_symbols[i].category & atomic_load(&patched) ? links[i].wrap : NULL;
        return NULL;
}

int monkey_patch(unsigned categories, struct error *err)
{
        unsigned before = atomic_load(&patched);

        if (categories == 0 || (categories & ~(unsigned)PATCH_ALL))
                return error_set(err, ERR_INVALID, "patching: 0x%x is no set of categories", categories);
        if (before != 0 && before != categories)
                return error_set(err, ERR_INVALID, "patching: called before with other categories");
        for (int i = 0; i < PATCHED_COUNT; i++)
                if (links[i].called != links[i].wrap)
                        return error_set(err, ERR_UNSUPPORTED,
                                         "patching: the program was linked without --wrap=%s",
                                         patched_symbols[i].name);
        atomic_store(&patched, categories);
        return 0;
}

unsigned patcher_categories(void)
{
        return atomic_load(&patched);
}

bool is_patched(unsigned category)
{
        return (atomic_load_explicit(&patched, memory_order_relaxed) & category) == category;
}

bool patcher_in_scope(unsigned category)
{
        return (atomic_load_explicit(&patched, memory_order_relaxed) & category) && on_hub_thread();
}

int patcher_errno(const struct error *err)
{
        switch (err->code) {
        case ERR_TIMEOUT:
                return ETIMEDOUT;
        case ERR_CANCELLED:
                return ECANCELED;
        case ERR_CLOSED:
                return EBADF;
        default:
                return err->sys ? err->sys : EIO;
        }
}

int patcher_sleep_until(struct deadline until)
{
        struct error err;

        assert_green();
        if (green_sleep_until(until, &err) == 0)
                return 0;
        /* Code that knows nothing of cancelling may go on for ever: others must have their turn all the same.
         */
        green_yield();
        errno = patcher_errno(&err);
        return -1;
}

int patcher_wait(int fd, unsigned events, struct deadline by)
{
        struct error err;

        assert_green();
        if (green_wait_fd(fd, events, by, &err) > 0)
                return 0;
        if (err.code == ERR_BUSY)
                return patcher_sleep_until(deadline_earlier(by, deadline_in_ms(BUSY_PAUSE_MS)));
        if (err.code == ERR_CANCELLED)
                green_yield();
        errno = patcher_errno(&err);
        return -1;
}

bool patcher_nonblocking(int fd)
{
        int flags = ORIGINAL(fcntl64)(fd, F_GETFL);

        return flags >= 0 && (flags & O_NONBLOCK);
}

struct deadline patcher_socket_deadline(int fd, int option)
{
        struct timeval tv = {};
        socklen_t len = sizeof(tv);

        if (getsockopt(fd, SOL_SOCKET, option, &tv, &len) < 0 || (tv.tv_sec == 0 && tv.tv_usec == 0))
                return deadline_never();
        return deadline_in_ns(tv.tv_sec * NS_PER_S + tv.tv_usec * 1000);
}
