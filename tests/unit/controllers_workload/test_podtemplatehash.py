"""Names of ReplicaSets and revisions are those that a real Kubernetes gave to the same templates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from leeward.cluster.controllers.framework.podtemplatehash import dump, revision_hash, template_hash

RECORDED = Path(__file__).resolve().parents[4] / "shared" / "data" / "kubectl" / "world_objects.json"


@pytest.fixture(scope="module")
def world() -> Any:
    if not RECORDED.exists():
        pytest.skip("the recorded objects are not here")
    return json.loads(RECORDED.read_text())


def test_templates_have_the_hashes_that_kubernetes_gave_them(world: Any) -> None:
    (deployment,), (daemon_set,) = world["Deployment"], world["DaemonSet"]
    assert template_hash(deployment["spec"]["template"]) == "7cd46dd4c"
    assert template_hash(daemon_set["spec"]["template"]) == "766bf798d9"
    (revision,) = (each for each in world["ControllerRevision"] if "db" in each["metadata"]["name"])
    assert revision["metadata"]["name"] == f"db-{revision_hash(revision['data'], 0)}"


@pytest.mark.parametrize(
    ("quantity", "value", "scale", "text", "form"),
    [
        ("100m", 100, -3, "100m", "DecimalSI"),
        ("64Mi", 64 * 2**20, 0, "", "BinarySI"),
        ("1Gi", 2**30, 0, "1Gi", "BinarySI"),
        ("0", 0, 0, "0", "DecimalSI"),
        ("0.5", 5, -1, "", "DecimalSI"),
        ("1000", 1000, 0, "", "DecimalSI"),
        ("2e3", 2, 3, "2e3", "DecimalExponent"),
    ],
)
def test_quantities_are_dumped_as_go_keeps_them(
    quantity: str, value: int, scale: int, text: str, form: str
) -> None:
    dumped = dump({"spec": {"overhead": {"cpu": quantity}}})
    amount = f"i:(resource.int64Amount){{value:(int64){value} scale:(resource.Scale){scale}}}"
    rest = f"s:(string){text} Format:(resource.Format){form}"
    decimal = "d:(resource.infDecAmount){Dec:(*inf.Dec)<nil>}"
    assert f"Overhead:(v1.ResourceList)map[cpu:{{{amount} {decimal} {rest}}}]" in dumped


def test_pointers_lists_and_maps_are_dumped_as_go_does() -> None:
    text = dump(
        {"spec": {"priority": 5, "tolerations": [{"key": "a"}], "nodeSelector": {"b": "c", "a": "d"}}}
    )
    assert "Priority:(*int32)5 " in text
    assert "HostUsers:(*bool)<nil> " in text
    assert "NodeSelector:(map[string]string)map[a:d b:c] " in text
    assert "Tolerations:([]v1.Toleration)[{Key:(string)a Operator:(v1.TolerationOperator) " in text


def test_a_collision_gives_another_hash() -> None:
    assert len({template_hash({}), template_hash({}, 0), template_hash({}, 1)}) == 3
