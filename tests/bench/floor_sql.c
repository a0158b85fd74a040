/*
 * tests/bench/floor_sql.c: SELECT 1 on 50 connections from one loop over epoll, by libmariadb's non-blocking
 * calls.
 *
 * Each connection is a small state machine: the query is sent, then its result is stored, and again. A
 * descriptor is registered once, edge-triggered, for reading: libmariadb reads before it says that it waits.
 * A query of this size never waits to be written.
 */
#include <sys/epoll.h>

#include "sql.h"

struct exchange {
        MYSQL *mysql;
        long left;
        bool storing; /* the query was sent, its result is on the way */
        int waits;    /* what libmariadb waits for; 0: nothing under way */
};

static void check_result(MYSQL_RES *result)
{
        if (!result || mysql_num_rows(result) != 1)
                measure_fail("SELECT 1 did not give one row");
        mysql_free_result(result);
}

/* Goes on as far as it can without waiting; false: all its queries are done. ready: 0 for the first time. */
static bool advance(struct exchange *x, int ready)
{
        MYSQL_RES *result = NULL;
        int failed = 0;

        for (;;) {
                if (!x->storing) {
                        if (!x->waits && x->left-- == 0)
                                return false;
                        x->waits = x->waits ? mysql_real_query_cont(&failed, x->mysql, ready)
                                            : mysql_real_query_start(&failed, x->mysql, "SELECT 1", 8);
                        if (x->waits)
                                return true;
                        if (failed)
                                measure_fail(mysql_error(x->mysql));
                        x->storing = true;
                }
                x->waits = x->waits ? mysql_store_result_cont(&result, x->mysql, ready)
                                    : mysql_store_result_start(&result, x->mysql);
                if (x->waits)
                        return true;
                x->storing = false;
                check_result(result);
        }
}

static void select_1(void)
{
        static struct exchange all[SQL_CONNECTIONS];
        struct epoll_event events[SQL_CONNECTIONS];
        int epoll = epoll_create1(EPOLL_CLOEXEC), busy = 0;
        long each = measure_count(SQL_EACH);
        int64_t began;

        for (int i = 0; i < SQL_CONNECTIONS; i++) {
                struct epoll_event ev = { .events = EPOLLIN | EPOLLET, .data.ptr = &all[i] };

                all[i].mysql = mysql_init(NULL);
                mysql_options(all[i].mysql, MYSQL_OPT_NONBLOCK, 0);
                sql_connect(all[i].mysql);
                all[i].left = each;
                if (epoll_ctl(epoll, EPOLL_CTL_ADD, mysql_get_socket(all[i].mysql), &ev) < 0)
                        measure_fail("epoll_ctl");
        }
        began = measure_cpu();
        for (int i = 0; i < SQL_CONNECTIONS; i++)
                busy += advance(&all[i], 0);
        while (busy > 0) {
                int n = epoll_wait(epoll, events, SQL_CONNECTIONS, -1);

                for (int i = 0; i < n; i++)
                        if (!advance(events[i].data.ptr, MYSQL_WAIT_READ))
                                busy--;
        }
        sql_report(measure_cpu() - began, each);
        for (int i = 0; i < SQL_CONNECTIONS; i++)
                mysql_close(all[i].mysql);
}

static const struct measure_work works[] = {
        { "sql-select-1", select_1 },
        { NULL, NULL },
};

int main(int argc, char **argv)
{
        return measure_main(works, argc, argv);
}
