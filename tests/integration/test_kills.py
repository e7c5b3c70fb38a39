"""Random kills: while many short streams pass, everything on the way is killed, stopped, cut and
started again, at moments that a seed chooses.  Whatever happens, no byte comes twice, none is
lost unseen, and no stream that was cut looks complete.

	make kills SECONDS=600 SEED=1

A failure shows its seed, with which the same is tried again, and what was done when.
"""

import contextlib
import random
from collections import Counter

from harness import chaos, waiting
from harness.accounts import faults_of_bytes, faults_of_logs
from harness.chaos import SETTLED


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


def test_random_kills_lose_and_double_no_byte_unseen(place, kind, workers, kills_seed, kills_seconds):
    with contextlib.ExitStack() as stack:
        kill(place, stack, kind, workers, kills_seed, kills_seconds)


def kill(place, stack, kind, workers, kills_seed, kills_seconds):
    seed = f"{kills_seed}/{kind}/{workers}"
    dice = random.Random(seed)
    scene = chaos.make_scene(place, stack, seed, kind, workers, targets=dice.random() < 0.5)
    schedule = chaos.Schedule(scene, dice, kills_seconds)
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
