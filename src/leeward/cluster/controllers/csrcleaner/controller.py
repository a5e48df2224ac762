"""The cleaner: requests go an hour after a decision, a day after nobody decided, or with their certificate.

Source: ``pkg/controller/certificates/cleaner/cleaner.go`` (Kubernetes 1.36).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime, timedelta

from cryptography import x509

from leeward.cluster.controllers.framework.certificaterequests import REQUESTS, is_issued
from leeward.cluster.controllers.framework.controller import ControllerContext, ControllerDescriptor
from leeward.cluster.interface.client import Event
from leeward.kube.objects import Obj, ObjectKey, key_of, parse_time

DECIDED = timedelta(hours=1)
PENDING = timedelta(hours=24)
_POLL_SECONDS = 3600.0  # upstream looks at all of them once an hour; here each is looked at when it is due


def _reasons(request: Obj) -> Iterator[datetime]:
    status = request.get("status") or {}
    conditions = status.get("conditions") or ()
    issued = is_issued(request)
    for condition in conditions:
        kind, since = condition["type"], condition.get("lastUpdateTime")
        if since and (kind in ("Denied", "Failed") or (kind == "Approved" and issued)):
            yield parse_time(since) + DECIDED
        if kind == "Approved" and issued and (ends := _end_of(status["certificate"])):
            yield ends
    if not conditions:
        yield parse_time(request["metadata"]["creationTimestamp"]) + PENDING


def _end_of(certificate: str) -> datetime | None:
    try:
        return x509.load_pem_x509_certificate(base64.b64decode(certificate)).not_valid_after_utc
    except (ValueError, binascii.Error):
        return None


def due(request: Obj) -> datetime | None:
    """Return when a request is to go; None while nobody knows."""
    return min(_reasons(request), default=None)


class CleanerController:
    """One key a request."""

    def __init__(self, context: ControllerContext) -> None:
        self._client = context.client
        self._clock = context.clock

    @property
    def resources(self) -> Collection[str]:
        return (REQUESTS,)

    def keys_for(self, event: Event) -> Iterable[ObjectKey]:
        return [key_of(event.object)] if event.type != "DELETED" else ()

    def sync(self, key: ObjectKey) -> float | None:
        """Remove one request when it is due; returns when to look again."""
        request = self._client.find(REQUESTS, "", key.name)
        when = due(request) if request is not None else None
        if request is None or when is None:
            return None
        left = (when - self._clock.now()).total_seconds()
        if left > 0:
            return min(left, _POLL_SECONDS)
        self._client.delete(REQUESTS, "", key.name, uid=request["metadata"]["uid"])
        return None


DESCRIPTOR = ControllerDescriptor(
    name="certificatesigningrequest-cleaner-controller",
    build=CleanerController,
    component="certificate-controller",
)
