from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from leeward.compose.source import MAX_BYTES

if TYPE_CHECKING:
    from tests.unit.compose.conftest import Workspace


def test_anchors_aliases_and_merge_keys_are_followed(workspace: Workspace) -> None:
    project = workspace.project(
        """
        x-base: &base
          image: a
          environment: &env {A: 1, B: 2}
        x-more: &more {hostname: more, image: b}
        services:
          one:
            <<: *base
            command: x
          two:
            <<: [*more, *base]
            environment: {<<: *env, B: 3}
        """
    )
    one, two = project.services["one"], project.services["two"]
    assert (one.image, one.command, one.environment) == ("a", ("x",), {"A": "1", "B": "2"})
    assert (two.image, two.hostname, two.environment) == ("b", "more", {"A": "1", "B": "3"})


def test_a_quoted_merge_key_is_an_ordinary_key(workspace: Workspace) -> None:
    assert "unknown-key" in [found.code for found in workspace.errors(workspace.around('"<<": {tty: true}'))]


def test_extensions_stay_plain_values_everywhere(workspace: Workspace) -> None:
    workspace.environment["V"] = "v"
    project = workspace.project(
        """
        x-top: [1, {a: yes}, $V]
        services:
          web: {image: x, x-own: {k: true}, healthcheck: {test: a, x-h: 1}, build: {context: ., x-b: 2}}
        volumes: {d: {x-v: 3}}
        """
    )
    assert project.extensions == {"x-top": [1, {"a": "yes"}, "v"]}
    service = project.services["web"]
    assert service.extensions == {"x-own": {"k": True}}
    assert service.healthcheck is not None
    assert service.healthcheck.extensions == {"x-h": 1}
    assert service.build is not None
    assert service.build.extensions == {"x-b": 2}
    assert project.volumes["d"].extensions == {"x-v": 3}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("services:\n  web:\n   image: x\n  bad: [\n", "compose.yaml:5: error: The value ends too early"),
        ("services:\n\tweb: {}\n", "compose.yaml:2: error: The line is indented with a tab"),
        ("services:\n  web: {image: *nope}\n", 'compose.yaml:2: error: There is no anchor "nope"'),
        ("services:\n  web:\n    image: a\n    image: b\n", 'compose.yaml:4: error: "image" is set twice'),
        ("x-a: &a\n  b: *a\nservices: {}\n", "compose.yaml:1: error: The anchor contains itself"),
        ("x-a: {<<: [1]}\n", 'compose.yaml:1: error: The merge key "<<" needs a mapping'),
        ("services: {web: {image: !secret x}}\n", 'compose.yaml:1: error: The tag "!secret" means nothing'),
        ("? [a]\n: b\n", "compose.yaml:1: error: A key must be a word"),
        ("- a\n", "compose.yaml:1: error: A Compose file must be a mapping, but it is a list"),
        ("hello\n", 'compose.yaml:1: error: A Compose file must be a mapping, but it is "hello"'),
    ],
)
def test_bad_yaml_is_reported_with_its_line(workspace: Workspace, text: str, expected: str) -> None:
    (workspace.root / "compose.yaml").write_text(text)
    assert str(workspace.errors()[0]).startswith(expected)


def test_an_alias_bomb_is_refused(workspace: Workspace) -> None:
    lines = ["x-0: &a0 [lol]"]
    lines += [f"x-{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    workspace.write({"compose.yaml": "\n".join(lines)})
    assert "more than 100000 values" in workspace.error()


def test_deep_nesting_is_refused(workspace: Workspace) -> None:
    workspace.write({"compose.yaml": "x-a: " + "[" * 300 + "]" * 300})
    assert "more than 100 levels deep" in workspace.error()
    workspace.write({"compose.yaml": "x-a: " + "[" * 3000 + "]" * 3000})
    assert "nested too deeply" in workspace.error()


def test_a_file_that_is_not_text_is_refused(workspace: Workspace) -> None:
    (workspace.root / "compose.yaml").write_bytes(b"\xff\xfe\x00x")
    assert "is not UTF-8 text" in workspace.error()
    (workspace.root / "compose.yaml").write_bytes(b"services:\n  a: '\x01'\n")
    assert "compose.yaml" in workspace.error()


def test_a_byte_order_mark_is_ignored(workspace: Workspace) -> None:
    (workspace.root / "compose.yaml").write_text("\ufeffservices: {a: {image: x}}")
    assert workspace.project().services["a"].image == "x"


def test_an_indent_of_tabs_is_named(workspace: Workspace) -> None:
    workspace.write({"compose.yaml": "services:\n\tweb: {}\n"})
    assert "Indent with spaces, not tabs." in workspace.error()


def test_text_that_is_not_utf_8_is_told_with_its_line(workspace: Workspace) -> None:
    (workspace.root / "compose.yaml").write_bytes(b"services:\n  web: {image: \xff}\n")
    assert workspace.error().startswith("compose.yaml:2: error:")


def test_a_file_that_nobody_wrote_by_hand_is_not_read(workspace: Workspace) -> None:
    with (workspace.root / "compose.yaml").open("wb") as stream:
        stream.truncate(MAX_BYTES + 1)
    assert "has more than 8 MB" in workspace.error()


def test_aliases_of_aliases_stop_at_a_limit(workspace: Workspace) -> None:
    lines = ["x-0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"x-{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    workspace.write({"compose.yaml": "\n".join([*lines, "services: {web: {image: x}}"])})
    assert "expands to more than" in workspace.error()
