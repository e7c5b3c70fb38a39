"""Fixtures: what stands around a test.  See harness/ for what they are made of."""

import contextlib
import functools
import pathlib
import resource
import signal
import subprocess
import tempfile

import pytest

from harness import fault_table, faults, pairs, programs, waiting
from harness.certificates import HOST, Certificates
from harness.namespaces import TwoHosts
from harness.ports import Ports
from harness.processes import Processes
from harness.programs import App
from harness.router import Router

SANITIZERS = r"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:|Assertion .* failed"

# How long one seed lasts.
KILLS_SECONDS = 4

CRASHES = {-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS, -signal.SIGILL, -signal.SIGFPE}


def pytest_addoption(parser):
    parser.addoption(
        "--pair", default="routeport", choices=("routeport", "stunnel"), help="whose pair is tested for its endings"
    )
    parser.addoption("--kills-seed", type=int, default=1, help="what the random kills begin with")
    parser.addoption("--kills-seconds", type=float, default=16, help="how long they last in all")
    parser.addoption("--soak-seconds", type=float, default=0, help="how long the soak lasts in all; 0: there is none")
    parser.addoption("--faults-sample", type=int, default=2, help="how many cells for each fault; 0: all")
    parser.addoption("--faults-seed", type=int, default=1, help="what the sample is drawn with")
    parser.addoption("--faults-table", action="store_true", help="write the table in tests/README.md if all cells pass")
    parser.addoption("--kinds", default="raw,h2", help="carriers to test: raw, h2 or raw,h2")


def pytest_configure(config):
    if config.getoption("--faults-table") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(FaultTable())
    raise_descriptor_limit(4096)  # a thousand streams have two thousand ends here
    if config.getoption("--pair") == "stunnel":
        waiting.LIMIT = 5  # its failures are expected, and some of them are waits
    elif not pairs.routeport("client").exists():
        raise pytest.UsageError(f"no routeport-client in {pairs.BUILD}: run make, or set ROUTEPORT_BUILD")


def raise_descriptor_limit(least):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < least:
        resource.setrlimit(resource.RLIMIT_NOFILE, (least, hard))


def pytest_generate_tests(metafunc):
    """Tests of the pair run with one worker and with three, and on the kinds of carriers that
    --kinds names, unless their module says that these make no difference to them."""
    stunnel = metafunc.config.getoption("--pair") == "stunnel"
    if "workers" in metafunc.fixturenames:
        counts = [1] if stunnel else getattr(metafunc.module, "WORKERS", [1, 3])
        metafunc.parametrize("workers", counts, ids=lambda count: f"workers-{count}")
    if "kills_seed" in metafunc.fixturenames:
        # Four tests, on both kinds and both numbers of workers, have as many seeds as fit in.
        first = metafunc.config.getoption("--kills-seed")
        rounds = max(1, round(metafunc.config.getoption("--kills-seconds") / 4 / KILLS_SECONDS))
        metafunc.parametrize("kills_seed", range(first, first + rounds), ids=lambda seed: f"seed-{seed}")
    if "cell" in metafunc.fixturenames:
        option = metafunc.config.getoption
        chosen = faults.cells(option("--kinds").split(","), option("--faults-sample"), option("--faults-seed"))
        metafunc.parametrize("cell", chosen, ids=str)
    if "kind" in metafunc.fixturenames:
        asked = ["raw"] if stunnel else metafunc.config.getoption("--kinds").split(",")
        metafunc.parametrize("kind", [kind for kind in getattr(metafunc.module, "KINDS", asked) if kind in asked])


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """A failure shows the logs of all processes that the test had."""
    report = (yield).get_result()
    place = getattr(item, "funcargs", {}).get("place")
    if place and report.failed:
        for process in place.processes.all:
            report.sections.append((f"log of {process.name}", "\n".join(process.lines[-60:])))


