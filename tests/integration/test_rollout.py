"""Pods that come and go while streams open all the time: a rollout, an app that dies or hangs, more
pods, a router that ends its old processes.  h2 is never worse than raw.

With SLOW=1 at the pace of a cluster, else a good deal faster, and in the same order.
"""

import contextlib
import os

import pytest

from harness import waiting
from harness.rollout import Cluster

FULL = "ROUTEPORT_SLOW" in os.environ
BALANCES = ("leastconn", "roundrobin", "source")

# Seconds.
HEARS = 4 if FULL else 2  # from the end of an endpoint until the router has reloaded
UNREADY = 6 if FULL else 3  # from the death of an app until its endpoint is gone, and the router knows
FRESH = 5 if FULL else 2  # twice as long as two dials are apart, so that a stream may have one besides
LINGER = 10 if FULL else 8  # a busy machine's router may be late
DRAIN = 15 if FULL else 3
HARD_STOP = 10 if FULL else 6
LONG = 3 if FULL else 2  # a stream that a hard stop may meet


@pytest.fixture
def make_cluster(place):
    with contextlib.ExitStack() as stack:

        def make(client=None, server=None, **router):
            client = {"freshFor": FRESH, **(client or {})}
            server = {"TIMEOUTlinger": LINGER, "TIMEOUTdrain": DRAIN, **(server or {})}
            return stack.enter_context(contextlib.closing(Cluster(place, client, server, **router)))

        yield make


def deploy_all(cluster, pods, balances=BALANCES):
    """An app for each way to balance."""
    return [cluster.deploy(balance, pods, balance=balance) for balance in balances]


def begin_with_two(make_cluster):
    """Two pods for each way to balance, calls, and the pods where h2 carriers lead to."""
    cluster = make_cluster()
    deployments = deploy_all(cluster, pods=2)
    cluster.begin()
    cluster.run(1)
    return cluster, deployments, [deployment.called_last() for deployment in deployments]


def drop(cluster, deployments, pods):
    """Their endpoints are gone, and the router knows; says since when."""
    for deployment, pod in zip(deployments, pods):
        deployment.listed.remove(pod)
    return cluster.reload()


@pytest.mark.parametrize("app_stays", [False, True], ids=["app ends", "app has a preStop hook"])
def test_rolling_update(make_cluster, app_stays):
    """Each old pod goes once a new one is there, and the router hears of it later.  Raw carriers learn
    nothing of that: for them the app has to stay as long as its sidecar accepts."""
    cluster = make_cluster()
    deployments = deploy_all(cluster, pods=2)
    cluster.begin()
    cluster.run(1)
    for number in range(2):
        for deployment in deployments:
            cluster.add_pod(deployment)
        cluster.reload()
        cluster.run(1)
        old = [deployment.pods[number] for deployment in deployments]
        cluster.terminate(*old, app_stays=app_stays)
        cluster.run(HEARS)
        heard = drop(cluster, deployments, old)
    cluster.run(LINGER - HEARS + 1)
    cluster.finish()
    for deployment in deployments:
        cluster.expect_none(deployment.h2.failed())
        cluster.expect_none(deployment.raw.failed(0 if app_stays else heard))


def test_a_pod_that_lingers_serves_while_there_is_no_other(make_cluster):
    """As with the strategy Recreate.  It is dialled anew once, and not again and again."""
    cluster = make_cluster()
    (deployment,) = deploy_all(cluster, pods=1, balances=["leastconn"])
    cluster.begin()
    cluster.run(1)
    cluster.terminate(*deployment.pods, app_stays=True)
    cluster.run(LINGER / 2)
    cluster.finish()
    for caller in cluster.callers():
        cluster.expect_none(caller.failed())
    most = 2 + LINGER / 2 / FRESH
    assert cluster.router.statistics(deployment.host("h2"))["stot"] <= most


def test_one_app_of_two_dies(make_cluster):
    """Its sidecar lives, and the router goes on with it until readiness has told.  Under source it has
    nobody else for this client, whose streams are answered from the carrier that is there, while one
    dial a second looks elsewhere for them."""
    cluster, deployments, dead = begin_with_two(make_cluster)
    cluster.kill_apps(*dead)
    cluster.run(UNREADY)
    dropped = drop(cluster, deployments, dead)
    cluster.run(2)
    cluster.restart_apps(*dead)
    back = cluster.clock()
    for deployment, pod in zip(deployments, dead):
        deployment.listed.append(pod)
    cluster.reload()
    cluster.run(2 * FRESH)
    cluster.finish()
    *others, source = deployments
    for deployment in others:
        cluster.expect_none(deployment.h2.failed())
    cluster.expect_none(source.h2.failed(dropped))
    until_dropped = [len(caller.failed()) - len(caller.failed(dropped)) for caller in (source.h2, source.raw)]
    # Calls of both begin five times a second, but not at the same moment.
    cluster.expect_none(until_dropped if until_dropped[0] > until_dropped[1] + 1 else [])


