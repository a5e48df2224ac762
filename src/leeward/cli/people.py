"""People of a cluster that knows them by certificates: to see what an access level allows.

Source: kubernetes.io/docs, "Certificates and Certificate Signing Requests".
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import replace

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from leeward.base.clock import SystemClock
from leeward.base.errors import OperationError
from leeward.kube.client import KubeClient
from leeward.kube.kubeconfig import Access

_REQUESTS = "certificatesigningrequests.certificates.k8s.io"
_TRIES = 200


async def certified(admin: KubeClient, name: str, groups: Sequence[str]) -> Access:
    """Return how a person reaches the cluster: with a certificate that its API signed.

    Args:
        admin: may approve requests for certificates.
        name: of the user.
        groups: that the user is in.

    Raises:
        OperationError: the cluster signs none.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = [x509.NameAttribute(NameOID.COMMON_NAME, name)]
    subject += [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    asked = (
        x509.CertificateSigningRequestBuilder().subject_name(x509.Name(subject)).sign(key, hashes.SHA256())
    )
    pem = asked.public_bytes(serialization.Encoding.PEM)
    spec = {
        "request": base64.b64encode(pem).decode(),
        "signerName": "kubernetes.io/kube-apiserver-client",
        "usages": ["client auth"],
    }
    head = {"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest"}
    request = await admin.create(_REQUESTS, {**head, "metadata": {"generateName": f"{name}-"}, "spec": spec})
    approved = {
        "type": "Approved",
        "status": "True",
        "reason": "Asked",
        "message": "leeward kubeconfig --user",
    }
    request = {**request, "status": {"conditions": [approved]}}
    await admin.update(_REQUESTS, request, subresource="approval")
    clock = SystemClock()
    for _ in range(_TRIES):
        found = await admin.get(_REQUESTS, "", request["metadata"]["name"])
        if certificate := (found.get("status") or {}).get("certificate"):
            return replace(
                admin.access,
                token=None,
                client_certificate_pem=base64.b64decode(certificate),
                client_key_pem=key.private_bytes(
                    serialization.Encoding.PEM,
                    serialization.PrivateFormat.PKCS8,
                    serialization.NoEncryption(),
                ),
            )
        await clock.sleep(0.05)
    raise OperationError(
        f"the cluster signs no certificate for {name}", remedy="It may have another way to know people."
    )
