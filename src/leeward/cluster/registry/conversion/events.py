"""Events of events.k8s.io/v1, which are stored as those of the core group.

Source: pkg/apis/events/v1/conversion.go, pkg/apis/core/validation/events.go (Kubernetes 1.36).
"""

from __future__ import annotations

from leeward.cluster.registry.conversion.version import Version
from leeward.cluster.registry.failures import Failure, invalid, required
from leeward.cluster.registry.validation.events import legacy_failures
from leeward.kube.objects import Obj

_NAMES = (  # in the core group, in this one
    ("message", "note"),
    ("involvedObject", "regarding"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
    ("reportingComponent", "reportingController"),
)
_TO_STORED = {theirs: ours for ours, theirs in _NAMES}
_FROM_STORED = dict(_NAMES)
_UNSET = ("firstTimestamp", "lastTimestamp", "count")


def _to_stored(obj: Obj) -> Obj:
    return {**{_TO_STORED.get(key, key): value for key, value in obj.items()}, "apiVersion": "v1"}


def _from_stored(obj: Obj) -> Obj:
    found = {_FROM_STORED.get(key, key): value for key, value in obj.items()}
    for key in ("reportingController", "reportingInstance"):
        if found.get(key) == "":
            del found[key]
    return {**found, "apiVersion": "events.k8s.io/v1"}


def event_failures(obj: Obj) -> list[Failure]:
    """Check a new event, which is about one moment and says who reports it."""
    found = legacy_failures(obj, "reportingController")
    if not obj.get("eventTime"):
        found.append(required("eventTime"))
    if obj.get("type") not in ("Normal", "Warning"):
        found.append(invalid("type", "", f"has invalid value: {obj.get('type') or ''}"))
    found += [invalid(name, "", "needs to be unset") for name in _UNSET if obj.get(name)]
    if any((obj.get("source") or {}).values()):
        found.append(invalid("source", "", "needs to be unset"))
    return found


EVENTS_V1 = Version(
    resource="events",
    api_version="events.k8s.io/v1",
    to_stored=_to_stored,
    from_stored=_from_stored,
    default=lambda obj: obj,
    validate_create=event_failures,
)
