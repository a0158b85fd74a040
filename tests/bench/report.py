"""From the figures of all rounds to medians, ratios and goals; as a table, as JSON."""
import json
import os
import platform
import statistics
import subprocess

from works import BARE, FLOOR, OURS, PEERS


class Figures:
    """values[metric][peer]: one for each round. failures[(work, peer)]: why there is none."""

    def __init__(self):
        self.values = {}
        self.failures = {}

    def add(self, peer, metrics):
        for name, value in metrics.items():
            self.values.setdefault(name, {}).setdefault(peer.name, []).append(value)

    def fail(self, work, peer, why):
        self.failures.setdefault((work.name, peer.name), why)

    def median(self, metric, peer):
        values = self.values.get(metric, {}).get(peer)
        return statistics.median(values) if values else None

    def spread(self, metric, peer):
        """The median absolute deviation, in percent of the median."""
        values, middle = self.values[metric][peer], self.median(metric, peer)
        return 100 * statistics.median(abs(v - middle) for v in values) / abs(middle) if middle else 0

    def ratio(self, metric, peer, to):
        """The median of the ratios of each round: what disturbs a whole round does not show in it."""
        ours, theirs = (self.values.get(metric, {}).get(name, []) for name in (peer, to))
        if len(ours) != len(theirs) or not all(theirs):
            return None
        return statistics.median(a / b for a, b in zip(ours, theirs)) if ours else None


class Row:
    """One metric with all that is said of it."""

    def __init__(self, figures, work, metric):
        self.work, self.metric, self.figures = work, metric, figures
        self.ours = figures.median(metric.name, OURS)
        self.to_floor = figures.ratio(metric.name, OURS, FLOOR)
        self.peers = {peer.name: figures.median(metric.name, peer.name) for peer in PEERS
                      if peer.name not in (OURS, FLOOR)}
        there = {name: value for name, value in self.peers.items() if value is not None and name not in BARE}
        if metric.unless:
            there = {name: value for name, value in there.items() if figures.median(metric.unless, name) == 0}
        self.best = min(there, key=there.get) if there else None
        self.met = metric.met(self.ours, self.to_floor, there.values()) if metric.has_goal() else None

    def best_ratio(self):
        return self.figures.ratio(self.metric.name, OURS, self.best) if self.best else None

    def cell(self, peer):
        value = self.figures.median(self.metric.name, peer)
        if value is None:
            return 'failed' if (self.work.name, peer) in self.figures.failures else '–'
        text = '{:,.{}f}'.format(value, self.metric.decimals)
        spread = self.figures.spread(self.metric.name, peer)
        return text + (' ±%.0f%%' % spread if len(self.figures.values[self.metric.name][peer]) > 1 else '')

    def as_dict(self):
        peers = {}
        for peer in PEERS:
            values = self.figures.values.get(self.metric.name, {}).get(peer.name)
            if values:
                peers[peer.name] = {'median': statistics.median(values), 'values': values,
                                    'spread_percent': self.figures.spread(self.metric.name, peer.name)}
        return {'name': self.metric.name, 'title': self.metric.title, 'unit': self.metric.unit, 'figures': peers,
                'best_peer': self.best, 'to_best_peer': self.best_ratio(), 'to_floor': self.to_floor,
                'goal': self.metric.goal_text() or None, 'met': self.met}


def rows(figures, works):
    return [Row(figures, work, metric) for work in works for metric in work.metrics]


def unit(name):
    return {'us': 'µs', 'count': ''}.get(name, name)


def table(all_rows):
    peers = [peer for peer in PEERS]
    lines = ['| work | ' + ' | '.join(peer.title for peer in peers) + ' | to the best peer | to the floor | goal | |',
             '|---|' + '---:|' * (len(peers) + 2) + '---|---|']
    for row in all_rows:
        best, floor = row.best_ratio(), row.to_floor
        name = row.metric.title + (', ' + unit(row.metric.unit) if unit(row.metric.unit) else '')
        cells = [name] + [row.cell(peer.name) for peer in peers]
        cells.append('{:.2f} × {}'.format(best, title_of(row.best)) if best is not None else '–')
        cells.append('{:.2f} ×'.format(floor) if floor is not None else '–')
        cells.append(row.metric.goal_text().replace(' us', ' µs') or '–')
        cells.append({True: 'met', False: '**missed**', None: ''}[row.met])
        lines.append('| ' + ' | '.join(cells) + ' |')
    return lines


def title_of(name):
    return next(peer.title for peer in PEERS if peer.name == name)


def versions():
    told = []
    for peer in PEERS:
        if peer.package:
            done = subprocess.run(['dpkg-query', '-W', '-f', '${Version}', peer.package], stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, text=True)
            version = done.stdout.split(':')[-1].split('-')[0].split('+')[0] or 'not installed'
            told.append('%s %s' % (peer.title, version))
    return told


def machine():
    compiler = subprocess.run(['gcc', '--version'], stdout=subprocess.PIPE, text=True).stdout.splitlines()
    with open('/proc/cpuinfo') as f:
        model = next((line.split(':')[1].strip() for line in f if line.startswith('model name')), platform.machine())
    return {'kernel': platform.release(), 'cores': len(os.sched_getaffinity(0)), 'cpu': model,
            'compiler': compiler[0] if compiler else 'unknown', 'peers': versions()}


def failures(figures):
    return [{'work': work, 'peer': peer, 'why': why} for (work, peer), why in figures.failures.items()]


def as_json(figures, all_rows, rounds):
    return json.dumps({'machine': machine(), 'rounds': rounds, 'metrics': [row.as_dict() for row in all_rows],
                       'failures': failures(figures), 'goals_met': sum(row.met is True for row in all_rows),
                       'goals_missed': sum(row.met is False for row in all_rows)}, indent=1, ensure_ascii=False)


def as_markdown(figures, all_rows, rounds):
    m = machine()
    lines = table(all_rows) + [
        '', 'Medians of %d round%s ± median absolute deviation; Linux %s, %d cores (%s), %s; %s.' % (
            rounds, '' if rounds == 1 else 's', m['kernel'], m['cores'], m['cpu'], m['compiler'],
            ', '.join(m['peers']))]
    reasons = {}
    for (work, peer), why in figures.failures.items():
        reasons.setdefault((peer, why), []).append(work)
    for (peer, why), works in reasons.items():
        lines += ['', '%s failed: %s (%s)' % (title_of(peer), why, ', '.join(works))]
    return '\n'.join(lines)


def summary(all_rows):
    return '%d goals met, %d missed' % (sum(row.met is True for row in all_rows),
                                        sum(row.met is False for row in all_rows))
