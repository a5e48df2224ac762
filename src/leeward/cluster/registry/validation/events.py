"""Events: what they are about, and who reports them.

Source: pkg/apis/core/validation/events.go (Kubernetes 1.36).
"""

from __future__ import annotations

from leeward.cluster.registry.failures import Failure, invalid, required
from leeward.cluster.registry.validation.formats import each_failure, qualified_name
from leeward.kube.objects import Obj

_MOST = {"reportingInstance": 128, "action": 128, "reason": 128, "message": 1024}


def event_failures(obj: Obj) -> list[Failure]:
    """Check an Event of the core group."""
    return legacy_failures(obj, "reportingComponent")


def legacy_failures(obj: Obj, reporter: str) -> list[Failure]:
    """Check an Event as it is stored; `reporter` is what the field of the reporting component is called."""
    about = (obj.get("involvedObject") or {}).get("namespace") or ""
    namespace = obj["metadata"].get("namespace") or ""
    elsewhere = [invalid("involvedObject.namespace", about, "does not match event.namespace")]
    if not obj.get("eventTime"):
        fits = about == namespace or (not about and namespace == "default")
        return [] if fits else elsewhere  # what is about something without a namespace is in "default"
    found = [] if about or namespace in ("default", "kube-system") else elsewhere
    component = obj.get("reportingComponent") or ""
    if not component:
        found.append(required(reporter))
    found += each_failure(qualified_name, component, reporter)
    for field in ("reportingInstance", "action", "reason"):
        if not obj.get(field):
            found.append(required(field))
        elif len(obj[field].encode()) > _MOST[field]:
            found.append(invalid(field, "", f"can have at most {_MOST[field]} characters"))
    if len((obj.get("message") or "").encode()) > _MOST["message"]:
        found.append(invalid("message", "", f"can have at most {_MOST['message']} characters"))
    return found
