"""The query parameters of list and watch, checked, and the pages of a long list.

Invariant: a continue token says where the next page starts, not what it holds: a list that changes
between pages shows the newer state of what is still to come.

Source: ``k8s.io/apimachinery/pkg/apis/meta/internalversion/validation`` and
``k8s.io/apiserver/pkg/storage/continue.go`` (1.36).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from leeward.cluster.apiserver.http import Query
from leeward.kube.gojson import json_error
from leeward.kube.objects import Obj, key_of
from leeward.kube.status import BadRequestError, InvalidError, TimeoutStatusError, UnreadableVersionError

_MATCH = "resourceVersionMatch"


class TooLargeVersionError(TimeoutStatusError):
    """The resourceVersion asked for has not happened yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOptions:
    """How to list or watch."""

    label_selector: str
    field_selector: str
    limit: int
    continue_token: str
    resource_version: str
    watch: bool
    bookmarks: bool
    timeout_seconds: int | None
    send_initial_events: bool | None
    exact: bool = False  # the list is to be of that resourceVersion, not of a newer one


def read_list_options(query: Query, *, watch: bool) -> ListOptions:
    """Return the options of a list or watch.

    Raises:
        BadRequestError: a number is none.
        InvalidError: options exclude one another.
    """
    initial = query.flag("sendInitialEvents") if query.all("sendInitialEvents") else None
    options = ListOptions(
        label_selector=query.text("labelSelector"),
        field_selector=query.text("fieldSelector"),
        limit=max(query.number("limit") or 0, 0),
        continue_token=query.text("continue"),
        resource_version=query.text("resourceVersion"),
        watch=watch,
        bookmarks=query.flag("allowWatchBookmarks"),
        timeout_seconds=query.number("timeoutSeconds"),
        send_initial_events=initial,
        exact=query.text(_MATCH) == "Exact",
    )
    causes = _watch_causes(options, query) if watch else _list_causes(options, query)
    if causes:
        raise invalid_options("ListOptions", causes)
    if not watch and options.continue_token and options.resource_version not in ("", "0"):
        raise BadRequestError("specifying resource version is not allowed when using continue")
    return options


