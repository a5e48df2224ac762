"""Who asks, as whom, whether they may, and what is written down of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from leeward.base.ids import SeededIds
from leeward.cluster.apiserver.access import Access
from leeward.cluster.apiserver.audit import AuditLog
from leeward.cluster.apiserver.authentication import ADMIN, Authenticator, of_certificate
from leeward.cluster.apiserver.http import CERTIFICATE, Message, Request, Response
from leeward.cluster.apiserver.impersonation import impersonate, wanted_user
from leeward.cluster.apiserver.requestinfo import attributes_of
from leeward.cluster.authorization.attributes import Attributes
from leeward.cluster.authorization.rbac import Decision, Rbac
from leeward.cluster.interface.user import MASTERS, User
from leeward.kube.status import BadRequestError, ForbiddenError, StatusError, UnauthorizedError


class Accounts:
    """One service account, with the token "sa-token" for the audience "vault" or none."""

    def user_of(self, token: str, audiences: Sequence[str] = ()) -> User | None:
        if token != "sa-token" or (audiences and "vault" not in audiences):
            return None
        return User("system:serviceaccount:shop:builder", ("system:serviceaccounts",))


APPS = "/apis/apps/v1/namespaces/shop"
AUTHENTICATOR = Authenticator({"root-token": ADMIN}, Accounts())


def request(method: str, target: str, certificate: bytes = b"", **headers: Any) -> Request:
    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    path, _, query = target.partition("?")
    sent = [
        (key.replace("_", "-").encode(), value.encode())
        for key, values in headers.items()
        for value in ([values] if isinstance(values, str) else values)
    ]
    scope = {
        "method": method, "raw_path": target.encode(), "path": path, "query_string": query.encode(),
        "headers": sent, CERTIFICATE: certificate, "client": ("127.0.0.1", 4000),
    }  # fmt: skip
    return Request(scope, receive)


def certificate(name: str, *organisations: str) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    names = [(NameOID.COMMON_NAME, name), *((NameOID.ORGANIZATION_NAME, each) for each in organisations)]
    subject = x509.Name([x509.NameAttribute(oid, value) for oid, value in names if value])
    now = datetime(2030, 1, 1, tzinfo=UTC)
    made = x509.CertificateBuilder(subject, subject, key.public_key(), 1, now, now + timedelta(1))
    return made.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def test_who_sends_nothing_is_anonymous_and_a_wrong_token_is_refused() -> None:
    nobody = AUTHENTICATOR.authenticate("")
    assert (nobody.name, nobody.groups) == ("system:anonymous", ("system:unauthenticated",))
    assert AUTHENTICATOR.authenticate("Basic dXNlcg==") == nobody
    assert AUTHENTICATOR.authenticate("bearer root-token") == ADMIN
    for header in ("Bearer root-toke", "Bearer root-token2", "Bearer x"):
        with pytest.raises(UnauthorizedError):
            AUTHENTICATOR.authenticate(header)


def test_a_service_account_is_authenticated_by_its_token() -> None:
    found = AUTHENTICATOR.authenticate("Bearer sa-token")
    assert found.groups == ("system:serviceaccounts", "system:authenticated")
    assert AUTHENTICATOR.of_token("sa-token", ["else"]) is None


def test_a_certificate_names_a_user_and_groups() -> None:
    found = of_certificate(certificate("jane", "devs", "ops"))
    assert (found.name, sorted(found.groups)) == ("jane", ["devs", "ops", "system:authenticated"])
    assert AUTHENTICATOR.authenticate("Bearer wrong", certificate("jane")).name == "jane"
    with pytest.raises(UnauthorizedError):
        of_certificate(certificate("", "devs"))


@pytest.mark.parametrize(
    ("method", "target", "expected"),
    [
        ("GET", "/api/v1/namespaces/shop/pods", ("list", "", "pods", "", "shop", "")),
        ("GET", "/api/v1/namespaces/shop/pods?watch=1", ("watch", "", "pods", "", "shop", "")),
        ("GET", "/api/v1/watch/pods", ("watch", "", "pods", "", "", "")),
        ("GET", "/api/v1/pods?fieldSelector=metadata.name%3Da", ("list", "", "pods", "", "", "a")),
        ("GET", "/api/v1/namespaces/shop", ("get", "", "namespaces", "", "shop", "shop")),
        ("GET", "/api/v1/namespaces", ("list", "", "namespaces", "", "", "")),
        ("PUT", "/api/v1/namespaces/shop/finalize", ("update", "", "namespaces", "finalize", "shop", "shop")),
        ("DELETE", f"{APPS}/deployments", ("deletecollection", "apps", "deployments", "", "shop", "")),
        ("PATCH", f"{APPS}/deployments/d/scale", ("patch", "apps", "deployments", "scale", "shop", "d")),
        ("POST", "/api/v1/namespaces/shop/pods/a/exec", ("create", "", "pods", "exec", "shop", "a")),
        ("HEAD", "/api/v1/nodes/n", ("get", "", "nodes", "", "", "n")),
    ],
)  # fmt: skip
def test_a_request_is_a_verb_on_a_resource(method: str, target: str, expected: tuple[str, ...]) -> None:
    found = attributes_of(request(method, target), ADMIN)
    shown = (found.verb, found.group, found.resource, found.subresource, found.namespace, found.name)
    assert shown == expected
    assert found.path == ""


@pytest.mark.parametrize("subresource", ["exec", "attach", "portforward"])
def test_talking_to_a_pod_needs_create_though_a_websocket_is_a_get(subresource: str) -> None:
    class Roles:
        def __init__(self, *verbs: str) -> None:
            self._verbs = verbs

        def authorize(self, asked: Attributes) -> Decision:
            return Decision(asked.verb in self._verbs)

    async def dispatch(_: Request) -> Response:
        return Response(b"")

    def ask(*verbs: str) -> int:
        access = Access(AUTHENTICATOR, Roles(*verbs))  # type: ignore[arg-type]
        target = f"/api/v1/namespaces/shop/pods/a/{subresource}"
        sent = request("GET", target, authorization="Bearer sa-token")
        return asyncio.run(access.through(sent, dispatch)).status

    assert ask("get", "create") == 200
    with pytest.raises(ForbiddenError, match=f'cannot create resource "pods/{subresource}"'):
        ask("get")
    with pytest.raises(ForbiddenError, match=f'cannot get resource "pods/{subresource}"'):
        ask("create")


@pytest.mark.parametrize("target", ["/", "/version", "/api", "/apis/apps/v1", "/nonsense/at/all"])
def test_what_is_no_resource_is_a_path(target: str) -> None:
    found = attributes_of(request("GET", target), ADMIN)
    assert (found.verb, found.path, found.resource) == ("get", target, "")


def only(*allowed: str) -> Any:
    """Return what allows "verb group/resource name" and nothing else."""

    def authorize(asked: Attributes) -> Decision:
        return Decision(f"{asked.verb} {asked.group}/{asked.combined} {asked.name}" in allowed)

    return authorize


PODS = Attributes(user=User("ci", ("x",)), verb="list", resource="pods", namespace="shop")
A = "authentication.k8s.io"


def test_nobody_is_impersonated_without_headers_and_no_groups_without_a_user() -> None:
    assert wanted_user([("accept", "*/*")]) is None
    with pytest.raises(BadRequestError, match="without impersonating a user name"):
        wanted_user([("impersonate-group", "devs")])


def test_headers_say_who_is_meant() -> None:
    headers = [
        ("impersonate-user", "jane"), ("impersonate-group", "a"), ("impersonate-group", "b"),
        ("impersonate-uid", "7"), ("impersonate-extra-acme.com%2fproject", "p"),
    ]  # fmt: skip
    assert wanted_user(headers) == User("jane", ("a", "b"), "7", {"acme.com/project": ["p"]})


def test_the_old_verb_lets_somebody_act_as_another_with_everything() -> None:
    jane = User("jane", ("devs",), "7", {"k": ["v"]})
    rights = ["impersonate /users jane", "impersonate /groups devs", f"impersonate {A}/uids 7"]
    may = only(*rights, f"impersonate {A}/userextras/k v")
    assert impersonate(jane, PODS, may).groups == ("devs", "system:authenticated")
    for index in range(len(rights)):
        with pytest.raises(ForbiddenError):
            impersonate(jane, PODS, only(*rights[:index], *rights[index + 1 :]))


def test_constrained_impersonation_needs_the_identity_and_the_action() -> None:
    may = only("impersonate-on:user-info:list /pods ", f"impersonate:user-info {A}/users jane")
    assert impersonate(User("jane"), PODS, may).name == "jane"
    with pytest.raises(ForbiddenError, match="cannot impersonate-on:user-info:list resource"):
        impersonate(User("jane"), PODS, only(f"impersonate:user-info {A}/users jane"))
    with pytest.raises(ForbiddenError, match="cannot impersonate:user-info resource"):
        impersonate(User("jane"), PODS, only("impersonate-on:user-info:list /pods "))


def test_constrained_impersonation_never_gives_everything() -> None:
    everything = User("jane", (MASTERS,))
    may = only(
        "impersonate-on:user-info:list /pods ",
        f"impersonate:user-info {A}/users jane",
        f"impersonate:user-info {A}/groups {MASTERS}",
    )
    with pytest.raises(ForbiddenError, match="impersonating the system:masters group is not allowed"):
        impersonate(everything, PODS, may)


def test_a_service_account_gets_its_groups_and_a_node_its_own() -> None:
    account = "system:serviceaccount:shop:builder"
    may = only("impersonate /serviceaccounts builder")
    groups = ("system:serviceaccounts", "system:serviceaccounts:shop", "system:authenticated")
    assert impersonate(User(account), PODS, may).groups == groups
    may = only("impersonate-on:arbitrary-node:list /pods ", f"impersonate:arbitrary-node {A}/nodes n1")
    assert impersonate(User("system:node:n1"), PODS, may).groups == ("system:nodes", "system:authenticated")
    anonymous = impersonate(User("system:anonymous"), PODS, only("impersonate /users system:anonymous"))
    assert anonymous.groups == ("system:unauthenticated",)


class NoRoles:
    """A cluster without roles."""

    def find(self, resource: str, namespace: str, name: str) -> None:
        return None

    def list(self, resource: str, namespace: str | None = None) -> list[Any]:
        return []

    def watch(self, resources: Any, handler: Any) -> Any:
        return lambda: None


def through(asking: Request, audit: AuditLog | None = None) -> User:
    async def dispatch(request: Request) -> Response:
        return Response(b"{}", status=201)

    access = Access(AUTHENTICATOR, Rbac(NoRoles()), audit)  # type: ignore[arg-type]
    asyncio.run(access.through(asking, dispatch))
    return asking.user


POD = "/api/v1/namespaces/shop/pods"


PREFIX = "base64url.bearer.authorization.k8s.io."


def websocket(*protocols: str) -> Request:
    made = request("GET", f"{POD}/a")
    made._scope.update(type="websocket", subprotocols=list(protocols))
    return made


def test_a_browser_sends_its_token_as_a_protocol_which_is_not_one_offered() -> None:
    asking = websocket("v5.channel.k8s.io", f"{PREFIX}cm9vdC10b2tlbg")
    assert through(asking) == ADMIN
    assert asking.protocols == ["v5.channel.k8s.io"]
    with pytest.raises(ForbiddenError):  # nobody
        through(websocket("v5.channel.k8s.io", PREFIX))


@pytest.mark.parametrize(
    "protocols",
    [
        [f"{PREFIX}cm9vdC10b2tlbg"],
        ["v5.channel.k8s.io", f"{PREFIX}cm9vdC10b2tlbg", f"{PREFIX}cm9vdC10b2tlbg"],
        ["v5.channel.k8s.io", f"{PREFIX}cm9vdC10b2tlbg=="],
        ["v5.channel.k8s.io", f"{PREFIX}b3RoZXI"],
        ["v5.channel.k8s.io", f"{PREFIX}_w"],
        ["v5.channel.k8s.io", f"{PREFIX}c"],
    ],
    ids=["alone", "two", "padded", "another's", "no-text", "cut"],
)
def test_a_token_as_a_protocol_that_is_wrong_is_refused(protocols: list[str]) -> None:
    with pytest.raises(UnauthorizedError):
        through(websocket(*protocols))


def test_a_request_is_carried_out_as_who_is_meant() -> None:
    assert through(request("POST", POD, authorization="Bearer root-token")) == ADMIN
    header: dict[str, Any] = {
        "authorization": "Bearer root-token",
        "impersonate_user": "jane",
        "impersonate_group": [MASTERS],
    }
    assert through(request("POST", POD, **header)).name == "jane"
    with pytest.raises(ForbiddenError, match='User "jane" cannot create'):
        through(request("POST", POD, authorization="Bearer root-token", impersonate_user="jane"))
    with pytest.raises(ForbiddenError, match='User "system:anonymous" cannot list resource "pods"'):
        through(request("GET", POD))


def test_changes_and_refusals_are_written_down_and_reads_are_not(tmp_path: Path) -> None:
    audit = AuditLog(tmp_path / "logs" / "audit.log", lambda: "2030-01-01T00:00:00.000000Z", SeededIds(1))
    through(request("GET", POD, authorization="Bearer root-token"), audit)
    through(request("POST", f"{POD}?dryRun=All", authorization="Bearer root-token", user_agent="k/1"), audit)
    asking = request("DELETE", f"{POD}/a", authorization="Bearer root-token", impersonate_user="jane")
    with pytest.raises(StatusError):
        through(asking, audit)
    with pytest.raises(StatusError):
        through(request("GET", POD), audit)
    through(request("GET", f"{POD}/a/proxy/delete-all", authorization="Bearer root-token"), audit)
    audit.close()
    made, refused, read, proxied = map(
        orjson.loads, (tmp_path / "logs" / "audit.log").read_bytes().splitlines()
    )
    assert (made["verb"], made["requestURI"], made["responseStatus"]) == (
        "create",
        f"{POD}?dryRun=All",
        {"code": 201},
    )
    assert made["objectRef"] == {"resource": "pods", "namespace": "shop", "apiVersion": "v1"}
    assert (made["user"]["username"], made["userAgent"]) == ("kubernetes-admin", "k/1")
    assert proxied["objectRef"]["subresource"] == "proxy"
    assert refused["impersonatedUser"]["username"] == "jane"
    assert [each["responseStatus"]["code"] for each in (refused, read)] == [403, 403]
    assert (tmp_path / "logs" / "audit.log").stat().st_mode & 0o777 == 0o600


def test_the_log_is_rotated_by_size(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    audit = AuditLog(path, lambda: "now", SeededIds(1), max_bytes=1000)
    for _ in range(8):
        through(request("POST", POD, authorization="Bearer root-token"), audit)
    audit.close()
    assert path.stat().st_size <= 1000
    assert orjson.loads((tmp_path / "audit.log.1").read_bytes().splitlines()[0])["verb"] == "create"
