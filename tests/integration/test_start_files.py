"""Who opens the log and the pid file: root only by a path that nobody else can bend."""

import os
import pathlib
import shutil
import signal
import tempfile

import pytest

from harness import waiting
from harness.pairs import routeport, write_ini

NOBODY = 65534
PRECIOUS = "precious\n"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives rights up")


@pytest.fixture
def base():
    """A folder that nobody but root can bend, unlike one below /tmp."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="routeport-", dir="/run"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def own(base):
    """One in which the user of setuid does what he likes."""
    folder = base / "own"
    folder.mkdir()
    os.chown(folder, NOBODY, NOBODY)
    return folder


@pytest.fixture
def victim(base):
    path = base / "victim"
    path.write_text(PRECIOUS, encoding="ascii")
    path.chmod(0o600)
    return path


@pytest.fixture
def start(place, base):
    """A client that needs no file of root's again."""

    def start(**options):
        service = {"accept": f"127.0.0.1:{place.ports.reserve()}", "connect": "127.0.0.1:1", "verifyChain": "no", "delay": "yes"}
        path = write_ini(base / "client.ini", {"setuid": "nobody", **options}, service)
        return place.processes.start([routeport("client"), path])

    return start


def owner(path):
    return path.stat().st_uid


def lines_of(path):
    return path.read_text(encoding="ascii").splitlines()


def wait_in(path, words):
    waiting.until(lambda: path.exists() and any(words in line for line in lines_of(path)), f"{words} in {path.name}")


def plant(kind, own, victim):
    """Returns the path that leads to the victim, or nowhere good."""
    trap = own / "trap"
    if kind == "link":
        trap.symlink_to(victim)
    elif kind == "relative link":
        trap.symlink_to(pathlib.Path("..") / victim.name)
    elif kind == "folder":
        trap.symlink_to(victim.parent)
        return trap / victim.name
    elif kind == "folder above":
        trap.mkdir()
        return trap / ".." / ".." / victim.name
    elif kind == "hard link":
        os.link(victim, trap)
    elif kind == "fifo":
        os.mkfifo(trap)
        os.chown(trap, NOBODY, NOBODY)
    return trap


KINDS_OF_TRAPS = ["link", "relative link", "folder", "folder above", "hard link", "fifo"]


@pytest.mark.parametrize("trap", KINDS_OF_TRAPS)
@pytest.mark.parametrize("options", [{"output": True}, {"output": True, "log": "overwrite"}, {"pid": True}], ids=["log", "log-overwrite", "pid"])
def test_what_the_user_has_put_there_leads_nowhere(start, own, victim, trap, options):
    path = plant(trap, own, victim)
    process = start(**{name: path if value is True else value for name, value in options.items()})
    assert process.wait_exit() == 1
    why = "No such device or address" if trap == "fifo" else "Permission denied"
    line = process.wait_line("error event=exit")
    assert why in line and "with the rights of setuid" in line
    assert victim.read_text(encoding="ascii") == PRECIOUS
    assert os.listdir(victim.parent / "own") == ["trap"]


def test_what_is_the_users_is_opened_as_the_user(start, own):
    process = start(output=own / "x.log", pid=own / "x.pid")
    process.wait_line("event=ready")
    wait_in(own / "x.log", "event=ready")
    assert lines_of(own / "x.pid") == [str(process.pid)]
    assert owner(own / "x.log") == owner(own / "x.pid") == NOBODY
    process.send_signal(signal.SIGUSR1)
    wait_in(own / "x.log", "event=log-opened")
    process.stop()
    assert not (own / "x.pid").exists()


def test_what_is_roots_alone_is_opened_by_root(start, base):
    """Through links of root's, too, such as /var/run."""
    (base / "real").mkdir()
    (base / "link").symlink_to("real")
    process = start(output=base / "link/x.log", pid=f"/var/run/{base.name}/x.pid")
    process.wait_line("event=ready")
    wait_in(base / "real/x.log", "event=ready")
    assert owner(base / "real/x.log") == NOBODY and (base / "real/x.log").stat().st_mode & 0o777 == 0o600
    assert lines_of(base / "x.pid") == [str(process.pid)] and owner(base / "x.pid") == 0
    process.wait_line("warning event=pid-stays file=x.pid")


