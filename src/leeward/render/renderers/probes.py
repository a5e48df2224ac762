"""Probes: readiness and start-up from the health check; liveness only when asked for.

Docker does not restart an unhealthy container, so a health check never becomes liveness by itself. It
becomes readiness at Docker's pace, with Docker's defaults written out, and a start-up probe at the pace
Compose gives for the start: after ``start_period`` and as many failures as the check allows, but not before
five minutes, because a start-up that fails is a restart, which Docker never does.

``x-leeward`` probes take the place of the health check. Without any, a service with a published TCP port is
ready when that port accepts connections.

A check by curl, wget, nc or the like stays a command: it may ask an address that only the container itself
reaches, follow redirects, send headers or look into the answer, and none of that is what a kubelet would ask.

Source: the Compose Specification, "healthcheck"; Docker's defaults (30 s, 30 s, 3 retries);
``pkg/kubelet/prober`` (exec probes are expanded like commands).
"""

from __future__ import annotations

import math
from typing import Any

from leeward.compose.project import Healthcheck
from leeward.render.dockerfile import facts_of, with_timings
from leeward.render.model import PodDraft, Renderer, ServiceContext
from leeward.render.quantity import whole_seconds
from leeward.render.renderers.command import escape
from leeward.render.renderers.ownname import asks_for_itself, is_called_like_its_service
from leeward.render.renderers.shell import SHELL
from leeward.settings.service import Probe

INTERVAL = 30.0
TIMEOUT = 30.0
RETRIES = 3
STARTUP_PATIENCE = 300.0  # least seconds before a start-up counts as failed; Docker has no limit
ASSUMED = {"periodSeconds": 2, "timeoutSeconds": 2, "failureThreshold": 3}  # of a published port
_TIMINGS = (
    ("initial_delay_seconds", "initialDelaySeconds"),
    ("period_seconds", "periodSeconds"),
    ("timeout_seconds", "timeoutSeconds"),
    ("failure_threshold", "failureThreshold"),
)


def _handler(context: ServiceContext, check: Healthcheck) -> dict[str, Any] | None:
    kind, *words = check.test
    if kind == "CMD-SHELL":
        words = [SHELL, "-c", *words]
    elif kind != "CMD":
        context.warn(
            ("healthcheck", "test"),
            "unknown-test",
            f"The test form {kind!r} is not known and is left out.",
            "Use CMD or CMD-SHELL.",
        )
        return None
    return {"exec": {"command": [escape(word) for word in words]}} if words else None


def _patience(period: int, seconds: float, failures: int) -> int:
    """Return the failures in a row after which a start-up has failed."""
    return max(math.ceil(seconds / period) + failures, math.ceil(STARTUP_PATIENCE / period))


def _from_healthcheck(context: ServiceContext, check: Healthcheck) -> dict[str, Any]:
    """Return the probes that the health check means, by field of the container."""
    handler = _handler(context, check)
    if handler is None:
        return {}
    interval = check.interval or INTERVAL
    timeout = {"timeoutSeconds": whole_seconds(check.timeout or TIMEOUT)}
    retries = check.retries or RETRIES
    steady = {**handler, "periodSeconds": whole_seconds(interval), **timeout, "failureThreshold": retries}
    period = whole_seconds(check.start_interval or interval)
    failures = _patience(period, check.start_period or 0, retries)
    startup = {**handler, "periodSeconds": period, **timeout, "failureThreshold": failures}
    return {"startupProbe": startup, "readinessProbe": steady}


def _from_setting(context: ServiceContext, key: str, probe: Probe) -> dict[str, Any] | None:
    """Return a probe of ``x-leeward``; None, reported, when it cannot be made."""
    port = probe.port or next((port.port for port in context.plan.ports if port.protocol == "TCP"), None)
    handlers: dict[str, dict[str, Any]] = {
        "http": {"httpGet": {"path": probe.http, "port": port}} if probe.http else {},
        "tcp": {"tcpSocket": {"port": port}} if probe.tcp else {},
        "grpc": {"grpc": {"port": port}} if probe.grpc else {},
        "command": {"exec": {"command": [escape(word) for word in probe.command]}} if probe.command else {},
    }
    given = [name for name, handler in handlers.items() if handler]
    if len(given) != 1:
        return None  # the settings' own rules say so
    if port is None and given != ["command"]:
        context.error(
            ("x-leeward", key), "bad-setting", "The service has no TCP port to probe.", "Write the port."
        )
        return None
    timings = {field: getattr(probe, name) for name, field in _TIMINGS if getattr(probe, name) is not None}
    return {**handlers[given[0]], **timings}


