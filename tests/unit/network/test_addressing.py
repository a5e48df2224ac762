"""Address ranges and Pod addresses."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest

from leeward.base.errors import OperationError
from leeward.cluster.interface.network import AddressPlan
from leeward.cluster.network.addressing import AddressPool, choose_address_plan


def test_a_cluster_prefers_the_same_range_every_time() -> None:
    assert choose_address_plan("a", isolated=True, taken=[]) == choose_address_plan(
        "a", isolated=True, taken=[]
    )


def test_a_range_in_use_is_left_alone() -> None:
    first = choose_address_plan("a", isolated=True, taken=[])

    second = choose_address_plan("a", isolated=True, taken=[first.service_network])

    assert not second.pod_network.supernet().overlaps(first.pod_network)


def test_a_default_route_uses_no_range() -> None:
    taken = [IPv4Network("0.0.0.0/0")]

    assert choose_address_plan("a", isolated=True, taken=taken).pod_network.is_private


def test_no_free_range_is_an_error() -> None:
    with pytest.raises(OperationError, match="are in use"):
        choose_address_plan("a", isolated=True, taken=[IPv4Network("10.0.0.0/8")])


def plan(pods: str) -> AddressPlan:
    network = IPv4Network(pods)
    return AddressPlan(
        pod_network=network,
        service_network=IPv4Network("10.1.0.0/24"),
        gateway=network[1],
        dns=IPv4Network("10.1.0.0/24")[10],
        isolated=True,
        interface="x",
    )


def test_a_freed_address_rests_before_it_is_used_again() -> None:
    pool = AddressPool(plan("10.0.0.0/28"))
    first = pool.take()
    pool.give_back(first)

    rest = [pool.take() for _ in range(4)]

    assert first not in rest[:4]
    assert pool.take() == first


def test_no_address_is_given_out_twice() -> None:
    pool = AddressPool(plan("10.0.0.0/28"))
    taken = [pool.take() for _ in range(5)]

    assert len(set(taken)) == 5
    with pytest.raises(OperationError, match="no free Pod address"):
        pool.take()
