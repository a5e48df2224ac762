"""Where a cluster is otherwise than what was applied to it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from leeward.base.clock import VirtualClock
from leeward.base.ids import SeededIds
from leeward.cluster.registry.admission.plugin import AdmissionOptions
from leeward.cluster.registry.registry import Registry
from leeward.cluster.store.memory import MemoryStore
from leeward.compose.load import LoadOptions, load_project
from leeward.delivery.live import resource_name
from leeward.delivery.wording.drift import drift
from leeward.kube.objects import Obj
from leeward.render.render import RenderOptions, render
from tests.unit.delivery.manifests import kept, rendered, service

ROOT = Path(__file__).parents[3]
CASES = [
    ROOT / "examples/storefront",
    *sorted(each.parent for each in ROOT.glob("tests/golden/*/compose.yaml")),
]
APPLIED = kept(
    rendered(
        service(
            image="postgres:17",
            scale=3,
            ports=["8090:80"],
            command=["serve", "--api-token=sesame"],
            environment={"A": "1", "B_TOKEN": "t", "EMPTY": ""},
            mem_limit="1g",
            volumes=["data:/d"],
            top={"volumes": {"data": None}},
        )
    )
)


def live() -> list[Obj]:
    """Return what an API would make of it: defaults, status, bookkeeping, another form of quantities."""
    found = copy.deepcopy(APPLIED)
    for obj in found:
        obj["metadata"] |= {"uid": "u", "resourceVersion": "7", "managedFields": [], "generation": 2}
        obj["metadata"].setdefault("annotations", {})["leeward.dev/applied"] = "sha256:0"
        obj["status"] = {"observedGeneration": 2}
    stateful = of(found, "StatefulSet")
    stateful["spec"]["persistentVolumeClaimRetentionPolicy"] = {"whenDeleted": "Retain"}
    (claim,) = stateful["spec"]["volumeClaimTemplates"]
    claim |= {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "status": {"phase": "Pending"}}
    claim["spec"]["resources"]["requests"]["storage"] = str(2**30)
    box = container(stateful)
    box["terminationMessagePath"] = "/dev/termination-log"
    box["resources"] = {"limits": {"memory": "1024Mi"}, "requests": {"cpu": "0.1", "memory": "134217728"}}
    del next(entry for entry in box["env"] if entry["name"] == "EMPTY")["value"]
    box["env"].append({"name": "ADDED", "value": "by somebody"})
    stateful["spec"]["template"]["spec"]["containers"].append({"name": "sidecar", "image": "s"})
    return found


def of(objects: list[Obj], kind: str) -> Obj:
    return next(obj for obj in objects if obj["kind"] == kind)


def container(workload: Obj) -> Any:
    return workload["spec"]["template"]["spec"]["containers"][0]


def after(change: Callable[[Obj], object], kind: str = "StatefulSet") -> list[str]:
    """Return the drift when somebody changed the live object of a kind."""
    there = live()
    change(of(there, kind))
    return [str(each) for each in drift(APPLIED, there)]


def test_defaults_status_and_what_others_added_are_no_drift() -> None:
    assert drift(APPLIED, live()) == []


def test_a_changed_field_is_told_as_applied_and_as_live() -> None:
    (found,) = drift(APPLIED, [*live()[:-1], *_scaled()])
    assert (found.kind, found.name, found.field) == ("StatefulSet", "web", "spec.replicas")
    assert str(found) == "StatefulSet web: replicas 3 → 7"


def _scaled() -> list[Obj]:
    assert APPLIED[-1]["kind"] == "StatefulSet"
    last = live()[-1]
    last["spec"]["replicas"] = 7
    return [last]


def test_things_with_names_are_met_by_name() -> None:
    def change(obj: Obj) -> None:
        box = container(obj)
        box["env"] = [{**each, "value": "2"} if each["name"] == "A" else each for each in box["env"][::-1]]

    assert after(change) == ["StatefulSet web: env[A].value 1 → 2"]


def test_what_was_removed_is_told() -> None:
    gone = after(lambda obj: container(obj).update(env=[], readinessProbe=None))
    assert "StatefulSet web: env[A]: removed" in gone
    assert "StatefulSet web: readinessProbe: removed" in gone
    assert after(lambda obj: container(obj).pop("imagePullPolicy")) == [
        "StatefulSet web: imagePullPolicy IfNotPresent → nothing"
    ]


def test_quantities_are_compared_by_value() -> None:
    def change(obj: Obj) -> None:
        container(obj)["resources"]["limits"]["memory"] = "2Gi"

    assert after(change) == ["StatefulSet web: resources.limits.memory 1Gi → 2Gi"]
    assert after(lambda obj: container(obj)["resources"].update(limits={"memory": "lots"})) == [
        "StatefulSet web: resources.limits.memory 1Gi → lots"
    ]


def test_values_that_look_secret_are_not_shown() -> None:
    def change(obj: Obj) -> None:
        container(obj)["args"] = ["serve", "--api-token=simsim"]
        container(obj)["env"] = [
            {"name": each["name"], "value": "swordfish"} if each["name"] == "B_TOKEN" else each
            for each in container(obj)["env"]
        ]

    found = "\n".join(after(change))
    assert "args: changed" in found
    assert "env[B_TOKEN].valueFrom: removed" in found
    assert not any(word in found for word in ("sesame", "simsim", "swordfish"))


def test_a_secret_is_there_whatever_its_values() -> None:
    assert after(lambda obj: obj.update(data={"B_TOKEN": "eA=="}), "Secret") == []


def test_missing_objects_and_those_on_their_way_out_are_told() -> None:
    there = [obj for obj in live() if obj["kind"] != "Secret"]
    of(there, "Service")["metadata"]["deletionTimestamp"] = "2026-11-28T06:00:00Z"
    found = [str(each) for each in drift(APPLIED, there)]
    assert next(line for line in found if line.startswith("Secret web-env-")).endswith("is missing")
    assert "Service web: is being deleted" in found


LEVEL = "pod-security.kubernetes.io/enforce"
LABELS = {"app.kubernetes.io/part-of": "shop", "app.kubernetes.io/managed-by": "leeward"}


def test_objects_of_the_whole_cluster_are_compared_where_they_are_at_hand() -> None:
    assert drift(APPLIED, [obj for obj in live() if obj["kind"] != "Namespace"]) == []
    (found,) = after(
        lambda obj: obj["metadata"].update(labels={**obj["metadata"]["labels"], LEVEL: "x"}), "Namespace"
    )
    assert found.endswith((" baseline → x", " restricted → x"))


def named(kind: str, name: str, **meta: Any) -> Obj:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "labels": LABELS, **meta}}


def test_what_nobody_applied_is_told_and_what_the_cluster_made_is_not() -> None:
    owner = [{"kind": "StatefulSet", "name": "web", "uid": "u", "controller": True}]
    more = [
        named("Deployment", "old"),
        named("PersistentVolumeClaim", "data-web-0"),
        named("PersistentVolumeClaim", "data-web-x"),
        named("Pod", "web-0", ownerReferences=owner),
        named("Deployment", "foreign", labels={"app.kubernetes.io/part-of": "shop"}),
        named("Deployment", "neighbour", labels={**LABELS, "app.kubernetes.io/part-of": "b"}),
        named("Deployment", "leaving", deletionTimestamp="2026-11-28T06:00:00Z"),
    ]  # fmt: skip
    assert [str(each) for each in drift(APPLIED, [*live(), *more])] == [
        "PersistentVolumeClaim data-web-x: was not applied by the release that runs",
        "Deployment old: was not applied by the release that runs",
    ]


def test_what_is_kept_to_go_back_is_no_drift() -> None:
    earlier = [named("Secret", "web-env-01234567"), named("Deployment", "old")]
    found = drift(APPLIED, [*live(), *earlier], kept=earlier)
    assert [each.name for each in found] == ["old"]


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_what_the_api_server_makes_of_a_release_is_no_drift(case: Path) -> None:
    project = load_project(LoadOptions(working_dir=case, environment={"GREETING": "hello"})).project
    applied = render(project, RenderOptions(environment="production", namespace="shop")).objects
    client = Registry(
        MemoryStore(),
        clock=VirtualClock(),
        ids=SeededIds(7),
        options=AdmissionOptions(disabled=("ServiceAccount",)),
    ).client("system:admin")
    there = [client.create(resource_name(obj), copy.deepcopy(obj)) for obj in applied]
    assert [str(each) for each in drift(kept(applied), there)] == []
