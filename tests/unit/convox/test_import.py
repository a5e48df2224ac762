"""convox.yml → Compose: the contract of resources, the settings, the report, and wrong input."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from leeward.base.diagnostics import Severity
from leeward.base.errors import DiagnosticsError
from leeward.cli.main import build_app
from leeward.compose.load import LoadOptions, load_project
from leeward.convox.importer import convert
from leeward.convox.page import page
from leeward.convox.support import ROWS
from leeward.render.render import RenderOptions, render
from leeward.settings.check import check
from leeward.settings.service import ProjectSettings, ServiceSettings, VolumeSettings

FULL = """\
environment: [LOG=info, SECRET]
labels: {team: shop}
budget: {monthlyCapUsd: 10}
configs: [{id: motd, value: "hi $5"}]
resources:
  main: {type: postgres, options: {storage: 20, version: "16"}}
  cache: {type: elasticache-redis}
balancers:
  game: {service: web, ports: {7000: 7001}}
services:
  web:
    build: {path: app, manifest: Dockerfile.web, args: [A=1]}
    command: python web.py --cost $5
    port: https:3000
    domain: shop.example.com,www.example.com
    health: {path: /up, interval: 3}
    liveness: {path: /live}
    resources: [main, "cache:SESSION_URL"]
    scale: {count: 2-5, cpu: 100, limit: {memory: 1024}, targets: {cpu: 70}}
    sticky: true
    initContainer: {command: python migrate.py}
    lifecycle: {preStop: sleep 5}
    securityContext: {runAsUser: 1000, readOnlyRootFilesystem: true}
    volumeOptions:
      - emptyDir: {id: tmp, mountPath: /tmp/x, medium: Memory}
      - awsEfs: {id: share, mountPath: /share, accessMode: ReadWriteMany}
    configMounts: [{id: motd, dir: /etc, filename: motd}]
    accessControl: {awsPodIdentity: {policyArns: [a]}}
  node: {agent: true, image: node, internal: true, port: 9100}
timers:
  nightly:
    {schedule: "0 3 * * ?", command: python job.py, service: web, parallelCount: 3, concurrency: forbid}
