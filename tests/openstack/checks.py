"""What must be true of a server, of the host and of what is left of a server, wherever it can be seen."""
import os
import time

from cloud import GUEST_OFF, GUEST_UP, HOST, STATE, Refused, poll, process_runs


class Untrue(Exception):
    """Something that should be true is not."""


def must(what, true):
    if not true:
        raise Untrue(what)


def must_equal(what, got, want):
    if got != want:
        raise Untrue('%s is %r, not %r' % (what, got, want))


def becomes(what, want, look, seconds=15):
    """look() becomes want in time."""
    end = time.monotonic() + seconds
    while True:
        got = look()
        if got == want:
            return got
        if time.monotonic() > end:
            raise Untrue('%s is %r, not %r, after %d s' % (what, got, want, seconds))
        time.sleep(0.1)


# What the API calls a state: vm_state, power_state, the domain's
STATES = {'ACTIVE': ('active', 1, 'running'), 'SHUTOFF': ('stopped', 4, 'shut off'),
          'PAUSED': ('paused', 3, 'paused'), 'SUSPENDED': ('suspended', 4, 'shut off')}


class Server:
    """One server of the cloud, as everybody sees it."""

    def __init__(self, cloud, uuid):
        self.cloud, self.uuid = cloud, uuid

    @classmethod
    def boot(cls, cloud, name='server', image='guest', flavor='1', **more):
        answer = cloud.post('compute', '/servers', {'server': dict({
            'name': name, 'imageRef': cloud.image(image), 'flavorRef': flavor, 'networks': 'none',
            'metadata': {'made-by': 'tests'}}, **more)})
        return cls(cloud, answer.json()['server']['id'])

    def act(self, body, **kw):
        return self.cloud.action(self.uuid, body, **kw)

    # ---- waiting

    def reaches(self, status, seconds=90):
        """The API shows the status, and that no task is left; then all the rest must agree with it."""
        def look():
            s = self.cloud.server(self.uuid)
            if s['status'] == 'ERROR' and status != 'ERROR':
                raise Untrue('the server is in ERROR: %s' % s.get('fault', {}).get('message'))
            return s['status'] == status and s['OS-EXT-STS:task_state'] is None and s
        return poll('status %s' % status, seconds, look, 0.05)

    def says(self, text, seconds=60):
        poll('the console says %r' % text, seconds, lambda: text in self.cloud.console(self.uuid), 0.2)

    def up(self):
        """Before that the guest would not see its power button."""
        self.says(GUEST_UP)

    # ---- what must be true

    def is_in(self, status):
        vm_state, power, domain = STATES[status]
        row = self.cloud.instance(self.uuid)
        must_equal('vm_state', row['vm_state'], vm_state)
        must_equal('task_state', row['task_state'], None)
        must_equal('power_state', row['power_state'], power)
        must_equal('host', row['host'], HOST)
        must_equal('launched_on', row['launched_on'], HOST)
        must_equal('node', row['node'], self.cloud.provider()['name'])
        must_equal('deleted', row['deleted'], 0)
        must_equal("the domain's state", self.cloud.domain_state(self.uuid), domain)
        must_equal('QEMU runs', bool(self.cloud.qemu(self.uuid)), domain != 'shut off')
        self.holds_its_flavor()
        must_equal('faults', [f['message'] for f in self.cloud.faults(self.uuid)], [])
        for name in 'disk', 'disk.info', 'console.log':
            must('there is a file %s' % name, os.path.exists(self.cloud.path(self.uuid, name)))

    def holds_its_flavor(self):
        row = self.cloud.instance(self.uuid)
        must_equal('allocations', {p: a['resources'] for p, a in self.cloud.allocations(self.uuid).items()},
                   {self.cloud.provider()['uuid']: {'VCPU': row['vcpus'], 'MEMORY_MB': row['memory_mb'],
                                                    'DISK_GB': row['root_gb']}})

    def last_event(self, action, event, result='Success', message=None):
        """The newest action and its newest event; an event may end a little after the state it leads to."""
        def look():
            a = self.cloud.actions(self.uuid)[-1]
            if not a['events']:
                return a['action'], a['message'], None, None
            e = a['events'][-1]
            return a['action'], a['message'], e['event'], e['result']
        becomes('the last action, its message, event and result', (action, message, event, result), look)
        e = self.cloud.actions(self.uuid)[-1]['events'][-1]
        must('the event has a beginning and an end', e['start_time'] and e['finish_time'])
        must_equal("the event's host", e['host'], HOST)

    def does(self, body, status, action, event, seconds=90):
        """An action of the API, to its end, wherever that can be seen."""
        self.act(body)
        self.reaches(status, seconds)
        self.is_in(status)
        self.last_event(action, event)

    def every_event_is(self, result='Success'):
        seen = [(a['action'], e['event'], e['result']) for a in self.cloud.actions(self.uuid) for e in a['events']]
        must_equal('events that are not %s' % result, [s for s in seen if s[2] != result], [])
        return seen

    def went_off_by_itself(self):
        """By its last words in the file (nova-compute shows no console of a guest that is off). Not by how QEMU
        ended: who waits for the guest may still be the one who ends that."""
        with open(self.cloud.path(self.uuid, 'console.log'), errors='replace') as f:
            must_equal('last words', f.read().strip().split('\n')[-1], GUEST_OFF)

    def last_end(self):
        """Why QEMU ended the last time: 'shutdown' when the guest turned itself off, 'destroyed', ..."""
        name = self.cloud.domain(self.uuid).name()
        with open('%s/libvirt/log/qemu/%s.log' % (STATE, name)) as f:
            return [line.split('reason=')[1].strip() for line in f if 'shutting down, reason=' in line][-1]

    # ---- its end

    def delete(self, seconds=60):
        qemu = self.cloud.qemu(self.uuid)
        self.cloud.request('compute', 'DELETE', '/servers/' + self.uuid)
        self.is_gone(seconds)
        self.last_event('delete', 'compute_terminate_instance')
        must('QEMU has ended', not qemu or not process_runs(qemu))

    def is_gone(self, seconds=60):
        cloud = self.cloud

        def look():
            try:
                s = cloud.server(self.uuid)
            except Refused as e:
                return e.status == 404
            if s['status'] == 'ERROR' and s['OS-EXT-STS:task_state'] is None:
                raise Untrue('the server is in ERROR: %s' % s.get('fault', {}).get('message'))
            return False
        poll('the server is gone', seconds, look, 0.05)
        row = cloud.instance(self.uuid)
        must_equal('vm_state', row['vm_state'], 'deleted')
        must_equal('task_state', row['task_state'], None)
        must_equal('power_state', row['power_state'], 0)
        must_equal('deleted', row['deleted'], row['id'])
        must('there is terminated_at', row['terminated_at'])
        for table in ('block_device_mapping', 'instance_system_metadata', 'instance_info_caches', 'instance_faults',
                      'instance_metadata'):
            must_equal('live rows of ' + table, cloud.row(
                'nova_cell1', 'SELECT COUNT(*) AS n FROM %s WHERE instance_uuid=%%s AND deleted=0' % table,
                self.uuid)['n'], 0)
        self.leaves_nothing()

    def leaves_nothing(self):
        """Nothing of it is on the host, and it holds nothing."""
        must_equal('allocations', self.cloud.allocations(self.uuid), {})
        must_equal('the domain', self.cloud.domain(self.uuid), None)
        for path in self.cloud.path(self.uuid), self.cloud.path(self.uuid) + '_del':
            must('%s is gone' % path, not os.path.exists(path))


def host_is_up(cloud):
    s = cloud.service()
    must_equal("the service's state", (s['state'], s['status']), ('up', 'enabled'))


def host_is_empty(cloud):
    """No guest, no allocation, and inventories that are whole."""
    must_equal('domains', [d.name() for d in cloud.libvirt().listAllDomains()], [])
    must_equal('what is held of the host', cloud.held(), {})
    inventories = cloud.provider_part('inventories')
    must_equal('inventories', sorted(inventories), ['DISK_GB', 'MEMORY_MB', 'VCPU'])
    must('each has something', all(i['total'] > 0 for i in inventories.values()))
    left = [n for n in os.listdir(STATE + '/nova/instances') if len(n) >= 36]
    must_equal('directories of guests', left, [])
