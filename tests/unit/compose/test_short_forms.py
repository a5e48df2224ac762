from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from leeward.compose.project import (
    Build,
    Dependency,
    Device,
    DeviceRequest,
    FileUse,
    Mount,
    Port,
    Service,
    Ulimit,
)

Web = Callable[..., Service]


def ports(web: Web, *specs: str) -> list[tuple[str | None, str | None, int, str]]:
    service = web("ports:\n" + "\n".join(f"  - {spec}" for spec in specs))
    return [(port.host_ip, port.published, port.target, port.protocol) for port in service.ports]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("80", [(None, None, 80, "tcp")]),
        ('"80"', [(None, None, 80, "tcp")]),
        ("8080:80", [(None, "8080", 80, "tcp")]),
        ("22:22", [(None, "22", 22, "tcp")]),
        ('"53:5353/udp"', [(None, "53", 5353, "udp")]),
        ('"127.0.0.1:8080:80"', [("127.0.0.1", "8080", 80, "tcp")]),
        ('"127.0.0.1::80"', [("127.0.0.1", None, 80, "tcp")]),
        ('"[::1]:8080:80"', [("::1", "8080", 80, "tcp")]),
        ('"3000-3002"', [(None, None, port, "tcp") for port in (3000, 3001, 3002)]),
        ('"9090-9091:8080-8081"', [(None, "9090", 8080, "tcp"), (None, "9091", 8081, "tcp")]),
        ('"8000-9000:80"', [(None, "8000-9000", 80, "tcp")]),
        ("{target: 80, published: 8080, protocol: udp}", [(None, "8080", 80, "udp")]),
    ],
)
def test_ports_become_long(
    web: Web, spec: str, expected: list[tuple[str | None, str | None, int, str]]
) -> None:
    assert ports(web, spec) == expected


def test_a_long_port_keeps_its_name_and_protocol(web: Web) -> None:
    service = web("ports:\n  - {name: api, target: '80', app_protocol: http, mode: host, x-a: 1}")
    assert service.ports == (
        Port(name="api", target=80, app_protocol="http", mode="host", extensions={"x-a": 1}),
    )


@pytest.mark.parametrize(
    ("spec", "mount"),
    [
        ("/data", Mount(type="volume", target="/data")),
        ("db:/data", Mount(type="volume", source="db", target="/data")),
        ("db:/data/", Mount(type="volume", source="db", target="/data")),
        ("db:/data:ro", Mount(type="volume", source="db", target="/data", read_only=True)),
        ("{type: tmpfs, target: /t}", Mount(type="tmpfs", target="/t")),
    ],
)
def test_volumes_become_mounts(web: Web, spec: str, mount: Mount) -> None:
    assert web(
        f"volumes: [{spec!r}]" if spec[0] != "{" else f"volumes: [{spec}]", "volumes: {db: }"
    ).volumes == (mount,)


def test_a_path_is_a_bind_mount_that_creates_the_directory(web: Web) -> None:
    mount = web("volumes: ['./src:/app:ro,z,rshared']").volumes[0]
    assert mount.type == "bind"
    assert mount.source is not None
    assert mount.source.startswith("/")
    assert mount.source.endswith("/src")
    assert mount.read_only
    assert mount.bind is not None
    assert (mount.bind.create_host_path, mount.bind.selinux, mount.bind.propagation) == (True, "z", "rshared")


def test_a_long_mount_keeps_its_options(web: Web) -> None:
    service = web(
        """
        volumes:
          - type: volume
            source: db
            target: /d
            volume: {nocopy: true, subpath: a/b, labels: [x=1]}
          - {type: tmpfs, target: /t, tmpfs: {size: 64m, mode: 0700}}
        """,
        "volumes: {db: }",
    )
    first, second = service.volumes
    assert first.subpath == "a/b"
    assert first.volume is not None
    assert first.volume.labels == {"x": "1"}
    assert second.tmpfs is not None
    assert (second.tmpfs.size, second.tmpfs.mode) == (64 * 2**20, 0o700)


def test_commands_are_split_as_a_shell_would(web: Web) -> None:
    service = web("command: echo 'hello world' \"$$HOME\"\nentrypoint: [python, -m, 8080]")
    assert service.command == ("echo", "hello world", "$HOME")
    assert service.entrypoint == ("python", "-m", "8080")


def test_an_empty_command_differs_from_none(web: Web) -> None:
    assert web("command: []\nentrypoint: ''").command == ()
    assert web("command: []\nentrypoint: ''").entrypoint == ()
    assert web("tty: true").command is None


def test_environment_lists_and_mappings_mean_the_same(web: Web) -> None:
    expected = {"A": "1", "B": "x=y", "C": None, "D": "", "E": "true", "F": "1.5"}
    assert web("environment: ['A=1', B=x=y, C, D=, E=true, F=1.5]").environment == expected
    assert web("environment: {A: 1, B: x=y, C: , D: '', E: true, F: 1.50}").environment == expected


def test_labels_without_value_are_empty(web: Web) -> None:
    assert web("labels: [a, b=1]").labels == {"a": "", "b": "1"}


def test_depends_on_a_list_means_started(web: Web) -> None:
    service = web("depends_on: [db]", "  db: {image: x}")
    assert service.depends_on == {"db": Dependency(condition="service_started", required=True)}


