/*
 * tests/unit/native/test_no_memory.c: each thing that the runtime asks the system for is refused once.
 *
 * Linked with --wrap for all that gives memory, descriptors or threads. A program that uses every primitive
 * is run in a process of its own, each time with the next request refused, and once more with all later ones
 * refused as well (but those of calls that would abort, or no such run would come to its end). Each call must
 * then fail with an error that says so and work when it is made again, or, where a header says that it
 * aborts, die with the message of xmalloc(). Afterwards nothing may be left.
 */
#include "green_test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/list.h"
#include "base/mem.h"
#include "green/chan.h"
#include "green/lockutils.h"
#include "green/pool.h"
#include "green/sanitizer.h"
#include "green/sync.h"
#include "native/native_queue.h"
#include "native/tpool.h"

/* ---- refusing ---- */

static struct refusal { /* shared with the process that dies */
        atomic_uint requests;
        unsigned at; /* the request that is refused; 0: none */
        bool and_all_later;
        char refused[32], may_abort[64];
        unsigned errors;
} * refusal;
static atomic_bool armed; /* in the process that runs the program */
static atomic_int live;   /* blocks allocated and not freed */

static bool refused(const char *what)
{
        unsigned n;

        if (!armed)
                return false;
        n = atomic_fetch_add(&refusal->requests, 1) + 1;
        if (n != refusal->at && refusal->may_abort[0]) /* spared */
                return false;
        if (n != refusal->at && (n < refusal->at || !refusal->and_all_later))
                return false;
        if (n == refusal->at)
                snprintf(refusal->refused, sizeof(refusal->refused), "%s", what);
        return true;
}

static void *counted(void *p)
{
        if (p && armed)
                atomic_fetch_add(&live, 1);
        return p;
}

