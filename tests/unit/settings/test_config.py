"""``leeward.yaml``: what it says, and what is told of every mistake."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from leeward.compose.findings import Findings
from leeward.compose.source import Sources
from leeward.settings.config import Cluster, Embedded, Environment
from leeward.settings.configfile import ConfigFile, find_config, read_config
from leeward.settings.times import Window
from leeward.settings.verification import Verification

Read = Callable[[str], ConfigFile]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Read a text as ``leeward.yaml``, next to a ``compose.yaml``."""
    (tmp_path / "compose.yaml").write_text("services: {}\n", encoding="utf-8")

    def make(text: str) -> ConfigFile:
        path = tmp_path / "leeward.yaml"
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        findings = Findings()
        return read_config(str(path), Sources(tmp_path, findings), findings)

    return make


def test_the_example_of_the_design_is_read(read: Read, tmp_path: Path) -> None:
    (tmp_path / "compose.qa.yaml").write_text("services: {}\n", encoding="utf-8")
    file = read("""
        app: storefront
        compose: [compose.yaml]
        environments:
          ci: {cluster: local, access: {developers: admin}}
          qa: {cluster: staging, from: ci, compose: [compose.qa.yaml], verify: [{run: smoke-tests}]}
          production:
            cluster: staging
            from: qa
            approvals: 2
            soak: 2h
            freeze: ["Fri 16:00/Mon 08:00 America/New_York"]
        clusters:
          local: {embedded: {zones: 3, nodes_per_zone: 1}}
          staging: {context: eks-staging}
    """)

    assert file.diagnostics == ()
    assert file.config.app == "storefront"
    assert file.config.clusters["local"] == Cluster(embedded=Embedded(zones=3, nodes_per_zone=1))
    assert file.config.environments["qa"].verify == (Verification(run="smoke-tests"),)
    assert file.config.environments["production"] == Environment(
        cluster="staging",
        from_="qa",
        approvals=2,
        soak=7200.0,
        freeze=(Window((4, 16, 0), (0, 8, 0), "America/New_York"),),
    )


def test_short_forms_stand_for_long_ones(read: Read) -> None:
    file = read("""
        compose: compose.yaml
        environments:
          ci: {verify: [smoke], profiles: debug, variables: {TAG: 7, DEBUG: true}}
        clusters: {big: {embedded: true}}
    """)

    assert file.diagnostics == ()
    assert file.config.compose == ("compose.yaml",)
    ci = file.config.environments["ci"]
    assert (ci.verify, ci.profiles) == ((Verification(run="smoke"),), ("debug",))
    assert ci.variables == {"TAG": "7", "DEBUG": "true"}
    assert file.config.clusters["big"].embedded == Embedded()


def test_an_empty_file_says_nothing(read: Read) -> None:
    assert read("").diagnostics == ()
    assert read("# later\n").config.environments == {}


