"""Running one program for one work, on the core of those that are measured."""
import ctypes
import os
import signal
import subprocess
import tempfile

import programs

LIMIT_S = 150           # for one run of one program
NO_SUCH_WORK = 64
PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None)


class Failed(Exception):
    pass


class Bench:
    """The cores, the environment, the database: all that the runs share. Close it."""

    def __init__(self, bins, quick):
        cores = sorted(os.sched_getaffinity(0))
        self.other_core, self.core = cores[0], cores[min(1, len(cores) - 1)]
        self.bins = bins
        self.env = dict(os.environ, BENCH_OTHER_CORE=str(self.other_core), LC_ALL='C.UTF-8')
        self.env.pop('BENCH_QUICK', None)
        if quick:
            self.env['BENCH_QUICK'] = '1'
        self.scratch = tempfile.TemporaryDirectory(prefix='compute-agent-bench.')
        self.database = None

    def start(self, command, core, **options):
        """A process that does not outlive this one."""
        def prepare():
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            os.sched_setaffinity(0, {core})
        return subprocess.Popen(command, preexec_fn=prepare, stdin=subprocess.DEVNULL, text=True, env=self.env,
                                cwd=self.scratch.name, **options)

    def need_database(self):
        """A MariaDB server of our own, on the other core."""
        if self.database:
            return
        script = os.path.join(programs.TOP, 'tests', 'support', 'mariadb')
        self.database = [script, 'drop', os.path.join(self.scratch.name, 'db')]
        start = subprocess.Popen(['taskset', '-c', str(self.other_core), script, 'start', self.database[2], '--no-tcp'],
                                 stdout=subprocess.PIPE, text=True)
        try:
            told = start.communicate()[0]
        except BaseException:
            start.communicate()     # half a server could not be dropped
            raise
        if start.returncode != 0:
            raise Failed('no MariaDB server')
        for line in told.splitlines():
            name, _, value = line.partition('=')
            self.env[name] = value.strip("'")

    def close(self):
        if self.database:
            subprocess.run(self.database, stdout=subprocess.DEVNULL)
        self.scratch.cleanup()

    def run(self, command, core=None):
        """What the program prints, as a dict of metrics; None when it does not know the work."""
        child = self.start(command, self.core if core is None else core, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE)
        try:
            out, err = child.communicate(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            raise Failed('no end after %d s' % LIMIT_S)
        finally:
            if child.poll() is None:
                child.kill()
                child.communicate()
        if child.returncode == NO_SUCH_WORK:
            return None
        if child.returncode != 0:
            raise Failed('%s: %s' % (how_it_ended(child.returncode), (err.strip() or 'no word').splitlines()[-1]))
        return parse(out)

    def run_server(self, command, metric):
        """Starts the program as a server, and the client beside it."""
        with open(os.path.join(self.scratch.name, 'server.log'), 'w+') as log:
            child = self.start(command, self.core, stdout=subprocess.PIPE, stderr=log)
            try:
                words = child.stdout.readline().split()
                if len(words) < 2 or words[0] != 'port':
                    status = child.wait(LIMIT_S)
                    if status == NO_SUCH_WORK:
                        return None
                    log.seek(0)
                    raise Failed('%s: %s' % (how_it_ended(status), (log.read().strip() or 'no word').splitlines()[-1]))
                return self.run([os.path.join(self.bins, 'echo_client'), str(int(float(words[1]))), str(child.pid),
                                 metric],
                                self.other_core)
            finally:
                child.kill()
                child.wait()
                child.stdout.close()

    def do(self, peer, work):
        """The metrics of this work by this peer; None when it does not have it. Failed."""
        if work.database:
            self.need_database()
        for i, program in enumerate(peer.programs):
            if (i, work.name) in peer.unknown or i in peer.broken:
                continue
            command = [word.format(bin=self.bins, here=programs.HERE) for word in program]
            try:
                if work.server:
                    metrics = self.run_server(command + [work.name + '-server'], work.metrics[0].name)
                else:
                    metrics = self.run(command + [work.name])
            except OSError as e:
                raise Failed(str(e))
            if metrics is not None:
                for metric in work.metrics:
                    if metric.name not in metrics:
                        raise Failed('it does not tell %s' % metric.name)
                return metrics
            peer.unknown.add((i, work.name))
        for why in peer.broken.values():
            raise Failed(why)   # who else could have it
        return None


def how_it_ended(status):
    return 'signal %d' % -status if status < 0 else 'exit status %d' % status


def parse(text):
    metrics = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 2:
            try:
                metrics[words[0]] = float(words[1])
            except ValueError:
                raise Failed('not understood: ' + line)
    return metrics
