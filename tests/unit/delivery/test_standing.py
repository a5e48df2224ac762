"""What is told of an environment before a promotion: changed by hand, owned or put there by others."""

from __future__ import annotations

import asyncio
import copy
from dataclasses import replace
from typing import Any

import pytest

from leeward.delivery.environments.environment import Environment
from leeward.delivery.promotion.promoter import RUNNING, SUCCEEDED
from leeward.delivery.promotion.rollout import Where, stamped
from leeward.delivery.promotion.standing import Difference, Standing, difference, look_ahead
from leeward.delivery.records import PROMOTIONS, record
from leeward.kube.objects import Obj
from leeward.kube.status import ConflictError, ForbiddenError
from leeward.kube.wellknown import APP_MANAGED_BY, APP_NAME, APP_PART_OF
from tests.unit.delivery.memory import Memory

SPACE = "shop-qa"
QA = Environment(name="qa", app="shop", namespace=SPACE, promotion="qa-00001", release="shop-1")
WHERE = Where(project="shop", namespace=SPACE, environment="qa", release="shop-2")
LABELS = {APP_PART_OF: "shop", APP_MANAGED_BY: "leeward", APP_NAME: "web"}
DEPLOYMENTS = "deployments.apps"
KUBECTL = {"manager": "kubectl", "operation": "Update", "subresource": "scale"}


def deployment(name: str = "web", replicas: int = 2, image: str = "web:1") -> Obj:
    template = {"spec": {"containers": [{"name": "web", "image": image}]}}
    meta = {"name": name, "namespace": SPACE, "labels": LABELS}
    spec = {"replicas": replicas, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec}


class Cluster(Memory):
    """Knows who owns fields: dry runs of objects that have owners are refused, with these fields."""

    owners: dict[str, tuple[str, str]]  # name → manager and field

    def __init__(self) -> None:
        super().__init__()
        self.owners = {}
        self.rehearsed: list[str] = []
        head = {"apiVersion": "v1", "kind": "Namespace"}
        for name in ("shop-ci", "shop-qa"):
            self.objects["namespaces", "", name] = {**head, "metadata": {"name": name}}

    async def patch(self, resource: str, namespace: str, name: str, patch: Any, **more: Any) -> Obj:
        if not more.pop("dry_run", False):
            return await super().patch(resource, namespace, name, patch, **more)
        assert more["patch_type"] == "apply"
        self.rehearsed.append(name)
        if name in self.owners:
            manager, field = self.owners[name]
            causes = [{"reason": "FieldManagerConflict", "message": "conflict", "field": field}]
            raise ConflictError(
                f'conflict with "{manager}" using apps/v1: {field}', details={"causes": causes}
            )
        return patch  # type: ignore[no-any-return]

    def logs(self, *args: Any, **named: Any) -> Any:
        raise AssertionError("looking ahead reads no logs")

    async def fetch(self, *args: Any, **named: Any) -> Any:
        raise AssertionError("looking ahead makes no requests to services")

    def put(self, resource: str, obj: Obj) -> Obj:
        self.objects[resource, obj["metadata"].get("namespace") or "", obj["metadata"]["name"]] = obj
        return obj

    def promoted(self, obj: Obj, *managers: Obj, **spec: Any) -> Obj:
        """Let an object be as the first promotion applied it, but for what somebody changed of its spec."""
        live = copy.deepcopy(stamped(obj, replace(WHERE, release="shop-1")))
        live["spec"] |= spec
        ours = {"manager": "leeward", "operation": "Apply"}
        status = {"manager": "kube-controller-manager", "operation": "Update", "subresource": "status"}
        live["metadata"]["managedFields"] = [ours, status, *managers]
        return self.put(DEPLOYMENTS, live)


def ahead(api: Cluster, objects: list[Obj], before: list[Obj], where: Where = WHERE) -> Standing:
    return asyncio.run(look_ahead(api, QA, objects, before, where))


def test_what_is_as_it_was_promoted_is_not_told_and_nothing_is_rehearsed() -> None:
    api = Cluster()
    api.promoted(deployment())
    found = ahead(api, [deployment(image="web:2")], [deployment()])
    assert [*found.put_back, *found.taken, *found.blocked] == []
    assert api.rehearsed == []


def test_what_was_changed_by_hand_and_will_be_put_back_is_told() -> None:
    api = Cluster()
    api.promoted(deployment(), paused=True, replicas=7)
    before = [deployment(), deployment("gone")]
    found = ahead(api, [deployment(image="web:2"), deployment("gone")], before)
    assert list(found.put_back) == ["Deployment gone: is missing", "Deployment web: replicas 2 → 7"]
    assert [*found.taken, *found.blocked] == []


def test_what_the_release_makes_the_same_by_hand_is_not_put_back() -> None:
    api = Cluster()
    api.promoted(deployment(), replicas=7)
    assert ahead(api, [deployment(replicas=7)], [deployment()]).put_back == []


def test_a_field_that_somebody_else_owns_stops_it_with_what_became_of_it_and_the_owner() -> None:
    api = Cluster()
    api.owners["web"] = ("kubectl", ".spec.replicas")
    api.promoted(deployment(), KUBECTL, replicas=7)
    found = ahead(api, [deployment(image="web:2")], [deployment()])
    assert [(each.code, each.message) for each in found.blocked] == [
        ("conflict", "Deployment web: replicas 2 → 7, owned by kubectl")
    ]
    assert "--force" in found.blocked[0].remedy
    assert found.put_back == []
    assert api.rehearsed == ["web"]


