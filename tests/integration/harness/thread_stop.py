"""Stops one thread of a process in the middle of its work, by ptrace(2), while the others go on."""

import ctypes
import os
import platform

import pytest

SEIZE, INTERRUPT, SYSCALL, DETACH, GET_SYSCALL_INFO = 0x4206, 0x4207, 24, 17, 0x420E
ALL_CHILDREN = 0x40000000  # __WALL
SYSCALLS_ARE_TOLD = 1  # PTRACE_O_TRACESYSGOOD
ENTRY, NUMBER_AT = 1, 24  # of struct ptrace_syscall_info
ACCEPT4 = {"x86_64": 288, "aarch64": 242}

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


def ptrace(request, thread, address=0, data=0):
    result = libc.ptrace(request, thread, address, data)
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


class StoppedThread:
    """The only thread of `process` beside its first, caught at its second accept4(2) from now on:
    `act` has to make it accept.  release() lets it go on."""

    def __init__(self, process, act):
        if platform.machine() not in ACCEPT4:
            pytest.skip("system calls have other numbers here")
        others = {int(name) for name in os.listdir(f"/proc/{process.pid}/task")} - {process.pid}
        if len(others) > 1:
            pytest.skip("a sanitizer has a thread of its own")
        (self._thread,) = others
        try:
            ptrace(SEIZE, self._thread, data=SYSCALLS_ARE_TOLD)
        except PermissionError:
            pytest.skip("this user may not trace")
        ptrace(INTERRUPT, self._thread)
        os.waitpid(self._thread, ALL_CHILDREN)
        act()
        for _ in range(2):
            while not self._enters_accept():
                pass

    def _enters_accept(self):
        ptrace(SYSCALL, self._thread)
        os.waitpid(self._thread, ALL_CHILDREN)
        info = ctypes.create_string_buffer(128)
        ptrace(GET_SYSCALL_INFO, self._thread, len(info), ctypes.addressof(info))
        number = int.from_bytes(info.raw[NUMBER_AT : NUMBER_AT + 8], "little")
        return info.raw[0] == ENTRY and number == ACCEPT4[platform.machine()]

    def release(self):
        ptrace(DETACH, self._thread)
