"""What is otherwise between two sets of objects, as a unified diff of each. Pure.

Objects are compared, not text: comments, order of keys and line numbers of origins make no difference. Values
of Secrets are never shown, only that they changed, as ``kubectl diff`` does.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from leeward.kube.objects import Obj
from leeward.render.writers.emitter import to_yaml

_CONTEXT = 3  # lines around a change


def differences(before: Iterable[Obj], after: Iterable[Obj], *, names: tuple[str, str]) -> Iterator[str]:
    """Yield the lines of the diff, without line ends, of every object that is not the same.

    Args:
        before: what is there.
        after: what shall be there.
        names: what the two sides are called, such as ("manifests", "rendered").
    """
    old, new = _by_name(before), _by_name(after)
    for name in [*new, *(name for name in old if name not in new)]:
        one, other = _masked(old.get(name), new.get(name))
        if one != other:
            yield from _diff(name, one, other, names)


def _by_name(objects: Iterable[Obj]) -> dict[str, Obj]:
    found = {}
    for obj in objects:
        meta = obj["metadata"]
        parts = (meta.get("namespace"), obj["kind"], meta["name"])
        found["/".join(part for part in parts if part)] = obj
    return found


def _diff(name: str, one: Obj | None, other: Obj | None, names: tuple[str, str]) -> Iterator[str]:
    texts = [to_yaml(_sorted(obj)).splitlines() if obj is not None else [] for obj in (one, other)]
    yield from difflib.unified_diff(
        texts[0], texts[1], f"{names[0]}/{name}", f"{names[1]}/{name}", lineterm="", n=_CONTEXT
    )


def _sorted(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _sorted(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [_sorted(each) for each in value]
    return value


def _masked(one: Obj | None, other: Obj | None) -> tuple[Obj | None, Obj | None]:
    """Return the objects, of Secrets with words in place of values."""
    if (one or other or {}).get("kind") != "Secret":
        return one, other
    changed = {
        (field, key)
        for field in ("data", "stringData")
        for key in {**((one or {}).get(field) or {}), **((other or {}).get(field) or {})}
        if ((one or {}).get(field) or {}).get(key) != ((other or {}).get(field) or {}).get(key)
    }
    return _hidden(one, changed, "before"), _hidden(other, changed, "after")


def _hidden(obj: Obj | None, changed: set[tuple[str, str]], side: str) -> Obj | None:
    if obj is None:
        return None
    hidden = {
        field: {key: f"*** ({side})" if (field, key) in changed else "***" for key in obj[field]}
        for field in ("data", "stringData")
        if obj.get(field)
    }
    return {**obj, **hidden}
