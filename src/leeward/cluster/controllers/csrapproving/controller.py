"""The approving controller: kubelets' client certificates, where RBAC lets who asks have them.

Source: ``pkg/controller/certificates/approver/sarapprove.go`` (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from leeward.cluster.authorization.attributes import Attributes
from leeward.cluster.authorization.rbac import Rbac
from leeward.cluster.controllers.framework.certificaterequests import (
    KUBELET_CLIENT,
    REQUESTS,
    client_problem,
    common_name,
    is_decided,
    is_issued,
    parsed,
)
from leeward.cluster.controllers.framework.controller import ControllerContext, ControllerDescriptor
from leeward.cluster.interface.client import Event
from leeward.cluster.interface.user import User
from leeward.kube.objects import Obj, ObjectKey, key_of


def permissions(request: Obj) -> list[tuple[str, str]]:
    """Return, by subresource, what would be enough for an approval, and how it is told; [] for nothing."""
    spec, asked = request["spec"], parsed(request)
    if asked is None or spec.get("signerName") != KUBELET_CLIENT:
        return []
    if client_problem(asked, spec.get("usages") or ()):
        return []
    found = [("nodeclient", "Auto approving kubelet client certificate after SubjectAccessReview.")]
    if spec.get("username") == common_name(asked):
        text = "Auto approving self kubelet client certificate after SubjectAccessReview."
        found.insert(0, ("selfnodeclient", text))
    return found


class ApprovingController:
    """One key a request."""

    def __init__(self, context: ControllerContext) -> None:
        self._client = context.client
        self._rbac = Rbac(context.client)

    @property
    def resources(self) -> Collection[str]:
        return (REQUESTS,)

    def keys_for(self, event: Event) -> Iterable[ObjectKey]:
        return [key_of(event.object)] if event.type != "DELETED" and self._waits(event.object) else ()

    @staticmethod
    def _waits(request: Obj) -> bool:
        signer = request["spec"].get("signerName")
        return signer == KUBELET_CLIENT and not is_issued(request) and not is_decided(request)

    def sync(self, key: ObjectKey) -> float | None:
        """Approve one request, if it may be."""
        request = self._client.find(REQUESTS, "", key.name)
        if request is None or not self._waits(request):
            return None
        spec = request["spec"]
        user = User(
            spec.get("username") or "",
            tuple(spec.get("groups") or ()),
            spec.get("uid") or "",
            spec.get("extra") or {},
        )
        for subresource, message in permissions(request):
            question = Attributes(
                user=user,
                verb="create",
                group="certificates.k8s.io",
                resource="certificatesigningrequests",
                subresource=subresource,
            )
            if self._rbac.authorize(question).allowed:
                self._approve(request, message)
                break
        return None

    def _approve(self, request: Obj, message: str) -> None:
        approved = {"type": "Approved", "status": "True", "reason": "AutoApproved", "message": message}
        conditions = [*((request.get("status") or {}).get("conditions") or ()), approved]
        patch = {"status": {"conditions": conditions}}
        name = request["metadata"]["name"]
        self._client.patch(REQUESTS, "", name, patch, patch_type="merge", subresource="approval")


DESCRIPTOR = ControllerDescriptor(
    name="certificatesigningrequest-approving-controller",
    build=ApprovingController,
    component="certificate-controller",
)
