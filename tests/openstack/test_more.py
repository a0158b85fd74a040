"""The rest of what a cloud asks of its hosts: uptime, switching off, consoles, soft deletion, config drives, events."""
import base64
import hashlib
import json
import subprocess
import time
import urllib.parse
import xml.etree.ElementTree as ET

from checks import Server, becomes, host_is_empty, host_is_up, must, must_equal
from cloud import GUEST_UP, HOST, poll

FOR = 'agent', 'nova-compute'
FIRST = None
DISABLED = 'COMPUTE_STATUS_DISABLED'


def test_boot(w):
    w.server = Server.boot(w.cloud, 'more')
    w.server.reaches('ACTIVE')
    w.server.is_in('ACTIVE')


def test_hypervisor_tells_its_uptime(w):
    listed = w.cloud.get('compute', '/os-hypervisors')['hypervisors'][0]
    shown = w.cloud.get('compute', '/os-hypervisors/' + listed['id'])['hypervisor']
    must_equal('state', (shown['state'], shown['status']), ('up', 'enabled'))
    must("uptime says \"load average\"", 'load average' in (shown['uptime'] or ''))
    must_equal('the provider is the node', w.cloud.provider()['name'], shown['hypervisor_hostname'])


def test_usage_is_counted(w):
    row = w.cloud.row('nova_cell1', 'SELECT * FROM compute_nodes WHERE host=%s AND deleted=0', HOST)
    flavor = w.cloud.instance(w.server.uuid)
    must_equal('running_vms', row['running_vms'], 1)
    must_equal('vcpus_used', row['vcpus_used'], flavor['vcpus'])
    must_equal('local_gb_used', row['local_gb_used'], flavor['root_gb'])
    must_equal('what is held', w.cloud.held(), {'VCPU': 1, 'MEMORY_MB': 64, 'DISK_GB': 1})


def test_a_disabled_service_is_avoided(w):
    """Its provider has the trait, and the scheduler finds no host."""
    service = w.cloud.service()
    w.cloud.request('compute', 'PUT', '/os-services/' + service['id'],
                    json={'status': 'disabled', 'disabled_reason': 'a test'})
    becomes('the trait is there', True, lambda: DISABLED in w.cloud.provider_part('traits'))
    must_equal('the row', w.cloud.row('nova_cell1', 'SELECT disabled, disabled_reason FROM services WHERE host=%s '
                                      'AND deleted=0', HOST), {'disabled': 1, 'disabled_reason': 'a test'})
    refused = Server.boot(w.cloud, 'refused')
    s = refused.reaches('ERROR')
    must('the fault says that there is no host', 'No valid host' in s['fault']['message'])
    w.cloud.request('compute', 'DELETE', '/servers/' + refused.uuid)


def test_an_enabled_service_is_used_again(w):
    w.cloud.request('compute', 'PUT', '/os-services/' + w.cloud.service()['id'], json={'status': 'enabled'})
    becomes('the trait is gone', False, lambda: DISABLED in w.cloud.provider_part('traits'))
    host_is_up(w.cloud)


def test_diagnostics(w):
    w.server.up()
    d = w.cloud.get('compute', '/servers/%s/diagnostics' % w.server.uuid)
    must_equal('state and driver', (d['state'], d['driver']), ('running', 'libvirt'))
    must_equal('processors', len(d['cpu_details']), 1)
    must('a processor has worked', d['cpu_details'][0]['time'] > 0)
    must('a disk was read', d['disk_details'][0]['read_bytes'] > 0)


def test_vnc_console(w):
    """The URL has a token, whose row leads to the guest's own port."""
    answer = w.cloud.post('compute', '/servers/%s/remote-consoles' % w.server.uuid, {
        'remote_console': {'protocol': 'vnc', 'type': 'novnc'}}).json()['remote_console']
    path = urllib.parse.parse_qs(urllib.parse.urlparse(answer['url']).query)['path'][0]
    token = path.partition('token=')[2]
    row = w.cloud.row('nova_cell1', 'SELECT * FROM console_auth_tokens WHERE token_hash=%s',
                      hashlib.sha256(token.encode()).hexdigest())
    must('there is a row of the token', row)
    graphics = ET.fromstring(w.cloud.domain(w.server.uuid).XMLDesc()).find('devices/graphics')
    must_equal('the port', row['port'], int(graphics.get('port')))
    must_equal('the rest', (row['instance_uuid'], row['console_type'], row['host']),
               (w.server.uuid, 'novnc', '127.0.0.1'))
    must('it expires', 500 < row['expires'] - time.time() < 700)
    shown = w.cloud.get('compute', '/os-console-auth-tokens/' + token)['console']
    must_equal('what a proxy is told', (shown['instance_uuid'], shown['host'], shown['port']),
               (w.server.uuid, '127.0.0.1', row['port']))


