from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from leeward.base.diagnostics import Location
from leeward.kube.objects import Obj
from leeward.render.writers import json as json_writer
from leeward.render.writers.yaml import HEADER, layout, to_text


def config_map(name: str, service: str | None = None, **data: str) -> Obj:
    labels = {"app.kubernetes.io/name": service} if service else {}
    meta = {
        "name": name,
        "labels": labels,
        "annotations": {"leeward.dev/origin": f"compose.yaml services.{name}"},
    }
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}


@given(st.text())
@example("status:\n")
@example("a\n\nb")
@example(" leading\nlines")
@example("trailing \n")
@example("tab\there\n")
@example("\n")
def test_any_text_survives_the_yaml_writer(text: str) -> None:
    obj = config_map("x", key=text)
    assert yaml.safe_load(to_text([obj])) == obj


@pytest.mark.parametrize(
    "text", ["1e3", "0o17", "0x1F", "y", "N", "on", "yes", "null", "~", "1_000", "12:30", "08"]
)
def test_text_that_other_readers_take_for_something_else_is_quoted(text: str) -> None:
    line = next(line for line in to_text([config_map("x", key=text)]).splitlines() if "key:" in line)
    assert line.split(": ", 1)[1].startswith(("'", '"'))


def test_the_same_object_twice_is_written_out_twice() -> None:
    shared = {"a": "b"}
    text = to_text([{"kind": "X", "metadata": {"name": "x"}, "one": shared, "two": shared}])
    assert "&" not in text
    assert "*" not in text


def test_each_document_names_its_origin_with_the_line_where_it_is_known() -> None:
    assert to_text([config_map("x")]).startswith("---\n# from compose.yaml services.x\n")
    origins = {("ConfigMap", "x"): Location("compose.yaml", 7)}
    assert to_text([config_map("x")], origins).startswith("---\n# from compose.yaml:7 services.x\n")


def test_json_is_one_list() -> None:
    assert json.loads(json_writer.to_text([config_map("x", key="ü")]))["items"] == [config_map("x", key="ü")]


def test_there_is_one_file_per_service() -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    files = layout([namespace, config_map("a", "web"), config_map("b", "db"), config_map("c")])
    assert list(files) == ["00-namespace.yaml", "01-shared.yaml", "db.yaml", "web.yaml"]
    assert all(text.startswith(HEADER) for text in files.values())


def test_a_service_called_like_a_file_of_the_project_has_a_file_of_its_own() -> None:
    assert list(layout([config_map("a", "01-shared"), config_map("b")])) == [
        "01-shared.yaml",
        "service-01-shared.yaml",
    ]
