/* The log: format, drops, and that nothing ever makes a caller wait. Each test runs in a process of its own.
 */
#define LOG_MODULE "test.log"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "suite.h"

static char dir[64], path[128];

static void setup(void)
{
        snprintf(dir, sizeof(dir), "/tmp/test-log-XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(dir));
        snprintf(path, sizeof(path), "%s/agent.log", dir);
}

static void teardown(void)
{
        char old[160];

        snprintf(old, sizeof(old), "%s.1", path);
        unlink(old);
        unlink(path);
        rmdir(dir);
}

static void start(const char *file)
{
        struct log_options opt = { .level = LOG_INFO, .file = file };
        struct error err = {};

        ck_assert_msg(log_start(&opt, &err) == 0, "%s", err.text);
}

static char *slurp_fd(int fd)
{
        struct strbuf b = {};
        char buf[4096];
        ssize_t n;

        while ((n = read(fd, buf, sizeof(buf))) > 0)
                strbuf_add(&b, buf, (size_t)n);
        return strbuf_take(&b, NULL);
}

static char *slurp(const char *name)
{
        CLEANUP(closep) int fd = open(name, O_RDONLY | O_CLOEXEC);

        ck_assert_msg(fd >= 0, "%s: %s", name, strerror(errno));
        return slurp_fd(fd);
}

static void assert_matches(const char *text, const char *pattern)
{
        regex_t re;

        ck_assert_int_eq(regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB), 0);
        ck_assert_msg(regexec(&re, text, 0, NULL, 0) == 0, "\"%s\" does not match \"%s\"", text, pattern);
        regfree(&re);
}

static unsigned count(const char *text, const char *what)
{
        unsigned n = 0;

        for (const char *p = text; (p = strstr(p, what)); p += strlen(what))
                n++;
        return n;
}

/* stderr becomes a pipe; returns its reading end (non-blocking), *ret_saved the real stderr. */
static int stderr_to_pipe(int *ret_saved)
{
        int p[2];

        ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
        *ret_saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
        dup2(p[1], STDERR_FILENO);
        close(p[1]);
        fcntl(p[0], F_SETFL, O_NONBLOCK);
        return p[0];
}

static void fill_stderr(void)
{
        static const char zeros[4096];

        fcntl(STDERR_FILENO, F_SETFL, O_NONBLOCK);
        while (write(STDERR_FILENO, zeros, sizeof(zeros)) > 0)
                ;
        ck_assert_int_eq(errno, EAGAIN);
        fcntl(STDERR_FILENO, F_SETFL, 0);
}

START_TEST(lines_have_the_format_of_oslo_log)
{
        CLEANUP(freep) char *text = NULL;
        CLEANUP(freep) char *pattern = NULL;
        struct stat st;

        start(path);
        log_warning("disk %s is %d%% full", "vda", 93);
        log_debug("below the level");
        log_stop();
        text = slurp(path);
        pattern = xasprintf("^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3} %d WARNING "
                            "test\\.log \\[-\\] disk vda is 93%% full\n$",
                            (int)getpid());
        assert_matches(text, pattern);
        ck_assert_int_eq(stat(path, &st), 0);
        ck_assert_int_eq(st.st_mode & 0777 & ~0640, 0);
}
END_TEST

static void some_context(char *buf, size_t size)
{
        snprintf(buf, size, "[req-1 demo admin] [instance: 4f1c] ");
}

START_TEST(context_comes_from_the_function_that_was_set)
{
        CLEANUP(freep) char *text = NULL;

        log_set_context_fn(some_context);
        start(path);
        log_info("building");
        log_stop();
        text = slurp(path);
        assert_matches(text, " INFO test\\.log \\[req-1 demo admin\\] \\[instance: 4f1c\\] building\n$");
}
END_TEST

START_TEST(newlines_cannot_forge_a_line)
{
        CLEANUP(freep) char *text = NULL;

        start(path);
        log_info("name is \"a\n2026-01-01 00:00:00.000 1 CRITICAL x [-] forged\"\033[2J\n\n");
        log_stop();
        text = slurp(path);
        ck_assert_uint_eq(count(text, "\n"), 2);
        ck_assert_uint_eq(count(text, " INFO test.log [-] "), 2);
        ck_assert_uint_eq(count(text, "INFO test.log [-] 2026-01-01"), 1);
        ck_assert_ptr_nonnull(strstr(text, "forged\"?[2J\n"));
}
END_TEST