@pytest.mark.parametrize("writable", [0o775, 0o757, 0o1777])
def test_a_folder_that_others_may_write_to_is_not_roots_alone(start, base, victim, writable):
    (base / "shared").mkdir()
    (base / "shared").chmod(writable)
    (base / "shared/x.log").symlink_to(victim)
    assert start(output=base / "shared/x.log").wait_exit() == 1
    assert victim.read_text(encoding="ascii") == PRECIOUS


@pytest.mark.parametrize("way", ["create", "copytruncate", "nothing"])
@pytest.mark.parametrize("before", ["new", "of root's"])
def test_a_log_that_is_rotated_goes_on(start, base, way, before):
    """As logrotate does it: `create` gives the new file the owner of the old one."""
    log = base / "x.log"
    if before == "of root's":
        log.write_text("old\n", encoding="ascii")
        log.chmod(0o600)
    process = start(output=log)
    process.wait_line("event=ready")
    if way == "create":
        log.rename(base / "x.log.1")
        log.touch(mode=0o600)
        os.chown(log, owner(base / "x.log.1"), -1)
    elif way == "copytruncate":
        os.truncate(log, 0)
    process.send_signal(signal.SIGUSR1)
    if way == "create" and before == "of root's":
        # The user may not write to such a file: said, and the old one is used.
        assert "Permission denied" in process.wait_line("error event=log-failed")
        process.send_signal(signal.SIGHUP)
        process.wait_line("event=reloaded")
        wait_in(base / "x.log.1", "event=reloaded")
        return
    process.wait_line("event=log-opened")
    process.send_signal(signal.SIGHUP)
    process.wait_line("event=reloaded")
    wait_in(log, "event=log-opened")
    wait_in(log, "event=reloaded")
    assert bool([line for line in lines_of(log) if "event=ready" in line]) == (way == "nothing")
    assert not process.lines_with("log-failed")


def test_a_log_that_moves_by_a_reload_is_opened_as_the_user(start, base, own, victim):
    process = start(output=base / "x.log")
    process.wait_line("event=ready")
    ini = base / "client.ini"
    text = ini.read_text(encoding="ascii")
    (own / "trap").symlink_to(victim)
    ini.write_text(text.replace(str(base / "x.log"), str(own / "trap")), encoding="ascii")
    process.send_signal(signal.SIGHUP)
    assert "Permission denied" in process.wait_line("error event=reload-failed")
    assert victim.read_text(encoding="ascii") == PRECIOUS
    wait_in(base / "x.log", "event=reload-failed")


def test_stdout_may_be_the_log(start):
    process = start(output="/dev/stdout", foreground="quiet")
    process.wait_line("event=ready")
    process.send_signal(signal.SIGUSR1)
    process.wait_line("event=log-opened")
    process.send_signal(signal.SIGHUP)
    process.wait_line("event=reloaded")
    assert not process.lines_with("log-failed")


def test_in_another_root_links_lead_nowhere_else(start, base, own, victim):
    """Root follows its own links as they lead in there; those of the user are his."""
    jail = base / "jail"
    (jail / "inside").mkdir(parents=True)
    (jail / "run").symlink_to("/inside")
    process = start(chroot=jail, pid="/run/x.pid", output=base / "x.log")
    process.wait_line("event=ready")
    assert lines_of(jail / "inside/x.pid") == [str(process.pid)] and owner(jail / "inside/x.pid") == 0
    wait_in(base / "x.log", "event=ready")
    process.stop()

    os.chown(jail / "inside", NOBODY, NOBODY)
    (jail / "inside/x.pid").unlink()
    (jail / "inside/x.pid").symlink_to(victim)
    (jail / "inside/x.log").symlink_to(f"../../{victim.name}")
    for options in ({"pid": "/run/x.pid"}, {"output": "/inside/x.log"}):
        process = start(chroot=jail, **options)
        assert process.wait_exit() == 1
        assert "in the folder of chroot" in process.wait_line("error event=exit")
    assert victim.read_text(encoding="ascii") == PRECIOUS
    (jail / "inside/x.log").unlink()
    process = start(chroot=jail, output="/inside/x.log")
    process.wait_line("event=ready")
    wait_in(jail / "inside/x.log", "event=ready")
    assert owner(jail / "inside/x.log") == NOBODY
