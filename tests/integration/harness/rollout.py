"""Pods that come and go behind the router, and programs that call the app in them all the time.

A pod is a routeport-server with an app beside it, which answers each call with its name.  The router
knows of a pod what the test tells it, and hears late that one is gone, as the real one does: the test
says when.
"""

import asyncio
import contextlib
import dataclasses
import signal
import socket
import struct
import time

from . import pairs, waiting
from .loop_thread import LoopThread
from .router import Route, Router

MULTIPLEX = {"h2": "auto", "raw": "no"}
ABORT = struct.pack("ii", 1, 0)  # close() sends RST
PATIENCE = 20  # seconds for calls that are open at the end; far more than any limit here


class Pod:
    """`name` is what its app answers.  The app lives on the loop."""

    def __init__(self, place, name, app_port, **options):
        self.name = name
        self.app_port = app_port
        self.empty = 0  # connections that said nothing
        self.port = place.ports.reserve()
        self.process = pairs.routeport_server(place, app_port, port=self.port, **options).process
        self.process.name = f"server of {name}"
        self._server = None
        self._runs = asyncio.Event()
        self._visits = {}

    async def open_app(self):
        self._runs.set()
        self._server = await asyncio.start_server(self._visit, "127.0.0.1", self.app_port, backlog=1024)

    def kill_app(self):
        """It listens no more, and what it had is reset."""
        self._server.close()
        for task, writer in self._visits.items():
            task.cancel()
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
            writer.transport.abort()

    def hang_app(self):
        """Its kernel takes connections, and it says nothing any more."""
        self._runs.clear()

    async def _visit(self, reader, writer):
        task = asyncio.current_task()
        self._visits[task] = writer
        try:
            await self._answer(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            del self._visits[task]
            writer.close()

    async def _answer(self, reader, writer):
        request = await reader.readline()
        if not request:
            self.empty += 1
            return
        await asyncio.sleep(float(request))
        await self._runs.wait()
        writer.write(f"{self.name}\n".encode())


@dataclasses.dataclass
class Call:
    """One stream.  `end` is "answered", or what happened instead; None while nothing has."""

    began: float
    lasted: float | None = None
    pod: str | None = None
    end: str | None = None

    @property
    def failed(self):
        return self.end not in (None, "answered")

    def __str__(self):
        lasted = "open" if self.lasted is None else f"{self.lasted:.2f} s"
        return f"{self.began:6.2f} {lasted} {self.pod or ''} {self.end or ''}"


class Caller:
    """A routeport-client, and programs that call through it, one after the other begins."""

    def __init__(self, client, clock, holds, each):
        self.client = client
        self.calls = []
        self._clock = clock
        self._each = each
        self._request = f"{holds}\n".encode()  # seconds until the answer

    async def call_on(self, gate):
        """Until it is called off.  Who is late catches up."""
        tasks = set()
        due = self._clock()
        while True:
            await gate.wait()
            task = asyncio.create_task(self._call())
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            due = max(due + self._each, self._clock() - 1)
            await asyncio.sleep(max(0, due - self._clock()))

    async def _call(self):
        call = Call(self._clock())
        self.calls.append(call)
        try:
            call.pod = await self._exchange()
            call.end = "answered"
        except (OSError, asyncio.IncompleteReadError) as error:
            call.end = type(error).__name__
        call.lasted = self._clock() - call.began

    async def _exchange(self):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.client.port)
        try:
            writer.write(self._request)
            name = await reader.readuntil(b"\n")
            if await reader.read():
                raise ConnectionError("more than an answer")
            return name.decode().strip()
        finally:
            writer.close()

    def open_calls(self, since=0.0):
        """Those of all that began then or later."""
        return [call for call in self.calls if call.end is None and call.began >= since]

    def failed(self, since=0.0):
        return [call for call in self.calls if call.failed and call.began >= since]

    def pods(self, since=0.0):
        """The names of those that answered."""
        return {call.pod for call in self.calls if call.pod and call.began >= since}

    def __str__(self):
        failed = self.failed()
        shares = ", ".join(f"{pod} {sum(call.pod == pod for call in self.calls)}" for pod in sorted(self.pods()))
        slowest = max((call.lasted or 0 for call in self.calls), default=0)
        text = f"{self.client.process.name}: {len(self.calls)} calls, {len(failed)} failed, "
        text += f"{len(self.open_calls())} open, slowest {slowest:.2f} s; answered by {shares}"
        return text + "".join(f"\n    {call}" for call in (failed + self.open_calls())[:20])


class Deployment:
    """Pods of one app, with a caller on each kind of carrier.  Each has a route of its own, so that none
    takes the other's turns in the router."""

    def __init__(self, name, kinds, route):
        self.name = name
        self.kinds = kinds
        self.route = route
        self.pods = []  # all that there ever were
        self.listed = []  # those that the router knows at its next reload
        self.callers = {}

    def host(self, kind):
        return f"{self.name}-{kind}.apps.test"

    def routes(self):
        ports = [pod.port for pod in self.listed]
        return {self.host(kind): Route(ports, **self.route) for kind in self.kinds}

    @property
    def h2(self):
        return self.callers["h2"]

    @property
    def raw(self):
        return self.callers["raw"]

    def called_last(self):
        """The pod that the latest call on h2 came to, which is where its carrier leads."""
        name = next(call.pod for call in reversed(self.h2.calls) if call.pod)
        return next(pod for pod in self.pods if pod.name == name)


