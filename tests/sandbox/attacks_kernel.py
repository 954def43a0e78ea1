"""Attacks on processes, on the kernel's doors and on the machine's resources."""

from tests.sandbox.arena import Arena, Attack
from tests.sandbox.attacks_memory import LANDLOCK

CALLS, LIMITS = ("seccomp",), ("rlimits",)
SIGNALS = ("landlock-scopes",)
X86 = ("x86_64",)
SURVIVOR = """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for f in range(3): os.close(f)
        for f in range(3): os.open("/dev/null", 2)
        os.execve(sys.executable, ["python", "-S", "-c", "import time; time.sleep(60)  # " + A["nonce"]], {})
    os._exit(0)
time.sleep(0.5)
"""
BOMB = """
count = 0
try:
    while count < 400:
        if os.fork() == 0:
            time.sleep(30); os._exit(0)
        count += 1
finally:
    if count > 300: won()
time.sleep(1.5); won()
"""
FILL = """
for number in range(6):
    f = os.open("big%d" % number, os.O_CREAT | os.O_WRONLY)
    os.posix_fallocate(f, 0, 50_000_000)
time.sleep(1.5)
won()
"""
INT80 = """
import mmap
code = bytes.fromhex("53b814000000cd805bc3")  # push rbx; mov eax, 20 (getpid, i386); int 0x80; pop rbx; ret
area = mmap.mmap(-1, 4096, prot=7); area.write(code)
answer = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(area)))()
assert answer == os.getpid(); won()
"""
NUMBERS = "new = 'x86_64' == os.uname().machine\n"


def survived(_: Arena, answer: dict[str, object]) -> bool:
    return bool(answer["alive"])


def signalled(_: Arena, answer: dict[str, object]) -> bool:
    return answer["signals"] != 0


def base_signalled(arena: Arena, _: object) -> bool:
    note = arena.place / "scratch" / "home-base" / "signalled"
    found = note.exists()
    note.unlink(missing_ok=True)
    return found


ATTACKS = [
    Attack("a signal to the gate", "os.kill(A['gate'], signal.SIGUSR1)", ("identity", *SIGNALS), SIGNALS, proof=signalled),
    Attack("a signal to base's worker", "os.kill(A['base'], signal.SIGUSR1); time.sleep(0.3)", ("identity", "capabilities", *SIGNALS), SIGNALS, proof=base_signalled),
    Attack("a signal to the launcher", "os.kill(os.getppid(), 0); won()", ("identity", *SIGNALS), SIGNALS),
    Attack("a descendant that hides and stays", SURVIVOR, ("keeper",), ("keeper",), proof=survived),
    Attack("a descendant that hides from a kill", SURVIVOR + "time.sleep(60)", ("keeper",), ("keeper",), proof=survived, seconds=1.0, end=False),
    Attack("the gate's limits", "resource.prlimit(A['gate'], resource.RLIMIT_CORE, (0, 0)); won()", ("identity", "capabilities", *CALLS), CALLS),
    Attack("a higher priority", "os.nice(-5); won()", ("identity", "capabilities", *LIMITS)),
    Attack("real-time scheduling", "os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)); won()", ("identity", "capabilities", *LIMITS)),
    Attack(
        "safety from the end of memory", "open('/proc/self/oom_score_adj', 'w').write('0'); won()", ("landlock-files",), ("landlock-files",),
    ),
    Attack(
        "typing into a terminal",
        "import fcntl, pty, termios\nos.setsid(); a, b = pty.openpty(); fcntl.ioctl(b, termios.TIOCSCTTY, 0)\n"
        "fcntl.ioctl(b, termios.TIOCSTI, b'x'); won()",
        ("identity", "capabilities", "landlock-files", *CALLS),
    ),
    Attack("the terminal of whoever started us", "os.open('/dev/tty', os.O_RDWR); won()", (), ()),
    Attack("a user namespace", "assert libc.unshare(0x10000000) == 0; won()", CALLS, CALLS, needs=("userns",)),
    Attack(
        "a user namespace by clone",
        NUMBERS + "pid = call(56 if new else 220, 0x10000000 | 17, 0, 0, 0, 0)\nif pid == 0: os._exit(0)\nos.waitpid(pid, 0); won()",
        CALLS, CALLS, needs=("userns",),
    ),
    Attack(
        "a user namespace by clone3",
        "a = ctypes.create_string_buffer(struct.pack('8Q', 0x10000000, 0, 0, 0, 17, 0, 0, 0))\n"
        "pid = call(435, ctypes.addressof(a), 64)\nif pid == 0: os._exit(0)\nos.waitpid(pid, 0); won()",
        CALLS, CALLS, needs=("userns",),
    ),
    Attack("a key of the session", NUMBERS + "k = call(250 if new else 219, 1, 0); won()", CALLS, CALLS),
    Attack("a program in the kernel", NUMBERS + "a = ctypes.create_string_buffer(struct.pack('IIII', 2, 4, 4, 1) + bytes(112)); call(321 if new else 280, 0, ctypes.addressof(a), 72); won()", ("identity", "capabilities", *CALLS)),
    Attack("a performance counter", NUMBERS + "a = ctypes.create_string_buffer(struct.pack('IIQ', 1, 112, 1) + bytes(100)); call(298 if new else 241, ctypes.addressof(a), 0, -1, -1, 0); won()", ("identity", "capabilities", *CALLS), needs=("perf",)),
    Attack("page faults handled by ourselves", NUMBERS + "call(323 if new else 282, 1); won()", CALLS, CALLS),
    Attack("memory at known places", "call(135 if os.uname().machine == 'x86_64' else 92, 0x0040000); won()", CALLS, CALLS),
    Attack("shared memory by key", NUMBERS + "i = call(29 if new else 194, 0x1234, 4096, 0o1666); libc.shmctl(i, 0, None); won()", CALLS, CALLS),
    Attack("a message queue", "q = libc.mq_open(('/' + A['nonce']).encode(), 0o100 | 2, 0o666, None); assert q >= 0; libc.mq_unlink(('/' + A['nonce']).encode()); won()", (*CALLS, *LIMITS, "landlock-files"), (*CALLS, *LIMITS, "landlock-files")),
    Attack("32-bit system calls", INT80, CALLS, CALLS, needs=X86),
    Attack("a fork bomb", BOMB, LIMITS, ("process-count",), limits={"processes": 64}),
    Attack("a huge file", "f = open('huge', 'wb'); f.truncate(60_000_000); os.unlink('huge'); won()", LIMITS, LIMITS, limits={"file_bytes": 50_000_000}),
    Attack("a full disk", FILL, ("disk",), ("disk",), limits={"reserved_disk_bytes": -1}),
    Attack("all descriptors", "k = [os.open('/dev/null', 0) for _ in range(2000)]; won()", LIMITS, LIMITS, limits={"open_files": 256}),
    Attack("a lot of memory", "x = bytearray(600_000_000); won()", LIMITS, LIMITS, limits={"memory_bytes": 300_000_000}),
    Attack("a namespace of somebody else", "assert libc.setns(os.open(f'/proc/{os.getpid()}/ns/net', 0), 0) == 0; won()", ("identity", "capabilities", *LANDLOCK, *CALLS)),
]  # fmt: skip