/* REQUEST(type, name, what is returned when refused, errno, parameters, arguments) */
#define REQUEST(type, name, failure, error, params, args) \
        type __real_##name params;                        \
        type __wrap_##name params;                        \
        type __wrap_##name params                         \
        {                                                 \
                if (refused(#name)) {                     \
                        errno = (error);                  \
                        return failure;                   \
                }                                         \
                return __real_##name args;                \
        }
#define MEMORY(name, params, args)                                          \
        void *__real_##name params;                                         \
        void *__wrap_##name params;                                         \
        void *__wrap_##name params                                          \
        {                                                                   \
                errno = ENOMEM;                                             \
                return refused(#name) ? NULL : counted(__real_##name args); \
        }

MEMORY(malloc, (size_t size), (size))
MEMORY(calloc, (size_t n, size_t size), (n, size))
MEMORY(aligned_alloc, (size_t align, size_t size), (align, size))
MEMORY(strdup, (const char *s), (s))
REQUEST(void *, mmap, MAP_FAILED, ENOMEM, (void *at, size_t len, int prot, int flags, int fd, off_t offset),
        (at, len, prot, flags, fd, offset))
REQUEST(int, madvise, -1, ENOMEM, (void *at, size_t len, int advice), (at, len, advice))
REQUEST(int, mprotect, -1, ENOMEM, (void *at, size_t len, int prot), (at, len, prot))
REQUEST(int, epoll_create1, -1, EMFILE, (int flags), (flags))
REQUEST(int, epoll_ctl, -1, ENOSPC, (int epfd, int op, int fd, struct epoll_event *ev), (epfd, op, fd, ev))
REQUEST(int, eventfd, -1, EMFILE, (unsigned n, int flags), (n, flags))

void *__real_realloc(void *p, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_realloc(void *p, size_t size)
{
        errno = ENOMEM;
        if (refused("realloc"))
                return NULL;
        return p ? __real_realloc(p, size) : counted(__real_realloc(p, size));
}

void __real_free(void *p);
void __wrap_free(void *p);
void __wrap_free(void *p)
{
        if (p && armed)
                atomic_fetch_sub(&live, 1);
        __real_free(p);
}

/* Threads are started by the C library's own pthread_create(), which the patcher looks up by its name. */
static int start_thread(pthread_t *ret, const pthread_attr_t *attr, void *(*fn)(void *), void *arg)
{
        return refused("pthread_create") ? EAGAIN : pthread_create(ret, attr, fn, arg);
}

void *__real_original_symbol(const char *name);
void *__wrap_original_symbol(const char *name);
void *__wrap_original_symbol(const char *name)
{
        return strcmp(name, "pthread_create") == 0 ? (void *)start_thread : __real_original_symbol(name);
}

/* ---- what a refusal may lead to ---- */

static void wrong(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
static void wrong(const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        vfprintf(stderr, fmt, ap);
        va_end(ap);
        fputc('\n', stderr);
        _exit(2);
}

static void check_error(const struct error *err, const char *call)
{
        static const int reasons[] = { ENOMEM, EMFILE, ENOSPC, EAGAIN };
        bool named = err->code == ERR_LIMIT;

        for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
                named |= err->code == ERR_SYSTEM && err->sys == reasons[i];
        if (!refusal->refused[0])
                wrong("%s: failed although nothing was refused: %s", call, err->text);
        if (!named || !err->text[0])
                wrong("%s: %s (code %d, errno %d) does not say what was refused", call, err->text, err->code,
                      err->sys);
        refusal->errors++;
}

/* True when it worked, if need be at the second attempt: a call that fails has changed nothing. */
#define TRY(call)                                                                             \
        ({                                                                                    \
                bool worked_ = (call);                                                        \
                if (!worked_) {                                                               \
                        check_error(&err, #call);                                             \
                        worked_ = (call);                                                     \
                        if (!worked_ && !refusal->and_all_later)                              \
                                wrong("%s: failed for the second time: %s", #call, err.text); \
                }                                                                             \
                worked_;                                                                      \
        })
/* What a header says to abort without memory. */
#define MAY_ABORT(call)                                                                \
        ({                                                                             \
                snprintf(refusal->may_abort, sizeof(refusal->may_abort), "%s", #call); \
                __typeof__(call) result_ = (call);                                     \
                refusal->may_abort[0] = '\0';                                          \
                result_;                                                               \
        })
/* What cannot fail, whatever is refused. */
#define MUST(call)                                        \
        do {                                              \
                if (!(call))                              \
                        wrong("%s: %s", #call, err.text); \
        } while (0)

/* ---- the program: each part makes what it needs, uses it, and gives it back ---- */

static int sleep_a_moment(void *arg, struct error *err)
{
        unsigned *ran = arg;

        assert_green();
        (*ran)++;
        return green_sleep(0.0005, err);
}

static int fail_with_words(void *arg, struct error *err)
{
        assert_green();
        (void)arg;
        return error_set(err, ERR_CANCELLED, "as it should"); /* of all errors the one that is not logged */
}

static void YIELDS threads(void)
{
        struct green_group *g = MAY_ABORT(green_group_new("threads"));
        struct green *failing = NULL;
        struct error err = {}, how = {};
        unsigned ran = 0, started = 0;

        for (int i = 0; i < 70; i++) /* more than timers and stacks are made at once */
                started += TRY(green_spawn(g, "sleeper", sleep_a_moment, &ran, &err) == 0);
        MUST(green_group_size(g) == started);
        if (TRY((failing = green_spawn_ref(NULL, "failing", fail_with_words, NULL, &err)) != NULL)) {
                MUST(green_join(failing, deadline_in_s(10), &how, &err) == 0);
                MUST(strcmp(how.text, "as it should") == 0);
                green_unref(failing);
        }
        MUST(green_group_wait(g, deadline_in_s(10), &err) == 0);
        MUST(ran == started);
        green_group_close(g);
}

struct shared_things {
        struct green_mutex mutex;
        struct green_sem sem;
        struct green_event event;
        struct green_cond cond;
        struct green_chan *chan;
        unsigned passed;
};

static int use_things(void *arg, struct error *err)
{
        struct shared_things *s = arg;
        int item;

        assert_green();
        if (green_mutex_lock(&s->mutex, deadline_in_s(10), err) < 0)
                return -1;
        green_mutex_unlock(&s->mutex);
        if (green_sem_acquire(&s->sem, deadline_in_s(10), err) < 0 ||
            green_event_wait(&s->event, deadline_in_s(10), err) < 0 ||
            green_cond_wait(&s->cond, deadline_in_s(10), err) < 0 ||
            green_chan_recv(s->chan, &item, deadline_in_s(10), err) < 0)
                return -1;
        s->passed++;
        return 0;
}

static void YIELDS synchronisation(void)
{
        struct green_group *g = MAY_ABORT(green_group_new("users"));
        struct shared_things s = { .chan = MAY_ABORT(green_chan_new("c", sizeof(int), 1)) };
        struct error err = {};
        unsigned users = 0;

        green_mutex_init(&s.mutex, "m");
        green_sem_init(&s.sem, "s", 0);
        green_event_init(&s.event, "e");
        green_cond_init(&s.cond, "c");
        MUST(green_mutex_try(&s.mutex));
        for (int i = 0; i < 3; i++)
                users += TRY(green_spawn(g, "user", use_things, &s, &err) == 0);
        green_yield();
        green_mutex_unlock(&s.mutex);
        MUST(green_sleep(0.0001, &err) == 0);
        for (unsigned i = 0; i < users; i++)
                green_sem_release(&s.sem);
        green_yield();
        green_event_set(&s.event);
        green_yield();
        green_cond_broadcast(&s.cond);
        for (unsigned i = 0; i < users; i++)
                MUST(green_chan_send(s.chan, &users, deadline_in_s(10), &err) == 0);
        MUST(green_group_wait(g, deadline_in_s(10), &err) == 0);
        MUST(s.passed == users);
        green_group_close(g);
        green_chan_free(s.chan);
}

static void YIELDS pools(void)
{
        struct green_pool *p = MAY_ABORT(green_pool_new("pool", 2));
        struct error err = {};
        unsigned ran = 0, started = 0;

        for (int i = 0; i < 5; i++)
                started +=
                        TRY(green_pool_spawn(p, "task", sleep_a_moment, &ran, deadline_in_s(10), &err) == 0);
        MUST(green_pool_waitall(p, deadline_in_s(10), &err) == 0);
        MUST(ran == started);
        green_pool_close(p);
}

static void YIELDS names(void)
{
        struct named_lock *one = NULL, *two = NULL;
        struct error err = {};

        TRY((one = lockutils_acquire("one", deadline_in_s(10), &err)) != NULL);
        TRY((two = lockutils_acquire("two", deadline_in_s(10), &err)) != NULL);
        lockutils_release(two);
        two = MAY_ABORT(lockutils_enter("two"));
        lockutils_release(two);
        lockutils_release(one);
        MAY_ABORT((green_set_log_context("req-1", NULL), 0));
        green_set_log_context(NULL, NULL);
}

struct watched {
        int fd;
        unsigned events;
        int result;
        struct error err;
};

static int watch(void *arg, struct error *err)
{
        struct watched *w = arg;

        assert_green();
        (void)err;
        w->result = green_wait_fd(w->fd, w->events, deadline_in_s(10), &w->err);
        return 0;
}

static void YIELDS reader_and_writer(const int fds[2], unsigned kept)
{
        static struct watched side[2];
        struct green *g[2] = {};
        struct error err = {};
        char byte = 'x';

        for (int i = 0; i < 2; i++) {
                side[i] = (struct watched){ .fd = fds[0],
                                            .events = (i == 0 ? GREEN_READ : GREEN_WRITE) | kept };
                TRY((g[i] = green_spawn_ref(NULL, "watcher", watch, &side[i], &err)) != NULL);
        }
        MUST(green_sleep(0.0005, &err) == 0); /* the writer was served, the reader must be watched still */
        MUST(send(fds[1], &byte, 1, 0) == 1);
        for (int i = 0; i < 2; i++) {
                if (!g[i])
                        continue;
                MUST(green_join(g[i], deadline_in_s(20), NULL, &err) == 0);
                green_unref(g[i]);
                if (side[i].result < 0)
                        check_error(&side[i].err, "green_wait_fd");
        }
        MUST(recv(fds[0], &byte, 1, 0) == 1);
}

static void YIELDS descriptors(void)
{
        enum { FAR = 200, MANY = 20 };
        struct green_pollfd many[MANY];
        struct error err = {};
        char byte = 'x';
        int fds[2];

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0 ||
            dup3(fds[0], FAR, O_CLOEXEC) < 0)
                wrong("socketpair: %s", strerror(errno));
        reader_and_writer(fds, 0);
        reader_and_writer(fds, GREEN_KEPT);
        TRY(green_wait_fd(FAR, GREEN_WRITE, deadline_in_s(10), &err) == GREEN_WRITE);
        for (int i = 0; i < MANY; i++)
                many[i] = (struct green_pollfd){ .fd = i ? -1 : fds[1], .events = GREEN_READ };
        MUST(send(fds[0], &byte, 1, 0) == 1);
        TRY(green_wait_fds(many, MANY, deadline_in_s(10), &err) == 1);
        green_close(FAR);
        green_close(fds[0]);
        green_close(fds[1]);
}

static void YIELDS queues(void)
{
        struct native_queue *q = NULL;
        struct error err = {};
        int items[4], item = 7;
        bool overflowed;

        if (!TRY((q = native_queue_new("queue", sizeof(int), 4, &err)) != NULL))
                return;
        MUST(native_queue_push(q, &item));
        MUST(native_queue_pop(q, items, 4, &overflowed, deadline_in_s(10), &err) == 1 && items[0] == 7);
        if (native_queue_pop(q, items, 4, &overflowed, deadline_in_ms(1), &err) < 0 &&
            err.code != ERR_TIMEOUT)
                check_error(&err, "native_queue_pop");
        native_queue_close(q);
        MUST(native_queue_pop(q, items, 4, &overflowed, deadline_in_s(10), &err) < 0 &&
             err.code == ERR_CLOSED);
        native_queue_free(q);
}

static int double_it(void *arg, struct error *err)
{
        (void)err;
        *(int *)arg *= 2;
        return 0;
}

static void count_worker(const struct tpool_worker_info *info, void *arg)
{
        (void)info;
        ++*(unsigned *)arg;
}

static int execute_once(void *arg, struct error *err)
{
        struct error own = {};
        int n = 21;

        assert_green();
        (void)err;
        if (tpool_execute(arg, "double", double_it, &n, sizeof(n), deadline_in_s(10), &own) < 0)
                check_error(&own, "tpool_execute");
        else if (n != 42)
                wrong("tpool_execute: %d", n);
        return 0;
}

static void YIELDS workers(void)
{
        struct green_group *g = MAY_ABORT(green_group_new("callers"));
        struct tpool *p = NULL;
        struct error err = {};
        unsigned seen = 0;
        int n = 21;

        if (TRY((p = tpool_new("workers", 2, &err)) != NULL)) {
                for (int i = 0; i < 4; i++)
                        TRY(green_spawn(g, "caller", execute_once, p, &err) == 0);
                TRY(tpool_execute(p, "double", double_it, &n, sizeof(n), deadline_in_s(10), &err) == 0);
                MUST(green_group_wait(g, deadline_in_s(20), &err) == 0);
                MAY_ABORT((tpool_foreach(p, count_worker, &seen), 0));
                MUST(tpool_close(p, deadline_in_s(10)) == 0);
        }
        green_group_close(g);
}

static int everything(void *arg, struct error *err)
{
        assert_green();
        (void)arg;
        (void)err;
        threads();
        synchronisation();
        pools();
        names();
        descriptors();
        queues();
        workers();
        threads(); /* with what was left by the others */
        return 0;
}

/* ---- one run, and all of them ---- */

static unsigned open_descriptors(void)
{
        DIR *dir = opendir("/proc/self/fd");
        unsigned n = 0;

        while (dir && readdir(dir))
                n++;
        if (dir)
                closedir(dir);
        return n;
}

static void run_refused(void)
{
        unsigned before = open_descriptors();
        struct error err = {};
        int left;

        alarm(60);
        armed = true;
        TRY(hub_run(everything, NULL, NULL, &err) == 0);
        armed = false;
        left = atomic_load(&live);
        if (left > 1) /* the table of lock names stays with its thread */
                wrong("%d blocks of memory are left", left);
        if (open_descriptors() != before)
                wrong("descriptors: %u before, %u after", before, open_descriptors());
        exit(EXIT_SUCCESS); /* LeakSanitizer looks at the exit */
}

static void read_back(int fd, char *buf, size_t size)
{
        ssize_t n = pread(fd, buf, size - 1, 0);

        buf[n > 0 ? n : 0] = '\0';
}

/* Refuses request `at`. False when there were not so many. */
static bool survives(unsigned at, bool and_all_later, unsigned *deaths)
{
        int said = memfd_create("stderr", MFD_CLOEXEC), status;
        char text[4096];
        pid_t pid;

        *refusal = (struct refusal){ .at = at, .and_all_later = and_all_later };
        pid = fork();
        if (pid == 0) {
                dup2(said, STDERR_FILENO);
                run_refused();
        }
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        read_back(said, text, sizeof(text));
        close(said);
        if (status == 0)
                return refusal->refused[0] != '\0';
        ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT,
                      "request %u (%s%s) refused: status %x: %s", at, refusal->refused,
                      and_all_later ? " and all later ones" : "", (unsigned)status, text);
        ck_assert_msg(refusal->may_abort[0] != '\0', "request %u (%s) refused: aborted outside: %s", at,
                      refusal->refused, text);
        ck_assert_msg(strstr(text, "out of memory: ") || strstr(text, "Cannot allocate memory"),
                      "request %u (%s) refused: %s died without saying why: %s", at, refusal->refused,
                      refusal->may_abort, text);
        (*deaths)++;
        return true;
}

/* Not every one where a process takes long: NO_MEMORY_STEP=1 in the environment for all. */
static unsigned step(void)
{
        const char *wish = getenv("NO_MEMORY_STEP");

        if (wish && *wish)
                return (unsigned)strtoul(wish, NULL, 10);
#if defined(WITH_TSAN)
        return 8;
#elif defined(WITH_ASAN)
        return 3;
#else
#ifdef HAVE_VALGRIND
        if (RUNNING_ON_VALGRIND)
                return 20;
#endif
        return 1;
#endif
}

static void refuse_each(bool and_all_later)
{
        unsigned n = 0, errors = 0, deaths = 0, by = step();

        refusal = mmap(NULL, sizeof(*refusal), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        ck_assert_ptr_ne(refusal, MAP_FAILED);
        for (unsigned at = 1; survives(at, and_all_later, &deaths); at += by) {
                n++;
                errors += refusal->errors;
        }
        printf("%u requests refused%s: %u errors, %u deaths as documented\n", n,
               and_all_later ? ", each with all later ones" : " one by one", errors, deaths);
        fflush(stdout);
        ck_assert_uint_gt(n * by, 50);
        ck_assert_uint_gt(errors * by, 20);
        ck_assert_uint_lt(deaths, 20);
        if (by == 1)
                ck_assert_uint_gt(deaths, 3);
}

START_TEST(each_request_that_is_refused_is_an_error_and_loses_nothing)
{
        refuse_each(false);
}
END_TEST

START_TEST(when_everything_is_refused_from_some_moment_on_nothing_is_lost_either)
{
        refuse_each(true);
}
END_TEST

UNIT_SUITE("no_memory", each_request_that_is_refused_is_an_error_and_loses_nothing,
           when_everything_is_refused_from_some_moment_on_nothing_is_lost_either)