class Cluster(LoopThread):
    """Some deployments behind one router, and a clock in seconds from the first call on.

    `client` and `server` are options of all ends; the router gets `router`.
    """

    def __init__(self, place, client, server, **router):
        super().__init__()
        self.place = place
        self.deployments = []
        self.router = None
        self._client = {"checkHost": "app.apps.test", **client}
        self._server = server
        self._router = router
        self._events = []
        self._begin = time.monotonic()
        self._gate = None
        self._tasks = []

    def clock(self):
        return time.monotonic() - self._begin

    def deploy(self, name, pods, kinds=("h2", "raw"), **route):
        """`route`: what a Route takes besides its pods."""
        deployment = Deployment(name, kinds, route)
        self.deployments.append(deployment)
        for _ in range(pods):
            self.add_pod(deployment)
        return deployment

    def add_pod(self, deployment):
        """One that is ready; the router hears of it at its next reload."""
        name = f"{deployment.name}-{len(deployment.pods) + 1}"
        pod = Pod(self.place, name, self.place.ports.reserve(), **self._server)
        self._do(pod.open_app)
        deployment.pods.append(pod)
        deployment.listed.append(pod)
        return pod

    def begin(self, holds=0, each=0.2):
        """The router, the clients, and their calls: seconds that one lasts, and from one to the next."""
        self.router = Router(
            self.place.processes,
            self.place.folder / "router",
            self.place.ports.reserve(),
            default=self.place.certificates.wildcard,
            routes=self._routes(),
            **self._router,
        )
        self._begin = time.monotonic()
        for deployment in self.deployments:
            for kind in deployment.kinds:
                options = {"sni": deployment.host(kind), "multiplex": MULTIPLEX[kind], **self._client}
                client = pairs.routeport_client(self.place, self.router.port, **options)
                client.process.name = f"client of {deployment.name}, {kind}"
                deployment.callers[kind] = Caller(client, self.clock, holds, each)
        self._do(self._begin_calls)

    def _begin_calls(self):
        self._gate = asyncio.Event()
        self._gate.set()
        for caller in self.callers():
            self._tasks.append(self._loop.create_task(caller.call_on(self._gate)))

    def callers(self):
        return [caller for deployment in self.deployments for caller in deployment.callers.values()]

    def _pods(self):
        return [pod for deployment in self.deployments for pod in deployment.pods]

    def _routes(self):
        return {host: route for deployment in self.deployments for host, route in deployment.routes().items()}

    def reload(self):
        """The router knows from now on which pods there are; says when that is."""
        self.router.reload(self._routes())
        return self._note("the router was reloaded")

    def _note(self, what):
        self._events.append(f"{self.clock():6.2f} {what}")
        return self.clock()

    def run(self, seconds):
        """What happens when is in seconds, as are the limits of the router."""
        time.sleep(seconds)

    @contextlib.contextmanager
    def _quiet(self):
        """No call is open: what an app ends that has taken a call is not the tunnel's affair."""
        self._do(self._gate.clear)
        waiting.until(lambda: not any(caller.open_calls() for caller in self.callers()), "no call is open")
        yield
        self._do(self._gate.set)

    def terminate(self, *pods, app_stays=False):
        """SIGTERM to the sidecar, and to the app at the same time unless that has a preStop hook."""
        with self._quiet():
            for pod in pods:
                if not app_stays:
                    self._do(pod.kill_app)
                pod.process.send_signal(signal.SIGTERM)
        self._note(f"SIGTERM to {', '.join(pod.name for pod in pods)}")

    def kill_apps(self, *pods):
        with self._quiet():
            for pod in pods:
                self._do(pod.kill_app)
        self._note(f"the app of {', '.join(pod.name for pod in pods)} died")

    def hang_apps(self, *pods):
        for pod in pods:
            self._do(pod.hang_app)
        self._note(f"the app of {', '.join(pod.name for pod in pods)} hangs")

    def restart_apps(self, *pods):
        for pod in pods:
            self._do(pod.open_app)
        self._note(f"the app of {', '.join(pod.name for pod in pods)} is back")

    def finish(self, since=0.0):
        """No more calls, and those that began then or later have a while to end.  No app has had a
        connection on which nothing was said."""
        self._do(self._gate.clear)
        with contextlib.suppress(AssertionError):  # what is open then is what the test looks at
            waiting.until(lambda: not any(caller.open_calls(since) for caller in self.callers()), "", PATIENCE)
        self.expect_none([pod.name for pod in self._pods() if pod.empty])

    def expect_none(self, calls):
        """What a test does not want; a failure shows everything."""
        assert not calls, "\n".join(["", *self._events, *map(str, self.callers())])

    def close(self):
        """The first SIGTERM to all pods at once: the second, at the end of a test, is not waited for."""
        for pod in self._pods():
            pod.process.send_signal(signal.SIGTERM)
            self._do(pod.kill_app)
        self._end_loop()
