"""The signing controller: approved requests to the four signers of Kubernetes' own get their certificate.

The key of the authority stays outside: what signs is passed in.

Source: ``pkg/controller/certificates/signer/signer.go`` (Kubernetes 1.36).
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Collection, Iterable, Mapping

from cryptography import x509

from leeward.cluster.controllers.framework.certificaterequests import (
    API_CLIENT,
    KUBELET_CLIENT,
    KUBELET_SERVING,
    LEGACY_UNKNOWN,
    REQUESTS,
    client_problem,
    is_issued,
    parsed,
    serving_problem,
)
from leeward.cluster.controllers.framework.controller import ControllerContext, ControllerDescriptor
from leeward.cluster.interface.client import Event
from leeward.kube.conditions import with_condition
from leeward.kube.objects import Obj, ObjectKey, is_condition_true, key_of

LONGEST = 365 * 24 * 3600  # seconds, and what one gets who does not say how long
SHORTEST = 600
Check = Callable[[x509.CertificateSigningRequest, Collection[str]], str]


def _client_usage_problem(asked: x509.CertificateSigningRequest, usages: Collection[str]) -> str:
    for usage in usages:
        if usage not in ("digital signature", "key encipherment", "client auth"):
            return f"invalid usage for client certificate: {usage}"
    return "" if "client auth" in usages else "missing required usage for client certificate: client auth"


SIGNERS: Mapping[str, Check] = {
    KUBELET_SERVING: serving_problem,
    KUBELET_CLIENT: client_problem,
    API_CLIENT: _client_usage_problem,
    LEGACY_UNKNOWN: lambda asked, usages: "",
}


def lasts(request: Obj) -> int:
    """Return for how many seconds a certificate is to be good."""
    return max(SHORTEST, min(request["spec"].get("expirationSeconds") or LONGEST, LONGEST))


class SigningController:
    """One key a request."""

    def __init__(self, context: ControllerContext) -> None:
        self._client = context.client
        self._clock = context.clock
        self._sign = context.sign

    @property
    def resources(self) -> Collection[str]:
        return (REQUESTS,)

    def keys_for(self, event: Event) -> Iterable[ObjectKey]:
        return [key_of(event.object)] if event.type != "DELETED" and self._waits(event.object) else ()

    @staticmethod
    def _waits(request: Obj) -> bool:
        return (
            request["spec"].get("signerName") in SIGNERS
            and is_condition_true(request, "Approved")
            and not is_condition_true(request, "Denied")
            and not is_condition_true(request, "Failed")
            and not is_issued(request)
        )

    def sync(self, key: ObjectKey) -> float | None:
        """Sign one request, or say why not."""
        request = self._client.find(REQUESTS, "", key.name)
        asked = parsed(request) if request is not None and self._waits(request) else None
        if request is None or asked is None or self._sign is None:
            return None
        spec, now = request["spec"], self._clock.now()
        usages = spec.get("usages") or ()
        signed = ""
        problem = SIGNERS[spec["signerName"]](asked, usages)
        if not problem:
            try:
                signed = base64.b64encode(self._sign(asked, usages, lasts(request))).decode()
            except ValueError as error:  # what is asked for cannot be said in a certificate
                problem = str(error)
        if problem:
            failed = {
                "type": "Failed",
                "status": "True",
                "reason": "SignerValidationFailure",
                "message": problem,
            }
            self._client.update_status(REQUESTS, with_condition(request, failed, now))
            return None
        status = {**(request.get("status") or {}), "certificate": signed}
        self._client.update_status(REQUESTS, {**request, "status": status})
        return None


DESCRIPTOR = ControllerDescriptor(
    name="certificatesigningrequest-signing-controller",
    build=SigningController,
    component="certificate-controller",
)
