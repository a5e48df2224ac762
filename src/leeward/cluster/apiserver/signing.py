"""Signs certificate requests with the cluster's authority.

Names and key come from the request, usages and duration from who decided; everything else it says is
dropped. No certificate outlives the authority's own.

Source: pkg/controller/certificates/authority/{authority,policies}.go (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from leeward.base.clock import PassiveClock
from leeward.cluster.apiserver.pki import Pki

BACKDATE = timedelta(minutes=5)
SHORT = timedelta(hours=8)  # what lasts less than that does not lose the time before now
_KEY_USAGES = {
    "signing": "digital_signature",
    "digital signature": "digital_signature",
    "content commitment": "content_commitment",
    "key encipherment": "key_encipherment",
    "key agreement": "key_agreement",
    "data encipherment": "data_encipherment",
    "cert sign": "key_cert_sign",
    "crl sign": "crl_sign",
    "encipher only": "encipher_only",
    "decipher only": "decipher_only",
}
_EXTENDED = {
    "any": ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
    "server auth": ExtendedKeyUsageOID.SERVER_AUTH,
    "client auth": ExtendedKeyUsageOID.CLIENT_AUTH,
    "code signing": ExtendedKeyUsageOID.CODE_SIGNING,
    "email protection": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "s/mime": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "ipsec end system": ObjectIdentifier("1.3.6.1.5.5.7.3.5"),
    "ipsec tunnel": ObjectIdentifier("1.3.6.1.5.5.7.3.6"),
    "ipsec user": ObjectIdentifier("1.3.6.1.5.5.7.3.7"),
    "timestamping": ExtendedKeyUsageOID.TIME_STAMPING,
    "ocsp signing": ExtendedKeyUsageOID.OCSP_SIGNING,
    "microsoft sgc": ObjectIdentifier("1.3.6.1.4.1.311.10.3.3"),
    "netscape sgc": ObjectIdentifier("2.16.840.1.113730.4.1"),
}


def signer(
    pki: Pki, clock: PassiveClock
) -> Callable[[x509.CertificateSigningRequest, Collection[str], int], bytes]:
    """Return what signs: (request, usages as Kubernetes names them, seconds) → certificate in PEM."""

    def sign(asked: x509.CertificateSigningRequest, usages: Collection[str], seconds: int) -> bytes:
        key = serialization.load_pem_private_key((pki.directory / "ca.key").read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError("ca.key is not an elliptic-curve key")
        authority = x509.load_pem_x509_certificate(pki.ca_certificate.read_bytes())
        now, lasts = clock.now(), timedelta(seconds=seconds)
        end = now + lasts - (timedelta(0) if lasts < SHORT else BACKDATE)
        builder = (
            x509.CertificateBuilder()
            .subject_name(asked.subject)
            .issuer_name(authority.subject)
            .public_key(asked.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - BACKDATE)
            .not_valid_after(min(end, authority.not_valid_after_utc))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), False)
        )
        for extension, critical in _extensions(asked, usages):
            builder = builder.add_extension(extension, critical)
        return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    return sign


def _extensions(
    asked: x509.CertificateSigningRequest, usages: Collection[str]
) -> list[tuple[x509.ExtensionType, bool]]:
    found: list[tuple[x509.ExtensionType, bool]] = []
    wanted = {_KEY_USAGES[usage] for usage in usages if usage in _KEY_USAGES}
    if wanted:
        found.append((x509.KeyUsage(**{name: name in wanted for name in _KEY_USAGES.values()}), True))
    purposes = [_EXTENDED[usage] for usage in usages if usage in _EXTENDED]
    if purposes:
        found.append((x509.ExtendedKeyUsage(list(dict.fromkeys(purposes))), False))
    try:
        names = asked.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return found
    return [*found, (names.value, names.critical)]