START_TEST(long_texts_arrive_whole_up_to_the_limit)
{
        CLEANUP(freep) char *text = NULL;
        CLEANUP(freep) char *a = xcalloc(1, 5001), *b = xcalloc(1, 200001);

        memset(a, 'a', 5000);
        memset(b, 'b', 200000);
        start(path);
        log_info("<%s>", a);
        log_info("%s", b);
        log_info("%s", "");
        log_stop();
        text = slurp(path);
        ck_assert_uint_eq(count(text, "a"), 5000);
        ck_assert_ptr_nonnull(strstr(text, "a>\n"));
        ck_assert_uint_eq(count(text, "b"), 32 * 1024);
        assert_matches(text, "INFO test\\.log \\[-\\] \n$");
        ck_assert_uint_eq(log_dropped(), 0);
}
END_TEST

START_TEST(before_start_and_after_stop_lines_go_to_stderr)
{
        CLEANUP(freep) char *text = NULL, *file = NULL;
        int saved, fd = stderr_to_pipe(&saved);

        log_error("early");
        start(path);
        log_error("between");
        log_stop();
        log_error("late");
        dup2(saved, STDERR_FILENO);
        text = slurp_fd(fd);
        file = slurp(path);
        ck_assert_uint_eq(count(text, "\n"), 2);
        assert_matches(text, "ERROR test\\.log \\[-\\] early\n.*ERROR test\\.log \\[-\\] late\n$");
        ck_assert_uint_eq(count(file, "\n"), 1);
        ck_assert_ptr_nonnull(strstr(file, "between\n"));
}
END_TEST

/* Reads until the end of file, without the NULs of fill_stderr(). */
static void *read_all(void *arg)
{
        int fd = *(int *)arg;
        struct strbuf b = {};
        char buf[4096];
        ssize_t n;

        fcntl(fd, F_SETFL, 0);
        while ((n = read(fd, buf, sizeof(buf))) > 0)
                for (ssize_t i = 0; i < n; i++)
                        if (buf[i])
                                strbuf_add(&b, &buf[i], 1);
        return strbuf_take(&b, NULL);
}

START_TEST(a_stuck_pipe_stops_nobody_and_the_gap_is_told)
{
        int saved, fd = stderr_to_pipe(&saved);
        unsigned long lost, told = 0;
        const unsigned lines = 20000;
        CLEANUP(freep) char *text = NULL;
        pthread_t reader;
        void *result;

        fill_stderr();
        start(NULL);
        for (unsigned i = 0; i < lines; i++)
                log_info("line %u of many, long enough to fill the ring before long", i);
        lost = log_dropped();
        ck_assert_uint_gt(lost, 0);
        pthread_create(&reader, NULL, read_all, &fd); /* the reader is back */
        log_flush();
        log_info("afterwards");
        log_stop();
        dup2(saved, STDERR_FILENO);
        pthread_join(reader, &result);
        text = result;
        ck_assert_uint_eq(log_dropped(), lost);
        for (const char *p = text; (p = strstr(p, "WARNING log [-] ")); p++)
                told += strtoul(p + strlen("WARNING log [-] "), NULL, 10);
        ck_assert_uint_eq(told, lost);
        ck_assert_uint_eq(count(text, "of many") + lost, lines);
        ck_assert_ptr_nonnull(strstr(strstr(text, "dropped here\n"), "afterwards\n"));
}
END_TEST

START_TEST(stop_returns_although_the_pipe_is_stuck)
{
        int saved;

        stderr_to_pipe(&saved);
        fill_stderr();
        start(NULL);
        log_info("never read");
        log_info("never read");
        log_stop();
        log_info("neither this: it would block");
        dup2(saved, STDERR_FILENO);
        ck_assert_uint_ge(log_dropped(), 1);
        start(path); /* a new writer does not meet the old one */
        log_info("again");
        log_stop();
        CLEANUP(freep) char *text = slurp(path);
        ck_assert_uint_eq(count(text, "\n"), 1);
}
END_TEST

