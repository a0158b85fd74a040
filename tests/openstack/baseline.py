#!/usr/bin/python3
"""baseline.py [--rounds N] [--idle SECONDS] [--boots N] [--calls N] [--guests N] [--json FILE]: the agent beside the
real nova-compute on one control plane: both take turns on the same host, and the table has the median of each.

What is counted of a service: its process (by its own CPU clock) with the helpers it has started. Boot and delete are
timed at the API; "libvirt alone" is the same guest defined, started and destroyed by a client of ten lines.
"""
import argparse
import json
import os
import re
import statistics
import sys
import time

import libvirt

import clones
from caller import Caller
from checks import Server
from cloud import HOST, STATE, Cloud, Refused, poll
from tell import World, say

SERVICES = 'nova-compute', 'agent'
TICKS = os.sysconf('SC_CLK_TCK')
# What costs CPU or memory and is no fixed goal has no ratio to reach.
ROWS = [  # key, what, unit, goal: how many times less than nova-compute's
    ('rss', 'resident memory, idle', 'MB', 15),
    ('rss_helpers', 'with its helpers', 'MB', None),
    ('threads', 'native threads', '', None),
    ('first_start', 'first start, no rows yet: until it consumes', 's', None),
    ('start', 'start until it consumes', 's', 30),
    ('report', 'start until the first report', 's', None),
    ('start_cpu', 'CPU until it consumes', 's', None),
    ('idle_cpu', 'CPU while idle', '% of a core', 5),
    ('ping_cpu', 'CPU of a ping', 'ms', 15),
    ('ping', 'ping, one at a time', 'ms', None),
    ('ping_rate', 'pings, 16 in flight', '/s', None),
    ('uptime_cpu', 'CPU of get_host_uptime', 'ms', 15),
    ('uptime', 'get_host_uptime, one at a time', 'ms', None),
    ('boot', 'boot, image cached, until ACTIVE', 's', None),
    ('delete', 'delete until it is gone', 's', None),
    ('build', 'the build in it, by the service\'s own log', 's', None),
    ('terminate', 'the termination in it, by its log (nova: on the hypervisor only)', 's', None),
    ('boot_cpu', 'CPU of a boot and its delete', 's', None),
    ('rss_after', 'resident memory after the boots', 'MB', None),
    ('guests_start', 'start until it consumes, many guests', 's', None),
    ('guests_cpu', 'CPU until then, many guests', 's', None),
]
# What each says in its log when it is done.
SAYS = {'agent': {'build': r'\] built in ([\d.]+) s', 'terminate': r'\] terminated in ([\d.]+) s'},
        'nova-compute': {'build': r'Took ([\d.]+) seconds to build instance',
                         'terminate': r'Took ([\d.]+) seconds to destroy the instance'}}
BEYOND_LIBVIRT_S = 0.1  # goal: so much longer than libvirt alone
MORE_IS_BETTER = 'ping_rate',


# ---- what a process has used

def family(pid):
    """The process and those of its session."""
    found = [pid]
    for entry in os.listdir('/proc'):
        if entry.isdigit() and int(entry) != pid:
            try:
                with open('/proc/%s/stat' % entry) as f:
                    if int(f.read().rsplit(')', 1)[1].split()[3]) == pid:
                        found.append(int(entry))
            except OSError:
                pass
    return found


def cpu(pid):
    """Seconds of the processor: of those that live, exactly; of children that have ended, by the tick."""
    seconds = 0
    for p in family(pid):
        try:
            seconds += time.clock_gettime((~p << 3) | 2)  # CPUCLOCK_SCHED of another process
            with open('/proc/%d/stat' % p) as f:
                ended = f.read().rsplit(')', 1)[1].split()[13:15]
            seconds += sum(map(int, ended)) / TICKS
        except OSError:
            pass
    return seconds


def status(pid, key):
    with open('/proc/%d/status' % pid) as f:
        return [int(line.split()[1]) for line in f if line.startswith(key + ':')][0]


def resident_mb(pids):
    return sum(status(p, 'VmRSS') for p in pids) / 1024


# ---- one thing each

