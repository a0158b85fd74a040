"""What the tests look with: the REST interfaces, the rows, placement, libvirt, files and processes.

Nothing here judges; see checks.py for what must be true of a server.
"""
import os
import re
import time

import amqp
import libvirt
import pymysql
import requests

STATE = os.environ['OPENSTACK_STATE']
HOST = 'compute-host'
BASE = int(os.environ.get('OPENSTACK_PORT_BASE', '17500'))
URL = {'identity': 'http://127.0.0.1:%d/v3' % BASE,
       'placement': 'http://127.0.0.1:%d' % (BASE + 1),
       'image': 'http://127.0.0.1:%d' % (BASE + 2),
       'compute': 'http://127.0.0.1:%d/v2.1' % (BASE + 3),
       'network': 'http://127.0.0.1:%d' % (BASE + 4),
       'compute-later': 'http://127.0.0.1:%d/v2.1' % (BASE + 5)}
VERSIONS = {'compute': 'compute 2.93', 'compute-later': 'compute 2.93', 'placement': 'placement 1.39'}
GUEST_UP = 'COMPUTE-AGENT GUEST up'
GUEST_OFF = 'COMPUTE-AGENT GUEST off'


def _read_env():
    env = {}
    with open(STATE + '/env') as f:
        for line in f:
            name, _, value = line.strip().partition('=')
            env[name] = value.strip("'")
    return env


ENV = _read_env()
libvirt.registerErrorHandler(lambda _, error: None, None)  # it would print them all


class Refused(Exception):
    """A service answered with a status that was not expected."""

    def __init__(self, what, status, text):
        super().__init__('%s: %s %s' % (what, status, text[:500]))
        self.status, self.text = status, text


def poll(what, seconds, look, every=0.1):
    """The first true value of look(), which may also raise to give up at once."""
    end = time.monotonic() + seconds
    while True:
        value = look()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError('%s: not within %d s' % (what, seconds))
        time.sleep(every)


