"""What a whole cluster shares: applied in an order that works, refused as a whole, and tidied up."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from leeward.base.clock import VirtualClock
from leeward.base.errors import OperationError
from leeward.delivery.platform import Outcome, PlatformRollout
from leeward.kube.objects import Obj
from leeward.kube.status import ConflictError, ForbiddenError
from tests.unit.delivery.memory import Memory

MINE = {"app.kubernetes.io/managed-by": "leeward-infra"}
VERSIONS = {
    "Deployment": "apps/v1",
    "CustomResourceDefinition": "apiextensions.k8s.io/v1",
    "ValidatingWebhookConfiguration": "admissionregistration.k8s.io/v1",
    "StorageClass": "storage.k8s.io/v1",
}
UP = {"updatedReplicas": 1, "replicas": 1, "availableReplicas": 1, "observedGeneration": 0}
SERVED = {"conditions": [{"type": "Established", "status": "True"}]}


class Hasty(VirtualClock):
    """Waiting takes no time."""

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)
        await asyncio.sleep(0)


class Api(Memory):
    """One that answers dry runs, leaves the same alone, and whose workloads come up, or not."""

    def __init__(self, status: Obj = UP) -> None:
        super().__init__()
        self.status = status
        self.refused: dict[str, Exception] = {}

    async def patch(self, *place: Any, patch_type: str = "", dry_run: bool = False, **more: Any) -> Obj:
        assert (patch_type, dry_run) == ("apply", True)
        await self._turn("dry-run", place[0], place[2])
        if place[2] in self.refused:
            raise self.refused[place[2]]
        found: Obj = place[3]
        return found

    async def apply(self, resource: str, obj: Obj, *, force: bool = False) -> Obj:
        key = self._key(resource, obj)
        live = self.objects.get(key)
        if live is not None and all(live.get(part) == obj[part] for part in obj if part != "metadata"):
            await self._turn("apply", resource, key[2])
            return live
        status = {"Deployment": self.status, "CustomResourceDefinition": SERVED}.get(obj["kind"], {})
        return await super().apply(resource, {**obj, "status": status} if status else obj, force=force)


def thing(kind: str, name: str, namespace: str = "", **more: Any) -> Obj:
    meta = {"name": name, "labels": MINE, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": VERSIONS.get(kind, "v1"), "kind": kind, "metadata": meta, **more}


def workload(name: str = "controller") -> Obj:
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": name}}, "template": {}}
    return thing("Deployment", name, "kube-system", spec=spec)


WHOLE = [
    thing("ValidatingWebhookConfiguration", "hook"),
    workload(),
    thing("ConfigMap", "settings", "kube-system"),
    thing("CustomResourceDefinition", "bindings.example.com"),
    thing("Namespace", "logs"),
]


def bring(api: Api, objects: list[Obj], *, force: bool = False, timeout: float = 60) -> Outcome:
    selector = ",".join(f"{key}={value}" for key, value in MINE.items())
    rollout = PlatformRollout(api, Hasty(), selector, lambda _: None, force=force)
    return asyncio.run(rollout.run(objects, timeout=timeout))


def applied(api: Api) -> list[str]:
    return [name for verb, _, name in api.calls if verb == "apply"]


def test_definitions_come_first_and_webhooks_when_their_server_is_up() -> None:
    api = Api()
    outcome = bring(api, WHOLE)

    assert applied(api) == ["logs", "bindings.example.com", "settings", "controller", "hook"]
    assert (outcome.created, outcome.changed, outcome.unchanged) == (5, 0, 0)
    names = [(verb, name) for verb, _, name in api.calls]
    last_look = max(
        index for index, call in enumerate(names) if call == ("list", "") and "pods" in api.calls[index]
    )
    assert names.index(("apply", "controller")) < last_look < names.index(("apply", "hook"))


def test_doing_it_again_changes_nothing_and_a_change_is_told() -> None:
    api = Api()
    bring(api, WHOLE)

    again = bring(api, WHOLE)
    other = bring(api, [*WHOLE[:2], {**WHOLE[2], "data": {"a": "b"}}, *WHOLE[3:]])

    assert (again.created, again.changed, again.unchanged, again.removed) == (0, 0, 5, ())
    assert (other.created, other.changed, other.unchanged) == (0, 1, 4)


def test_everything_that_would_be_refused_is_told_at_once_and_nothing_is_written() -> None:
    api = Api()
    api.refused = {"controller": ConflictError('conflict with "helm"'), "hook": ForbiddenError("no")}

    with pytest.raises(OperationError) as told:
        bring(api, WHOLE)

    assert 'Deployment controller: conflict with "helm"' in str(told.value)
    assert "ValidatingWebhookConfiguration hook: no" in str(told.value)
    assert api.objects == {}
    assert "--force" in told.value.remedy
    assert bring(api, WHOLE, force=True).created == 5


def test_what_is_no_longer_wanted_goes_but_namespaces_definitions_and_what_is_others_stay() -> None:
    api = Api()
    stranger = {
        **workload("stranger"),
        "metadata": {"name": "stranger", "namespace": "kube-system", "labels": {}},
    }
    bring(api, [*WHOLE, workload("old"), thing("StorageClass", "gp3")])
    asyncio.run(api.create("deployments.apps", stranger))

    outcome = bring(api, [WHOLE[1]])

    assert set(outcome.removed) == {
        "Deployment old", "StorageClass gp3", "ConfigMap settings", "ValidatingWebhookConfiguration hook",
    }  # fmt: skip
    assert {name for _, _, name in api.objects} == {"logs", "bindings.example.com", "controller", "stranger"}


def test_a_workload_that_does_not_come_up_in_time_is_named_and_no_webhook_is_there() -> None:
    api = Api(status={})

    with pytest.raises(OperationError, match=r"not up after 60 s: controller \(0 of 1 ready\)") as told:
        bring(api, WHOLE)

    assert "hook" not in applied(api)
    assert "kubectl -n kube-system describe pods" in told.value.remedy


def test_a_workload_that_cannot_come_up_is_not_waited_for() -> None:
    api = Api(status={})
    waiting = {"state": {"waiting": {"reason": "ErrImagePull", "message": "no such image"}}}
    pod = thing("Pod", "controller-1", "kube-system", status={"containerStatuses": [waiting]})
    pod["metadata"]["labels"] = {"app": "controller"}
    asyncio.run(api.create("pods", pod))

    with pytest.raises(OperationError, match="controller does not come up: ErrImagePull: no such image"):
        bring(api, WHOLE)


def test_a_definition_that_is_never_served_is_told() -> None:
    api = Api()
    api.before = lambda verb, resource, name: api.objects.update(
        {key: {**obj, "status": {}} for key, obj in api.objects.items() if "definitions" in key[0]}
    )

    with pytest.raises(OperationError, match=r"does not serve bindings\.example\.com after 30 s"):
        bring(api, WHOLE)
