"""Secrets with tokens of service accounts, and roles that are put together from others."""

from __future__ import annotations

import base64
from typing import Any

from leeward.cluster.controllers.clusterroleaggregation.controller import DESCRIPTOR as AGGREGATION
from leeward.cluster.controllers.clusterroleaggregation.controller import ROLES
from leeward.cluster.controllers.serviceaccounttoken.controller import ACCOUNT_NAME, ACCOUNT_UID, TYPE
from leeward.cluster.controllers.serviceaccounttoken.controller import DESCRIPTOR as TOKENS
from leeward.kube.objects import Obj, annotations_of


def account(world: Any, name: str = "builder") -> Obj:
    made: Obj = world.create("serviceaccounts", {"metadata": {"name": name, "namespace": "shop"}})
    return made


def secret(world: Any, name: str = "tok", **notes: str) -> None:
    meta = {"name": name, "namespace": "shop", "annotations": {ACCOUNT_NAME: "builder", **notes}}
    world.create("secrets", {"metadata": meta, "type": TYPE})
    world.clock.advance(0)


def test_a_secret_for_a_token_gets_one(world: Any) -> None:
    world.run(TOKENS)
    made = account(world)
    secret(world)
    found = world.client.get("secrets", "shop", "tok")
    data = {key: base64.b64decode(value).decode() for key, value in found["data"].items()}
    assert data == {"ca.crt": "PEM", "namespace": "shop", "token": "token of builder in tok"}
    assert annotations_of(found)[ACCOUNT_UID] == made["metadata"]["uid"]


def test_a_secret_goes_with_its_account(world: Any) -> None:
    world.run(TOKENS)
    account(world)
    secret(world)
    world.client.delete("serviceaccounts", "shop", "builder")
    world.clock.advance(0)
    assert world.client.find("secrets", "shop", "tok") is None


def test_a_secret_of_another_account_of_that_name_goes(world: Any) -> None:
    world.run(TOKENS)
    account(world)
    secret(world, **{ACCOUNT_UID: "of-the-former-one"})
    assert world.client.find("secrets", "shop", "tok") is None


def test_other_secrets_stay_as_they_are(world: Any) -> None:
    world.run(TOKENS)
    meta = {"name": "plain", "namespace": "shop", "annotations": {ACCOUNT_NAME: "nobody"}}
    world.create("secrets", {"metadata": meta, "type": "Opaque"})
    world.clock.advance(0)
    assert "data" not in world.client.get("secrets", "shop", "plain")


def role(world: Any, name: str, rules: list[Any], **labels: str) -> None:
    world.create(ROLES, {"metadata": {"name": name, "labels": labels}, "rules": rules})
    world.clock.advance(0)


def test_a_role_is_put_together_from_those_that_it_selects(world: Any) -> None:
    world.run(AGGREGATION)
    selector = {"matchLabels": {"to": "view"}}
    view = {"metadata": {"name": "view"}, "aggregationRule": {"clusterRoleSelectors": [selector]}}
    world.create(ROLES, view)
    pods, nodes = ({"verbs": ["get"], "apiGroups": [""], "resources": [each]} for each in ("pods", "nodes"))
    role(world, "b", [pods, nodes], to="view")
    role(world, "a", [nodes], to="view")
    role(world, "c", [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}], to="edit")
    assert world.client.get(ROLES, "", "view")["rules"] == [nodes, pods]
    world.client.delete(ROLES, "", "b")
    world.clock.advance(0)
    assert world.client.get(ROLES, "", "view")["rules"] == [nodes]
