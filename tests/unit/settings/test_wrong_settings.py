"""What people write wrong, and what they are told: the line, the setting, and what to do."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from leeward.base.diagnostics import Severity
from leeward.settings.read import Declared

Read = Callable[[str], Declared]


@pytest.mark.parametrize(
    ("written", "path", "message", "remedy"),
    [
        ("{hots: [a]}", "hots", '"hots" is not a setting here.', 'Did you mean "hosts"?'),
        (
            "{service_account: api}", "service_account",
            '"service_account" is not a setting here.', 'Did you mean "serviceAccount"?',
        ),
        (
            "{autoscale: {max: 3, cp: 3}}", "autoscale.cp",
            '"cp" is not a setting here.', 'Did you mean "cpu"?',
        ),
        ("{autoscale: {min: 3}}", "autoscale", '"max" is required here.', "Add max."),
        (
            "{autoscale: {max: 0}}", "autoscale.max",
            "It must be a whole number, 1 or more, but it is the number 0.", "",
        ),
        (
            "{replicas: 99999999999}", "replicas",
            "It must be a whole number from 0 to 2147483647, but it is the number 99999999999.", "",
        ),
        (
            "{replicas: true}", "replicas",
            "It must be a whole number, 0 or more, but it is the boolean true.", "",
        ),
        (
            "{hosts: [Shop.example]}", "hosts[0]",
            'It must be a host name in lower case, such as shop.example.com, but it is "Shop.example".', "",
        ),
        (
            "{spread: preferd}", "spread",
            'It must be one of required, preferred, none, but it is "preferd".', 'Did you mean "preferred"?',
        ),
        (
            "{schedule: '0 25 * * *'}", "schedule",
            'It must be a cron expression whose hour is 0 to 23, not 25, but it is "0 25 * * *".', "",
        ),
        (
            "{schedule: daily}", "schedule",
            'It must be a cron expression of five fields such as "0 3 * * *", or @daily, but it is "daily".',
            "",
        ),
        (
            "{schedule: {cron: '@daily', timeZone: Europe/Berln}}", "schedule.timeZone",
            'It must be a time zone such as "Europe/Berlin", but it is "Europe/Berln".', "",
        ),
        ("{tls: 3}", "tls", "It must be true, a Secret's name, or a mapping, but it is the number 3.", ""),
        ("{alerts: {a: 1}}", "alerts", "It must be a list, but it is a mapping.", ""),
        (
            "{nodeSelector: {pool: 5}}", "nodeSelector.pool",
            "It must be the value of a label, letters, digits, - _ ., but it is the number 5.",
            "Put it in quotes.",
        ),
        (
            "{binds: {/data: dta}}", "binds./data",
            'It must be one of config, source, data, host, ignore, but it is "dta".', 'Did you mean "data"?',
        ),
        (
            "{ingressAnnotations: {size: true}}", "ingressAnnotations.size",
            "It must be a string, but it is the boolean true.", "Put it in quotes.",
        ),
        (
            "{nodeSelector: {a b: c}}", "nodeSelector.a b",
            'It must be a key such as example.com/name, but it is "a b".', "",
        ),
        (
            "{nodeSelector: {pool: a b}}", "nodeSelector.pool",
            'It must be the value of a label, letters, digits, - _ ., but it is "a b".', "",
        ),
        ("[hosts]", "", "It must be a mapping, but it is a list.", ""),
        (
            "{disruption: 120%}", "disruption",
            'It must be a number of Pods, or a percentage such as "25%", but it is "120%".', "",
        ),
        ("{size: smal}", "size", 'There is no size "smal".', 'Did you mean "small"?'),
    ],
)  # fmt: skip
def test_a_mistake_is_told_at_its_line_in_plain_words(
    written: str, path: str, message: str, remedy: str, read_web: Read
) -> None:
    (found,) = read_web(written).diagnostics

    assert found.path == f"services.web.x-leeward.{path}".rstrip(".")
    assert (found.message, found.remedy) == (message, remedy)
    assert (str(found.location), found.severity) == ("compose.yaml:4", Severity.ERROR)


@pytest.mark.parametrize(
    ("written", "path", "severity"),
    [
        ("{hosts: [a], tls: {certificateArn: 'arn:aws:acm:x', secret: b}}", "tls", "error"),
        ("{tls: true}", "tls", "note"),
        ("{autoscale: {min: 3, max: 2}}", "autoscale", "error"),
        ("{autoscale: 3, schedule: '@daily'}", "autoscale", "error"),
        ("{autoscale: {max: 3, metrics: [{type: Pods, pod: {}}]}}", "autoscale.metrics", "error"),
        ("{autoscale: 3, replicas: 2}", "replicas", "warning"),
        ("{hosts: [a], schedule: '@daily'}", "hosts", "error"),
        ("{replicas: 5, disruption: {maxUnavailable: 1, minAvailable: 1}}", "disruption", "error"),
        ("{disruption: {enabled: false, minAvailable: 1}}", "disruption.enabled", "warning"),
        ("{replicas: 2, disruption: {minAvailable: 2}}", "disruption", "warning"),
        ("{replicas: 2, disruption: 0}", "disruption", "warning"),
        ("{liveness: {http: /a, tcp: true}}", "liveness", "error"),
        ("{startup: {periodSeconds: 1}}", "startup", "error"),
        (
            "{serviceAccount: {create: false, roleArn: 'arn:aws:iam::123456789012:role/a'}}",
            "serviceAccount.roleArn",
            "error",
        ),
    ],
)
def test_settings_that_exclude_one_another_are_told(
    written: str, path: str, severity: str, read_web: Read
) -> None:
    (found,) = read_web(written).diagnostics

    assert (found.path, found.severity.value) == (f"services.web.x-leeward.{path}", severity)
    assert found.remedy


def test_an_extension_that_is_almost_ours_is_told(read: Read) -> None:
    (found,) = read("services: {a: {image: x, x-leward: {hosts: [a]}, x-other: 1}}").diagnostics

    assert (found.path, found.severity) == ("services.a.x-leward", Severity.WARNING)
    assert found.remedy == 'Did you mean "x-leeward"?'


def test_a_service_on_every_node_cannot_be_scaled(read: Read) -> None:
    (found,) = read(
        "services: {a: {image: x, deploy: {mode: global}, x-leeward: {autoscale: 3}}}"
    ).diagnostics

    assert found.path == "services.a.x-leeward.autoscale"


def test_one_mistake_costs_only_its_own_setting(read_web: Read) -> None:
    declared = read_web("{hosts: [a.example], replicas: many, spread: none}")

    assert [found.path for found in declared.diagnostics] == ["services.web.x-leeward.replicas"]
    assert declared.services["web"].hosts == ("a.example",)


def test_every_mistake_of_a_project_is_told_at_once(read: Read) -> None:
    declared = read("""
        services:
          a: {image: x, x-leeward: {replica: 3, hosts: 5}}
        volumes: {v: {x-leeward: {size: 1XB}}}
        networks: {n: {x-leeward: {egress: [all]}}}
        configs: {c: {content: x, x-leeward: {size: 1}}}
        x-leeward: {registri: x}
    """)

    places = {str(found.location) + " " + found.path for found in declared.diagnostics}
    assert places == {
        "compose.yaml:3 services.a.x-leeward.replica",
        "compose.yaml:3 services.a.x-leeward.hosts",
        "compose.yaml:4 volumes.v.x-leeward.size",
        "compose.yaml:5 networks.n.x-leeward.egress[0]",
        "compose.yaml:6 configs.c.x-leeward",
        "compose.yaml:7 x-leeward.registri",
    }