def test_fields_of_things_with_names_are_met() -> None:
    api = Cluster()
    api.owners["web"] = ("edit", '.spec.template.spec.containers[name="web"].image')
    live = api.promoted(deployment(), KUBECTL)
    live["spec"]["template"]["spec"]["containers"][0]["image"] = "mine"
    found = ahead(api, [deployment(image="web:2")], [deployment()])
    assert [each.message for each in found.blocked] == ["Deployment web: image web:1 → mine, owned by edit"]


def test_what_is_taken_over_is_told_and_stops_nothing() -> None:
    api = Cluster()
    api.owners["web"] = ("kubectl", ".spec.replicas")
    api.promoted(deployment(), KUBECTL, replicas=7)
    api.put(DEPLOYMENTS, deployment("mine"))
    found = ahead(
        api, [deployment(image="web:2"), deployment("mine")], [deployment()], replace(WHERE, force=True)
    )
    assert not found.blocked
    assert list(found.taken) == [
        "Deployment mine, which something else put there",
        "Deployment web: replicas 2 → 7, owned by kubectl",
    ]


def test_what_something_else_put_there_stops_it_before_anything_is_written() -> None:
    api = Cluster()
    api.put(DEPLOYMENTS, {**deployment("mine"), "metadata": {"name": "mine", "namespace": SPACE}})
    (found,) = ahead(api, [deployment("mine")], []).blocked
    assert found.message == "Deployment mine of shop-qa is not of qa: something else put it there"
    assert {verb for verb, _, _ in api.calls} == {"get", "list"}


def test_after_a_promotion_that_did_not_end_nothing_counts_as_changed_by_hand() -> None:
    api = Cluster()
    api.promoted(deployment(), replicas=7)
    spec = {"environment": "qa", "release": "shop-2"}
    phases = {2: SUCCEEDED, 3: RUNNING}
    for number, phase in phases.items():
        obj = record("Promotion", "shop", f"qa-0000{number}", spec)
        api.put(PROMOTIONS, {**obj, "status": {"phase": phase}})
    assert ahead(api, [deployment(image="web:2")], [deployment()]).put_back == []
    api.objects[PROMOTIONS, QA.hub, "qa-00003"]["status"]["phase"] = "RolledBack"
    assert ahead(api, [deployment(image="web:2")], [deployment()]).put_back != []


# -- drift

KEPT = {"labels": {"leeward.dev/environment": "qa"}}


def named(kind: str, name: str, **more: Any) -> Obj:
    meta = {"name": name, "namespace": SPACE, **more.pop("metadata", {})}
    return {"apiVersion": "v1", "kind": kind, "metadata": meta, **more}


def looked(api: Cluster) -> Difference:
    return asyncio.run(difference(api, QA, [deployment()]))


def test_objects_that_no_promotion_applied_are_told_with_who_made_them() -> None:
    api = Cluster()
    api.promoted(deployment())
    by_hand = deployment("hand")
    by_hand["metadata"] = {
        "name": "hand", "namespace": SPACE, "managedFields": [KUBECTL, {"manager": "kubectl-create"}],
    }  # fmt: skip
    api.put(DEPLOYMENTS, by_hand)
    api.put("pods", named("Pod", "debug"))
    found = looked(api)
    assert [str(each) for each in found.added] == [
        "Deployment hand: was added by kubectl-create; no promotion applied it",
        "Pod debug: was added; no promotion applied it",
    ]
    assert (list(found.drifted), list(found.hidden)) == ([], [])


@pytest.mark.parametrize(
    ("resource", "obj"),
    [
        ("pods", named("Pod", "web-0", metadata={"ownerReferences": [{"kind": "ReplicaSet"}]})),
        ("serviceaccounts", named("ServiceAccount", "default")),
        ("configmaps", named("ConfigMap", "kube-root-ca.crt")),
        ("secrets", named("Secret", "token", type="kubernetes.io/service-account-token")),
        ("configmaps", named("ConfigMap", "leeward-promotion-qa-00001", metadata=KEPT)),
        ("jobs.batch", named("Job", "qa-00001-smoke", metadata={"labels": {"leeward.dev/check": "smoke"}})),
        ("pods", named("Pod", "leaving", metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"})),
    ],
)  # fmt: skip
def test_what_the_cluster_and_leeward_make_is_no_addition(resource: str, obj: Obj) -> None:
    api = Cluster()
    api.promoted(deployment())
    api.put(resource, obj)
    assert looked(api).added == []


def test_what_is_left_with_the_labels_of_the_project_is_drift_and_told_once() -> None:
    api = Cluster()
    api.promoted(deployment())
    api.put(DEPLOYMENTS, deployment("old"))
    found = looked(api)
    assert [str(each) for each in found.drifted] == [
        "Deployment old: was not applied by the release that runs"
    ]
    assert found.added == []


def test_kinds_that_may_not_be_seen_are_neither_missing_nor_forgotten() -> None:
    api = Cluster()
    api.promoted(deployment())

    def refuse(verb: str, resource: str, name: str) -> None:
        if resource == "secrets":
            raise ForbiddenError("no")

    api.before = refuse
    secret = named("Secret", "web-env")
    found = asyncio.run(difference(api, QA, [deployment(), secret]))
    assert (list(found.drifted), list(found.hidden)) == ([], ["Secret"])


@pytest.mark.parametrize(
    ("deleted", "told", "helps"),
    [(True, "is being deleted", "Wait until it is gone"), (False, "is not there", "leeward env apply qa")],
)
def test_a_namespace_that_nothing_can_be_applied_to_stops_it(deleted: bool, told: str, helps: str) -> None:
    api = Cluster()
    namespace = api.objects.pop(("namespaces", "", "shop-qa"))
    if deleted:
        namespace["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        api.objects["namespaces", "", "shop-qa"] = namespace
    (blocked,) = ahead(api, [deployment()], []).blocked
    assert blocked.message == f"the namespace shop-qa {told}"
    assert helps in blocked.remedy
