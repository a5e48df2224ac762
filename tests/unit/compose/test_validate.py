from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.compose.conftest import Workspace


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("imagee: x", 'services.web.imagee: "imagee" is not a key of Compose here. Did you mean "image"?'),
        ("zzz: 1", '4: error: services.web.zzz: "zzz" is not a key of Compose here. Remove it'),
        ("net: host", '"net" is not a key of Compose here. Write network_mode.'),
        ("healthcheck: {tset: a}", 'services.web.healthcheck.tset: "tset" is not a key'),
        ("hostname: 5", 'It must be a string, but it is the number 5. Put it in quotes: "5".'),
        ("ports: 80", "4: error: services.web.ports: It must be a list, but it is the number 80."),
        ("cap_add: NET", 'It must be a list, but it is "NET". Write a list: ["NET"].'),
        ("deploy: 3", "It must be a mapping, but it is the number 3."),
        ("privileged: maybe", 'It must be true or false, but it is "maybe".'),
        ("scale: many", 'It must be a whole number, but it is "many".'),
        ("cpus: lots", 'It must be a number, but it is "lots".'),
        ("stop_grace_period: 10", 'but it is the number 10. Add a unit, such as "10s".'),
        ("mem_limit: big", 'It must be a size such as "512m", but it is "big".'),
        ("ports:\n  - 80\n  - a:b:c", '6: error: services.web.ports: "a:b:c" is not a port.'),
        ('ports: ["80-70:80"]', '"80-70" is not a port or a range of ports.'),
        ('ports: ["1-3:1-2"]', "has ranges of different length."),
        ("ports: [99999]", '"99999" is not a port'),
        ("ports: [{published: 80}]", 'services.web.ports[0]: "target" is required here. Add target.'),
        ("volumes: ['a:b:c:d']", '"a:b:c:d" is not a volume.'),
        ("volumes: ['/a:/b:rx']", '"rx" is not an option of a volume.'),
        ("volumes: [{type: bid, target: /x}]", 'but it is "bid". Did you mean "bind"?'),
        ("volumes: [{type: bind, target: /x}]", "A bind mount needs a source."),
        ("volumes: ['/a:/x', '/b:/y', {type: tmpfs, target: /x/}]", '"/x" is already mounted by volumes[0].'),
        ("volumes: ['/a:/x']\ntmpfs: ['/x/:size=1m']", 'tmpfs[0]: "/x/" is already mounted by volumes[0].'),
        ("tmpfs: [/run]\nvolumes: ['data:/run']", 'tmpfs[0]: "/run" is already mounted by volumes[0].'),
        ("environment: [{a: 1}]", "An element is a mapping, not KEY=value."),
        ("extra_hosts: [nohost]", '"nohost" is not host=address.'),
        ("command: 'a \"b'", "The command line cannot be split: No closing quotation."),
        ("cap_add: [ ]\nsecurity_opt:\n  -\n", "security_opt[0]: It must be a value, but it is empty."),
        ("healthcheck: {test: [curl, x]}", 'The list starts with "curl".'),
        ("restart: allways", 'There is no restart policy "allways". Did you mean "always"?'),
        ("pull_policy: sometimes", 'There is no pull policy "sometimes".'),
        ("networks: [bak]", 'services.web.networks.bak: There is no network "bak". Did you mean "back"?'),
        ("volumes: ['dat:/x']", 'services.web.volumes[0]: There is no volume "dat". Did you mean "data"?'),
        ("configs: [zz]", 'There is no config "zz". Declare it under the top-level "configs".'),
        ("secrets: [zz]", 'There is no secret "zz". Declare it under the top-level "secrets".'),
        ("depends_on: [wbe]", 'services.web.depends_on.wbe: There is no service "wbe". Did you mean "web"?'),
        ("links: ['nobody:a']", '4: error: services.web.links[0]: There is no service "nobody".'),
        ("network_mode: service:x", '4: error: services.web.network_mode: There is no service "x".'),
        ("volumes_from: [x:ro]", '4: error: services.web.volumes_from[0]: There is no service "x".'),
        ("ports: [{target: 1, published: abc}]", '"abc" is neither a port nor a range of ports.'),
        ("ports: [80:80/udpp]", 'services.web.ports[0]: There is no protocol "udpp".'),
        ("ports: [{target: 70000}]", "70000 is not a port."),
        ("expose: [http]", 'services.web.expose[0]: "http" is not a port.'),
        ("depends_on: {web: {}}", '"condition" is required here.'),
        ("network_mode: host\nnetworks: [back]", "network_mode and networks exclude one another."),
        ("scale: 2\ndeploy: {replicas: 3}", "It says 2, but deploy.replicas says 3."),
        ("scale: 2\ncontainer_name: a", "2 containers cannot have one name."),
        ("scale: -1", "The number of containers is negative."),
        ("cpus: -1", "4: error: services.web.cpus: The amount is negative. Use 0 or more."),
        ("shm_size: -1", "4: error: services.web.shm_size: The amount is negative."),
        ("deploy: {resources: {limits: {cpus: '-0.5'}}}", "web.deploy.resources.limits.cpus: The amount is"),
        ("mem_limit: 1g\nmem_reservation: 2g", "services.web: More memory is reserved (2,048 MiB) than the"),
        ("stop_signal: SIGTREM", '4: error: services.web.stop_signal: There is no signal "SIGTREM".'),
        ("build: {dockerfile: a, dockerfile_inline: FROM x}", "exclude one another"),
        ("depends_on: [web]", "Services wait for one another: web → web."),
        ("ports:\n  - !reset null", "A single element of a list cannot be reset."),
        ("extends: {}", '"service" is required here.'),
        ("env_file: [{path: compose.yaml, format: toml}]", 'There is no format "toml".'),
    ],
)  # fmt: skip
def test_wrong_input_is_named_with_its_place_and_a_remedy(
    workspace: Workspace, body: str, expected: str
) -> None:
    found = workspace.errors(workspace.around(body, "networks: {back: }\nvolumes: {data: }\n"))
    assert expected in str(found[0])
    assert all(each.location is not None and each.location.line for each in found)
    assert all(each.remedy for each in found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "service: {}\n",
            '1: error: service: "service" is not a key of Compose here. Did you mean "services"?',
        ),
        ("services:\n  we b: {image: x}\n", '2: error: services.we b: "we b" is not a valid name.'),
        ("services:\n  web:\n", "2: error: services.web: The service is empty."),
        ("services:\n  web: {tty: true}\n", "2: error: services.web: It has neither image nor build."),
        ("services:\n  web: {image: $NOPE}\n", "2: error: services.web: It has neither image nor build."),
        ("services: []\n", "1: error: services: It must be a mapping, but it is a list."),
        ("services: {a: {image: x}}\nconfigs:\n  c: {}\n", "3: error: configs.c: It has no content."),
        (
            "services: {a: {image: x}}\nsecrets:\n  c: {file: a, content: b}\n",
            "3: error: secrets.c: file and content exclude one another.",
        ),
    ],
)
def test_wrong_structure_is_named_with_its_place(workspace: Workspace, text: str, expected: str) -> None:
    assert expected in str(workspace.errors(text)[0])


