"""CertificateApproval, CertificateSigning and CertificateSubjectRestriction: who may decide about requests.

Source: plugin/pkg/admission/certificates/{approval,signing,subjectrestriction,util} (Kubernetes 1.36).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import replace

from cryptography import x509
from cryptography.x509.oid import NameOID

from leeward.cluster.authorization.attributes import Attributes as Asked
from leeward.cluster.authorization.rbac import Rbac
from leeward.cluster.registry.admission.attributes import Attributes
from leeward.cluster.registry.admission.plugin import Handler, PluginContext, PluginDescriptor
from leeward.kube.objects import Obj

_REQUESTS = "certificatesigningrequests.certificates.k8s.io"
_REQUESTER = ("username", "uid", "groups", "extra")
_CLIENT_SIGNER = "kubernetes.io/kube-apiserver-client"


class Signers:
    """Knows who may do what for a signer.

    Args:
        rbac: decides.
    """

    def __init__(self, rbac: Rbac) -> None:
        self._rbac = rbac

    def _check(self, write: Attributes, verb: str) -> None:
        signer = ((write.old or {}).get("spec") or {}).get("signerName") or ""
        asked = Asked(user=write.user, verb=verb, group="certificates.k8s.io", resource="signers")
        names = (signer, f"{signer.partition('/')[0]}/*")
        if not write.user.is_component and not any(
            self._rbac.authorize(replace(asked, name=name)).allowed for name in names
        ):
            raise write.forbidden(f'user not permitted to {verb} requests with signerName "{signer}"')

    def validate_approval(self, write: Attributes) -> None:
        """Refuse approval by others than the signer's approvers."""
        self._check(write, "approve")

    def validate_signing(self, write: Attributes) -> None:
        """Refuse certificates and conditions by others than the signer."""
        new, old = (each.get("status") or {} for each in (write.obj, write.old or {}))
        if any(
            (new.get(field) or None) != (old.get(field) or None) for field in ("certificate", "conditions")
        ):
            self._check(write, "sign")


def _sign_with_requester(write: Attributes) -> Obj:
    """Write into a request who asks; upstream's strategy does that, which knows the user there."""
    given: Obj = write.obj.get("spec") or {}
    spec = {key: value for key, value in given.items() if key not in _REQUESTER}
    return {**write.obj, "spec": {**spec, **write.user.info()}}


def _validate_subject(write: Attributes) -> None:
    """Refuse requests for what would be an administrator."""
    spec: Obj = write.obj.get("spec") or {}
    if spec.get("signerName") != _CLIENT_SIGNER:
        return
    try:
        pem = base64.b64decode(spec.get("request") or "")
        subject = x509.load_pem_x509_csr(pem).subject
    except (ValueError, binascii.Error) as error:
        raise write.forbidden(f"failed to parse CSR: {error}") from None
    if any(
        each.value == "system:masters" for each in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    ):
        raise write.forbidden(f"use of {_CLIENT_SIGNER} signer with system:masters group is not allowed")


def _approval(context: PluginContext) -> Sequence[Handler]:
    validate = Signers(context.rbac).validate_approval
    return (
        Handler(
            operations=("UPDATE",), resources=(_REQUESTS,), subresources=("approval",), validate=validate
        ),
    )


def _signing(context: PluginContext) -> Sequence[Handler]:
    validate = Signers(context.rbac).validate_signing
    return (
        Handler(operations=("UPDATE",), resources=(_REQUESTS,), subresources=("status",), validate=validate),
    )


def _subject(context: PluginContext) -> Sequence[Handler]:
    return (
        Handler(
            operations=("CREATE",),
            resources=(_REQUESTS,),
            admit=_sign_with_requester,
            validate=_validate_subject,
        ),
    )


DESCRIPTORS = (
    PluginDescriptor(name="CertificateApproval", build=_approval),
    PluginDescriptor(name="CertificateSigning", build=_signing),
    PluginDescriptor(name="CertificateSubjectRestriction", build=_subject),
)
