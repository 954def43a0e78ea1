"""Attacks on files: keys, command files, the other side's checkout, ways around paths."""

import os

from tests.sandbox.arena import Arena, Attack
from tests.sandbox.attacks_memory import ALL_OF_ROOT, LANDLOCK

CLOSED = ("identity", "landlock-files")
FILES = ("landlock-files",)


def changed(name: str, before: str) -> "object":
    def look(arena: Arena, _: object) -> bool:
        path = arena.place / name
        found = path.read_text() if path.exists() else None
        if found != before:
            path.write_text(before)
            path.chmod(0o666)
            os.chown(path, arena.owner, arena.owner)
        return found != before

    return look


def there(name: str) -> "object":
    def look(arena: Arena, _: object) -> bool:
        path = arena.place / name
        found = path.exists()
        path.unlink(missing_ok=True)
        return found

    return look


READ = {
    "a private SSH key": "gatehome/.ssh/id",
    "cloud credentials": "gatehome/.aws/credentials",
    "the gate's journal": "gatehome/.cache/journal.sqlite",
}
ATTACKS = [
    *(Attack(name, f"show(A['place'] + '/{path}')", CLOSED, FILES) for name, path in READ.items()),
    Attack("the event", "show(A['place'] + '/workspace/event.json')", FILES, FILES),
    Attack("the workspace's git credentials", "show(A['place'] + '/workspace/.git/config')", FILES, FILES),
    Attack("names in the workspace", "print(os.listdir(A['place'] + '/workspace')); won()", FILES, FILES),
    *(
        Attack(
            f"the command file {name}", f"open(A['place'] + '/open/{name}', 'a').write('verdict=pass')", FILES, FILES,
            proof=changed(f"open/{name}", before),  # type: ignore[arg-type]
        )
        for name, before in (("output", "verdict=fail\n"), ("env", ""), ("summary", ""))
    ),
    Attack(
        "emptying a file of ours by name", "os.truncate(A['place'] + '/open/journal', 0)", FILES, FILES,
        proof=changed("open/journal", "kept"),  # type: ignore[arg-type]
    ),
    Attack(
        "removing a file of ours", "os.unlink(A['place'] + '/open/journal')", FILES, FILES,
        proof=changed("open/journal", "kept"),  # type: ignore[arg-type]
    ),
    Attack("a file in /tmp for base", "open('/tmp/' + A['nonce'], 'w').close(); os.unlink('/tmp/' + A['nonce']); won()", FILES, FILES),
    Attack("a file in /dev/shm for base", "p = '/dev/shm/' + A['nonce']; open(p, 'w').close(); os.unlink(p); won()", FILES, FILES),
    Attack("base's checkout", "show('../base/app.py')", CLOSED, FILES),
    Attack(
        "base's app, changed", "open('../base/app.py', 'a').write('#')", (*CLOSED, "capabilities"), FILES,
        proof=lambda arena, _: (arena.place / "scratch/sources/base/app.py").read_text().endswith("#"),
    ),
    Attack(
        "base's virtual environment", "open(A['place'] + '/scratch/venv-base/x.pth', 'w')", CLOSED, FILES,
        proof=there("scratch/venv-base/x.pth"),  # type: ignore[arg-type]
    ),
    Attack("base's home", "show('../../home-base/notes')", (*CLOSED, "capabilities"), FILES),
    Attack("names beside our checkout", "print(os.listdir('..')); won()", CLOSED, FILES),
    Attack("a symbolic link out", "os.symlink(A['place'] + '/workspace/event.json', 'way'); show('way')", FILES, FILES),
    Attack("a hard link out", "os.link(A['place'] + '/open/journal', 'way' + A['nonce']); won()", ("identity", *LANDLOCK), LANDLOCK),
    Attack(
        "a move into our checkout", "os.rename(A['place'] + '/open/journal', 'moved')", FILES, FILES,
        proof=changed("open/journal", "kept"),  # type: ignore[arg-type]
    ),
    Attack("the root through /proc", "show('/proc/self/root' + A['place'] + '/workspace/event.json')", FILES, FILES),
    Attack("a setting of the kernel", "p = '/proc/sys/kernel/domainname'; t = open(p).read(); open(p, 'w').write(t); won()", (*ALL_OF_ROOT,)),
    Attack(
        "a setuid program", "print(subprocess.run([A['place'] + '/usr/cat', A['place'] + '/usr/root-only'], capture_output=True))",
        ("no-new-privileges", "seccomp", *LANDLOCK, "loopback"), ("no-new-privileges", "seccomp", *LANDLOCK, "loopback"),
    ),
    Attack(
        "a program without a file (memfd), to read the event",
        "f = os.memfd_create('x', 0); os.write(f, open('/bin/cat', 'rb').read())\n"
        "os.execv(f'/proc/self/fd/{f}', ['cat', A['place'] + '/workspace/event.json'])",
        FILES, FILES,
    ),
    Attack(
        "a file by its handle",
        "raw = ctypes.create_string_buffer(struct.pack('Ii', 128, 0) + bytes(128)); where = ctypes.c_int()\n"
        "name = (A['place'] + '/gatehome/.ssh/id').encode()\n"
        "assert libc.name_to_handle_at(-100, name, raw, ctypes.byref(where), 0) == 0, ctypes.get_errno()\n"
        "f = libc.open_by_handle_at(os.open('/', 0), raw, 0); print(os.read(f, 100))",
        (*ALL_OF_ROOT, "seccomp"),
    ),
    Attack("a node of a disk", "os.mknod('disk', 0o60600, os.makedev(254, 0)); won()", (*ALL_OF_ROOT,)),
    Attack("chroot", "os.chroot('.'); won()", ("identity", "capabilities", "seccomp")),
    Attack("a mount", "assert libc.mount(b'none', os.getcwd().encode(), b'tmpfs', 0, None) == 0; libc.umount2(os.getcwd().encode(), 2); won()", (*ALL_OF_ROOT, "seccomp")),
    Attack(
        "our repository's settings, replaced", "os.rename('.git', 'old' + A['nonce']); os.mkdir('.git'); won()", ("ownership",),
    ),
    Attack("settings written into our repository", "open('.git/config', 'a').write('x'); won()", ("identity",)),
    Attack(
        "the Docker socket", "s = socket.socket(socket.AF_UNIX); s.connect(A['place'] + '/run/docker.sock'); s.send(A['nonce'].encode())",
        ("seccomp",), ("seccomp",),
    ),
    Attack(
        "the system's log, by a datagram pair", "a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM); a.sendto(A['nonce'].encode(), A['place'] + '/run/log')",
        ("seccomp",), ("seccomp",),
    ),
    Attack(
        "an abstract socket of ours", "s = socket.socket(socket.AF_UNIX); s.connect(A['abstract']); s.send(A['nonce'].encode())",
        ("seccomp", "landlock-scopes"), ("seccomp", "landlock-scopes"),
    ),
]  # fmt: skip
