"""tests/bench/run --growth: what one operation costs among few green threads and among very many."""
import json
import math
import os
import resource
import statistics

import measure
import report

FEW_TO_MANY = (10, 1000, 100000)
MILLION = 1000000
BYTES_EACH = 5000           # a page, its share of the page tables, and something to spare
OTHER_DESCRIPTORS = 100     # that a process has anyway

# Work, title, unit, divided by what the program tells in ns, does it need a descriptor for each thread?
WORKS = [
    ('ring', 'bare switch in a ring (the machine\'s part)', 'ns', 1, False),
    ('yield', 'yield', 'ns', 1, False),
    ('spawn', 'spawn and end', 'ns', 1, False),
    ('semaphore', 'park and wake, pairs with semaphores', 'ns', 1, False),
    ('deadline', 'the same with a deadline each (timer made and cancelled)', 'ns', 1, False),
    ('sleep', 'sleep of 0–1 s, over and over', 'µs', 1e3, False),
    ('descriptor', 'wake by one of the descriptors, 10 at a time readable', 'ns', 1, True),
]


def descriptors_allowed():
    """Raises the limit as far as it goes, for those we start; how many threads may have one each."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    want = max(FEW_TO_MANY) + OTHER_DESCRIPTORS
    for limits in ((want, max(hard, want)), (min(want, hard), hard)):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            break
        except (ValueError, OSError):
            continue
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0] - OTHER_DESCRIPTORS


def memory_available():
    with open('/proc/meminfo') as f:
        return next(int(line.split()[1]) * 1024 for line in f if line.startswith('MemAvailable:'))


def slope(points):
    """The exponent between the first and the last: 0 is no growth, 1 in proportion to the number of threads."""
    (n0, cost0), (n1, cost1) = points[0], points[-1]
    return math.log(cost1 / cost0) / math.log(n1 / n0)


class Growth:
    def __init__(self, bench, quick):
        self.bench = bench
        self.ours = os.path.join(bench.bins, '..', 'tests', 'bench', 'bench')
        self.sizes = FEW_TO_MANY[:2] if quick else FEW_TO_MANY
        self.allowed = descriptors_allowed()
        self.values = {}        # (work, threads): one for each round
        self.failures = {}

    def command(self, work, threads):
        if work == 'ring':
            return [os.path.join(self.bench.bins, 'floor_switch'), 'ring', str(threads)], 'ring'
        return [self.ours, 'growth-' + work, str(threads)], 'growth-' + work

    def sizes_of(self, needs_descriptors):
        return [min(n, self.allowed) if needs_descriptors else n for n in self.sizes]

    def measure(self, rounds, only, say):
        for number in range(1, rounds + 1):
            for work, _, _, per, needs_descriptors in WORKS:
                if only and work not in only:
                    continue
                for threads in self.sizes_of(needs_descriptors):
                    try:
                        command, metric = self.command(work, threads)
                        told = self.bench.run(command)
                        if not told or metric not in told:
                            raise measure.Failed('it does not tell %s' % metric)
                        self.values.setdefault((work, threads), []).append(told[metric] / per)
                    except measure.Failed as e:
                        self.failures[work, threads] = str(e)
                        say('%s among %d failed: %s' % (work, threads, e))
                say('round %d of %d: %s' % (number, rounds, work))

    def points(self, work, needs_descriptors):
        return [(n, statistics.median(self.values[work, n])) for n in self.sizes_of(needs_descriptors)
                if (work, n) in self.values]

    def rows(self):
        found = []
        for work, title, unit, _, needs_descriptors in WORKS:
            points = self.points(work, needs_descriptors)
            if points:
                found.append({'name': work, 'title': title, 'unit': unit, 'points': points,
                              'slope': slope(points) if len(points) > 1 else None})
        return found

    def table(self):
        lines = ['| work, cost of one | ' + ' | '.join('{:,}'.format(n) for n in self.sizes) + ' | slope |',
                 '|---|' + '---:|' * (len(self.sizes) + 1)]
        for row in self.rows():
            cells = {}
            for n, cost in row['points']:
                wanted = next(size for size in self.sizes if size >= n)
                cells[wanted] = '{:,.1f} {}'.format(cost, row['unit']) + (' ({:,})'.format(n) if n != wanted else '')
            lines.append('| %s | %s | %s |' % (row['title'], ' | '.join(cells.get(n, 'failed') for n in self.sizes),
                                               '–' if row['slope'] is None else '%.2f' % row['slope']))
        return lines

    def million(self, quick, say):
        """A line about so many parked at once; told clearly where the memory for it is not there."""
        threads = MILLION // 100 if quick else MILLION
        need, have = threads * BYTES_EACH, memory_available()
        if have < need:
            return '{:,} parked: refused: that takes {:.1f} GiB, and {:.1f} GiB are available.'.format(
                threads, need / 2 ** 30, have / 2 ** 30)
        say('%d parked' % threads)
        try:
            told = self.bench.run([self.ours, 'growth-parked', str(threads)])
            return '{:,} parked at once: {:,.0f} B resident and {:,.0f} B of page tables each, guarded.'.format(
                threads, told['parked-resident'], told['parked-tables'])
        except (measure.Failed, KeyError, TypeError) as e:
            self.failures['parked', threads] = str(e)
            return '{:,} parked: failed: {}'.format(threads, e)


def run(bench, options, say, write):
    growth = Growth(bench, options.quick)
    growth.measure(options.rounds, options.only, say)
    parked = growth.million(options.quick, say) if not options.only or 'parked' in options.only else None
    if options.json:
        write(options.json, json.dumps({
            'machine': report.machine(), 'rounds': options.rounds, 'growth': growth.rows(), 'parked': parked,
            'failures': [{'work': w, 'threads': n, 'why': why} for (w, n), why in growth.failures.items()]},
            indent=1, ensure_ascii=False))
    lines = growth.table() + ['']
    lines.append('Medians of %d round%s; slope: cost ~ threads to the power of it, from the first to the last column.' % (
        options.rounds, '' if options.rounds == 1 else 's'))
    if growth.allowed < max(growth.sizes):
        lines.append('No more than {:,} descriptors are allowed here (RLIMIT_NOFILE).'.format(growth.allowed))
    lines += [parked] if parked else []
    lines += ['%s among %d failed: %s' % (w, n, why) for (w, n), why in growth.failures.items()]
    return lines, 1 if growth.failures else 0
