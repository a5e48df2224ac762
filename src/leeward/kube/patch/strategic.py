"""Strategic merge patch: like a merge patch, but lists with a merge key are merged by it.

The keys come from Kubernetes' OpenAPI definitions, in the generated table ``mergekeys.json``
(``scripts/generate_merge_keys.py``). Directives: ``$patch`` (replace, delete, merge), ``$retainKeys``,
``$setElementOrder/<field>``, ``$deleteFromPrimitiveList/<field>``.

Source: k8s.io/apimachinery/pkg/util/strategicpatch (Kubernetes 1.36).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from leeward.kube.status import BadRequestError

_ORDER, _DELETE, _RETAIN, _PATCH = "$setElementOrder/", "$deleteFromPrimitiveList/", "$retainKeys", "$patch"


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
        BadRequestError: the patch makes no sense.
    """
    if not isinstance(patch, dict):
        raise BadRequestError("a strategic merge patch is an object")
    group_version = api_version if "/" in api_version else f"/{api_version}"
    return _merge_object(target, patch, _table()["roots"].get(f"{group_version}/{kind}", ""))


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
        raise BadRequestError(f"unknown $patch directive {directive!r}")
    result = dict(target) if isinstance(target, dict) else {}
    if _RETAIN in patch:
        retained = set(patch[_RETAIN])
        result = {key: value for key, value in result.items() if key in retained}
    rows = _rows(type_name)
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
        if field != key and field in result:
            row = _Row(*rows[field]) if field in rows else _NOTHING
            result[field] = _in_order(result[field], order, row)
    return result


def _merge_value(old: Any, new: Any, row: _Row) -> Any:
    if isinstance(new, dict):
        return _merge_object(old, new, row.child)
    if not isinstance(new, list):
        return new
    if row.key:
        return _merge_list(old if isinstance(old, list) else [], new, row)
    if row.primitive and isinstance(old, list):
        return [*old, *(item for item in new if item not in old)]
    return _without_directives(new)


def _merge_list(old: list[Any], new: list[Any], row: _Row) -> list[Any]:
    """Merge a list of objects by their key."""
    if any(item.get(_PATCH) == "replace" and len(item) == 1 for item in new if isinstance(item, dict)):
        return [_without_directives(item) for item in new if item.get(_PATCH) != "replace"]
    result = list(old)
    for item in new:
        if not isinstance(item, dict) or row.key not in item:
            raise BadRequestError(f"map: {json.dumps(item)} does not contain declared merge key: {row.key}")
        index = next((n for n, have in enumerate(result) if have.get(row.key) == item[row.key]), None)
        if item.get(_PATCH) == "delete":
            result = [have for have in result if have.get(row.key) != item[row.key]]
        elif index is None:
            result.append(_merge_object({}, item, row.child))
        else:
            result[index] = _merge_object(result[index], item, row.child)
    return result


def _in_order(items: list[Any], order: list[Any], row: _Row) -> list[Any]:
    """Sort the items that `order` names as it says; the others keep their place before what followed."""
    names = [item.get(row.key) if isinstance(item, dict) and row.key else item for item in order]
    place = {json.dumps(name): number for number, name in enumerate(names)}

    def rank(item: Any) -> int:
        name = item.get(row.key) if isinstance(item, dict) and row.key else item
        return place.get(json.dumps(name), len(place))

    return sorted(items, key=rank)


def _without_directives(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_directives(each) for key, each in value.items() if not key.startswith("$")}
    if isinstance(value, list):
        return [_without_directives(each) for each in value]
    return value
