"""A systemd of the test's own: the machine's, booted as the first process of its own namespaces in a root
folder that has nothing but the machine's /usr.  The network is the test's."""

import os
import pathlib
import shutil
import subprocess

from . import waiting

SYSTEMD = pathlib.Path("/usr/lib/systemd/systemd")

# Its only argument is the root folder.  What it mounts goes with the namespace.
BOOT = """
set -eu
root=$1
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$root"
cd "$root"
mkdir -p usr etc/systemd/system proc sys dev run tmp var/log var/tmp home root
mount --rbind -o ro /usr usr
mount -t tmpfs -o mode=755 tmpfs usr/local
mkdir usr/local/bin
for name in bin lib lib64 sbin; do ln -s "usr/$name" "$name"; done
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t tmpfs tmpfs sys/fs
mkdir sys/fs/cgroup
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs dev
for name in null zero full random urandom tty; do
	touch "dev/$name"
	mount --bind "/dev/$name" "dev/$name"
done
ln -s pts/ptmx dev/ptmx
mount -t tmpfs tmpfs run
printf 'root:x:0:0::/root:/bin/sh\\n' >etc/passwd
printf 'root:x:0:\\n' >etc/group
: >etc/machine-id
printf '[Unit]\\nAllowIsolate=yes\\n' >etc/systemd/system/boot.target
mkdir outside
pivot_root . outside
umount -l outside
exec env -i container=podman PATH=/usr/sbin:/usr/bin "$0" --system --unit=boot.target
"""


class Missing(Exception):
    """This machine, or what the test may do on it, does not let systemd boot."""


def _own_cgroup():
    """A new group below our own in the unified hierarchy, for the namespace to begin at."""
    mounts = pathlib.Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    tops = [line.split()[4] for line in mounts if " - cgroup2 " in line]
    ours = [line[3:] for line in pathlib.Path("/proc/self/cgroup").read_text(encoding="ascii").splitlines() if line.startswith("0::")]
    if not tops or not ours:
        raise Missing("there is no unified hierarchy of control groups")
    group = pathlib.Path(tops[0] + ours[0]) / f"routeport-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as error:
        raise Missing(f"no control group can be made: {error}") from None
    return group


class Systemd:
    """Runs until close()."""

    def __init__(self, folder):
        if os.geteuid() != 0 or not SYSTEMD.exists():
            raise Missing("it takes root and the package systemd")
        folder.mkdir()
        self._group = _own_cgroup()
        self._log = folder.with_suffix(".log")
        self._process = self._boot(folder)
        self._pid = None
        try:
            waiting.until(self._is_up, "systemd has booted")
        except AssertionError:
            self.close()
            raise
        if self._process.poll() is not None:
            self.close()
            raise Missing(self._log.read_text(encoding="utf-8").strip() or "its first process ended")

    def _boot(self, folder):
        with self._log.open("wb") as log:
            return subprocess.Popen(
                [
                    *("setpriv", "--pdeathsig", "KILL", "sh", "-c", 'echo $$ >"$0/cgroup.procs"; exec "$@"', self._group),
                    *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--uts", "--ipc", "--cgroup"),
                    *("sh", "-c", BOOT, SYSTEMD, folder),
                ],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )

    def _is_up(self):
        """Or it never will be."""
        if self._process.poll() is not None:
            return True
        path = pathlib.Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        children = path.read_text(encoding="ascii").split()
        if not children or pathlib.Path(f"/proc/{children[0]}/comm").read_text(encoding="ascii") != "systemd\n":
            return False
        self._pid = children[0]
        return self.systemctl("is-system-running").stdout.strip() in {"running", "degraded"}

    def close(self):
        self._process.kill()
        self._process.wait()
        folders = [path for path in self._group.rglob("*") if path.is_dir()]
        for path in [*sorted(folders, reverse=True), self._group]:
            waiting.until(lambda: _is_removed(path), f"{path} is empty")

    def path(self, inside):
        """That file of its root folder, seen from here."""
        return pathlib.Path(f"/proc/{self._pid}/root{inside}")

    def put(self, inside, content, mode=0o644):
        path = self.path(inside)
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, pathlib.Path):
            shutil.copy(content, path)
        else:
            path.write_text(content, encoding="utf-8")
        path.chmod(mode)

    def run(self, *words):
        return subprocess.run(
            ["nsenter", "--target", self._pid, "--all", "--root", "--wd", "--", *words],
            capture_output=True, text=True, check=False, timeout=waiting.LIMIT,
        )

    def systemctl(self, *words):
        return self.run("systemctl", *words)

    def show(self, unit, *properties):
        """Their values, as words."""
        text = self.systemctl("show", unit, "--property", ",".join(properties)).stdout
        found = dict(line.split("=", 1) for line in text.splitlines())
        return [found[name] for name in properties]


def _is_removed(path):
    try:
        path.rmdir()
    except FileNotFoundError:
        pass
    except OSError:
        return False
    return True