def test_a_health_check_string_runs_in_a_shell(web: Web) -> None:
    check = web(
        "healthcheck: {test: curl -f localhost, interval: 1m30s, timeout: 500ms, retries: '3'}"
    ).healthcheck
    assert check is not None
    assert check.test == ("CMD-SHELL", "curl -f localhost")
    assert (check.interval, check.timeout, check.retries) == (90.0, 0.5, 3)
    none = web("healthcheck: {test: [NONE]}").healthcheck
    assert none is not None
    assert none.disable


def test_build_as_a_string_is_its_context(web: Web) -> None:
    build = web("build: ./app").build
    assert isinstance(build, Build)
    assert build.context.endswith("/app")
    remote = web("build: {context: 'https://example.com/x.git#main', dockerfile: d/Dockerfile}").build
    assert remote is not None
    assert (remote.context, remote.dockerfile) == ("https://example.com/x.git#main", "d/Dockerfile")


def test_a_dockerfile_is_found_in_the_context(web: Web) -> None:
    build = web("build: {context: app, dockerfile: ../Other, args: [V=1], target: t}").build
    assert build is not None
    assert build.dockerfile is not None
    assert build.dockerfile.endswith("/Other")
    assert "app" not in build.dockerfile.rsplit("/", 1)[1]
    assert build.args == {"V": "1"}


def test_configs_and_secrets_by_name_or_in_full(web: Web) -> None:
    service = web(
        "configs: [a]\nsecrets:\n  - {source: b, target: c, uid: '1', gid: 2, mode: 0440}",
        "configs: {a: {content: x}}\nsecrets: {b: {content: y}}",
    )
    assert service.configs == (FileUse(source="a"),)
    assert service.secrets == (FileUse(source="b", target="c", uid="1", gid="2", mode=0o440),)


def test_hosts_are_grouped(web: Web) -> None:
    expected = {"a": ("1.1.1.1", "2.2.2.2"), "b": ("::1",)}
    assert web("extra_hosts: ['a:1.1.1.1', 'a=2.2.2.2', 'b=[::1]']").extra_hosts == expected
    assert web("extra_hosts: {a: [1.1.1.1, 2.2.2.2], b: '::1'}").extra_hosts == expected


def test_other_short_forms(web: Web) -> None:
    service = web(
        """
        dns: 8.8.8.8
        tmpfs: /run
        ulimits: {nproc: 65535, nofile: {soft: 1, hard: 2}}
        devices: ['/dev/a:/dev/b:r', /dev/c]
        gpus: all
        expose: [3000, '4000-4005/udp']
        sysctls: [net.core.somaxconn=1024]
        mem_limit: 1.5g
        cpus: '0.5'
        user: 1000
        stop_grace_period: 1m
        group_add: [mail, 5]
        """
    )
    assert service.dns == ("8.8.8.8",)
    assert service.tmpfs == ("/run",)
    assert service.ulimits == {"nproc": Ulimit(soft=65535, hard=65535), "nofile": Ulimit(soft=1, hard=2)}
    assert service.devices == (
        Device(source="/dev/a", target="/dev/b", permissions="r"),
        Device(source="/dev/c"),
    )
    assert service.gpus == (DeviceRequest(capabilities=("gpu",), count=-1),)
    assert service.expose == ("3000", "4000-4005/udp")
    assert service.sysctls == {"net.core.somaxconn": "1024"}
    assert (service.mem_limit, service.cpus, service.user) == (3 * 2**29, 0.5, "1000")
    assert (service.stop_grace_period, service.group_add) == (60.0, ("mail", "5"))


def test_deploy_is_typed(web: Web) -> None:
    deploy = web(
        """
        deploy:
          replicas: ${REPLICAS:-3}
          labels: {a: 1}
          resources:
            limits: {cpus: '0.25', memory: 50M, pids: 10}
            reservations: {memory: 20M, devices: [{capabilities: [gpu], count: all}]}
          update_config: {parallelism: 2, delay: 10s, order: start-first}
          restart_policy: {condition: on-failure, max_attempts: 3}
          placement: {constraints: [node.role == worker], preferences: [{spread: node.labels.zone}]}
        """
    ).deploy
    assert deploy is not None
    assert (deploy.mode, deploy.replicas, deploy.labels) == ("replicated", 3, {"a": "1"})
    assert deploy.limits is not None
    assert (deploy.limits.cpus, deploy.limits.memory, deploy.limits.pids) == (0.25, 50 * 2**20, 10)
    assert deploy.reservations is not None
    assert deploy.reservations.devices == (DeviceRequest(capabilities=("gpu",), count=-1),)
    assert deploy.update_config is not None
    assert (deploy.update_config.delay, deploy.update_config.order) == (10.0, "start-first")
    assert deploy.restart_policy is not None
    assert deploy.restart_policy.max_attempts == 3
    assert deploy.placement is not None
    assert deploy.placement.spread == ("node.labels.zone",)


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ("ports:\n  - 'x:y'\n  - 99999:1\n  - 80\n  - '1-2:3-5'", [5, 6, 8]),
        ("ports:\n  - 'x:y'\n  - {target: 80, bogus: 1}\n  - {target: none}", [5, 6, 7]),
        ("environment:\n  - A=1\n  - {B: 2}\n  - [C]", [6, 7]),
        ("depends_on:\n  - 1\n  - 2", [5, 6]),
        ("extra_hosts:\n  - a\n  - b:1.1.1.1\n  - c", [5, 7]),
    ],
)
def test_every_mistake_of_a_list_is_told(workspace: Any, body: str, wrong: list[int]) -> None:
    found = workspace.errors(workspace.around(body))
    assert [each.location.line for each in found if each.location] == wrong
