/* agent/store/cell_schema.c: the text of cell-schema.sql, which the build turns into a string line by line.
 */
#include "store/cell_schema.h"

const char cell_schema_sql[] =
#include <cell-schema.inc> /* made by the build */
        ;