START_TEST(a_fifo_that_nobody_reads_yet_takes_lines)
{
        CLEANUP(freep) char *text = NULL;
        unsigned long lost, told = 0;
        const unsigned lines = 20000;
        CLEANUP(closep) int fd = -1;
        pthread_t reader;
        void *result;

        ck_assert_int_eq(mkfifo(path, 0600), 0);
        start(path);
        for (unsigned i = 0; i < lines; i++)
                log_info("line %u of many, long enough to fill the ring before long", i);
        lost = log_dropped();
        ck_assert_uint_gt(lost, 0);
        fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        ck_assert_int_ge(fd, 0);
        pthread_create(&reader, NULL, read_all, &fd);
        log_flush();
        log_info("afterwards");
        log_stop();
        pthread_join(reader, &result);
        text = result;
        for (const char *p = text; (p = strstr(p, "WARNING log [-] ")); p++)
                told += strtoul(p + strlen("WARNING log [-] "), NULL, 10);
        ck_assert_uint_eq(told, lost);
        ck_assert_uint_eq(count(text, "of many") + lost, lines);
        ck_assert_ptr_nonnull(strstr(text, "afterwards\n"));
}
END_TEST

START_TEST(stop_returns_although_nobody_reads_the_fifo)
{
        struct error err = {};

        ck_assert_int_eq(mkfifo(path, 0600), 0);
        start(path);
        for (unsigned i = 0; i < 20000; i++)
                log_info("line %u of many, long enough to fill the ring before long", i);
        ck_assert_ok(log_reopen(&err), err);
        log_stop();
        ck_assert_uint_gt(log_dropped(), 0);
}
END_TEST

static pthread_mutex_t sink_lock = PTHREAD_MUTEX_INITIALIZER; /* held: the sink hangs */
static char sunk[4][512];
static atomic_uint n_sunk;

static int sink(const struct log_record *r)
{
        pthread_mutex_lock(&sink_lock);
        snprintf(sunk[n_sunk++ % 4], sizeof(sunk[0]), "%s|%s|%s|%d|%s|%s", log_level_name(r->level),
                 r->site->module, r->site->function, r->site->line > 0, r->context, r->text);
        pthread_mutex_unlock(&sink_lock);
        return strstr(r->text, "broken") ? -1 : 0;
}

static void start_sink(void)
{
        struct log_options opt = { .level = LOG_INFO, .sink = sink };
        struct error err = {};

        ck_assert_ok(log_start(&opt, &err), err);
}

START_TEST(a_sink_gets_messages_whole)
{
        struct error err = {};

        log_set_context_fn(some_context);
        start_sink();
        log_warning("two\nlines");
        log_flush();
        ck_assert_uint_eq(n_sunk, 1);
        ck_assert_str_eq(sunk[0], "WARNING|test.log|a_sink_gets_messages_whole_fn|1|[req-1 demo admin] "
                                  "[instance: 4f1c] |two\nlines");
        log_info("broken\nin two");
        log_flush();
        ck_assert_uint_eq(log_dropped(), 2);
        ck_assert_ok(log_reopen(&err), err); /* nothing to open */
        log_info("mended");
        log_stop();
        ck_assert_uint_eq(n_sunk, 4);
        ck_assert_ptr_nonnull(strstr(sunk[2], "mended"));
        ck_assert_ptr_nonnull(strstr(sunk[3], "2 log lines were dropped here"));
}
END_TEST

START_TEST(a_sink_that_hangs_stops_nobody)
{
        pthread_mutex_lock(&sink_lock);
        start_sink();
        for (unsigned i = 0; i < 20000; i++)
                log_info("line %u of many, long enough to fill the ring before long", i);
        ck_assert_uint_gt(log_dropped(), 0);
        log_stop();
        ck_assert_uint_eq(n_sunk, 0);
        ck_assert_uint_gt(log_dropped(), 15000);
        pthread_mutex_unlock(&sink_lock); /* the writer goes away by itself, with what it had in hand */
        start(path);
        log_info("again");
        log_stop();
        CLEANUP(freep) char *text = slurp(path);
        ck_assert_uint_eq(count(text, "\n"), 1);
}
END_TEST

START_TEST(a_full_disk_is_counted)
{
        CLEANUP(freep) char *text = NULL;
        struct error err = {};

        ck_assert_int_eq(symlink("/dev/full", path), 0);
        start(path);
        log_info("one");
        log_flush();
        log_info("two");
        log_flush();
        ck_assert_uint_eq(log_dropped(), 2);
        unlink(path);
        ck_assert_msg(log_reopen(&err) == 0, "%s", err.text);
        log_info("three");
        log_stop();
        text = slurp(path);
        ck_assert_uint_eq(count(text, "three\n"), 1);
        ck_assert_uint_eq(count(text, " 2 log lines were dropped here\n"), 1);
}
END_TEST

