"""GET on one object."""

from __future__ import annotations

from typing import Any


def test_who_may_only_get_an_object_cannot_watch_it_by_a_parameter(api: Any) -> None:
    path = "/api/v1/namespaces/default/configmaps"
    api.send("POST", path, {"metadata": {"name": "a"}})
    told = api.send("GET", f"{path}/a?watch=true")

    assert told.status == 200
    assert told.document["kind"] == "ConfigMap"