def _healthcheck(context: ServiceContext) -> Healthcheck | None:
    """Return the health check in force: the service's, with the test of the image it builds if need be."""
    check = context.service.healthcheck
    if not (check and check.test) and context.service.build:
        found = facts_of(context.service.build, context.options.files).healthcheck
        return with_timings(found, check) if found else check
    return check


def _assumed(context: ServiceContext) -> dict[str, Any]:
    """Return the readiness of a service without health check: its published port answers."""
    published = next((port for port in context.service.ports if port.protocol == "tcp"), None)
    settings = context.plan.settings
    if not published or settings.readiness is not True or context.service.network_mode is not None:
        return {}
    context.note(
        ("ports",),
        "readiness-assumed",
        f"Without a health check, a Pod is ready when port {published.target} accepts connections.",
        "Add a healthcheck, or set x-leeward.readiness to false.",
    )
    return {"readinessProbe": {"tcpSocket": {"port": published.target}, **ASSUMED}}


def _default(context: ServiceContext) -> dict[str, Any]:
    """Return the probes without those of ``x-leeward``."""
    check = _healthcheck(context)
    if check and check.test:
        _report_own_name(context, check)
        return _from_healthcheck(context, check)
    if check:
        context.warn(
            ("healthcheck",),
            "unknown-test",
            "The timings are for a health check inside an image that is not at hand.",
            "Write the test in the Compose file.",
        )
    return _assumed(context)


def _report_own_name(context: ServiceContext, check: Healthcheck) -> None:
    if asks_for_itself(context.service, check) and not is_called_like_its_service(context, check):
        context.warn(
            ("healthcheck", "test"),
            "asks-for-itself",
            f"{context.service.name!r} has no address until a Pod is ready, so the check cannot succeed.",
            "Check localhost.",
        )


def _with_settings(context: ServiceContext, probes: dict[str, Any]) -> dict[str, Any]:
    """Return `probes` with what ``x-leeward`` says otherwise."""
    settings = context.plan.settings
    if not isinstance(settings.readiness, bool):
        own = _from_setting(context, "readiness", settings.readiness)
        probes = {"readinessProbe": own} if own else {}
    if settings.startup is not None and (own := _from_setting(context, "startup", settings.startup)):
        probes = {**probes, "startupProbe": own}
    liveness = settings.liveness
    if not isinstance(liveness, bool):
        return _with_liveness(probes, _from_setting(context, "liveness", liveness))
    if liveness and "startupProbe" in probes:
        return _with_liveness(probes, probes.get("readinessProbe"))
    if liveness:
        context.warn(
            ("x-leeward", "liveness"),
            "no-health-check",
            "There is no health check to restart by.",
            "Write one.",
        )
    return probes


def _with_liveness(probes: dict[str, Any], probe: dict[str, Any] | None) -> dict[str, Any]:
    """Return `probes` with liveness, and with a start-up that protects slow starters from it."""
    if probe is None:
        return probes
    period = probe.get("periodSeconds", 10)
    startup = {**probe, "failureThreshold": _patience(period, 0, 0)}
    return {"startupProbe": startup, **probes, "livenessProbe": probe}


def _pod(context: ServiceContext, draft: PodDraft) -> None:
    check = context.service.healthcheck
    off = check is not None and (check.disable or check.test == ("NONE",))
    if context.plan.ends:
        if check and check.test and not off:
            context.note(
                ("healthcheck",), "ignored", "A service that runs to completion is not checked for health."
            )
        return
    draft.container |= _with_settings(context, {} if off else _default(context))


DESCRIPTOR = Renderer(name="probes", pod=_pod)