START_TEST(reopen_follows_rotation)
{
        CLEANUP(freep) char *old = xasprintf("%s.1", path), *before = NULL, *after = NULL;
        struct error err = {};

        start(path);
        log_info("before");
        log_flush();
        ck_assert_int_eq(rename(path, old), 0);
        log_info("still the old file");
        log_flush();
        ck_assert_msg(log_reopen(&err) == 0, "%s", err.text);
        log_info("after");
        log_stop();
        before = slurp(old);
        after = slurp(path);
        ck_assert_uint_eq(count(before, "\n"), 2);
        ck_assert_uint_eq(count(after, "\n"), 1);
        ck_assert_ptr_nonnull(strstr(after, "after"));
}
END_TEST

START_TEST(a_file_that_is_copied_and_truncated_goes_on_at_its_beginning)
{
        CLEANUP(freep) char *text = NULL;

        start(path);
        log_info("before");
        log_flush();
        ck_assert_int_eq(truncate(path, 0), 0);
        log_info("after");
        log_stop();
        text = slurp(path);
        assert_matches(text, "^2[^\n]* INFO test\\.log \\[-\\] after\n$");
}
END_TEST

enum { WRITERS = 4, EACH = 3000 };

static void *write_many(void *arg)
{
        for (int i = 0; i < EACH; i++)
                log_info("<%d:%d>", (int)(intptr_t)arg, i);
        return NULL;
}

START_TEST(lines_of_many_threads_stay_whole_and_in_order)
{
        CLEANUP(freep) char *text = NULL;
        pthread_t threads[WRITERS];
        int next[WRITERS] = {};
        unsigned long got = 0;

        start(path);
        for (int i = 0; i < WRITERS; i++)
                ck_assert_int_eq(pthread_create(&threads[i], NULL, write_many, (void *)(intptr_t)i), 0);
        for (int i = 0; i < WRITERS; i++)
                pthread_join(threads[i], NULL);
        log_stop();
        text = slurp(path);
        for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
                char *text_at = strstr(line, "[-] ");
                int who, i;

                *end = '\0';
                ck_assert_ptr_nonnull(text_at);
                if (sscanf(text_at, "[-] <%d:%d>", &who, &i) != 2)
                        continue;
                ck_assert_int_ge(i, next[who]);
                next[who] = i + 1;
                got++;
        }
        ck_assert_uint_eq(got + log_dropped(), WRITERS * EACH);
}
END_TEST

START_TEST(a_forked_child_writes_to_stderr)
{
        CLEANUP(freep) char *text = NULL, *file = NULL;
        int saved, fd, status;
        pid_t pid;

        start(path);
        fd = stderr_to_pipe(&saved);
        pid = fork();
        if (pid == 0) {
                log_error("from the child");
                log_flush();
                log_stop();
                _exit(0);
        }
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_int_eq(status, 0);
        dup2(saved, STDERR_FILENO);
        log_stop();
        text = slurp_fd(fd);
        file = slurp(path);
        ck_assert_uint_eq(count(text, "from the child\n"), 1);
        ck_assert_str_eq(file, "");
}
END_TEST

struct captured {
        unsigned n;
        enum log_level level;
        char line[256];
};

static void on_line(enum log_level level, const char *line, void *arg)
{
        struct captured *c = arg;

        c->n++;
        c->level = level;
        snprintf(c->line, sizeof(c->line), "%s", line);
}

START_TEST(capture_gets_lines_instead)
{
        CLEANUP(freep) char *text = NULL;
        struct captured c = {};

        log_set_capture(on_line, &c);
        log_error("before start");
        ck_assert_uint_eq(c.n, 1);
        start(path);
        errno = EXDEV;
        log_critical("code %d: %m", 7);
        ck_assert_int_eq(errno, EXDEV);
        ck_assert_uint_eq(c.n, 2);
        ck_assert_int_eq(c.level, LOG_CRITICAL);
        assert_matches(c.line, "CRITICAL test\\.log \\[-\\] code 7: Invalid cross-device link$");
        log_set_capture(NULL, NULL);
        log_info("to the file");
        log_stop();
        text = slurp(path);
        ck_assert_uint_eq(count(text, "\n"), 1);
        ck_assert_uint_eq(c.n, 2);
}
END_TEST

