"""Probes and lifecycle hooks.

Source: pkg/apis/core/validation/validation.go validateHandler, validateProbe, validateLifecycle
(Kubernetes 1.36).
"""

from __future__ import annotations

from leeward.cluster.registry.failures import Failure, forbidden, invalid, required, unsupported
from leeward.cluster.registry.validation.formats import (
    each_failure,
    header_name,
    not_negative,
    port_or_name_failures,
)
from leeward.kube.objects import Obj

_NUMBERS = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")
_SIGNALS = frozenset(
    f"SIG{name}"
    for name in (
        "ABRT", "ALRM", "BUS", "CHLD", "CLD", "CONT", "FPE", "HUP", "ILL", "INT", "IO", "IOT",
        "KILL", "PIPE", "POLL", "PROF", "PWR", "QUIT", "SEGV", "STKFLT", "STOP", "SYS", "TERM", "TRAP",
        "TSTP", "TTIN", "TTOU", "URG", "USR1", "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ", "RTMIN", "RTMAX",
        *(f"RTMIN+{number}" for number in range(1, 16)), *(f"RTMAX-{number}" for number in range(1, 15)),
    )
)  # fmt: skip


def probe_failures(container: Obj, field: str, grace: int | None) -> list[Failure]:
    """Check a container's probes and hooks."""
    found: list[Failure] = []
    lifecycle = container.get("lifecycle")
    if lifecycle is not None:
        found += _lifecycle(lifecycle, f"{field}.lifecycle", grace)
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        probe = container.get(name)
        if probe is not None:
            found += _probe(name, probe, f"{field}.{name}", grace)
    return found


def _lifecycle(lifecycle: Obj, field: str, grace: int | None) -> list[Failure]:
    found: list[Failure] = []
    for hook in ("postStart", "preStop"):
        if lifecycle.get(hook) is not None:
            found += _handler(lifecycle[hook], f"{field}.{hook}", grace)
    signal = lifecycle.get("stopSignal")
    if signal is not None and signal not in _SIGNALS:
        found.append(unsupported(f"{field}.stopSignal", signal, sorted(_SIGNALS)))
    return found


def _probe(name: str, probe: Obj, field: str, grace: int | None) -> list[Failure]:
    found = _handler(probe, field, grace)
    for number in _NUMBERS:
        found += not_negative(probe.get(number), f"{field}.{number}")
    period = probe.get("terminationGracePeriodSeconds")
    if period is not None and period <= 0:
        found.append(invalid(f"{field}.terminationGracePeriodSeconds", period, "must be greater than 0"))
    if name == "readinessProbe":
        if period is not None:
            text = "must not be set for readinessProbes"
            found.append(invalid(f"{field}.terminationGracePeriodSeconds", period, text))
    elif (probe.get("successThreshold") or 0) != 1:
        found.append(invalid(f"{field}.successThreshold", probe.get("successThreshold") or 0, "must be 1"))
    return found


def _handler(handler: Obj, field: str, grace: int | None) -> list[Failure]:
    found: list[Failure] = []
    handlers = 0
    for kind in ("exec", "httpGet", "tcpSocket", "grpc", "sleep"):
        action = handler.get(kind)
        if action is None:
            continue
        handlers += 1
        place = f"{field}.{kind}"
        if handlers > 1:
            found.append(forbidden(place, "may not specify more than 1 handler type"))
        else:
            found += _action(kind, action, place, grace)
    return found if handlers else [required(field, "must specify a handler type")]


def _action(kind: str, action: Obj, field: str, grace: int | None) -> list[Failure]:
    if kind == "exec":
        return [] if action.get("command") else [required(f"{field}.command")]
    if kind == "sleep":
        seconds = action.get("seconds") or 0
        if grace is None or 0 <= seconds <= grace:
            return []
        text = f"must be non-negative and less than terminationGracePeriodSeconds ({grace})"
        return [invalid(field, seconds, text)]
    if kind == "httpGet":
        return _http(action, field)
    return port_or_name_failures(action.get("port"), f"{field}.port")


def _http(action: Obj, field: str) -> list[Failure]:
    found = [] if action.get("path") else [required(f"{field}.path")]
    found += port_or_name_failures(action.get("port"), f"{field}.port")
    if action.get("scheme") not in ("HTTP", "HTTPS"):
        found.append(unsupported(f"{field}.scheme", action.get("scheme") or "", ("HTTP", "HTTPS")))
    for header in action.get("httpHeaders") or ():
        found += each_failure(header_name, header.get("name") or "", f"{field}.httpHeaders")
    return found
