"""What the network does at its edges: ports in use, writes that are refused, nodes lost before it began."""

import asyncio
from ipaddress import IPv4Network
from random import Random
from types import SimpleNamespace
from typing import Any, cast

import pytest

from leeward.base.clock import SystemClock
from leeward.base.errors import OperationError
from leeward.cluster.interface.network import AddressPlan
from leeward.cluster.network.ingressstatus import publish_status
from leeward.cluster.network.network import Network
from leeward.kube.objects import Obj
from leeward.kube.status import ConflictError

NOT_OURS = IPv4Network("192.0.2.0/24")  # for documentation: no machine has it


def test_a_dns_address_that_cannot_be_used_is_an_error_and_nothing_serves(world: Any) -> None:
    plan = AddressPlan(
        pod_network=NOT_OURS,
        service_network=NOT_OURS,
        gateway=NOT_OURS[1],
        dns=NOT_OURS[10],
        isolated=True,
        interface="x",
    )

    async def run() -> None:
        network = Network(
            client=world([]).reader, clock=SystemClock(), rng=Random(1), plan=plan, ingress_port=0
        )
        with pytest.raises(OperationError, match=r"cluster DNS cannot listen on 192\.0\.2\.10:53"):
            await network.start()
        assert network._server is not None
        assert not network._server.is_serving()

    asyncio.run(run())


def test_an_ingress_whose_status_is_refused_does_not_hinder_the_others() -> None:
    written: list[str] = []

    def update(resource: str, ingress: Obj) -> None:
        if ingress["metadata"]["name"] == "a":
            raise ConflictError("changed meanwhile")
        written.append(ingress["metadata"]["name"])

    ingresses = [{"metadata": {"name": name, "namespace": "shop"}} for name in "ab"]
    client = SimpleNamespace(list=lambda resource: ingresses, update_status=update)

    publish_status(cast("Any", client), 8080)

    assert written == ["b"]


def test_a_node_that_was_lost_before_is_known_to_be_lost(world: Any) -> None:
    made = world([])
    made.reader.objects["nodes"] = [
        {"metadata": {"name": name}, "status": {"conditions": [{"type": "Ready", "status": status}]}}
        for name, status in (("n1", "Unknown"), ("n2", "True"))
    ]

    made.table.start()

    assert made.table.lost_nodes == {"n1"}