START_TEST(start_refuses_what_cannot_be)
{
        struct log_options bad = { .file = "/nowhere/at/all.log" };
        struct log_options good = { .file = path };
        struct error err = {};

        ck_assert_int_eq(log_start(&bad, &err), -1);
        ck_assert_int_eq(err.code, ERR_SYSTEM);
        ck_assert_int_eq(err.sys, ENOENT);
        ck_assert_ptr_nonnull(strstr(err.text, "/nowhere/at/all.log"));
        ck_assert_int_eq(log_start(&good, &err), 0);
        ck_assert_int_eq(log_start(&good, &err), -1);
        ck_assert_int_eq(err.code, ERR_INVALID);
        log_stop();
        log_stop(); /* harmless */
        ck_assert_int_eq(log_start(&good, &err), 0);
        log_stop();
}
END_TEST

START_TEST(levels_have_names)
{
        enum log_level level;

        ck_assert(log_level_parse("debug", &level) && level == LOG_DEBUG);
        ck_assert(log_level_parse("Warn", &level) && level == LOG_WARNING);
        ck_assert(log_level_parse("WARNING", &level) && level == LOG_WARNING);
        ck_assert(log_level_parse("critical", &level) && level == LOG_CRITICAL);
        level = LOG_ERROR;
        ck_assert(!log_level_parse("loud", &level) && level == LOG_ERROR);
        ck_assert(!log_level_parse("", &level));
        ck_assert_str_eq(log_level_name(LOG_INFO), "INFO");
        log_set_level(LOG_ERROR);
        ck_assert_int_eq(log_get_level(), LOG_ERROR);
}
END_TEST

/* Which of the modules below log at this level. */
static const char *who_logs(enum log_level level)
{
        static struct log_site sites[] = { { .module = "virt" },
                                           { .module = "virt.libvirt" },
                                           { .module = "virt.libvirt.events" },
                                           { .module = "virtual" } };
        static char who[8];

        who[0] = '\0';
        for (size_t i = 0; i < ARRAY_SIZE(sites); i++)
                strncat(who, log_passes(&sites[i], level) ? "x" : "-", 2);
        return who;
}

START_TEST(a_module_has_the_level_of_the_longest_name_that_it_is_below)
{
        struct error err = {};

        log_set_level(LOG_INFO);
        ck_assert_str_eq(who_logs(LOG_INFO), "xxxx");
        ck_assert_str_eq(who_logs(LOG_DEBUG), "----");
        ck_assert_ok(log_set_module_level("virt", LOG_WARNING, &err), err);
        ck_assert_str_eq(who_logs(LOG_INFO), "---x");
        ck_assert_ok(log_set_module_level("virt.libvirt", LOG_DEBUG, &err), err);
        ck_assert_str_eq(who_logs(LOG_DEBUG), "-xx-");
        ck_assert_ok(log_set_module_level("virt.libvirt.events", LOG_ERROR, &err), err);
        ck_assert_str_eq(who_logs(LOG_DEBUG), "-x--");
        ck_assert_int_eq(log_get_module_level("virt.libvirt.connection"), LOG_DEBUG);
        ck_assert_int_eq(log_get_module_level("virt.fake"), LOG_WARNING);
        ck_assert_int_eq(log_get_module_level("compute"), LOG_INFO);
        log_set_level(LOG_CRITICAL);
        ck_assert_str_eq(who_logs(LOG_INFO), "-x--");
        ck_assert_str_eq(who_logs(LOG_WARNING), "xx--");
        ck_assert(log_clear_module_level("virt.libvirt"));
        ck_assert(!log_clear_module_level("virt.libvirt"));
        ck_assert_str_eq(who_logs(LOG_INFO), "----");
        ck_assert_str_eq(who_logs(LOG_WARNING), "xx--");
}
END_TEST

static unsigned arguments;

static int argument(void)
{
        return (int)++arguments;
}