@pytest.mark.parametrize(
    ("line", "path", "message", "remedy"),
    [
        ("qa: {from: dev}", "qa.from", 'There is no environment "dev".', "There are: ci, qa."),
        (
            "qa: {from: qa}", "qa.from",
            "Releases would go round in a circle: qa → qa.",
            "Let one of them come from the build: remove its from.",
        ),
        ("qa: {cluster: lokal}", "qa.cluster", 'There is no cluster "lokal".', 'Did you mean "local"?'),
        (
            "qa: {soak: 2 hours}", "qa.soak",
            'It must be a duration such as "90s", "2h" or "1h30m", but it is "2 hours".', "",
        ),
        (
            "qa: {freeze: [Fri/Mon]}", "qa.freeze[0]",
            'It must be a window such as "Fri 16:00/Mon 08:00 Europe/Berlin", but it is "Fri/Mon".', "",
        ),
        (
            "qa: {freeze: ['Fri 16:00/Mon 08:00 Europe/Berln']}", "qa.freeze[0]",
            'It must be a time zone such as "Europe/Berlin", '
            'but it is "Fri 16:00/Mon 08:00 Europe/Berln".', "",
        ),
        (
            "qa: {access: {developers: red}}", "qa.access.developers",
            'It must be one of none, view, edit, promote, admin, but it is "red".', "",
        ),
        (
            "qa: {compose: compose.qa.yaml}", "qa.compose[0]",
            'The Compose file "compose.qa.yaml" does not exist.',
            "Create it, or correct its name; names are relative to leeward.yaml.",
        ),
        (
            "qa: {env_file: [qa.env]}", "qa.env_file[0]",
            'The environment file "qa.env" does not exist.',
            "Create it, or correct its name; names are relative to leeward.yaml.",
        ),
        (
            "qa: {aprovals: 1}", "qa.aprovals",
            '"aprovals" is not a setting here.', 'Did you mean "approvals"?',
        ),
        (
            "qa: {approvals: -1}", "qa.approvals",
            "It must be a whole number, 0 or more, but it is the number -1.", "",
        ),
        ("Q A: {}", "Q A", '"Q A" is not a valid name.', "Use lower-case letters, digits and hyphens."),
        (
            "local: {namespace: shop}", "local.namespace",
            "The namespace of the local environment is the name of the project.",
            "Remove it, or choose another name for the project: app.",
        ),
        ("qa: [ci]", "qa", "It must be a mapping, but it is a list.", ""),
    ],
)  # fmt: skip
def test_a_mistake_in_an_environment_is_told_at_its_line(
    line: str, path: str, message: str, remedy: str, read: Read
) -> None:
    (found,) = read(f"environments:\n  ci: {{}}\n  {line}\n").diagnostics

    assert found.path == f"environments.{path}"
    assert (found.message, found.remedy) == (message, remedy)
    assert str(found.location) == "leeward.yaml:3"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{}", "A cluster is exactly one of embedded, context and spec."),
        ("{context: a, embedded: true}", "A cluster is exactly one of embedded, context and spec."),
        ("{spec: none.yaml}", 'The cluster specification "none.yaml" does not exist.'),
        ("{embedded: {zones: 0}}", "It must be a whole number from 1 to 9, but it is the number 0."),
        (
            "{embedded: 3}",
            "It must be true, or a mapping with zones and nodes_per_zone, but it is the number 3.",
        ),
    ],
)
def test_a_mistake_in_a_cluster_is_told(line: str, message: str, read: Read) -> None:
    messages = [found.message for found in read(f"clusters:\n  big: {line}\n").diagnostics]

    assert message in messages


def test_a_circle_is_told_once_with_its_way(read: Read) -> None:
    (found,) = read("environments: {a: {from: c}, b: {from: a}, c: {from: b}, d: {from: a}}").diagnostics

    assert found.message == "Releases would go round in a circle: a → b → c → a."


def test_all_mistakes_are_told_at_once(read: Read) -> None:
    found = read("""
        app: Store Front
        environments:
          ci: {soak: soon, from: nowhere}
          qa: {cluster: moon, colour: red}
    """).diagnostics

    assert {each.path for each in found} == {
        "app",
        "environments.ci.soak",
        "environments.ci.from",
        "environments.qa.cluster",
        "environments.qa.colour",
    }


def test_bad_yaml_is_told_with_its_line(read: Read) -> None:
    (found,) = read("app: a\nenvironments:\n\tci: {}\n").diagnostics

    assert (found.code, str(found.location)) == ("yaml-syntax", "leeward.yaml:3")


def test_a_second_document_is_refused(read: Read) -> None:
    (found,) = read("app: a\n---\napp: b\n").diagnostics

    assert (found.code, str(found.location)) == ("several-documents", "leeward.yaml:3")


def test_the_file_is_found_above_but_not_beyond_another_project(tmp_path: Path) -> None:
    (tmp_path / "leeward.yaml").touch()
    inner = tmp_path / "services" / "web"
    inner.mkdir(parents=True)

    assert find_config(str(inner)) == str(tmp_path / "leeward.yaml")
    (tmp_path / "services" / "compose.yaml").touch()
    assert find_config(str(inner)) is None
