from __future__ import annotations

import copy
from typing import Any

import pytest

from leeward.kube.objects import Obj
from leeward.kube.podsecurity import LEVELS, judge, violations

TIGHT: Obj = {
    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
    "containers": [
        {
            "name": "web",
            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        }
    ],
}


def changed(path: str, value: Any) -> Obj:
    """Return a restricted Pod with `value` at `path`, such as "containers.0.ports"; None takes it away."""
    spec = copy.deepcopy(TIGHT)
    *way, last = path.split(".")
    place: Any = spec
    for step in way:
        place = place[int(step)] if step.isdigit() else place.setdefault(step, {})
    place[last] = value
    return spec


OF_CONTAINER = "containers.0.securityContext"
BASELINE = [  # what breaks both levels, with the same words
    ("securityContext.appArmorProfile", {"type": "Unconfined"},
     'forbidden AppArmor profile (pod must not set AppArmor profile type to "Unconfined")'),
    ("hostNetwork", True, "host namespaces (hostNetwork=true)"),
    ("hostPID", True, "host namespaces (hostPID=true)"),
    ("hostIPC", True, "host namespaces (hostIPC=true)"),
    ("containers.0.ports", [{"containerPort": 1, "hostPort": 80}, {"containerPort": 2, "hostPort": 443}],
     'hostPort (container "web" uses hostPorts 443, 80)'),
    ("containers.0.livenessProbe", {"httpGet": {"host": "10.0.0.1", "port": 80}},
     'probe or lifecycle host (container "web" uses probe or lifecycle host "10.0.0.1")'),
    ("containers.0.lifecycle", {"preStop": {"tcpSocket": {"host": "x", "port": 80}}},
     'probe or lifecycle host (container "web" uses probe or lifecycle host "x")'),
    (f"{OF_CONTAINER}.privileged", True,
     'privileged (container "web" must not set securityContext.privileged=true)'),
    (f"{OF_CONTAINER}.procMount", "Unmasked",
     'procMount (container "web" must not set securityContext.procMount to "Unmasked")'),
    ("securityContext.seLinuxOptions", {"type": "spc_t", "user": "u"},
     'seLinuxOptions (pod set forbidden securityContext.seLinuxOptions: type "spc_t"; user may not be set)'),
    (f"{OF_CONTAINER}.seccompProfile", {"type": "Unconfined"},
     'seccompProfile (container "web" must not set securityContext.seccompProfile.type to "Unconfined")'),
    ("securityContext.sysctls", [{"name": "kernel.msgmax", "value": "1"}, {"name": "net.ipv4.tcp_rmem"}],
     "forbidden sysctls (kernel.msgmax)"),
    ("securityContext.windowsOptions", {"hostProcess": True},
     "hostProcess (pod must not set securityContext.windowsOptions.hostProcess=true)"),
]  # fmt: skip
RESTRICTED = [  # what breaks restricted only
    (f"{OF_CONTAINER}.allowPrivilegeEscalation", None,
     'allowPrivilegeEscalation != false '
     '(container "web" must set securityContext.allowPrivilegeEscalation=false)'),
    (f"{OF_CONTAINER}.capabilities", {"add": ["CHOWN"], "drop": ["NET_RAW"]},
     'unrestricted capabilities (container "web" must set securityContext.capabilities.drop=["ALL"]; '
     'container "web" must not include "CHOWN" in securityContext.capabilities.add)'),
    ("volumes", [{"name": "a", "nfs": {}}, {"name": "b", "emptyDir": {}}, {"name": "c", "iscsi": {}}],
     'restricted volume types (volumes "a", "c" use restricted volume types "iscsi", "nfs")'),
    ("securityContext.runAsNonRoot", False,
     "runAsNonRoot != true (pod must not set securityContext.runAsNonRoot=false)"),
    ("securityContext.runAsNonRoot", None,
     'runAsNonRoot != true (pod or container "web" must set securityContext.runAsNonRoot=true)'),
    (f"{OF_CONTAINER}.runAsUser", 0, 'runAsUser=0 (container "web" must not set runAsUser=0)'),
    ("securityContext.seccompProfile", None,
     'seccompProfile (pod or container "web" must set securityContext.seccompProfile.type '
     'to "RuntimeDefault" or "Localhost")'),
]  # fmt: skip


def told(level: Any, spec: Obj, annotations: dict[str, str] | None = None) -> list[str]:
    return [str(found) for found in violations(level, spec, annotations)]


def test_a_tight_pod_breaks_no_rule() -> None:
    assert [told(level, TIGHT) for level in LEVELS] == [[], [], []]
    assert judge(TIGHT)[0] == "restricted"


@pytest.mark.parametrize(("path", "value", "message"), BASELINE, ids=lambda each: str(each)[:40])
def test_what_baseline_forbids_restricted_forbids_too(path: str, value: Any, message: str) -> None:
    spec = changed(path, value)
    assert told("baseline", spec) == told("restricted", spec) == [message]
    assert judge(spec)[0] == "privileged"


@pytest.mark.parametrize(("path", "value", "message"), RESTRICTED, ids=lambda each: str(each)[:40])
def test_what_restricted_forbids(path: str, value: Any, message: str) -> None:
    spec = changed(path, value)
    assert told("restricted", spec) == [message]
    assert judge(spec)[0] == "baseline"


def test_each_level_has_its_own_words_for_capabilities_and_host_paths() -> None:
    added = changed(f"{OF_CONTAINER}.capabilities", {"add": ["SYS_ADMIN", "NET_ADMIN"], "drop": ["ALL"]})
    end = 'must not include "NET_ADMIN", "SYS_ADMIN" in securityContext.capabilities.add)'
    assert told("baseline", added) == [f'non-default capabilities (container "web" {end}']
    assert told("restricted", added) == [f'unrestricted capabilities (container "web" {end}']
    path = changed("volumes", [{"name": "a", "hostPath": {"path": "/"}}])
    assert told("baseline", path) == ['hostPath volumes (volume "a")']
    assert told("restricted", path) == [
        'restricted volume types (volume "a" uses restricted volume type "hostPath")'
    ]


def test_ports_may_be_bound_and_init_containers_count() -> None:
    spec = changed(f"{OF_CONTAINER}.capabilities", {"add": ["NET_BIND_SERVICE"], "drop": ["ALL"]})
    assert told("restricted", spec) == []
    spec["initContainers"] = [{"name": "first", "securityContext": {"privileged": True}}]
    assert told("baseline", spec) == [
        'privileged (container "first" must not set securityContext.privileged=true)'
    ]


def test_annotations_of_apparmor_count() -> None:
    notes = {"container.apparmor.security.beta.kubernetes.io/web": "unconfined"}
    assert told("baseline", TIGHT, notes) == [
        "forbidden AppArmor profile (annotation must not set AppArmor profile type to "
        'container.apparmor.security.beta.kubernetes.io/web="unconfined")'
    ]


def test_root_inside_a_user_namespace_is_nobody_outside() -> None:
    spec = {**changed("securityContext.runAsNonRoot", None), "hostUsers": False}
    assert told("restricted", spec) == []


def test_windows_pods_need_no_linux_settings() -> None:
    spec = {
        "os": {"name": "windows"},
        "securityContext": {"runAsNonRoot": True},
        "containers": [{"name": "web"}],
    }
    assert told("restricted", spec) == []


def test_nothing_is_forbidden_to_privileged_namespaces() -> None:
    assert told("privileged", changed("hostPID", True)) == []
