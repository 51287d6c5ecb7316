"""What a process may no longer do, by Linux's own means: no rights of root, seccomp, Landlock.

A process gives these up for itself, as root or as anybody, and for all time. seccomp refuses
system calls: new processes, other processes, the network, changes of files. Landlock hides all
files but those that Python and PyTorch need. The numbers are of the kernel's headers.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import resource
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

# prctl
DUMPABLE, NO_NEW_PRIVILEGES, DROP_BOUND, SECCOMP, DEATH_SIGNAL = 4, 38, 24, 22, 1
FILTER = 2
AMBIENT, CLEAR_ALL = 47, 4
CAPSET = {"x86_64": 126, "aarch64": 91}
CAPABILITY_VERSION = 0x20080522
# Audit's name of an architecture, and the column of `CALLS`.
MACHINES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
# Numbers of refused calls on x86_64 and aarch64; None: there is no such call.
CALLS: dict[str, tuple[int | None, int | None]] = {
    # other processes
    "fork": (57, None), "vfork": (58, None), "execve": (59, 221), "execveat": (322, 281),
    "tkill": (200, 130), "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240),
    "pidfd_send_signal": (424, 424), "pidfd_open": (434, 434), "pidfd_getfd": (438, 438),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "process_madvise": (440, 440), "process_mrelease": (448, 448), "kcmp": (312, 272),
    "setpriority": (141, 140), "ioprio_set": (251, 30), "sched_setaffinity": (203, 122),
    "sched_setattr": (314, 274), "sched_setscheduler": (144, 119), "sched_setparam": (142, 118),
    "migrate_pages": (256, 238), "move_pages": (279, 239),
    # namespaces and mounts
    "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39),
    "pivot_root": (155, 41), "chroot": (161, 51), "open_tree": (428, 428),
    "move_mount": (429, 429), "fsopen": (430, 430), "fsmount": (432, 432),
    "mount_setattr": (442, 442),
    # channels
    "socket": (41, 198), "socketpair": (53, 199), "memfd_create": (319, 279),
    "memfd_secret": (447, 447), "shmget": (29, 194), "msgget": (68, 186), "semget": (64, 190),
    "mq_open": (240, 180), "io_uring_setup": (425, 425), "bpf": (321, 280),
    "perf_event_open": (298, 241), "userfaultfd": (323, 282), "add_key": (248, 217),
    "request_key": (249, 218), "keyctl": (250, 219),
    # files
    "creat": (85, None), "unlink": (87, None), "unlinkat": (263, 35), "rmdir": (84, None),
    "rename": (82, None), "renameat": (264, 38), "renameat2": (316, 276), "mkdir": (83, None),
    "mkdirat": (258, 34), "mknod": (133, None), "mknodat": (259, 33), "link": (86, None),
    "linkat": (265, 37), "symlink": (88, None), "symlinkat": (266, 36), "chmod": (90, None),
    "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452), "chown": (92, None),
    "fchown": (93, 55), "lchown": (94, None), "fchownat": (260, 54), "truncate": (76, 45),
    "utime": (132, None), "utimes": (235, None), "futimesat": (261, None), "utimensat": (280, 88),
    "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7), "removexattr": (197, 14),
    "lremovexattr": (198, 15), "fremovexattr": (199, 16),
}  # fmt: skip
# The C library does without these when they do not exist.
ABSENT = {"clone3": (435, 435), "openat2": (437, 437)}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
THREAD = 0x10000  # CLONE_THREAD
# Landlock: its calls, and what may be done below a folder.
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
ASK_VERSION, BELOW = 1, 1
EXECUTE, READ_FILE, READ_FOLDER = 1, 4, 8
# What PyTorch and the C library read besides the folders of Python.
SYSTEM = (
    *("/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/sys/devices/system/cpu", "/proc/cpuinfo"),
    *("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"),
)


def can_filter() -> bool:
    """Whether this machine has seccomp, and one of the processors whose calls are known here."""
    if sys.platform != "linux" or platform.machine() not in MACHINES:
        return False
    # Asked for no filter at all, a kernel that knows filters complains of the address.
    return _prctl(SECCOMP, FILTER, 0) == errno.EFAULT


def landlock_version() -> int:
    """Return the version of the kernel's Landlock, 0 where it has none."""
    return max(_libc().syscall(CREATE_RULESET, None, ctypes.c_size_t(0), ASK_VERSION), 0)


def hide_memory() -> None:
    """Let no other process of the same user look into this one, nor at its channels."""
    _prctl(DUMPABLE, 0)


def give_up(readable: Iterable[Path] | None) -> None:
    """Give up, for all time, what a submission must not do; raises OSError where that fails.

    `readable`: the folders that may still be read; None: no file is hidden.
    """
    _prctl(DEATH_SIGNAL, 9)
    _check(_prctl(NO_NEW_PRIVILEGES, 1), "no_new_privs")
    _drop_capabilities()
    if readable is not None:
        _hide_files(readable)
    _refuse_calls()


