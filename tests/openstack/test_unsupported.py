"""What the agent does not have yet says so, and leaves the server as it was."""
from checks import Server, becomes, host_is_empty, must, must_equal
from cloud import Refused

FOR = 'agent',
FIRST = None

# name: the request, the action, the event
CASTS = {
    'rescue': ({'rescue': {}}, 'rescue', 'compute_rescue_instance'),
    'rebuild': ({'rebuild': {'imageRef': 'guest'}}, 'rebuild', 'compute_rebuild_instance'),
    'snapshot': ({'createImage': {'name': 'copy'}}, 'createImage', 'compute_snapshot_instance'),
    'shelve': ({'shelve': None}, 'shelve', 'compute_shelve_instance'),
    'resize': ({'resize': {'flavorRef': '2'}}, 'resize', 'compute_prep_resize'),
}


def test_boot(w):
    w.server = Server.boot(w.cloud, 'unsupported')
    w.server.reaches('ACTIVE')
    w.server.is_in('ACTIVE')


def refuses(w, name):
    body, action, event = CASTS[name]
    if name == 'rebuild':
        body = {'rebuild': {'imageRef': w.cloud.image('guest')}}
    faults = len(w.cloud.faults(w.server.uuid))
    w.server.act(body)
    w.server.last_event(action, event, 'Error', 'Error')
    becomes('task_state', None, lambda: w.cloud.instance(w.server.uuid)['task_state'])
    must_equal('vm_state', w.cloud.instance(w.server.uuid)['vm_state'], 'active')
    must_equal("the domain's state", w.cloud.domain_state(w.server.uuid), 'running')
    faults = w.cloud.faults(w.server.uuid)[faults:]
    must('a fault says what is not there', any('does not implement' in f['details'] for f in faults))
    w.server.holds_its_flavor()
    becomes('what is held of the host', {'VCPU': 1, 'MEMORY_MB': 64, 'DISK_GB': 1}, w.cloud.held)


def test_rescue(w):
    refuses(w, 'rescue')


def test_rebuild(w):
    refuses(w, 'rebuild')


def test_snapshot(w):
    """The image that nova-api made for it is gone, too."""
    refuses(w, 'snapshot')
    becomes('images called copy', [], lambda: w.cloud.get('image', '/v2/images?name=copy')['images'])


def test_shelve(w):
    refuses(w, 'shelve')


def test_resize(w):
    """Its allocation, which the conductor gave to the migration, is its own again."""
    refuses(w, 'resize')


def test_calls_answer_with_a_code_of_their_own(w):
    def code(path, body):
        try:
            w.cloud.post('compute', '/servers/%s/%s' % (w.server.uuid, path), body)
        except Refused as e:
            return e.status
        return 'success'
    must_equal('a password', code('action', {'changePassword': {'adminPass': 'secret-of-a-test'}}), 501)
    # As everywhere where it is switched off.
    must_equal('a serial console', code('remote-consoles', {
        'remote_console': {'protocol': 'serial', 'type': 'serial'}}), 400)
    must_equal('task_state', w.cloud.instance(w.server.uuid)['task_state'], None)


def test_still_serves(w):
    w.server.act({'pause': None})
    w.server.reaches('PAUSED')
    w.server.last_event('pause', 'compute_pause_instance')
    w.server.act({'unpause': None})
    w.server.reaches('ACTIVE')


def test_delete(w):
    w.server.delete()
    host_is_empty(w.cloud)
