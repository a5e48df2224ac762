"""What hosts of an Ingress need of AWS: a certificate of ACM that holds for them, and a zone of Route 53.

Decides purely which certificate and which zone are a host's; a wildcard holds for one label.

Source: ListCertificates and DescribeCertificate of AWS Certificate Manager; ListHostedZones of Amazon Route
53; RFC 6125, section 6.4.3 (wildcards).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from leeward.infra.aws.session import Aws

ISSUED = "ISSUED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A certificate of ACM."""

    arn: str
    names: tuple[str, ...]
    status: str  # "ISSUED", "PENDING_VALIDATION", "EXPIRED", …
    until: datetime | None = None  # aware


@dataclass(frozen=True, slots=True)
class Zone:
    """A public hosted zone of Route 53."""

    id: str
    name: str  # without the dot at its end


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFinding:
    """What there is for one host."""

    host: str
    certificate: Certificate | None  # the one that holds and is issued, else one that will
    zone: Zone | None

    @property
    def is_covered(self) -> bool:
        """Whether its certificate can be used now."""
        return self.certificate is not None and self.certificate.status == ISSUED

    @property
    def problem(self) -> str:
        """What is missing, in words; "" when nothing is."""
        if self.certificate is None:
            return "no certificate holds for it"
        if not self.is_covered:
            return f"its certificate is {self.certificate.status.lower().replace('_', ' ')}"
        return "" if self.zone else "no hosted zone has it"


def certificates(aws: Aws) -> list[Certificate]:
    """Return the certificates of the session's region; those of load balancers are in their own region."""
    every = {
        "keyTypes": [
            "RSA_1024",
            "RSA_2048",
            "RSA_3072",
            "RSA_4096",
            "EC_prime256v1",
            "EC_secp384r1",
            "EC_secp521r1",
        ]
    }
    found = [
        str(each["CertificateArn"])
        for page in aws.pages("acm", "list_certificates", Includes=every)
        for each in page["CertificateSummaryList"]
    ]
    return [
        _certificate(aws.ask("acm", "describe_certificate", CertificateArn=arn)["Certificate"])
        for arn in found
    ]


def _certificate(found: dict[str, Any]) -> Certificate:
    names = (found.get("DomainName"), *(found.get("SubjectAlternativeNames") or ()))
    return Certificate(
        arn=str(found["CertificateArn"]),
        names=tuple(dict.fromkeys(str(name).lower() for name in names if name)),
        status=str(found.get("Status") or ""),
        until=found.get("NotAfter"),
    )


def zones(aws: Aws) -> list[Zone]:
    """Return the public hosted zones of the account."""
    return [
        Zone(str(each["Id"]).rpartition("/")[2], str(each["Name"]).rstrip(".").lower())
        for page in aws.pages("route53", "list_hosted_zones")
        for each in page["HostedZones"]
        if not (each.get("Config") or {}).get("PrivateZone")
    ]


def holds_for(name: str, host: str) -> bool:
    """Tell whether a certificate with `name` holds for `host`, which may be a wildcard itself."""
    if name == host:
        return True
    first, _, rest = host.partition(".")
    return name.startswith("*.") and first != "*" and bool(rest) and name[2:] == rest


def look_up(
    hosts: Iterable[str], of_account: Sequence[Certificate], in_zones: Sequence[Zone]
) -> list[HostFinding]:
    """Return what there is for each host. Pure."""
    return [
        HostFinding(host=host, certificate=_best(host, of_account), zone=_nearest(host, in_zones))
        for host in hosts
    ]


def _best(host: str, of_account: Sequence[Certificate]) -> Certificate | None:
    """Return the certificate for a host: issued before others, then the one that is good for longest."""
    fitting = [each for each in of_account if any(holds_for(name, host) for name in each.names)]

    def worth(each: Certificate) -> tuple[bool, float, str]:
        return each.status == ISSUED, each.until.timestamp() if each.until else 0.0, each.arn

    return max(fitting, key=worth, default=None)


def _nearest(host: str, in_zones: Sequence[Zone]) -> Zone | None:
    """Return the zone whose name is the longest end of a host's."""
    plain = host.removeprefix("*.")
    fitting = [each for each in in_zones if plain == each.name or plain.endswith(f".{each.name}")]
    return max(fitting, key=lambda each: len(each.name), default=None)


def common_certificate(found: Sequence[HostFinding], of_account: Sequence[Certificate]) -> Certificate | None:
    """Return an issued certificate that holds for all hosts, which one load balancer can have. Pure."""
    for each in sorted(of_account, key=lambda one: one.arn):
        if each.status == ISSUED and all(
            any(holds_for(name, finding.host) for name in each.names) for finding in found
        ):
            return each
    return None