class Measured:
    def __init__(self, cloud, options):
        self.cloud, self.options = cloud, options
        self.world = World(cloud, None)
        self.found = {s: {} for s in SERVICES}
        self.libvirt_alone = {'boot': [], 'delete': []}

    def note(self, service, key, value):
        self.found[service].setdefault(key, []).append(value)
        what, unit = [(w, u) for k, w, u, _ in ROWS if k == key][0]
        say(service, '%s: %s %s' % (what, three_digits(value), unit))

    def queue_is_free(self):
        poll('nobody consumes', 60, lambda: not self.cloud.consumers('compute.' + HOST), 0.1)

    def last_report(self):
        row = self.cloud.row('nova_cell1', "SELECT report_count FROM services WHERE host=%s AND deleted=0 AND "
                             "`binary`='nova-compute'", HOST)
        return row['report_count'] if row else 0

    def launch(self, service, key, cpu_key=None, report_key=None):
        """Starts it and waits until its queue is consumed, then until it has reported."""
        self.world.stop()
        self.queue_is_free()
        reports = self.last_report()
        self.world.launch(service)
        pid = self.world.pid(service)
        with open('/proc/%d/stat' % pid) as f:
            born = int(f.read().rsplit(')', 1)[1].split()[19]) / TICKS
        poll('it consumes', 300, lambda: self.cloud.consumers('compute.' + HOST), 0.002)
        self.note(service, key, time.clock_gettime(time.CLOCK_BOOTTIME) - born)
        if cpu_key:
            self.note(service, cpu_key, cpu(pid))
        poll('it reports', 300, lambda: self.last_report() not in (0, reports), 0.01)
        if report_key:
            self.note(service, report_key, time.clock_gettime(time.CLOCK_BOOTTIME) - born)
        return pid

    def forget_host(self):
        """As if no compute service had ever been here."""
        self.world.stop()
        self.queue_is_free()
        node = self.cloud.row('nova_cell1', 'SELECT uuid FROM compute_nodes WHERE host=%s AND deleted=0', HOST)
        if node:
            self.cloud.request('placement', 'DELETE', '/resource_providers/' + node['uuid'], want=(204, 404))
        for database, table in ('nova_cell1', 'services'), ('nova_cell1', 'compute_nodes'), ('nova_api', 'host_mappings'):
            self.cloud.rows(database, 'DELETE FROM %s WHERE host=%%s' % table, HOST)

    def idle(self, service, pid):
        time.sleep(self.options.settle)
        used, began = cpu(pid), time.monotonic()
        time.sleep(self.options.idle)
        self.note(service, 'idle_cpu', 100 * (cpu(pid) - used) / (time.monotonic() - began))
        self.note(service, 'rss', resident_mb([pid]))
        self.note(service, 'rss_helpers', resident_mb(family(pid)))
        self.note(service, 'threads', status(pid, 'Threads'))

    def calls(self, service, pid):
        n = self.options.calls
        caller = Caller()
        for key, arguments in ('ping', ('ping', '1.1', 'baseapi', {'arg': 'x'})), ('uptime', ('get_host_uptime',)):
            caller.calls(10, 1, *arguments)
            used = cpu(pid)
            seconds, _ = caller.calls(n, 1, *arguments)
            _, together = caller.calls(n, 16, *arguments)
            self.note(service, key, 1000 * statistics.median(seconds))
            self.note(service, key + '_cpu', 1000 * (cpu(pid) - used) / (2 * n))
            if key == 'ping':
                self.note(service, 'ping_rate', n / together)
        caller.close()

    def boots(self, service, pid):
        self.boot('first')[0].delete()  # caches the image
        log = open('%s/log/%s.log' % (STATE, service))
        log.seek(0, os.SEEK_END)
        for i in range(self.options.boots):
            used = cpu(pid)
            server, seconds = self.boot('timed-%d' % i)
            self.note(service, 'boot', seconds)
            if service == SERVICES[-1]:
                self.alone(server)
            began = time.monotonic()
            self.cloud.request('compute', 'DELETE', '/servers/' + server.uuid)
            poll('the server is gone', 60, lambda: self.gone(server), 0.01)
            self.note(service, 'delete', time.monotonic() - began)
            server.is_gone()
            self.note(service, 'boot_cpu', cpu(pid) - used)
        said = log.read()
        log.close()
        for key, pattern in SAYS[service].items():
            for seconds in re.findall(pattern, said):
                self.note(service, key, float(seconds))
        time.sleep(self.options.settle)
        self.note(service, 'rss_after', resident_mb([pid]))

    def boot(self, name):
        began = time.monotonic()
        server = Server.boot(self.cloud, name)
        server.reaches('ACTIVE')
        return server, time.monotonic() - began

    def gone(self, server):
        try:
            self.cloud.server(server.uuid)
        except Refused as e:
            return e.status == 404

    def alone(self, server):
        """A guest like this one, by libvirt alone."""
        xml = self.cloud.domain(server.uuid).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
        uuid = 'a10e' + server.uuid[4:]
        name = self.cloud.domain(server.uuid).name()
        xml = xml.replace(server.uuid, uuid).replace('<name>%s</name>' % name, '<name>alone</name>')
        path = self.cloud.path(uuid)
        os.mkdir(path)
        with open(path + '/console.log', 'w'):
            pass
        os.system('qemu-img create -q -f qcow2 %s/disk 16M' % path)
        began = time.monotonic()
        domain = self.cloud.libvirt().defineXML(xml)
        domain.create()
        self.libvirt_alone['boot'].append(time.monotonic() - began)
        began = time.monotonic()
        domain.destroy()
        domain.undefine()
        self.libvirt_alone['delete'].append(time.monotonic() - began)
        os.system('rm -r %s' % path)

    def many_guests(self):
        self.world.ensure(SERVICES[-1])
        model = clones.make(self.cloud, self.options.guests)
        for _ in range(self.options.rounds):
            for service in SERVICES:
                self.launch(service, 'guests_start', 'guests_cpu')
        clones.drop(self.cloud, model)

    def measure(self):
        for service in SERVICES:
            self.forget_host()
            self.launch(service, 'first_start')
            self.world.stop()
        for i in range(self.options.rounds):
            for service in SERVICES if i % 2 == 0 else SERVICES[::-1]:
                pid = self.launch(service, 'start', 'start_cpu', 'report')
                self.idle(service, pid)
                self.calls(service, pid)
                self.world.script('wait', service)
                self.boots(service, pid)
        if self.options.guests:
            self.many_guests()
        self.world.stop()


