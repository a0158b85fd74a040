/*
 * lib/patcher/patcher.c: which categories are patched, and what a patched call needs to decide and to wait.
 *
 * The linker's --wrap makes every call of a patched name in the program's own objects arrive at __wrap_NAME;
 * whether anything is different there depends on the categories and on the native thread, at each call.
 */
#include "patcher/patcher_priv.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/time.h>

#include "base/list.h"

#define BUSY_PAUSE_MS 5

static atomic_uint patched; /* categories; 0: monkey_patch() was not called */
static void *originals[PATCHED_COUNT];

#define PATCHED_ROW(name, category) [PATCHED_##name] = { #name, category },
const struct patched_symbol patched_symbols[] = { PATCHED_SYMBOLS(PATCHED_ROW){ NULL, 0 } };
#undef PATCHED_ROW

/* The names as the linker sees them: the headers call some of them by another one (sendfile, sendfile64). */
#define PATCHED_CALLED(name, category) extern __typeof__(name) called_##name __asm__(#name);
PATCHED_SYMBOLS(PATCHED_CALLED)
#undef PATCHED_CALLED

/* Where a call of the name goes: volatile, or the compiler would "know" that two names are two functions. */
#define PATCHED_LINK(name, category) [PATCHED_##name] = { (void *)called_##name, (void *)__wrap_##name },
static const volatile struct {
        void *called, *wrap;
} links[] = { PATCHED_SYMBOLS(PATCHED_LINK) };
#undef PATCHED_LINK

/*
 * Before main(): a first look-up inside of a signal handler could dead-lock in the loader. One that is
 * missing is monkey_patch()'s to tell.
 */
static void __attribute__((constructor)) find_originals(void)
{
        for (int i = 0; i < PATCHED_COUNT; i++)
                originals[i] = dlsym(RTLD_DEFAULT, patched_symbols[i].name);
}

void *patcher_original_at(enum patched_name name)
{
        void *fn = originals[name];

        return fn ? fn : original_symbol(patched_symbols[name].name); /* in an earlier constructor */
}

const struct patched_symbol *patched_find(const char *name)
{
        if (strcmp(name, "fcntl") == 0) /* the same function; our own objects call it by this name: */
                name = "fcntl64";
        for (int i = 0; i < PATCHED_COUNT; i++)
                if (strcmp(patched_symbols[i].name, name) == 0)
                        return &patched_symbols[i];
        return NULL;
}

void *patcher_replacement(const char *name)
{
        const struct patched_symbol *symbol = patched_find(name);

        return symbol && (symbol->category & atomic_load(&patched)) ? links[symbol - patched_symbols].wrap
                                                                    : NULL;
}

/* ---- the self-test ---- */

static __thread volatile unsigned long
        native_calls; /* patched calls that went on as plain ones in this thread */

/* One harmless call per category, which answers at once; what it must say shows that it was the real one. */
static bool probe_select(void)
{
        return poll(NULL, 0, 0) == 0;
}

static bool probe_time(void)
{
        return nanosleep(&(struct timespec){}, NULL) == 0;
}

static bool probe_socket(void)
{
        char c;

        return recv(-1, &c, 1, 0) == -1 && errno == EBADF;
}

static bool probe_os(void)
{
        char c;

        return read(-1, &c, 1) == -1 && errno == EBADF;
}

static bool probe_thread(void)
{
        return sched_yield() == 0; /* compilers know pthread_self() as a function without effects */
}

static const struct {
        unsigned category;
        const char *name;
        bool (*probe)(void);
} probes[] = {
        { PATCH_SELECT, "poll", probe_select },        { PATCH_TIME, "nanosleep", probe_time },
        { PATCH_SOCKET, "recv", probe_socket },        { PATCH_OS, "read", probe_os },
        { PATCH_THREAD, "sched_yield", probe_thread },
};

/* Were the wraps passed, and did they find the C library behind them? */
static int probe(unsigned categories, struct error *err)
{
        int saved = errno;

        for (size_t i = 0; i < ARRAY_SIZE(probes); i++) {
                unsigned long before = native_calls;
                bool right;

                if (!(categories & probes[i].category))
                        continue;
                right = probes[i].probe();
                if (native_calls == before)
                        return error_set(err, ERR_UNSUPPORTED, "patching: a call of %s does not arrive here",
                                         probes[i].name);
                if (!right)
                        return error_set(err, ERR_UNSUPPORTED,
                                         "patching: %s does not answer as the C library's does",
                                         probes[i].name);
        }
        errno = saved;
        return 0;
}

static int check_symbols(struct error *err)
{
        for (int i = 0; i < PATCHED_COUNT; i++) {
                if (links[i].called != links[i].wrap)
                        return error_set(err, ERR_UNSUPPORTED,
                                         "patching: the program was linked without --wrap=%s",
                                         patched_symbols[i].name);
                if (!originals[i])
                        return error_set(err, ERR_UNSUPPORTED, "patching: the C library has no \"%s\"",
                                         patched_symbols[i].name);
                if (originals[i] == links[i].wrap)
                        return error_set(err, ERR_UNSUPPORTED, "patching: \"%s\" leads back to here",
                                         patched_symbols[i].name);
        }
        return 0;
}

int monkey_patch(unsigned categories, struct error *err)
{
        unsigned before = atomic_load(&patched);

        if (categories == 0 || (categories & ~(unsigned)PATCH_ALL))
                return error_set(err, ERR_INVALID, "patching: 0x%x is no set of categories", categories);
        if (before != 0 && before != categories)
                return error_set(err, ERR_INVALID, "patching: called before with other categories");
        if (check_symbols(err) < 0)
                return -1;
        atomic_store(&patched, categories);
        if (before == 0 && !on_hub_thread() && probe(categories, err) < 0) {
                atomic_store(&patched, 0);
                return -1;
        }
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
        if (!(atomic_load_explicit(&patched, memory_order_relaxed) & category))
                return false;
        if (on_hub_thread())
                return true;
        native_calls++; /* for the self-test */
        return false;
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
