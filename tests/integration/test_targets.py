"""Several `connect` lines: which one is tried, when, and what is said of those that fail."""

import contextlib
import itertools
import select
import threading
import time

import pytest

from harness import waiting
from harness.certificates import HOST
from harness.pairs import parse_line
from harness.programs import App, Ending, is_reset, legacy_program, listen, random_bytes

WORDS = random_bytes(5000)


class Site:
    """A router with a pod behind it and an app of its own."""

    def __init__(self, router, server, app, port):
        self.router = router
        self.server = server
        self.app = app
        self.pods = {HOST: [port]}

    @property
    def address(self):
        return f"127.0.0.1:{self.router.port}"


@pytest.fixture
def make_site(place, start_server, make_router):
    with contextlib.ExitStack() as apps:

        def make(ready=True, app_is_up=True):
            app = apps.enter_context(contextlib.closing(App(place.ports.reserve())))
            port = place.ports.reserve()
            server = start_server(app.address, port=port)
            if not app_is_up:
                app.close()
            return Site(make_router({HOST: [port] if ready else []}), server, app, port)

        yield make


def visit(client, *sites):
    """A stream there and back.  Says which of the sites had it."""
    program = legacy_program(client.port)
    program.send(WORDS)
    waiting.until(lambda: any(site.app.has_visitor() for site in sites), "an app has a visitor")
    (site,) = [site for site in sites if site.app.has_visitor()]
    visitor = site.app.accept()
    assert visitor.receive(len(WORDS)) == WORDS
    visitor.send(WORDS)
    assert program.receive(len(WORDS)) == WORDS
    program.close()
    visitor.close()
    return site


def start(start_client, *addresses, **options):
    return start_client(0, connect=list(addresses), **options)


def errors(end):
    return [parse_line(line) for line in end.process.lines_with(r"^\S+ error ")]


def test_prio_takes_the_first_that_does_not_rest(start_client, make_site):
    first, second = make_site(), make_site()
    client = start(start_client, first.address, second.address)
    for _ in range(6):
        assert visit(client, first, second) is first


def test_prio_goes_back_to_the_first_when_it_answers_again(start_client, make_site):
    first, second = make_site(ready=False), make_site()
    client = start(start_client, first.address, second.address)
    for _ in range(3):
        assert visit(client, first, second) is second
    fields = parse_line(client.process.wait_line("event=target-rests"))
    assert (fields["target"], fields["why"]) == (first.address, "no-pod")
    first.router.reload(first.pods)
    waiting.until(lambda: visit(client, first, second) is first, "the first target is tried again")
    assert parse_line(client.process.wait_line("event=target-back"))["target"] == first.address
    for _ in range(3):
        assert visit(client, first, second) is first
    assert len(client.process.lines_with("event=target-rests")) == 1
    assert errors(client) == []


def test_rr_takes_them_in_turn(start_client, make_site):
    sites = [make_site(), make_site()]
    client = start(start_client, *(site.address for site in sites), failover="rr")
    had = [visit(client, *sites) for _ in range(8)]
    assert [one is other for one, other in itertools.pairwise(had)] == [False] * 7


def test_rr_passes_over_one_that_rests(start_client, make_site, place):
    sites = [make_site(), make_site()]
    dead = f"127.0.0.1:{place.ports.reserve()}"
    client = start(start_client, sites[0].address, dead, sites[1].address, failover="rr")
    had = {visit(client, *sites) for _ in range(6)}
    assert had == set(sites)
    assert parse_line(client.process.wait_line("event=target-rests"))["target"] == dead


class Unready:
    """Closes whatever connects, as a router does whose route has no pod; counts them."""

    def __init__(self, port):
        self._socket = listen(port)
        self.count = 0
        self.address = f"127.0.0.1:{port}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                visitor = self._socket.accept()[0]
                self.count += 1
                visitor.recv(1)
                visitor.close()

    def close(self):
        self._socket.close()


def test_target_that_rests_is_not_asked(start_client, make_site, place):
    site = make_site()
    streams = 40
    with contextlib.closing(Unready(place.ports.reserve())) as unready:
        began = time.monotonic()
        client = start(start_client, unready.address, site.address, delay="yes")
        for _ in range(streams):
            assert visit(client, site) is site
        # The shortest rest is 0.75 s.
        most = 2 + (time.monotonic() - began) / 0.75
        assert most < streams, "too slow to tell"
        assert 1 <= unready.count <= most
    assert len(client.process.lines_with("event=target-rests")) == 1


def test_black_hole_leaves_time_for_the_next(start_client, make_site, place):
    site = make_site()
    with listen(place.ports.reserve()) as silent:
        hole = f"127.0.0.1:{silent.getsockname()[1]}"
        client = start(start_client, hole, site.address, TIMEOUTconnect=4)
        assert visit(client, site) is site
    fields = parse_line(client.process.wait_line("event=target-rests"))
    assert (fields["target"], fields["why"]) == (hole, "open-timeout")
    assert errors(client) == []


