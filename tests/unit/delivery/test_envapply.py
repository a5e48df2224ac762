"""Writing environments to a cluster: what is made, what is left alone, and who may do without."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from leeward.base.clock import VirtualClock
from leeward.base.errors import OperationError
from leeward.delivery.definitions import definitions, policies
from leeward.delivery.environments.apply import Plan, apply_environment, plan_environment
from leeward.delivery.environments.environment import Overlay, environment_object
from leeward.delivery.previews import PREVIEW_LABEL
from leeward.delivery.records import AUDIT_RECORDS, ENVIRONMENTS
from leeward.kube.objects import Obj
from leeward.kube.resources import CRDS
from leeward.kube.status import ForbiddenError, NotFoundError
from leeward.settings.config import Access, Config, Environment
from tests.unit.delivery.memory import Memory


class Cluster(Memory):
    """Definitions are served at once."""

    async def apply(self, resource: str, obj: Obj, *, force: bool = False) -> Obj:
        served = {"status": {"conditions": [{"type": "Established", "status": "True"}]}}
        return await super().apply(resource, {**obj, **served} if resource == CRDS else obj, force=force)


def qa(namespace: str | None = None, **access: Access) -> Obj:
    config = Config(environments={"qa": Environment(access=access, namespace=namespace)})
    return environment_object("shop", config, "qa", Overlay())


def apply(api: Memory, obj: Obj) -> Plan:
    async def work() -> Plan:
        plan = await plan_environment(api, obj)
        await apply_environment(api, plan, "jane", VirtualClock())
        return plan

    return asyncio.run(work())


def written(api: Memory) -> list[str]:
    return [f"{verb} {name}" for verb, _, name in api.calls if verb in ("create", "apply", "delete")]


def test_everything_that_is_missing_is_made_in_order() -> None:
    api = Cluster()
    plan = apply(api, qa(developers="view"))
    assert (plan.before, len(plan.access)) == (None, 16)
    first = [f"apply {obj['metadata']['name']}" for obj in (*definitions(), *policies())]
    assert written(api)[: len(first)] == first
    rest = written(api)[len(first) :]
    assert rest[:3] == ["create leeward-shop", "create shop-qa", "apply qa"]
    assert rest[-2:] == ["create 00000001", "create leeward-audit-head"]


def test_what_is_as_it_should_be_is_left_alone() -> None:
    api = Cluster()
    apply(api, qa(developers="view"))
    assert asyncio.run(plan_environment(api, qa(developers="view"))).is_empty


def test_only_what_changes_is_written_and_recorded() -> None:
    api = Cluster()
    apply(api, qa(developers="view", testers="view"))
    api.calls.clear()
    plan = apply(api, qa(developers="view"))
    assert [each.field for each in plan.changes] == ["access.testers"]
    bindings = ["apply leeward:qa:view", "apply leeward:qa:view"]  # in both namespaces
    assert [each for each in written(api) if each.startswith("apply")] == ["apply qa", *bindings]
    record = api.objects[AUDIT_RECORDS, "leeward-shop", "00000002"]["spec"]
    assert (record["action"], record["by"]) == ("env-apply", "jane")
    assert record["details"] == {"changes": ["access.testers"], "access": {"developers": "view"}}


def test_an_environment_that_moves_takes_its_bindings_along() -> None:
    api = Cluster()
    apply(api, qa(developers="view"))
    apply(api, qa(developers="view", namespace="elsewhere"))
    spaces = {space for kind, space, _ in api.objects if kind.startswith("rolebindings")}
    assert spaces == {"leeward-shop", "elsewhere"}


def test_a_damaged_environment_is_written_again() -> None:
    api = Cluster()
    apply(api, qa())
    key = (ENVIRONMENTS, "leeward-shop", "qa")
    api.objects[key] = {**api.objects[key], "spec": {"content": "x"}}
    assert apply(api, qa()).before is None
    assert asyncio.run(plan_environment(api, qa())).is_empty


def test_who_may_not_look_at_definitions_does_without_where_they_are_served() -> None:
    api = Cluster()
    apply(api, qa())

    def refuse(verb: str, resource: str, name: str) -> None:
        if resource == CRDS:
            raise ForbiddenError("no")

    api.before = refuse
    assert apply(api, qa(developers="view")).changes

    def serve_nothing(verb: str, resource: str, name: str) -> None:
        refuse(verb, resource, name)
        if (verb, resource) == ("list", ENVIRONMENTS):
            raise NotFoundError("no such resource")

    api.before = serve_nothing
    with pytest.raises(OperationError, match="does not know leeward's resources yet"):
        apply(api, qa(developers="edit"))


def test_old_definitions_are_brought_up_to_date() -> None:
    api = Cluster()
    apply(api, qa())
    key = (CRDS, "", "environments.leeward.dev")
    live = api.objects[key]
    api.objects[key] = {**live, "spec": {**live["spec"], "versions": []}}
    api.calls.clear()
    apply(api, qa(developers="view"))
    assert "apply environments.leeward.dev" in written(api)


def test_a_plan_is_empty_only_when_nothing_changes() -> None:
    plan = asyncio.run(plan_environment(Cluster(), qa()))
    assert not plan.is_empty
    assert not replace(plan, changes=(), access=()).is_empty  # the namespace is not there
    assert replace(plan, changes=(), access=(), has_namespace=True).is_empty


def other(app: str, name: str, namespace: str) -> Obj:
    config = Config(environments={name: Environment(namespace=namespace)})
    return environment_object(app, config, name, Overlay())


@pytest.mark.parametrize(("app", "name"), [("shop", "uat"), ("bank", "qa")])
def test_a_namespace_that_another_environment_has_is_refused_before_anything_is_written(
    app: str, name: str
) -> None:
    api = Cluster()
    apply(api, qa())
    api.calls.clear()
    with pytest.raises(OperationError, match="shop-qa is that of the environment qa of shop"):
        apply(api, other(app, name, "shop-qa"))
    assert written(api) == []


def test_a_namespace_whose_environment_may_not_be_seen_is_taken_all_the_same() -> None:
    api = Cluster()
    apply(api, qa())

    def refuse(verb: str, resource: str, name: str) -> None:
        if (verb, resource, name) == ("get", ENVIRONMENTS, "qa"):
            raise ForbiddenError("no")

    api.before = refuse
    with pytest.raises(OperationError, match="is that of the environment qa of shop"):
        apply(api, other("bank", "live", "shop-qa"))


def test_a_namespace_whose_environment_has_gone_is_free() -> None:
    api = Cluster()
    apply(api, qa())
    del api.objects[ENVIRONMENTS, "leeward-shop", "qa"]
    assert apply(api, other("bank", "qa", "shop-qa")).before is None


@pytest.mark.parametrize(("app", "name"), [("shop", "uat"), ("bank", "qa")])
def test_the_namespace_of_releases_and_the_audit_trail_is_no_environments(app: str, name: str) -> None:
    api = Cluster()
    apply(api, qa())
    api.calls.clear()
    with pytest.raises(OperationError, match="is where the releases and the audit trail of shop are"):
        apply(api, other(app, name, "leeward-shop"))
    assert written(api) == []


def test_the_namespace_of_a_preview_which_goes_when_its_time_is_over_is_no_environments() -> None:
    api = Cluster()
    labels = {PREVIEW_LABEL: "pr-12"}
    meta = {"name": "shop-preview-pr-12", "labels": labels}
    asyncio.run(api.create("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": meta}))
    api.calls.clear()
    with pytest.raises(OperationError, match="is that of the preview pr-12, and goes with it"):
        apply(api, other("shop", "preview-pr-12", "shop-preview-pr-12"))
    assert written(api) == []
