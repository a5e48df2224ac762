"""Whether an aggregated API can be reached, as far as objects tell; and what its APIService says of it. Pure.

Source: k8s.io/kube-aggregator/pkg/controllers/status/remote (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from leeward.kube.objects import Obj


class Verdict(NamedTuple):
    """What the condition Available is to say."""

    status: str
    reason: str
    message: str

    def condition(self) -> dict[str, str]:
        """Return the condition, but for its time."""
        return {
            "type": "Available",
            "status": self.status,
            "reason": self.reason,
            "message": self.message,
        }


PASSED = Verdict("True", "Passed", "all checks passed")


def failed(message: str) -> Verdict:
    """Return the verdict about a server that did not answer as it should."""
    return Verdict("False", "FailedDiscoveryCheck", message)


def obstacle(reference: Obj, service: Obj | None, slices: Sequence[Obj]) -> Verdict | None:
    """Return why an API is not available; None: nothing is known against it.

    Args:
        reference: ``spec.service`` of the APIService.
        service: the Service meant, if it is there.
        slices: its EndpointSlices.
    """
    namespace, name, port = reference["namespace"], reference["name"], reference.get("port") or 443
    what = f'service/{name} in "{namespace}"'
    if service is None:
        return Verdict("False", "ServiceNotFound", f"{what} is not present")
    if (service["spec"].get("type") or "ClusterIP") != "ClusterIP":
        return None
    found = next((each for each in service["spec"].get("ports") or () if each["port"] == port), None)
    if found is None:
        return Verdict("False", "ServicePortError", f"{what} is not listening on port {port}")
    if not slices:
        return Verdict("False", "EndpointsNotFound", f"cannot find endpointslices for {what}")
    wanted = found.get("name") or ""
    if not any(_is_there(each, wanted) for each in slices):
        text = f'endpointslices for {what} have no addresses with port name "{wanted}"'
        return Verdict("False", "MissingEndpoints", text)
    return None


def _is_there(piece: Obj, port: str) -> bool:
    ready = any(
        (each.get("conditions") or {}).get("ready") is not False for each in piece.get("endpoints") or ()
    )
    return ready and any(
        (each.get("name") or "") == port and each.get("port") for each in piece.get("ports") or ()
    )
