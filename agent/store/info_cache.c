/* agent/store/info_cache.c: what nova wrote down about an instance's network interfaces (nova-contract 5.9).
 */
#include "store/store_priv.h"

#include "base/mem.h"

int store_network_info(struct store *s, const char *uuid, char **ret, unsigned *ret_interfaces,
                       struct deadline by, struct error *err)
{
        const struct db_value values[] = { db_text(uuid), db_text(uuid) };
        CLEANUP(db_result_freep) struct db_result *r = NULL;
        const struct db_value *row;

        if (db_pool_select(
                    s->db,
                    "SELECT (SELECT network_info FROM instance_info_caches WHERE instance_uuid = ? AND "
                    "deleted = 0), (SELECT COUNT(*) FROM virtual_interfaces WHERE instance_uuid = ? AND "
                    "deleted = 0)",
                    values, ARRAY_SIZE(values), &r, by, err) < 0)
                return error_while(err, "reading the network interfaces of instance %s", uuid);
        row = db_result_row(r, 0);
        *ret = row[0].type == DB_TEXT && row[0].len > 0 ? xmemdup(row[0].s, row[0].len) : NULL;
        *ret_interfaces = (unsigned)row[1].i;
        return 0;
}
