"""Taking environments off their clusters: what goes, what stays, what is against it."""

from __future__ import annotations

import asyncio

import pytest

from leeward.base.clock import VirtualClock
from leeward.base.errors import OperationError
from leeward.delivery.audit.chain import HEAD, verify
from leeward.delivery.environments.environment import Overlay, environment_object
from leeward.delivery.environments.removing import (
    Removal,
    plan_removal,
    refuse_obstacles,
    remove_environment,
)
from leeward.delivery.records import AUDIT_RECORDS, ENVIRONMENTS
from leeward.kube.objects import Obj
from leeward.kube.status import ForbiddenError
from leeward.settings.config import Config, Environment
from tests.unit.delivery.memory import Memory
from tests.unit.delivery.test_envapply import Cluster, apply

CONFIG = Config(
    environments={
        "qa": Environment(access={"developers": "view"}),
        "uat": Environment(from_="qa", access={"developers": "view"}),
    }
)
LEASE = ("leases.coordination.k8s.io", "leeward-shop", "leeward-uat")


@pytest.fixture
def api() -> Memory:
    cluster = Cluster()
    for name in CONFIG.environments:
        apply(cluster, environment_object("shop", CONFIG, name, Overlay()))
    return cluster


def workload(name: str, environment: str) -> Obj:
    notes = {"leeward.dev/environment": environment}
    meta = {"name": name, "namespace": f"shop-{environment}", "annotations": notes}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": {}}


def run(api: Memory, name: str) -> None:
    obj = workload("web", name)
    api.objects["deployments.apps", f"shop-{name}", "web"] = obj


def plan(api: Memory, name: str) -> Removal:
    return asyncio.run(plan_removal(api, "shop", name))


def remove(api: Memory, removal: Removal, *, with_namespace: bool = False) -> None:
    work = remove_environment(api, removal, "jane", "jane/x", VirtualClock(), with_namespace=with_namespace)
    asyncio.run(work)


def left(api: Memory, name: str) -> list[str]:
    """Return what is there of an environment, bookkeeping aside."""
    return sorted(
        kind for kind, space, key in api.objects if f":{name}:" in key or (kind, key) == (ENVIRONMENTS, name)
    )


def test_an_environment_goes_with_its_roles_and_its_lock_and_what_runs_stays(api: Memory) -> None:
    run(api, "uat")
    removal = plan(api, "uat")
    assert removal.services == ["web"]
    remove(api, removal)
    assert left(api, "uat") == []
    assert LEASE not in api.objects
    assert ("namespaces", "", "shop-uat") in api.objects
    assert ("deployments.apps", "shop-uat", "web") in api.objects
    assert left(api, "qa") != []


def test_the_removal_is_in_the_audit_trail_which_stays_whole(api: Memory) -> None:
    remove(api, plan(api, "uat"))
    records = [obj for (kind, _, _), obj in api.objects.items() if kind == AUDIT_RECORDS]
    spec = records[-1]["spec"]
    assert (spec["action"], spec["environment"], spec["by"]) == ("env-remove", "uat", "jane")
    assert spec["details"]["namespaceDeleted"] is False
    assert verify("shop", records, api.objects["configmaps", "leeward-shop", HEAD]) == []


def test_the_namespace_goes_when_that_is_asked_for(api: Memory) -> None:
    remove(api, plan(api, "uat"), with_namespace=True)
    assert ("namespaces", "", "shop-uat") not in api.objects
    assert ("namespaces", "", "shop-qa") in api.objects


def test_what_would_be_left_alone_cut_off_or_is_locked_is_told_at_once(api: Memory) -> None:
    run(api, "qa")
    lock = {"by": "joe", "reason": "inventory", "at": "2026-01-01T00:00:00Z"}
    api.objects[ENVIRONMENTS, "leeward-shop", "qa"]["status"] = {"lock": lock}
    with pytest.raises(OperationError) as caught:
        refuse_obstacles(plan(api, "qa"), with_namespace=False)
    for text in ("web of qa would go on", "uat would get no releases", "locked by joe: inventory"):
        assert text in str(caught.value)
    assert "--delete-namespace" in caught.value.remedy


def test_what_runs_is_no_obstacle_when_it_goes_with_the_namespace(api: Memory) -> None:
    run(api, "uat")
    removal = plan(api, "uat")
    refuse_obstacles(removal, with_namespace=True)
    with pytest.raises(OperationError, match="web of uat"):
        refuse_obstacles(removal, with_namespace=False)


