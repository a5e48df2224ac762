"""What a promotion comes to: everything that is against it is told at once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from leeward.base.clock import VirtualClock
from leeward.base.errors import DiagnosticsError
from leeward.delivery.environments.environment import Overlay, environment_object, read_environment
from leeward.delivery.environments.variables import Author, set_values
from leeward.delivery.promotion.planning import Plan, Wish, plan_promotion
from leeward.delivery.records import ENVIRONMENTS, PROMOTIONS, promotion_name
from leeward.delivery.releases.bundle import release_object
from leeward.kube.objects import Obj
from leeward.settings.config import Config, Environment
from tests.unit.delivery.memory import Memory
from tests.unit.delivery.releasing import made, write
from tests.unit.delivery.test_standing import Cluster

COMPOSE = """
services:
  web:
    image: web
    command: serve --token=${SHOWN_TOKEN:-}
    environment: {DB_PASSWORD: "${DB_PASSWORD:-}", API_TOKEN: abc}
"""
CONFIG = Config(environments={"ci": Environment(), "qa": Environment(from_="ci", approvals=1, soak=3600.0)})
LOCK = {"by": "joe", "reason": "inventory", "at": "2026-01-01T00:00:00Z"}


@pytest.fixture
def release(tmp_path: Path) -> Obj:
    return release_object(made(write(tmp_path / "shop", {"compose.yaml": COMPOSE})).bundle, created_by="jane")


@pytest.fixture
def api() -> Cluster:
    cluster = Cluster()
    for name in CONFIG.environments:
        cluster.put(ENVIRONMENTS, environment_object("shop", CONFIG, name, Overlay()))
    return cluster


def plan(api: Cluster, release: Obj, environment: str = "qa", **more: Any) -> Plan:
    wish = Wish(app="shop", environment=environment, release=release, by="jane", **more)
    return asyncio.run(plan_promotion(api, None, wish, VirtualClock().now()))


def give(api: Memory, environment: str, **values: str) -> None:
    obj = api.objects[ENVIRONMENTS, "leeward-shop", environment]
    asyncio.run(set_values(api, read_environment(obj), values, Author(name="jane"), VirtualClock()))


def test_missing_secrets_and_gates_are_told_together(api: Cluster, release: Obj) -> None:
    api.objects[ENVIRONMENTS, "leeward-shop", "qa"]["status"] = {"lock": LOCK}
    with pytest.raises(DiagnosticsError) as caught:
        plan(api, release)
    found = {each.code: each for each in caught.value.diagnostics}
    assert list(found) == ["missing-secret", "gate-locked", "gate-origin", "gate-approvals"]
    assert found["missing-secret"].message == "API_TOKEN is secret and has no value in qa."
    assert "never was in ci" in found["gate-origin"].message
    assert "leeward promote" in found["gate-origin"].remedy


def test_what_an_override_passes_is_not_told_with_missing_secrets(api: Cluster, release: Obj) -> None:
    with pytest.raises(DiagnosticsError) as caught:
        plan(api, release, override="the shop is down")
    assert [each.code for each in caught.value.diagnostics] == ["missing-secret", "gate-origin"]


def test_gates_and_what_stands_in_the_way_are_told_together(api: Cluster, release: Obj) -> None:
    give(api, "qa", API_TOKEN="abc")
    meta = {"name": "web", "namespace": "shop-qa"}
    api.put("deployments.apps", {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": {}})
    found = plan(api, release)
    assert [each.code for each in found.blocked] == ["origin", "approvals", "foreign"]


def test_a_release_that_may_enter_has_nothing_against_it(api: Cluster, release: Obj) -> None:
    give(api, "ci", API_TOKEN="abc")
    found = plan(api, release, "ci")
    assert found.blocked == []
    assert "Deployment" in [obj["kind"] for obj in found.request.objects]


def test_what_was_let_in_goes_on_and_is_let_in_anew_when_it_ended_while_somebody_was_asked(
    api: Cluster, release: Obj
) -> None:
    give(api, "qa", API_TOKEN="abc")
    spec = {"release": release["metadata"]["name"], "diffHash": plan(api, release).request.diff_hash}
    meta = {"name": promotion_name("qa", 1), "namespace": "leeward-shop"}
    api.put(PROMOTIONS, {"kind": "Promotion", "metadata": meta, "spec": spec})
    found = plan(api, release)
    assert found.blocked == []
    assert "never was in ci" in found.request.shut(VirtualClock().now())


def test_a_secret_in_a_command_is_told_by_its_name_and_one_in_a_variable_is_not(
    api: Cluster, release: Obj
) -> None:
    give(api, "ci", API_TOKEN="hunter2-hunter2", SHOWN_TOKEN="sesame-open-1")
    found = plan(api, release, "ci").exposed
    assert list(found) == ["Deployment web shows the value of SHOWN_TOKEN to everybody who may view it"]
