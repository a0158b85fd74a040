#!/usr/bin/python3
"""
test_life AGENT CTL: the agent is replaced while requests come in, and killed in the middle of operations.

Real broker, database and guests; requests are recorded ones of nova-api's, for as many instances as are wanted. What
must be true afterwards: each request was done once, each call has one answer, no guest was touched, and what a kill
interrupted is repaired by the next start, which says what it was.
"""
import json
import os
import re
import shutil
import signal
import sys
import threading
import time
import uuid as uuids

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(HERE, '..', '..', 'support'))

import captured
from broker import Broker
from report import Report
from test_replay import Replay
from world import Orphans, World

CALLS = 11  # at least, however fast the agent is replaced
SECONDS = 100
INSTANCES = 8
METHODS = {'terminate_instance.json': ('delete', 'deleting', 'compute_terminate_instance'),
           'stop_instance.json': ('stop', 'powering-off', 'compute_stop_instance'),
           'reboot_hard.json': ('reboot', 'rebooting_hard', 'compute_reboot_instance'),
           'suspend_instance.json': ('suspend', 'suspending', 'compute_suspend_instance')}


class Caller(threading.Thread):
    """Calls that only ask, one after the other, whatever happens to the agent; with a connection of its own."""

    def __init__(self, world):
        super().__init__(daemon=True)
        self.broker = Broker(world.env, world.host)
        self.ended, self.asked, self.answered = threading.Event(), 0, []

    def run(self):
        template = captured.body('get_host_uptime.json')
        request = captured.message(template)
        while not self.ended.is_set() or self.asked < CALLS:
            body = template
            for key in '_unique_id', '_msg_id':
                body = body.replace(request[key], uuids.uuid4().hex)
            body = body.replace(request['_reply_q'], 'reply_of_the_caller')
            self.asked += 1
            got = self.broker.call(body, 50)  # nova-api waits for 60 s
            if got:
                self.answered.append(got[1])
            time.sleep(0.02)

    def finish(self):
        self.ended.set()
        self.join(60)
        # Nothing answers twice.
        time.sleep(0.2)
        extra = self.broker.take('reply_of_the_caller', lambda m: True, 0.5)
        self.broker.close()
        return extra


