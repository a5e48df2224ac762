"""Audit: a line of JSON for every request that could change something or was refused: who, what, outcome.

Level Metadata: no bodies, so no Secrets. Reads are left out unless they were refused, became a
conversation or went through a proxy, where they may do anything. So is the cluster itself, whose components
do not ask over HTTPS. The file is rotated once, by size.

Source: k8s.io/apiserver/pkg/apis/audit/v1 (Event), pkg/audit/policy (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from leeward.base.ids import IdSource
from leeward.cluster.apiserver.http import Request
from leeward.cluster.authorization.attributes import Attributes
from leeward.cluster.interface.user import User

_READS = ("get", "list", "watch")
_MAX_BYTES = 50_000_000


class AuditLog:
    """Appends events to a file.

    Args:
        path: the file; ``.1`` is appended to its name when it is full.
        now: the time, as text with microseconds.
        ids: of events.
        max_bytes: of the file before it is rotated.
    """

    def __init__(
        self, path: Path, now: Callable[[], str], ids: IdSource, *, max_bytes: int = _MAX_BYTES
    ) -> None:
        self._path = path
        self._now = now
        self._ids = ids
        self._max = max_bytes
        self._file: BinaryIO | None = None
        self._size = 0

    def record(self, request: Request, requester: User, asked: Attributes, code: int) -> None:
        """Take note of a request that was answered.

        Args:
            request: it.
            requester: who sent it.
            asked: what was asked for, by whom it was carried out as.
            code: the HTTP status of the answer.
        """
        if asked.verb in _READS and asked.subresource != "proxy" and code not in (101, 401, 403):
            return
        now = self._now()
        event: dict[str, Any] = {
            "kind": "Event",
            "apiVersion": "audit.k8s.io/v1",
            "level": "Metadata",
            "auditID": self._ids.uid(),
            "stage": "ResponseComplete",
            "requestURI": request.uri,
            "verb": asked.verb,
            "user": requester.info(),
            "sourceIPs": [request.client] if request.client else [],
            "userAgent": request.headers.get("user-agent", ""),
            "responseStatus": {"code": code},
            "requestReceivedTimestamp": now,
            "stageTimestamp": now,
        }
        if asked.user is not requester:
            event["impersonatedUser"] = asked.user.info()
        if asked.resource:
            event["objectRef"] = _reference(asked)
        self._append(orjson.dumps(event, option=orjson.OPT_APPEND_NEWLINE))

    def _append(self, line: bytes) -> None:
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("ab", buffering=0)
            self._path.chmod(0o600)
            self._size = self._path.stat().st_size
        elif self._size + len(line) > self._max:
            self.close()
            self._path.replace(self._path.with_name(f"{self._path.name}.1"))
            self._append(line)
            return
        self._file.write(line)
        self._size += len(line)

    def close(self) -> None:
        """Close the file; idempotent."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _reference(asked: Attributes) -> dict[str, str]:
    fields = {
        "resource": asked.resource,
        "namespace": asked.namespace,
        "name": asked.name,
        "apiGroup": asked.group,
        "apiVersion": asked.version,
        "subresource": asked.subresource,
    }
    return {key: value for key, value in fields.items() if value}
