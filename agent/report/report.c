/*
 * agent/report/report.c: the reporter's life, its thread, and what the hub does for it.
 *
 * The thread takes SIGUSR2 from a descriptor. For a report it rings the hub, where a green thread answers
 * with what it knows, first without a switch, then the rows of instances, for which the database is asked.
 * Nobody waits for the other without a limit, and no lock lies between them: answers are put into boxes of
 * one item, with the number of the report that they are for, and come back the same way to be freed, because
 * freeing memory takes the lock of its arena, which a stuck hub may hold.
 */
#include "report/report.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/original.h"
#include "conf/conf.h"
#include "native/native_backtrace.h"
#include "native/native_thread.h"
#include "options.h"
#include "report/report_priv.h"

enum { WISH_S = 60, STOP_S = 5, TEXT_MAX = 64 * 1024 * 1024 };

/* In oslo.reports' order, then ours. */
const struct section report_sections[] = {
        { "Package", .outside = outside_package },
        { "Threads", .outside = outside_threads },
        { "Green Threads", .inside = inside_green_threads },
        { "Processes", .outside = outside_processes },
        { "Configuration", .inside = inside_configuration },
        { "Status", .inside = inside_status },
        { "Health", .inside = inside_health },
        { "Pools and Queues", .inside = inside_pools },
        { "Locks", .inside = inside_locks },
        { "Periodic Tasks", .inside = inside_tasks },
        { "Hub", .inside = inside_hub },
        { "Instances" },
        { "Memory", .outside = outside_memory },
        { "Descriptors", .outside = outside_descriptors },
        {},
};
_Static_assert(ARRAY_SIZE(report_sections) <= SECTIONS_MAX, "a contribution has room for each");

static void ring(int bell)
{
        const uint64_t one = 1;

        while (write(bell, &one, sizeof(one)) < 0 && errno == EINTR)
                ;
}

static void quiet(int bell)
{
        uint64_t rings;

        while (read(bell, &rings, sizeof(rings)) < 0 && errno == EINTR)
                ;
}

/* ---- on the hub ---- */

static void contribution_free(struct contribution *c)
{
        if (!c)
                return;
        for (unsigned i = 0; i < SECTIONS_MAX; i++)
                strbuf_free(&c->text[i]);
        free(c);
}

static void HUB_ONLY free_returned(struct reporter *r)
{
        struct contribution *c = atomic_exchange(&r->returned, NULL), *next;

        for (; c; c = next) {
                next = c->next;
                contribution_free(c);
        }
}

static void HUB_ONLY put_into(struct reporter *r, contribution_box *box, struct contribution *c)
{
        contribution_free(atomic_exchange(box, c)); /* one that nobody wanted any more */
        ring(r->answer);
}

static int read_rows(void *arg, struct error *err)
{
        struct reporter *r = arg;
        struct contribution *c = NEW(struct contribution);

        assert_green();
        c->of = atomic_load(&r->number);
        if (inside_instances(r->from, &c->text[0], err) < 0)
                strbuf_addf(&c->text[0], "%s\n", err->text);
        put_into(r, &r->rows, c);
        return 0;
}

static void HUB_ONLY contribute(struct reporter *r)
{
        struct contribution *c = NEW(struct contribution);
        struct error ignored;

        c->of = atomic_load(&r->number);
        for (unsigned i = 0; report_sections[i].title; i++)
                if (report_sections[i].inside)
                        report_sections[i].inside(r->from, &c->text[i]);
        put_into(r, &r->facts, c);
        if (r->readers)
                green_spawn(r->readers, "report rows", read_rows, r, &ignored);
}

static int contributor(void *arg, struct error *err)
{
        struct reporter *r = arg;

        assert_green();
        while (green_wait_fd(r->question, GREEN_READ | GREEN_KEPT, deadline_never(), err) > 0) {
                quiet(r->question);
                free_returned(r);
                contribute(r);
        }
        return -1;
}

/* ---- on the thread ---- */

static void BLOCKS fulfil(struct reporter *r)
{
        struct wish *w = &r->wish;
        struct destination *to = r->to;

        report_make(r, w->text_fd, to);
        w->failed = to->sys != 0;
        if (w->failed)
                error_system(&w->err, to->sys, "writing the report%s%s", *to->dir ? " to " : "", to->dir);
        snprintf(w->path, sizeof(w->path), "%s", to->path);
        ring(r->done);
}

