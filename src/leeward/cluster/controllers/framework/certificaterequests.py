"""What a CertificateSigningRequest asks for, and whether it is one that kubelets make. Pure.

Source: pkg/apis/certificates/helpers.go, pkg/controller/certificates/certificate_controller_utils.go
(Kubernetes 1.36).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection

from cryptography import x509
from cryptography.x509.oid import NameOID

from leeward.kube.objects import Obj, is_condition_true

REQUESTS = "certificatesigningrequests.certificates.k8s.io"
KUBELET_CLIENT = "kubernetes.io/kube-apiserver-client-kubelet"
KUBELET_SERVING = "kubernetes.io/kubelet-serving"
API_CLIENT = "kubernetes.io/kube-apiserver-client"
LEGACY_UNKNOWN = "kubernetes.io/legacy-unknown"
_NODES, _NODE = "system:nodes", "system:node:"
_BASE_USAGES = ("digital signature", "key encipherment")


def parsed(request: Obj) -> x509.CertificateSigningRequest | None:
    """Return what a request holds; None when it cannot be read."""
    try:
        found = x509.load_pem_x509_csr(base64.b64decode(request["spec"].get("request") or ""))
        _ = found.extensions  # read now: they may be malformed
    except (ValueError, binascii.Error, x509.DuplicateExtension):
        return None
    return found


def is_decided(request: Obj) -> bool:
    """Tell whether somebody has approved or denied a request."""
    return is_condition_true(request, "Approved") or is_condition_true(request, "Denied")


def is_issued(request: Obj) -> bool:
    """Tell whether a request has its certificate."""
    return bool((request.get("status") or {}).get("certificate"))


def common_name(asked: x509.CertificateSigningRequest) -> str:
    """Return whom a certificate is asked for; "" for nobody."""
    names = asked.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else ""


def client_problem(asked: x509.CertificateSigningRequest, usages: Collection[str]) -> str:
    """Return why a certificate is not one with which kubelets speak to the API; "" when it is one."""
    names = _alternative_names(asked)
    refused = ((x509.DNSName, "DNS"), (x509.RFC822Name, "Email"), (x509.IPAddress, "IP"))
    for kind, word in (*refused, (x509.UniformResourceIdentifier, "URI")):
        if any(isinstance(name, kind) for name in names) and _is_of_nodes(asked):
            return f"{word} subjectAltNames are not allowed"
    return _node_problem(asked) or _usage_problem(usages, "client auth")


def serving_problem(asked: x509.CertificateSigningRequest, usages: Collection[str]) -> str:
    """Return why a certificate is not one with which kubelets serve; "" when it is one."""
    names = _alternative_names(asked)
    if _is_of_nodes(asked):
        if not any(isinstance(name, x509.DNSName | x509.IPAddress) for name in names):
            return "DNS or IP subjectAltName is required"
        for kind, word in ((x509.RFC822Name, "Email"), (x509.UniformResourceIdentifier, "URI")):
            if any(isinstance(name, kind) for name in names):
                return f"{word} subjectAltNames are not allowed"
        if problem := _usage_problem(usages, "server auth"):
            return problem
    return _node_problem(asked)


def _alternative_names(asked: x509.CertificateSigningRequest) -> list[x509.GeneralName]:
    try:
        return list(asked.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        return []


def _is_of_nodes(asked: x509.CertificateSigningRequest) -> bool:
    groups = asked.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    return [str(each.value) for each in groups] == [_NODES]


def _node_problem(asked: x509.CertificateSigningRequest) -> str:
    if not _is_of_nodes(asked):
        return "subject organization is not system:nodes"
    if not common_name(asked).startswith(_NODE):
        return "subject common name does not begin with system:node:"
    return ""


def _usage_problem(usages: Collection[str], auth: str) -> str:
    wanted = {*_BASE_USAGES, auth}
    if set(usages) in (wanted, wanted - {"key encipherment"}):
        return ""
    return f"usages did not match [{' '.join(sorted(wanted))}]"
