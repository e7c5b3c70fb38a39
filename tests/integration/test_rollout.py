"""Pods that come and go while streams open all the time: a rollout, an app that is down, limits of
the route.

With SLOW=1 at the pace of a cluster, else a good deal faster, and in the same order.
"""

import contextlib
import os

import pytest

from harness.rollout import Cluster

FULL = "ROUTEPORT_SLOW" in os.environ
BALANCES = ("leastconn", "roundrobin", "source")

# Seconds.
HEARS = 4 if FULL else 2  # from the end of an endpoint until the router has reloaded
LINGER = 10 if FULL else 4
DRAIN = 15 if FULL else 3


@pytest.fixture
def make_cluster(place):
    with contextlib.ExitStack() as stack:

        def make(client=None, server=None, **router):
            server = {"TIMEOUTlinger": LINGER, "TIMEOUTdrain": DRAIN, **(server or {})}
            return stack.enter_context(contextlib.closing(Cluster(place, client or {}, server, **router)))

        yield make


def deploy_all(cluster, pods, balances=BALANCES):
    """An app for each way to balance."""
    return [cluster.deploy(balance, pods, balance=balance) for balance in balances]


def drop(cluster, deployments, pods):
    """Their endpoints are gone, and the router knows."""
    for deployment, pod in zip(deployments, pods):
        deployment.listed.remove(pod)
    cluster.reload()


def test_rolling_update(make_cluster):
    """Each old pod goes once a new one is there, and the router hears of it later.  The app has a preStop
    hook, by which it stays as long as its sidecar accepts."""
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
        cluster.terminate(*old, app_stays=True)
        cluster.run(HEARS)
        drop(cluster, deployments, old)
    cluster.run(LINGER - HEARS + 1)
    cluster.finish()
    for deployment in deployments:
        cluster.expect_none(deployment.h2.failed())
        cluster.expect_none(deployment.raw.failed())


def test_a_pod_that_lingers_serves_while_there_is_no_other(make_cluster):
    """As with the strategy Recreate."""
    cluster = make_cluster()
    (deployment,) = deploy_all(cluster, pods=1, balances=["leastconn"])
    cluster.begin()
    cluster.run(1)
    cluster.terminate(*deployment.pods, app_stays=True)
    cluster.run(LINGER - 1)
    cluster.finish()
    for caller in cluster.callers():
        cluster.expect_none(caller.failed())
    assert cluster.router.statistics(deployment.host("h2"))["stot"] <= 2


def test_limits_of_the_route_are_kept(make_cluster):
    """So many connections at a time as there are workers, and one more; two in three seconds."""
    workers, seconds = 2, 8
    cluster = make_cluster(client={"workers": workers})
    deployment = cluster.deploy(
        "limited", 2, kinds=["h2"], balance="roundrobin", concurrent_tcp=workers + 2, rate_tcp=3
    )
    cluster.begin()
    cluster.run(seconds)
    cluster.finish()
    cluster.expect_none(deployment.h2.failed())
    counts = cluster.router.statistics(deployment.host("h2"))
    assert counts["stot"] <= workers * (2 + seconds)


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
