"""Environments: from leeward.yaml to an object and back, what would change, and the ways of a release."""

from __future__ import annotations

import asyncio
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest

from leeward.base.errors import OperationError
from leeward.compose.findings import Findings
from leeward.compose.source import Sources
from leeward.delivery.environments.changes import Change, changes, passages
from leeward.delivery.environments.environment import (
    Environment,
    Lock,
    Overlay,
    Verified,
    environment_object,
    find_environment,
    read_environment,
)
from leeward.delivery.environments.overlayfiles import read_overlay
from leeward.delivery.environments.verifications import Verification
from leeward.delivery.records import hub_of
from leeward.kube.objects import Obj, parse_time
from leeward.settings.configfile import ConfigFile, read_config
from leeward.settings.times import parse_window
from tests.unit.delivery.memory import Memory

CONFIG = """
app: my_shop
environments:
  ci: {}
  qa:
    cluster: staging
    from: ci
    compose: [deploy/qa.yaml]
    env_file: qa.env
    variables: {LOG_LEVEL: info}
    profiles: [debug]
    size: small
    replicas: {web: 3}
    verify: [smoke, {run: load, timeout: 90s}]
    approvals: 1
    soak: 90m
    freeze: ["Fri 16:00/Mon 08:00 America/New_York"]
    access: {developers: edit}
clusters:
  staging: {context: eks}
"""
FREEZE = "Fri 16:00/Mon 08:00 America/New_York"


def read(directory: Path, config: str = CONFIG, **files: str) -> tuple[ConfigFile, Overlay, Findings]:
    """Write files and read the environment qa; a name has __ for a slash and _ for a dot."""
    texts = {"deploy/qa.yaml": "services: {web: {}}\n", "qa.env": "TAG=7\n"}
    texts |= {name.replace("__", "/").replace("_", "."): text for name, text in files.items()}
    for name, text in {**texts, "leeward.yaml": config}.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(textwrap.dedent(text))
    findings = Findings()
    sources = Sources(directory, findings)
    file = read_config(str(directory / "leeward.yaml"), sources, findings)
    assert file.diagnostics == ()
    return file, read_overlay(file, "qa", sources, findings), findings


def qa_object(directory: Path) -> Obj:
    file, overlay, _ = read(directory)
    return environment_object("my_shop", file.config, "qa", overlay)


def test_what_leeward_yaml_says_of_an_environment_comes_back_from_its_object(tmp_path: Path) -> None:
    obj = qa_object(tmp_path)
    assert (obj["metadata"]["name"], obj["metadata"]["namespace"]) == ("qa", "leeward-my-shop")
    assert read_environment(obj) == Environment(
        name="qa",
        app="my_shop",
        namespace="my-shop-qa",
        origin="ci",
        origin_cluster="local",
        approvals=1,
        soak=5400.0,
        freeze=(parse_window(FREEZE),),
        verify=(Verification(run="smoke"), Verification(run="load", timeout=90.0)),
        access={"developers": "edit"},
        overlay=Overlay(
            files={"deploy/qa.yaml": "services: {web: {}}\n", "qa.env": "TAG=7\n"},
            compose=("deploy/qa.yaml",),
            env_files=("qa.env",),
            variables={"LOG_LEVEL": "info"},
            profiles=("debug",),
            size="small",
            replicas={"web": 3},
        ),
    )
    assert obj["spec"]["freeze"] == [FREEZE]


def test_what_is_not_written_is_as_it_is_without(tmp_path: Path) -> None:
    file, _, _ = read(tmp_path)
    found = read_environment(environment_object("shop", file.config, "ci", Overlay()))
    assert found == Environment(name="ci", app="shop", namespace="shop-ci", embedded=True)
    assert found.hub == "leeward-shop"


def test_the_status_says_what_runs_and_who_keeps_releases_out(tmp_path: Path) -> None:
    at = "2026-11-28T06:00:00Z"
    status = {
        "release": "shop-2",
        "promotion": "qa-00002",
        "verifiedAt": at,
        "verified": [{"release": "shop-2", "at": at}],
        "lock": {"by": "jane", "reason": "audit", "at": at},
    }
    found = read_environment({**qa_object(tmp_path), "status": status})
    assert (found.release, found.promotion, found.verified_at) == ("shop-2", "qa-00002", parse_time(at))
    assert found.verified == (Verified("shop-2", parse_time(at)),)
    assert found.lock == Lock("jane", "audit", parse_time(at))


