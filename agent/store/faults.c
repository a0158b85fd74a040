/* agent/store/faults.c: why a server is in error, as its user sees it (nova-contract 5.6). */
#include "store/store_priv.h"

#include "base/mem.h"

#define MESSAGE_MAX 255
#define DETAILS_MAX (256u << 10) /* the column takes more; nobody reads more */

int store_fault_add(struct store *s, const char *uuid, int code, const char *message, const char *details,
                    struct deadline by, struct error *err)
{
        CLEANUP(freep) char *short_message = text_for_column(message, MESSAGE_MAX);
        CLEANUP(freep) char *all_details = text_for_column(details, DETAILS_MAX);
        CLEANUP(query_free) struct query q = {};

        query_add(&q, "INSERT INTO instance_faults (created_at, deleted, instance_uuid, code, message, "
                      "details, host) "
                      "VALUES (?, 0, ?, ?, ?, ?, ?)");
        query_time(&q, clock_wall_s());
        query_value(&q, db_text(uuid));
        query_value(&q, db_int(code));
        query_value(&q, db_text(short_message));
        query_value(&q, db_text(all_details));
        query_value(&q, db_text(s->host));
        if (query_exec(s, NULL, &q, NULL, NULL, by, err) < 0)
                return error_while(err, "recording a fault of instance %s", uuid);
        return 0;
}
