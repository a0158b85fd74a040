"""The agent is killed, and what it needs goes away for a while: the cloud goes on, and nothing is lost or left."""
import contextlib
import os
import subprocess
import time

from checks import Server, host_is_empty, host_is_up, must, must_equal
from cloud import ENV, HOST, STATE, poll, process_runs

FOR = 'agent',
FIRST = None


def test_boot(w):
    w.server = Server.boot(w.cloud, 'faults')
    w.server.reaches('ACTIVE')
    w.server.is_in('ACTIVE')


def see(what, look, seconds=60):
    """As poll, but closely: what is looked for may be over soon."""
    return poll(what, seconds, look, 0.002)


def ends_well(w, server):
    """ACTIVE and whole, or ERROR and holding nothing once it is deleted."""
    row = poll('a state that lasts', 60, lambda: [r for r in [w.cloud.instance(server.uuid)]
                                                  if r['vm_state'] in ('active', 'error') and not r['task_state']])[0]
    if row['vm_state'] == 'active':
        server.is_in('ACTIVE')
    w.cloud.request('compute', 'DELETE', '/servers/' + server.uuid)
    server.is_gone()
    return row['vm_state']


def killed_while(w, name, condition):
    server = Server.boot(w.cloud, name)
    see(name, lambda: condition(w.cloud.instance(server.uuid), server))
    w.kill()
    w.start('agent')
    w.server.is_in('ACTIVE')
    ends_well(w, server)


def test_killed_while_claiming(w):
    killed_while(w, 'host is written', lambda row, s: row and row['host'])


def test_killed_while_spawning(w):
    killed_while(w, 'task_state spawning', lambda row, s: row and row['task_state'] == 'spawning')


def test_killed_when_the_domain_is_there(w):
    killed_while(w, 'a domain', lambda row, s: w.cloud.domain(s.uuid))


def test_killed_while_deleting(w):
    """The start goes on with it."""
    server = Server.boot(w.cloud, 'delete')
    server.reaches('ACTIVE')
    w.cloud.request('compute', 'DELETE', '/servers/' + server.uuid)
    see('QEMU ends', lambda: not w.cloud.qemu(server.uuid))
    w.kill()
    w.start('agent')
    server.is_gone()


def test_killed_while_stopping(w):
    """The guest is stopped by the next start."""
    w.server.up()
    w.server.act({'os-stop': None})
    see('task_state powering-off', lambda: w.cloud.instance(w.server.uuid)['task_state'] == 'powering-off')
    w.kill()
    w.start('agent')
    w.server.reaches('SHUTOFF')
    w.server.is_in('SHUTOFF')
    w.server.does({'os-start': None}, 'ACTIVE', 'start', 'compute_start_instance')


def serves(w):
    """Old and new guests."""
    w.server.does({'pause': None}, 'PAUSED', 'pause', 'compute_pause_instance')
    w.server.does({'unpause': None}, 'ACTIVE', 'unpause', 'compute_unpause_instance')
    server = Server.boot(w.cloud, 'after')
    server.reaches('ACTIVE')
    server.is_in('ACTIVE')
    server.delete()


def pid_is_the_same(w, pid):
    must_equal('the pid of the agent', w.pid('agent'), pid)
    must('it runs', process_runs(pid))


@contextlib.contextmanager
def away(w, part):
    """It ends at once, and is back afterwards, also for the tests that come later."""
    w.script('stop', part, program='controlplane')
    try:
        yield
    finally:
        w.script('start', part, program='controlplane')


def test_broker_away(w):
    pid = w.pid('agent')
    with away(w, 'broker'):
        time.sleep(10)
        pid_is_the_same(w, pid)
    for queue in 'compute.' + HOST, 'compute', 'conductor', 'scheduler':
        poll('queue %s is consumed from' % queue, 90, lambda: w.cloud.consumers(queue))
    serves(w)
    pid_is_the_same(w, pid)


def reports(w):
    return w.cloud.row('nova_cell1', 'SELECT report_count AS n FROM services WHERE host=%s AND deleted=0', HOST)['n']


def test_placement_away(w):
    """The service stays up, also when it is started meanwhile."""
    with away(w, 'placement'):
        w.stop()
        w.launch('agent')
        before = reports(w)
        poll('two reports', 60, lambda: reports(w) >= before + 2)
        host_is_up(w.cloud)
        w.server.act({'pause': None})
        w.server.reaches('PAUSED')
        w.server.act({'unpause': None})
        w.server.reaches('ACTIVE')
    serves(w)


def test_libvirtd_killed(w):
    """Guests do not notice."""
    pid, qemu = w.pid('agent'), w.cloud.qemu(w.server.uuid)
    with away(w, 'libvirtd'):
        must('the guest goes on', process_runs(qemu))
    must_equal('QEMU', w.cloud.qemu(w.server.uuid), qemu)
    serves(w)
    pid_is_the_same(w, pid)


def test_database_killed(w):
    pid = w.pid('agent')
    with away(w, 'database'):
        time.sleep(5)
    before = reports(w)
    poll('a report', 60, lambda: reports(w) > before)
    serves(w)
    pid_is_the_same(w, pid)


def test_a_second_agent_is_noticed(w):
    """By the first, which goes on; twice with the same state is refused."""
    def log():
        with open(STATE + '/log/agent.log') as f:
            return f.read()
    pid, before = w.pid('agent'), len(log())
    twin = subprocess.run([os.environ['AGENT_BINARY'], '--config-file', STATE + '/etc/compute-agent.conf'],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30)
    must_equal('exit status of the same once more', twin.returncode, 1)
    must('it says why: ' + twin.stdout[-200:], 'another' in twin.stdout)
    w.script('rival')
    poll('a warning', 60, lambda: 'somebody else reports for host ' + HOST in log()[before:])
    w.stop()
    must_equal('agents', (w.runs('agent'), w.runs('rival')), (False, False))
    must('the first was there until now', not process_runs(pid))
    w.start('agent')
    w.server.is_in('ACTIVE')


def test_delete(w):
    w.server.delete()
    host_is_empty(w.cloud)
    host_is_up(w.cloud)


def test_the_log_has_no_secrets(w):
    """Of all that was told above."""
    with open(STATE + '/log/agent.log') as f:
        log = f.read()
    must('it has seen all of it', 'trying again' in log and 'rebooted' in log)
    secrets = [ENV[n] for n in ('PASSWORD', 'MARIADB_PASSWORD', 'RABBITMQ_PASSWORD')]
    secrets += [w.cloud.session.headers['X-Auth-Token'], 'secret-of-a-test']
    must_equal('secrets in the log', [s[:3] + '...' for s in secrets if s in log], [])
