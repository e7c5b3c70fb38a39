"""What a program gives up once it runs, and that it still does its work."""

import os
import pathlib
import re
import shutil
import signal
import tempfile

import pytest

from harness.changes import rewrite
from harness.seccomp import refusing
from harness.pairs import Pair, client_options, is_sanitized, routeport, routeport_client, routeport_server, server_options, write_ini
from harness.talks import echo


root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


def status(end, field):
    """Of all its threads: a word for each."""
    words = set()
    for task in pathlib.Path(f"/proc/{end.process.pid}/task").iterdir():
        text = (task / "status").read_text(encoding="ascii")
        words.add(" ".join(re.search(rf"^{field}:[ \t]*(.*)$", text, re.MULTILINE).group(1).split()))
    return words


@pytest.fixture
def start_pair(place, router, pod_port, app):
    def start(**options):
        server = routeport_server(place, app.address, port=pod_port, **options)
        return Pair(routeport_client(place, router.port, **options), server, app)

    return start


def test_no_thread_gains_privileges_any_more(start_pair):
    pair = start_pair(sandbox="yes")
    echo(pair.open())
    for end in pair.ends():
        assert status(end, "NoNewPrivs") == {"1"}


def test_files_elsewhere_are_out_of_reach(start_pair, place, tmp_path_factory, certificates):
    """The reload that needs one changes nothing, and says so."""
    pair = start_pair(sandbox="yes")
    if pair.client.process.lines_with("the kernel has no Landlock"):
        pytest.skip("the kernel has no Landlock")
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "client.crt"
    shutil.copy(certificates.client.certificate, elsewhere)
    rewrite(pair.client, str(certificates.client.certificate), str(elsewhere))
    pair.client.process.send_signal(signal.SIGHUP)
    line = pair.client.process.wait_line("error event=reload-failed")
    assert "Permission denied" in line and str(elsewhere) in line
    assert f"; {elsewhere.parent} is outside of the sandbox" in line
    echo(pair.open())
    rewrite(pair.client, "[svc]", f"output = {elsewhere.parent}/log\n[svc]")
    rewrite(pair.client, str(elsewhere), str(certificates.client.certificate))
    pair.client.process.send_signal(signal.SIGHUP)
    line = pair.client.process.wait_line("error event=reload-failed", 2)
    assert f"; {elsewhere.parent} is outside of the sandbox" in line


def test_the_file_and_its_certificates_are_within_reach(start_pair):
    pair = start_pair(sandbox="yes")
    rewrite(pair.client, "[svc]", "[svc]\nTIMEOUTidle = 77")
    pair.client.process.send_signal(signal.SIGHUP)
    pair.client.process.wait_line("event=reloaded")
    echo(pair.open())


def test_without_the_sandbox_files_elsewhere_are_within_reach(start_pair, tmp_path_factory, certificates):
    pair = start_pair(sandbox="no")
    assert status(pair.client, "NoNewPrivs") == {"0"}
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "client.crt"
    shutil.copy(certificates.client.certificate, elsewhere)
    rewrite(pair.client, str(certificates.client.certificate), str(elsewhere))
    pair.client.process.send_signal(signal.SIGHUP)
    pair.client.process.wait_line("event=reloaded")


LANDLOCK = ("landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self")
OPTIONAL = (*LANDLOCK, "prctl", "sched_getaffinity", "sched_setaffinity", "prlimit64", "getrlimit", "setrlimit")
OPTIONAL += ("close_range", "membarrier", "epoll_pwait2", "rseq", "statx", "clone3", "io_uring_setup")
# With EPERM libc itself does without neither of these.
NEEDED = {"EPERM": {"statx", "clone3"}, "ENOSYS": set()}


@pytest.mark.parametrize("calls", [LANDLOCK, *((call,) for call in LANDLOCK), OPTIONAL], ids=["landlock", *LANDLOCK, "all"])
@pytest.mark.parametrize("answer", ["EPERM", "ENOSYS"])
def test_calls_that_are_refused_are_done_without(start_pair, answer, calls):
    """Filters of container engines and of systemd know not all that the kernel has."""
    calls = [call for call in calls if call not in NEEDED[answer]]
    pair = start_pair(sandbox="yes", inside=refusing(answer, *calls))
    echo(pair.open())
    for end in pair.ends():
        if answer == "EPERM":
            assert end.process.lines_with("warning event=sandbox detail=\"Landlock is refused"), end.process.lines
        else:
            assert end.process.lines_with("info event=sandbox detail=\"the kernel has no Landlock")
        assert bool(end.process.lines_with("warning event=sandbox detail=\"prctl is refused")) == ("prctl" in calls)


def test_the_processors_are_counted_without_the_affinity_mask(place, router):
    if len(os.sched_getaffinity(0)) != os.cpu_count():
        pytest.skip("not all processors are ours")
    counts = []
    for inside in ([], refusing("EPERM", "sched_getaffinity")):
        client = routeport_client(place, router.port, workers=0, inside=inside)
        counts.append(re.search(r"workers=(\d+)", client.process.wait_line("event=ready"))[1])
    assert counts[0] == counts[1]


@root
@pytest.mark.parametrize(
    "names",
    [{"setuid": "nobody"}, {"setuid": "nobody", "setgid": "nogroup"}, {"setuid": "65534", "setgid": "65534"}],
    ids=["name", "names", "numbers"],
)
def test_it_becomes_the_user_asked_for(start_pair, names):
    pair = start_pair(**names)
    echo(pair.open())
    for end in pair.ends():
        assert status(end, "Uid") == {"65534 65534 65534 65534"}
        assert status(end, "Gid") == {"65534 65534 65534 65534"}
        assert status(end, "Groups") == {""}
        end.process.wait_line("warning event=unreadable")
        assert not end.process.lines_with("renewal-failed")


