from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from leeward.base.errors import OperationError
from leeward.kube.objects import Obj
from leeward.render.writers import json as json_writer
from leeward.render.writers.yaml import HEADER, to_text, write_directory


def config_map(name: str, service: str | None = None, **data: str) -> Obj:
    labels = {"app.kubernetes.io/name": service} if service else {}
    meta = {"name": name, "labels": labels, "annotations": {"leeward.dev/origin": "compose.yaml:7"}}
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


def test_each_document_names_its_origin() -> None:
    assert to_text([config_map("x")]).startswith("---\n# from compose.yaml:7\n")


def test_json_is_one_list() -> None:
    assert json.loads(json_writer.to_text([config_map("x", key="ü")]))["items"] == [config_map("x", key="ü")]


def test_a_directory_has_one_file_per_service(tmp_path: Path) -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    files = write_directory(
        [namespace, config_map("a", "web"), config_map("b", "db"), config_map("c")], tmp_path
    )
    assert [path.name for path in files] == ["00-namespace.yaml", "01-shared.yaml", "db.yaml", "web.yaml"]


def test_rendering_again_removes_the_file_of_a_service_that_is_gone(tmp_path: Path) -> None:
    write_directory([config_map("a", "web"), config_map("b", "db")], tmp_path)
    (tmp_path / "mine.yaml").write_text("kind: Mine\n")
    write_directory([config_map("a", "web")], tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.yaml", "web.yaml"]


def test_a_file_somebody_else_wrote_is_not_overwritten_and_nothing_is_changed(tmp_path: Path) -> None:
    write_directory([config_map("a", "web", key="old")], tmp_path)
    (tmp_path / "db.yaml").write_text("kind: Mine\n")
    with pytest.raises(OperationError, match=r"db\.yaml"):
        write_directory([config_map("a", "web", key="new"), config_map("b", "db")], tmp_path)
    assert "old" in (tmp_path / "web.yaml").read_text()
    assert (tmp_path / "db.yaml").read_text() == "kind: Mine\n"


def test_an_unchanged_file_is_not_written_again(tmp_path: Path) -> None:
    (path,) = write_directory([config_map("a", "web")], tmp_path)
    path.chmod(0o400)
    before = path.stat().st_mtime_ns
    write_directory([config_map("a", "web")], tmp_path)
    assert path.stat().st_mtime_ns == before
    assert path.read_text().startswith(HEADER)