@pytest.mark.parametrize(
    "damage",
    [{"content": "x"}, {"namespace": None, "content": ""}, {"freeze": ["sometimes"]}, {"verify": [{}]}],
)
def test_a_damaged_environment_is_told_with_the_remedy(tmp_path: Path, damage: Obj) -> None:
    obj = qa_object(tmp_path)
    with pytest.raises(OperationError, match="environment qa is damaged"):
        read_environment({**obj, "spec": {**obj["spec"], **damage}})


def test_an_environment_that_was_not_applied_is_told_with_the_remedy(tmp_path: Path) -> None:
    api, obj = Memory(), qa_object(tmp_path)
    with pytest.raises(OperationError) as caught:
        asyncio.run(find_environment(api, "my_shop", "qa"))
    assert "leeward env apply qa" in caught.value.remedy
    api.objects["environments.leeward.dev", hub_of("my_shop"), "qa"] = obj
    assert asyncio.run(find_environment(api, "my_shop", "qa")).name == "qa"


def test_files_that_an_overlay_names_come_along_and_secrets_do_not(tmp_path: Path) -> None:
    _, overlay, findings = read(
        tmp_path,
        deploy__qa_yaml="""
            services:
              web:
                extends: {file: base.yaml, service: web}
                env_file: [web.env, {path: gone.env, required: false}]
              api: {env_file: "${WHERE}.env", label_file: labels.txt}
            configs: {app: {file: ./app.json}, other: {external: true}}
            secrets: {key: {file: key.pem}}
            """,
        base_yaml="services: {web: {image: web}}\n",
        web_env="A=1\n",
        labels_txt="a=b\n",
        app_json="{}",
        key_pem="private",
    )
    assert findings.diagnostics == ()
    assert set(overlay.files) == {
        "deploy/qa.yaml",
        "qa.env",
        "base.yaml",
        "web.env",
        "labels.txt",
        "app.json",
    }


def test_what_looks_secret_is_refused_with_its_line_and_the_remedy(tmp_path: Path) -> None:
    _, _, findings = read(
        tmp_path,
        CONFIG.replace("{LOG_LEVEL: info}", "{LOG_LEVEL: info, API_TOKEN: abc}"),
        qa_env="# comment\n\nTAG=7\nexport DB_PASSWORD=hunter2\n",
        deploy__qa_yaml="""
            services:
              web:
                environment: {SMTP_PASSWORD: hunter2, OTHER_PASSWORD: "${X}", LEVEL: debug}
              api:
                environment: ["A=1", "URL=postgres://u:p@db/x"]
            """,
    )
    found = [(str(each.location), each.message.split()[0], each.remedy) for each in findings.diagnostics]
    assert [each[:2] for each in found] == [
        ("leeward.yaml:10", "API_TOKEN"),
        ("qa.env:4", "DB_PASSWORD"),
        ("deploy/qa.yaml:4", "SMTP_PASSWORD"),
        ("deploy/qa.yaml:6", "URL"),
    ]
    assert found[1][2] == "Remove it here, and set it with: leeward env set DB_PASSWORD --env qa"
    assert found[2][2].startswith("Write ${SMTP_PASSWORD} here, and set it with: leeward env set")
    assert "hunter2" not in str(findings.diagnostics)


def test_changes_are_told_field_by_field(tmp_path: Path) -> None:
    before = read_environment(qa_object(tmp_path))
    overlay = replace(
        before.overlay,
        files={"deploy/qa.yaml": "services: {web: {init: true}}\n"},
        env_files=(),
        variables={"LOG_LEVEL": "debug", "EMPTY": ""},
    )
    after = replace(
        before, soak=7200.0, approvals=0, access={"developers": "view", "qa": "edit"}, overlay=overlay
    )
    assert changes(before, after) == [
        Change("soak", "1h30m", "2h"),
        Change("variables.LOG_LEVEL", "info", "debug"),
        Change("variables.EMPTY", "", '""'),
        Change("access.developers", "edit", "view"),
        Change("access.qa", "", "edit"),
        Change("approvals", "1", ""),
        Change("env_file", "qa.env", ""),
        Change("deploy/qa.yaml", "1 line", "1 line (1 new, 1 gone)"),
        Change("qa.env", "1 line", ""),
    ]
    assert changes(before, before) == []
    assert changes(None, Environment(name="ci", app="shop", namespace="shop-ci")) == [
        Change("namespace", "", "shop-ci")
    ]


def test_the_ways_of_a_release_begin_at_the_build() -> None:
    origins = {"demo": "uat", "ci": None, "qa": "ci", "uat": "qa", "alone": None}
    assert passages(origins) == [["ci", "qa", "uat", "demo"], ["alone"]]
    assert passages({**origins, "prod": "uat"})[-1] == ["ci", "qa", "uat", "prod"]
