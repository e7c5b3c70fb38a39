"""Random kills: while many short streams pass, everything on the way is killed, stopped, cut and
started again, at moments that a seed chooses.  Whatever happens, no byte comes twice, none is
lost unseen, and no stream that was cut looks complete.

	make kills SECONDS=600 SEED=1

A failure shows its seed, with which the same is tried again, and what was done when.
"""

import contextlib
import dataclasses
import os
import random
import signal
import time
from collections import Counter

import pytest

from harness import pairs, ports, waiting
from harness.accounts import faults_of_bytes, faults_of_logs
from harness.certificates import HOST
from harness.relay import DOWN, UP, Relay
from harness.router import Router
from harness.traffic import Traffic

PODS = 2
LIMITS = {"TIMEOUTconnect": 3, "TIMEOUTclose": 2, "keepalive": 1, "keepaliveTimeout": 1}
SETTLED = 30  # seconds until everything has ended; far more than all limits together
CARRIERS = 4  # of a worker to a target
MULTIPLEX = {"raw": "no", "h2": "yes"}
DEBUG = os.environ.get("ROUTEPORT_KILLS_DEBUG", "6")


class Pod:
    """A server in front of the app, that dies and comes again."""

    def __init__(self, place, app_port, **options):
        self.port = place.ports.reserve()
        self._start = lambda: pairs.routeport_server(place, app_port, port=self.port, **options).process
        self.process = self._start()

    def kill(self):
        self.process.kill()

    def start(self):
        self.process = self._start()

    def pause(self):
        self.process.pause()

    def resume(self):
        self.process.resume()

    def drain(self):
        """Another takes its place, as in a rollout."""
        self.process.send_signal(signal.SIGTERM)
        waiting.until(lambda: not ports.is_listening(self.port), "the old pod listens no more")
        self.start()


@dataclasses.dataclass(order=True)
class Event:
    """Something that happens at a time: seconds from the beginning."""

    when: float
    what: str
    act: object = dataclasses.field(compare=False)
    done: float | None = dataclasses.field(default=None, compare=False)  # when it really was

    def __str__(self):
        return f"{self.when:7.3f} {self.what}" + (f" (at {self.done:.3f})" if self.done else "")


class Schedule:
    """What happens when, all chosen beforehand, and all that went down is up again."""

    def __init__(self, scene, dice, seconds):
        self.events = []
        self._dice = dice
        self._busy = Counter()  # until when somebody is not up
        when = 0.2
        while when < seconds:
            self._choose(scene, when)
            when += dice.expovariate(4)
        self.events.sort()

    def _add(self, when, what, act):
        self.events.append(Event(when, what, act))

    def _outage(self, when, who, what, act, seconds, undo):
        """Something that is undone after a while; nothing else happens to `who` meanwhile."""
        if self._busy[who] <= when:
            self._busy[who] = when + seconds
            self._add(when, f"{who} {what}", act)
            self._add(when + seconds, f"{who} up", undo)

    def _choose(self, scene, when):
        often = {
            self._hit_pod: 8,
            self._hit_router: 2,
            self._hit_relay: 12,
            self._hit_app: 1,
            self._hit_client: 1,
            self._hit_plain: 2,
        }
        (hit,) = self._dice.choices(list(often), often.values())
        hit(scene, when)

    def _hit_pod(self, scene, when):
        number = self._dice.randrange(PODS)
        pod, who = scene.pods[number], f"pod {number}"
        how = self._dice.choice(("SIGKILL", "SIGTERM", "SIGSTOP", "ss -K"))
        if how == "SIGKILL":
            self._outage(when, who, how, pod.kill, self._dice.uniform(0, 0.5), pod.start)
        elif how == "SIGTERM":
            self._outage(when, who, how, pod.drain, 0.1, lambda: None)
        elif how == "SIGSTOP":
            seconds = self._dice.choice((self._dice.uniform(0, 0.5), self._dice.uniform(1, 4)))
            self._outage(when, who, how, pod.pause, seconds, pod.resume)
        else:
            which = self._dice.random()
            self._add(when, f"{who} {how}", lambda: ports.destroy_connection(pod.port, which))

    def _hit_router(self, scene, when):
        number = self._dice.randrange(len(scene.routers))
        router, who = scene.routers[number], f"router {number}"
        if self._dice.random() < 0.5:
            self._outage(when, who, "SIGKILL", router.kill, self._dice.uniform(0, 0.3), router.start)
        else:
            self._outage(when, who, "reload", router.reload, 0.1, lambda: None)

    def _hit_relay(self, scene, when):
        dice = self._dice
        number = dice.randrange(len(scene.relays))
        relay, who, which = scene.relays[number], f"relay {number}", dice.random()
        way = dice.choice((UP, DOWN))
        ends = dice.choice((("rst", "rst"), ("fin", "fin"), ("rst", "fin"), ("fin", "rst")))
        how = dice.choice(("cut", "cut after", "spoil", "hold", "ss -K"))
        if how == "cut":
            self._add(when, f"{who} cut {ends}", lambda: relay.cut(which, *ends))
        elif how == "cut after":
            count = dice.choice((dice.randrange(1, 100), dice.randrange(1, 100_000)))
            words = f"{who} cut {ends} after {count} bytes {'down' if way else 'up'}"
            self._add(when, words, lambda: relay.cut_after(which, way, count, *ends))
        elif how == "spoil":
            self._add(when, f"{who} spoil {way}", lambda: relay.spoil(which, way))
        elif how == "hold":
            ways = dice.choice(((UP,), (DOWN,), (UP, DOWN)))
            seconds = dice.choice((dice.uniform(0, 0.5), dice.uniform(1, 4)))
            words = f"{who} hold {ways} for {seconds:.1f} s"
            self._add(when, words, lambda: relay.hold(which, ways, seconds))
        else:
            self._add(when, f"{who} {how}", lambda: ports.destroy_connection(relay.port, which))

    def _hit_app(self, scene, when):
        app = scene.traffic
        self._outage(when, "app", "crash", app.crash_app, self._dice.uniform(0, 0.3), app.restart_app)

    def _hit_client(self, scene, when):
        """It sleeps; were it killed, there would be nothing left to look at."""
        process = scene.client.process
        seconds = self._dice.choice((self._dice.uniform(0, 0.5), self._dice.uniform(1, 3)))
        self._outage(when, "client", "SIGSTOP", process.pause, seconds, process.resume)

    def _hit_plain(self, scene, when):
        """A connection of the legacy program's, or one to the app."""
        port = self._dice.choice((scene.client.port, scene.traffic.port))
        which = self._dice.random()
        self._add(when, f"program ss -K {port}", lambda: ports.destroy_connection(port, which))

    def run(self):
        begin = time.monotonic()
        for event in self.events:
            time.sleep(max(0, begin + event.when - time.monotonic()))  # the schedule is in seconds
            event.done = time.monotonic() - begin
            event.act()


