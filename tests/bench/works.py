"""What is measured: the works, the figures (metrics) that each gives, and the goals; and who is measured."""
from dataclasses import dataclass, field


@dataclass
class Metric:
    """One row of the table. All figures are costs: less is better."""
    name: str
    unit: str
    title: str
    goal: float = None          # at most so much, in its unit
    floor_times: float = None   # at most so many times the floor of the same run
    ahead: bool = False         # and less than every peer
    decimals: int = 1
    picture: bool = True
    unless: str = None          # who has more than none of this metric is not the best peer, whatever it costs

    def has_goal(self):
        return self.goal is not None or self.floor_times is not None

    def goal_text(self):
        words = []
        if self.goal is not None:
            words.append('≤ %g %s' % (self.goal, self.unit) if self.goal else 'none')
        if self.floor_times is not None:
            words.append('≤ %g × floor' % self.floor_times)
        if self.ahead:
            words.append('ahead of all')
        return ', '.join(words)

    def met(self, ours, to_floor, peers):
        """From medians; a figure that is needed and could not be had misses the goal."""
        if ours is None:
            return False
        if self.goal is not None and ours > self.goal:
            return False
        if self.floor_times is not None and (to_floor is None or to_floor > self.floor_times):
            return False
        return not (self.ahead and any(ours >= peer for peer in peers))


@dataclass
class Work:
    """What a program is asked to do in one run."""
    name: str
    metrics: list
    server: bool = False    # it serves, and echo_client measures it
    database: bool = False


WORKS = [
    Work('yield-2', [Metric('yield-2', 'ns', 'yield, two green threads', goal=20, ahead=True)]),
    Work('yield-10000', [Metric('yield-10000', 'ns', 'yield among 10,000', goal=35, ahead=True)]),
    Work('spawn-join', [Metric('spawn-join', 'ns', 'spawn and join', goal=60)]),
    Work('semaphore', [Metric('semaphore', 'ns', 'semaphore, hand-over', goal=30)]),
    Work('channel', [Metric('channel', 'ns', 'channel, hand-over', goal=45)]),
    Work('lock-by-name', [Metric('lock-by-name', 'ns', 'lock by name', picture=False)]),
    Work('parked', [
        Metric('parked-resident', 'B', '100,000 parked: resident, each', goal=4300, decimals=0),
        Metric('parked-tables', 'B', '100,000 parked: page tables, each', decimals=0, picture=False)]),
    Work('sleepers', [
        Metric('sleepers-cpu', 'ms', '100,000 sleeps of 0–1 s: CPU', goal=300, decimals=0, unless='sleepers-early'),
        Metric('sleepers-late-p50', 'ms', '… late, p50', decimals=2, picture=False, unless='sleepers-early'),
        Metric('sleepers-late-p99', 'ms', '… late, p99', goal=2, decimals=2, picture=False, unless='sleepers-early'),
        Metric('sleepers-early', 'count', '… woken early', goal=0, decimals=0, picture=False)]),
    Work('echo', [Metric('echo-100', 'us', 'TCP echo, 100 connections: CPU per request', floor_times=1.08,
                         decimals=2)], server=True),
    Work('echo-patched', [Metric('echo-100-patched', 'us', '… by blocking calls, patched', decimals=2, picture=False)],
         server=True),
    Work('queue-burst', [Metric('queue-burst', 'ns', 'native → green, burst: an item', goal=60)]),
    Work('queue-one', [
        Metric('queue-one-p50', 'us', 'native → green, one at a time, p50', floor_times=1.1),
        Metric('queue-one-p99', 'us', '… p99', picture=False)]),
    Work('queue-spin', [
        Metric('queue-spin-p50', 'us', 'native → green while one spins, p50', goal=2, decimals=2),
        Metric('queue-spin-p99', 'us', '… p99', decimals=2, picture=False)]),
    Work('file-read', [
        Metric('file-cached', 'us', '4 KiB of a file, cached: CPU', decimals=2, picture=False),
        Metric('file-cold', 'us', '4 KiB of a file, not cached: CPU', picture=False),
        Metric('file-cold-wall', 'us', '… time', picture=False)]),
    Work('tpool', [Metric('tpool', 'us', 'tpool, round trip', goal=30)]),
    Work('sql-select-1', [Metric('sql-select-1', 'us', 'SQL `SELECT 1`, 50 green threads: client CPU', goal=8,
                                 decimals=2)], database=True),
    Work('execute-true', [Metric('execute-true', 'us', '`execute("true")`', decimals=0)]),
]


@dataclass
class Peer:
    """Who is measured; each of its programs is asked until one knows the work (exit status 64: it does not)."""
    name: str
    title: str
    programs: list                              # command lines, '{bin}' and '{here}' stand for directories
    package: str = None                         # whose version is told
    unknown: set = field(default_factory=set)   # pairs of a program's number and a work, learnt
    broken: dict = field(default_factory=dict)  # a program's number: why it could not be built


OURS, FLOOR = 'ours', 'floor'
BARE = ['uring']    # loops like the floor's, no runtimes: nobody is better or worse than they
PYTHON = '/usr/bin/python3'     # Debian's: the packages are for that one

PEERS = [
    Peer(OURS, 'ours', [['{bin}/../tests/bench/bench'], ['{bin}/../tests/bench/bench_patched']]),
    Peer(FLOOR, 'floor', [['{bin}/floor_switch'], ['{bin}/floor_epoll'], ['{bin}/floor_pread'],
                           ['{bin}/floor_sql']]),
    Peer('uring', 'bare io_uring', [['{bin}/floor_uring']], 'liburing-dev'),
    Peer('go', 'Go', [['{bin}/peer_go']], 'golang-1.19-go'),
    Peer('st', 'State Threads', [['{bin}/peer_st']], 'libst-dev'),
    Peer('fiber', 'Boost.Fiber', [['{bin}/peer_fiber']], 'libboost-fiber1.74-dev'),
    Peer('tarantool', 'Tarantool', [['tarantool', '{here}/peer_tarantool.lua', '{bin}/peer_tarantool.so']], 'tarantool'),
    Peer('threads', 'native threads', [['{bin}/peer_threads']]),
    Peer('eventlet', 'eventlet', [[PYTHON, '-B', '{here}/peer_eventlet.py']], 'python3-eventlet'),
]
