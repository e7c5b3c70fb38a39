"""A terminal for a process that asks somebody something."""

import fcntl
import os
import select
import termios

from . import waiting


class Terminal:
    """Types `answers`, one at each prompt."""

    def __init__(self, *answers):
        self._answers = answers
        self._ours, self._theirs = os.openpty()
        self.seen = b""

    def take_over(self):
        """In the process, before its program: this is its terminal."""
        os.setsid()
        fcntl.ioctl(self._theirs, termios.TIOCSCTTY, 0)

    def answer(self):
        for answer in self._answers:
            self._wait_prompt()
            os.write(self._ours, answer.encode() + b"\n")

    def _wait_prompt(self):
        prompt = b""
        while not prompt.endswith(b": "):
            readable, _, _ = select.select([self._ours], [], [], waiting.LIMIT)
            assert readable, f"no prompt came behind {self.seen}"
            piece = os.read(self._ours, 1024)
            prompt += piece
            self.seen += piece

    def close(self):
        """Whoever asks from now on finds nobody."""
        os.close(self._theirs)
        os.close(self._ours)