def test_a_namespace_that_two_have_is_not_deleted_without_force(api: Memory) -> None:
    key = (ENVIRONMENTS, "leeward-shop", "qa")
    api.objects[key] = {**api.objects[key], "spec": {**api.objects[key]["spec"], "namespace": "shop-uat"}}
    with pytest.raises(OperationError, match="also that of qa"):
        refuse_obstacles(plan(api, "uat"), with_namespace=True)


def test_a_namespace_that_another_application_has_is_not_deleted_without_force(api: Memory) -> None:
    config = Config(environments={"live": Environment(namespace="shared")})
    apply(api, environment_object("bank", config, "live", Overlay()))
    key = (ENVIRONMENTS, "leeward-shop", "uat")
    api.objects[key] = {**api.objects[key], "spec": {**api.objects[key]["spec"], "namespace": "shared"}}
    with pytest.raises(OperationError, match="also that of live of bank"):
        refuse_obstacles(plan(api, "uat"), with_namespace=True)


def test_a_namespace_with_what_no_promotion_put_there_is_not_deleted_without_force(api: Memory) -> None:
    run(api, "uat")
    theirs = {**workload("database", "uat"), "metadata": {"name": "database", "namespace": "shop-uat"}}
    api.objects["deployments.apps", "shop-uat", "database"] = theirs
    removal = plan(api, "uat")
    assert removal.services == ["web"]
    with pytest.raises(OperationError, match="Deployment database of the namespace would go, too"):
        refuse_obstacles(removal, with_namespace=True)
    with pytest.raises(OperationError) as caught:
        refuse_obstacles(removal, with_namespace=False)
    assert "database" not in str(caught.value)


def test_the_namespace_with_the_audit_trail_never_goes(api: Memory) -> None:
    key = (ENVIRONMENTS, "leeward-shop", "uat")
    api.objects[key] = {**api.objects[key], "spec": {**api.objects[key]["spec"], "namespace": "leeward-shop"}}
    before = set(api.objects)
    with pytest.raises(OperationError, match="leeward-shop has environments, releases and an audit trail"):
        remove(api, plan(api, "uat"), with_namespace=True)
    assert set(api.objects) == before


@pytest.mark.parametrize(
    "status",
    [{"promotion": "uat-00001"}, {"lock": {"by": "joe", "reason": "x", "at": "2026-01-01T00:00:00Z"}}],
)
def test_what_changed_since_somebody_looked_is_not_removed(api: Memory, status: Obj) -> None:
    removal = plan(api, "uat")
    api.objects[ENVIRONMENTS, "leeward-shop", "uat"]["status"] = status
    with pytest.raises(OperationError, match="uat was changed by somebody else since you looked"):
        remove(api, removal)
    assert left(api, "uat") != []


def test_who_may_not_is_refused_before_anything_is_gone(api: Memory) -> None:
    before = {key for key in api.objects if key != LEASE}

    def refuse(verb: str, resource: str, name: str) -> None:
        if verb == "delete" and resource.startswith("roles."):
            raise ForbiddenError("no")

    api.before = refuse
    with pytest.raises(ForbiddenError):
        remove(api, plan(api, "uat"))
    assert {key for key in api.objects if key != LEASE} == before


def test_nothing_is_removed_while_a_promotion_is_at_work(api: Memory) -> None:
    meta = {"name": LEASE[2], "namespace": LEASE[1], "resourceVersion": "1"}
    head = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": meta}
    api.objects[LEASE] = {**head, "spec": {"holderIdentity": "joe/host/1/x"}}
    clock = VirtualClock()

    def renew(verb: str, resource: str, name: str) -> None:
        if (verb, resource) == ("get", LEASE[0]):
            meta["resourceVersion"] += "1"
            api.objects[LEASE]["metadata"]["resourceVersion"] = meta["resourceVersion"]

    api.before = renew

    async def work() -> None:
        removal = await plan_removal(api, "shop", "uat")
        removing = asyncio.ensure_future(
            remove_environment(api, removal, "jane", "jane/x", clock, with_namespace=False)
        )
        while not removing.done():
            await asyncio.sleep(0)
            clock.advance(1.0)
        await removing

    with pytest.raises(OperationError, match="joe is changing uat"):
        asyncio.run(work())
    assert left(api, "uat") != []


def test_an_environment_that_is_not_there_is_told(api: Memory) -> None:
    with pytest.raises(OperationError, match="does not know the environment demo"):
        plan(api, "demo")
