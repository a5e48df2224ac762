"""Which ports a service offers to others, and which of them speak HTTP.

Invariant: a Service listens on *container* ports, as in a Compose network; what is published on the
host is a separate matter.

Source: the Compose Specification, "ports" and "expose"; IANA's service names for the numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

from leeward.compose.project import Port, Service

# TCP ports of protocols that are not HTTP, by IANA name or by the product that made them known.
_NOT_HTTP_TEXT = """
    20 21 22 23 25 53 110 123 143 161 389 443 465 514 587 636 993 995 1433 1521 1883 2049 2181 2379 2380
    3306 3389 4222 5060 5222 5432 5433 5671 5672 5900 6379 6380 6432 7000 7687 8443 8883 9000 9042 9092
    9093 9094 9229 9443 11211 15432 25565 26257 26379 27017 27018 33060 50051 61613 61616
"""
NOT_HTTP = frozenset(map(int, _NOT_HTTP_TEXT.split()))
_NOT_HTTP_PROTOCOLS = frozenset(("tcp", "grpc", "tls", "https", "postgresql", "mysql", "redis"))
# Images whose port 9000 is FastCGI; elsewhere (MinIO, SonarQube, Portainer) it is HTTP.
_FASTCGI = ("php", "fpm")


@dataclass(frozen=True, slots=True)
class ServicePort:
    """One port of a Service; the container listens on the same number."""

    name: str
    port: int
    protocol: str  # "TCP", "UDP", "SCTP"
    app_protocol: str | None = None


def _exposed(text: str) -> list[tuple[int, str]]:
    numbers, _, protocol = text.partition("/")
    first, _, last = numbers.partition("-")
    if not first.isdigit() or (last and not last.isdigit()):
        return []
    return [(number, protocol or "tcp") for number in range(int(first), int(last or first) + 1)]


def ports_of(service: Service) -> tuple[ServicePort, ...]:
    """Return the container ports of ``ports`` and ``expose``, each once, ``ports`` first."""
    found: dict[tuple[int, str], ServicePort] = {}
    for port in service.ports:
        protocol = port.protocol.upper()
        found.setdefault(
            (port.target, protocol),
            ServicePort(f"{port.protocol.lower()}-{port.target}", port.target, protocol, port.app_protocol),
        )
    for entry in service.expose:
        for number, protocol in _exposed(entry):
            found.setdefault(
                (number, protocol.upper()), ServicePort(f"{protocol}-{number}", number, protocol.upper())
            )
    return tuple(found.values())


def looks_http(service: Service, port: Port) -> bool:
    """Tell whether a published port is likely HTTP: it says so, or nothing says otherwise."""
    if port.protocol != "tcp":
        return False
    if port.app_protocol:
        return port.app_protocol.lower() not in _NOT_HTTP_PROTOCOLS
    if port.target == 9000:
        return not any(word in (service.image or "") for word in _FASTCGI)
    return port.target not in NOT_HTTP