class FaultTable:
    """Fills the table in tests/README.md in once every cell has passed; where the tests are run, not in xdist's
    workers."""

    def __init__(self):
        self._seen = set()

    def pytest_runtest_logreport(self, report):
        if report.when == "call" and report.passed:
            self._seen |= {value for name, value in report.user_properties if name == "cell"}

    def pytest_terminal_summary(self, terminalreporter):
        missing = fault_table.write(self._seen)
        terminalreporter.write_line(
            f"the table stays as it is: {len(missing)} cells did not pass, {missing[0]} among them"
            if missing
            else "the table is of this run"
        )


def pytest_terminal_summary(terminalreporter):
    """What tests want to have told although they passed."""
    for report in terminalreporter.getreports("passed"):
        for name, words in report.user_properties:
            if name == "summary" and report.when == "call":
                terminalreporter.write_line(words)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def place(tmp_path, certificates):
    """Where the test happens; what was started there is ended afterwards."""
    with contextlib.closing(Ports()) as ports, contextlib.closing(Processes()) as processes:
        yield pairs.Place(tmp_path, certificates, processes, ports)
        programs.close_all()
    for process in processes.all:
        assert not process.lines_with(SANITIZERS), f"{process.name} has a bug"
        assert process.wait_exit() not in CRASHES, f"{process.name} crashed"


@pytest.fixture
def short_folder():
    """For Unix sockets, whose paths must be short."""
    with tempfile.TemporaryDirectory(prefix="routeport-") as path:
        yield pathlib.Path(path)


@pytest.fixture
def pod_port(place):
    """Where the router finds the server."""
    return place.ports.reserve()


@pytest.fixture
def make_router(place):
    def make(routes, **settings):
        number = len(place.processes.all)
        default = settings.pop("default", place.certificates.wildcard)
        folder = place.folder / f"router-{number}"
        return Router(place.processes, folder, place.ports.reserve(), default=default, routes=routes, **settings)

    return make


@pytest.fixture
def router(make_router, pod_port):
    """A router with one route, which leads to `pod_port`."""
    return make_router({HOST: [pod_port]})


@pytest.fixture
def app(place):
    with contextlib.closing(App(place.ports.reserve())) as app:
        yield app


@pytest.fixture
def two_hosts():
    """Two hosts with a cable between them."""
    try:
        hosts = TwoHosts()
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"network namespaces need root and iproute2: {error}")
    with contextlib.closing(hosts):
        yield hosts


# One end alone may meet somebody else's; the pair must agree.
MULTIPLEX = {"raw": "no", "h2": "auto"}
PAIR_MULTIPLEX = {"raw": "no", "h2": "yes"}


@pytest.fixture
def start_client(request, place, workers, kind):
    """Starts the client end that is tested, towards a port, with options."""
    start = pairs.stunnel_client if request.config.getoption("--pair") == "stunnel" else pairs.routeport_client
    return functools.partial(start, place, workers=workers, multiplex=MULTIPLEX[kind])


@pytest.fixture
def start_server(request, place, workers, kind, pod_port):
    """Starts the server end that is tested, before an app, with options."""
    start = pairs.stunnel_server if request.config.getoption("--pair") == "stunnel" else pairs.routeport_server
    return functools.partial(start, place, workers=workers, multiplex=MULTIPLEX[kind], port=pod_port)


@pytest.fixture
def make_pair(start_client, start_server, router, app, kind):
    """Starts the pair that is tested, with options for both ends or for one of them."""

    def make(client=None, server=None, **both):
        both.setdefault("multiplex", PAIR_MULTIPLEX[kind])
        server_end = start_server(app.address, **both, **(server or {}))
        client_end = start_client(router.port, **both, **(client or {}))
        return pairs.Pair(client_end, server_end, app)

    return make


@pytest.fixture
def pair(make_pair):
    """The pair with its usual options."""
    return make_pair()


@pytest.fixture(params=["legacy program", "app"])
def acts(request):
    """Which of the two programs acts; the other one watches."""
    return request.param


@pytest.fixture
def stream(pair, acts):
    return pair.open(acts)


@pytest.fixture
def kills_seconds():
    return KILLS_SECONDS
