#!/usr/bin/python3
"""test_gdb.py PROGRAM: green threads as gdb shows them, in a live process, in its core file and in the kernel's.

PROGRAM is tests/outside/seen. Prints one line for each thing that was looked at: "ok", "FAILED" or "left out", a tab,
what it was, a tab, why.
"""

import os
import re
import resource
import signal
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
SCRIPT = os.path.join(HERE, "../../lib/green/green-gdb.py")
LIMIT_S = 120

# Name: how its line in the list goes on, functions on its stack from the inside out. Of the runtime only one is asked for,
# because compilers leave out who ends with a call.
IDLE = {
    "main": (r"root +join holder", ["hub_park", "wait_for_all", "hub_run", "main"]),
    "holder": (r"root +event never comes", ["hub_park", "hold_the_lock", "holder", "green_entry"]),
    "sleeper": (r"sleepers +sleep", ["hub_park", "sleep_in_bed", "sleeper", "green_entry"]),
    "reader": (r"root +read fd \d+", ["hub_park", "read_from_pipe", "reader", "green_entry"]),
    "locker": (r"root +lock the lock held by #1 holder",
               ["hub_park", "want_the_lock", "locker", "green_entry"]),
    "sorter": (r"root +event never comes",
               ["hub_park", "compare_slowly", "qsort", "sorter", "green_entry"]),
}
BUSY = dict(IDLE)
BUSY.update({
    "yielder": (r"root +ready", ["turn_round", "yielder", "green_entry"]),
    "burner": (r"root +running", ["burn_for_ever", "burner", "green_entry"]),
    "newborn": (r"root +not begun: newborn", None),  # has no frames
})


def result(what, why=""):
    print("%s\t%s%s" % ("FAILED" if why else "ok", what, "\t" + " ".join(why.split()) if why else ""), flush=True)


def gdb(*arguments):
    """What gdb says; nothing is asked, and no configuration of the user is read."""
    done = subprocess.run(["gdb", "-batch", "-nx", "-iex", "set debuginfod enabled off", *arguments], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, timeout=LIMIT_S)
    return done.stdout


def commands(*lines):
    return [word for line in lines for word in ("-ex", line)]


class Program:
    """with Program(path, "idle") as it: runs, and is as it says."""

    def __init__(self, path, mode, directory):
        self.path, self.mode, self.directory = os.path.abspath(path), mode, directory

    def __enter__(self):
        def with_core():
            resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)

        self.child = subprocess.Popen([self.path, self.mode], stdout=subprocess.PIPE, text=True, cwd=self.directory,
                                      preexec_fn=with_core)
        if self.child.stdout.readline() != "ready\n":
            raise RuntimeError("%s %s does not say that it is ready" % (self.path, self.mode))
        return self

    def __exit__(self, *_):
        self.child.kill()
        self.child.wait()

    def core(self):
        """Aborts it; the kernel's core file, None if it makes none here."""
        self.child.send_signal(signal.SIGABRT)
        self.child.wait()
        found = [name for name in os.listdir(self.directory) if name.startswith("core")]
        return os.path.join(self.directory, found[0]) if found else None


def why_list_is_wrong(text, wanted):
    if "%d green threads; native thread " % len(wanted) not in text:
        return "the list does not begin with the number of threads"
    for name, (state, _) in wanted.items():
        if not re.search(r"^\*? +\d+  %s +%s  .*s +\d+  (seen\.c:\d+|hub_run\(\))$" % (name, state), text, re.M):
            return "%s is not listed as %s" % (name, state)
    return ""


def why_backtraces_are_wrong(text, wanted):
    for name, (_, functions) in wanted.items():
        found = re.search(r"^green thread #\d+ %s: .*\n((?:.+\n)*)" % name, text, re.M)
        if not found:
            return "%s has no backtrace" % name
        trace = re.findall(r"^#\d+ +(?:0x[0-9a-f]+ in )?([A-Za-z_0-9]+)", found.group(1), re.M)
        if functions is None:
            if trace or "has not begun" not in found.group(1):
                return "%s: %s" % (name, found.group(1))
            continue
        at = 0
        for function in functions:
            while at < len(trace) and not re.fullmatch(r"(__GI_)?" + function, trace[at]):
                at += 1
            if at == len(trace):
                return "%s: %s is not in its place in %s" % (name, function, trace)
        if at != len(trace) - 1 or "corrupt" in found.group(1):
            return "%s: the chain does not end at %s: %s" % (name, functions[-1], trace)
    return ""


