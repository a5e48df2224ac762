"""The certificate of a webhook server inside a cluster, and the authority that it is trusted by.

Made when the platform is applied, kept in a Secret of the cluster, and nowhere else. The authority signs
this one certificate; its key is forgotten at once, so that nobody can sign another.

Invariants: a certificate that has half a year left is kept; while a new one takes its place, both are
trusted.

Source: the names that the API server asks for are those of a Service ("Dynamic Admission Control" of
kubernetes.io/docs); a term of ten years, as upstream's chart has it (genSelfSignedCert).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_TERM = timedelta(days=3650)
_LEFT = timedelta(days=183)
_SKEW = timedelta(hours=1)  # clocks that are behind


@dataclass(frozen=True, slots=True)
class Serving:
    """What a TLS Secret has, in base64."""

    authority: str  # PEM; of one or two authorities
    certificate: str
    key: str

    def data(self) -> dict[str, str]:
        """Return the data of the Secret."""
        return {"ca.crt": self.authority, "tls.crt": self.certificate, "tls.key": self.key}


def kept_serving(data: Mapping[str, str], names: tuple[str, ...], now: datetime) -> Serving | None:
    """Return what a Secret has, when it is for these names and good for long enough; else None."""
    try:
        found = Serving(data["ca.crt"], data["tls.crt"], data["tls.key"])
        pem = base64.b64decode(found.certificate, validate=True)
        leaf = x509.load_pem_x509_certificate(pem)
        x509.load_pem_x509_certificates(base64.b64decode(found.authority, validate=True))
        shown = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (KeyError, ValueError, binascii.Error, x509.ExtensionNotFound):
        return None
    covers = set(names) <= set(shown.get_values_for_type(x509.DNSName))
    return found if covers and leaf.not_valid_after_utc - now > _LEFT else None


def new_serving(names: tuple[str, ...], now: datetime, before: Mapping[str, str] | None = None) -> Serving:
    """Return a new certificate for names of a server.

    Args:
        names: of DNS, the first one its common name.
        now: when its term begins, aware.
        before: the data of the Secret that is there; its authority stays trusted beside the new one.
    """
    signer, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = _named("leeward platform")
    authority = (
        _term(issuer, issuer, now)
        .public_key(signer.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(signer.public_key()), critical=False)
        .sign(signer, hashes.SHA256())
    )
    leaf = (
        _term(_named(names[0][:64]), issuer, now)
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .add_extension(  # tells two authorities of one name apart
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
        .sign(signer, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    trusted = _pem(authority) + _first_authority(before or {})
    return Serving(*(base64.b64encode(each).decode() for each in (trusted, _pem(leaf), secret)))


def _first_authority(data: Mapping[str, str]) -> bytes:
    try:
        found = x509.load_pem_x509_certificates(base64.b64decode(data.get("ca.crt", ""), validate=True))
    except (ValueError, binascii.Error):
        return b""
    return _pem(found[0])


def _term(subject: x509.Name, issuer: x509.Name, now: datetime) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + _TERM)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
