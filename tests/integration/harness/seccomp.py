"""Words that start a program under a filter of system calls, which answers some of them with an error, as
service managers and container engines do."""

import errno
import sys

LAUNCHER = """
import ctypes, os, sys
ALLOW, ERRNO = 0x7FFF0000, 0x00050000
library = ctypes.CDLL("libseccomp.so.2")
library.seccomp_init.restype = ctypes.c_void_p
library.seccomp_rule_add.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint]
library.seccomp_load.argtypes = [ctypes.c_void_p]
context = library.seccomp_init(ALLOW)
for call in sys.argv[2].split(","):
    number = library.seccomp_syscall_resolve_name(call.encode())
    assert number >= 0 and library.seccomp_rule_add(context, ERRNO | int(sys.argv[1]), number, 0) == 0, call
assert library.seccomp_load(context) == 0
os.execv(sys.argv[3], sys.argv[3:])
"""


def refusing(name, *calls):
    """`name` is the error's, as EPERM."""
    return [sys.executable, "-c", LAUNCHER, str(getattr(errno, name)), ",".join(calls)]
