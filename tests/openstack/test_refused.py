"""Builds that cannot succeed end in ERROR with a fault that a person understands, and hold nothing."""
from checks import Server, host_is_empty, host_is_up, must, must_equal

FOR = 'agent', 'nova-compute'
FIRST = None


def fails(w, image):
    """The server, and the texts of its faults."""
    server = Server.boot(w.cloud, 'fails', image)
    shown = server.reaches('ERROR')
    must('there is a fault text', shown['fault']['message'])
    row = w.cloud.instance(server.uuid)
    must_equal('vm_state, task_state', (row['vm_state'], row['task_state']), ('error', None))
    must_equal('host, node', (row['host'], row['node']), (None, None))
    server.leaves_nothing()
    # The method swallows what was wrong, and writes what follows from it.
    server.last_event('create', 'compute__do_build_and_run_instance')
    return server, [f['message'] for f in w.cloud.faults(server.uuid)]


def is_deleted(server):
    cloud = server.cloud
    cloud.request('compute', 'DELETE', '/servers/' + server.uuid)
    server.is_gone()


def test_a_guest_that_libvirt_refuses(w):
    """It is handed back, and no other host is found."""
    server, faults = fails(w, 'no-such-machine')
    must('there is one fault at least', faults)
    is_deleted(server)


def test_an_image_that_is_not_what_it_says(w):
    server, faults = fails(w, 'not-qcow2')
    must('the fault names the image', any('mage' in f for f in faults))
    is_deleted(server)


def test_nothing_is_left(w):
    host_is_empty(w.cloud)
    host_is_up(w.cloud)
    server = Server.boot(w.cloud, 'after')
    server.reaches('ACTIVE')
    server.is_in('ACTIVE')
    server.delete()
    host_is_empty(w.cloud)
