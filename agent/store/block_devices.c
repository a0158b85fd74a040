/* agent/store/block_devices.c: the disks of an instance (nova-contract 5.8). */
#include "store/store_priv.h"

#include <stdlib.h>

#include "base/mem.h"

#define FIELD(column, kind, member)                                 \
        {                                                           \
                column, kind, offsetof(struct block_device, member) \
        }
static const struct column columns[] = {
        FIELD("id", AS_INT, id),
        FIELD("boot_index", AS_INDEX, boot_index),
        FIELD("volume_size", AS_INT, volume_size),
        FIELD("source_type", AS_TEXT, source_type),
        FIELD("destination_type", AS_TEXT, destination_type),
        FIELD("guest_format", AS_TEXT, guest_format),
        FIELD("device_type", AS_TEXT, device_type),
        FIELD("disk_bus", AS_TEXT, disk_bus),
        FIELD("device_name", AS_TEXT, device_name),
        FIELD("image_id", AS_TEXT, image_id),
        FIELD("delete_on_termination", AS_BOOL, delete_on_termination),
};
#undef FIELD

int store_block_devices(struct store *s, const char *uuid, struct block_devices *ret, struct deadline by,
                        struct error *err)
{
        CLEANUP(query_free) struct query q = {};
        CLEANUP(db_result_freep) struct db_result *r = NULL;
        struct block_devices found = {};

        query_add(&q, "SELECT ");
        columns_list(&q.sql, "", columns, ARRAY_SIZE(columns));
        query_add(&q, " FROM block_device_mapping WHERE deleted = 0 AND instance_uuid = ? ORDER BY id");
        query_value(&q, db_text(uuid));
        if (db_pool_select(s->db, q.sql.data, q.values, q.n, &r, by, err) < 0)
                return error_while(err, "reading the disks of instance %s", uuid);
        found.n = (unsigned)db_result_rows(r);
        found.items = xcalloc(found.n + 1, sizeof(found.items[0]));
        for (unsigned n = 0; n < found.n; n++)
                row_read(columns, ARRAY_SIZE(columns), db_result_row(r, n), &found.items[n]);
        *ret = found;
        return 0;
}

int store_block_device_save(struct store *s, const struct block_device *b, struct deadline by,
                            struct error *err)
{
        CLEANUP(query_free) struct query q = {};
        uint64_t matched;

        query_add(&q, "UPDATE block_device_mapping SET updated_at = ?, device_name = ?, disk_bus = ?, "
                      "device_type = ? "
                      "WHERE deleted = 0 AND id = ?");
        query_time(&q, clock_wall_s());
        query_value(&q, db_text(b->device_name));
        query_value(&q, db_text(b->disk_bus));
        query_value(&q, db_text(b->device_type));
        query_value(&q, db_int(b->id));
        if (query_exec(s, NULL, &q, &matched, NULL, by, err) < 0)
                return error_while(err, "saving disk %lld", (long long)b->id);
        if (!matched)
                return error_set(err, ERR_NOT_FOUND,
                                 "disk %lld is in no row of block_device_mapping any more", (long long)b->id);
        return 0;
}
