"""Strategic merge patch: like a merge patch, but lists with a merge key are merged by it.

The keys come from Kubernetes' OpenAPI definitions, in the generated table ``mergekeys.json``
(``scripts/generate_merge_keys.py``). Directives: ``$patch`` (replace, delete, merge), ``$retainKeys``,
``$setElementOrder/<field>``, ``$deleteFromPrimitiveList/<field>``.

Source: k8s.io/apimachinery/pkg/util/strategicpatch (Kubernetes 1.36).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from leeward.kube.patch.json_patch import json_kind
from leeward.kube.status import BadRequestError, StatusError

_ORDER, _DELETE, _RETAIN, _PATCH = "$setElementOrder/", "$deleteFromPrimitiveList/", "$retainKeys", "$patch"


class PatchError(StatusError):
    """A patch that makes no sense; upstream tells no reason."""

    reason = ""


class _Row(NamedTuple):
    """How one field merges."""

    key: str  # merge key of a list of objects; "" otherwise
    primitive: bool  # a list of scalars that is merged as a set
    child: str  # type of the value or of the items


_NOTHING = _Row("", False, "")


@lru_cache(maxsize=1)
def _table() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(Path(__file__).with_name("mergekeys.json").read_bytes())
    return table


def apply_strategic_patch(target: Any, patch: Any, api_version: str, kind: str) -> Any:
    """Return `target` with `patch` applied.

    Args:
        target: an object; not changed.
        patch: the patch.
        api_version: of the object.
        kind: of the object; an unknown one merges as a JSON merge patch does.

    Raises:
        BadRequestError: the patch is no object.
        PatchError: it makes no sense.
    """
    if not isinstance(patch, dict):
        raise BadRequestError(
            f"json: cannot unmarshal {json_kind(patch)} into Go value of type map[string]interface {{}}"
        )
    group_version = api_version if "/" in api_version else f"/{api_version}"
    return _merge_object(target, patch, _table()["roots"].get(f"{group_version}/{kind}", ""))


def stray_directives(patch: Mapping[str, Any], api_version: str, kind: str) -> list[str]:
    """Return where a patch has directives that are none: in lists that are replaced as a whole.

    Upstream takes them for fields, which the type of the items has not.
    """
    group_version = api_version if "/" in api_version else f"/{api_version}"
    return [*_stray(patch, _table()["roots"].get(f"{group_version}/{kind}", ""), "")]


def _stray(patch: Mapping[str, Any], type_name: str, path: str) -> Iterator[str]:
    rows = _rows(type_name)
    for key, value in patch.items():
        row = _Row(*rows[key]) if key in rows else _NOTHING
        place = f"{path}.{key}" if path else key
        if isinstance(value, dict):
            yield from _stray(value, row.child, place)
        elif isinstance(value, list) and not key.startswith("$"):
            for index, item in enumerate(value):
                if not isinstance(item, dict):
                    continue
                if row.key:
                    yield from _stray(item, row.child, f"{place}[{index}]")
                else:
                    yield from (f"{place}[{index}].{name}" for name in item if name.startswith("$"))


def _rows(type_name: str) -> Mapping[str, list[Any]]:
    rows: Mapping[str, list[Any]] = _table()["types"].get(type_name, {})
    return rows


def _merge_object(target: Any, patch: Mapping[str, Any], type_name: str) -> Any:
    directive = patch.get(_PATCH)
    if directive == "replace":
        return _without_directives({key: value for key, value in patch.items() if key != _PATCH})
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise PatchError(f"unknown patch type: {directive} in map: {go_text(patch)}")
    result = dict(target) if isinstance(target, dict) else {}
    if _RETAIN in patch:
        retained = set(patch[_RETAIN])
        result = {key: value for key, value in result.items() if key in retained}
    rows = _rows(type_name)
    _check_order(patch, rows)
    for key, value in patch.items():
        if key in (_PATCH, _RETAIN) or key.startswith(_ORDER):
            continue
        if key.startswith(_DELETE):
            field = key[len(_DELETE) :]
            result[field] = [item for item in result.get(field) or () if item not in value]
        elif value is None:
            result.pop(key, None)
        else:
            result[key] = _merge_value(result.get(key), value, _Row(*rows[key]) if key in rows else _NOTHING)
    return _reorder(result, patch, rows)


def _reorder(
    result: dict[str, Any], patch: Mapping[str, Any], rows: Mapping[str, list[Any]]
) -> dict[str, Any]:
    """Carry out the ``$setElementOrder`` directives."""
    for key, order in patch.items():
        field = key.removeprefix(_ORDER)
        if field != key and isinstance(result.get(field), list) and isinstance(order, list):
            row = _Row(*rows[field]) if field in rows else _NOTHING
            result[field] = _in_order(result[field], order, result[field], row.key)
    return result


def _check_order(patch: Mapping[str, Any], rows: Mapping[str, list[Any]]) -> None:
    """Refuse elements that are not in the order which the patch itself asks for."""
    for directive, order in patch.items():
        field = directive.removeprefix(_ORDER)
        given = patch.get(field)
        if field == directive or not given or not order or not isinstance(given, list):
            continue
        key = _Row(*rows[field]).key if field in rows else ""
        wanted = iter(_name(item, key) for item in order)
        kept = [item for item in given if not (isinstance(item, dict) and item.get(_PATCH) == "delete")]
        if not all(_name(item, key) in wanted for item in kept):
            raise PatchError(
                f"The order in patch list:\n{go_text(given)}\n doesn't match {_ORDER[:-1]} list:\n"
                f"{go_text(order)}\n"
            )


def _merge_value(old: Any, new: Any, row: _Row) -> Any:
    if isinstance(new, dict):
        return _merge_object(old, new, row.child)
    if not isinstance(new, list):
        return new
    if row.key:
        return _merge_list(old if isinstance(old, list) else [], new, row)
    if row.primitive and isinstance(old, list):
        return _in_order(list(dict.fromkeys([*old, *new])), new, old, "")
    return _without_directives(new)


def _merge_list(old: list[Any], new: list[Any], row: _Row) -> list[Any]:
    """Merge a list of objects by their key."""
    if any(item.get(_PATCH) == "replace" and len(item) == 1 for item in new if isinstance(item, dict)):
        return [_without_directives(item) for item in new if item.get(_PATCH) != "replace"]
    result, kept = list(old), []
    for item in new:
        if not isinstance(item, dict) or row.key not in item:
            raise PatchError(f"map: {go_text(item)} does not contain declared merge key: {row.key}")
        index = next((n for n, have in enumerate(result) if have.get(row.key) == item[row.key]), None)
        if item.get(_PATCH) == "delete":
            result = [have for have in result if have.get(row.key) != item[row.key]]
            continue
        kept.append(item)
        if index is None:
            result.append(_merge_object({}, item, row.child))
        else:
            result[index] = _merge_object(result[index], item, row.child)
    return _in_order(result, kept, old, row.key)


def _name(item: Any, key: str) -> Any:
    """Return what tells an element of a list from others."""
    return item.get(key) if key and isinstance(item, dict) else item


def _in_order(merged: list[Any], order: list[Any], live: list[Any], key: str) -> list[Any]:
    """Return the elements with those of `order` in that order, and the others where they were among them.

    What `order` names and `live` has not comes before what is live only.
    """
    wanted, there = ([_name(item, key) for item in items] for items in (order, live))
    named = sorted((m for m in merged if _name(m, key) in wanted), key=lambda m: wanted.index(_name(m, key)))
    rest = [item for item in merged if _name(item, key) not in wanted]
    rest.sort(key=lambda item: there.index(_name(item, key)) if _name(item, key) in there else len(there))
    result: list[Any] = []
    while named and rest:
        left, right = _name(rest[0], key), _name(named[0], key)
        before = left in there and right in there and there.index(left) < there.index(right)
        result.append(rest.pop(0) if before else named.pop(0))
    return [*result, *named, *rest]


def go_text(value: Any) -> str:
    """Return a value as Go prints it with %v."""
    if isinstance(value, Mapping):
        return "map[" + " ".join(f"{key}:{go_text(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(map(go_text, value)) + "]"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "<nil>"}[value]
    return str(value)


def _without_directives(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_directives(each) for key, each in value.items() if not key.startswith("$")}
    if isinstance(value, list):
        return [_without_directives(each) for each in value]
    return value
