from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from leeward.render.renderers.command import escape


def expand(text: str, values: dict[str, str]) -> str:
    """Kubernetes' expansion, written down from its documentation."""
    out, index = [], 0
    while index < len(text):
        here, after = text[index], text[index + 1 : index + 2]
        if here != "$" or not after:
            out.append(here)
            index += 1
        elif after == "$":
            out.append("$")
            index += 2
        elif after == "(" and ")" in text[index:]:
            name = text[index + 2 : text.index(")", index)]
            out.append(values.get(name, f"$({name})"))
            index = text.index(")", index) + 1
        else:
            out.append("$" + after)
            index += 2
    return "".join(out)


@given(st.text(alphabet="$(){}ab ", max_size=24))
@example("$$(a)")
@example("echo $(a) $${a} $")
def test_expansion_gives_back_what_compose_meant(text: str) -> None:
    assert expand(escape(text), {"a": "WRONG", "": "WRONG", "b": "WRONG"}) == text


def test_shell_variables_are_left_alone() -> None:
    assert escape("awk '{print $1}' $HOME ${HOME}") == "awk '{print $1}' $HOME ${HOME}"


@pytest.mark.parametrize(
    ("keys", "command", "args"),
    [
        ("command: echo $$(date) $$HOME", None, ["echo", "$$(date)", "$HOME"]),
        ("entrypoint: [sh, -c], command: ['echo $$$$(x)']", ["sh", "-c"], ["echo $$$$(x)"]),
        ("entrypoint: [], command: [run, x]", ["run", "x"], None),
        ("entrypoint: '', command: [run, x]", ["run", "x"], None),
        ("command: null", None, None),
        ("entrypoint: null, command: [x]", None, ["x"]),
    ],
)
def test_what_runs_is_what_compose_runs(
    keys: str, command: list[str] | None, args: list[str] | None, render_text: Callable[..., Any]
) -> None:
    container = render_text(f"services: {{a: {{image: x, {keys}}}}}").container("Deployment", "a")
    assert (container.get("command"), container.get("args")) == (command, args)


@pytest.mark.parametrize("keys", ["command: []", "command: ''", "entrypoint: []"])
def test_clearing_what_a_cluster_cannot_clear_is_told(keys: str, render_text: Callable[..., Any]) -> None:
    assert "not-expressible" in render_text(f"services: {{a: {{image: x, {keys}}}}}").codes()


def test_dollars_of_values_stay(render_text: Callable[..., Any]) -> None:
    text = "services: {a: {image: x, environment: {A: '$$(B)-$$$$-$$C', B: b}}}"
    env = render_text(text).container("Deployment", "a")["env"]
    assert env[0] == {"name": "A", "value": "$$(B)-$$$-$C"}
    assert expand(env[0]["value"], {"B": "b"}) == "$(B)-$$-$C"


def test_a_terminal_is_given_and_attaching_changes_nothing(render_text: Callable[..., Any]) -> None:
    result = render_text("services: {a: {image: x, tty: true, stdin_open: true, attach: false}}")
    container = result.container("Deployment", "a")
    assert (container["tty"], container["stdin"]) == (True, True)
    assert [found.severity.value for found in result.diagnostics] == ["note"]