def is_open(sock):
    """The other side has ended nothing; what it said does not matter."""
    poller = select.poll()
    poller.register(sock, select.POLLRDHUP)
    return not poller.poll(0)


def test_target_that_rests_is_tried_beside_a_well_one(start_client, make_site, place):
    """Streams pass while a look at a black hole lasts, after its first rest too: none waits for the 3 s
    that it has."""
    site = make_site()
    with contextlib.ExitStack() as stack:
        hole = stack.enter_context(listen(place.ports.reserve()))
        client = start(start_client, f"127.0.0.1:{hole.getsockname()[1]}", site.address, TIMEOUTconnect=6)
        assert visit(client, site) is site
        client.process.wait_line("event=target-rests")
        rested = time.monotonic()
        hole.setblocking(False)
        looks, lasted, beside = [], [], False
        while time.monotonic() < rested + 2.5 or not beside:
            with contextlib.suppress(BlockingIOError):
                looks.append(stack.enter_context(hole.accept()[0]))
            under_way = [look for look in looks if is_open(look)]
            began = time.monotonic()
            assert visit(client, site) is site
            lasted.append(time.monotonic() - began)
            beside = beside or any(is_open(look) for look in under_way)
            assert time.monotonic() < rested + 20, "no stream began and ended beside a look"
        assert max(lasted) < 2


def test_if_all_fail_the_program_is_reset_and_one_line_tells_of_each(start_client, place, make_site):
    dead, unready = f"127.0.0.1:{place.ports.reserve()}", make_site(ready=False)
    client = start(start_client, dead, unready.address)
    for _ in range(4):
        assert is_reset(client.port, WORDS)
        client.expect_close({"connect-failed", "no-pod"})
    failures = errors(client)
    assert {fields["event"] for fields in failures} == {"failed"}
    # One for each order in which they were tried.
    assert 1 <= len(failures) <= 2
    assert failures[0]["why"] == "connect-failed"
    for fields in failures:
        assert f"{dead}: connect-failed (connect {dead}: Connection refused)" in fields["detail"]
        assert f"{unready.address}: no-pod (" in fields["detail"]
    assert len(client.process.lines_with("event=target-rests")) == 2


def test_one_target_never_rests(start_client, make_site):
    site = make_site(ready=False)
    client = start(start_client, site.address)
    assert is_reset(client.port, WORDS)
    site.router.reload(site.pods)
    assert visit(client, site) is site
    assert client.process.lines_with("event=target-rests") == []


def test_server_takes_the_next_app(start_server, start_client, make_router, place, pod_port, app):
    dead = f"127.0.0.1:{place.ports.reserve()}"
    server = start_server(0, connect=[dead, f"127.0.0.1:{app.address}"])
    client = start_client(make_router({HOST: [pod_port]}).port)
    for _ in range(3):
        program = legacy_program(client.port)
        program.send(WORDS)
        visitor = app.accept()
        assert visitor.receive(len(WORDS)) == WORDS
        visitor.close()
        program.close()
    fields = parse_line(server.process.wait_line("event=target-rests"))
    assert (fields["target"], fields["why"]) == (dead, "app-unreachable")
    assert errors(server) == []


@pytest.mark.parametrize("failover", ["prio", "rr"])
def test_app_that_is_down_behind_one_target_is_looked_for_behind_the_next(start_client, make_site, kind, failover):
    if kind == "raw":
        pytest.skip("a raw carrier has no word for it")
    lame, good = make_site(app_is_up=False), make_site()
    client = start(start_client, lame.address, good.address, failover=failover)
    for _ in range(4):
        assert visit(client, good) is good
    fields = parse_line(client.process.wait_line("event=target-rests"))
    assert (fields["target"], fields["why"]) == (lame.address, "app-unreachable")


def test_program_that_waits_for_a_black_hole_may_leave(start_client, place, make_site):
    site = make_site()
    with listen(place.ports.reserve()) as silent:
        client = start(start_client, f"127.0.0.1:{silent.getsockname()[1]}", site.address)
        program = legacy_program(client.port)
        client.process.wait_line("event=accept")  # of one that is reset before, accept(2) says nothing
        program.reset()
        client.expect_close("program-gone")
    assert visit(client, site) is site


def test_all_targets_of_the_server_fail(start_server, start_client, make_router, place, pod_port):
    dead = [f"127.0.0.1:{place.ports.reserve()}" for _ in range(2)]
    server = start_server(0, connect=dead)
    client = start_client(make_router({HOST: [pod_port]}).port)
    program = legacy_program(client.port)
    program.send(WORDS)
    assert program.receive_to_end() == (b"", Ending.RST)
    server.expect_close("app-unreachable")
    failures = errors(server)
    # One for each order in which they were tried.
    assert 1 <= len(failures) <= 2
    for fields, address in itertools.product(failures, dead):
        assert f"{address}: app-unreachable (connect {address}: Connection refused)" in fields["detail"]