static void *reporter_main(void *arg)
{
        struct reporter *r = arg;
        struct pollfd fds[] = { { .fd = r->signals, .events = POLLIN }, { .fd = r->bell, .events = POLLIN } };
        struct signalfd_siginfo info;

        assert_on_worker();
        native_thread_set_name("report");
        free(malloc(1)); /* now it has an arena, which the copy, too, will want */
        while (!atomic_load(&r->ending)) {
                if (poll(fds, ARRAY_SIZE(fds), -1) < 0 && errno != EINTR)
                        break;
                if (fds[1].revents)
                        quiet(r->bell);
                if (atomic_exchange(&r->wished, false))
                        fulfil(r);
                if (fds[0].revents && read(r->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
                        report_make(r, -1, r->to);
        }
        atomic_store(&r->ended, true);
        ring(r->done);
        return NULL;
}

/* ---- life, on the hub ---- */

static void HUB_ONLY reporter_free(struct reporter *r)
{
        const int fds[] = { r->signals, r->bell, r->question, r->answer, r->done, r->wish.text_fd };

        for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
                green_close(fds[i]);
        contribution_free(atomic_exchange(&r->facts, NULL));
        contribution_free(atomic_exchange(&r->rows, NULL));
        free_returned(r);
        if (r->to)
                munmap(r->to, sizeof(*r->to));
        green_unref(r->contributor);
        free(r);
}

static int HUB_ONLY open_all(struct reporter *r, struct error *err)
{
        sigset_t usr2;

        sigemptyset(&usr2);
        sigaddset(&usr2, SIGUSR2);
        r->signals = signalfd(-1, &usr2, SFD_CLOEXEC | SFD_NONBLOCK);
        r->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        r->question = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        r->answer = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        r->done = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        r->to = mmap(NULL, sizeof(*r->to), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (r->to == MAP_FAILED)
                r->to = NULL;
        if (!r->to || r->signals < 0 || r->bell < 0 || r->question < 0 || r->answer < 0 || r->done < 0)
                return error_system(err, errno, "making what reports need");
        return 0;
}

/* As oslo.reports, which also has stderr when there is no folder; beside the log is ours. */
static void HUB_ONLY choose_folder(struct reporter *r)
{
        const struct conf *conf = r->from->conf;
        const struct options *opt = r->from->options;
        const char *log = opt && opt->log_file ? opt->log_file : conf->log_file;
        const char *slash = strrchr(log, '/');

        if (*conf->oslo_reports.log_dir)
                snprintf(r->folder, sizeof(r->folder), "%s", conf->oslo_reports.log_dir);
        else if (slash)
                snprintf(r->folder, sizeof(r->folder), "%.*s", (int)(slash - log), log);
}

struct reporter *reporter_start(const struct admin_sources *from, struct error *err)
{
        struct reporter *r = NEW(struct reporter);
        int sys;

        r->from = from;
        r->hub = hub_self();
        r->pid = getpid();
        r->started_s = clock_wall_s();
        snprintf(r->host, sizeof(r->host), "%s", from->conf->host);
        choose_folder(r);
        r->wish.text_fd = -1;
        green_mutex_init(&r->one, "report");
        if (open_all(r, err) < 0 || native_backtrace_start(err) < 0) {
                reporter_free(r);
                return NULL;
        }
        r->contributor = green_spawn_ref(NULL, "report", contributor, r, err);
        if (!r->contributor) {
                reporter_free(r);
                return NULL;
        }
        r->readers = green_group_new("report rows");
        sys = native_thread_start(&r->thread, reporter_main, r);
        if (sys == 0)
                return r;
        atomic_store(&r->ended, true);
        error_system(err, sys, "starting the thread of reports");
        reporter_stop(r);
        return NULL;
}

void reporter_leave_rows(struct reporter *r)
{
        green_group_close(take_ptr(&r->readers));
}

void reporter_stop(struct reporter *r)
{
        struct deadline by = deadline_in_s(STOP_S);
        struct error ignored;
        bool started = r && !atomic_load(&r->ended);

        if (!r)
                return;
        green_shield_begin();
        atomic_store(&r->ending, true);
        ring(r->bell);
        while (!atomic_load(&r->ended) && green_wait_fd(r->done, GREEN_READ | GREEN_KEPT, by, &ignored) > 0)
                quiet(r->done);
        reporter_leave_rows(r);
        green_cancel(r->contributor);
        green_join(r->contributor, deadline_never(), NULL, &ignored);
        green_shield_end();
        if (!atomic_load(&r->ended)) {
                patcher_original(pthread_detach)(r->thread); /* it writes on, and r is left to it */
                return;
        }
        if (started)
                patcher_original(pthread_join)(r->thread, NULL);
        reporter_free(r);
}

/* ---- by request ---- */

static int HUB_ONLY read_text(int fd, char **ret_text, struct error *err)
{
        off_t len = lseek(fd, 0, SEEK_END);
        char *text;

        local_files("it is in memory");
        if (len < 0 || len > TEXT_MAX)
                return error_set(err, ERR_LIMIT, "the report has %lld bytes", (long long)len);
        text = xmalloc((size_t)len + 1);
        len = pread(fd, text, (size_t)len, 0);
        text[len < 0 ? 0 : len] = '\0';
        *ret_text = text;
        return 0;
}

static int YIELDS await_done(struct reporter *r, struct deadline by, struct error *err)
{
        if (green_wait_fd(r->done, GREEN_READ | GREEN_KEPT, by, err) < 0)
                return error_while(err, "waiting for the report");
        quiet(r->done);
        r->outstanding = false;
        return 0;
}

/* With r->one held. */
static int YIELDS ask_for(struct reporter *r, bool as_text, struct deadline by, struct error *err)
{
        if (r->outstanding && await_done(r, by, err) < 0) /* its asker gave up */
                return -1;
        closep(&r->wish.text_fd);
        r->wish = (struct wish){ .text_fd = as_text ? memfd_create("report text", MFD_CLOEXEC) : -1 };
        if (as_text && r->wish.text_fd < 0)
                return error_system(err, errno, "making room for the report");
        r->outstanding = true;
        atomic_store(&r->wished, true);
        ring(r->bell);
        if (await_done(r, by, err) < 0)
                return -1;
        if (r->wish.failed)
                *err = r->wish.err;
        return r->wish.failed ? -1 : 0;
}

int report_write(const struct admin_sources *from, char **ret_path, char **ret_text, struct error *err)
{
        struct deadline by = deadline_in_s(WISH_S);
        struct reporter *r = from->reporter;
        int result;

        if (!r)
                return error_set(err, ERR_UNSUPPORTED, "reports are not written yet, or not any more");
        if (green_mutex_lock(&r->one, by, err) < 0)
                return -1;
        result = ask_for(r, ret_text != NULL, by, err);
        if (result == 0 && ret_text)
                result = read_text(r->wish.text_fd, ret_text, err);
        if (result == 0)
                *ret_path = !ret_text && *r->wish.path ? xstrdup(r->wish.path) : NULL;
        green_mutex_unlock(&r->one);
        return result;
}
