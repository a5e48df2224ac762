from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.unit.compose.conftest import Workspace


def test_dot_env_is_under_the_environment(workspace: Workspace) -> None:
    workspace.write({".env": "A=file\nB=file\n"})
    workspace.environment["A"] = "environment"
    result = workspace.load(workspace.around('hostname: "$A-$B"'))
    assert result.project.services["web"].hostname == "environment-file"
    assert result.environment["B"] == "file"


def test_named_env_files_replace_dot_env_and_later_ones_win(workspace: Workspace) -> None:
    workspace.write({".env": "C=dot", "one.env": "A=1\nB=1", "two.env": "B=2$A"})
    service = workspace.project(
        workspace.around('hostname: "$A-$B-${C:-none}"'), env_files=["one.env", "two.env"]
    ).services["web"]
    assert service.hostname == "1-21-none"


def test_a_named_env_file_that_is_missing_is_refused(workspace: Workspace) -> None:
    error = workspace.error(workspace.around(""), env_files=["nope.env"])
    assert error == (
        'error: The environment file "nope.env" does not exist. Correct --env-file, or create the file.'
    )


def test_an_unset_variable_is_empty_with_one_warning(workspace: Workspace) -> None:
    result = workspace.load(workspace.around('hostname: "a$NOPE"\ndomainname: "$NOPE"'))
    assert result.project.services["web"].hostname == "a"
    assert [str(found) for found in result.diagnostics] == [
        "compose.yaml:4: warning: services.web.hostname: The variable NOPE is not set; "
        "an empty string is used. Set it, or write ${NOPE:-default}."
    ]


def test_all_missing_required_variables_are_reported(workspace: Workspace) -> None:
    found = workspace.errors(
        workspace.around('hostname: ${A:?host needed}\nenvironment: ["B=${B?}"]\nports: ["${P:?}:80"]')
    )
    assert [str(each) for each in found] == [
        "compose.yaml:4: error: services.web.hostname: The required variable A is not set: host needed. "
        "Set A in the environment, in .env or in a file given with --env-file.",
        "compose.yaml:5: error: services.web.environment[0]: The required variable B is not set. "
        "Set B in the environment, in .env or in a file given with --env-file.",
        "compose.yaml:6: error: services.web.ports[0]: The required variable P is not set. "
        "Set P in the environment, in .env or in a file given with --env-file.",
    ]


def test_substituted_values_become_what_their_key_needs(workspace: Workspace) -> None:
    workspace.environment.update(N="3", YES="yes", PORT="8080")
    service = workspace.web(
        'scale: $N\nprivileged: $YES\nports: [{target: $PORT, published: "$N"}]\ncpus: $N'
    )
    assert (service.scale, service.privileged, service.cpus) == (3, True, 3.0)
    assert (service.ports[0].target, service.ports[0].published) == (8080, "3")


def test_keys_are_never_substituted(workspace: Workspace) -> None:
    workspace.environment["K"] = "k"
    assert workspace.web("labels: {$K: $K}").labels == {"$K": "k"}


def test_env_file_is_under_environment(workspace: Workspace) -> None:
    workspace.write({"one.env": "A=1\nB=1\nH=$HOST", "two.env": "B=2\nC='$X'"})
    workspace.environment.update(HOST="h", TAKEN="t")
    service = workspace.web(
        "env_file: [one.env, {path: two.env}, {path: no.env, required: false}]\n"
        "environment: [C=3, TAKEN, GONE]"
    )
    assert service.environment == {"A": "1", "B": "2", "H": "h", "C": "3", "TAKEN": "t", "GONE": None}
    assert [entry.required for entry in service.env_file] == [True, True, False]


def test_a_raw_env_file_is_taken_as_it_is(workspace: Workspace) -> None:
    workspace.write({"raw.env": "A='$X' # y"})
    assert workspace.web("env_file: [{path: raw.env, format: raw}]").environment == {"A": "'$X' # y"}


def test_a_missing_env_file_is_reported_where_it_is_written(workspace: Workspace) -> None:
    error = workspace.error(workspace.around("env_file:\n  - a.env"))
    assert error.startswith(
        'compose.yaml:5: error: services.web.env_file[0]: The environment file "a.env" does not exist.'
    )


def test_a_bad_line_of_an_env_file_is_reported_with_its_line(workspace: Workspace) -> None:
    workspace.write({"a.env": "A=1\nnot a pair\n"})
    assert workspace.error(workspace.around("env_file: a.env")).startswith("a.env:2: error: ")


def test_label_files_are_under_labels(workspace: Workspace) -> None:
    workspace.write({"l": "a=1\nb=1"})
    assert workspace.web("label_file: l\nlabels: {b: 2}").labels == {"a": "1", "b": "2"}


def test_configs_and_secrets_can_come_from_variables(workspace: Workspace) -> None:
    workspace.environment["TOKEN"] = "t"
    result = workspace.load(
        workspace.around("", "secrets: {a: {environment: TOKEN}, b: {environment: NOPE}, c: {file: ./c}}")
    )
    secrets = result.project.secrets
    assert (secrets["a"].content, secrets["b"].content) == ("t", None)
    assert secrets["c"].file == str(workspace.root / "c")
    assert [found.path for found in result.diagnostics] == ["secrets.b"]
