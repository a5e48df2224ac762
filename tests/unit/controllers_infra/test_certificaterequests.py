"""Who gets a certificate, of what kind, and when requests go."""

from __future__ import annotations

import base64
import ipaddress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from leeward.base.clock import VirtualClock
from leeward.base.ids import SeededIds
from leeward.cluster.apiserver.authentication import of_certificate
from leeward.cluster.apiserver.pki import ensure_pki
from leeward.cluster.apiserver.signing import signer
from leeward.cluster.controllers.csrapproving import controller as csrapproving
from leeward.cluster.controllers.csrcleaner import controller as csrcleaner
from leeward.cluster.controllers.csrsigning import controller as csrsigning
from leeward.cluster.controllers.framework.certificaterequests import REQUESTS
from leeward.cluster.controllers.framework.controller import ControllerContext
from leeward.cluster.controllers.framework.manager import ControllerManager
from leeward.cluster.interface.user import AUTHENTICATED, User
from leeward.cluster.registry.bootstrap import bootstrap
from leeward.cluster.registry.registry import Registry
from leeward.cluster.store.memory import MemoryStore
from leeward.kube.objects import Obj, find_condition

_KUBELET = ("digital signature", "client auth")
_DESCRIPTORS = (csrapproving.DESCRIPTOR, csrsigning.DESCRIPTOR, csrcleaner.DESCRIPTOR)


class Office:
    """A registry, an authority, and the three controllers."""

    def __init__(self, directory: Path) -> None:
        self.clock, ids = VirtualClock(), SeededIds(3)
        registry = Registry(MemoryStore(), clock=self.clock, ids=ids)
        bootstrap(registry, api_address="127.0.0.1", api_port=6443)
        self.client = registry.client("system:admin")
        self.tracked = self.client.tracked
        sign = signer(ensure_pki(directory, self.clock), self.clock)
        built = [
            (
                each.name,
                each.build(
                    ControllerContext(client=registry.client(each.user), clock=self.clock, ids=ids, sign=sign)
                ),
            )
            for each in _DESCRIPTORS
        ]
        ControllerManager(built, self.client, self.clock).start()

    def ask(
        self,
        signer_name: str,
        usages: tuple[str, ...] = _KUBELET,
        *,
        subject: tuple[str, str] = ("system:node:a1", "system:nodes"),
        ip: str = "",
        user: User | None = None,
        **spec: object,
    ) -> str:
        names = x509.Name(
            [
                x509.NameAttribute(NameOID.COMMON_NAME, subject[0]),
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, subject[1]),
            ]
        )
        builder = x509.CertificateSigningRequestBuilder().subject_name(names)
        if ip:
            addresses = [x509.IPAddress(ipaddress.ip_address(ip))]
            builder = builder.add_extension(x509.SubjectAlternativeName(addresses), critical=False)
        signed = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
        request = base64.b64encode(signed.public_bytes(serialization.Encoding.PEM)).decode()
        obj = {
            "metadata": {"generateName": "csr-"},
            "spec": {"request": request, "signerName": signer_name, "usages": list(usages), **spec},
        }
        asker = user or User("system:node:a1", ("system:nodes", AUTHENTICATED))
        made = self.tracked("kubelet", "certificates.k8s.io/v1", asker).create(REQUESTS, obj)
        self.clock.advance(0.1)
        return str(made["metadata"]["name"])

    def approve(self, name: str) -> None:
        approved = {"type": "Approved", "status": "True", "reason": "Fine", "message": "by hand"}
        patch = {"status": {"conditions": [approved]}}
        self.client.patch(REQUESTS, "", name, patch, patch_type="merge", subresource="approval")
        self.clock.advance(0.1)

    def request(self, name: str) -> Obj:
        return self.client.get(REQUESTS, "", name)

    def certificate(self, name: str) -> x509.Certificate | None:
        encoded = (self.request(name).get("status") or {}).get("certificate")
        return x509.load_pem_x509_certificate(base64.b64decode(encoded)) if encoded else None


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def _allow_nodes(office: Office) -> None:
    role = "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient"
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}
    group = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:nodes"}
    binding = {"metadata": {"name": "renew"}, "roleRef": reference, "subjects": [group]}
    office.client.create("clusterrolebindings.rbac.authorization.k8s.io", binding)


