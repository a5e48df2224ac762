"""``leeward env`` and its neighbours, as far as no cluster is needed: values, wrong input, refusals."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from leeward.base.errors import OperationError, UserInputError
from leeward.cli.envvalues import parse_values, shown_value
from leeward.cli.hubaccess import refusals_explained
from leeward.kube.status import ForbiddenError, NotFoundError, UnauthorizedError

Tool = Callable[..., tuple[int, str, str]]
CONFIG = """
app: shop
environments:
  ci: {}
  qa: {from: ci, variables: {LEVEL: info}}
"""


@pytest.fixture(autouse=True)
def project() -> None:
    """Write a project with a leeward.yaml into the working directory."""
    Path("compose.yaml").write_text("services: {web: {image: x}}\n")
    Path("leeward.yaml").write_text(CONFIG)


def pipe(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


def test_values_are_written_or_in_files_or_piped(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("key.pem").write_bytes(b"\xffkey\n")
    pipe(monkeypatch, b"two\nlines\n")
    assert parse_values(["A=1", "B==", "C=@@x", "api-token=@key.pem", "D=-", "E="]) == {
        "A": b"1",
        "B": b"=",
        "C": b"@x",
        "api-token": b"\xffkey\n",
        "D": b"two\nlines",
        "E": b"",
    }


def test_a_name_alone_is_asked_for_without_showing_what_is_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, bool]] = []

    def prompt(text: str, *, hide_input: bool, err: bool) -> str:
        asked.append((text, hide_input))
        return "hunter2"

    monkeypatch.setattr("typer.prompt", prompt)
    monkeypatch.setattr(sys, "stdin", type("Terminal", (), {"isatty": lambda self: True})())
    assert parse_values(["TOKEN"]) == {"TOKEN": b"hunter2"}
    assert asked == [("Value of TOKEN", True)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["=x"], "has no name before the ="),
        (["A B=1"], "cannot be the name of a variable or secret"),
        (["A=1", "A=2"], "A is given twice"),
        (["A=@missing"], "A: missing cannot be read: No such file or directory"),
        (["A=-", "B=-"], "only one value can come from standard input"),
        (["TOKEN"], "TOKEN has no value, and there is no terminal to ask on"),
    ],
)
def test_what_is_no_value_is_told_with_the_remedy(
    arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe(monkeypatch, b"")
    with pytest.raises(UserInputError) as caught:
        parse_values(arguments)
    assert message in str(caught.value)
    assert caught.value.remedy


def test_values_that_are_no_text_are_shown_by_their_size() -> None:
    assert (shown_value("ü".encode()), shown_value(b"\xff\xfe")) == ("ü", "<2 bytes>")


REFUSED = (
    'secrets is forbidden: User "jane" cannot create resource "secrets" in API group "" '
    'in the namespace "shop-production"'
)
STATUS = (
    'environments.leeward.dev "qa" is forbidden: User "jane" cannot patch resource "environments/status" '
    'in API group "leeward.dev" in the namespace "leeward-shop"'
)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ForbiddenError(REFUSED), "jane may not create secrets in the namespace shop-production"),
        (
            ForbiddenError(STATUS),
            "jane may not patch environments.leeward.dev/status in the namespace leeward-shop",
        ),
        (ForbiddenError("jane may not promote: qa"), "not allowed: jane may not promote: qa"),
        (UnauthorizedError("Unauthorized"), "the cluster does not know you: Unauthorized"),
        (NotFoundError("no such thing"), "the cluster of qa does not have that: no such thing"),
    ],
)
def test_what_the_cluster_refuses_is_told_with_who_can_change_it(error: Exception, message: str) -> None:
    with pytest.raises(OperationError) as caught, refusals_explained("qa"):
        raise error
    assert str(caught.value) == message
    assert caught.value.remedy


@pytest.mark.parametrize(
    "command",
    [
        "env set A=1 --env nowhere",
        "env unset A --env nowhere",
        "env import compose.yaml --env nowhere",
        "env list --env nowhere",
        "env history --env nowhere",
        "env apply nowhere",
        "lock nowhere --reason x",
        "unlock nowhere",
        "history nowhere",
        "audit list --env nowhere",
        "audit verify --env nowhere",
        "access matrix --env nowhere",
    ],
)
def test_an_unknown_environment_is_told_with_those_there_are(tool: Tool, command: str) -> None:
    code, out, err = tool(*command.split())
    assert (code, out) == (2, "")
    assert "there is no environment 'nowhere'" in err
    assert "leeward.yaml has ci, qa." in err


@pytest.mark.parametrize(
    "command",
    [
        *("env set A=1 --env qa", "env list", "env apply --yes", "lock qa --reason x", "unlock qa"),
        *("history", "audit list", "audit verify", "access matrix"),
    ],
)
def test_a_cluster_that_does_not_run_is_told_with_the_remedy(tool: Tool, command: str) -> None:
    code, _, err = tool(*command.split())
    assert code == 1
    assert "leeward cluster start" in err


@pytest.mark.parametrize("command", ["env list", "history", "audit verify", "access matrix", "env apply"])
def test_without_a_leeward_yaml_there_are_no_environments(tool: Tool, command: str) -> None:
    Path("leeward.yaml").unlink()
    code, _, err = tool(*command.split())
    assert code == 2
    assert "`leeward init` writes one" in err


def test_environments_that_go_in_a_circle_or_come_from_nowhere_are_refused(tool: Tool) -> None:
    Path("leeward.yaml").write_text("environments:\n  ci: {from: qa}\n  qa: {from: ci}\n  x: {from: qq}\n")
    code, _, err = tool("env", "apply", "--yes")
    assert code == 2
    assert "leeward.yaml:2" in err
    assert "Releases would go round in a circle" in err
    assert 'leeward.yaml:4: error: environments.x.from: There is no environment "qq".' in err


def test_what_looks_secret_is_refused_before_a_cluster_is_asked(tool: Tool) -> None:
    Path("qa.env").write_text("A=1\nAPI_KEY=abcdef\n")
    Path("leeward.yaml").write_text(
        "environments:\n  qa:\n    env_file: qa.env\n    variables: {MY_TOKEN: abc}\n"
    )
    code, _, err = tool("env", "apply", "--yes")
    assert code == 2
    assert "leeward.yaml:4: error: environments.qa.variables.MY_TOKEN: MY_TOKEN looks secret" in err
    assert "qa.env:2: error: API_KEY: API_KEY looks secret" in err
    assert "leeward env set API_KEY --env qa" in err


def test_a_file_to_import_may_have_mistakes_which_are_told_with_their_line(tool: Tool) -> None:
    Path("bad.env").write_text("A=1\nnot a line\n")
    code, _, err = tool("env", "import", "bad.env", "--env", "qa")
    assert code == 2
    assert "bad.env:2" in err
    code, _, err = tool("env", "import", "gone.env", "--env", "qa")
    assert code == 2
    assert "gone.env cannot be read: No such file or directory" in err


@pytest.mark.parametrize("since", ["x", "-1h", "", "1y"])
def test_since_wants_a_duration(tool: Tool, since: str) -> None:
    code, _, err = tool("audit", "list", f"--since={since}")
    assert code == 2
    assert "is no duration" in err


def test_a_lock_wants_a_reason(tool: Tool) -> None:
    code, _, err = tool("lock", "qa", "--reason", " ")
    assert code == 2
    assert "a lock needs a reason" in err
