"""The cluster's own certificate authority, server certificate, token and signing key.

Invariants: everything lives in one directory with mode 0700, every file in it has mode 0600 and
appears whole or not at all; what is there and still valid is kept, so kubeconfigs survive a restart.
Keys are P-256: made in a millisecond, and every Kubernetes client understands them.

Source: the names and uses follow kubeadm's ``/etc/kubernetes/pki``.
"""

from __future__ import annotations

import base64
import ipaddress
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from leeward.base.clock import PassiveClock

_CA_DAYS = 3650
_LEAF_DAYS = 825  # the longest that Apple's and browsers' verifiers accept
_RENEW_DAYS = 30
FRONT_PROXY = "front-proxy-client"  # who speaks for others to aggregated API servers
_NAMES = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)


@dataclass(frozen=True, slots=True)
class Pki:
    """Where the files are, and the secrets that callers need as text."""

    directory: Path
    admin_token: str

    @property
    def ca_certificate(self) -> Path:
        """PEM of the authority."""
        return self.directory / "ca.crt"

    @property
    def server_certificate(self) -> Path:
        """PEM of the API server's certificate."""
        return self.directory / "apiserver.crt"

    @property
    def server_key(self) -> Path:
        """PEM of its key."""
        return self.directory / "apiserver.key"

    @property
    def signing_key(self) -> Path:
        """PEM of the key that signs service-account tokens."""
        return self.directory / "sa.key"

    @property
    def front_proxy_ca(self) -> Path:
        """PEM of the authority whose clients speak for others to aggregated API servers."""
        return self.directory / "front-proxy-ca.crt"

    @property
    def front_proxy_certificate(self) -> Path:
        """PEM of this server's certificate of that kind; its key is beside it."""
        return self.directory / "front-proxy-client.crt"

    @property
    def front_proxy_key(self) -> Path:
        """PEM of its key."""
        return self.directory / "front-proxy-client.key"

    @property
    def ca_data(self) -> str:
        """The authority's PEM in base64, as kubeconfigs carry it."""
        return base64.b64encode(self.ca_certificate.read_bytes()).decode()


def ensure_pki(directory: Path, clock: PassiveClock, *, addresses: Sequence[str] = ()) -> Pki:
    """Return the PKI in `directory`, creating what is absent or about to expire.

    Args:
        directory: ``<state>/pki``.
        clock: decides validity.
        addresses: further IPs the server answers on, such as the ``kubernetes`` Service's.
    """
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    now = clock.now()
    names = _alternative_names(addresses)
    if not _is_valid(directory / "front-proxy-client.crt", now):
        _make_front_proxy(directory, now)
    if not _is_valid(directory / "ca.crt", now):
        _make_ca(directory, "ca", now)
        (directory / "apiserver.crt").unlink(missing_ok=True)
    if not _is_valid(directory / "apiserver.crt", now) or not _covers(directory / "apiserver.crt", names):
        _make_server(directory, now, names)
    if not (directory / "sa.key").exists():
        write_private(directory / "sa.key", _key_pem(ec.generate_private_key(ec.SECP256R1())))
    token = directory / "admin.token"
    if not token.exists():
        write_private(token, secrets.token_urlsafe(32).encode())
    return Pki(directory, token.read_text().strip())


def write_private(path: Path, content: bytes) -> None:
    """Write `content` with mode 0600; readers see the old file or the new one, never a part."""
    scratch = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise


def _alternative_names(addresses: Sequence[str]) -> list[x509.GeneralName]:
    ips = dict.fromkeys(["127.0.0.1", "::1", *addresses])
    return [
        *(x509.DNSName(name) for name in _NAMES),
        *(x509.IPAddress(ipaddress.ip_address(address)) for address in ips),
    ]


def _load(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def _is_valid(path: Path, now: datetime) -> bool:
    if not path.exists() or not path.with_suffix(".key").exists():
        return False
    return _load(path).not_valid_after_utc - timedelta(days=_RENEW_DAYS) > now


def _covers(path: Path, names: Sequence[x509.GeneralName]) -> bool:
    extension = _load(path).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return set(names) <= set(extension.value)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _builder(
    name: str, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, days: int
) -> x509.CertificateBuilder:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


def _make_ca(directory: Path, file: str, now: datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    # The serial number in the name keeps two clusters' authorities apart in a trust store.
    name = f"leeward-{file}-{secrets.token_hex(4)}"
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        _builder(name, issuer, key, now, _CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(ca=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    write_private(directory / f"{file}.key", _key_pem(key))
    write_private(directory / f"{file}.crt", certificate.public_bytes(serialization.Encoding.PEM))


def _make_server(directory: Path, now: datetime, names: Sequence[x509.GeneralName]) -> None:
    alternative = x509.SubjectAlternativeName(names)
    _make_leaf(
        directory, now, "ca", ("apiserver", "kube-apiserver"), ExtendedKeyUsageOID.SERVER_AUTH, alternative
    )


def _make_front_proxy(directory: Path, now: datetime) -> None:
    _make_ca(directory, "front-proxy-ca", now)
    names = ("front-proxy-client", FRONT_PROXY)
    _make_leaf(directory, now, "front-proxy-ca", names, ExtendedKeyUsageOID.CLIENT_AUTH)


def _make_leaf(
    directory: Path,
    now: datetime,
    authority: str,
    names: tuple[str, str],
    usage: x509.ObjectIdentifier,
    alternative: x509.SubjectAlternativeName | None = None,
) -> None:
    """Make a certificate and its key.

    Args:
        directory: where.
        now: validity begins.
        authority: file of who signs.
        names: of the file and in the certificate.
        usage: what it is for.
        alternative: further names.
    """
    ca = _load(directory / f"{authority}.crt")
    ca_key = serialization.load_pem_private_key((directory / f"{authority}.key").read_bytes(), None)
    if not isinstance(ca_key, ec.EllipticCurvePrivateKey):
        raise ValueError(f"{directory / authority}.key is not an elliptic-curve key")
    key = ec.generate_private_key(ec.SECP256R1())
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    builder = (
        _builder(names[1], ca.subject, key, now, _LEAF_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(ca=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .add_extension(identifier, critical=False)
    )
    if alternative is not None:
        builder = builder.add_extension(alternative, critical=False)
    certificate = builder.sign(ca_key, hashes.SHA256())
    write_private(directory / f"{names[0]}.key", _key_pem(key))
    write_private(directory / f"{names[0]}.crt", certificate.public_bytes(serialization.Encoding.PEM))
