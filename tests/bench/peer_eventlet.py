#!/usr/bin/env python3
"""tests/bench/peer_eventlet.py NAME...: the same work on eventlet; prints "name value unit" like bench.

Each is written as eventlet's own documentation would do it. CPU time of the process where the C side takes it.
"""
import os
import sys
import time
import random
import urllib.parse

import eventlet
from eventlet import queue, semaphore, tpool
from eventlet.green import subprocess


def cpu():
    return time.clock_gettime(time.CLOCK_PROCESS_CPUTIME_ID)


def yield_among(threads, each):
    def body():
        for _ in range(each):
            eventlet.sleep(0)
    began = cpu()
    pool = [eventlet.spawn(body) for _ in range(threads)]
    for thread in pool:
        thread.wait()
    return (cpu() - began) / (threads * each) * 1e9, 'ns'


def spawn_join(n=20000):
    began = cpu()
    for _ in range(n):
        eventlet.spawn(lambda: None).wait()
    return (cpu() - began) / n * 1e9, 'ns'


def semaphores(n=50000):
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
    return (cpu() - began) / (2 * n) * 1e9, 'ns'


def channel(n=50000):
    chan = queue.Queue(0)

    def send():
        for i in range(n):
            chan.put(i)
    other = eventlet.spawn(send)
    began = cpu()
    for i in range(n):
        assert chan.get() == i
    other.wait()
    return (cpu() - began) / n * 1e9, 'ns'


def sleepers(n=100000):
    random.seed(1)
    began = cpu()
    pool = [eventlet.spawn(eventlet.sleep, random.uniform(1e-6, 1)) for _ in range(n)]
    for thread in pool:
        thread.wait()
    return (cpu() - began) * 1e3, 'ms'


def resident():
    with open('/proc/self/status') as status:
        fields = dict(line.split(':', 1) for line in status)
    return sum(int(fields[name].split()[0]) for name in ('VmRSS', 'VmPTE')) * 1024


def parked(n=100000):
    before = resident()
    keep = [eventlet.spawn(eventlet.sleep, 3600) for _ in range(n)]
    eventlet.sleep(0.01)
    return (resident() - before) / len(keep), 'B'


def tpool_round_trip(n=5000):
    def nothing():
        pass
    tpool.execute(nothing)
    began = time.monotonic()
    for _ in range(n):
        tpool.execute(nothing)
    return (time.monotonic() - began) / n * 1e6, 'us'


def queue_burst(n=200000):
    """As nova's libvirt driver: a native queue and a pipe, one byte for each item."""
    import socket
    native = eventlet.patcher.original('threading')
    items = eventlet.patcher.original('queue').Queue()
    there, here = socket.socketpair()
    green = eventlet.green.socket.socket(fileno=here.detach())

    def produce():
        for i in range(n):
            items.put(i)
            there.send(b'x')
    thread = native.Thread(target=produce)
    began = time.monotonic()
    thread.start()
    got = 0
    while got < n:
        green.recv(4096)
        while not items.empty():
            assert items.get() == got
            got += 1
    began = time.monotonic() - began
    thread.join()
    return began / n * 1e9, 'ns'


def execute_true(n=100):
    began = time.monotonic()
    for _ in range(n):
        subprocess.Popen(['true']).wait()
    return (time.monotonic() - began) / n * 1e6, 'us'


def sql(threads=50, each=100):
    eventlet.monkey_patch(os=False)
    import pymysql
    url = urllib.parse.urlparse(os.environ['BENCH_DATABASE_URL'])
    query = dict(urllib.parse.parse_qsl(url.query))

    def connect():
        return pymysql.connect(user=url.username, password=url.password or '', database=url.path[1:] or None,
                               unix_socket=query.get('unix_socket'), host=url.hostname or None)
    connections = [connect() for _ in range(threads)]

    def body(connection):
        with connection.cursor() as cursor:
            for _ in range(each):
                cursor.execute('SELECT 1')
                cursor.fetchall()
    began = cpu()
    for thread in [eventlet.spawn(body, connection) for connection in connections]:
        thread.wait()
    return (cpu() - began) / (threads * each) * 1e6, 'us'


BENCHES = {
    'yield-2': lambda: yield_among(2, 100000),
    'yield-10000': lambda: yield_among(10000, 10),
    'spawn-join': spawn_join,
    'semaphore': semaphores,
    'channel': channel,
    'sleepers-100000': sleepers,
    'parked-100000': parked,
    'queue-burst': queue_burst,
    'tpool': tpool_round_trip,
    'execute-true': execute_true,
    'sql-select-1': sql,
}

for name in sys.argv[1:]:
    value, unit = BENCHES[name]()
    print(name, '%.1f' % value, unit)