def test_crash_dump(w):
    w.server.act({'trigger_crash_dump': None})
    w.server.last_event('trigger_crash_dump', 'compute_trigger_crash_dump')
    w.server.is_in('ACTIVE')


def test_external_events(w):
    """Of a server that is here, of one that is nowhere: the service goes on."""
    nobody = '11111111-1111-4111-8111-111111111111'
    answer = w.cloud.post('compute', '/os-server-external-events', {'events': [
        {'name': 'network-vif-plugged', 'server_uuid': w.server.uuid, 'status': 'completed', 'tag': nobody},
        {'name': 'network-changed', 'server_uuid': w.server.uuid, 'status': 'completed'},
        {'name': 'network-changed', 'server_uuid': nobody, 'status': 'completed'}]}, want=(207,))
    must_equal('codes', [e['code'] for e in answer.json()['events']], [200, 200, 404])
    w.server.is_in('ACTIVE')
    cache = w.cloud.row('nova_cell1', 'SELECT network_info FROM instance_info_caches WHERE instance_uuid=%s',
                        w.server.uuid)
    must_equal('network_info', cache['network_info'], '[]')


def test_a_guest_that_ends_is_noticed(w):
    """It is switched off behind the service's back."""
    w.cloud.domain(w.server.uuid).destroy()
    w.server.reaches('SHUTOFF', 60)
    w.server.is_in('SHUTOFF')
    w.server.does({'os-start': None}, 'ACTIVE', 'start', 'compute_start_instance')


def test_soft_delete(w):
    """nova-api with reclaim_instance_interval: the guest is off, and all it has stays."""
    w.cloud.wait_for_api('compute-later')
    must('QEMU runs', w.cloud.qemu(w.server.uuid))
    w.cloud.request('compute-later', 'DELETE', '/servers/' + w.server.uuid)

    def look():
        s = w.cloud.server(w.server.uuid)
        return s['status'] == 'SOFT_DELETED' and s['OS-EXT-STS:task_state'] is None
    poll('status SOFT_DELETED', 60, look)
    row = w.cloud.instance(w.server.uuid)
    must_equal('vm_state', (row['vm_state'], row['deleted']), ('soft-delete', 0))
    w.server.last_event('delete', 'compute_soft_delete_instance')
    w.server.holds_its_flavor()
    must_equal('QEMU', w.cloud.qemu(w.server.uuid), None)


def test_restore(w):
    w.server.does({'restore': None}, 'ACTIVE', 'restore', 'compute_restore_instance')
    w.server.says(GUEST_UP)


def test_force_delete(w):
    w.cloud.request('compute-later', 'DELETE', '/servers/' + w.server.uuid)
    poll('status SOFT_DELETED', 60, lambda: w.cloud.server(w.server.uuid)['status'] == 'SOFT_DELETED')
    w.server.act({'forceDelete': None})
    w.server.is_gone()


def test_config_drive(w):
    """A guest with a drive that has what it was told, and a password."""
    text = b'#!/bin/sh\necho told\n'
    server = w.server = Server.boot(w.cloud, 'drive', config_drive=True,
                                    user_data=base64.b64encode(text).decode(), metadata={'colour': 'blue'})
    server.reaches('ACTIVE')
    server.is_in('ACTIVE')
    must_equal('config_drive', w.cloud.instance(server.uuid)['config_drive'], 'True')
    drives = [d.find('source').get('file') for d in ET.fromstring(w.cloud.domain(server.uuid).XMLDesc()).findall(
        'devices/disk') if d.get('device') == 'cdrom']
    must_equal('drives of the guest', drives, [w.cloud.path(server.uuid, 'disk.config')])

    def read(name):
        return subprocess.run(['isoinfo', '-J', '-i', drives[0], '-x', name], check=True,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    label = subprocess.run(['isoinfo', '-d', '-i', drives[0]], check=True, stdout=subprocess.PIPE).stdout
    must('it is called config-2', b'Volume id: config-2' in label)
    must_equal('user data', read('/openstack/latest/user_data'), text)
    meta = json.loads(read('/openstack/latest/meta_data.json'))
    must_equal('uuid, metadata', (meta['uuid'], meta['meta']), (server.uuid, {'colour': 'blue'}))
    must_equal('the name', meta['name'], 'drive')


def test_delete(w):
    w.server.delete()
    host_is_empty(w.cloud)