START_TEST(a_level_that_changes_is_noticed_at_once_and_nothing_is_formatted_in_vain)
{
        struct captured c = {};
        struct error err = {};

        log_set_capture(on_line, &c);
        for (int i = 0; i < 6; i++) {
                if (i == 2)
                        ck_assert_ok(log_set_module_level("test", LOG_DEBUG, &err), err);
                if (i == 4)
                        ck_assert(log_clear_module_level("test"));
                log_debug("round %d", argument());
        }
        ck_assert_uint_eq(c.n, 2);
        ck_assert_uint_eq(arguments, 2);
}
END_TEST

static void add_level(const char *module, enum log_level level, void *arg)
{
        strbuf_addf(arg, "%s=%s ", module, log_level_name(level));
}

START_TEST(levels_of_modules_are_read_whole_or_not_at_all)
{
        static const char *const bad[][2] = { { "compute", "not like module=LEVEL" },
                                              { "virt=INFO,compute=LOUD", "\"LOUD\" is no level" },
                                              { "=INFO", "no name of a module" },
                                              { "a b=INFO", "\"a\" is not like" },
                                              { ".a=INFO", "no name of a module" },
                                              { "a.=INFO", "no name of a module" },
                                              { "a/b=INFO", "\"a/b\" is no name of a module" } };
        CLEANUP(strbuf_free) struct strbuf list = {};
        char longest[101] = {};
        enum log_level level;
        struct error err = {};

        ck_assert_ok(log_set_module_levels(" compute=debug, virt.libvirt=WARN,compute=INFO ", &err), err);
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                ck_assert_fails(log_set_module_levels(bad[i][0], &err), err, ERR_INVALID);
                ck_assert_msg(strstr(err.text, bad[i][1]), "%s", err.text);
                ck_assert_fails(log_check_module_levels(bad[i][0], &err), err, ERR_INVALID);
        }
        memset(longest, 'm', 100);
        ck_assert_fails(log_set_module_level(longest, LOG_INFO, &err), err, ERR_INVALID);
        log_foreach_module_level(add_level, &list);
        ck_assert_str_eq(list.data, "compute=INFO virt.libvirt=WARNING ");
        ck_assert(log_find_module_level("compute=INFO, virt=WARN", "virt", &level) && level == LOG_WARNING);
        ck_assert(!log_find_module_level("virt=WARN", "virt.libvirt", &level));
        ck_assert_ok(log_set_module_levels("", &err), err);
        strbuf_truncate(&list, 0);
        log_foreach_module_level(add_level, &list);
        ck_assert_str_eq(list.data, "");
}
END_TEST

START_TEST(there_is_a_limit_to_levels_of_modules)
{
        struct error err = {};
        char name[16];
        int n = 0;

        do {
                snprintf(name, sizeof(name), "m%d", n);
        } while (log_set_module_level(name, LOG_DEBUG, &err) == 0 && ++n < 10000);
        ck_assert_int_eq(n, 256);
        ck_assert_int_eq(err.code, ERR_INVALID);
        ck_assert_ok(log_set_module_level("m0", LOG_ERROR, &err), err);
        ck_assert_int_eq(log_get_module_level("m0"), LOG_ERROR);
        ck_assert_int_eq(log_get_module_level("m255"), LOG_DEBUG);
}
END_TEST

UNIT_SUITE_FIXTURE("log", setup, teardown, lines_have_the_format_of_oslo_log,
                   context_comes_from_the_function_that_was_set, newlines_cannot_forge_a_line,
                   long_texts_arrive_whole_up_to_the_limit, before_start_and_after_stop_lines_go_to_stderr,
                   a_stuck_pipe_stops_nobody_and_the_gap_is_told, stop_returns_although_the_pipe_is_stuck,
                   a_fifo_that_nobody_reads_yet_takes_lines, stop_returns_although_nobody_reads_the_fifo,
                   a_sink_gets_messages_whole, a_sink_that_hangs_stops_nobody, a_full_disk_is_counted,
                   a_file_that_is_copied_and_truncated_goes_on_at_its_beginning, reopen_follows_rotation,
                   lines_of_many_threads_stay_whole_and_in_order, a_forked_child_writes_to_stderr,
                   capture_gets_lines_instead, start_refuses_what_cannot_be, levels_have_names,
                   a_module_has_the_level_of_the_longest_name_that_it_is_below,
                   a_level_that_changes_is_noticed_at_once_and_nothing_is_formatted_in_vain,
                   levels_of_modules_are_read_whole_or_not_at_all, there_is_a_limit_to_levels_of_modules)