def limit(seconds: int, gigabytes: float) -> None:
    """Limit processor time, memory beyond today's, and the size of files."""
    with open("/proc/self/statm") as file:  # noqa: PTH123 - a file of the kernel's
        now = int(file.read().split()[0]) * resource.getpagesize()
    memory = now + int(gigabytes * 2**30)
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def python_folders() -> list[Path]:
    """Return the folders that hold Python, the packages installed, and this one."""
    package = Path(__file__).parents[2]
    found = [Path(sys.prefix), Path(sys.base_prefix), package, *map(Path, SYSTEM)]
    found += [Path(path) for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    return [path for path in found if path.exists()]


def _drop_capabilities() -> None:
    _prctl(AMBIENT, CLEAR_ALL)
    for capability in range(64):  # those that there are not, and those of others, are refused
        _prctl(DROP_BOUND, capability)
    header, nothing = struct.pack("Ii", CAPABILITY_VERSION, 0), struct.pack("6I", *[0] * 6)
    failed = _libc().syscall(CAPSET[platform.machine()], header, nothing)
    _check(ctypes.get_errno() if failed else 0, "capset")


def _hide_files(readable: Iterable[Path]) -> None:
    version = landlock_version()
    # All rights that this version knows are taken, and those to read given back below folders.
    known = {1: 13, 2: 14, 3: 15, 4: 15}.get(version, 16)
    rules = struct.pack("QQQ", 2**known - 1, 3, 3)[
        : 8 if version < 4 else 16 if version < 6 else 24
    ]
    libc = _libc()
    made = libc.syscall(CREATE_RULESET, rules, ctypes.c_size_t(len(rules)), 0)
    _check(ctypes.get_errno() if made < 0 else 0, "landlock_create_ruleset")
    for path in readable:
        folder = os.open(path, os.O_PATH | os.O_CLOEXEC)
        rights = EXECUTE | READ_FILE | (READ_FOLDER if path.is_dir() else 0)
        failed = libc.syscall(ADD_RULE, made, BELOW, struct.pack("=Qi", rights, folder), 0)
        _check(ctypes.get_errno() if failed else 0, f"landlock_add_rule {path}")
        os.close(folder)
    failed = libc.syscall(RESTRICT_SELF, made, 0)
    _check(ctypes.get_errno() if failed else 0, "landlock_restrict_self")
    os.close(made)


# Instructions of seccomp's small machine: load a word, compare and jump, return.
LOAD, EQUAL, AT_LEAST, ANY_OF, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, KILL, FAIL = 0x7FFF0000, 0x80000000, 0x00050000
NUMBER, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16
FOREIGN = 0x40000000  # from here on: calls of another kind of program


def _refuse_calls() -> None:
    architecture, column = MACHINES[platform.machine()]
    code = [(LOAD, 0, 0, ARCHITECTURE), (EQUAL, 1, 0, architecture), (RETURN, 0, 0, KILL)]
    code += [(LOAD, 0, 0, NUMBER), (AT_LEAST, 0, 1, FOREIGN), (RETURN, 0, 0, FAIL | errno.ENOSYS)]
    for calls, error in ((CALLS, errno.EPERM), (ABSENT, errno.ENOSYS)):
        for numbers in calls.values():
            number = numbers[column]
            if number is not None:
                code += [(EQUAL, 0, 1, number), (RETURN, 0, 0, FAIL | error)]
    me = os.getpid()
    for numbers, argument, allowed_if, error in (
        ((2, None), 1, (ANY_OF, 0, 1, WRITING), errno.EROFS),  # open
        ((257, 56), 2, (ANY_OF, 0, 1, WRITING), errno.EROFS),  # openat
        ((56, 220), 0, (ANY_OF, 1, 0, THREAD), errno.EPERM),  # clone
        ((62, 129), 0, (EQUAL, 1, 0, me), errno.EPERM),  # kill
        ((234, 131), 0, (EQUAL, 1, 0, me), errno.EPERM),  # tgkill
        ((302, 261), 0, (EQUAL, 1, 0, 0), errno.EPERM),  # prlimit64
    ):
        number = numbers[column]
        if number is not None:
            code += [(EQUAL, 0, 4, number), (LOAD, 0, 0, FIRST_ARGUMENT + 8 * argument), allowed_if]
            code += [(RETURN, 0, 0, FAIL | error), (RETURN, 0, 0, ALLOW)]
    code.append((RETURN, 0, 0, ALLOW))
    program = b"".join(struct.pack("HBBI", *instruction) for instruction in code)
    buffer = ctypes.create_string_buffer(program, len(program))
    filters = struct.pack("HxxxxxxQ", len(code), ctypes.addressof(buffer))
    _check(_prctl(SECCOMP, FILTER, filters), "seccomp")


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _prctl(what: int, *arguments: int | bytes) -> int:
    """Call prctl; return the error's number, 0 if there is none."""
    given = [a if isinstance(a, bytes) else ctypes.c_ulong(a) for a in arguments]
    given += [ctypes.c_ulong(0)] * (4 - len(given))
    return ctypes.get_errno() if _libc().prctl(what, *given) < 0 else 0


def _check(error: int, what: str) -> None:
    if error:
        raise OSError(error, f"{what}: {os.strerror(error)}")
