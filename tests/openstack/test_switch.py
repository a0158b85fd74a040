"""A host is switched over: from nova-compute to the agent and back, with its guests running all the time."""
import os

from checks import Server, host_is_empty, host_is_up, must, must_equal
from cloud import process_runs

FOR = 'agent',
FIRST = 'nova-compute'


def test_nova_compute_boots_two_guests(w):
    w.servers = [Server.boot(w.cloud, 'switch-%d' % i) for i in range(2)]
    for s in w.servers:
        s.reaches('ACTIVE')
        s.is_in('ACTIVE')


def switch(w, service):
    """Nothing changes but the program."""
    def seen():
        return {s.uuid: (w.cloud.qemu(s.uuid), os.stat(w.cloud.path(s.uuid, 'disk')).st_ino,
                         w.cloud.domain(s.uuid).XMLDesc(), w.cloud.instance(s.uuid)['launched_at'])
                for s in w.servers}
    before, held = seen(), w.cloud.held()
    node = w.cloud.row('nova_cell1', 'SELECT id, uuid, hypervisor_hostname FROM compute_nodes WHERE deleted=0')
    records = w.cloud.row('nova_cell1', 'SELECT id, uuid FROM services WHERE `binary`="nova-compute" AND deleted=0')
    w.stop()
    for uuid, (pid, *_) in before.items():
        must('the guest %s goes on while nobody looks after it' % uuid, process_runs(pid))
    w.start(service)
    must_equal('guests: QEMU, disk, definition, launched_at', seen(), before)
    must_equal('what is held of the host', w.cloud.held(), held)
    must_equal('the node', w.cloud.rows('nova_cell1', 'SELECT id, uuid, hypervisor_hostname FROM compute_nodes '
                                        'WHERE deleted=0'), [node])
    must_equal('the service', w.cloud.rows('nova_cell1', 'SELECT id, uuid FROM services WHERE '
                                           '`binary`="nova-compute" AND deleted=0'), [records])
    host_is_up(w.cloud)
    for s in w.servers:
        s.is_in('ACTIVE')
        s.every_event_is('Success')


def uses(w, server):
    """Each operation that touches what the other service made."""
    server.up()
    server.does({'reboot': {'type': 'SOFT'}}, 'ACTIVE', 'reboot', 'compute_reboot_instance')
    must_equal('the guest went by', server.last_end(), 'shutdown')
    server.does({'suspend': None}, 'SUSPENDED', 'suspend', 'compute_suspend_instance')
    server.does({'resume': None}, 'ACTIVE', 'resume', 'compute_resume_instance')
    server.does({'reboot': {'type': 'HARD'}}, 'ACTIVE', 'reboot', 'compute_reboot_instance')
    server.up()
    server.does({'os-stop': None}, 'SHUTOFF', 'stop', 'compute_stop_instance')
    server.went_off_by_itself()
    server.does({'os-start': None}, 'ACTIVE', 'start', 'compute_start_instance')


def test_the_agent_takes_over(w):
    switch(w, 'agent')


def test_the_agent_looks_after_a_guest_of_nova_compute(w):
    uses(w, w.servers[0])


def test_the_agent_deletes_a_guest_of_nova_compute(w):
    w.servers.pop(0).delete()


def test_the_agent_boots_a_third(w):
    server = Server.boot(w.cloud, 'switch-2')
    server.reaches('ACTIVE')
    server.is_in('ACTIVE')
    w.servers.append(server)


def test_nova_compute_takes_back(w):
    switch(w, 'nova-compute')


def test_nova_compute_looks_after_a_guest_of_the_agent(w):
    uses(w, w.servers[1])


def test_nova_compute_deletes_them_all(w):
    for s in w.servers:
        s.delete()
    host_is_empty(w.cloud)
