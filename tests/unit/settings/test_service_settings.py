"""What ``x-leeward`` may say, in its short and long forms."""

from __future__ import annotations

import sys
from collections.abc import Callable
from subprocess import run
from typing import Any

import pytest

from leeward.settings.read import Declared
from leeward.settings.service import (
    Autoscale,
    Disruption,
    External,
    Probe,
    Schedule,
    ServiceAccount,
    ServiceSettings,
    Size,
    Spread,
    Tls,
)

Read = Callable[[str], Declared]


@pytest.mark.parametrize(
    ("written", "field", "value"),
    [
        ("{hosts: shop.example.com}", "hosts", ("shop.example.com",)),
        ("{hosts: [a.example, '*.b.example']}", "hosts", ("a.example", "*.b.example")),
        ("{tls: true}", "tls", Tls()),
        ("{tls: false}", "tls", None),
        ("{tls: shop-tls}", "tls", Tls(secret="shop-tls")),
        ("{tls: {issuer: letsencrypt}}", "tls", Tls(issuer="letsencrypt")),
        ("{autoscale: 5}", "autoscale", Autoscale(max=5)),
        ("{autoscale: {max: '5', cpu: 60}}", "autoscale", Autoscale(max=5, cpu=60)),
        ("{schedule: '0 3 * * *'}", "schedule", Schedule(cron="0 3 * * *")),
        (
            "{schedule: {cron: '@daily', timeZone: UTC}}",
            "schedule",
            Schedule(cron="@daily", time_zone="UTC"),
        ),
        ("{serviceAccount: true}", "service_account", ServiceAccount()),
        ("{serviceAccount: api}", "service_account", ServiceAccount(name="api")),
        ("{spread: none}", "spread", Spread(zones="none", nodes="none")),
        ("{spread: {zones: preferred, maxSkew: 2}}", "spread", Spread(zones="preferred", max_skew=2)),
        ("{disruption: false}", "disruption", Disruption(enabled=False)),
        ("{disruption: 25%}", "disruption", Disruption(max_unavailable="25%")),
        ("{disruption: {minAvailable: 1}, replicas: 3}", "disruption", Disruption(min_available=1)),
        ("{liveness: true}", "liveness", True),
        ("{liveness: {http: /up}}", "liveness", Probe(http="/up")),
        ("{external: db.example.com}", "external", External(host="db.example.com")),
        ("{external: {host: 10.0.0.5, port: 6543}}", "external", External(host="10.0.0.5", port=6543)),
        ("{replicas: '3'}", "replicas", 3),
        ("{replicas: }", "replicas", None),
    ],
)
def test_a_setting_is_read_in_every_form(written: str, field: str, value: Any, read_web: Read) -> None:
    declared = read_web(written)

    assert [found for found in declared.diagnostics if found.severity.value != "note"] == []
    assert getattr(declared.services["web"], field) == value


def test_settings_of_project_volumes_and_networks_are_read(read: Read) -> None:
    declared = read("""
        services: {a: {image: x, volumes: ["data:/d"], networks: [inside]}}
        volumes: {data: {x-leeward: {size: 10Gi, class: gp3}}}
        networks: {inside: {x-leeward: {egress: [10.0.0.0/8]}}}
        x-leeward: {sizes: {worker: {cpu: 2, memory: 3Gi}}, imagePullSecrets: [registry]}
    """)

    assert declared.diagnostics == ()
    assert (declared.volumes["data"].size, declared.volumes["data"].class_) == ("10Gi", "gp3")
    assert declared.networks["inside"].egress == ("10.0.0.0/8",)
    assert declared.project.sizes == {"worker": Size(cpu="2", memory="3Gi")}
    assert declared.project.image_pull_secrets == ("registry",)
    assert declared.services["a"] == ServiceSettings()


@pytest.mark.parametrize("nothing", ["{}", ""])
def test_an_empty_extension_says_nothing(nothing: str, read_web: Read) -> None:
    declared = read_web(nothing)

    assert declared.diagnostics == ()
    assert declared.services["web"] == ServiceSettings()


def test_a_project_without_settings_does_not_load_pydantic() -> None:
    program = """
import sys
from leeward.compose.project import Project, Service
from leeward.render.render import render
from pathlib import Path
render(Project(name="shop", working_dir=Path("/"), services={"web": Service(name="web", image="x")}))
print(*sys.modules)
"""
    done = run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert {"pydantic", "pydantic_core", "zoneinfo"}.isdisjoint(done.stdout.split())
