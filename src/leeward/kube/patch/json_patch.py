"""JSON patch: add, remove, replace, move, copy, test.

Source: RFC 6902 and RFC 6901; messages as evanphx/json-patch, which kube-apiserver uses; limits of
k8s.io/apiserver/pkg/endpoints/handlers/patch.go (Kubernetes 1.36).
"""

from __future__ import annotations

from typing import Any

import orjson

from leeward.kube.status import BadRequestError, InvalidError, StatusError


def json_kind(value: Any) -> str:
    """Return what Go calls a JSON value."""
    if isinstance(value, bool):
        return "bool"
    names = {dict: "object", list: "array", str: "string", int: "number", float: "number"}
    return names.get(type(value), "null")


_MOST_OPERATIONS = 10_000
_MOST_COPIED = 3 * 1024 * 1024  # bytes
_INDEX = "invalid index referenced"
_GROWN = "Unable to complete the copy, the accumulated size increase of copy is {}, exceeding the limit {}"


class PatchTooLargeError(StatusError):
    """A patch has too many operations."""

    code = 413
    reason = "RequestEntityTooLarge"


class RejectedError(InvalidError):
    """An operation does not fit; upstream does not say why."""

    def __init__(self) -> None:
        super().__init__("the server rejected our request due to an error in our request", details={})


def apply_json_patch(target: Any, patch: Any) -> Any:
    """Return `target` with the operations applied in order; all or none.

    Raises:
        BadRequestError: `patch` is no JSON patch.
        RejectedError: an operation does not fit the target.
    """
    if not isinstance(patch, list):
        raise _undecodable(patch, "[]handlers.jsonPatchOp")
    if len(patch) > _MOST_OPERATIONS:
        text = f"The allowed maximum operations in a JSON patch is {_MOST_OPERATIONS}, got {len(patch)}"
        raise PatchTooLargeError(text)
    copied = 0
    for operation in patch:
        if not isinstance(operation, dict):
            raise _undecodable(operation, "handlers.jsonPatchOp")
        if operation.get("op") == "copy":
            copied += len(orjson.dumps(_get(target, _parse(operation.get("from")))))
            if copied > _MOST_COPIED:
                raise InvalidError(_GROWN.format(copied, _MOST_COPIED), details={})
        target = _apply(target, operation)
    return target


def refused_operation(target: Any, patch: list[dict[str, Any]]) -> str | None:
    """Return why the operations of a patch do not fit `target`; None: only a test does not hold."""
    for operation in patch:
        try:
            target = _apply(target, operation)
        except RejectedError:
            return _why(target, operation)
    return None


def _why(target: Any, operation: dict[str, Any]) -> str | None:
    """Return what the library that upstream uses says of an operation that does not fit."""
    name, path = str(operation.get("op") or ""), str(operation.get("path") or "")
    if name not in ("add", "remove", "replace", "move", "copy", "test"):
        return f"Unexpected kind: {name}"
    shown = str(operation.get("from") or "") if name in ("move", "copy") else path
    missing = f"{name} operation does not apply: doc is missing "
    try:
        parts = _parse(shown)
        _get(target, parts[:-1])
    except RejectedError:
        quoted = f'"{shown}"' if name in ("add", "remove") else shown
        return f"{missing}{'from ' if name in ('move', 'copy') else ''}path: {quoted}: missing value"
    if name == "test":
        return None
    if name == "replace":
        return f"{missing}key: {path}: missing value"
    if name == "add":
        return f"error in add for path: '{path}': Unable to access invalid index: {parts[-1]}: {_INDEX}"
    if name == "remove":
        told = f"Unable to remove nonexistent key: {parts[-1]}: missing value"
        return f"error in remove for path: '{path}': {told}"
    return f"error in {name} for path: '{path}': missing value"


def _undecodable(value: Any, kind: str) -> BadRequestError:
    return BadRequestError(
        f"error decoding patch: json: cannot unmarshal {json_kind(value)} into Go value of type {kind}"
    )


def _apply(target: Any, operation: dict[str, Any]) -> Any:
    name, path, value = operation.get("op"), _parse(operation.get("path")), operation.get("value")
    if name == "add":
        return _add(target, path, value)
    if name == "remove":
        return _remove(target, path)
    if name == "replace":
        return _replace(target, path, value)
    if name == "move":
        source = _parse(operation.get("from"))
        return _add(_remove(target, source), path, _get(target, source))
    if name == "copy":
        return _add(target, path, _get(target, _parse(operation.get("from"))))
    if name == "test" and _found(target, path) == value:
        return target
    raise RejectedError


def _replace(target: Any, path: list[str], value: Any) -> Any:
    """Replace a value; a key of an object need not be there."""
    parent = _get(target, path[:-1]) if path else None
    if isinstance(parent, dict):
        return _add(target, path, value)
    _get(target, path)
    return value if not path else _add(_remove(target, path), path, value)


def _found(target: Any, path: list[str]) -> Any:
    """Return what is there to be tested; null is what is not there."""
    if path and isinstance(parent := _get(target, path[:-1]), dict):
        return parent.get(path[-1])
    return _get(target, path)


def _parse(pointer: Any) -> list[str]:
    if not isinstance(pointer, str) or (pointer and not pointer.startswith("/")):
        raise RejectedError
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def _position(container: list[Any], part: str, *, new: bool) -> int:
    if new and part == "-":
        return len(container)
    if not part.isdigit() or int(part) >= len(container) + (1 if new else 0):
        raise RejectedError
    return int(part)


def _get(target: Any, path: list[str]) -> Any:
    for part in path:
        if isinstance(target, dict) and part in target:
            target = target[part]
        elif isinstance(target, list):
            target = target[_position(target, part, new=False)]
        else:
            raise RejectedError
    return target


def _add(target: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    part, rest = path[0], path[1:]
    if isinstance(target, dict):
        if rest and part not in target:
            raise RejectedError
        return {**target, part: _add(target.get(part), rest, value)}
    if isinstance(target, list):
        index = _position(target, part, new=not rest)
        if rest:
            return [*target[:index], _add(target[index], rest, value), *target[index + 1 :]]
        return [*target[:index], value, *target[index:]]
    raise RejectedError


def _remove(target: Any, path: list[str]) -> Any:
    if not path:
        raise RejectedError
    part, rest = path[0], path[1:]
    if isinstance(target, dict) and part in target:
        if rest:
            return {**target, part: _remove(target[part], rest)}
        return {key: value for key, value in target.items() if key != part}
    if isinstance(target, list):
        index = _position(target, part, new=False)
        if rest:
            return [*target[:index], _remove(target[index], rest), *target[index + 1 :]]
        return [*target[:index], *target[index + 1 :]]
    raise RejectedError
