"""Who is asked next, and how often a request may be asked twice."""

from collections import Counter
from random import Random
from types import SimpleNamespace
from typing import Any, cast

import pytest

from leeward.base.clock import VirtualClock
from leeward.cluster.network.attempts import HEDGES_AT_ONCE, HEDGES_PER_REQUEST, HedgeBudget
from leeward.cluster.network.balancer import SUSPICION_SECONDS, Balancer
from leeward.cluster.network.connections import Connections, Stream
from leeward.cluster.network.endpoints import Endpoint

ENDPOINTS = tuple(Endpoint(f"10.0.0.{n}", 80, f"node-{n}") for n in (1, 2, 3))


class World:
    """A balancer over three endpoints, one a node."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.lost: set[str] = set()
        self.connections = Connections()
        table = cast("Any", SimpleNamespace(lost_nodes=self.lost))
        self.balancer = Balancer(table, self.clock, self.connections, Random(7))

    def first(self) -> Endpoint:
        return self.balancer.order(ENDPOINTS)[0]


@pytest.fixture
def world() -> World:
    return World()


def stream() -> Stream:
    return cast("Stream", (object(), object()))


@pytest.mark.parametrize("services", [1, 2, 3, 4, 6])
def test_the_work_of_every_service_is_shared_evenly_whoever_else_is_asked_in_between(
    world: World, services: int
) -> None:
    asked: list[Counter[Endpoint]] = [Counter() for _ in range(services)]
    for _ in range(900):  # a request that goes through every service, one after the other
        for counter in asked:
            counter[world.first()] += 1

    assert all(200 < counter[endpoint] < 400 for counter in asked for endpoint in ENDPOINTS)


def test_the_endpoint_with_the_fewest_open_connections_is_next(world: World) -> None:
    busy, free, busier = ENDPOINTS
    for endpoint, count in ((busy, 1), (busier, 2)):
        for _ in range(count):
            world.connections.add(endpoint, stream(), stream())

    assert all(world.balancer.order(ENDPOINTS) == [free, busy, busier] for _ in range(9))


def test_a_connection_that_ended_counts_no_more(world: World) -> None:
    upstream, client = stream(), stream()
    world.connections.add(ENDPOINTS[0], upstream, client)
    for _ in range(2):
        world.connections.remove(ENDPOINTS[0], upstream, client)

    assert world.connections.load(ENDPOINTS[0]) == 0
    assert world.connections.count("node-1") == 0


def test_a_suspect_is_last_however_idle_until_it_is_trusted_again(world: World) -> None:
    for endpoint in ENDPOINTS[1:]:
        world.connections.add(endpoint, stream())
    world.balancer.suspect(ENDPOINTS[0])
    assert world.balancer.order(ENDPOINTS)[-1] == ENDPOINTS[0]

    world.clock.advance(SUSPICION_SECONDS)
    assert world.first() == ENDPOINTS[0]


def test_an_endpoint_on_a_lost_node_is_last(world: World) -> None:
    world.lost.add("node-2")
    assert all(world.balancer.order(ENDPOINTS)[-1] == ENDPOINTS[1] for _ in range(9))


def test_hedges_are_a_share_of_the_requests_once_the_reserve_is_gone() -> None:
    budget = HedgeBudget()
    assert sum(budget.withdraw() for _ in range(1000)) == int(HEDGES_AT_ONCE)

    hedged = 0
    for _ in range(1000):
        budget.deposit()
        hedged += budget.withdraw()
    assert hedged == pytest.approx(1000 * HEDGES_PER_REQUEST, abs=1)
