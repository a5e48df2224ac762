"""Cases about single keys: read from ``cases/``, one YAML file a part of the specification.

A file is a list of groups. Of a group ``around`` is the Compose file without the key, ``under`` the path
that keys are written below, ``files`` what else lies in the directory, ``before`` the Compose file to compare
with where ``around`` alone is none. A case is ``key: value`` where the loaded form is the value as it is
written, else ``key: {is: …, loaded: …}`` with ``at``, the path of the loaded form, ``beside``, further keys
next to it, ``error``, the code of the finding that the loader refuses it with, or ``profiles``.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

import yaml

from leeward.compose.project import Deploy, Project

HERE = Path(__file__).parent
Step = str | int
_ALSO = {"is", "loaded", "at", "beside", "error", "profiles"}


def steps(path: str) -> tuple[Step, ...]:
    """Return a dotted path as steps; numbers are indexes."""
    return tuple(int(part) if part.isdigit() else part for part in path.split(".") if part)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One key with one value."""

    path: tuple[Step, ...]
    around: Mapping[str, Any]
    value: Any
    loaded: Any
    at: tuple[Step, ...]
    before: Mapping[str, Any] | None = None
    beside: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    error: str = ""
    profiles: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return ".".join(map(str, self.path))

    def compose(self) -> dict[str, Any]:
        """Return the Compose file with the key."""
        tree = copy.deepcopy(dict(self.around))
        parent = _reach(tree, self.path[:-1])
        if isinstance(parent, list):
            parent.append(self.value)
        else:
            parent.update({str(self.path[-1]): copy.deepcopy(self.value), **self.beside})
        return tree

    def without(self) -> Iterator[dict[str, Any]]:
        """Yield the Compose file without this value, then without the key, without what is around it, …."""
        if self.before is not None:
            yield dict(self.before)
        if self.around != self.compose():
            yield dict(self.around)
        for length in range(len(self.path), 0, -1):
            tree = self.compose()
            del _reach(tree, self.path[: length - 1])[self.path[length - 1]]
            yield tree


def _reach(tree: Any, path: tuple[Step, ...]) -> Any:
    """Return the collection at `path`, made where there is none."""
    for index, step in enumerate(path):
        following = path[index + 1] if index + 1 < len(path) else None
        if isinstance(tree, list):
            assert isinstance(step, int)
            if step == len(tree):
                tree.append({})
            tree = tree[step]
        else:
            if tree.get(step) is None:
                tree[step] = [] if isinstance(following, int) else {}
            tree = tree[step]
    return tree


def read_cases(file: Path) -> list[Case]:
    """Return the cases of a file."""
    found = []
    for group in yaml.safe_load(file.read_text(encoding="utf-8")):
        for key, written in group["cases"].items():
            full = isinstance(written, dict) and "is" in written and written.keys() <= _ALSO
            spec = written if full else {"is": written}
            path = (*steps(group["under"]), *steps(str(key)))
            found.append(
                Case(
                    path=path,
                    around=group["around"],
                    value=spec["is"],
                    loaded=spec.get("loaded", spec["is"]),
                    at=steps(spec["at"]) if "at" in spec else path,
                    before=group.get("before"),
                    beside=spec.get("beside", {}),
                    files=group.get("files", {}),
                    error=spec.get("error", ""),
                    profiles=tuple(spec.get("profiles", ())),
                )
            )
    return found


def title(case: Case) -> str:
    """Return what a case is called in reports."""
    return f"{case.name} = {case.value}" if isinstance(case.value, (str, int)) else case.name


def value_at(project: Project, path: tuple[Step, ...]) -> Any:
    """Return the value of a project at a path of the Compose file, None where there is none."""
    here: Any = project
    for part in path:
        if isinstance(here, Mapping):
            here = here.get(str(part))
        elif isinstance(here, (tuple, list)):
            here = here[part] if isinstance(part, int) and part < len(here) else None
        elif not (isinstance(here, Deploy) and part == "resources"):
            here = getattr(here, str(part), None)
    return here


def plain(value: Any, root: Path) -> Any:
    """Return a loaded value as lists and mappings: defaults left out, paths relative to `root`."""
    if is_dataclass(value) and not isinstance(value, type):
        return {
            each.name: plain(inner, root)
            for each in fields(value)
            if (inner := getattr(value, each.name)) != _default(each)
        }
    if isinstance(value, Mapping):
        return {key: plain(inner, root) for key, inner in value.items()}
    if isinstance(value, (tuple, list)):
        return [plain(inner, root) for inner in value]
    if isinstance(value, str) and value.startswith(str(root)):
        return f".{value.removeprefix(str(root))}"
    return value


def _default(each: Any) -> Any:
    if each.default is not MISSING:
        return each.default
    return each.default_factory() if each.default_factory is not MISSING else MISSING