LOOK = commands("info green", "green apply all bt")


def look(what, text, wanted):
    for part, why in (("list", why_list_is_wrong(text, wanted)), ("backtraces", why_backtraces_are_wrong(text, wanted))):
        if why:
            print(text)
        result("gdb, %s: %s" % (what, part), why)


def test_moving_about(program, core):
    """Selecting, going up, looking at variables, and back."""
    text = gdb(program, core, "-x", SCRIPT, *commands(
        "green 4", "up 5", "info frame", "bt 1", "green none", "bt", "green 5 bt -3", "green 77", "info green lock",
        "green apply 1 2 frame", "bt 1", "green"))
    wanted = [
        r"green thread #4 locker: lock the lock held by #1 holder; \"green none\" leaves it\n#1 ",
        r"\n#6 .* want_the_lock ",          # the frame five above the first
        r"\n#1  .* switch_stacks .*\n#0  ",  # bt 1 begins with the first; green none: what the native thread does
        r"epoll_wait",
        r"sorter .*\n#\d+ .* thread_main .*\n#\d+ .* green_entry ",
        r"there is no green thread #77\n",
        r"6 green threads; .* waits for events.*\n.*\n +4  locker .*\n(?! )",
        r"green thread #1 holder: .*\n#1 (?:.*\n){2,3}\ngreen thread #2 sleeper: .*\n#1 ",
        r"\n#0  .*epoll_wait",              # as before
        r"Look at a green thread: ",
    ]
    at = 0
    for pattern in wanted:
        found = re.compile(pattern).search(text, at)
        if not found:
            print(text)
            result("gdb, going from one green thread to another", "nothing like %s" % pattern)
            return
        at = found.end() - 1
    result("gdb, going from one green thread to another")


def test_without_process(program):
    text = gdb(program, "-x", SCRIPT, *commands("info green", "green 1 bt"))
    result("gdb, a program that does not run: says so",
           "" if "nothing is in hub_run()" in text and "Python Exception" not in text else text)
    text = gdb("/bin/true", "-x", SCRIPT, *commands("info green"))
    result("gdb, a program without green threads: says so",
           "" if "no debug information of lib/green" in text else text)


def test_probes(program):
    """gdb stops at probes, and knows their arguments."""
    if "park" not in gdb(program, *commands("info probes stap green")):
        print("left out\tgdb, probes\tthe program was built without them (systemtap-sdt-dev)")
        return
    text = gdb(*commands(
        "break -probe-stap green:spawn", "run", 'printf "spawn %d %s %s\\n", $_probe_arg0, $_probe_arg1, $_probe_arg3',
        "delete", "break -probe-stap green:park", "continue",
        'printf "park %d %s %d\\n", $_probe_arg0, $_probe_arg1, $_probe_arg2', "delete",
        "break -probe-stap green:switch", "continue",
        'printf "switch %d %d %s\\n", $_probe_arg0, $_probe_arg1, $_probe_arg2', "delete",
        "break -probe-stap green:exit", "continue", 'printf "exit %d %s\\n", $_probe_arg0, $_probe_arg1', "kill"), "--args", program, "idle")
    for line in (r"spawn 1 holder seen\.c:\d+", r"park 0 join -1", r"switch 0 1 holder", r"exit 6 announcer"):
        what = "gdb, break -probe-stap green:%s" % line.split()[0]
        if not re.search(r"^%s$" % line, text, re.M):
            print(text)
            result(what, "no line %s" % line)
        else:
            result(what)


def main():
    program = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory(prefix="compute-agent-gdb.") as directory:
        own_core = os.path.join(directory, "saved-core")
        with Program(program, "idle", directory) as it:
            look("a live process that is idle", gdb("-p", str(it.child.pid), "-x", SCRIPT, *LOOK,
                                                    *commands("green core " + own_core)), IDLE)
            look("a core file saved by gdb", gdb(program, own_core, "-x", SCRIPT, *LOOK), IDLE)
            test_moving_about(program, own_core)
        with Program(program, "busy", directory) as it:
            look("a live process that is busy", gdb("-p", str(it.child.pid), "-x", SCRIPT, *LOOK), BUSY)
            core = it.core()
            if core:
                look("a core file of the kernel", gdb(program, core, "-x", SCRIPT, *LOOK), BUSY)
            else:
                print("left out\tgdb, a core file of the kernel\tcore files go elsewhere here: %s" %
                      open("/proc/sys/kernel/core_pattern", encoding="utf-8").read().strip())
        test_without_process(program)
        test_probes(program)


main()