def test_a_kubelet_that_may_renews_its_certificate_by_itself(office: Office) -> None:
    _allow_nodes(office)
    name = office.ask("kubernetes.io/kube-apiserver-client-kubelet")
    condition = find_condition(office.request(name), "Approved") or {}
    assert (condition["reason"], condition["message"]) == (
        "AutoApproved",
        "Auto approving self kubelet client certificate after SubjectAccessReview.",
    )
    found = office.certificate(name)
    assert found is not None
    user = of_certificate(found.public_bytes(serialization.Encoding.DER))
    assert (user.name, user.groups[0]) == ("system:node:a1", "system:nodes")


def test_a_kubelet_that_may_not_waits_for_somebody_to_approve(office: Office) -> None:
    name = office.ask("kubernetes.io/kube-apiserver-client-kubelet")
    assert not office.request(name).get("status")
    office.approve(name)
    assert office.certificate(name) is not None


def test_a_client_certificate_has_the_usages_and_the_time_that_were_asked_for(office: Office) -> None:
    subject = ("anna", "developers")
    signer_name = "kubernetes.io/kube-apiserver-client"
    name = office.ask(signer_name, ("client auth",), subject=subject, expirationSeconds=3600)
    office.approve(name)
    found = office.certificate(name)
    assert found is not None
    usages = found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usages) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    left = (found.not_valid_after_utc - office.clock.now()).total_seconds()
    assert 3595 <= left <= 3600


def test_a_serving_certificate_keeps_its_addresses(office: Office) -> None:
    usages = ("digital signature", "key encipherment", "server auth")
    name = office.ask("kubernetes.io/kubelet-serving", usages, ip="10.0.0.7")
    office.approve(name)
    found = office.certificate(name)
    assert found is not None
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(each.value) for each in names] == ["10.0.0.7"]


@pytest.mark.parametrize(
    ("signer_name", "usages", "subject", "message"),
    [
        (
            "kubernetes.io/kubelet-serving",
            ("digital signature", "server auth"),
            ("system:node:a1", "system:nodes"),
            "DNS or IP subjectAltName is required",
        ),
        (
            "kubernetes.io/kube-apiserver-client-kubelet",
            _KUBELET,
            ("system:node:a1", "people"),
            "subject organization is not system:nodes",
        ),
        (
            "kubernetes.io/kube-apiserver-client",
            ("client auth", "server auth"),
            ("anna", "people"),
            "invalid usage for client certificate: server auth",
        ),
        (
            "kubernetes.io/kube-apiserver-client",
            ("digital signature",),
            ("anna", "people"),
            "missing required usage for client certificate: client auth",
        ),
    ],
)
def test_what_a_signer_does_not_sign_fails(
    office: Office, signer_name: str, usages: tuple[str, ...], subject: tuple[str, str], message: str
) -> None:
    name = office.ask(signer_name, usages, subject=subject)
    office.approve(name)
    condition = find_condition(office.request(name), "Failed") or {}
    assert (condition["reason"], condition["message"]) == ("SignerValidationFailure", message)
    assert office.certificate(name) is None


def test_requests_of_other_signers_are_left_alone(office: Office) -> None:
    name = office.ask("example.com/mine")
    office.approve(name)
    assert office.certificate(name) is None


def test_requests_go_an_hour_after_they_are_issued_and_a_day_after_nobody_answered(office: Office) -> None:
    issued = office.ask("kubernetes.io/kube-apiserver-client-kubelet")
    office.approve(issued)
    office.ask("kubernetes.io/kube-apiserver-client-kubelet")
    office.clock.advance(3590)
    assert len(office.client.list(REQUESTS)) == 2
    office.clock.advance(3600)
    assert len(office.client.list(REQUESTS)) == 1
    office.clock.advance(24 * 3600)
    assert office.client.list(REQUESTS) == []
