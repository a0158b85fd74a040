"""Building the programs that are measured."""
import os
import shutil
import subprocess
import sys

from works import PEERS, OURS

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))

MARIADB = ['-I/usr/include/mariadb', '-lmariadb']
CC = ['gcc', '-std=gnu11', '-D_GNU_SOURCE', '-O3', '-flto', '-Wall', '-Wextra']

# Program: compiler, source, and what comes after it.
PROGRAMS = {
    'echo_client': CC + ['echo_client.c'],
    'floor_switch': CC + ['floor_switch.c'],
    'floor_epoll': CC + ['floor_epoll.c'],
    'floor_pread': CC + ['floor_pread.c'],
    'floor_uring': CC + ['floor_uring.c', '-luring'],
    'floor_sql': CC + ['floor_sql.c'] + MARIADB,
    'peer_fiber': ['g++', '-std=gnu++14', '-O3', '-flto', '-Wall', 'peer_fiber.cc', '-lboost_fiber', '-lboost_context'],
    'peer_go': ['go', 'build', '-o', '{out}', './peer_go'],
    'peer_st': CC + ['peer_st.c', '-lst'],
    'peer_tarantool.so': CC + ['-shared', '-fPIC', 'peer_tarantool.c'],
    'peer_threads': CC + ['peer_threads.c'] + MARIADB,
}


class CannotBuild(Exception):
    pass


def call(command, **options):
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    except OSError as e:
        raise CannotBuild(str(e))
    if done.returncode != 0:
        raise CannotBuild('%s: %s' % (command[0], done.stdout.strip()[-2000:] or 'failed'))


def build_ours(build):
    """A directory that does not fit any more (other meson, moved) is thrown away."""
    compile = ['meson', 'compile', '-C', build, 'bench', 'bench_patched']
    if os.path.exists(os.path.join(build, 'build.ninja')):
        try:
            return call(compile)
        except CannotBuild:
            shutil.rmtree(build)
    call(['meson', 'setup', build, TOP, '--buildtype=release', '-Db_lto=true'])
    call(compile)


def build_one(name, into):
    """A program is made anew when any file beside its source is newer: they are few."""
    target = os.path.join(into, name)
    sources = [os.path.join(folder, file) for folder, _, files in os.walk(HERE) for file in files
               if file.endswith(('.c', '.h', '.cc', '.go'))] + [os.path.abspath(__file__)]
    if os.path.exists(target) and os.path.getmtime(target) > max(map(os.path.getmtime, sources)):
        return
    command = PROGRAMS[name]
    env = dict(os.environ, GO111MODULE='off', GOPATH='/usr/share/gocode', GOFLAGS='', CGO_ENABLED='0',
               GOCACHE=os.path.join(into, 'go-cache'))
    call(command[:1] + [word.replace('{out}', target) for word in command[1:]] +
         ([] if '{out}' in ' '.join(command) else ['-pthread', '-o', target]), cwd=HERE, env=env)


def build_all(build):
    """Ours must build, and the client; a peer that does not is broken, which its column says."""
    bins = os.path.join(build, 'peers')
    build_ours(build)
    os.makedirs(bins, exist_ok=True)
    build_one('echo_client', bins)
    for peer in PEERS:
        for i, program in enumerate(peer.programs):
            name = os.path.basename(program[-1])
            if peer.name == OURS or name not in PROGRAMS:
                continue
            try:
                build_one(name, bins)
            except CannotBuild as e:
                print(e, file=sys.stderr)
                peer.broken[i] = '%s does not build' % name
    return bins
