"""Every key of the Compose Specification: its smallest use, its loaded form, what it changes in a rendering.

``LEEWARD_UPDATE_GOLDEN=1 pytest tests/keys`` writes ``rendered/``; review it with ``git diff``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from leeward.base.diagnostics import Diagnostic
from leeward.base.errors import DiagnosticsError
from leeward.compose.findings import path_text
from leeward.compose.load import LoadResult
from leeward.render.render import RenderOptions, RenderResult, render
from tests.keys.case import Case, plain, read_cases, title, value_at
from tests.keys.difference import difference

HERE = Path(__file__).parent
FILES = sorted((HERE / "cases").glob("*.yaml"))
CASES = [case for file in FILES for case in read_cases(file)]


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:
        return True


Load = Callable[[Case, Mapping[str, Any]], LoadResult]


@pytest.mark.parametrize("case", CASES, ids=title)
def test_the_key_is_loaded(case: Case, load: Load, tmp_path: Path) -> None:
    if case.error:
        with pytest.raises(DiagnosticsError) as caught:
            load(case, case.compose())
        assert {found.code for found in caught.value.diagnostics} == {case.error}
        return
    project = load(case, case.compose()).project
    assert plain(value_at(project, case.at), tmp_path) == case.loaded


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_key_changes_what_it_should(file: Path, load: Load, tmp_path: Path) -> None:
    changes = {title(case): _change(case, load, tmp_path) for case in read_cases(file)}
    expected = HERE / "rendered" / file.name
    if os.environ.get("LEEWARD_UPDATE_GOLDEN"):
        text = yaml.dump(changes, Dumper=_Dumper, sort_keys=False, width=110, allow_unicode=True)
        expected.write_text(text, encoding="utf-8")
    wanted = yaml.safe_load(expected.read_text(encoding="utf-8"))
    differing = [name for name in {**changes, **wanted} if changes.get(name) != wanted.get(name)]
    assert differing == [], "LEEWARD_UPDATE_GOLDEN=1 pytest tests/keys rewrites it"


def _change(case: Case, load: Load, root: Path) -> dict[str, Any]:
    """Return what a key changes: parts of objects, and findings."""
    if case.error:
        return {"refused by the loader": case.error}
    loaded = load(case, case.compose())
    after = _render(loaded)
    bare = _without(case, load)
    before = _render(bare) if bare else RenderResult([], [])
    for obj in after.objects:
        if obj not in before.objects:
            kubernetes_validate.validate(obj, kubernetes_validate.latest_version(), strict=True)
    old = {(found.path, found.code) for found in (*before.diagnostics, *(bare.diagnostics if bare else ()))}
    key = path_text(case.path)
    found = [
        _line(each, root)
        for each in (*loaded.diagnostics, *after.diagnostics)
        if (each.path, each.code) not in old
        or (each.code.startswith("key-") and key.startswith((f"{each.path}.", f"{each.path}[")))
    ]
    objects = difference(before.objects, after.objects)
    return {**({"objects": objects} if objects else {}), **({"findings": found} if found else {})}


def _render(loaded: LoadResult) -> RenderResult:
    return render(loaded.project, RenderOptions(environment="production"))


def _without(case: Case, load: Load) -> LoadResult | None:
    """Load a case without its key; what cannot stand without it goes too."""
    for tree in case.without():
        try:
            return load(case, tree)
        except DiagnosticsError:
            continue
    return None


def _line(found: Diagnostic, root: Path) -> str:
    text = f"{found.severity} {found.path}: {found.message}"
    return text.replace(str(root), "")
