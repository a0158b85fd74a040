/* agent/store/cell_schema.h: the shipped schema, as it is in cell-schema.sql, within the binary. */
#pragma once

extern const char cell_schema_sql[];

/* Calls fn for each column of each table in it; stops when that returns non-zero, and returns that. */
int cell_schema_foreach(int (*fn)(const char *table, const char *column, void *arg), void *arg);
