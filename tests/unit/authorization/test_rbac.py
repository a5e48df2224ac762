"""What roles and bindings allow."""

from __future__ import annotations

from typing import Any

import pytest

from leeward.base.clock import VirtualClock
from leeward.base.ids import SeededIds
from leeward.cluster.authorization.attributes import Attributes
from leeward.cluster.authorization.bootstrappolicy import bootstrap_policy
from leeward.cluster.authorization.rbac import BINDINGS, CLUSTER_BINDINGS, CLUSTER_ROLES, GROUP, ROLES, Rbac
from leeward.cluster.authorization.rules import allows, missing, shown
from leeward.cluster.interface.user import MASTERS, User
from leeward.cluster.registry.registry import Registry
from leeward.cluster.store.memory import MemoryStore
from leeward.kube.objects import Obj

JANE = User("jane", ("devs", "system:authenticated"))


def rule(verbs: str, resources: str = "", groups: str = "core", **more: list[str]) -> Obj:
    named = ["" if group == "core" else group for group in groups.split()]
    found: Obj = {"verbs": verbs.split(), **more}
    return {**found, "apiGroups": named, "resources": resources.split()} if resources else found


def asked(
    verb: str, resource: str = "", namespace: str = "shop", user: User = JANE, **more: Any
) -> Attributes:
    name, _, subresource = resource.partition("/")
    place = {"namespace": namespace} if resource else {}
    return Attributes(user=user, verb=verb, resource=name, subresource=subresource, **place, **more)


@pytest.mark.parametrize(
    ("given", "question", "expected"),
    [
        (rule("get list", "pods"), asked("get", "pods"), True),
        (rule("get list", "pods"), asked("delete", "pods"), False),
        (rule("get", "pods"), asked("get", "pods/log"), False),
        (rule("get", "pods/log"), asked("get", "pods/log"), True),
        (rule("get", "*/log"), asked("get", "pods/log"), True),
        (rule("get", "*/log"), asked("get", "pods"), False),
        (rule("*", "*"), asked("deletecollection", "secrets"), True),
        (rule("get", "pods", "apps"), asked("get", "pods"), False),
        (rule("get", "deployments", "*"), asked("get", "deployments", group="apps"), True),
        (rule("get", "configmaps", resourceNames=["a"]), asked("get", "configmaps", name="a"), True),
        (rule("get", "configmaps", resourceNames=["a"]), asked("get", "configmaps", name="b"), False),
        (rule("list", "configmaps", resourceNames=["a"]), asked("list", "configmaps"), False),
        (rule("get", nonResourceURLs=["/healthz/*"]), asked("get", path="/healthz/etcd"), True),
        (rule("get", nonResourceURLs=["/healthz"]), asked("get", path="/healthz/etcd"), False),
        (rule("get", nonResourceURLs=["*"]), asked("get", "pods"), False),
        (rule("get", "*"), asked("get", path="/metrics"), False),
    ],
)
def test_a_rule_allows_what_it_names(given: Obj, question: Attributes, expected: bool) -> None:
    assert allows(given, question) is expected


def test_what_is_granted_beyond_what_is_held_is_told_in_one_line_a_resource() -> None:
    held = [rule("get", "pods secrets"), rule("*", "deployments", "apps")]
    granted = [rule("get list", "pods secrets"), rule("patch", "deployments", "apps")]
    lacking = [shown(each) for each in missing(held, granted)]
    assert lacking == [
        '{APIGroups:[""], Resources:["pods"], Verbs:["list"]}',
        '{APIGroups:[""], Resources:["secrets"], Verbs:["list"]}',
    ]


def test_names_and_paths_are_compared_too() -> None:
    held = [rule("get", "secrets", resourceNames=["a", "b"]), rule("get", nonResourceURLs=["/logs/*"])]
    assert missing(held, [rule("get", "secrets", resourceNames=["a"])]) == []
    assert missing(held, [rule("get", nonResourceURLs=["/logs/x"])]) == []
    (lacking,) = missing(held, [rule("get", "secrets")])
    assert "resourceNames" not in lacking
    assert missing(held, [rule("get", nonResourceURLs=["*"])])


class World:
    """A registry with RBAC; namespaces "shop" and "other" are there."""

    def __init__(self) -> None:
        registry = Registry(MemoryStore(), clock=VirtualClock(), ids=SeededIds(1))
        self.client = registry.client("system:admin")
        self.rbac = Rbac(self.client)
        for name in ("shop", "other"):
            self.client.create("namespaces", {"metadata": {"name": name}})

    def role(self, name: str, *rules: Obj, namespace: str = "") -> None:
        meta = {"name": name, **({"namespace": namespace} if namespace else {})}
        self.client.create(ROLES if namespace else CLUSTER_ROLES, {"metadata": meta, "rules": list(rules)})

    def bind(self, role: str, *subjects: Obj, namespace: str = "", kind: str = "ClusterRole") -> None:
        meta = {"name": f"{role}-binding", **({"namespace": namespace} if namespace else {})}
        reference = {"apiGroup": GROUP, "kind": kind, "name": role}
        binding = {"metadata": meta, "roleRef": reference, "subjects": list(subjects)}
        self.client.create(BINDINGS if namespace else CLUSTER_BINDINGS, binding)

    def may(self, question: Attributes) -> bool:
        return self.rbac.authorize(question).allowed


