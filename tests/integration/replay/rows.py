"""
Rows of the cell database: putting them as nova-api and conductor leave them, and comparing them with what the
recorded nova-compute made of them.

A time counts as one of three: NULL, as it was before, or written now. Ids of new rows are the database's choice.
JSON columns are compared as JSON, what is of the machine by its shape.
"""
import datetime
import json
import re

import pymysql

TABLES = ('instances', 'instance_extra', 'instance_info_caches', 'instance_metadata', 'instance_system_metadata',
          'instance_id_mappings', 'block_device_mapping', 'instance_actions', 'instance_actions_events',
          'instance_faults', 'console_auth_tokens')
# What says which row it is, where the id cannot: compute makes these rows.
KEYS = {'instance_system_metadata': ('instance_uuid', 'key'), 'instance_actions_events': ('action_id', 'event'),
        'instance_faults': ('instance_uuid', 'code'), 'console_auth_tokens': ('instance_uuid', 'console_type')}
TIME = re.compile(r'(_at|_time|^last_seen_up)$')
JSON_COLUMNS = {'flavor', 'vcpu_model', 'keypairs', 'pci_requests', 'network_info', 'stats', 'pci_stats', 'metrics',
                'cpu_info', 'supported_instances', 'numa_topology', 'device_metadata', 'resources', 'trusted_certs',
                'migration_context'}
UUID = re.compile(r'[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$')
OF_THE_MACHINE = {
    'services': {'uuid'},
    'compute_nodes': {'uuid', 'vcpus', 'memory_mb', 'local_gb', 'free_ram_mb', 'free_disk_gb', 'disk_available_least',
                      'hypervisor_version', 'cpu_info', 'supported_instances'},
}


class Cell:
    def __init__(self, env):
        self.db = pymysql.connect(unix_socket=env['MARIADB_SOCKET'], user=env['MARIADB_USER'],
                                  password=env['MARIADB_PASSWORD'], database=env['MARIADB_DATABASE'],
                                  autocommit=True, cursorclass=pymysql.cursors.DictCursor)

    def close(self):
        self.db.close()

    def query(self, sql, values=()):
        with self.db.cursor() as c:
            c.execute(sql, values)
            return [{k: str(v) if isinstance(v, datetime.datetime) else v for k, v in row.items()}
                    for row in c.fetchall()]

    def read(self, tables=TABLES):
        return {t: self.query('SELECT * FROM `%s`' % t) for t in tables}

    def put(self, state, tables=TABLES):
        """These tables hold these rows and no others: {table: {id: row}}."""
        self.query('SET foreign_key_checks = 0')
        for table in tables:
            self.query('DELETE FROM `%s`' % table)
            for row in state.get(table, {}).values():
                self.insert(table, row)

    def insert(self, table, row):
        self.query('INSERT INTO `%s` (%s) VALUES (%s)' % (table, ', '.join('`%s`' % c for c in row),
                                                          ', '.join(['%s'] * len(row))), tuple(row.values()))


def key_of(table, row):
    return tuple(str(row[c]) for c in KEYS.get(table, ('id',)))


def indexed(table, rows):
    return {key_of(table, r): r for r in rows}


def settled(value):
    """JSON without the names of the fields that had changed when an object was written: nobody reads them again."""
    if isinstance(value, dict):
        return {k: settled(v) for k, v in value.items() if k != 'nova_object.changes'}
    return [settled(v) for v in value] if isinstance(value, list) else value


def shape(value):
    """Keys and types, where values are of the machine, the guest or the moment."""
    if isinstance(value, dict):
        return {k: shape(v) for k, v in value.items()}
    if isinstance(value, list):
        return ['each'] + sorted({json.dumps(shape(v), sort_keys=True) for v in value})
    if isinstance(value, str):
        return 'a uuid' if UUID.match(value) else 'text'
    return 'number' if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def time_class(value, before, since=None):
    if value is None:
        return 'NULL'
    if before is not None and value == before:
        return 'as before'
    if since is not None:
        now = datetime.datetime.now(datetime.timezone.utc).strftime('%Y-%m-%d %H:%M:%S')
        if not since <= value <= now:
            return value
    return 'written'


def column_class(table, column, row, before, since=None):
    """A value as it can be compared between two clouds."""
    value = row[column]
    if TIME.search(column):
        return time_class(value, before and before[column], since)
    if column == 'id':
        return 'its own' if before is None else value
    if column == 'deleted':
        return 'as the id' if value and value == row['id'] else value
    if column in JSON_COLUMNS and value is not None:
        value = settled(json.loads(value))
    return shape(value) if column in OF_THE_MACHINE.get(table, ()) else value


class Difference:
    def __init__(self, table, key, column, wanted, got):
        self.table, self.key, self.column, self.wanted, self.got = table, key, column, wanted, got

    def __str__(self):
        what = '%s[%s]%s' % (self.table, ', '.join(self.key), '.' + self.column if self.column else '')
        return '%s: nova-compute left %s, the agent %s' % (what, json.dumps(self.wanted), json.dumps(self.got))


def compare(before, wanted, got, since):
    """before and wanted: {table: {id: row}}, as recorded; got: {table: [row]}. Yields each Difference."""
    for table in got:
        old = indexed(table, before.get(table, {}).values())
        right = indexed(table, wanted.get(table, {}).values())
        left = indexed(table, got[table])
        for key in sorted(right.keys() | left.keys()):
            name = key[-1:] if table in KEYS else key
            if key not in left or key not in right:
                yield Difference(table, name, None, 'a row' if key in right else 'none',
                                 'a row' if key in left else 'none')
                continue
            for column in left[key]:
                a = column_class(table, column, right[key], old.get(key))
                b = column_class(table, column, left[key], old.get(key), since)
                if a != b:
                    yield Difference(table, name, column, a, b)
