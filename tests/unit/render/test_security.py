from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from leeward.base.diagnostics import Severity
from leeward.kube.podsecurity import judge
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
        ('image: x, user: "1000", cap_drop: [NET_RAW]', "restricted"),
        ('image: x, user: "1000", cap_drop: [NET_RAW], cap_add: [CHOWN]', "baseline"),
        ("image: x, user: root", "baseline"),
        ("image: 'postgres:16', user: postgres", "restricted"),
        ("image: 'x', user: '1', sysctls: {net.core.somaxconn: '9'}", "privileged"),
        ("image: 'x', user: '1', security_opt: ['label=type:container_t']", "restricted"),
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
    assert judge(result.pod("Deployment", "a"))[0] == level
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
        ("sysctls: {kernel.msgmax: '1'}", "sysctls.kernel.msgmax", None),
        ("security_opt: ['seccomp:unconfined']", "security_opt[0]", None),
        ("security_opt: [apparmor=unconfined]", "security_opt[0]", None),
        ("security_opt: ['label:disable']", "security_opt[0]", None),
        ("security_opt: ['label:user:system_u']", "security_opt[0]", None),
        ("pre_start: [{command: x, privileged: true}]", "pre_start[0].privileged", None),
    ],
)
def test_access_to_the_node_is_an_error_that_a_waiver_can_accept(
    line: str, path: str, field: str | None, render_text: Render
) -> None:
    result = render_text(f"services: {{a: {{image: x, {line}}}}}", environment="production")
    assert errors(result) == {f"services.a.{path}": "host-access"}
    labels = result.find("Namespace", "shop-production")["metadata"]["labels"]
    assert labels[f"{LABEL}enforce"] == "privileged"
    if field is not None:
        assert result.pod("Deployment", "a")[field] is True


def test_the_label_says_which_version_of_the_rules_and_what_kubectl_warns_of(render_text: Render) -> None:
    labels = render_text("services: {a: {image: x}}").find("Namespace", "shop")["metadata"]["labels"]
    assert {key.removeprefix(LABEL): value for key, value in labels.items() if key.startswith(LABEL)} == {
        "enforce": "baseline",
        "enforce-version": "v1.36",
        "audit": "restricted",
        "warn": "restricted",
    }


@pytest.mark.parametrize(
    ("line", "user"),
    [
        ("image: 'postgres:16', user: postgres", 999),
        ("image: 'docker.io/library/postgres:16-alpine', user: postgres", 70),
        ("image: 'node:22', user: 'node:1000'", 1000),
        ("build: {context: ., dockerfile_inline: 'FROM node:22'}, user: node", 1000),
        ('build: {context: ., dockerfile_inline: "FROM x\\nRUN useradd -u 5 me"}, user: me', 5),
        ("image: x, user: root", 0),
    ],
)
def test_users_by_name_count_where_their_number_is_known(line: str, user: int, render_text: Render) -> None:
    result = render_text(f"services: {{a: {{{line}}}}}", environment="production")
    assert result.container("Deployment", "a")["securityContext"]["runAsUser"] == user
    assert "needs-number" not in result.codes()


@pytest.mark.parametrize("line", ["user: app", "user: '1000:staff'", "user: nobody"])
def test_names_whose_number_nobody_knows_are_errors_outside_of_development(
    line: str, render_text: Render
) -> None:
    text = f"services: {{a: {{image: x, {line}}}}}"
    assert errors(render_text(text, environment="production")) == {"services.a.user": "needs-number"}
    here = render_text(text)
    assert errors(here) == {}
    assert "needs-number" in here.codes()


def test_the_name_of_the_image_s_own_user_needs_no_number(render_text: Render) -> None:
    inline = '{context: ., dockerfile_inline: "FROM x\\nUSER app"}'
    result = render_text(f"services: {{a: {{build: {inline}, user: app}}}}", environment="production")
    assert "needs-number" not in result.codes()


@pytest.mark.parametrize(
    ("option", "field", "value"),
    [
        ("apparmor=shop", "appArmorProfile", {"type": "Localhost", "localhostProfile": "shop"}),
        ("apparmor:docker-default", "appArmorProfile", {"type": "RuntimeDefault"}),
        ("label:level:s0:c1,c2", "seLinuxOptions", {"level": "s0:c1,c2"}),
        ("no-new-privileges", "allowPrivilegeEscalation", False),
        ("no-new-privileges:true", "allowPrivilegeEscalation", False),
    ],
)
def test_options_of_the_kernel_s_guards_are_rendered(
    option: str, field: str, value: Any, render_text: Render
) -> None:
    result = render_text(f"services: {{a: {{image: x, security_opt: ['{option}']}}}}")
    assert result.container("Deployment", "a")["securityContext"] == {field: value}
    assert errors(result) == {}


def test_profiles_that_nodes_must_have_are_told(render_text: Render) -> None:
    result = render_text("services: {a: {image: x, security_opt: ['seccomp=./profiles/tight.json']}}")
    profile = result.pod("Deployment", "a")["securityContext"]["seccompProfile"]
    assert profile == {"type": "Localhost", "localhostProfile": "tight.json"}
    assert "node-profile" in result.codes()


@pytest.mark.parametrize("key", ["cap_add", "cap_drop"])
def test_a_capability_that_linux_has_not_is_a_mistake(key: str, render_text: Render) -> None:
    result = render_text(f"services: {{a: {{image: x, {key}: [CHOWN, CAP_NET_ADMN]}}}}")
    assert errors(result) == {f"services.a.{key}[1]": "unknown-capability"}
    (found,) = [found for found in result.diagnostics if found.code == "unknown-capability"]
    assert found.remedy == 'Did you mean "NET_ADMIN"?'


def test_a_privileged_container_cannot_forbid_new_privileges(render_text: Render) -> None:
    result = render_text(
        "services: {a: {image: x, privileged: true, security_opt: ['no-new-privileges:true']}}"
    )
    assert result.container("Deployment", "a")["securityContext"] == {"privileged": True}
    assert "ignored" in result.codes()


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
