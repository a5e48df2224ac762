from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from leeward.base.diagnostics import Severity
from leeward.kube.podsecurity import strictest
from leeward.render.files import MemoryFiles

Render = Callable[..., Any]
LABEL = "pod-security.kubernetes.io/"


def errors(result: Any) -> dict[str, str]:
    return {found.path: found.code for found in result.diagnostics if found.severity is Severity.ERROR}


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ("image: x", "baseline"),
        ('image: x, user: "1000"', "restricted"),
        ('image: x, user: "1000:1000", cap_add: [NET_BIND_SERVICE]', "restricted"),
        ('image: x, user: "1000", cap_add: [CHOWN]', "baseline"),
        ('image: x, user: "1000", cap_add: [CAP_SYS_ADMIN]', "privileged"),
        ("image: x, user: root", "baseline"),
        ("image: grafana/grafana", "restricted"),
        ('image: grafana/grafana, user: "0"', "baseline"),
        ('image: x, user: "1000", security_opt: ["seccomp:unconfined"]', "privileged"),
        ('image: x, user: "1000", depends_on: [b], read_only: true', "restricted"),
    ],
)
def test_a_pod_is_as_tight_as_the_file_shows_that_it_can_be(
    line: str, level: str, render_text: Render
) -> None:
    result = render_text(f'services: {{a: {{{line}}}, b: {{image: y, user: "7"}}}}', environment="production")
    assert strictest(result.pod("Deployment", "a")) == level
    assert result.find("Namespace", "shop-production")["metadata"]["labels"][f"{LABEL}enforce"] == level
    told = [found for found in result.diagnostics if found.code == "pod-security"]
    assert [found.path for found in told] == ([] if level == "restricted" else ["services.a"])


def test_the_user_of_a_dockerfile_counts(render_text: Render, tmp_path: Path) -> None:
    dockerfile = b"FROM alpine\nRUN adduser -D -u 1001 app\nUSER app\n"
    result = render_text(
        "services: {a: {build: .}}", files=MemoryFiles({f"{tmp_path}/Dockerfile": dockerfile})
    )
    assert result.container("Deployment", "a")["securityContext"] == {
        "runAsUser": 1001,
        "runAsNonRoot": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }


@pytest.mark.parametrize(
    ("line", "path", "field"),
    [
        ("privileged: true", "privileged", None),
        ("pid: host", "pid", "hostPID"),
        ("ipc: host", "ipc", "hostIPC"),
        ("network_mode: host", "network_mode", "hostNetwork"),
        ("cap_add: [CHOWN, NET_ADMIN]", "cap_add[1]", None),
        ("cap_add: [ALL]", "cap_add[0]", None),
    ],
)
def test_access_to_the_node_is_an_error_that_a_waiver_can_accept(
    line: str, path: str, field: str | None, render_text: Render
) -> None:
    result = render_text(f"services: {{a: {{image: x, {line}}}}}")
    assert errors(result) == {f"services.a.{path}": "host-access"}
    if field is not None:
        assert result.pod("Deployment", "a")[field] is True


def test_a_level_that_the_project_asks_for_stands_and_what_it_would_refuse_is_an_error(
    render_text: Render,
) -> None:
    text = """
        x-leeward: {podSecurity: restricted}
        services:
          tight: {image: x, user: "1000"}
          loose: {image: x}
    """
    result = render_text(text)
    assert errors(result) == {"services.loose": "pod-security"}
    assert result.find("Namespace", "shop")["metadata"]["labels"][f"{LABEL}enforce"] == "restricted"


def test_a_level_that_is_looser_than_needed_stands(render_text: Render) -> None:
    text = 'x-leeward: {podSecurity: baseline}\nservices: {a: {image: x, user: "1000"}}\n'
    labels = render_text(text).find("Namespace", "shop")["metadata"]["labels"]
    assert (labels[f"{LABEL}enforce"], labels[f"{LABEL}audit"]) == ("baseline", "restricted")


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("/etc/pihole", "system-directory"),
        ("/lib/modules", "system-directory"),
        ("/usr/src", "system-directory"),
        ("/srv/data", "host-directory"),
        ("/home/me/data", "host-directory"),
        ("~/data", "host-directory"),
    ],
)
def test_directories_of_the_machine_are_refused_and_others_start_empty(
    source: str, code: str, render_text: Render
) -> None:
    result = render_text(f"services: {{a: {{image: x, volumes: ['{source}:/d']}}}}", files=MemoryFiles({}))
    assert code in result.codes()


class TestBindsThatTheFileDecides:
    TEXT = "services: {a: {image: x, volumes: ['%s:/d'], x-leeward: {binds: {/d: %s}}}}"

    def test_data_is_a_claim(self, render_text: Render) -> None:
        result = render_text(self.TEXT % ("/srv/d", "data"), files=MemoryFiles({}))
        (claim,) = result.find("StatefulSet", "a")["spec"]["volumeClaimTemplates"]
        assert claim["metadata"]["name"] == "a-d"
        (mount,) = result.container("StatefulSet", "a")["volumeMounts"]
        assert (mount["name"], mount["mountPath"]) == ("a-d", "/d")
        assert errors(result) == {}

    def test_a_directory_of_a_node_needs_a_waiver(self, render_text: Render) -> None:
        result = render_text(self.TEXT % ("/srv/d", "host"), files=MemoryFiles({}))
        (volume,) = result.pod("Deployment", "a")["volumes"]
        assert volume["hostPath"] == {"path": "/srv/d"}
        assert errors(result) == {"services.a.volumes[0]": "host-access"}

    @pytest.mark.parametrize(("kind", "code"), [("ignore", "ignored"), ("source", "source-mount")])
    def test_what_is_left_out_is_told(self, kind: str, code: str, render_text: Render) -> None:
        result = render_text(self.TEXT % ("/srv/d", kind), files=MemoryFiles({}))
        assert "volumes" not in result.pod("Deployment", "a")
        assert code in result.codes()

    def test_configuration_from_elsewhere_is_copied(self, render_text: Render) -> None:
        files = MemoryFiles({"/srv/d/app.ini": b"x"})
        result = render_text(self.TEXT % ("/srv/d", "config"), files=files)
        assert len(result.names("ConfigMap")) == 1

    def test_a_target_that_nothing_is_mounted_at_is_an_error(self, render_text: Render) -> None:
        text = "services: {a: {image: x, volumes: ['/srv/d:/data'], x-leeward: {binds: {/dta: ignore}}}}"
        result = render_text(text, files=MemoryFiles({}))
        assert errors(result) == {"services.a.x-leeward.binds./dta": "unknown-target"}
        assert any("/data" in found.remedy for found in result.diagnostics)
