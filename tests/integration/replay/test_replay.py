#!/usr/bin/python3
"""
test_replay AGENT CTL: a control plane without OpenStack. It plays nova-api's and conductor's part with messages that
were recorded between a real control plane and nova-compute: it writes the rows they had written, publishes the
message, and compares what the agent leaves (reply, rows, requests to placement, topology) with what nova-compute left.
"""
import os
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(HERE, '..', '..', 'support'))

import captured
import differences
import requests_made
from calls import Calls
from faults import Faults
from report import Report
from rows import compare
from world import DATA, SUPPORT, Orphans, World

SECONDS = 100  # no single step takes as long
GUEST_ANSWERS = {'stop', 'reboot_soft'}  # to its power button, which it must be up for


class Replay:
    def __init__(self, world, report):
        self.world, self.report = world, report
        self.life = captured.load('life.json')
        self.node = captured.Node(self.life['node'], socket.gethostname())
        self.state = {}

    @staticmethod
    def now():
        return time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime())

    # ---- the first start ----

    def first_start(self):
        recorded = captured.load('first_start.json')
        since = self.now()
        self.world.start_agent()
        self.world.until('the services row is up', lambda: self.world.cell.query(
            'SELECT 1 FROM services WHERE last_seen_up IS NOT NULL'), 20)
        for table in ('services', 'compute_nodes'):
            row = {k: self.node.in_value(v) for k, v in recorded[table].items()}
            got = self.world.cell.read([table])
            wanted = {table: {'1': {**row, 'id': got[table][0]['id']}}} if got[table] else {table: {'1': row}}
            self.report.same('first start: the %s row' % table, compare({}, wanted, got, since), differences.ROWS,
                             'first_start')
        node = self.world.cell.query('SELECT * FROM compute_nodes')[0]
        self.report.check('first start: what is free of compute_nodes',
                          node['free_ram_mb'] == node['memory_mb'] - 512 and node['free_disk_gb'] == node['local_gb'],
                          node)
        self.placement_is_told()
        self.compare_requests('first_start', recorded['placement'],
                              {recorded['compute_nodes']['uuid']: node['uuid']})
        diff = subprocess.run([os.path.join(HERE, '..', 'amqp_topology'), os.path.join(SUPPORT, 'rabbitmq'),
                               self.world.path('broker'), os.path.join(DATA, 'amqp-topology.json')],
                              text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        self.report.check('first start: exchanges, queues, bindings, consumers', diff.returncode == 0, diff.stdout)
        self.report.check('first start: it stops with status 0', self.world.stop_agent() == 0)

    # ---- a host that was there before ----

    def adopt_host(self):
        """The rows and the provider of the recorded host."""
        cell, node = self.world.cell, dict(self.life['compute_nodes'])
        node['hypervisor_hostname'] = self.node.here
        cell.put({'services': {'1': self.life['services']}, 'compute_nodes': {'1': node}},
                 ('services', 'compute_nodes'))
        placement = self.world.cloud.placement
        placement.providers.clear()
        placement.add_provider(node['uuid'], self.node.here)
        self.put_image('build_and_run_instance.json')
        self.world.start_agent()
        self.placement_is_told()
        self.world.cloud.seen()

    def put_image(self, request):
        self.world.put_image(captured.message(captured.body(request))['args']['image'])

    def placement_is_told(self):
        """The agent serves before that: it tells placement in the background."""
        cloud = self.world.cloud
        self.world.until('placement knows the traits of the host', lambda: cloud.quiet() and any(
            p['traits'] for p in cloud.placement.providers.values()), SECONDS)

    # ---- one step ----

    def run(self, step, uuid, body=None):
        name, cell = step['name'], self.world.cell
        before = captured.put(self.state, step['before'])
        wanted = captured.put(before, step['after'])
        cell.put(before)
        if name in GUEST_ANSWERS:
            self.world.until('the guest is up', lambda: 'GUEST up' in self.world.console(uuid), SECONDS)
        body = self.node.in_body(body or captured.body(step['message']))
        if step['method'] == 'build_and_run_instance':
            self.claim(uuid, body)
        self.world.cloud.seen()
        since = self.now()
        self.world.broker.publish(body)
        ended = self.finished(body, before)
        self.report.check('%s: the event is finished' % name, ended)
        got = cell.read()
        self.report.same('%s: rows' % name, compare(before, self.here(wanted), got, since), differences.ROWS, name)
        self.compare_node(step)
        self.compare_requests(name, step.get('placement', []))
        self.state = wanted

    def here(self, state):
        return {t: {i: {k: self.node.in_value(v) for k, v in row.items()} for i, row in rows.items()}
                for t, rows in state.items()}

    def claim(self, uuid, body):
        flavor = captured.message(body)['args']['instance']['nova_object.data']['flavor']['nova_object.data']
        i = captured.message(body)['args']['instance']['nova_object.data']
        self.world.cloud.placement.claim(uuid, self.life['compute_nodes']['uuid'],
                                         {'VCPU': flavor['vcpus'], 'MEMORY_MB': flavor['memory_mb'],
                                          'DISK_GB': flavor['root_gb']}, i['project_id'], i['user_id'])

    def finished(self, body, before):
        actions = [a['id'] for a in before['instance_actions'].values()
                   if a['request_id'] == captured.message(body)['_context_request_id']]
        try:
            self.world.until('finish_time', lambda: self.world.ended() or self.world.cell.query(
                'SELECT 1 FROM instance_actions_events WHERE action_id = %s AND finish_time IS NOT NULL',
                (actions[0],)), SECONDS)
        except AssertionError:
            return False
        return not self.world.ended()

    def compare_node(self, step):
        """What is used of the host, which the recorded step left like this or did not touch."""
        wanted = step.get('compute_node')
        if not wanted:
            return
        got = self.world.cell.query('SELECT * FROM compute_nodes')[0]
        wanted = {**{c: wanted[c] for c in ('vcpus_used', 'memory_mb_used', 'local_gb_used', 'running_vms', 'stats')},
                  'free_ram_mb': got['memory_mb'] - wanted['memory_mb_used'],
                  'free_disk_gb': got['local_gb'] - wanted['local_gb_used']}
        row = {c: got[c] for c in wanted}
        self.report.same('%s: what is used of compute_nodes' % step['name'],
                         compare({}, {'compute_nodes': {'1': {'id': 1, **wanted}}},
                                 {'compute_nodes': [{'id': 1, **row}]}, self.now()), differences.ROWS, step['name'])

    def compare_requests(self, name, wanted, renamed=None):
        got = self.world.cloud.seen()
        self.report.same('%s: requests to placement' % name,
                         requests_made.compare(wanted, got, renamed or {}), differences.REQUESTS, name)

    def life_cycle(self):
        for step in self.life['steps']:
            self.run(step, self.life['instance'])


def main():
    agent, ctl = sys.argv[1:3]
    report = Report()
    Orphans().start()
    world = World(agent, ctl, captured.load('life.json')['host'], captured.traits())
    with report.to_the_end_of(world):
        replay = Replay(world, report)
        replay.first_start()
        replay.adopt_host()
        replay.life_cycle()
        Calls(replay).all()
        Faults(replay).all()
        report.check('no request that a real service would refuse', not world.cloud.mistakes, *world.cloud.mistakes)
        report.check('the agent stops with status 0', world.stop_agent() == 0)
        report.all_met('each row that is meant to differ does', differences.ROWS)
        report.all_met('each cast that is meant to differ does', differences.CASTS)
        report.all_met('each request that is meant to differ does', differences.REQUESTS)


if __name__ == '__main__':
    main()
