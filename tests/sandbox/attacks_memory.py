"""Attacks on what other processes hold: environments, memory, descriptors."""

from tests.sandbox.arena import Attack

LANDLOCK = ("landlock-files", "landlock-network", "landlock-scopes")
ALL_OF_ROOT = ("identity", "capabilities", *LANDLOCK)
OF_USER = (*LANDLOCK, "hidden")

READ_BY_CALL = """
class Vector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]
place = ctypes.create_string_buffer(64)
ours, theirs = Vector(ctypes.addressof(place), 32), Vector(A["{address}"], 32)
count = libc.process_vm_readv(A["{pid}"], ctypes.byref(ours), 1, ctypes.byref(theirs), 1, 0)
print(count, place.raw)
"""
READ_BY_FILE = """
file = open(f"/proc/{{A['{pid}']}}/mem", "rb", buffering=0)
file.seek(A["{address}"])
print(file.read(32))
"""

ATTACKS = [
    Attack("own environment", "print(dict(os.environ)); show('/proc/self/environ')", ("environment",), ("environment",)),
    Attack("the launcher's environment", "show(f'/proc/{os.getppid()}/environ')", ("environment", *ALL_OF_ROOT), ("environment", *OF_USER)),
    Attack("gate's environ", "show(f'/proc/{A[\"gate\"]}/environ')", ALL_OF_ROOT, OF_USER),
    Attack("gate's mem", READ_BY_FILE.format(pid="gate", address="gate_address"), ALL_OF_ROOT, OF_USER),
    Attack("gate's maps", "show(f'/proc/{A[\"gate\"]}/maps'); won()", ALL_OF_ROOT, OF_USER),
    Attack("gate's descriptors", "show(f'/proc/{A[\"gate\"]}/fd/{A[\"gate_file\"]}')", ALL_OF_ROOT, OF_USER),
    Attack("gate's working directory", "os.listdir(f'/proc/{A[\"gate\"]}/cwd/root'); won()", ALL_OF_ROOT),
    Attack(
        "gate's memory by process_vm_readv", READ_BY_CALL.format(pid="gate", address="gate_address"),
        (*ALL_OF_ROOT, "seccomp"), (*OF_USER, "seccomp"),
    ),
    Attack(
        "ptrace of the gate", "assert libc.ptrace(0x4206, A['gate'], 0, 0) == 0; won()",
        (*ALL_OF_ROOT, "seccomp"), (*OF_USER, "seccomp"),
    ),
    Attack("ptrace at all", "call(101 if os.uname().machine == 'x86_64' else 117, 0, 0, 0, 0); won()", ("seccomp",), ("seccomp",)),
    Attack(
        "gate's descriptor by pidfd_getfd",
        "print(os.pread(call(438, os.pidfd_open(A['gate']), A['gate_file'], 0), 100, 0))",
        (*ALL_OF_ROOT, "seccomp"), (*OF_USER, "seccomp"),
    ),
    Attack("base's environ", "show(f'/proc/{A[\"base\"]}/environ')", ALL_OF_ROOT, LANDLOCK),
    Attack("base's mem", READ_BY_FILE.format(pid="base", address="base_address"), ALL_OF_ROOT, LANDLOCK),
    Attack(
        "base's memory by process_vm_readv", READ_BY_CALL.format(pid="base", address="base_address"),
        (*ALL_OF_ROOT, "seccomp"), (*LANDLOCK, "seccomp"),
    ),
    Attack("a descriptor that was left open", "print(os.pread(A['gate_file'], 100, 0))", ("pipes", "descriptors"), ("pipes", "descriptors")),
    Attack(
        "the loader's variables, obeyed by the launcher", "time.sleep(0.1)", ("loader", "landlock-files"), None,
        proof=lambda arena, _: any((arena.place / "gatehome").glob("traced*")),
        env={"LD_DEBUG": "files", "LD_DEBUG_OUTPUT": "{place}/gatehome/traced"},
    ),
    Attack("core dumps allowed again", "resource.setrlimit(resource.RLIMIT_CORE, (1 << 30, 1 << 30)); won()", ("rlimits",), ("rlimits",)),
]  # fmt: skip
