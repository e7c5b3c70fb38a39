"""Real programs through the pair, and real amounts: many bytes, many streams, a reader that
stops."""

import asyncio
import concurrent.futures
import contextlib
import os
import pathlib
import pwd
import shutil
import subprocess
import tempfile

import pytest

from harness.pairs import is_sanitized
from harness.ports import Ports
from harness.processes import Processes
from harness.programs import CHUNK, Ending, random_bytes

WORDS = random_bytes(5000)
LARGE = random_bytes(2_000_000)
MEBIBYTE = 1 << 20
GIBIBYTE = 1 << 30
STREAMS = 1000
STALLED = 20
BUDGET = 4  # MiB

# Simple apps


def test_echo(pair):
    stream = pair.open()
    for size in (1, 100, 16384, 16385, 100_000):
        stream.one.send(LARGE[:size])
        stream.other.send(stream.other.receive(size))
        assert stream.one.receive(size) == LARGE[:size]


def test_discard(pair):
    stream = pair.open()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        discarded = pool.submit(stream.other.receive_to_end)
        for _ in range(10):
            stream.one.send(LARGE)
        stream.one.finish()
        assert discarded.result() == (LARGE * 10, Ending.FIN)


def test_app_that_speaks_first(pair):
    stream = pair.open()
    stream.other.send(b"220 ready\r\n")
    assert stream.one.receive(11) == b"220 ready\r\n"
    stream.one.send(b"QUIT\r\n")
    assert stream.other.receive(6) == b"QUIT\r\n"


# Redis and PostgreSQL


def test_redis_benchmark(start_client, start_server, router, place):
    port = place.ports.reserve()
    redis = place.processes.start(
        ["redis-server", "--bind", "127.0.0.1", "--port", port, "--save", "", "--dir", place.folder]
    )
    redis.wait_line("Ready to accept connections")
    start_server(port)
    client = start_client(router.port)
    benchmark = place.processes.start(
        [
            *("redis-benchmark", "-h", "127.0.0.1", "-p", client.port),
            *("-t", "ping,set,get,incr,lpush,lrange_100,mset", "-n", "4000", "-c", "50", "-d", "1000", "--csv"),
        ]
    )
    assert benchmark.wait_exit() == 0
    assert len(benchmark.lines_with(r'^"[A-Z]')) >= 7
    assert not benchmark.lines_with("(?i)error")
    assert client.complaints() == []


@pytest.fixture(scope="module")
def postgres(certificates):
    """A PostgreSQL server; its port.  It takes TLS of its own, asked for in its protocol."""
    programs = max(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    # Root must not run it.
    user = pwd.getpwnam("postgres") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    identity = {"user": user.pw_uid, "group": user.pw_gid} if os.geteuid() == 0 else {}
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="routeport-postgres-")))
        ports = stack.enter_context(contextlib.closing(Ports()))
        processes = stack.enter_context(contextlib.closing(Processes()))
        for source, name in ((certificates.server.certificate, "tls.crt"), (certificates.server.key, "tls.key")):
            shutil.copy(source, folder / name)
            os.chown(folder / name, user.pw_uid, user.pw_gid)
            (folder / name).chmod(0o600)
        os.chown(folder, user.pw_uid, user.pw_gid)
        data = folder / "data"
        initdb = [programs / "initdb", "-D", data, "-A", "trust", "-U", "test", "--no-sync", "--locale=C"]
        assert processes.start(initdb, directory=folder, **identity).wait_exit() == 0
        port = ports.reserve()
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": port,
            "unix_socket_directories": "",
            "fsync": "off",
            "ssl": "on",
            "ssl_cert_file": folder / "tls.crt",
            "ssl_key_file": folder / "tls.key",
        }
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        server = processes.start([programs / "postgres", "-D", data, *words], directory=folder, **identity)
        server.wait_line("database system is ready to accept connections")
        yield port