"""
VARIABLES = {"SECRET": "s", "MAIN_PASS": "p"}


def _compose(text: str) -> Any:
    return yaml.safe_load(convert(text, "convox.yml", "shop").text)


def _environment(tmp_path: Path, text: str, service: str) -> dict[str, str | None]:
    (tmp_path / "app").mkdir(exist_ok=True)
    (tmp_path / "compose.yaml").write_text(convert(text, "convox.yml", "shop").text)
    options = LoadOptions(working_dir=tmp_path, environment={**VARIABLES, "DB_PASS": "p"})
    return dict(load_project(options).project.services[service].environment)


@pytest.mark.parametrize(
    ("kind", "url", "user", "port", "name"),
    [
        ("postgres", "postgres://app:p@db:5432/app?sslmode=disable", "app", "5432", "app"),
        ("postgis", "postgres://app:p@db:5432/app?sslmode=disable", "app", "5432", "app"),
        ("rds-postgres", "postgres://app:p@db:5432/app?sslmode=disable", "app", "5432", "app"),
        ("mysql", "mysql://root:p@db:3306/app", "root", "3306", "app"),
        ("mariadb", "mysql://root:p@db:3306/app", "root", "3306", "app"),
        ("redis", "redis://db:6379", "", "6379", ""),
        ("elasticache-redis", "redis://db:6379", "", "6379", ""),
        ("memcached", "memcached://db:11211", "", "11211", ""),
    ],
)
def test_a_linked_resource_gives_the_six_variables_of_convox(
    tmp_path: Path, kind: str, url: str, user: str, port: str, name: str
) -> None:
    text = f"resources: {{db: {{type: {kind}}}}}\nservices: {{web: {{image: web, resources: [db]}}}}\n"

    assert _environment(tmp_path, text, "web") == {
        "DB_URL": url,
        "DB_USER": user,
        "DB_PASS": "p" if user else "",
        "DB_HOST": "db",
        "DB_PORT": port,
        "DB_NAME": name,
    }


def test_the_result_loads_and_a_variable_of_a_resource_may_have_another_name(
    tmp_path: Path,
) -> None:
    made = _environment(tmp_path, FULL, "web")

    assert made["SESSION_URL"] == "redis://cache:6379"
    assert made["MAIN_URL"] == "postgres://app:p@main:5432/app?sslmode=disable"
    assert (made["LOG"], made["SECRET"]) == ("info", "s")


def test_the_settings_are_those_of_the_model() -> None:
    made = _compose(FULL)

    written = [
        (ProjectSettings, made),
        *((ServiceSettings, service) for service in made["services"].values()),
        *((VolumeSettings, volume) for volume in made["volumes"].values()),
    ]
    for kind, entry in written:
        assert check(kind, entry.get("x-leeward")).problems == ()


def test_groups_of_keys_become_words_of_compose() -> None:
    services = _compose(FULL)["services"]
    web, node, timer = services["web"], services["node"], services["timer-nightly"]

    assert web["command"][-1] == "$$5"
    assert web["pre_start"][0]["command"] == ["python", "migrate.py"]
    assert web["deploy"]["resources"]["limits"] == {"memory": "1024M"}
    assert web["x-leeward"]["autoscale"] == {"min": 2, "max": 5, "cpu": 70}
    assert web["x-leeward"]["loadBalancer"] is True
    assert (web["user"], web["read_only"]) == ("1000", True)
    assert node["deploy"]["mode"] == "global"
    assert node["expose"] == ["9100"]
    assert timer["x-leeward"]["schedule"] == {
        "cron": "0 3 * * *",
        "concurrency": "Forbid",
        "keepSuccessful": 1,
        "keepFailed": 1,
        "parallel": 3,
    }


def test_the_report_names_every_key_that_is_left_out() -> None:
    report = [str(found) for found in convert(FULL, "convox.yml", "shop").report]

    assert any(found.startswith("convox.yml:3: warning: budget: Left out") for found in report)
    assert any('The managed "elasticache-redis" became a container.' in found for found in report)


def test_an_existing_file_is_overwritten_only_by_force(tmp_path: Path) -> None:
    (tmp_path / "convox.yml").write_text("services: {web: {image: web}}\n")
    (tmp_path / "compose.yaml").write_text("mine\n")
    arguments = ["import", "convox", os.fspath(tmp_path / "convox.yml")]

    refused = CliRunner().invoke(build_app(), arguments)

    assert refused.exit_code != 0
    assert (tmp_path / "compose.yaml").read_text() == "mine\n"
    assert CliRunner().invoke(build_app(), [*arguments, "--force"]).exit_code == 0
    assert "web:" in (tmp_path / "compose.yaml").read_text()


def test_every_key_has_one_row_and_the_page_is_generated() -> None:
    assert len({row.key for row in ROWS}) == len(ROWS)
    assert (Path(__file__).parents[3] / "docs" / "convox.md").read_text() == page()


WEB = "services: {web: {image: web}}\n"
WRONG = {
    "": "convox.yml: error: convox.yml is empty.",
    "[]\n": "convox.yml:1: error: The file must be a mapping",
    "services: {}\n": "convox.yml:1: error: There are no services.",
    "services:\n\tweb: {}\n": "convox.yml:2: error: The line is indented with a tab",
    "services:\n  web:\n    prot: 1\n": 'services.web.prot: convox.yml has no key "prot"',
    "services:\n  Web: {image: a}\n": 'convox.yml:2: error: services.Web: "Web" is no valid name.',
    "services:\n  web: {image: a}\n  web: {}\n": 'convox.yml:3: error: "web" is set twice; first at line 2.',
    "services:\n  web:\n    resources: [db]\n": 'services.web.resources[0]: There is no resource "db".',
    WEB + "resources:\n  db: {type: postgre}\n": 'There is no type of resource "postgre". Did you mean',
    WEB + "timers:\n  t: {schedule: '* * * * *', service: wep}\n": 'There is no service "wep". Did you mean',
    WEB + "timers:\n  t: {schedule: '* * * * *'}\n": 'convox.yml:3: error: timers.t: It has no "service".',
    WEB + "balancers:\n  b: {service: no, ports: {1: 1}}\n": "convox.yml:3: error: balancers.b.service",
    "services:\n  web: {agent: {ports: [1]}}\n": "This must be true or false, not a mapping.",
    "services:\n  web: {timeout: '${T}'}\n": "Give the variable's value with --env-file",
    "services:\n  web: {image: a, scale: '${T}-5'}\n": "Give the variable's value with --env-file",
    "services:\n  web: {image: a, port: 99999}\n": "services.web.port: This must be a port",
    "services:\n  web: {image: a, ports: [0/udp]}\n": "services.web.ports[0]: This must be a port",
    "services:\n  web: {command: 'a \"b'}\n": "services.web.command: This must be a command line",
    "services:\n  web: {scale: many}\n": "This must be a number or a range",
    "services:\n  web: {volumeOptions: [{emptyDir: {id: a}}]}\n": 'emptyDir: It has no "mountPath".',
    "services:\n  web: {environment: [{A: b}]}\n": (
        "environment[0]: This must be NAME, NAME=default or *, not a mapping."
    ),
    "configs: [{value: a}]\nservices:\n  web: {image: a}\n": (
        'convox.yml:1: error: configs[0]: It has no "id"'
    ),
    "services:\n  web: {environment: {A: b}}\n": "This must be a list, not a mapping.",
    "services:\n  web: {image: a, port: 80, domain: [[1]]}\n": "This must be text, not a list.",
}


@pytest.mark.parametrize(("text", "said"), WRONG.items())
def test_wrong_input_is_told_with_its_place_and_a_remedy(text: str, said: str) -> None:
    with pytest.raises(DiagnosticsError) as caught:
        convert(text, "convox.yml", "shop")

    assert said in "\n".join(str(found) for found in caught.value.diagnostics)
    assert all(found.remedy for found in caught.value.diagnostics)


def test_the_release_s_environment_fills_in_numbers_and_a_host_stays_a_required_variable() -> None:
    text = (
        "services:\n  web: {image: a, port: '${P}', scale: '${MIN}-${MAX}', domain: '${HOST}, b.${ZONE}'}\n"
    )
    made = convert(text, "convox.yml", "shop", env_text="P=3000\nMIN=2\nMAX=4\nHOST=a.example.com\n")
    web = yaml.safe_load(made.text)["services"]["web"]
    assert web["ports"][0]["target"] == 3000
    assert web["deploy"]["replicas"] == 2
    assert web["x-leeward"]["hosts"] == ["${HOST:?Set HOST in .env}", "b.${ZONE:?Set ZONE in .env}"]


def test_what_compose_cannot_write_as_a_variable_keeps_its_value_and_that_is_told() -> None:
    declared = ["A-B=1", "1=a", "A B=2", "A.B=3$x", "C=}", "D={a}", "E=5"]
    text = yaml.safe_dump({"services": {"web": {"image": "a", "environment": declared}}})
    made = convert(text, "convox.yml", "shop")
    environment = yaml.safe_load(made.text)["services"]["web"]["environment"]
    fixed = {"A-B": "1", "1": "a", "A B": "2", "A.B": "3$$x", "C": "}"}
    assert {name: environment[name] for name in fixed} == fixed
    assert environment["E"] == "${E-5}"
    told = [found for found in made.report if found.code == "fixed-value"]
    assert len(told) == 5 + (environment["D"] == "{a}")


@pytest.mark.parametrize("declared", ["=x", "A-B", "A.B"])
def test_a_variable_that_could_get_no_value_is_an_error(declared: str) -> None:
    text = yaml.safe_dump({"services": {"web": {"image": "a", "environment": [declared]}}})
    with pytest.raises(DiagnosticsError, match="This must be NAME, NAME=default or"):
        convert(text, "convox.yml", "shop")


def test_everything_does_not_weaken_what_is_named() -> None:
    text = "services:\n  web: {image: a, environment: [SECRET, '*']}\n"
    made = convert(text, "convox.yml", "shop", env_text="SECRET=s\nOTHER=o\n")
    assert yaml.safe_load(made.text)["services"]["web"]["environment"] == {
        "OTHER": "${OTHER-}",
        "SECRET": "${SECRET:?Set SECRET in .env}",
    }


def test_the_result_renders_for_every_environment_without_an_error(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(convert(FULL, "convox.yml", "shop").text)
    (tmp_path / "app").mkdir()
    options = LoadOptions(working_dir=tmp_path, environment=VARIABLES)
    project = load_project(options).project
    for environment in ("local", "production"):
        found = render(project, RenderOptions(environment=environment)).diagnostics
        assert [str(each) for each in found if each.severity is Severity.ERROR] == []
