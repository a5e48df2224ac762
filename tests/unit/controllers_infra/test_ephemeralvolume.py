"""Claims that Pods bring along."""

from __future__ import annotations

from typing import Any

from leeward.cluster.controllers.ephemeralvolume import controller
from leeward.kube.objects import Obj

CLAIMS = controller.CLAIMS
_SPEC = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}


def pod(world: Any) -> Obj:
    template = {"metadata": {"labels": {"kind": "scratch"}}, "spec": _SPEC}
    volume = {"name": "tmp", "ephemeral": {"volumeClaimTemplate": template}}
    made: Obj = world.pod("web", volumes=[volume])
    return made


def test_an_ephemeral_volume_gets_a_claim_that_the_pod_owns(world: Any) -> None:
    world.run(controller.DESCRIPTOR)
    owner = pod(world)
    world.clock.advance(0)
    (claim,) = world.client.list(CLAIMS)
    assert claim["metadata"]["name"] == "web-tmp"
    assert claim["metadata"]["labels"] == {"kind": "scratch"}
    assert claim["metadata"]["ownerReferences"][0]["uid"] == owner["metadata"]["uid"]
    assert claim["spec"] == _SPEC


def test_a_claim_that_is_deleted_is_made_again_while_the_pod_lives(world: Any) -> None:
    pod(world)
    world.run(controller.DESCRIPTOR)
    world.client.delete(CLAIMS, "shop", "web-tmp")
    world.clock.advance(0)
    assert world.names(CLAIMS) == ["shop/web-tmp"]


def test_a_claim_of_somebody_else_is_not_taken(world: Any) -> None:
    world.create(CLAIMS, {"metadata": {"name": "web-tmp", "namespace": "shop"}, "spec": _SPEC})
    world.run(controller.DESCRIPTOR)
    pod(world)
    world.clock.advance(0)
    assert world.client.events == [
        (
            "FailedBinding",
            "ephemeral volume tmp: PVC shop/web-tmp was not created for pod shop/web (pod is not owner)",
        )
    ]