def test_pgbench(start_client, start_server, router, place, postgres):
    start_server(postgres)
    client = start_client(router.port)
    environment = {
        "PGHOST": "127.0.0.1",
        "PGPORT": str(client.port),
        "PGUSER": "test",
        "PGDATABASE": "postgres",
        "PGSSLMODE": "require",
    }
    fill = place.processes.start(["pgbench", "-i", "-s", "1"], environment=environment)
    assert fill.wait_exit() == 0
    run = place.processes.start(["pgbench", "-c", "10", "-j", "2", "-t", "50"], environment=environment)
    assert run.wait_exit() == 0
    run.wait_line("number of transactions actually processed: 500/500")
    connect = place.processes.start(["pgbench", "-C", "-S", "-c", "5", "-t", "20"], environment=environment)
    assert connect.wait_exit() == 0
    assert client.complaints() == []


# Amounts


@pytest.fixture(scope="module")
def pump(tmp_path_factory):
    program = tmp_path_factory.mktemp("pump") / "pump"
    source = pathlib.Path(__file__).with_name("pump.c")
    subprocess.run(["cc", "-O2", "-pthread", "-o", program, source], check=True)
    return program


def test_a_gibibyte_each_way_at_once(start_client, start_server, router, place, pump):
    app = place.ports.reserve()
    start_server(app)
    client = start_client(router.port)
    amount = GIBIBYTE // 16 if is_sanitized() else GIBIBYTE
    run = place.processes.start([pump, app, client.port, amount])
    assert run.wait_exit(limit=120) == 0
    closed = client.expect_close("finished")
    assert (closed["up"], closed["down"]) == (str(amount), str(amount))


def test_a_thousand_streams_at_once(start_client, start_server, router, place):
    """All are open before the first one speaks; each gets its own bytes back."""
    port = place.ports.reserve()
    start_server(port, TIMEOUTconnect=60)
    client = start_client(router.port, TIMEOUTconnect=60)

    async def echo(reader, writer):
        while data := await reader.read(CHUNK):
            writer.write(data)
        writer.close()

    async def open_stream():
        reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
        writer.write(b"?")
        assert await reader.readexactly(1) == b"?"
        return reader, writer

    async def talk(number, reader, writer):
        words = random_bytes(10_000, seed=number)
        writer.write(words)
        writer.write_eof()
        assert await reader.read(-1) == words
        writer.close()

    async def everybody():
        async with await asyncio.start_server(echo, "127.0.0.1", port, backlog=STREAMS, reuse_address=True):
            streams = await asyncio.gather(*(open_stream() for _ in range(STREAMS)))
            await asyncio.gather(*(talk(number, *stream) for number, stream in enumerate(streams)))

    asyncio.run(asyncio.wait_for(everybody(), 60))
    client.process.wait_line("event=close", STREAMS)
    assert len(client.process.lines_with("event=close why=finished")) == STREAMS


def test_reader_that_stops_costs_no_memory_and_no_byte(make_pair, acts, kind):
    """The sender goes on until nothing is taken any more; then the reader reads on.  On an
    h2 carrier a stream keeps 64 KiB, and what windows had grown by before it stopped is
    within windowBudget, with half of that again for what the allocator wastes."""
    pair = make_pair(windowBudget=BUDGET)
    streams = [pair.open(acts) for _ in range(STALLED)]
    before = [end.process.resident_bytes() for end in pair.ends()]
    with concurrent.futures.ThreadPoolExecutor(STALLED) as pool:
        chunk = random_bytes(CHUNK)
        sent = list(pool.map(lambda stream: stream.one.send_until_blocked(chunk), streams))
        growth = [end.process.resident_bytes() - was for end, was in zip(pair.ends(), before)]
        for stream in streams:
            stream.one.finish()
        for count, (received, ending) in zip(sent, pool.map(lambda s: s.other.receive_to_end(), streams)):
            assert received == (chunk * (count // CHUNK + 1))[:count]
            assert ending is Ending.FIN
    if not is_sanitized():
        raw, h2 = STALLED * MEBIBYTE, STALLED * MEBIBYTE // 4 + BUDGET * MEBIBYTE * 3 // 2
        assert max(growth) < (h2 if kind == "h2" else raw)


def test_stopped_reader_does_not_stop_its_neighbours(pair):
    stalled = pair.open()
    stalled.one.send_until_blocked()
    for _ in range(5):
        stream = pair.open()
        stream.one.send(LARGE)
        assert stream.other.receive(len(LARGE)) == LARGE
