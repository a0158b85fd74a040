#!/usr/bin/python3
"""on_terminal.py CTL CONF: what compute-agentctl does on a terminal, beside an agent that runs: colours, the live
view, what it leaves of the terminal however it ends, and what bash and zsh complete. Exit status 1: something was not so."""
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time

ctl, conf = os.path.realpath(sys.argv[1]), sys.argv[2]
command = [ctl, "--config-file", conf]
mistakes = 0
PATIENCE_S = 60
ENTER, LEAVE = b"\x1b[?1049h", b"\x1b[?1049l"


def check(what, ok, seen=""):
    global mistakes
    print(("ok: " if ok else "NOT OK: ") + what + ("" if ok else f" ({seen!r})"), flush=True)
    mistakes += not ok


class Terminal:
    """A program on a pseudo-terminal of its own."""

    def __init__(self, argv, rows=24, columns=80, **env):
        self.out = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            os.environ.pop("NO_COLOR", None)
            os.environ.update({"TERM": "xterm", **env})
            os.execv(argv[0], argv)
        self.before = termios.tcgetattr(self.fd)

    def read(self, seconds):
        if not select.select([self.fd], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError:  # the program has ended
            return False
        self.out += data
        return bool(data)

    def until(self, text):
        end = time.monotonic() + PATIENCE_S
        while text not in self.out and time.monotonic() < end and self.read(0.2):
            pass
        return text in self.out

    def type(self, text):
        os.write(self.fd, text.encode())

    def resize(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def end(self):
        """The exit status; -1: it does not end."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                while self.read(0):
                    if not select.select([self.fd], [], [], 0)[0]:
                        break
                return status
            self.read(0.1)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        return -1

    def restored(self):
        return (self.out.count(ENTER) == 1 and self.out.count(LEAVE) == 1 and self.out.rstrip().endswith(LEAVE)
                and termios.tcgetattr(self.fd) == self.before)


def piped(*arguments, **env):
    return subprocess.run([*command, *arguments], capture_output=True, env={**os.environ, **env}, timeout=PATIENCE_S,
                          stdin=subprocess.DEVNULL)


# ---- the live view ----
t = Terminal([*command, "top", "--interval", "0.2"])
check("top: a screen of its own", t.until(b"GREEN THREAD") and ENTER in t.out, t.out)
seen = len(t.out)
check("it is drawn again", t.until(b"\x1b[J\x1b[H"), t.out[seen:])
t.resize(6, 30)
check("a smaller terminal is drawn on at once", t.until(b"\x1b[H"), t.out)
os.write(t.fd, b"q")
check("q ends it", t.end() == 0)
check("and gives the terminal back", t.restored(), t.out[-200:])

t = Terminal([*command, "top"])
t.until(b"GREEN THREAD")
os.write(t.fd, b"\x03")
check("so does Ctrl-C", t.end() == 0 and t.restored(), t.out[-200:])

t = Terminal([*command, "top"])
t.until(b"GREEN THREAD")
os.kill(t.pid, signal.SIGTERM)
check("SIGTERM ends it as it would have", t.end() == signal.SIGTERM)
check("but the terminal is given back first", t.restored(), t.out[-200:])

t = Terminal([*command, "top", "-n", "2", "--interval", "0.1"])
check("top -n 2 ends by itself", t.end() == 0 and t.restored(), t.out[-200:])

t = Terminal([*command, "top", "--once"])
status = t.end()
check("top --once stays on the screen there is", status == 0 and ENTER not in t.out and b"GREEN THREAD" in t.out, t.out)

t = Terminal([*command, "top"], TERM="dumb")
status = t.end()
check("a dumb terminal gets one screen, plainly", status == 0 and b"\x1b" not in t.out and b"GREEN" in t.out, t.out)

two = piped("top", "-n", "2", "--interval", "0.1")
check("piped, top -n 2 prints two screens", two.stdout.count(b"\ncompute-agent ") == 1 and
      two.stdout.startswith(b"compute-agent ") and b"\x1b" not in two.stdout, two.stdout)

# ---- colours ----
t = Terminal([*command, "status"])
t.end()
check("colours on a terminal", b"\x1b[32mrunning\x1b[0m" in t.out, t.out)
t = Terminal([*command, "status"], NO_COLOR="1")
t.end()
check("none with NO_COLOR", b"\x1b" not in t.out and b"running" in t.out, t.out)
t = Terminal([*command, "status", "--colour", "never"])
t.end()
check("none with --colour never", b"\x1b" not in t.out and b"running" in t.out, t.out)
check("none in a pipe", b"\x1b" not in piped("status").stdout)
check("in a pipe with --colour always, even with NO_COLOR",
      b"\x1b[32mrunning" in piped("status", "--colour", "always", NO_COLOR="1").stdout)
t = Terminal([*command, "threads"], columns=60)
t.end()
check("a narrow terminal cuts what is long", "\u2026".encode() in t.out, t.out)
check("a pipe does not", "\u2026".encode() not in piped("threads").stdout)

# ---- what bash completes ----
COMPLETE = """
source <("$1" completion bash)
shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_compute_agentctl
printf '%s\\n' "${COMPREPLY[@]}"
"""


def completes(*words):
    done = subprocess.run(["bash", "-uc", COMPLETE, "bash", ctl, ctl, *words], capture_output=True, text=True,
                          timeout=PATIENCE_S)
    check(f"bash: no complaint about {words}", done.returncode == 0 and not done.stderr, done.stderr)
    return done.stdout.split()


check("bash completes commands", completes("stat") == ["status"])
check("all of them, but not its own helper", {"status", "boot", "top"} < set(completes("")) > set() and
      "__complete" not in completes(""))
check("options of the command and shared ones", {"--image", "--wait", "--json"} < set(completes("boot", "--")))
check("not those of another", "--hard" not in completes("boot", "--"))
check("values of an option", completes("--colour", "a") == ["auto", "always"])
check("also after =, of which bash makes a word", completes("--colour", "=", "n") == ["never"])
check("files", completes("image-import", conf[:-1]) == [conf])
check("also of shared options", completes("--config-file", conf[:-1]) == [conf])
check("instances, asked of the agent that the line names", completes("--config-file", conf, "stop", "we") == ["web-1"])
check("by uuid, once it is begun", completes("--config-file", conf, "stop", "11111111-") ==
      ["11111111-2222-4333-8444-555555555555"])
check("nothing more after the last argument", completes("--config-file", conf, "stop", "web-1", "") == [])
check("images", completes("--config-file", conf, "boot", "--image", "") == ["tiny"])
check("without an agent nothing, and no noise", completes("--socket", "/nonexistent/rpc.sock", "stop", "") == [])

# ---- what zsh completes: what is typed and Tab, then the line as it is now ----
with tempfile.TemporaryDirectory() as folder:
    with open(f"{folder}/_compute-agentctl", "wb") as script: # as the package has it in vendor-completions
        script.write(piped("completion", "zsh").stdout)
    t = Terminal(["/bin/zsh", "-f"], columns=200, PATH=os.path.dirname(ctl) + ":" + os.environ["PATH"], HOME=folder)
    t.type(f"PS1='ready> '; fpath=({folder} $fpath); autoload -U compinit; compinit -u -D; print co''mpinit\n")
    check("zsh takes the script", t.until(b"\ncompinit"), t.out)

    def tab_makes(typed, wanted):
        """^A: to the beginning of the line."""
        t.type(f"compute-agentctl {typed}\t\x01print -r ''it is: \n")
        check(f"zsh completes {typed}", t.until(f"\nit is: compute-agentctl {wanted}\r".encode()), t.out[-400:])

    tab_makes("stat", "status")
    tab_makes("boot --imag", "boot --image")
    tab_makes("--colour nev", "--colour never")
    tab_makes(f"image-import {conf[:-1]}", f"image-import {conf}")
    tab_makes(f"--config-file {conf} stop we", f"--config-file {conf} stop web-1")
    tab_makes("nonsen", "nonsen")
    t.type("exit\n")
    t.end()

sys.exit(1 if mistakes else 0)
