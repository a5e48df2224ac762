"""Which URL a drill requests when none was named."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from leeward.base.errors import OperationError
from leeward.drill import frontdoor
from leeward.drill.frontdoor import candidates, find_front_door
from leeward.drill.request import Answer, Door, RequestKind
from leeward.kube.client import KubeClient
from leeward.kube.objects import Obj


def ingress(namespace: str, *hosts: str) -> Obj:
    rules = [{"host": host, "http": {"paths": [{"path": "/shop"}]}} for host in hosts]
    return {"metadata": {"namespace": namespace, "name": "i"}, "spec": {"rules": rules}}


def service(name: str, protocol: str = "TCP") -> Obj:
    return {"metadata": {"name": name}, "spec": {"ports": [{"port": 1, "protocol": protocol}]}}


def test_doors_are_ingresses_first_then_services_with_a_tcp_port() -> None:
    found = candidates(
        [ingress("shop", "*.localhost", "web.localhost", ""), ingress("other", "other.localhost")],
        [service("api"), service("dns", "UDP"), {"metadata": {"name": "none"}, "spec": {}}],
        "shop",
        8080,
    )

    assert found == ["http://web.localhost:8080/shop", "http://api.shop.localhost:8080/"]


def test_a_host_that_two_projects_claim_is_no_door() -> None:
    both = [ingress("shop", "web.localhost"), ingress("other", "web.localhost")]

    assert candidates(both, [service("web")], "shop", 80) == ["http://web.shop.localhost:80/"]


class World:
    """Objects of one kind each."""

    def __init__(self, *services: Obj) -> None:
        self.services = services

    async def list(self, resource: str, namespace: str = "") -> list[Obj]:
        return list(self.services) if resource == "services" else []


def found(monkeypatch: pytest.MonkeyPatch, **answers: Answer | None) -> str:
    """Look for the door of services that answer so, or not at all."""

    async def ask(door: Door, kind: RequestKind, seconds: float) -> Answer:
        answer = answers[door.host.split(".")[0]]
        if answer is None:
            await asyncio.Event().wait()
        assert answer is not None
        return answer

    monkeypatch.setattr(frontdoor, "ask", ask)
    world = cast(KubeClient, World(*(service(name) for name in answers)))
    return asyncio.run(find_front_door(world, "shop", 80))


def test_the_first_service_that_answers_is_the_door(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = Answer(404, "status 404")

    assert found(monkeypatch, kv=refused, web=Answer(302), silent=None) == "http://web.shop.localhost:80/"


def test_no_door_is_an_error_that_tells_what_each_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OperationError, match=r"kv\.shop.*timeout, http://web\.shop.*status 404") as caught:
        found(monkeypatch, kv=Answer(failure="timeout"), web=Answer(404, "status 404"))
    assert "--url http://kv.shop.localhost:80/health" in caught.value.remedy


def test_nothing_published_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OperationError, match="nothing of shop is published"):
        found(monkeypatch)
