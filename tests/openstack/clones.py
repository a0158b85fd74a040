"""A host with many guests: a stopped server, copied as often as wanted in the rows, in placement, in libvirt and on the
disk, much sooner than they could be booted."""
import re
import shutil

import libvirt

from checks import Server

PREFIX = 'c10e5000-0000-4000-8000-'
# table: its column that names the instance, and the columns that must differ
CELL = {'instances': ('uuid', {'display_name': "concat('clone-', seq)"}),
        'instance_extra': ('instance_uuid', {}), 'instance_info_caches': ('instance_uuid', {}),
        'instance_system_metadata': ('instance_uuid', {}), 'block_device_mapping': ('instance_uuid', {'uuid': 'uuid()'})}
PLACEMENT = {'consumers': ('uuid', {}), 'allocations': ('consumer_id', {})}


def _uuid(n):
    return '%s%012x' % (PREFIX, n)


def _copy_rows(cloud, database, tables, uuid, n):
    for table, (key, other) in tables.items():
        columns = [c['Field'] for c in cloud.rows(database, 'SHOW COLUMNS FROM ' + table) if c['Field'] != 'id']
        values = [other.get(c, "concat('%s', lpad(lower(hex(seq)), 12, '0'))" % PREFIX if c == key else '`%s`' % c)
                  for c in columns]
        cloud.rows(database, 'INSERT INTO %s (%s) SELECT %s FROM %s, seq_1_to_%d WHERE %s = %%s' % (
            table, ', '.join('`%s`' % c for c in columns), ', '.join(values), table, n, key), uuid)


def make(cloud, n):
    """A server is booted and stopped by whichever compute service runs; n copies of it are there afterwards."""
    model = Server.boot(cloud, 'model')
    model.reaches('ACTIVE')
    model.act({'os-stop': None})
    model.reaches('SHUTOFF')
    xml = cloud.domain(model.uuid).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    _copy_rows(cloud, 'nova_cell1', CELL, model.uuid, n)
    _copy_rows(cloud, 'placement', PLACEMENT, model.uuid, n)
    ids = {r['uuid']: r['id'] for r in cloud.rows(
        'nova_cell1', 'SELECT id, uuid FROM instances WHERE uuid LIKE %s', PREFIX + '%')}
    for i in range(1, n + 1):
        uuid = _uuid(i)
        copied = xml.replace(model.uuid, uuid)
        copied = re.sub(r'<name>instance-[0-9a-f]+</name>', '<name>instance-%08x</name>' % ids[uuid], copied)
        shutil.copytree(cloud.path(model.uuid), cloud.path(uuid))
        cloud.libvirt().defineXML(copied)
    return model


def drop(cloud, model):
    for i in cloud.rows('nova_cell1', 'SELECT uuid FROM instances WHERE uuid LIKE %s AND deleted=0', PREFIX + '%'):
        domain = cloud.domain(i['uuid'])
        if domain:
            domain.undefine()
        shutil.rmtree(cloud.path(i['uuid']), ignore_errors=True)
    for database, tables in ('nova_cell1', reversed(CELL.items())), ('placement', reversed(PLACEMENT.items())):
        for table, (key, _) in tables:
            cloud.rows(database, 'DELETE FROM %s WHERE %s LIKE %%s' % (table, key), PREFIX + '%')
    model.delete()
