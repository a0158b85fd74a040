#!/usr/bin/env python3
"""tests/bench/peer_eventlet.py WORK: the same work on eventlet; prints "metric value unit" lines (measure.h).

Each is written as eventlet's own documentation would do it. CPU time of the process where the C side takes it.
"""
import os
import sys
import time
import urllib.parse

import eventlet
from eventlet import queue, semaphore, tpool
from eventlet.green import socket, subprocess

native_queue = eventlet.patcher.original('queue')
native_socket = eventlet.patcher.original('socket')
native_threading = eventlet.patcher.original('threading')
native_time = eventlet.patcher.original('time')

PAUSE = 150e-6


def count(full):
    return full if 'BENCH_QUICK' not in os.environ else max(full // 100, 1)


def cpu():
    return time.clock_gettime(time.CLOCK_PROCESS_CPUTIME_ID)


def report(metric, value, unit):
    print('%s %.3f %s' % (metric, value, unit), flush=True)


def to_other_core():
    if 'BENCH_OTHER_CORE' in os.environ:
        os.sched_setaffinity(0, {int(os.environ['BENCH_OTHER_CORE'])})  # of this native thread


def yield_among(name, threads, each):
    def body():
        for _ in range(each):
            eventlet.sleep(0)
    began = cpu()
    pool = [eventlet.spawn(body) for _ in range(threads)]
    for thread in pool:
        thread.wait()
    report(name, (cpu() - began) / (threads * each) * 1e9, 'ns')


def spawn_join():
    n = count(20000)
    began = cpu()
    for _ in range(n):
        eventlet.spawn(lambda: None).wait()
    report('spawn-join', (cpu() - began) / n * 1e9, 'ns')


def semaphores():
    n = count(50000)
    ping, pong = semaphore.Semaphore(0), semaphore.Semaphore(0)

    def answer():
        for _ in range(n):
            ping.acquire()
            pong.release()
    other = eventlet.spawn(answer)
    began = cpu()
    for _ in range(n):
        ping.release()
        pong.acquire()
    other.wait()
    report('semaphore', (cpu() - began) / (2 * n) * 1e9, 'ns')


def channel():
    n = count(50000)
    chan = queue.Queue(0)

    def send():
        for i in range(n):
            chan.put(i)
    other = eventlet.spawn(send)
    began = cpu()
    for i in range(n):
        assert chan.get() == i
    other.wait()
    report('channel', (cpu() - began) / n * 1e9, 'ns')


def percentiles(samples, p50, p99, unit, per):
    samples.sort()
    report(p50, samples[len(samples) // 2] * per, unit)
    report(p99, samples[len(samples) * 99 // 100] * per, unit)


def sleepers():
    n = count(100000)
    late = []
    unit = 1e-6 if 'BENCH_QUICK' not in os.environ else 5e-8

    def nap(i):
        seconds = (1 + i * 2654435761 % 1000000) * unit
        due = time.monotonic() + seconds
        eventlet.sleep(seconds)
        late.append(time.monotonic() - due)
    began = cpu()
    pool = [eventlet.spawn(nap, i) for i in range(n)]
    for thread in pool:
        thread.wait()
    report('sleepers-cpu', (cpu() - began) * 1e3, 'ms')
    report('sleepers-early', sum(1 for x in late if x < 0), 'count')
    percentiles(late, 'sleepers-late-p50', 'sleepers-late-p99', 'ms', 1e3)


def memory():
    with open('/proc/self/status') as status:
        fields = dict(line.split(':', 1) for line in status)
    return [int(fields[name].split()[0]) * 1024 for name in ('VmRSS', 'VmPTE')]


def parked():
    n = count(100000)
    before = memory()
    keep = [eventlet.spawn(eventlet.sleep, 3600) for _ in range(n)]
    eventlet.sleep(0.01)
    after = memory()
    report('parked-resident', (after[0] - before[0]) / len(keep), 'B')
    report('parked-tables', (after[1] - before[1]) / len(keep), 'B')


def tpool_round_trip():
    n = count(5000)

    def nothing():
        pass
    tpool.set_num_threads(1)
    tpool.execute(to_other_core)
    began = time.monotonic()
    for _ in range(n):
        tpool.execute(nothing)
    report('tpool', (time.monotonic() - began) / n * 1e6, 'us')
    tpool.killall()


class Inbox:
    """As nova's libvirt driver has it: a native queue, and a pipe with one byte for each item."""

    def __init__(self):
        self.items = native_queue.Queue()
        self.there, here = native_socket.socketpair()
        self.here = socket.socket(fileno=here.detach())

    def push(self, item):
        self.items.put(item)
        self.there.send(b'x')

    def take(self):
        self.here.recv(4096)
        while not self.items.empty():
            yield self.items.get()

    def produce(self, n, pause):
        def body():
            to_other_core()
            for i in range(n):
                if pause:
                    native_time.sleep(pause)
                self.push(time.monotonic() if pause else i)
        thread = native_threading.Thread(target=body)
        thread.start()
        return thread


def queue_burst():
    n = count(200000)
    inbox = Inbox()
    began = time.monotonic()
    thread = inbox.produce(n, None)
    got = 0
    while got < n:
        for item in inbox.take():
            assert item == got
            got += 1
    report('queue-burst', (time.monotonic() - began) / n * 1e9, 'ns')
    thread.join()


def one_at_a_time(p50, p99):
    n = count(4000)
    inbox = Inbox()
    thread = inbox.produce(n, PAUSE)
    samples = []
    while len(samples) < n:
        for item in inbox.take():
            samples.append(time.monotonic() - item)
    thread.join()
    percentiles(samples, p50, p99, 'us', 1e6)


def queue_spin():
    stop = []

    def spin():
        while not stop:
            eventlet.sleep(0)
    spinner = eventlet.spawn(spin)
    one_at_a_time('queue-spin-p50', 'queue-spin-p99')
    stop.append(True)
    spinner.wait()


def execute_true():
    n = count(100)
    began = time.monotonic()
    for _ in range(n):
        subprocess.Popen(['true']).wait()
    report('execute-true', (time.monotonic() - began) / n * 1e6, 'us')


def sql(threads=50):
    each = count(100)
    eventlet.monkey_patch(os=False)
    import pymysql
    url = urllib.parse.urlparse(os.environ['MARIADB_URL'])
    query = dict(urllib.parse.parse_qsl(url.query))

    def connect():
        return pymysql.connect(user=url.username, password=urllib.parse.unquote(url.password or ''),
                               database=url.path[1:] or None, unix_socket=query.get('unix_socket'))
    connections = [connect() for _ in range(threads)]

    def body(connection):
        with connection.cursor() as cursor:
            for _ in range(each):
                cursor.execute('SELECT 1')
                cursor.fetchall()
    began = cpu()
    for thread in [eventlet.spawn(body, connection) for connection in connections]:
        thread.wait()
    report('sql-select-1', (cpu() - began) / (threads * each) * 1e6, 'us')


def echo_server():
    def serve(connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            data = connection.recv(4096)
            if not data:
                break
            connection.sendall(data)
    listener = eventlet.listen(('127.0.0.1', 0), backlog=128)
    report('port', listener.getsockname()[1], '')
    while True:
        eventlet.spawn_n(serve, listener.accept()[0])


WORKS = {
    'yield-2': lambda: yield_among('yield-2', 2, count(100000)),
    'yield-10000': lambda: yield_among('yield-10000', 10000, count(10)),
    'spawn-join': spawn_join,
    'semaphore': semaphores,
    'channel': channel,
    'sleepers': sleepers,
    'parked': parked,
    'echo-server': echo_server,
    'queue-burst': queue_burst,
    'queue-one': lambda: one_at_a_time('queue-one-p50', 'queue-one-p99'),
    'queue-spin': queue_spin,
    'tpool': tpool_round_trip,
    'execute-true': execute_true,
    'sql-select-1': sql,
}

if len(sys.argv) != 2 or sys.argv[1] not in WORKS:
    sys.exit(64)
WORKS[sys.argv[1]]()
