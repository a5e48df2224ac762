"""Requests for certificates: who asks, who decides, who signs."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from leeward.cluster.interface.user import User
from leeward.cluster.registry.options import WriteOptions
from leeward.kube.objects import Obj
from leeward.kube.status import InvalidError

REQUESTS = "certificatesigningrequests.certificates.k8s.io"


def ask(cluster: Any, **spec: Any) -> Obj:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "jane")])
    key = ec.generate_private_key(ec.SECP256R1())
    pem = x509.CertificateSigningRequestBuilder(subject).sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
    given = {
        "request": base64.b64encode(pem).decode(),
        "signerName": "example.com/s",
        "usages": ["client auth"],
    }
    options = WriteOptions(user=User("ci", ("bots",), "7"))
    made: Obj = cluster.registry.create(
        REQUESTS, {"metadata": {"name": "r"}, "spec": {**given, **spec}}, options
    )
    return made


def decide(cluster: Any, *kinds: str, subresource: str = "approval", status: str = "True") -> Obj:
    conditions = [{"type": kind, "status": status, "reason": "x"} for kind in kinds]
    patch = {"status": {"conditions": conditions}}
    decided: Obj = cluster.client.patch(REQUESTS, "", "r", patch, patch_type="merge", subresource=subresource)
    return decided


def test_a_request_says_who_asks_whatever_it_brings(cluster: Any) -> None:
    spec = ask(cluster, username="root", groups=["system:masters"])["spec"]
    assert (spec["username"], spec["uid"], spec["groups"]) == ("ci", "7", ["bots"])


def test_a_request_that_was_not_signed_with_its_key_is_refused(cluster: Any) -> None:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "jane")])
    key = ec.generate_private_key(ec.SECP256R1())
    made = x509.CertificateSigningRequestBuilder(subject).sign(key, hashes.SHA256())
    der = bytearray(made.public_bytes(Encoding.DER))
    der[-1] ^= 1
    text = base64.encodebytes(bytes(der)).decode()
    pem = f"-----BEGIN CERTIFICATE REQUEST-----\n{text}-----END CERTIFICATE REQUEST-----\n"
    with pytest.raises(InvalidError, match="verification failure of the signature"):
        ask(cluster, request=base64.b64encode(pem.encode()).decode())


def test_a_decision_says_since_when(cluster: Any) -> None:
    ask(cluster)
    (condition,) = decide(cluster, "Approved")["status"]["conditions"]
    assert condition["lastUpdateTime"] == condition["lastTransitionTime"] == "2030-01-01T00:00:00Z"
    cluster.clock.advance(60)
    (again,) = decide(cluster, "Approved")["status"]["conditions"]
    assert again["lastUpdateTime"] == "2030-01-01T00:01:00Z"
    assert again["lastTransitionTime"] == "2030-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("kinds", "status", "text"),
    [
        (("Approved", "Denied"), "True", '"Denied": Approved and Denied conditions are mutually exclusive'),
        (("Approved", "Approved"), "True", 'status.conditions[1].type: Duplicate value: "Approved"'),
        (("Approved",), "False", 'Unsupported value: "False": supported values: "True"'),
        (("",), "True", "status.conditions[0].type: Required value"),
    ],
)
def test_a_decision_that_is_none_is_refused(
    cluster: Any, kinds: tuple[str, ...], status: str, text: str
) -> None:
    ask(cluster)
    with pytest.raises(InvalidError) as caught:
        decide(cluster, *kinds, status=status)
    assert text in caught.value.message


def test_a_decision_is_final(cluster: Any) -> None:
    ask(cluster)
    decide(cluster, "Approved")
    with pytest.raises(InvalidError, match='updates may not remove a condition of type "Approved"'):
        decide(cluster)


def test_who_signs_decides_nothing_and_may_fail(cluster: Any) -> None:
    ask(cluster)
    with pytest.raises(InvalidError, match='updates may not add a condition of type "Approved"'):
        decide(cluster, "Approved", subresource="status")
    decide(cluster, "Failed", subresource="status")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("not a certificate", "must contain at least one CERTIFICATE PEM block"),
        ("-----BEGIN EC KEY-----\nAA==\n-----END EC KEY-----\n", "only CERTIFICATE PEM blocks are allowed"),
        ("-----BEGIN CERTIFICATE-----\nA: b\n\nAA==\n-----END CERTIFICATE-----\n", "no PEM block headers"),
    ],
)
def test_what_is_no_certificate_is_refused(cluster: Any, content: str, text: str) -> None:
    ask(cluster)
    patch = {"status": {"certificate": base64.b64encode(content.encode()).decode()}}
    with pytest.raises(InvalidError, match=text):
        cluster.client.patch(REQUESTS, "", "r", patch, patch_type="merge", subresource="status")


def test_what_was_asked_for_does_not_change(cluster: Any) -> None:
    made = ask(cluster)
    patched = cluster.client.patch(
        REQUESTS, "", "r", {"spec": {"usages": ["server auth"]}}, patch_type="merge"
    )
    assert patched["spec"] == made["spec"]