def test_a_ring_of_dependencies_is_named_once(workspace: Workspace) -> None:
    error = workspace.error(
        """
        services:
          a: {image: x, depends_on: [b]}
          b: {image: x, depends_on: [c]}
          c:
            image: x
            depends_on:
              a: {condition: service_healthy}
        """
    )
    assert error == (
        "compose.yaml:7: error: services.c.depends_on.a: Services wait for one another: a → b → c → a. "
        "Remove one of these dependencies."
    )


def test_everything_wrong_is_reported_at_once(workspace: Workspace) -> None:
    workspace.write({"b.yaml": "services:\n  web:\n    hostnam: a\n    scale: x\n"})
    workspace.write({"a.yaml": workspace.around("imagee: x\nports: [a]")})
    assert [str(found.location) for found in workspace.errors(files=["a.yaml", "b.yaml"])] == [
        "a.yaml:4",
        "a.yaml:5",
        "b.yaml:3",
        "b.yaml:4",
    ]


def test_unknown_keys_and_undefined_references_are_reported_together(workspace: Workspace) -> None:
    found = workspace.errors(workspace.around("imagee: x\nnetworks: [no]\ndepends_on: [gone]"))
    assert [each.code for each in found] == ["unknown-key", "undefined-network", "undefined-service"]


def test_the_version_key_is_noted(workspace: Workspace) -> None:
    result = workspace.load('version: "3.9"\nservices: {a: {image: x}}')
    assert [(found.code, str(found.location)) for found in result.diagnostics] == [
        ("obsolete-key", "compose.yaml:1")
    ]


def test_a_dependency_that_is_not_required_may_be_disabled(workspace: Workspace) -> None:
    project = workspace.project(
        """
        services:
          a: {image: x, depends_on: {b: {condition: service_started, required: false}}}
          b: {image: x, profiles: [p]}
        """
    )
    assert not project.services["a"].depends_on["b"].required


def test_rings_that_share_no_service_are_all_reported(workspace: Workspace) -> None:
    found = workspace.errors(
        """
        services:
          a: {image: x, depends_on: [b]}
          b: {image: x, links: [a]}
          c: {image: x, depends_on: [a, d]}
          d: {image: x, network_mode: "service:c"}
        """
    )
    assert [(each.path, each.message) for each in found] == [
        ("services.b.links[0]", "Services wait for one another: a → b → a."),
        ("services.d.network_mode", "Services wait for one another: c → d → c."),
    ]


def test_a_long_chain_of_dependencies_is_no_ring(workspace: Workspace) -> None:
    chain = "".join(f"  s{n}: {{image: x, depends_on: [s{n + 1}]}}\n" for n in range(1500))
    assert len(workspace.project(f"services:\n{chain}  s1500: {{image: x}}\n").services) == 1501


def test_one_host_port_of_two_services_is_a_warning(workspace: Workspace) -> None:
    result = workspace.load(
        """
        services:
          a: {image: x, ports: ["80:80", "53:53/udp", 81]}
          b: {image: x, ports: ["53:53", "80:8080", 81, "127.0.0.1:80:80"]}
        """
    )
    assert [str(found) for found in result.diagnostics] == [
        'compose.yaml:3: warning: services.b.ports[1]: The service "a" publishes 80/tcp too. '
        "Publish one of them on another port."
    ]


def test_one_host_port_of_two_ports_of_a_service_is_a_warning(workspace: Workspace) -> None:
    result = workspace.load("services:\n  a: {image: x, ports: ['80:80', '80:80', '80:8080']}\n")
    (found,) = result.diagnostics
    assert str(found).startswith(
        "compose.yaml:2: warning: services.a.ports[1]: Container port 80 is published"
    )