@root
@pytest.mark.parametrize("groups, starts", [("0", True), ("0,4", False)])
def test_groups_that_it_cannot_leave_are_none_but_its_own(place, router, groups, starts):
    """It may not leave any: only where there is nothing to leave it starts."""
    service = {"accept": f"127.0.0.1:{place.ports.reserve()}", **client_options(place, router.port)}
    path = write_ini(place.folder / "client.ini", {"setgid": "0"}, service)
    without_right = ["setpriv", "--bounding-set=-setgid", f"--groups={groups}"]
    process = place.processes.start([*without_right, routeport("client"), path])
    if starts:
        process.wait_line("event=ready")
    else:
        assert "setgid: leaving other groups" in process.wait_line("event=exit")
        assert process.wait_exit() == 1


@root
def test_a_key_that_only_root_reads_keeps_the_old_one_in_use(start_pair, place):
    """It was opened before the rights were given up; a reload cannot open it again."""
    pair = start_pair(setuid="nobody")
    rewrite(pair.client, "[svc]", "[svc]\nTIMEOUTidle = 77")
    pair.client.process.send_signal(signal.SIGHUP)
    line = pair.client.process.wait_line("error event=reload-failed")
    assert "Permission denied" in line and "sandbox" not in line
    echo(pair.open())


@root
def test_it_works_in_another_root(start_pair, place):
    folder = place.folder / "root"
    folder.mkdir()
    pair = start_pair(chroot=folder, setuid="nobody")
    echo(pair.open())
    for end in pair.ends():
        assert os.readlink(f"/proc/{end.process.pid}/root") == str(folder)


def test_the_process_number_is_in_the_other_root_while_it_runs(place, router):
    folder = place.folder / "root"
    folder.mkdir()
    service = {"accept": f"127.0.0.1:{place.ports.reserve()}", **client_options(place, router.port), "delay": "yes"}
    before = {"chroot": folder, "pid": "/client.pid"} | ({"sandbox": "no"} if is_sanitized() else {})
    process = place.processes.start([routeport("client"), write_ini(place.folder / "client.ini", before, service)])
    process.wait_line("event=ready")
    assert (folder / "client.pid").read_text(encoding="ascii") == f"{process.pid}\n"
    process.stop()
    assert not (folder / "client.pid").exists()


@root
@pytest.mark.parametrize("owner, mode, stays", [(0, 0o755, True), (65534, 0o755, False), (0, 0o1777, False), (0, 0o777, False)])
def test_a_process_number_that_stays_is_warned_about(place, router, owner, mode, stays):
    """Root's own files stay; in any other folder the user of setuid writes it himself."""
    with tempfile.TemporaryDirectory(prefix="routeport-", dir="/run") as folder:
        os.chmod(folder, mode)
        os.chown(folder, owner, -1)
        service = {"accept": f"127.0.0.1:{place.ports.reserve()}", **client_options(place, router.port)}
        before = {"setuid": "nobody", "pid": f"{folder}/client.pid", "sandbox": "no"}
        process = place.processes.start([routeport("client"), write_ini(place.folder / "client.ini", before, service)])
        process.wait_line("event=ready")
        assert bool(process.lines_with("warning event=pid-stays file=client.pid")) == stays
        process.stop()
        assert os.path.exists(f"{folder}/client.pid") == stays


@pytest.mark.parametrize("option, what, name", [("setuid", "user", "nosuchuser"), ("setgid", "group", "nosuchgroup")])
def test_one_that_is_unknown_is_named(place, router, option, what, name):
    service = {"accept": f"127.0.0.1:{place.ports.reserve()}", **client_options(place, router.port)}
    path = write_ini(place.folder / "client.ini", {option: name}, service)
    process = place.processes.start([routeport("client"), path])
    assert f"has no {what} {name}" in process.wait_line("event=exit")
    assert process.wait_exit() == 1


def test_the_system_s_store_is_within_reach(place, router, pod_port, app, certificates):
    """It is read again by a reload."""
    server = routeport_server(place, app.address, port=pod_port, sandbox="yes")
    store = ["env", f"SSL_CERT_FILE={certificates.authority}"]
    pair = Pair(routeport_client(place, router.port, CAfile=None, inside=store, sandbox="yes"), server, app)
    echo(pair.open())
    rewrite(pair.client, "[svc]", "[svc]\nTIMEOUTidle = 77")
    pair.client.process.send_signal(signal.SIGHUP)
    pair.client.process.wait_line("event=reloaded")
    echo(pair.open())


def test_a_key_that_everybody_reads_is_warned_about(place, router, certificates):
    key = place.folder / "open.key"
    shutil.copy(certificates.client.key, key)
    key.chmod(0o644)
    client = routeport_client(place, router.port, key=key)
    client.process.wait_line("warning event=key-readable .*open.key")
    key = place.folder / "group.key"
    shutil.copy(certificates.client.key, key)
    key.chmod(0o440)
    assert not routeport_client(place, router.port, key=key).process.lines_with("key-readable")


@pytest.mark.parametrize("mode, warned", [(0o644, True), (0o640, False)])
def test_a_file_with_secrets_that_everybody_reads_is_warned_about(place, app, mode, warned):
    secrets = {"ticketKeySecret": "0f" * 32, "ticketMacSecret": "a5" * 16}
    service = {"accept": f"127.0.0.1:{place.ports.reserve()}", **server_options(place, app.address), **secrets}
    path = write_ini(place.folder / "server.ini", {}, service)
    path.chmod(mode)
    server = place.processes.start([routeport("server"), path])
    server.wait_line("event=ready")
    assert bool(server.lines_with("event=key-readable .*server.ini")) == warned