class Life:
    def __init__(self, world, report, replay):
        self.world, self.report, self.replay = world, report, replay
        self.boot = replay.life['steps'][0]
        self.born = replay.life['instance']
        self.n = 100

    # ---- what nova-api does ----

    def number(self):
        self.n += 1
        return self.n

    def add_rows(self, uuid):
        """As for the recorded instance, with ids of their own; the request's id is returned."""
        request, instance_id = 'req-' + str(uuids.uuid4()), self.number()
        self.world.cell.query('SET foreign_key_checks = 0')
        for table, rows in self.boot['before'].items():
            for row in rows.values():
                row = {k: uuid if v == self.born else v for k, v in row.items()}
                del row['id']
                if table == 'instances':
                    row['id'] = instance_id
                if table == 'instance_actions':
                    row['request_id'] = request
                if table == 'block_device_mapping':
                    row['uuid'] = str(uuids.uuid4())
                self.world.cell.insert(table, row)
        return request

    def publish(self, recorded, uuid, request):
        body = captured.body(recorded)
        inner = captured.message(body)
        body = body.replace(self.born, uuid).replace(inner['_unique_id'], uuids.uuid4().hex)
        self.world.broker.publish(self.replay.node.in_body(body.replace(inner['_context_request_id'], request)))

    def build(self):
        uuid = str(uuids.uuid4())
        request = self.add_rows(uuid)
        body = captured.body(self.boot['message'])
        self.replay.claim(uuid, body.replace(self.born, uuid))
        self.publish(self.boot['message'], uuid, request)
        return uuid

    def ask(self, recorded, uuid):
        action, task, _ = METHODS[recorded]
        request = 'req-' + str(uuids.uuid4())
        row = dict(next(iter(self.boot['before']['instance_actions'].values())), action=action, instance_uuid=uuid,
                   request_id=request)
        del row['id']
        self.world.cell.insert('instance_actions', row)
        self.world.cell.query('UPDATE instances SET task_state = %s WHERE uuid = %s', (task, uuid))
        self.publish(recorded, uuid, request)

    # ---- what is looked at ----

    def row(self, uuid):
        return self.world.cell.query('SELECT vm_state, task_state, host, deleted FROM instances WHERE uuid = %s',
                                     (uuid,))[0]

    def state(self, uuid):
        row = self.row(uuid)
        return (row['vm_state'], row['task_state'])

    def events(self, uuid, name):
        return [e['result'] for e in self.world.cell.query(
            'SELECT result FROM instance_actions_events e JOIN instance_actions a ON e.action_id = a.id '
            'WHERE a.instance_uuid = %s AND e.event = %s', (uuid, name))]

    def qemu(self, uuid):
        """The pids of its QEMUs."""
        pids = []
        for pid in filter(str.isdigit, os.listdir('/proc')):
            try:
                with open('/proc/%s/cmdline' % pid, 'rb') as f:
                    words = f.read().split(b'\0')
            except OSError:
                continue
            if uuid.encode() in words and any(self.world.dir.encode() in w for w in words):
                pids.append(int(pid))
        return pids

    def journal(self):
        try:
            with open(self.world.path('state', 'operations.journal'), encoding='utf-8') as f:
                return [json.loads(line) for line in f if line.endswith('\n')]
        except FileNotFoundError:
            return []

    def in_flight(self, uuid):
        """The step of what is done with it, None: nothing."""
        mine = {}
        for line in self.journal()[1:]:
            if line.get('instance') == uuid or line['id'] in mine:
                mine[line['id']] = None if line.get('end') else line['step']
        steps = [s for s in mine.values() if s is not None]
        return steps[-1] if steps else None

    def until(self, what, true, seconds=SECONDS):
        self.world.until(what, lambda: true() or self.world.ended(), seconds)
        if self.world.ended():
            raise AssertionError('%s: the agent ended' % what)

    # ---- replaced under load ----

    def install(self):
        """As a package does: another file gets the name of the program that runs."""
        shutil.copy(self.world.agent, self.world.agent + '.new')
        os.rename(self.world.agent + '.new', self.world.agent)

    def restart_pending(self):
        return json.loads(self.world.control('--json', 'status'))['restart_pending']

    def upgraded(self):
        self.report.check('the program is the one on disk', self.restart_pending() is None, self.restart_pending())
        self.install()
        self.until('status says that a restart is pending', self.restart_pending, 30)
        self.report.check('and why', 'was replaced at' in self.restart_pending(), self.restart_pending())
        self.report.check('so does the log', 'restart pending: ' + self.world.agent in self.world.log())
        self.replace()
        self.report.check('after the restart it is the one on disk', self.restart_pending() is None)

    def replace(self):
        self.install()
        stopped = self.world.stop_agent()
        self.report.check('it stops with status 0', stopped == 0, stopped)
        self.world.start_agent()

    def replaced_while_it_builds(self):
        caller = Caller(self.world)
        caller.start()
        all_ = []
        for n in range(INSTANCES):
            all_.append(self.build())
            if n % 3 == 1:
                self.replace()
        self.until('all are built', lambda: all(self.state(u) == ('active', None) for u in all_))
        pids = {u: self.qemu(u) for u in all_}
        self.report.check('each has one QEMU', all(len(p) == 1 for p in pids.values()), pids)
        self.replace()
        self.report.check('no guest was touched', pids == {u: self.qemu(u) for u in all_}, pids)
        events = [self.events(u, 'compute__do_build_and_run_instance') for u in all_]
        self.report.check('each was built once', all(e == ['Success'] for e in events), events)
        faults = self.world.cell.query('SELECT message FROM instance_faults')
        self.report.check('without a fault', not faults, faults)
        extra = caller.finish()
        self.report.check('each call was answered', len(caller.answered) == caller.asked,
                          caller.asked, len(caller.answered))
        self.report.check('and succeeded', all(r['failure'] is None for r in caller.answered))
        self.report.check('and none twice', extra is None, extra)
        return all_

    def replaced_while_it_deletes(self, all_):
        for n, uuid in enumerate(all_):
            self.ask('terminate_instance.json', uuid)
            if n % 4 == 2:
                self.replace()
        self.until('all are deleted', lambda: all(self.row(u)['deleted'] for u in all_))
        events = [self.events(u, 'compute_terminate_instance') for u in all_]
        # A start goes on with what the rows ask for; the request, when it comes, finds nothing more to do.
        self.report.check('each was deleted, and its events ended', all(e and set(e) == {'Success'} for e in events),
                          events)
        self.report.check('no QEMU is left', not any(self.qemu(u) for u in all_))
        left = os.listdir(self.world.path('state', 'instances'))
        self.report.check('no files are left', not set(left) & set(all_), left)
        self.until('nothing is in flight', lambda: len(self.journal()) >= 1 and not any(
            self.in_flight(u) for u in all_), 20)

    # ---- killed ----

    def kill(self, uuid, wanted):
        """As soon as the journal says that this is being done; the next start says what it was."""
        by = time.monotonic() + SECONDS
        while not re.fullmatch(wanted, self.in_flight(uuid) or ''):
            if time.monotonic() > by:
                raise AssertionError('%s of %s was not seen: %s' % (wanted, uuid, self.journal()))
        self.world.kill_agent()
        os.rename(self.world.path('log'), self.world.path('log.before'))
        step = self.in_flight(uuid)
        self.world.start_agent()
        said = r'%s\] \w+ \(%s\) of req-.* was not finished when compute-agent' % (uuid, wanted)
        self.report.check('killed while %s: the next start says so' % step, step is None or re.search(
            said, self.world.log()), self.world.log()[:3000])
        self.until('killed while %s: nothing is in flight afterwards' % step, lambda: not self.in_flight(uuid), 60)
        open_ = self.world.cell.query('SELECT event FROM instance_actions_events WHERE finish_time IS NULL')
        self.report.check('killed while %s: its event has an end' % step, not open_, open_)
        return step

    def killed_while_building(self):
        for wanted in 'creating disks|asking for the image', 'starting the guest':
            uuid = self.build()
            self.kill(uuid, wanted)
            self.until('a state that lasts', lambda: self.state(uuid) in (('error', None), ('active', None)))
            self.gone(uuid)

    def killed_before_the_claim(self):
        """Two wait for the only slot: their rows name no host, so that nobody else would look after them."""
        self.world.conf_add('max_concurrent_builds = 1\n')
        self.replace()
        first, second = self.build(), self.build()
        self.kill(second, 'waiting for a build slot')
        self.until('it is an error', lambda: self.state(second) == ('error', None))
        fault = self.world.cell.query('SELECT message FROM instance_faults WHERE instance_uuid = %s', (second,))
        self.report.check('with a fault that says why', len(fault) == 1 and 'interrupted' in fault[0]['message'], fault)
        self.until('the other one, too', lambda: self.state(first) in (('error', None), ('active', None)))
        for uuid in first, second:
            self.gone(uuid)

    def killed_while(self, recorded, wanted, after):
        uuid = self.build()
        self.until('it is built', lambda: self.state(uuid) == ('active', None))
        self.ask(recorded, uuid)
        self.kill(uuid, wanted)
        self.until('%s: done by the next start' % recorded, lambda: (
            self.row(uuid)['deleted'] if after is None else self.state(uuid) == (after, None)))
        if after is None:
            self.report.check('no QEMU is left', not self.qemu(uuid))
        else:
            self.report.check('%s: QEMU' % recorded, len(self.qemu(uuid)) == (after == 'active'), self.qemu(uuid))
            self.gone(uuid)

    def killed_while_suspending(self):
        """Its memory was saved or was not: row and guest agree."""
        uuid = self.build()
        self.until('it is built', lambda: self.state(uuid) == ('active', None))
        self.ask('suspend_instance.json', uuid)
        self.kill(uuid, "saving the guest's memory")
        self.until('a state that lasts', lambda: self.state(uuid) in (('active', None), ('suspended', None)))
        runs = self.state(uuid)[0] == 'active'
        self.report.check('its QEMU runs as its row says', len(self.qemu(uuid)) == runs, self.row(uuid))
        self.gone(uuid)

    def gone(self, uuid):
        self.ask('terminate_instance.json', uuid)
        self.until('it is deleted', lambda: self.row(uuid)['deleted'])
        self.report.check('nothing of it is left', not self.qemu(uuid) and
                          not os.path.exists(self.world.path('state', 'instances', uuid)))

    # ---- stopped before it was done ----

    def stopped_too_early(self):
        """A frozen guest does not go off within the graceful timeout: it is named, and the next start goes on."""
        self.world.conf_add('graceful_shutdown_timeout = 1', 'graceful_shutdown_timeout = 10')
        self.replace()
        uuid = self.build()
        self.until('it is built', lambda: self.state(uuid) == ('active', None))
        qemu = self.qemu(uuid)[0]
        os.kill(qemu, signal.SIGSTOP)
        try:
            self.ask('stop_instance.json', uuid)
            self.until('it is being stopped', lambda: self.in_flight(uuid) not in (None, 'starting', 'at work'))
            stopped = self.world.stop_agent()
        finally:
            os.kill(qemu, signal.SIGCONT)
        self.report.check('it stops with status 0 all the same', stopped == 0, stopped)
        said = r'not finished: stop_instance req-.* for instance %s' % uuid
        self.report.check('and names what did not finish', re.search(said, self.world.log()), self.world.log()[-3000:])
        self.report.check('which is in the journal', self.in_flight(uuid), self.journal())
        self.world.start_agent()
        self.until('the next start goes on with it', lambda: self.state(uuid) == ('stopped', None))
        self.until('and it is out of the journal', lambda: not self.in_flight(uuid), 60)
        self.gone(uuid)

    # ---- a journal of somebody else ----

    def foreign_journal(self):
        self.report.check('it stops with status 0', self.world.stop_agent() == 0)
        path = self.world.path('state', 'operations.journal')
        self.report.check('nothing is left in the journal', len(self.journal()) == 1, self.journal())
        with open(path, 'w', encoding='utf-8') as f:
            f.write('{"journal":"compute-agent","format":99,"host":"x","version":"9.9"}\n')
        self.world.start_agent()
        self.report.check('a journal of a later format is kept beside, with a warning',
                          'it has format 99 of compute-agent 9.9' in self.world.log() and
                          os.path.exists(path + '.unreadable'))


def main():
    agent, ctl = sys.argv[1:3]
    report = Report()
    Orphans().start()
    world = World(agent, ctl, captured.load('life.json')['host'], captured.traits())
    with report.to_the_end_of(world):
        world.agent = shutil.copy(agent, world.path('compute-agent'))
        replay = Replay(world, report)
        life = Life(world, report, replay)
        replay.adopt_host()
        life.upgraded()
        life.replaced_while_it_deletes(life.replaced_while_it_builds())
        life.killed_while('terminate_instance.json', 'removing the guest|deleting the rows', None)
        life.killed_while('stop_instance.json', 'waiting for the guest to shut down|powering off', 'stopped')
        life.killed_while('reboot_hard.json', 'rebooting the hard way', 'active')
        life.killed_while_suspending()
        life.killed_while_building()
        life.killed_before_the_claim()
        life.stopped_too_early()
        life.foreign_journal()
        report.check('the agent stops with status 0', world.stop_agent() == 0)


if __name__ == '__main__':
    main()