def report(place, schedule, faults):
    """All that one needs to see what happened."""
    for number, process in enumerate(place.processes.all):
        path = place.folder / f"{number:02}-{process.name}.log"
        path.write_text("\n".join(process.lines), encoding="utf-8")
    kinds = Counter(kind for kind, *_ in faults)
    lines = [f"{count} x {kind}" for kind, count in kinds.items()]
    lines += ["  ".join(map(str, fault)) for fault in faults[:20]]
    lines += [f"all logs are in {place.folder}; what was done:", *map(str, schedule.events)]
    return "\n".join(lines)


# The scene


@dataclasses.dataclass
class Scene:
    """The pair with its surroundings."""

    client: object
    pods: list
    routers: list
    relays: list
    traffic: Traffic
    most_carriers: int

    def __post_init__(self):
        """What is open before the first stream; the router looks after the pods meanwhile."""
        looks = []
        for _ in range(20):
            looks.append(self._open()[1])
            time.sleep(0.02)  # nothing tells when a look is over
        self._base = [min(counts) for counts in zip(*looks)]

    def _open(self):
        """How many carriers the client has; and the other descriptors of client and pods."""
        relays = [relay.port for relay in self.relays]
        carriers, others = ports.count_descriptors(self.client.process.pid, others=relays)
        pods = [ports.count_descriptors(pod.process.pid, own=[pod.port])[1] for pod in self.pods]
        return carriers, [others, *pods]

    def is_clean(self):
        """Only carriers are left of all that was open, and of them no more than are kept."""
        carriers, others = self._open()
        return others == self._base and carriers <= self.most_carriers

    def works(self):
        """A stream passes whole, within the limits of time."""
        program = self.traffic.one_more()
        waiting.until(lambda: program.lasted is not None, "one more stream has ended")
        return program.end == "FIN"


@pytest.fixture
def make_scene(place, workers, kind):
    """Everything between the two programs.  `targets`: there are two routers with a pod each,
    which the client knows as two targets; else one route with two pods."""
    with contextlib.ExitStack() as stack:

        def make(seed, targets):
            app_port = place.ports.reserve()
            options = {"workers": workers, "multiplex": MULTIPLEX[kind], "debug": DEBUG, **LIMITS}
            pods = [Pod(place, app_port, TIMEOUTdrain=1, **options) for _ in range(PODS)]
            routes = [[pod.port] for pod in pods] if targets else [[pod.port for pod in pods]]
            routers = [
                Router(
                    place.processes,
                    place.folder / f"router-{number}",
                    place.ports.reserve(),
                    default=place.certificates.wildcard,
                    routes={HOST: route},
                    balance="roundrobin",
                    check="100ms",
                    hard_stop="2s",
                )
                for number, route in enumerate(routes)
            ]
            relays = [
                stack.enter_context(contextlib.closing(Relay(place.ports.reserve(), router.port)))
                for router in routers
            ]
            connect = [f"127.0.0.1:{relay.port}" for relay in relays]
            client = pairs.routeport_client(place, None, connect=connect, **options)
            traffic = stack.enter_context(contextlib.closing(Traffic(seed, client.port, app_port)))
            most = CARRIERS * workers * len(relays) if kind == "h2" else 0
            return Scene(client, pods, routers, relays, traffic, most)

        yield make


def test_random_kills_lose_and_double_no_byte_unseen(place, make_scene, kind, workers, kills_seed, kills_seconds):
    seed = f"{kills_seed}/{kind}/{workers}"
    dice = random.Random(seed)
    scene = make_scene(seed, targets=dice.random() < 0.5)
    schedule = Schedule(scene, dice, kills_seconds)
    traffic = scene.traffic
    faults = []
    traffic.start()
    try:
        schedule.run()
        traffic.stop()
        waiting.until(lambda: not traffic.open_ones(), "every stream has ended", SETTLED)
        waiting.until(scene.works, "a stream passes again")
        waiting.until(lambda: not traffic.open_ones(), "every stream has ended", SETTLED)
        waiting.until(scene.is_clean, "what streams had open is closed", SETTLED)
    except AssertionError as error:
        faults.append((str(error), *traffic.open_ones()))
    faults += [*faults_of_bytes(traffic), *faults_of_logs(traffic, scene.client)]
    whole = sum(program.end == "FIN" for program in traffic.programs)
    print(f"seed {kills_seed}: {len(traffic.programs)} streams, {whole} whole, {len(schedule.events)} events")
    assert not faults, report(place, schedule, faults)
    assert whole > 10, "hardly any stream passed"
