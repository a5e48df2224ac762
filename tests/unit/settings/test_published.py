"""The published schemas and pages are those of the models, and their examples are right."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from leeward.settings.base import camel_case, snake_case
from leeward.settings.check import check
from leeward.settings.proposal import propose, suggest

ROOT = Path(__file__).resolve().parents[3]


def _script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_settings", ROOT / "scripts/generate_settings.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SCRIPT = _script()
OUTPUTS: dict[Path, str] = SCRIPT.outputs()


@pytest.mark.parametrize("path", OUTPUTS, ids=lambda path: path.name)
def test_a_published_file_is_up_to_date(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == OUTPUTS[path], "run scripts/generate_settings.py"


@pytest.mark.parametrize(
    ("kind", "key_of"),
    [(kind, camel_case) for _, kind in SCRIPT.SECTIONS]
    + [(kind, snake_case) for _, kind in (*SCRIPT.CONFIG_SECTIONS, *SCRIPT.CLUSTER_SECTIONS)],
    ids=lambda value: value.__name__,
)
def test_the_examples_of_a_page_are_right(kind: Any, key_of: Callable[[str], str]) -> None:
    examples = {
        key_of(field.name): field.metadata["examples"][0]
        for field in fields(kind)
        if "examples" in field.metadata
    }
    problems = check(kind, examples).problems

    assert [problem for problem in problems if problem.code != "missing-setting"] == []


def test_every_setting_says_what_it_means_and_becomes() -> None:
    for _, kind in SCRIPT.SECTIONS:
        for field in fields(kind):
            assert field.metadata["description"].endswith("."), field.name
            assert field.metadata["becomes"], field.name
    for _, kind in (*SCRIPT.CONFIG_SECTIONS, *SCRIPT.CLUSTER_SECTIONS):
        for field in fields(kind):
            assert field.metadata["description"].endswith("."), field.name


def test_the_schema_of_editors_knows_short_forms_and_variables() -> None:
    schema = json.loads((ROOT / "schemas/x-leeward.json").read_text(encoding="utf-8"))
    settings = schema["$defs"]["ServiceSettings"]["properties"]
    variable = {"$ref": "#/$defs/Variable"}

    assert settings["tls"]["anyOf"] == [
        {"$ref": "#/$defs/Tls"},
        {"anyOf": [{"type": "boolean"}, variable]},
        {"type": "string"},
    ]
    assert settings["replicas"]["anyOf"] == [
        {"type": "integer", "minimum": 0, "maximum": 2147483647},
        variable,
    ]


def _errors(schema: Any, value: Any) -> list[str]:
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft7Validator.check_schema(schema)
    return [error.message for error in jsonschema.Draft7Validator(schema).iter_errors(value)]


@pytest.mark.parametrize("kind", [kind for _, kind in SCRIPT.SECTIONS], ids=lambda kind: kind.__name__)
def test_the_schema_of_editors_takes_the_examples_and_no_unknown_key(kind: Any) -> None:
    published = json.loads((ROOT / "schemas/x-leeward.json").read_text(encoding="utf-8"))
    schema = {"$defs": published["$defs"], **published["$defs"][kind.__name__]}
    examples = {
        camel_case(field.name): field.metadata["examples"][0]
        for field in fields(kind)
        if "examples" in field.metadata
    }
    schema.pop("required", None)

    assert _errors(schema, examples) == []
    assert _errors(schema, {**examples, "colour": "red"}) != []


def test_the_schema_of_editors_takes_what_init_writes() -> None:
    suggestion = suggest("shop", ["compose.yaml"], ["compose.qa.yaml", ".env.prod"])
    schema = json.loads((ROOT / "schemas/leeward.json").read_text(encoding="utf-8"))

    assert _errors(schema, yaml.safe_load(propose(suggestion))) == []
    assert _errors(schema, {"environments": {"qa": {"aprovals": 1}}}) != []
