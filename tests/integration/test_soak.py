"""A soak: streams of every size for as long as one likes, while settings are read again, certificates
rotate and everything on the way is killed.  At the end descriptors and memory are where they were
once it was warm.

	make soak SECONDS=3600
"""

import contextlib
import random

import pytest

from harness import chaos, waiting
from harness.accounts import faults_of_bytes, faults_of_logs
from harness.changes import put_certificate, reload
from harness.chaos import SETTLED

WORKERS = [2]
ROUND = 10  # seconds
MOST_GROWTH = 8 << 20  # bytes that malloc's arenas may differ by; a leak of 1 KiB a stream is more soon
SURVIVOR = 0  # the pod that lives through it all, as the client does


@pytest.fixture
def soak_seconds(request):
    seconds = request.config.getoption("--soak-seconds")
    if not seconds:
        pytest.skip("only by make soak")
    return seconds / len(request.config.getoption("--kinds").split(","))


class Soak:
    def __init__(self, place, stack, kind, workers):
        self._place = place
        self._dice = random.Random(f"soak/{kind}")
        certificates = place.certificates
        self._turns = {
            "client": (certificates.client, certificates.renewed_client),
            "server": (certificates.server, certificates.renewed_server),
        }
        files = {role: self._put(role, 0) for role in self._turns}
        self.scene = chaos.make_scene(
            *(place, stack, "soak", kind, workers),
            targets=True,
            client_options=files["client"],
            pod_options=files["server"],
        )
        self.rounds = 0

    def _put(self, role, number):
        return put_certificate(self._turns[role][number % 2], self._place.folder / f"secret-{role}")

    def survivors(self):
        return self.scene.client, self.scene.pods[SURVIVOR]

    def go_on(self, rounds):
        """Then everything ends, and nothing is open any more."""
        traffic = self.scene.traffic
        traffic.start()
        for _ in range(rounds):
            self.rounds += 1
            for role in self._turns:
                self._put(role, self.rounds)
            chaos.Schedule(self.scene, self._dice, ROUND, spare=(SURVIVOR,)).run()
            reload(self.scene.client, self.rounds)
        traffic.stop()
        waiting.until(lambda: not traffic.open_ones(), "every stream has ended", SETTLED)
        waiting.until(self.scene.works, "a stream passes again")
        waiting.until(lambda: not traffic.open_ones(), "every stream has ended", SETTLED)
        waiting.until(self.scene.is_clean, "what streams had open is closed", SETTLED)

    def resident_bytes(self):
        return [end.process.resident_bytes() for end in self.survivors()]


def test_soak_leaves_descriptors_and_memory_flat(place, kind, workers, soak_seconds):
    with contextlib.ExitStack() as stack:
        soak = Soak(place, stack, kind, workers)
        rounds = max(2, round(soak_seconds / ROUND))
        warm = max(1, rounds // 4)
        soak.go_on(warm)
        before = soak.resident_bytes()
        soak.go_on(rounds - warm)
        after = soak.resident_bytes()
        traffic = soak.scene.traffic
        whole = sum(program.end == "FIN" for program in traffic.programs)
        print(f"{len(traffic.programs)} streams, {whole} whole, resident before {before}, after {after}")
        wrong = [*faults_of_bytes(traffic), *faults_of_logs(traffic, soak.scene.client)]
    assert not wrong, wrong[:20]
    assert whole > len(traffic.programs) / 4, "hardly any stream passed"
    for end in soak.survivors():
        assert end.process.lines_with("event=renewed")
    for old, new in zip(before, after):
        assert new - old < MOST_GROWTH