# ---- the table

def three_digits(x):
    return '%.0f' % x if x >= 100 else '%.3g' % x


def beyond_libvirt(m, key, alone):
    alone = statistics.median(alone)
    own = 'build' if key == 'boot' else 'terminate'
    theirs, ours = (statistics.median(m.found[s].get(own) or [float('nan')]) - alone for s in SERVICES)
    return '| %s: what libvirt alone takes is %s s; beyond it | %+.2f s | %+.2f s | | +%s s: %s |' % (
        key, three_digits(alone), theirs, ours, BEYOND_LIBVIRT_S, 'met' if ours <= BEYOND_LIBVIRT_S else 'missed')


def table(m):
    lines = ['| what | nova-compute | compute-agent | times | goal |', '|---|---|---|---|---|']
    for key, what, unit, goal in ROWS:
        theirs, ours = (m.found[s].get(key) for s in SERVICES)
        if not theirs or not ours:
            continue
        theirs, ours = statistics.median(theirs), statistics.median(ours)
        times = (ours / theirs if key in MORE_IS_BETTER else theirs / ours) if ours else float('inf')
        lines.append('| %s | %s | %s | %s | %s |' % (
            what, ' '.join([three_digits(theirs), unit]).strip(), ' '.join([three_digits(ours), unit]).strip(),
            three_digits(times), '%d: %s' % (goal, 'met' if times >= goal else 'missed') if goal else ''))
    for key in 'boot', 'delete':
        alone = m.libvirt_alone[key]
        if alone:
            lines.append(beyond_libvirt(m, key, alone))
    return '\n'.join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split(':')[0])
    for name, default in ('rounds', 3), ('idle', 60), ('settle', 45), ('boots', 5), ('calls', 300), ('guests', 100):
        parser.add_argument('--' + name, type=int, default=default)
    parser.add_argument('--json')
    options = parser.parse_args()
    m = Measured(Cloud(), options)
    m.measure()
    if options.json:
        with open(options.json, 'w') as f:
            json.dump({'found': m.found, 'libvirt_alone': m.libvirt_alone, 'options': vars(options),
                       'load': os.getloadavg()}, f, indent=1)
    print(table(m))


if __name__ == '__main__':
    sys.exit(main())
