from __future__ import annotations

from typing import Any

import pytest

from leeward.kube.jsonpath import find
from leeward.kube.versions import version_priority

OBJ = {
    "spec": {"ports": [{"name": "a", "port": 80}, {"name": "b", "port": 443}], "x.y": 1},
    "status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Done", "status": "False"}]},
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".spec.ports[*].port", [80, 443]),
        (".spec.ports[0].name", ["a"]),
        (".spec.ports[-1].name", ["b"]),
        (".spec.ports[0:1].port", [80]),
        (r".spec.x\.y", [1]),
        (".spec['x.y']", [1]),
        ('.status.conditions[?(@.type=="Ready")].status', ["True"]),
        (".spec.ports[?(@.port>100)].name", ["b"]),
        ("..port", [80, 443]),
        (".spec.none.deeper", []),
    ],
)
def test_a_path_finds_what_kubectl_would(path: str, found: list[Any]) -> None:
    assert find(OBJ, path) == found


def test_what_is_no_path_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be read as a JSONPath"):
        find(OBJ, ".spec[")


def test_versions_are_ordered_by_stability_then_number() -> None:
    names = ["v1beta1", "foo", "v2", "v1alpha3", "v10", "v1", "v1beta2"]

    assert sorted(names, key=version_priority) == ["v10", "v2", "v1", "v1beta2", "v1beta1", "v1alpha3", "foo"]