def test_hung_app_whose_endpoint_is_gone(make_cluster):
    cluster, deployments, hung = begin_with_two(make_cluster)
    cluster.hang_apps(*hung)
    cluster.run(UNREADY)
    dropped = drop(cluster, deployments, hung)
    cluster.run(FRESH + 2 + 2)
    cluster.finish(dropped + FRESH + 2)
    for deployment in deployments:
        cluster.expect_none(deployment.h2.open_calls(dropped + FRESH + 2))
        cluster.expect_none(deployment.h2.failed())
        cluster.expect_none(deployment.raw.open_calls(dropped))


def test_new_pods_get_streams(make_cluster):
    cluster = make_cluster()
    deployments = deploy_all(cluster, pods=1, balances=("leastconn", "roundrobin"))
    cluster.begin()
    cluster.run(1)
    for deployment in deployments:
        cluster.add_pod(deployment)
        cluster.add_pod(deployment)
    added = cluster.reload()

    def all_have_streams():
        return all(len(caller.pods(added)) == 3 for caller in cluster.callers())

    with contextlib.suppress(AssertionError):
        waiting.until(all_have_streams, "", 30)
    cluster.finish()
    cluster.expect_none([caller for caller in cluster.callers() if len(caller.pods(added)) < 3])
    for caller in cluster.callers():
        cluster.expect_none(caller.failed())


def test_hard_stop_cuts_no_stream_that_is_shorter(make_cluster):
    """Than its limit, less freshFor."""
    assert FRESH + LONG < HARD_STOP
    cluster = make_cluster(hard_stop=f"{HARD_STOP}s")
    deploy_all(cluster, pods=2, balances=["leastconn"])
    cluster.begin(holds=LONG)
    cluster.run(1)
    for _ in range(2):
        cluster.reload()
        cluster.run(FRESH)
    cluster.run(HARD_STOP)
    cluster.finish()
    for caller in cluster.callers():
        cluster.expect_none(caller.failed())


def test_limits_of_the_route_are_kept(make_cluster):
    """So many connections at a time as there are workers, and one more; two in three seconds.  What is
    dialled beside a carrier and turned away nobody notices."""
    workers, seconds = 2, 8
    cluster = make_cluster(client={"workers": workers, "freshFor": 1})
    deployment = cluster.deploy(
        "limited", 2, kinds=["h2"], balance="roundrobin", concurrent_tcp=workers + 2, rate_tcp=3
    )
    cluster.begin()
    cluster.run(seconds)
    cluster.finish()
    cluster.expect_none(deployment.h2.failed())
    assert cluster.router.process.lines_with("be_tcp:limited.* end=PR"), "no limit was reached"
    assert cluster.router.statistics(deployment.host("h2"))["stot"] <= workers * (2 + seconds)


def test_streams_that_last_hold_few_carriers(make_cluster):
    """One more of them than freshFor passes, again and again."""
    fresh, seconds = 0.2, 12
    cluster = make_cluster(client={"freshFor": fresh})
    deployment = cluster.deploy("lasting", 3, kinds=["h2"], balance="leastconn")
    cluster.begin(holds=600, each=fresh)
    cluster.run(seconds)
    assert len(deployment.h2.open_calls()) > 0.8 * seconds / fresh
    assert 4 < cluster.router.statistics(deployment.host("h2"))["scur"] < 20
    cluster.expect_none(deployment.h2.failed())


def test_renewed_carriers_resume_sessions_of_each_pod(make_cluster):
    """Of three pods that the router takes in turn, none knows the sessions of the others."""
    cluster = make_cluster(client={"freshFor": 0.2, "debug": 7})
    deployment = cluster.deploy("turns", 3, kinds=["h2"], balance="roundrobin")
    cluster.begin()
    cluster.run(8)
    cluster.finish()
    cluster.expect_none(deployment.h2.failed())
    opened = deployment.h2.client.process.lines_with("event=carrier-open")
    assert len(opened) > 6
    resumed = [line for line in opened if "resumed=yes" in line]
    assert len(resumed) >= 0.8 * (len(opened) - 3), "\n".join(opened)


@pytest.mark.parametrize("pods", [1, 2])
def test_app_that_is_down_makes_no_loop_of_handshakes(make_cluster, pods):
    """Of all pods, for many streams a second: each has its answer soon, from a carrier that is there."""
    seconds, each = 6, 0.005
    cluster = make_cluster()
    deployment = cluster.deploy("down", pods, kinds=["h2"], balance="roundrobin")
    cluster.begin(each=each)
    cluster.run(1)
    before = cluster.router.statistics(deployment.host("h2"))["stot"]
    cluster.kill_apps(*deployment.pods)
    cluster.run(seconds)
    dials = cluster.router.statistics(deployment.host("h2"))["stot"] - before
    cluster.restart_apps(*deployment.pods)
    back = cluster.clock()
    cluster.run(1)
    cluster.finish()
    assert len(deployment.h2.failed()) > seconds / each / 5, "hardly any stream met it"
    assert dials <= seconds + 1
    cluster.expect_none([call for call in deployment.h2.failed() if call.lasted > 5])
    assert deployment.h2.pods(back), "streams pass again"
