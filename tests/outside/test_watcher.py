#!/usr/bin/python3
"""test_watcher.py PROGRAM: what the stall watcher costs, counted by the kernel: how often its thread went to sleep.

PROGRAM is tests/outside/seen. Prints results as test_gdb.py does.
"""

import os
import re
import subprocess
import sys
import time

PER_SECOND = 20  # twice per threshold of 100 ms
LOOK_S = 2


def naps(pid):
    """Of the thread called stall-watcher: how often it slept; None before it has its name."""
    for tid in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/status" % (pid, tid), encoding="utf-8") as status:
            text = status.read()
        if re.search(r"^Name:\tstall-watcher$", text, re.M):
            return int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", text, re.M).group(1))
    return None


def count(program, mode):
    with subprocess.Popen([program, "watched", mode], stdout=subprocess.PIPE) as child:
        try:
            child.stdout.readline()
            last, now = None, None
            until = time.monotonic() + 30
            # It begins with a look or two; only then does it sleep with the hub.
            while (now is None or (mode == "idle" and now != last)) and time.monotonic() < until:
                time.sleep(0.5)
                last, now = now, naps(child.pid)
            began = time.monotonic()
            time.sleep(LOOK_S)
            return naps(child.pid) - now, time.monotonic() - began
        finally:
            child.kill()


def main():
    program = os.path.abspath(sys.argv[1])
    n, _ = count(program, "idle")
    what = "the stall watcher of an idle hub does not wake up once in %d s" % LOOK_S
    print("ok\t" + what if n == 0 else "FAILED\t%s\tit did %d times" % (what, n))
    n, seconds = count(program, "turning")
    what = "beside a hub that turns the stall watcher wakes up at most %d times a second" % PER_SECOND
    print("ok\t" + what if 0 < n <= seconds * PER_SECOND + 2 else "FAILED\t%s\t%d times in %.2f s" % (what, n, seconds))


main()
