/* tests/bench/sql.h: connecting to the server of the run, for those that use libmariadb themselves. */
#pragma once

#include <mysql.h>

#include "measure.h"

enum { SQL_CONNECTIONS = 50, SQL_EACH = 1000 };

static inline MYSQL *sql_connect(MYSQL *m)
{
        if (!getenv("MARIADB_SOCKET"))
                measure_fail("MARIADB_SOCKET is not set");
        if (!mysql_real_connect(m, NULL, getenv("MARIADB_USER"), getenv("MARIADB_PASSWORD"),
                                getenv("MARIADB_DATABASE"), 0, getenv("MARIADB_SOCKET"), 0))
                measure_fail(mysql_error(m));
        return m;
}

static inline void sql_report(int64_t cpu_ns, long each)
{
        measure_report("sql-select-1", (double)cpu_ns / (double)(SQL_CONNECTIONS * each) / 1e3, "us");
}
