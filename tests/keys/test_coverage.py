"""No key of the specification is forgotten: not by the loader, not by the support table, not by the cases."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

import yaml

from leeward.compose.schema import COMPOSE
from leeward.render.support import Level, support_table
from leeward.render.support.table import ANY, OUTSIDE_SCHEMA, REST
from tests.keys.case import Step, read_cases, title
from tests.keys.schema import keys_of_the_loader, keys_of_the_specification

HERE = Path(__file__).parent
CASES = sorted((HERE / "cases").glob("*.yaml"))
# The loader takes of a container in pre_start what a hook needs; the table says so too.
READ_BY_NOBODY = "services.*.pre_start.*.*"
OLD_FORMS = {f"{section}.*.external.name" for section in ("networks", "volumes", "configs", "secrets")}

EFFECT_OUTSIDE_OF_MANIFESTS = {
    "x-*",
    "services.*.profiles",
    "services.*.env_file.*.required",
    *(f"services.*.build.{key}" for key in ("context", "dockerfile", "dockerfile_inline", "target", "args")),
}


def key_of(path: tuple[Step, ...]) -> str:
    """Return the key of the table that a concrete path has."""
    if any(isinstance(part, str) and part.startswith("x-") for part in path):
        return "x-*"
    node, key = support_table().root, []
    for part in path:
        key.append(next(each for each in (str(part), ANY, REST) if each in node.below))
        node = node.below[key[-1]]
    return ".".join(key)


def test_the_schema_is_read_to_its_end() -> None:
    keys = keys_of_the_specification()
    assert len(keys) > 500
    assert "services.*.deploy.resources.reservations.devices.*.count" in keys


def test_every_key_has_a_row() -> None:
    table = support_table()
    assert [key for key in keys_of_the_specification() if table.find(key) is None] == []


def test_every_row_has_a_key_unless_it_says_why_not() -> None:
    keys = set(keys_of_the_specification())
    assert {row.key for row in support_table()} - keys == OUTSIDE_SCHEMA.keys()


def test_the_loader_knows_every_key() -> None:
    known = list(keys_of_the_loader(COMPOSE))
    free = tuple(key.removesuffix("**") for key in known if key.endswith("**"))
    unknown = [
        key
        for key in keys_of_the_specification()
        if key not in known and not key.startswith(free) and key not in OLD_FORMS
    ]
    assert [key for key in unknown if not fnmatchcase(key, READ_BY_NOBODY)] == []


def test_every_row_has_a_case() -> None:
    cases = {key_of(case.path) for file in CASES for case in read_cases(file)}
    assert [row.key for row in support_table() if row.key not in cases | {"jobs.*.**"}] == []


def test_what_the_table_says_is_kept_changes_a_rendering() -> None:
    changing = set(EFFECT_OUTSIDE_OF_MANIFESTS)
    for file in CASES:
        rendered = yaml.safe_load((HERE / "rendered" / file.name).read_text(encoding="utf-8"))
        changing |= {key_of(case.path) for case in read_cases(file) if "objects" in rendered[title(case)]}
    kept = [row for row in support_table() if row.support.level in (Level.EXACT, Level.APPROXIMATED)]
    says_something = [row.key for row in kept if not row.support.result.startswith("nothing")]
    assert {key for key in says_something if key not in changing} == set()
