"""green-gdb.py: green threads in gdb, of a live process and of a core file.

    gdb -x green-gdb.py PROGRAM [PID | CORE]

    info green [TEXT]             all green threads, or those whose name has TEXT
    green ID                      go there: bt, up, frame, info locals then look at that thread
    green none                    back to what the native thread itself does
    green ID COMMAND              a command there: green 12 bt, green 12 info locals
    green apply all COMMAND       the same for each: green apply all bt
    green apply ID... COMMAND
    green core FILE               generate-core-file, with the stacks, which gdb gives up at their guard pages

Nothing is run in the process: a parked thread's registers lie on its stack, and an unwinder tells gdb that the
innermost frame of the hub's native thread was called from there. That frame itself is left out of backtraces, which
therefore begin with #1. Step and continue only after "green none". It needs the debug information of lib/green.
"""

import struct
import time

import gdb
import gdb.frames
import gdb.unwinder

# Where green_switch() (switch_*.S) leaves which register, in bytes from the saved stack pointer, and where the
# caller's frame begins.
LAYOUTS = {
    "i386:x86-64": (
        {"rip": 48, "rbp": 40, "rbx": 32, "r12": 24, "r13": 16, "r14": 8, "r15": 0},
        "rip", "rsp", 56),
    "aarch64": (
        {"pc": 8, "x29": 0, "x30": 8, "x19": 16, "x20": 24, "x21": 32, "x22": 40, "x23": 48, "x24": 56,
         "x25": 64, "x26": 72, "x27": 80, "x28": 88, "d8": 96, "d9": 104, "d10": 112, "d11": 120, "d12": 128,
         "d13": 136, "d14": 144, "d15": 152},
        "pc", "sp", 160),
}


def text_at(pointer):
    """A C string; what cannot be read is said."""
    if pointer == 0:
        return ""
    try:
        return pointer.string(errors="replace")
    except gdb.MemoryError:
        return "(unreadable)"


