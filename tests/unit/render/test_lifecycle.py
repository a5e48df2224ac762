from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any

import pytest

Render = Callable[..., Any]
HOOKS = """
    services:
      a:
        image: x
        ports: ["80:80"]
        {command}
        post_start: [{{command: [warm, "$$(up)"]}}]
        pre_stop:
          - {{command: [echo, "it's"], environment: {{A: "b c"}}, working_dir: /tmp}}
          - {{command: [sh, -c, 'echo "$$A-"']}}
"""


def lifecycle(result: Any) -> Any:
    return result.container("Deployment", "a")["lifecycle"]


def test_a_hook_is_run_as_it_is_written(render_text: Render) -> None:
    hooks = lifecycle(render_text(HOOKS.format(command="")))
    assert hooks["postStart"] == {"exec": {"command": ["warm", "$(up)"]}}  # a kubelet expands no hooks


def test_hooks_run_one_after_another_each_in_its_own_place(render_text: Render) -> None:
    command = lifecycle(render_text(HOOKS.format(command="x-leeward: {graceSeconds: 0}")))["preStop"]["exec"][
        "command"
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={}, cwd="/")
    assert done.stdout == "it's\n-\n"


def test_where_there_is_a_shell_a_hook_comes_after_the_drain(render_text: Render) -> None:
    result = render_text(HOOKS.format(command="command: [sh, -c, run]"), environment="production")
    assert lifecycle(result)["preStop"]["exec"]["command"][2].startswith("sleep 10; ")
    assert "no-drain" not in result.codes()


def test_without_a_shell_a_hook_takes_the_place_of_the_drain(render_text: Render) -> None:
    text = "services: {a: {image: x, ports: ['80:80'], pre_stop: [{command: [bye]}]}}"
    result = render_text(text)
    assert lifecycle(result)["preStop"] == {"exec": {"command": ["bye"]}}
    assert "no-drain" in result.codes()


@pytest.mark.parametrize("seconds", [0, 25])
def test_the_drain_can_be_chosen(seconds: int, render_text: Render) -> None:
    text = f"services: {{a: {{image: x, ports: ['80:80'], x-leeward: {{graceSeconds: {seconds}}}}}}}"
    pod = render_text(text).pod("Deployment", "a")
    assert pod["terminationGracePeriodSeconds"] == 10 + seconds
    drain = pod["containers"][0].get("lifecycle", {}).get("preStop")
    assert drain == ({"sleep": {"seconds": seconds}} if seconds else None)


def test_a_hook_with_another_user_is_told_that_it_has_none(render_text: Render) -> None:
    result = render_text("services: {a: {image: x, post_start: [{command: [x], user: root}]}}")
    assert "services.a.post_start[0]" in {each.path for each in result.diagnostics}
