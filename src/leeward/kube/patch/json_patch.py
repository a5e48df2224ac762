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
_MOST_DIGITS = 20  # of an index
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
    draft, copied = _Draft(target), 0
    for operation in patch:
        if not isinstance(operation, dict):
            raise _undecodable(operation, "handlers.jsonPatchOp")
        if operation.get("op") == "copy":
            copied += len(orjson.dumps(_get(draft.root, _parse(operation.get("from")))))
            if copied > _MOST_COPIED:
                raise InvalidError(_GROWN.format(copied, _MOST_COPIED), details={})
        draft.apply(operation)
    return draft.root


def refused_operation(target: Any, patch: list[dict[str, Any]]) -> str | None:
    """Return why the operations of a patch do not fit `target`; None: only a test does not hold."""
    draft = _Draft(target)
    for operation in patch:
        try:
            draft.apply(operation)
        except RejectedError:
            return _why(draft.root, operation)
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


class _Draft:
    """What operations have made so far. A container is copied before its first change, and then is ours.

    Invariant: in a container that is not ours there is none that is; what was given is never changed.
    """

    def __init__(self, root: Any) -> None:
        self.root = root
        self._ours: dict[int, Any] = {}  # by identity; holds them, so that no other gets the same one

    def apply(self, operation: dict[str, Any]) -> None:
        """Carry out one operation.

        Raises:
            RejectedError: it does not fit.
        """
        name, path, value = operation.get("op"), _parse(operation.get("path")), operation.get("value")
        if name == "add":
            self._add(path, value)
        elif name == "remove":
            self._remove(path)
        elif name == "replace":
            self._replace(path, value)
        elif name == "move":
            self._move(_parse(operation.get("from")), path)
        elif name == "copy":
            self._add(path, self._given_away(_get(self.root, _parse(operation.get("from")))))
        elif name != "test" or _found(self.root, path) != value:
            raise RejectedError

    def _own(self, container: Any) -> Any:
        """Return a container that may be changed."""
        if id(container) in self._ours:
            return container
        made = dict(container) if isinstance(container, dict) else list(container)
        self._ours[id(made)] = made
        return made

    def _given_away(self, value: Any) -> Any:
        """Return a value that is in two places from now on: whoever changes one of them copies it first."""
        pending = [value]
        while pending:
            each = pending.pop()
            if self._ours.pop(id(each), None) is not None:
                pending.extend(each.values() if isinstance(each, dict) else each)
        return value

    def _parent(self, path: list[str]) -> Any:
        """Return the container of a path's last part, which may be changed."""
        _get(self.root, path[:-1])
        if not isinstance(self.root, dict | list):
            raise RejectedError
        here = self.root = self._own(self.root)
        for part in path[:-1]:
            key = part if isinstance(here, dict) else _position(here, part, new=False)
            if not isinstance(here[key], dict | list):
                raise RejectedError
            here[key] = self._own(here[key])
            here = here[key]
        return here

    def _add(self, path: list[str], value: Any) -> None:
        if not path:
            self.root = value
            return
        parent = self._parent(path)
        if isinstance(parent, dict):
            parent[path[-1]] = value
        else:
            parent.insert(_position(parent, path[-1], new=True), value)

    def _remove(self, path: list[str]) -> None:
        if not path:
            raise RejectedError
        _get(self.root, path)
        parent = self._parent(path)
        del parent[path[-1] if isinstance(parent, dict) else _position(parent, path[-1], new=False)]

    def _replace(self, path: list[str], value: Any) -> None:
        """Replace a value; a key of an object need not be there."""
        if not path:
            self.root = value
            return
        parent = self._parent(path)
        parent[path[-1] if isinstance(parent, dict) else _position(parent, path[-1], new=False)] = value

    def _move(self, source: list[str], path: list[str]) -> None:
        value = _get(self.root, source)
        self._remove(source)
        self._add(path, value)


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
    is_index = part.isascii() and part.isdigit() and len(part) <= _MOST_DIGITS
    if not is_index or int(part) >= len(container) + (1 if new else 0):
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
