"""Which operation of the EKS API a request is."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from tests.e2e.infra.eks import addons, clusters, nodegroups, people
from tests.e2e.infra.eks.state import EksError, Json, State

Operation = Callable[..., Json]
_BODY = ("POST",)  # other methods have none

# Method, path ("*" is one segment, given to the operation), operation. A POST gets its body too.
_ROUTES: tuple[tuple[str, str, Operation], ...] = (
    ("POST", "clusters", clusters.create),
    ("GET", "clusters/*", clusters.describe),
    ("DELETE", "clusters/*", clusters.delete),
    ("POST", "clusters/*/update-config", clusters.update_config),
    ("POST", "clusters/*/updates", clusters.update_version),
    ("GET", "clusters/*/updates/*", clusters.describe_update),
    ("POST", "clusters/*/encryption-config/associate", clusters.associate_encryption),
    ("POST", "clusters/*/node-groups", nodegroups.create),
    ("GET", "clusters/*/node-groups", nodegroups.list_all),
    ("GET", "clusters/*/node-groups/*", nodegroups.describe),
    ("DELETE", "clusters/*/node-groups/*", nodegroups.delete),
    ("POST", "clusters/*/node-groups/*/update-config", nodegroups.update_config),
    ("POST", "clusters/*/node-groups/*/update-version", nodegroups.update_version),
    ("POST", "clusters/*/addons", addons.create),
    ("GET", "clusters/*/addons", addons.list_all),
    ("GET", "clusters/*/addons/*", addons.describe),
    ("DELETE", "clusters/*/addons/*", addons.delete),
    ("POST", "clusters/*/addons/*/update", addons.update),
    ("POST", "clusters/*/access-entries", people.create_entry),
    ("GET", "clusters/*/access-entries", people.list_entries),
    ("GET", "clusters/*/access-entries/*", people.describe_entry),
    ("POST", "clusters/*/access-entries/*", people.update_entry),
    ("DELETE", "clusters/*/access-entries/*", people.delete_entry),
    ("POST", "clusters/*/access-entries/*/access-policies", people.associate_policy),
    ("GET", "clusters/*/access-entries/*/access-policies", people.list_policies),
    ("DELETE", "clusters/*/access-entries/*/access-policies/*", people.disassociate_policy),
    ("POST", "clusters/*/pod-identity-associations", people.create_identity),
    ("GET", "clusters/*/pod-identity-associations", people.list_identities),
    ("GET", "clusters/*/pod-identity-associations/*", people.describe_identity),
    ("POST", "clusters/*/pod-identity-associations/*", people.update_identity),
    ("DELETE", "clusters/*/pod-identity-associations/*", people.delete_identity),
)
_COMPILED = [
    (method, re.compile(path.replace("*", "([^/]+)")), operation) for method, path, operation in _ROUTES
]


def respond(
    state: State, method: str, segments: list[str], query: dict[str, list[str]], body: Any
) -> tuple[int, Json]:
    """Return status and body of a response.

    Args:
        state: of the account and region that are asked.
        method: of HTTP.
        segments: of the path, decoded; an ARN is one.
        query: parameters of the URL.
        body: what was sent, as JSON has it; None: nothing.
    """
    try:
        return 200, _operation(state, method, segments, query, body or {})
    except EksError as error:
        return error.status, {"__type": error.code, "message": str(error)}


def _operation(
    state: State, method: str, segments: list[str], query: dict[str, list[str]], body: Json
) -> Json:
    if segments == ["clusters"] and method == "GET":
        return {"clusters": sorted(state.clusters)}
    if segments[0] == "tags":
        return _tags(state, method, "/".join(segments[1:]), query, body)
    marked = "/".join(segment.replace("/", "\0") for segment in segments)
    for wanted, path, operation in _COMPILED:
        found = path.fullmatch(marked)
        if found and method == wanted:
            given: list[Any] = [each.replace("\0", "/") for each in found.groups()]
            return operation(state, *given, *([body] if method in _BODY else []))
    raise EksError(501, "NotImplementedException", f"{method} {'/'.join(segments)}: not here")


def _tags(state: State, method: str, arn: str, query: dict[str, list[str]], body: Json) -> Json:
    tags = state.tagged(arn)
    if method == "POST":
        tags.update(body["tags"])
    elif method == "DELETE":
        for key in query.get("tagKeys", []):
            tags.pop(key, None)
    else:
        return {"tags": tags}
    return {}
