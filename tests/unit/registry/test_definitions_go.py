"""A CustomResourceDefinition takes its objects along, and waits for those that something holds."""

from __future__ import annotations

from typing import Any

import pytest

from leeward.kube.status import ForbiddenError

CRDS = "customresourcedefinitions.apiextensions.k8s.io"
WIDGETS = "widgets.example.com"


@pytest.fixture
def defined(cluster: Any) -> Any:
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object"}},
    }
    names = {"plural": "widgets", "kind": "Widget"}
    spec = {"group": "example.com", "names": names, "scope": "Namespaced", "versions": [version]}
    cluster.client.create(CRDS, {"metadata": {"name": WIDGETS}, "spec": spec})
    return cluster


def _widget(name: str, **meta: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "shop", **meta}}


def test_a_definition_takes_its_objects_along(defined: Any) -> None:
    defined.client.create(WIDGETS, _widget("a"))
    defined.client.delete(CRDS, "", WIDGETS)
    assert defined.client.find(CRDS, "", WIDGETS) is None
    assert defined.client.list(WIDGETS) == []


def test_a_definition_waits_for_an_object_with_a_finalizer(defined: Any) -> None:
    defined.client.create(WIDGETS, _widget("a", finalizers=["example.com/hold"]))
    defined.client.delete(CRDS, "", WIDGETS)
    assert defined.client.get(CRDS, "", WIDGETS)["metadata"]["deletionTimestamp"]
    with pytest.raises(ForbiddenError, match="create not allowed while custom resource definition"):
        defined.client.create(WIDGETS, _widget("late"))
    held = defined.client.get(WIDGETS, "shop", "a")
    defined.client.update(WIDGETS, {**held, "metadata": {**held["metadata"], "finalizers": []}})
    assert defined.client.find(CRDS, "", WIDGETS) is None
