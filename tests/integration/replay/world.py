"""
Everything around the agent under test: a MariaDB with the cell's schema, a RabbitMQ, keystone and placement in
this process, a directory for all of it, and the agent itself on QEMU through libvirt's embedded driver.
"""
import contextlib
import ctypes
import hashlib
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import threading
import time

from broker import Broker
from cloud_services import CloudServices
from rows import Cell

SUPPORT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'support')
DATA = os.path.join(SUPPORT, '..', 'data')
PR_SET_CHILD_SUBREAPER = 36


class Orphans(threading.Thread):
    """QEMUs come to this process when libvirt's fork ends, and are reaped at once: libvirt waits until they are."""

    def __init__(self):
        super().__init__(daemon=True)
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self.own = set()

    def run(self):
        while True:
            for pid in self.zombies():
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)
            time.sleep(0.02)

    def zombies(self):
        """Only QEMUs: whatever else is started here has somebody who waits for it."""
        for pid in children():
            try:
                with open('/proc/%d/stat' % pid, encoding='ascii', errors='replace') as f:
                    name, rest = f.read().split('(', 1)[1].rsplit(')', 1)
            except (OSError, IndexError):
                continue
            if name.startswith('qemu') and rest.split()[0] == 'Z':
                yield pid


def children():
    for task in os.listdir('/proc/self/task'):
        with contextlib.suppress(OSError), open('/proc/self/task/%s/children' % task, encoding='ascii') as f:
            yield from map(int, f.read().split())


class World:
    def __init__(self, agent, ctl, host, traits, password='not-a-secret'):
        self.agent, self.ctl, self.host = agent, ctl, host
        self.dir = tempfile.mkdtemp(prefix='replay.', dir='/tmp')
        self.process = None
        self.env, self.parts = {}, contextlib.ExitStack()
        try:
            self.parts.callback(shutil.rmtree, self.dir, ignore_errors=True)
            self.start_server('mariadb', 'db', '--no-tcp')
            self.start_server('rabbitmq', 'broker')
            self.cloud = CloudServices(traits, password=password)
            self.parts.callback(self.cloud.close)
            self.cloud.tokens.add('<token>')  # in place of the user's, in all recorded requests
            self.cell = Cell(self.env)
            self.parts.callback(self.cell.close)
            self.broker = Broker(self.env, host)
            self.write_conf()
            self.control('db-init')
        except BaseException:
            self.parts.close()
            raise

    def close(self):
        self.kill_agent()
        self.kill_guests()
        self.parts.close()

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def start_server(self, script, where, *options):
        script = os.path.join(SUPPORT, script)
        self.parts.callback(subprocess.run, [script, 'drop', self.path(where)], check=False)
        out = subprocess.run([script, 'start', self.path(where), *options], check=True, text=True,
                             stdout=subprocess.PIPE).stdout
        self.env.update(word.split('=', 1) for word in shlex.split(out))

    def write_conf(self):
        with open(self.path('conf'), 'w', encoding='utf-8') as f:
            f.write(self.conf())
        os.chmod(self.path('conf'), 0o600)

    def conf(self):
        return f"""
host = '{self.host}'
my_ip = '127.0.0.1'
state_path = '{self.path('state')}'
transport_url = '{self.env['RABBITMQ_URL']}'
control_socket = '{self.path('control.sock')}'
heartbeat_file_path = ''
graceful_shutdown_timeout = 10
# Nothing but the replayed messages may change rows.
update_resources_interval = 86400
sync_power_state_interval = 86400
running_deleted_instance_poll_interval = 86400
healthcheck {{
    socket = ''
}}
database {{
    connection = '{self.env['MARIADB_URL']}'
}}
placement {{
    auth_type = 'password'
    auth_url = '{self.cloud.url}/identity'
    username = '{self.cloud.user}'
    password = '{self.cloud.password}'
    user_domain_name = 'Default'
    project_name = 'service'
    project_domain_name = 'Default'
    region_name = 'RegionOne'
}}
glance {{
    endpoint_override = '{self.cloud.url}/image'
}}
libvirt {{
    connection_uri = 'qemu:///embed?root={self.path('libvirt')}'
    virt_type = 'qemu'
    cpu_mode = none
}}
oslo_concurrency {{
    lock_path = '{self.path('locks')}'
}}
"""

    def conf_add(self, line, instead=''):
        """For the next start."""
        with open(self.path('conf'), encoding='utf-8') as f:
            text = f.read()
        with open(self.path('conf'), 'w', encoding='utf-8') as f:
            f.write(text.replace(instead, line, 1))

    # ---- the agent ----

    def start_agent(self, said='ready: serving host'):
        log = open(self.path('log'), 'ab')
        with log:
            self.process = subprocess.Popen([self.agent, '--config-file', self.path('conf'), '--log-level', 'debug'],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.until('the agent says "%s"' % said, lambda: said in self.log() or self.ended(), 120)
        if self.ended():
            raise AssertionError('the agent ended with status %d' % self.process.returncode)

    def ended(self):
        return self.process.poll() is not None

    def stop_agent(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(60)
        self.process = None
        os.rename(self.path('log'), self.path('log.before'))
        return status

    def kill_agent(self):
        if self.process and not self.ended():
            self.process.kill()
            self.process.wait()

    def log(self):
        for name in ('log', 'log.before'):
            if os.path.exists(self.path(name)):
                with open(self.path(name), encoding='utf-8', errors='replace') as f:
                    return f.read()
        return ''

    def kill_guests(self):
        """Those whose pid the embedded driver noted in our directory."""
        run = self.path('libvirt', 'run', 'qemu')
        for name in os.listdir(run) if os.path.isdir(run) else ():
            if not name.endswith('.pid'):
                continue
            with contextlib.suppress(OSError, ValueError):
                with open(os.path.join(run, name), encoding='ascii') as f:
                    pid = int(f.read())
                with open('/proc/%d/cmdline' % pid, 'rb') as f:
                    if self.dir.encode() in f.read():
                        os.kill(pid, signal.SIGKILL)

    def console(self, uuid):
        with contextlib.suppress(FileNotFoundError), \
                open(self.path('state', 'instances', uuid, 'console.log'), encoding='ascii', errors='replace') as f:
            return f.read()
        return ''

    def control(self, *args):
        return subprocess.run([self.ctl, '--config-file', self.path('conf'), *args], check=True, text=True,
                              stdout=subprocess.PIPE).stdout

    def put_image(self, recorded):
        """The tiny guest in glance, under the id and name of a recorded image."""
        image = self.path('guest.img')
        if not os.path.exists(image):
            subprocess.run([os.path.join(SUPPORT, 'guest'), image], check=True)
        with open(image, 'rb') as f:
            data = f.read()
        shown = {k: recorded[k] for k in ('id', 'name', 'status', 'disk_format', 'container_format', 'min_disk',
                                          'min_ram', 'owner')}
        shown.update(recorded['properties'], size=len(data), os_hash_algo='sha512', visibility='public',
                     os_hash_value=hashlib.sha512(data).hexdigest(), checksum=hashlib.md5(data).hexdigest())
        self.cloud.glance.images[recorded['id']] = (shown, data)

    @staticmethod
    def until(what, true, seconds):
        by = time.monotonic() + seconds
        while not true():
            if time.monotonic() > by:
                raise AssertionError('%s (within %d s)' % (what, seconds))
            time.sleep(0.05)
