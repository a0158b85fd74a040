"""tests/bench/driver.py: what tests/bench/run does when all packages are there."""
import argparse
import os
import signal
import sys
import time

import growth
import measure
import picture
import programs
import report
from works import PEERS, WORKS

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
    parser.add_argument('--svg', metavar='FILE', help='draw a picture of the ratios')
    parser.add_argument('--growth', action='store_true',
                        help='instead: our own costs among 10, 1,000 and 100,000 green threads, and a million parked')
    parser.add_argument('--build', metavar='DIR', default=os.path.join(programs.TOP, 'build-bench'),
                        help='where to build; default build-bench')
    options = parser.parse_args()
    if options.rounds is None:
        options.rounds = 1 if options.quick else 5
    if options.rounds < 1:
        parser.error('at least one round')
    known = [work[0] for work in growth.WORKS] + ['parked'] if options.growth else [work.name for work in WORKS]
    if options.list:
        print('\n'.join(known))
        sys.exit(0)
    for name in options.only:
        if name not in known:
            parser.error('no work is called "%s"; there are: %s' % (name, ' '.join(known)))
    if options.growth and options.svg:
        parser.error('the picture is of the comparison, not of the growth')
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


def tell(options, lines):
    print('\n'.join(lines), file=sys.stderr if options.json == '-' else sys.stdout)


def compare(bench, options):
    works = [work for work in WORKS if not options.only or work.name in options.only]
    figures = measure_all(bench, works, options.rounds)
    rows = report.rows(figures, works)
    if options.json:
        write(options.json, report.as_json(figures, rows, options.rounds))
    if options.svg:
        picture.draw(rows, options.svg)
    tell(options, [report.as_markdown(figures, rows, options.rounds), '', report.summary(rows)])
    return 1 if figures.failures else 0


def grow(bench, options):
    lines, status = growth.run(bench, options, say, write)
    tell(options, lines)
    return status


def main():
    options = arguments()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, frame: sys.exit(128 + number))
    say('building in %s' % options.build)
    bench = measure.Bench(programs.build_all(os.path.abspath(options.build)), options.quick)
    try:
        return grow(bench, options) if options.growth else compare(bench, options)
    finally:
        bench.close()


if __name__ == '__main__':
    try:
        sys.exit(main())
    except programs.CannotBuild as e:
        sys.exit('run: cannot build: %s' % e)
    except KeyboardInterrupt:
        sys.exit(130)