def _list_causes(options: ListOptions, query: Query) -> list[dict[str, str]]:
    causes = []
    match, version = query.text(_MATCH), options.resource_version
    if match and options.continue_token:
        causes.append(_forbidden(_MATCH, "resourceVersionMatch is forbidden when continue is provided"))
    elif match and not version:
        causes.append(
            _forbidden(_MATCH, "resourceVersionMatch is forbidden unless resourceVersion is provided")
        )
    if match not in ("", "Exact", "NotOlderThan"):
        causes.append(_unsupported(_MATCH, match, '"Exact", "NotOlderThan", ""'))
    elif match == "Exact" and version == "0":
        causes.append(_forbidden(_MATCH, 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'))
    if options.send_initial_events is not None:
        causes.append(_forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"))
    return causes


def _watch_causes(options: ListOptions, query: Query) -> list[dict[str, str]]:
    causes = []
    match = query.text(_MATCH)
    if options.send_initial_events is not None and match != "NotOlderThan":
        text = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        causes.append(_forbidden(_MATCH, text))
    elif match and options.send_initial_events is None:
        text = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
        causes.append(_forbidden(_MATCH, text))
    if match not in ("", "NotOlderThan"):
        causes.append(_unsupported(_MATCH, match, '"NotOlderThan"'))
    if options.continue_token:
        causes.append(_forbidden(_MATCH, "resourceVersionMatch is forbidden when continue is provided"))
    return causes


def _forbidden(field: str, text: str) -> dict[str, str]:
    return {"reason": "FieldValueForbidden", "message": f"Forbidden: {text}", "field": field}


def _unsupported(field: str, value: str, supported: str, *, bracketed: bool = False) -> dict[str, str]:
    shown = f'["{value}"]' if bracketed else f'"{value}"'
    message = f"Unsupported value: {shown}: supported values: {supported}"
    return {"reason": "FieldValueNotSupported", "message": message, "field": field}


def invalid_options(kind: str, causes: Sequence[dict[str, str]]) -> InvalidError:
    """Return the 422 for options of `kind` ("ListOptions", "CreateOptions", …)."""
    shown = [f"{cause['field']}: {cause['message']}" for cause in causes]
    text = shown[0] if len(shown) == 1 else f"[{', '.join(shown)}]"
    details = {"group": "meta.k8s.io", "kind": kind, "causes": list(causes)}
    return InvalidError(f'{kind}.meta.k8s.io "" is invalid: {text}', details=details)


def is_dry_run(values: Sequence[str], kind: str) -> bool:
    """Tell whether a write must not be stored.

    Raises:
        InvalidError: a value other than "All".
    """
    wrong = [value for value in values if value != "All"]
    if wrong:
        raise invalid_options(kind, [_unsupported("dryRun", wrong[0], '"All"', bracketed=True)])
    return bool(values)


def check_field_validation(query: Query, kind: str) -> str:
    """Return the ``fieldValidation`` level ("Strict", "Warn" or "Ignore"); the default is "Warn".

    Raises:
        InvalidError: an unknown level.
    """
    level = query.text("fieldValidation")
    if level not in ("", "Ignore", "Strict", "Warn"):
        cause = _unsupported("fieldValidation", level, '"", "Ignore", "Strict", "Warn"')
        raise invalid_options(kind, [cause])
    return level or "Warn"


def check_propagation(policy: str | None) -> None:
    """Refuse an unknown propagation policy.

    Raises:
        InvalidError: it is none of the three.
    """
    if policy not in (None, "", "Foreground", "Background", "Orphan"):
        supported = '"Foreground", "Background", "Orphan", "nil"'
        raise invalid_options("DeleteOptions", [_unsupported("propagationPolicy", str(policy), supported)])


def check_version(version: str, current: int, *, watch: bool = False) -> int:
    """Return a resourceVersion as a number (0 when absent).

    Raises:
        BadRequestError: it is no number.
        UnreadableVersionError: the same of a watch.
        TooLargeVersionError: it is in the future.
    """
    if not version:
        return 0
    if not version.isdecimal():
        text = f'Invalid value: "{version}": strconv.ParseUint: parsing "{version}": invalid syntax'
        if watch:
            raise UnreadableVersionError(f"resourceVersion: {text}")
        raise BadRequestError(f"invalid resource version: resourceVersion: {text}")
    number = int(version)
    if number > current:
        cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
        raise TooLargeVersionError(
            f"Timeout: Too large resource version: {number}, current: {current}",
            details={"causes": [cause]},
            retry_after=1,
        )
    return number


def revision_of(options: ListOptions) -> int:
    """Return the revision that a list is to be of; 0 for the present one.

    Raises:
        BadRequestError: the continue token is not one of ours.
    """
    if options.continue_token:
        return _decode(options.continue_token)[1]
    return int(options.resource_version) if options.exact else 0


def take_page(
    items: Sequence[Obj],
    options: ListOptions,
    revision: int,
    goes_on: Callable[[Obj], bool] = lambda last: False,
) -> tuple[Sequence[Obj], dict[str, Any]]:
    """Return one page of `items` (ordered by key) and the list's metadata.

    Args:
        items: what matches.
        options: of the list.
        revision: as of which they are.
        goes_on: tells whether there is anything after an object, matching or not.

    Raises:
        BadRequestError: the continue token is not one of ours.
    """
    if options.continue_token:
        start, revision = _decode(options.continue_token)
        items = [item for item in items if key_of(item) > start]
    metadata: dict[str, Any] = {"resourceVersion": str(revision)}
    if not options.limit or len(items) < options.limit:
        return items, metadata
    page = items[: options.limit]
    if len(items) == options.limit and not goes_on(page[-1]):
        return items, metadata
    if not options.label_selector and not options.field_selector:
        metadata["remainingItemCount"] = len(items) - len(page)
    metadata["continue"] = _encode(page[-1], revision)
    return page, metadata


def _encode(last: Obj, revision: int) -> str:
    document = {"v": "meta.k8s.io/v1", "rv": revision, "start": list(key_of(last))}
    return base64.urlsafe_b64encode(orjson.dumps(document)).decode().rstrip("=")


def _decode(token: str) -> tuple[tuple[str, str], int]:
    data = b""
    try:
        data = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        document = orjson.loads(data)
        namespace, name = document["start"]
        return (str(namespace), str(name)), int(document["rv"])
    except (ValueError, KeyError, TypeError, binascii.Error) as error:
        why = (json_error(data) if data else "") or error
        raise BadRequestError(f"invalid continue token: continue key is not valid: {why}") from None
