"""Processes that a test starts, what they write, and how they end."""

import os
import pathlib
import re
import select
import signal
import subprocess
import threading

from . import ports, waiting


class Process:
    """One process.  What it writes to stderr, and to stdout unless `piped`, is its log.

    A `piped` process is talked to with write() and read().  It gets the descriptors to `keep`,
    and a `terminal` if there is to be one.
    """

    def __init__(self, argv, *, name=None, directory=None, piped=False, environment=None, group=None, user=None, keep=(), terminal=None):
        self.argv = [str(word) for word in argv]
        self.name = name or pathlib.Path(argv[0]).name
        self._lines = []
        self._closed = False
        self._changed = threading.Condition()
        self._popen = subprocess.Popen(
            self.argv,
            cwd=directory,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.PIPE if piped else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if piped else subprocess.STDOUT,
            pass_fds=keep,
            user=user,
            group=group,
            extra_groups=None if user is None else [],
            preexec_fn=terminal and terminal.take_over,
        )
        self.pid = self._popen.pid
        self._pipes = (self._popen.stdin, self._popen.stdout) if piped else ()
        self._log = self._popen.stderr if piped else self._popen.stdout
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()

    def _read_log(self):
        for line in self._log:
            with self._changed:
                self._lines.append(line.decode(errors="replace").rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def lines(self):
        with self._changed:
            return list(self._lines)

    def lines_with(self, pattern):
        return [line for line in self.lines if re.search(pattern, line)]

    def wait_line(self, pattern, number=1):
        """The `number`th line in which `pattern` is found, as soon as it is written."""

        def there():
            return len(self._matches(pattern)) >= number or self._closed

        with self._changed:
            self._changed.wait_for(there, waiting.LIMIT)
            found = self._matches(pattern)
        assert len(found) >= number, f"{self.name} did not write {pattern!r} {number} times"
        return found[number - 1]

    def _matches(self, pattern):
        return [line for line in self._lines if re.search(pattern, line)]

    def wait_listening(self, port):
        waiting.until(
            lambda: ports.is_listening(port) or self.has_ended(), f"{self.name} listens on port {port}"
        )
        assert not self.has_ended(), f"{self.name} ended and does not listen on port {port}"

    def has_ended(self):
        return self._popen.poll() is not None

    def wait_exit(self, limit=None):
        """How it ended: its exit status, or the negative number of the signal."""
        try:
            status = self._popen.wait(limit or waiting.LIMIT)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} did not end") from None
        self._reader.join(waiting.LIMIT)
        return status

    def send_signal(self, number):
        if not self.has_ended():
            self._popen.send_signal(number)

    def kill(self):
        self.send_signal(signal.SIGKILL)
        return self.wait_exit()

    def pause(self):
        """Stop it: its kernel goes on taking connections and bytes, it does not."""
        self.send_signal(signal.SIGSTOP)

        def stopped():
            status = pathlib.Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
            return "\nState:\tT" in status

        waiting.until(stopped, f"{self.name} has stopped")

    def resume(self):
        self.send_signal(signal.SIGCONT)

    def stop(self, number=signal.SIGTERM, patience=3):
        """End it, the hard way if it takes longer than `patience` seconds."""
        self.resume()
        self.send_signal(number)
        try:
            status = self._popen.wait(patience)
        except subprocess.TimeoutExpired:
            status = self.kill()
        self._reader.join(waiting.LIMIT)
        for pipe in self._pipes:
            pipe.close()
        return status

    # Talking to a piped process

    def write(self, data):
        self._popen.stdin.write(data)
        self._popen.stdin.flush()

    def close_stdin(self):
        self._popen.stdin.close()

    def read(self, count):
        """Exactly `count` bytes of what it writes to stdout."""
        stdout = self._popen.stdout.fileno()
        data = b""
        while len(data) < count:
            readable, _, _ = select.select([stdout], [], [], waiting.LIMIT)
            piece = os.read(stdout, count - len(data)) if readable else b""
            assert piece, f"{self.name} wrote {len(data)} of {count} bytes"
            data += piece
        return data

    def resident_bytes(self):
        text = pathlib.Path(f"/proc/{self.pid}/smaps_rollup").read_text(encoding="ascii")
        return int(re.search(r"^Rss:\s+(\d+) kB", text, re.MULTILINE).group(1)) * 1024

    def open_descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))


class Processes:
    """Those of one test, or of one module.  close() ends them, the youngest first."""

    def __init__(self):
        self.all = []

    def start(self, argv, **how):
        process = Process(argv, **how)
        self.all.append(process)
        return process

    def close(self):
        for process in reversed(self.all):
            process.stop()
