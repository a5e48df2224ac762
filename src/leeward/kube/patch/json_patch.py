"""JSON patch: add, remove, replace, move, copy, test.

Source: RFC 6902 and RFC 6901; messages as evanphx/json-patch, which kube-apiserver uses.
"""

from __future__ import annotations

from typing import Any

from leeward.kube.status import BadRequestError, InvalidError


def apply_json_patch(target: Any, patch: Any) -> Any:
    """Return `target` with the operations applied in order; all or none.

    Raises:
        BadRequestError: `patch` is no JSON patch.
        InvalidError: an operation does not fit the target.
    """
    if not isinstance(patch, list) or not all(isinstance(each, dict) for each in patch):
        raise BadRequestError("a JSON patch is a list of operations")
    for operation in patch:
        target = _apply(target, operation)
    return target


def _apply(target: Any, operation: dict[str, Any]) -> Any:
    name, path = operation.get("op"), _parse(operation.get("path"))
    if name in ("add", "replace", "test") and "value" not in operation:
        raise BadRequestError(f"operation {name} of a JSON patch needs a value")
    if name == "add":
        return _add(target, path, operation["value"])
    if name == "remove":
        return _remove(target, path)
    if name == "replace":
        _get(target, path)
        return operation["value"] if not path else _add(_remove(target, path), path, operation["value"])
    if name == "move":
        source = _parse(operation.get("from"))
        return _add(_remove(target, source), path, _get(target, source))
    if name == "copy":
        return _add(target, path, _get(target, _parse(operation.get("from"))))
    if name == "test":
        if _get(target, path) != operation["value"]:
            raise InvalidError(f"testing value {operation['path']} failed")
        return target
    raise BadRequestError(f"unknown operation {name!r} in a JSON patch")


def _parse(pointer: Any) -> list[str]:
    if not isinstance(pointer, str) or (pointer and not pointer.startswith("/")):
        raise BadRequestError(f"{pointer!r} is no JSON pointer")
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def _missing(path: list[str]) -> InvalidError:
    return InvalidError(f"the JSON patch names /{'/'.join(path)}, which does not exist")


def _position(container: list[Any], part: str, path: list[str], *, new: bool) -> int:
    if new and part == "-":
        return len(container)
    if not part.isdigit() or int(part) >= len(container) + (1 if new else 0):
        raise _missing(path)
    return int(part)


def _get(target: Any, path: list[str]) -> Any:
    for part in path:
        if isinstance(target, dict) and part in target:
            target = target[part]
        elif isinstance(target, list):
            target = target[_position(target, part, path, new=False)]
        else:
            raise _missing(path)
    return target


def _add(target: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    part, rest = path[0], path[1:]
    if isinstance(target, dict):
        if rest and part not in target:
            raise _missing(path)
        return {**target, part: _add(target.get(part), rest, value)}
    if isinstance(target, list):
        index = _position(target, part, path, new=not rest)
        if rest:
            return [*target[:index], _add(target[index], rest, value), *target[index + 1 :]]
        return [*target[:index], value, *target[index:]]
    raise _missing(path)


def _remove(target: Any, path: list[str]) -> Any:
    if not path:
        raise _missing(path)
    part, rest = path[0], path[1:]
    if isinstance(target, dict) and part in target:
        if rest:
            return {**target, part: _remove(target[part], rest)}
        return {key: value for key, value in target.items() if key != part}
    if isinstance(target, list):
        index = _position(target, part, path, new=False)
        if rest:
            return [*target[:index], _remove(target[index], rest), *target[index + 1 :]]
        return [*target[:index], *target[index + 1 :]]
    raise _missing(path)