class Cloud:
    def __init__(self):
        self.session = requests.Session()
        self.login()
        self._db = {}
        self._libvirt = None

    # ---- REST

    def login(self):
        answer = self.session.post(URL['identity'] + '/auth/tokens', timeout=60, json={'auth': {
            'identity': {'methods': ['password'], 'password': {'user': {
                'name': 'admin', 'domain': {'id': 'default'}, 'password': ENV['PASSWORD']}}},
            'scope': {'project': {'name': 'admin', 'domain': {'id': 'default'}}}}})
        answer.raise_for_status()
        self.project = answer.json()['token']['project']['id']
        self.session.headers['X-Auth-Token'] = answer.headers['X-Subject-Token']

    def request(self, service, method, path, want=(200, 201, 202, 204), headers=None, **kw):
        headers = dict(headers or {})
        if service in VERSIONS:
            headers['OpenStack-API-Version'] = VERSIONS[service]
        answer = self.session.request(method, URL[service] + path, headers=headers, timeout=120, **kw)
        if answer.status_code not in want:
            raise Refused('%s %s %s' % (service, method, path), answer.status_code, answer.text)
        return answer

    def get(self, service, path):
        return self.request(service, 'GET', path).json()

    def post(self, service, path, body, **kw):
        return self.request(service, 'POST', path, json=body, **kw)

    def action(self, uuid, body, **kw):
        return self.post('compute', '/servers/%s/action' % uuid, body, **kw)

    def server(self, uuid):
        return self.get('compute', '/servers/' + uuid)['server']

    def service(self):
        return self.get('compute', '/os-services?binary=nova-compute&host=' + HOST)['services'][0]

    def image(self, name):
        return [i['id'] for i in self.get('image', '/v2/images?name=' + name)['images']][0]

    def wait_for_api(self, service, seconds=60):
        """Any answer will do."""
        def look():
            try:
                return self.session.get(URL[service], timeout=10)
            except requests.ConnectionError:
                return None
        poll(service + ' answers', seconds, look)

    # ---- placement

    def provider(self):
        name = self.row('nova_cell1', 'SELECT uuid FROM compute_nodes WHERE host=%s AND deleted=0', HOST)['uuid']
        return self.get('placement', '/resource_providers/' + name)

    def provider_part(self, part):
        return self.get('placement', '/resource_providers/%s/%s' % (self.provider()['uuid'], part))[part]

    def allocations(self, uuid):
        return self.get('placement', '/allocations/' + uuid)['allocations']

    def held(self):
        """What all consumers together hold of the host."""
        return {k: v for k, v in self.provider_part('usages').items() if v}

    # ---- rows

    def rows(self, database, statement, *args):
        db = self._db.get(database)
        if not db:
            db = self._db[database] = pymysql.connect(
                unix_socket=ENV['MARIADB_SOCKET'], user='root', database=database, autocommit=True,
                charset='utf8', cursorclass=pymysql.cursors.DictCursor)
        db.ping()
        with db.cursor() as cursor:
            cursor.execute(statement, args)
            return cursor.fetchall()

    def row(self, database, statement, *args):
        rows = self.rows(database, statement, *args)
        return rows[0] if rows else None

    def instance(self, uuid):
        return self.row('nova_cell1', 'SELECT * FROM instances WHERE uuid=%s', uuid)

    def faults(self, uuid):
        return self.rows('nova_cell1', 'SELECT * FROM instance_faults WHERE instance_uuid=%s AND deleted=0 ORDER BY id',
                         uuid)

    def actions(self, uuid):
        """The actions of a server in their order, each with its events."""
        actions = self.rows('nova_cell1', 'SELECT * FROM instance_actions WHERE instance_uuid=%s ORDER BY id', uuid)
        for a in actions:
            a['events'] = self.rows('nova_cell1', 'SELECT * FROM instance_actions_events WHERE action_id=%s '
                                    'ORDER BY id', a['id'])
        return actions

    # ---- the hypervisor, and what is on its disk

    def libvirt(self):
        try:
            self._libvirt.getLibVersion()
        except (AttributeError, libvirt.libvirtError):  # the first time, or a libvirtd that has ended since
            self._libvirt = libvirt.open('qemu+unix:///system?socket=%s/libvirt/run/libvirt-sock' % STATE)
        return self._libvirt

    def domain(self, uuid):
        """Its libvirt.virDomain, None if there is none."""
        try:
            return self.libvirt().lookupByUUIDString(uuid)
        except libvirt.libvirtError as e:
            if e.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
                return None
            raise

    def domain_state(self, uuid):
        domain = self.domain(uuid)
        return {libvirt.VIR_DOMAIN_RUNNING: 'running', libvirt.VIR_DOMAIN_PAUSED: 'paused',
                libvirt.VIR_DOMAIN_SHUTDOWN: 'shutting down', libvirt.VIR_DOMAIN_SHUTOFF: 'shut off',
                libvirt.VIR_DOMAIN_CRASHED: 'crashed'}.get(domain.state()[0], 'other') if domain else None

    def qemu(self, uuid):
        """The pid of its QEMU, as libvirt noted it; None if it does not run."""
        domain = self.domain(uuid)
        if not domain or not domain.isActive():
            return None
        with open('%s/libvirt/run/qemu/%s.pid' % (STATE, domain.name())) as f:
            return int(f.read())

    def path(self, uuid, name=''):
        return os.path.join(STATE, 'nova/instances', uuid, name).rstrip('/')

    def console(self, uuid):
        return self.action(uuid, {'os-getConsoleOutput': {'length': 100}}).json()['output']

    # ---- the broker

    def consumers(self, queue):
        user, password, port = ENV['RABBITMQ_USER'], ENV['RABBITMQ_PASSWORD'], ENV['RABBITMQ_PORT']
        with amqp.Connection('127.0.0.1:' + port, userid=user, password=password) as c:
            try:
                return c.channel().queue_declare(queue, passive=True).consumer_count
            except amqp.NotFound:
                return 0


def process_runs(pid):
    try:
        with open('/proc/%d/status' % pid) as f:
            return not re.search(r'^State:\s+[ZX]', f.read(), re.M)
    except FileNotFoundError:
        return False
