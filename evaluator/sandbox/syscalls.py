"""Numbers of system calls, by machine, and those that no app under test has a use for.

Source: `arch/x86/entry/syscalls/syscall_64.tbl` and `include/uapi/asm-generic/unistd.h` (aarch64).
"""

AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""How a filter names the machine; see `include/uapi/linux/audit.h`."""
X32_BIT = 0x40000000
"""Set in the numbers of the x32 calls, a second table on x86_64 that a filter by number would miss."""

COLUMN = {"x86_64": 0, "aarch64": 1}

LOOKED_INTO = {
    "clone": (56, 220),
    "clone3": (435, 435),
    "ioctl": (16, 29),
    "listen": (50, 201),
    "personality": (135, 92),
    "prlimit64": (302, 261),
    "seccomp": (317, 277),
    "sendmmsg": (307, 269),
    "sendmsg": (46, 211),
    "sendto": (44, 206),
    "socket": (41, 198),
    "socketpair": (53, 199),
}
"""Calls whose arguments decide; see `seccomp.py`."""

REFUSED = {
    # other processes' memory and files
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    # the kernel's key rings, which a session shares
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    # mounts and namespaces: inside a user namespace of its own a program is root, and the kernel's weak spots are open
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "move_mount": (429, 429),
    "open_tree": (428, 428),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "unshare": (272, 97),
    "setns": (308, 268),
    # files by number instead of by name
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    # ways around this filter, and much code of the kernel: io_uring makes system calls that no filter sees
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "fanotify_init": (300, 262),
    "lookup_dcookie": (212, 18),
    # the machine
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "reboot": (169, 142),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "adjtimex": (159, 171),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "syslog": (103, 116),
    "vhangup": (153, 58),
    "iopl": (172, None),
    "ioperm": (173, None),
    "modify_ldt": (154, None),
}

SHARED = {
    "shmget": (29, 194),
    "semget": (64, 190),
    "msgget": (68, 186),
    "mq_open": (240, 180),
}
"""What is shared by name between all programs of a machine, whoever their users are."""


def number(name: str, machine: str) -> "int | None":
    """The number of a call; None where the machine does not have it."""
    for table in (LOOKED_INTO, REFUSED, SHARED):
        if name in table:
            return table[name][COLUMN[machine]]
    raise KeyError(name)