@pytest.fixture
def world() -> World:
    return World()


def group(name: str) -> Obj:
    return {"kind": "Group", "apiGroup": GROUP, "name": name}


def test_a_role_in_a_namespace_counts_there_only(world: World) -> None:
    world.role("reader", rule("get", "pods"), namespace="shop")
    world.bind("reader", group("devs"), namespace="shop", kind="Role")
    assert world.may(asked("get", "pods"))
    assert not world.may(asked("get", "pods", "other"))
    assert not world.may(asked("get", "pods", ""))


def test_a_cluster_role_counts_where_it_is_bound(world: World) -> None:
    world.role("reader", rule("get", "pods"))
    world.bind("reader", {"kind": "User", "apiGroup": GROUP, "name": "jane"}, namespace="shop")
    assert world.may(asked("get", "pods"))
    assert not world.may(asked("get", "pods", "other"))
    world.bind("reader", group("devs"))
    assert world.may(asked("get", "pods", "other"))
    assert world.may(asked("get", "pods", ""))


def test_a_service_account_is_a_subject_of_its_namespace(world: World) -> None:
    world.role("reader", rule("get", "pods"))
    account = {"kind": "ServiceAccount", "name": "builder", "namespace": "other"}
    world.bind("reader", account, namespace="shop")
    builder = User("system:serviceaccount:other:builder", ("system:serviceaccounts",))
    decision = world.rbac.authorize(asked("get", "pods", user=builder))
    assert decision.reason == (
        'RBAC: allowed by RoleBinding "reader-binding/shop" of ClusterRole "reader" to ServiceAccount '
        '"builder/other"'
    )
    assert not world.may(asked("get", "pods", user=User("system:serviceaccount:shop:builder")))


def test_what_changes_counts_at_once(world: World) -> None:
    world.role("reader", rule("get", "pods"))
    assert not world.may(asked("get", "pods"))
    world.bind("reader", group("devs"))
    assert world.may(asked("get", "pods"))
    world.client.patch(CLUSTER_ROLES, "", "reader", {"rules": [rule("list", "pods")]}, patch_type="merge")
    assert not world.may(asked("get", "pods"))
    world.client.delete(CLUSTER_BINDINGS, "", "reader-binding")
    assert not world.may(asked("list", "pods"))


def test_a_binding_to_no_role_is_told_and_stops_nothing(world: World) -> None:
    world.bind("gone", group("devs"))
    decision = world.rbac.authorize(asked("get", "pods"))
    assert decision == (False, "", f'RBAC: clusterrole.{GROUP} "gone" not found')
    world.role("reader", rule("get", "pods"))
    world.bind("reader", group("devs"))
    assert world.may(asked("get", "pods"))


def test_masters_may_do_everything_and_nobody_else_without_a_role(world: World) -> None:
    assert world.may(asked("delete", "nodes", "", User("root", (MASTERS,))))
    assert not world.may(asked("get", path="/version"))


@pytest.mark.parametrize(
    ("group_name", "question", "expected"),
    [
        ("system:unauthenticated", asked("get", path="/version"), True),
        ("system:unauthenticated", asked("get", path="/healthz"), True),
        ("system:unauthenticated", asked("get", path="/api"), False),
        ("system:unauthenticated", asked("get", path="/openapi/v3"), False),
        ("system:unauthenticated", asked("list", "pods"), False),
        ("system:authenticated", asked("get", path="/apis/apps/v1"), True),
        ("system:authenticated", asked("create", "selfsubjectreviews", group="authentication.k8s.io"), True),
        ("system:authenticated", asked("get", path="/metrics"), False),
        ("system:authenticated", asked("list", "namespaces", ""), False),
        ("system:monitoring", asked("get", path="/metrics"), True),
    ],
)
def test_every_cluster_begins_with_what_the_world_may_know(
    world: World, group_name: str, question: Attributes, expected: bool
) -> None:
    for resource, obj in bootstrap_policy():
        world.client.create(resource, obj)
    somebody = User("x", (group_name,))
    assert world.may(Attributes(**{**_fields(question), "user": somebody})) is expected


def _fields(question: Attributes) -> dict[str, Any]:
    return {name: getattr(question, name) for name in question.__slots__}


def test_a_refusal_names_who_what_and_where() -> None:
    error = asked("get", "deployments/scale", group="apps", name="d").forbidden()
    assert error.message == (
        'deployments.apps "d" is forbidden: User "jane" cannot get resource "deployments/scale" in API group '
        '"apps" in the namespace "shop"'
    )
    assert error.details == {"name": "d", "group": "apps", "kind": "deployments"}
    assert asked("get", path="/x<y").forbidden().message.endswith('cannot get path "/x&lt;y"')
    assert "at the cluster scope" in asked("list", "nodes", "").forbidden().message
