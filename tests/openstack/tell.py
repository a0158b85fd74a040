#!/usr/bin/python3
"""tell.py [--compute agent|nova-compute] [TEST...]: tells what is true of a running control plane and its host.
tell.py --list: the tests

A test file is a module test_*.py here; its tests are the functions test_* in their order, which share one World.
FOR says whether they are for any compute service or only for the agent. Selected by file or by file.test, without
"test_". Each result is one line, and one in the file $RESULTS for tests/run.
"""
import importlib
import os
import subprocess
import sys
import time
import traceback

FILES = 'life', 'more', 'refused', 'unsupported', 'switch', 'faults'
BEGAN = float(os.environ.get('STORY_BEGAN', time.time()))
HERE = os.path.dirname(os.path.realpath(__file__))


def say(topic, text):
    print('%7.2f s  %-10s %s' % (time.time() - BEGAN, topic, text), flush=True)


def result(kind, name, why=''):
    if os.environ.get('RESULTS'):
        with open(os.environ['RESULTS'], 'a') as f:
            f.write('\t'.join([kind, name] + ([' '.join(why.split())[:500]] if why else [])) + '\n')


class World:
    """What the tests of one file share."""

    def __init__(self, cloud, compute):
        self.cloud, self.compute = cloud, compute

    def start(self, service, *arguments):
        self.script('start', service, *arguments)

    def launch(self, service, *arguments):
        self.script('launch', service, *arguments)

    def stop(self):
        self.script('stop')

    def kill(self):
        self.script('kill')

    def script(self, *arguments, program='compute'):
        done = subprocess.run([HERE + '/' + program, *arguments], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=180)
        if done.returncode:
            raise RuntimeError('%s %s: %s' % (program, ' '.join(arguments), done.stdout[-800:]))
        return done.stdout

    def ensure(self, service):
        """The service runs, and no other."""
        if not self.runs(service):
            self.stop()
            self.start(service)

    @staticmethod
    def pid(service):
        try:
            with open('%s/run/%s.pid' % (os.environ['OPENSTACK_STATE'], service)) as f:
                return int(f.read())
        except FileNotFoundError:
            return None

    def runs(self, service):
        from cloud import process_runs
        pid = self.pid(service)
        return bool(pid and process_runs(pid))


def tests_of(module):
    return [(name[5:], f) for name, f in vars(module).items() if name.startswith('test_') and callable(f)]


def selected(wanted, file, name):
    return not wanted or file in wanted or '%s.%s' % (file, name) in wanted


def run_test(world, file, name, test):
    label = '%s: %s' % (file, name)
    began = time.time()
    try:
        test(world)
    except Exception as e:
        where = [f for f in traceback.extract_tb(e.__traceback__) if f.filename.startswith(HERE)]
        say('FAILED', '%s after %.1f s: %s: %s' % (label, time.time() - began, type(e).__name__, e))
        for f in where[-3:]:
            print('%23s at %s:%d: %s' % ('', os.path.basename(f.filename), f.lineno, f.line), flush=True)
        result('FAILED', label, '%s: %s' % (type(e).__name__, e))
        return False
    say('ok', '%s (%.1f s)%s' % (label, time.time() - began, ': ' + test.__doc__ if test.__doc__ else ''))
    result('ok', label)
    return True


def tell_file(file, compute, wanted):
    from cloud import Cloud
    module = importlib.import_module('test_' + file)
    if compute not in module.FOR:
        return 0, 0
    chosen = [(n, t) for n, t in tests_of(module) if selected(wanted, file, n)]
    if not chosen:
        return 0, 0
    world = World(Cloud(), compute)
    good = 0
    try:
        world.ensure(module.FIRST or compute)
    except Exception as e:
        say('FAILED', '%s: the compute service: %s' % (file, e))
        result('FAILED', '%s: the compute service' % file, str(e))
        return 0, len(chosen)
    for name, test in chosen:
        good += run_test(world, file, name, test)
        if not good:
            break  # the others build on the first
    for name, _ in chosen[1:] if not good else []:
        result('FAILED', '%s: %s' % (file, name), 'not tried, since the first test of the file failed')
    return good, len(chosen) - good


def main(arguments):
    os.environ.setdefault('OPENSTACK_STATE', '/nonexistent')
    compute = 'agent'
    if arguments[:1] == ['--list']:
        for file in FILES:
            with open('%s/test_%s.py' % (HERE, file)) as f:
                for line in f:
                    if line.startswith('def test_'):
                        print('%s.%s' % (file, line[9:line.index('(')]))
        return 0
    if arguments[:1] == ['--compute']:
        compute, arguments = arguments[1], arguments[2:]
    good = bad = 0
    for file in FILES:
        g, b = tell_file(file, compute, arguments)
        good, bad = good + g, bad + b
    if not good and not bad:
        print('tell.py: no test is called %s' % ' or '.join(arguments), file=sys.stderr)
        return 2
    print('%d passed, %d failed' % (good, bad))
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
