"""tests/bench/driver.py: what tests/bench/run does when all packages are there."""
import argparse
import os
import signal
import sys
import time

import measure
import programs
import report
from works import PEERS

EPILOG = 'Each round runs every work once by every program: those measured on one core, load, producers and database ' \
         'on another. Exit status 0: all could be measured, whether goals were met or not.'


def arguments():
    parser = argparse.ArgumentParser(prog='tests/bench/run', epilog=EPILOG)
    parser.add_argument('--rounds', type=int, metavar='N', help='how often each is measured; default 5')
    parser.add_argument('--quick', action='store_true',
                        help='one round of small counts: shows that all of it runs; the figures say nothing')
    parser.add_argument('--only', nargs='+', default=[], metavar='WORK', help='only these works')
    parser.add_argument('--list', action='store_true', help='print the works, and end')
    parser.add_argument('--json', metavar='FILE', help='all figures as JSON; "-": on stdout instead of the table')
    parser.add_argument('--build', metavar='DIR', default=os.path.join(programs.TOP, 'build-bench'),
                        help='where to build; default build-bench')
    options = parser.parse_args()
    if options.rounds is None:
        options.rounds = 1 if options.quick else 5
    if options.rounds < 1:
        parser.error('at least one round')
    return options


def say(text):
    print(text, file=sys.stderr, flush=True)


def measure_all(bench, works, rounds):
    figures = report.Figures()
    for number in range(1, rounds + 1):
        for work in works:
            began = time.monotonic()
            for peer in PEERS:
                if (work.name, peer.name) in figures.failures:
                    continue
                try:
                    metrics = bench.do(peer, work)
                    if metrics:
                        figures.add(peer, metrics)
                except measure.Failed as e:
                    figures.fail(work, peer, str(e))
                    say('%s, %s failed: %s' % (peer.title, work.name, e))
            say('round %d of %d: %s (%.1f s)' % (number, rounds, work.name, time.monotonic() - began))
    return figures


def write(path, text):
    if path == '-':
        print(text)
    else:
        with open(path, 'w') as f:
            f.write(text + '\n')


def compare(bench, options, works):
    figures = measure_all(bench, works, options.rounds)
    rows = report.rows(figures, works)
    if options.json:
        write(options.json, report.as_json(figures, rows, options.rounds))
    out = sys.stderr if options.json == '-' else sys.stdout
    print(report.as_markdown(figures, rows, options.rounds), file=out)
    print('\n' + report.summary(rows), file=out)
    return 1 if figures.failures else 0


def main():
    options = arguments()
    works = report.works_named(options.only)
    if options.list:
        print('\n'.join(work.name for work in works))
        return 0
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, frame: sys.exit(128 + number))
    say('building in %s' % options.build)
    bench = measure.Bench(programs.build_all(os.path.abspath(options.build)), options.quick)
    try:
        return compare(bench, options, works)
    finally:
        bench.close()


if __name__ == '__main__':
    try:
        sys.exit(main())
    except programs.CannotBuild as e:
        sys.exit('run: cannot build: %s' % e)
    except KeyboardInterrupt:
        sys.exit(130)
