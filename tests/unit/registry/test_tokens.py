"""Tokens of service accounts: who they are for, how long, and what they end with."""

from __future__ import annotations

from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from leeward.base.clock import VirtualClock
from leeward.base.ids import SeededIds
from leeward.cluster.registry.registry import Registry
from leeward.cluster.registry.tokens import ISSUER, Tokens, extra_of, still_bound
from leeward.cluster.store.memory import MemoryStore
from leeward.kube.objects import Obj
from leeward.kube.status import BadRequestError, ConflictError, InvalidError, NotFoundError


def _pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


class World:
    """A registry that issues tokens, with the account "builder" and a Pod of it in namespace "shop"."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        ids = SeededIds(3)
        self.tokens = Tokens(_pem(ec.generate_private_key(ec.SECP256R1())), clock=self.clock, ids=ids)
        registry = Registry(MemoryStore(), clock=self.clock, ids=ids, tokens=self.tokens)
        self.client = registry.client("system:admin")
        self.client.create("namespaces", {"metadata": {"name": "shop"}})
        meta = {"name": "builder", "namespace": "shop"}
        self.account = self.client.create("serviceaccounts", {"metadata": meta})
        spec = {"containers": [{"name": "c", "image": "web:1"}], "serviceAccountName": "builder"}
        self.pod = self.client.create(
            "pods", {"metadata": {"name": "web", "namespace": "shop"}, "spec": spec}
        )

    def request(self, **spec: Any) -> Obj:
        return self.client.request_token("shop", "builder", {"spec": spec})

    def claims(self, **spec: Any) -> Any:
        return self.tokens.read(self.request(**spec)["status"]["token"], spec.get("audiences") or ())


@pytest.fixture
def world() -> World:
    return World()


OF_POD = {"kind": "Pod", "apiVersion": "v1", "name": "web"}


def test_a_token_says_whose_it_is_and_lasts_an_hour(world: World) -> None:
    made = world.request()
    claims = world.tokens.read(made["status"]["token"])
    assert claims is not None
    assert claims["sub"] == "system:serviceaccount:shop:builder"
    assert claims["aud"] == [ISSUER] == made["spec"]["audiences"]
    assert claims["exp"] - claims["iat"] == 3600 == made["spec"]["expirationSeconds"]
    assert made["metadata"]["name"] == "builder"


def test_a_token_ends_in_time(world: World) -> None:
    token = world.request(expirationSeconds=600)["status"]["token"]
    world.clock.advance(599)
    assert world.tokens.read(token) is not None
    world.clock.advance(2)
    assert world.tokens.read(token) is None


def test_a_token_counts_for_its_audience_only(world: World) -> None:
    token = world.request(audiences=["vault"])["status"]["token"]
    assert world.tokens.read(token) is None
    assert world.tokens.read(token, ["vault", "else"]) is not None


def test_a_token_of_another_key_or_a_changed_one_is_none(world: World) -> None:
    other = World().request()["status"]["token"]
    head, body, signature = world.request()["status"]["token"].split(".")
    for token in (other, f"{head}.{body}.{signature[::-1]}", f"{head}.{body}.", "nonsense", ""):
        assert world.tokens.read(token) is None


def test_a_token_that_is_not_signed_is_none(world: World) -> None:
    claims = world.claims()
    assert world.tokens.read(jwt.encode(dict(claims), "", algorithm="none")) is None


@pytest.mark.parametrize("gone", ["pods", "serviceaccounts"])
def test_a_token_ends_with_what_it_is_bound_to(world: World, gone: str) -> None:
    claims = world.claims(boundObjectRef=OF_POD)
    assert claims["kubernetes.io"]["pod"] == {"name": "web", "uid": world.pod["metadata"]["uid"]}
    assert still_bound(claims, world.client.find)
    name = "web" if gone == "pods" else "builder"
    world.client.delete(gone, "shop", name, grace_period_seconds=0)
    assert not still_bound(claims, world.client.find)


def test_an_account_of_the_same_name_is_another_one(world: World) -> None:
    claims = world.claims()
    world.client.delete("serviceaccounts", "shop", "builder")
    world.client.create("serviceaccounts", {"metadata": {"name": "builder", "namespace": "shop"}})
    assert not still_bound(claims, world.client.find)


def test_a_pod_that_runs_gets_the_node_into_its_token(world: World) -> None:
    world.client.create("nodes", {"metadata": {"name": "n1"}})
    world.client.bind("shop", "web", "n1")
    extra = extra_of(world.claims(boundObjectRef=OF_POD))
    assert extra["authentication.kubernetes.io/node-name"] == ["n1"]
    assert extra["authentication.kubernetes.io/pod-name"] == ["web"]
    assert extra["authentication.kubernetes.io/credential-id"][0].startswith("JTI=")


def test_the_token_that_every_pod_gets_is_good_for_a_year(world: World) -> None:
    made = world.request(expirationSeconds=3607, boundObjectRef=OF_POD)
    claims = world.tokens.read(made["status"]["token"])
    assert claims is not None
    assert claims["exp"] - claims["iat"] == 365 * 24 * 3600
    assert claims["kubernetes.io"]["warnafter"] - claims["iat"] == 3607
    assert made["spec"]["expirationSeconds"] == 3607


@pytest.mark.parametrize("seconds", [1, 599, 1 << 33])
def test_too_short_and_too_long_are_refused(world: World, seconds: int) -> None:
    with pytest.raises(InvalidError, match="may not specify a duration"):
        world.request(expirationSeconds=seconds)


def test_no_token_is_bound_to_what_is_not_there_or_not_its_own(world: World) -> None:
    with pytest.raises(NotFoundError, match='pods "api" not found'):
        world.request(boundObjectRef={**OF_POD, "name": "api"})
    with pytest.raises(ConflictError, match="does not match the UID in record"):
        world.request(boundObjectRef={**OF_POD, "uid": "1"})
    with pytest.raises(BadRequestError, match="cannot bind token to object of type apps/v1, Kind=Deployment"):
        world.request(boundObjectRef={"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"})
    world.client.create("serviceaccounts", {"metadata": {"name": "other", "namespace": "shop"}})
    with pytest.raises(BadRequestError, match="different serviceaccount name"):
        world.client.request_token("shop", "other", {"spec": {"boundObjectRef": OF_POD}})
    with pytest.raises(NotFoundError, match='serviceaccounts "nobody" not found'):
        world.client.request_token("shop", "nobody", {})


def test_keys_are_published_without_their_secret_half(world: World) -> None:
    (key,) = world.tokens.keys()["keys"]
    assert key["kty"] == "EC"
    assert "d" not in key


def test_a_key_of_another_kind_is_refused() -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    with pytest.raises(TypeError, match="P-256"):
        Tokens(_pem(key), clock=VirtualClock(), ids=SeededIds(1))
