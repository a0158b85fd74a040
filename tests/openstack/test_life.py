"""The life of a server: what an operator's smoke test does, looked at from every side after each call."""
import os

from checks import Server, host_is_empty, host_is_up, must, must_equal
from cloud import GUEST_UP, process_runs

FOR = 'agent', 'nova-compute'
FIRST = None


def test_boot(w):
    host_is_up(w.cloud)
    w.server = Server.boot(w.cloud, 'life')
    w.server.reaches('ACTIVE')
    w.server.is_in('ACTIVE')
    w.server.last_event('create', 'compute__do_build_and_run_instance')
    row = w.cloud.instance(w.server.uuid)
    must('there is launched_at', row['launched_at'])
    # The cached image, and an overlay of it.
    must('an image is cached', os.listdir(w.cloud.path('_base')))


def test_console(w):
    w.server.says(GUEST_UP)


def test_stop(w):
    qemu = w.cloud.qemu(w.server.uuid)
    w.server.does({'os-stop': None}, 'SHUTOFF', 'stop', 'compute_stop_instance')
    must('QEMU has ended', not process_runs(qemu))
    w.server.went_off_by_itself()


def test_start(w):
    w.server.does({'os-start': None}, 'ACTIVE', 'start', 'compute_start_instance')


def test_reboot_soft(w):
    w.server.up()
    qemu = w.cloud.qemu(w.server.uuid)
    w.server.does({'reboot': {'type': 'SOFT'}}, 'ACTIVE', 'reboot', 'compute_reboot_instance')
    must('there is a new QEMU', w.cloud.qemu(w.server.uuid) != qemu)
    must_equal('the guest went by', w.server.last_end(), 'shutdown')


def test_reboot_hard(w):
    qemu = w.cloud.qemu(w.server.uuid)
    w.server.does({'reboot': {'type': 'HARD'}}, 'ACTIVE', 'reboot', 'compute_reboot_instance')
    must('there is a new QEMU', w.cloud.qemu(w.server.uuid) != qemu)
    must_equal('the guest went by', w.server.last_end(), 'destroyed')


def test_pause(w):
    w.server.does({'pause': None}, 'PAUSED', 'pause', 'compute_pause_instance')


def test_unpause(w):
    w.server.does({'unpause': None}, 'ACTIVE', 'unpause', 'compute_unpause_instance')


def test_suspend(w):
    w.server.does({'suspend': None}, 'SUSPENDED', 'suspend', 'compute_suspend_instance')


def test_resume(w):
    w.server.does({'resume': None}, 'ACTIVE', 'resume', 'compute_resume_instance')


def test_console_again(w):
    w.server.says(GUEST_UP)


def test_action_events(w):
    events = w.server.every_event_is('Success')
    must_equal('events of the host', [e[1] for e in events if e[1].startswith('compute_')], [
        'compute__do_build_and_run_instance', 'compute_stop_instance', 'compute_start_instance',
        'compute_reboot_instance', 'compute_reboot_instance', 'compute_pause_instance', 'compute_unpause_instance',
        'compute_suspend_instance', 'compute_resume_instance'])


def test_delete(w):
    w.server.delete()
    host_is_empty(w.cloud)
    host_is_up(w.cloud)