class Hub:
    def __init__(self, value):
        self.value = value
        self.tid = int(value["tid"])
        self.current = int(value["current"])

    def thread(self):
        """gdb's thread for the hub's native one; None if it is gone."""
        for thread in gdb.selected_inferior().threads():
            if thread.ptid[1] == self.tid:
                return thread
        threads = gdb.selected_inferior().threads()
        return threads[0] if len(threads) == 1 else None  # some cores number them otherwise

    def doing(self):
        if str(self.value["idle"]) != "HUB_BUSY":
            return "waits for events"
        green = Green(self, (self.current, gdb.lookup_type("struct green")))
        return "runs #%d %s" % (green.id, green.name)

    def clock(self):
        """(now in ns, is it exact?). A core file does not know when it was made."""
        connection = gdb.selected_inferior().connection
        if connection is not None and connection.type == "native":
            return time.clock_gettime_ns(time.CLOCK_MONOTONIC), True
        return int(self.value["now_ns"]), False

    def greens(self):
        green = gdb.lookup_type("struct green")
        offset = next(f.bitpos // 8 for f in green.fields() if f.name == "all_link")
        head = self.value["all"].address
        node = head["next"]
        while node != head:
            yield Green(self, (int(node) - offset, green))
            node = node["next"]


class Green:
    def __init__(self, hub, where):
        address, kind = where
        self.hub = hub
        self.address = address
        self.value = gdb.Value(address).cast(kind.pointer()).dereference()
        self.id = int(self.value["id"])
        self.name = text_at(self.value["name"].address.cast(gdb.lookup_type("char").pointer()))
        self.on_cpu = address == hub.current

    def begun(self):
        return int(self.value["switches"]) > 0

    def state(self):
        kind = str(self.value["state"])
        if kind != "G_PARKED":
            if not self.begun():
                return "not begun: " + text_of_function(self.value["fn"])
            return {"G_RUNNING": "running", "G_READY": "ready"}.get(kind, "ended")
        words = [text_at(self.value["wait_verb"])]
        fd, name, mutex = int(self.value["wait_fd"]), text_at(self.value["wait_name"]), self.value["wait_mutex"]
        if fd >= 0:
            words.append("fd %d" % fd)
        if name:
            words.append(name)
        if mutex != 0 and mutex["owner"] != 0:
            owner = Green(self.hub, (int(mutex["owner"]), gdb.lookup_type("struct green")))
            words.append("held by #%d %s" % (owner.id, owner.name))
        return " ".join(words)

    def registers(self):
        """Name to value, as they were when it parked; an error where that is not known."""
        arch = gdb.selected_inferior().architecture().name()
        if arch not in LAYOUTS:
            raise gdb.GdbError("green: the registers of parked threads are not known on %s" % arch)
        offsets, pc, sp, size = LAYOUTS[arch]
        base = int(self.value["sp"])
        word = gdb.lookup_type("unsigned long").pointer()
        found = {}
        try:
            for name, offset in offsets.items():
                found[name] = int(gdb.Value(base + offset).cast(word).dereference())
        except gdb.MemoryError:
            raise gdb.GdbError("green: the stack of #%d %s cannot be read" % (self.id, self.name))
        if "in section" not in gdb.execute("info symbol %d" % found[pc], to_string=True):
            raise gdb.GdbError("green: #%d %s did not park by this switch code: no frames" % (self.id, self.name))
        found[sp] = base + size
        return found, pc, sp


def text_of_function(pointer):
    text = gdb.execute("info symbol %d" % int(pointer), to_string=True)
    return text.split(" in section")[0].strip()


def hubs():
    try:
        hub = gdb.parse_and_eval("green_all_hubs")
        hub.dereference().type.fields()
    except (gdb.error, TypeError):
        raise gdb.GdbError("green: no debug information of lib/green in this program")
    if hub == 0:
        raise gdb.GdbError("green: nothing is in hub_run() now")
    try:
        while hub != 0:
            yield Hub(hub.dereference())
            hub = hub["next_hub"]
    except gdb.MemoryError:
        raise gdb.GdbError("green: memory cannot be read: no process, and no core file?")


def find(number):
    for hub in hubs():
        for green in hub.greens():
            if green.id == number:
                return green
    raise gdb.GdbError("green: there is no green thread #%d" % number)


class Place:
    """What unwinding goes on with, in place of the callers of a native thread's innermost frame."""

    def __init__(self, green):
        self.green = green
        self.values, self.pc, self.sp = green.registers()
        frame = gdb.newest_frame()
        self.real_pc, self.real_sp = int(frame.read_register(self.pc)), int(frame.read_register(self.sp))

    def is_here(self, frame):
        return int(frame.read_register(self.pc)) == self.values[self.pc] and \
            int(frame.read_register(self.sp)) == self.values[self.sp]


place = None  # None: everything as it is


class FrameId:
    def __init__(self, sp, pc):
        self.sp = sp
        self.pc = pc


class GreenUnwinder(gdb.unwinder.Unwinder):
    def __init__(self):
        super().__init__("green")

    def __call__(self, pending):
        if place is None:
            return None
        pc, sp = pending.read_register(place.pc), pending.read_register(place.sp)
        if int(pc) != place.real_pc or int(sp) != place.real_sp:
            return None
        # An id below all frames that follow: gdb takes a caller with an inner frame for a corrupt stack.
        info = pending.create_unwind_info(FrameId(gdb.Value(place.values[place.sp] - 8).cast(sp.type), pc))
        for name, value in place.values.items():
            info.add_saved_register(name, gdb.Value(value).cast(unsigned_of(pending, name)))
        return info


def unsigned_of(pending, register):
    kind = pending.read_register(register).type
    return kind if kind.sizeof == 8 and kind.code != gdb.TYPE_CODE_UNION else gdb.lookup_type("unsigned long")


class GreenFilter:
    """Takes the frame that the unwinder pretends to start from out of backtraces."""

    def __init__(self):
        self.name = "green"
        self.priority = 1000
        self.enabled = True
        gdb.frame_filters[self.name] = self

    def filter(self, frames):
        seen = place is None
        for decorator in frames:
            seen = seen or place.is_here(decorator.inferior_frame())
            if seen:
                yield decorator


def leave():
    global place
    if place is not None:
        place = None
        gdb.invalidate_cached_frames()


def go_to(green):
    """Makes gdb's frames those of a green thread."""
    global place
    leave()
    thread = green.hub.thread()
    if thread is None:
        raise gdb.GdbError("green: the hub's native thread %d is gone" % green.hub.tid)
    thread.switch()
    if green.on_cpu:  # it is what the native thread does, also when that polls on the stack of who parked last
        gdb.newest_frame().select()
        return
    if not green.begun():
        raise gdb.GdbError("green: #%d %s has not begun: no frames" % (green.id, green.name))
    place = Place(green)
    gdb.invalidate_cached_frames()
    frame = gdb.newest_frame()
    while frame is not None and not place.is_here(frame):
        frame = frame.older()
    if frame is None:
        leave()
        raise gdb.GdbError("green: #%d %s: no frames" % (green.id, green.name))
    frame.select()


class Elsewhere:
    """with Elsewhere(): whatever is selected meanwhile, in the end it is as before."""

    def __enter__(self):
        self.thread, self.place = gdb.selected_thread(), place
        try:
            self.level = gdb.selected_frame().level()
        except gdb.error:
            self.level = 0

    def __exit__(self, *_):
        global place
        place = self.place
        gdb.invalidate_cached_frames()
        if self.thread is not None and self.thread.is_valid():
            self.thread.switch()
            gdb.execute("frame %d" % self.level, to_string=True)


def generate_core(path):
    gdb.execute("generate-core-file " + path)
    with open(path, "r+b") as core:
        head = core.read(64)
        phoff, phentsize, phnum = struct.unpack_from("<Q", head, 32)[0], *struct.unpack_from("<HH", head, 54)
        loads = []
        for i in range(phnum):
            core.seek(phoff + i * phentsize)
            kind, _, offset, address, _, size, _, _ = struct.unpack("<IIQQQQQQ", core.read(56))
            if kind == 1 and size:
                loads.append((address, size, offset))
        for hub in hubs():
            kind = gdb.lookup_type("struct green")
            for green in [Green(hub, (hub.current, kind)), *hub.greens()]:
                put_stack(core, loads, green, kind.sizeof)


def put_stack(core, loads, green, record_size):
    """Writes what is in use of a stack, with the record at its top, to where it belongs in a core file."""
    low, top = int(green.value["stack"]["low"]), green.address + record_size
    if low == 0 or not low < green.address:
        return  # the native stack, which is in the file
    at = low if green.on_cpu else max(low, int(green.value["sp"]) & ~4095)
    while at < top:
        size = min(4096 - at % 4096, top - at)
        for address, length, offset in loads:
            if address <= at and at + size <= address + length:
                try:
                    data = gdb.selected_inferior().read_memory(at, size)
                except gdb.MemoryError:
                    break
                core.seek(offset + at - address)
                core.write(data)
                break
        at += size


def seconds(ns):
    s = max(ns, 0) / 1e9
    return "%.0f ms" % (s * 1000) if s < 1 else "%.1f s" % s if s < 1000 else "%.0f s" % s


class InfoGreen(gdb.Command):
    """List green threads: info green [TEXT in the name].

* marks who has the hub's native thread. Times of a core file are those of when the hub last looked at its clock."""

    def __init__(self):
        super().__init__("info green", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        for hub in hubs():
            self.list(hub, argument.strip())

    @staticmethod
    def list(hub, wanted):
        now, exact = hub.clock()
        thread = hub.thread()
        rows = [("", "ID", "NAME", "GROUP", "STATE", "SINCE", "AGE", "SWITCHES", "SPAWNED AT")]
        total = 0
        for green in hub.greens():
            total += 1
            if wanted not in green.name:
                continue
            value = green.value
            rows.append(("*" if str(value["state"]) == "G_RUNNING" else "", str(green.id), green.name,
                         text_at(value["group"]["name"].address.cast(gdb.lookup_type("char").pointer())),
                         green.state() + (", cancelled" if value["cancelled"] else ""),
                         seconds(now - int(value["since_ns"])), seconds(now - int(value["created_ns"])),
                         str(int(value["switches"])), text_at(value["site"])))
        print("%d green threads; native thread %d%s %s%s" % (
            total, hub.tid, " (gdb's %d)" % thread.num if thread else "", hub.doing(),
            "" if exact else "; times as of the hub's last look at its clock"))
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        for row in rows:
            print("  ".join(cell.rjust(width) if i in (1, 5, 6, 7) else cell.ljust(width)
                            for i, (cell, width) in enumerate(zip(row, widths))).rstrip())


class GreenCommand(gdb.Command):
    """Look at a green thread: green ID, green ID COMMAND, green apply all|ID... COMMAND, green none, green core FILE."""

    def __init__(self):
        super().__init__("green", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        words = argument.split()
        if words == ["none"]:
            leave()
            gdb.newest_frame().select()
        elif words and words[0] == "apply":
            self.apply(words[1:])
        elif len(words) == 2 and words[0] == "core":
            leave()
            generate_core(words[1])
        elif words and words[0].isdigit():
            green = find(int(words[0]))
            if len(words) > 1:
                with Elsewhere():
                    go_to(green)
                    gdb.execute(" ".join(words[1:]))
                return
            go_to(green)
            print("green thread #%d %s: %s%s" % (green.id, green.name, green.state(),
                                                 "" if green.on_cpu else '; "green none" leaves it'))
            gdb.execute("frame")
        else:
            raise gdb.GdbError(self.__doc__)

    @staticmethod
    def apply(words):
        chosen = []
        if words[:1] == ["all"]:
            words = words[1:]
            chosen = [green for hub in hubs() for green in hub.greens()]
        else:
            while words and words[0].isdigit():
                chosen.append(find(int(words.pop(0))))
        if not chosen or not words:
            raise gdb.GdbError("green apply all|ID... COMMAND")
        for green in chosen:
            print("\ngreen thread #%d %s: %s" % (green.id, green.name, green.state()))
            with Elsewhere():
                try:
                    go_to(green)
                    gdb.execute(" ".join(words))
                except gdb.error as error:
                    print(error)
                except gdb.GdbError as error:
                    print(error)


gdb.unwinder.register_unwinder(None, GreenUnwinder(), True)
GreenFilter()
gdb.events.cont.connect(lambda event: leave())
InfoGreen()
GreenCommand()
