"""CustomResourceDefinitions are completed, checked and established."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from leeward.cluster.registry.custom.definitions import DEFINITION, established, initial_status
from leeward.kube.objects import is_condition_true


def _definition(schema: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", **(schema or {})}},
    }
    names = {"plural": "widgets", "kind": "Widget"}
    spec = {"group": "example.com", "scope": "Namespaced", "names": names, "versions": [version], **spec}
    obj = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"},
        "spec": spec,
    }
    return DEFINITION.default(obj)


def test_names_and_conversion_are_completed() -> None:
    spec = _definition()["spec"]
    assert spec["names"] == {
        "plural": "widgets",
        "kind": "Widget",
        "singular": "widget",
        "listKind": "WidgetList",
    }
    assert spec["conversion"] == {"strategy": "None"}


def test_an_established_definition_says_under_which_names() -> None:
    made = _definition()
    done = established({**made, "status": initial_status(made)}, datetime(2026, 1, 1, tzinfo=UTC))
    assert done["status"]["storedVersions"] == ["v1"]
    assert done["status"]["acceptedNames"]["singular"] == "widget"
    assert is_condition_true(done, "Established")
    assert is_condition_true(done, "NamesAccepted")


def test_a_sound_definition_has_no_failures() -> None:
    properties = {"spec": {"type": "object", "properties": {"n": {"type": "integer", "default": 1}}}}
    assert DEFINITION.validate(_definition({"properties": properties})) == []


_SPEC = "spec.validation.openAPIV3Schema"


@pytest.mark.parametrize(
    ("properties", "text"),
    [
        (
            {"a": {}},
            f"{_SPEC}.properties[a].type: Required value: must not be empty for specified object fields",
        ),
        ({"a": {"type": "array"}}, f"{_SPEC}.properties[a].items: Required value: must be specified"),
        (
            {"a": {"type": "integer", "default": "x"}},
            f'{_SPEC}.properties[a].default: Invalid value: "string": '
            ' in body must be of type integer: "string"',
        ),
    ],
)
def test_a_schema_that_is_not_structural_is_refused(properties: dict[str, Any], text: str) -> None:
    assert [str(each) for each in DEFINITION.validate(_definition({"properties": properties}))] == [text]


def test_the_name_is_made_of_plural_and_group_which_stay() -> None:
    old, new = _definition(), _definition(group="other.com")
    assert DEFINITION.validate_create is not None
    assert [each.field for each in DEFINITION.validate_create(new)] == ["metadata.name"]
    assert [each.field for each in DEFINITION.validate_update(new, old)] == ["spec.group"]


def test_one_version_is_the_one_that_is_stored() -> None:
    failures = DEFINITION.validate(_definition(versions=[]))
    assert [each.field for each in failures] == ["spec.versions", "status.storedVersions"]
