"""Taking secrets out of texts, and leaving everything else where it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leeward.base.errors import UserInputError
from leeward.compose.dump import to_document
from leeward.delivery.records import canonical
from leeward.delivery.releases.opening import load_bundle
from leeward.delivery.releases.redact import HOW, Redacted, Text, redact
from tests.unit.delivery.releasing import made, recorded, write


def taken(text: str, *, dotenv: bool = False, raw: bool = False, **variables: str) -> Redacted:
    name = "app.env" if dotenv else "compose.yaml"
    return redact({name: Text(text, dotenv, raw, ("web",) if dotenv else ())}, variables)


def result(text: str, *, dotenv: bool = False, raw: bool = False) -> str:
    (found,) = taken(text, dotenv=dotenv, raw=raw).texts.values()
    return found.replace(f":?{HOW}}}", "}")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("A_TOKEN: abc # why\n", 'A_TOKEN: "${A_TOKEN}" # why\n'),
        ("A_TOKEN: 'a''b'\n", 'A_TOKEN: "${A_TOKEN}"\n'),
        ("A_TOKEN:   0123\n", 'A_TOKEN:   "${A_TOKEN}"\n'),
        ("A_TOKEN: !!str abc\n", 'A_TOKEN: !!str "${A_TOKEN}"\n'),
        ("A_TOKEN: &a abc\nB: *a\n", 'A_TOKEN: &a "${A_TOKEN}"\nB: *a\n'),
        ("A_TOKEN: |\n  one\n  two\n\nB: 1\n", 'A_TOKEN: "${A_TOKEN}"\n\n\n\nB: 1\n'),
        ("A_TOKEN: >-\n  one\n\n  two\nB: 1\n", 'A_TOKEN: "${A_TOKEN}"\n\n\n\nB: 1\n'),
        ('A_TOKEN: "one\n  two"\nB: 1\n', 'A_TOKEN: "${A_TOKEN}"\n\nB: 1\n'),
        ("A_TOKEN: one\n  two\nB: 1\n", 'A_TOKEN: "${A_TOKEN}"\n\nB: 1\n'),
        ("A_TOKEN: abc\r\nB: é\r\n", 'A_TOKEN: "${A_TOKEN}"\r\nB: é\r\n'),
        ("- A_TOKEN=abc\n- B=1\n", '- "A_TOKEN=${A_TOKEN}"\n- B=1\n'),
        ("[A_TOKEN=abc, 'B=1']\n", "[\"A_TOKEN=${A_TOKEN}\", 'B=1']\n"),
        ("{A_TOKEN: abc, B: 1}\n", '{A_TOKEN: "${A_TOKEN}", B: 1}\n'),
        ("A_TOKEN: ${A_TOKEN:-abc}\n", 'A_TOKEN: "${A_TOKEN}"\n'),
        ("A_TOKEN: true\n", "A_TOKEN: true\n"),
        ("A_TOKEN:\n", "A_TOKEN:\n"),
        ("B: é😀 # abc\n", "B: é😀 # abc\n"),
    ],
)
def test_a_value_of_yaml_is_taken_out_in_place(before: str, after: str) -> None:
    def within(value: str) -> str:
        lines = value.splitlines(keepends=True)
        return "services:\n  web:\n    environment:\n" + "".join(
            f"      {line}" if line.strip() else line for line in lines
        )

    assert result(within(before)) == within(after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("A_TOKEN=abc # why\nB=1\n", "A_TOKEN=${A_TOKEN} # why\nB=1\n"),
        ("export A_TOKEN='a$b'\n", "export A_TOKEN=${A_TOKEN}\n"),
        ('A_TOKEN="one\ntwo"\nB=1\n', "A_TOKEN=${A_TOKEN}\n\nB=1\n"),
        ("U=http://a:${PW:-abc}@b # why\n", "U=http://a:${PW}@b # why\n"),
        ('U="http://a:${PW:-abc}@b"\n', 'U="http://a:${PW}@b"\n'),
        ("\ufeffA_TOKEN=abc\n", "\ufeffA_TOKEN=${A_TOKEN}\n"),
        ("A_TOKEN\n# B_TOKEN=abc\n", "A_TOKEN\n# B_TOKEN=abc\n"),
    ],
)
def test_a_value_of_a_file_of_variables_is_taken_out_in_place(before: str, after: str) -> None:
    assert result(before, dotenv=True) == after


def test_a_file_without_quotes_and_variables_hands_the_variable_through() -> None:
    assert result("A_TOKEN=a b\nB=1\n", dotenv=True, raw=True) == "A_TOKEN\nB=1\n"


def test_services_with_different_values_get_names_of_their_own() -> None:
    text = """
services:
  web: {environment: {A_TOKEN: one, B_TOKEN: same}}
  web-2: {environment: {A_TOKEN: two, B_TOKEN: same}, build: {context: ., args: {A_TOKEN: three}}}
"""
    found = taken(text)

    assert [*found.secrets] == ["B_TOKEN", "WEB_2_A_TOKEN", "WEB_2_A_TOKEN_2", "WEB_A_TOKEN"]
    assert found.values == {
        "WEB_A_TOKEN": "one", "B_TOKEN": "same", "WEB_2_A_TOKEN": "two", "WEB_2_A_TOKEN_2": "three",
    }  # fmt: skip


def test_a_value_does_not_take_the_name_of_a_variable_that_is_used() -> None:
    found = taken("services: {a: {environment: {X_TOKEN: abc}}, b: {environment: ['Y=${X_TOKEN}']}}\n")

    assert [*found.secrets] == ["A_X_TOKEN", "X_TOKEN"]


def test_a_default_that_a_variable_of_this_machine_overrides_is_not_its_value() -> None:
    found = taken("services: {a: {environment: {X_TOKEN: '${X_TOKEN:-abc}'}}}\n", X_TOKEN="mine")

    assert found.values == {"X_TOKEN": "mine"}


def test_merge_keys_and_anchors_are_seen_where_they_are_written() -> None:
    text = """
x-env: &env
  A_TOKEN: abc
services:
  web: {environment: {<<: *env, B: 1}}
  api: {environment: *env}
"""
    found = taken(text)

    assert found.texts["compose.yaml"] == text.replace("abc", f'"${{A_TOKEN:?{HOW}}}"')
    assert found.secrets["A_TOKEN"].places == ("compose.yaml:3",)


def test_several_documents_and_a_password_in_a_command() -> None:
    command = "|\n      run http://a:abc@b\n      and http://a:abd@b\n"
    found = result(f"services:\n  web:\n    command: {command}---\nx-y: {{T_TOKEN: z}}\n")

    assert "run http://a:${WEB_URL_PASSWORD}@b\n      and http://a:${WEB_URL_PASSWORD_2}@b" in found
    assert found.endswith('---\nx-y: {T_TOKEN: "${T_TOKEN}"}\n')


def test_settings_of_leeward_and_names_of_secrets_stay() -> None:
    text = "services: {web: {x-leeward: {tls: {secret: certificate}}, secrets: [api_token]}}\n"

    assert result(text) == text


def test_variables_of_secrets_are_known_and_the_others_too() -> None:
    text = """
services:
  web:
    image: "web:${TAG}"
    environment: [DB_PASSWORD, LEVEL, "URL=${DATABASE_URL:-}", "HOME=${HOME}"]
secrets: {token: {environment: THE_ONE}}
"""
    found = taken(text, DATABASE_URL="postgres://a:b@c", TAG="7")

    assert {name: use.required for name, use in found.secrets.items()} == {
        "DB_PASSWORD": True, "DATABASE_URL": False, "THE_ONE": True,
    }  # fmt: skip
    assert found.used == {"TAG", "LEVEL"}


def test_two_files_without_variables_cannot_have_one_name_for_two_values() -> None:
    texts = {name: Text(f"A_TOKEN={name}\n", True, True) for name in ("a.env", "b.env")}

    with pytest.raises(UserInputError, match=r"b\.env:1: A_TOKEN has another value"):
        redact(texts, {})


# Values that nothing else in a project looks like.
VALUES = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Co")), max_size=12).map(
    lambda text: f"q7#{text}Zx"
)
NAMES = st.sampled_from(("A_TOKEN", "DB_PASSWORD", "API_KEY", "CACHE_URL"))
STYLES = st.sampled_from(("plain", "map", "list", "default", "block", "args", "file"))


def _service(name: str, variable: str, value: str, style: str, files: dict[str, str | bytes]) -> str:
    if variable == "CACHE_URL":
        value = "redis://u:" + "".join(each for each in value if each.isalnum()) + "@cache"
    escaped = value.replace("$", "$$")
    quoted = json.dumps(escaped, ensure_ascii=False).replace("\x85", " ")
    if style == "list":
        entry = json.dumps(f"{variable}={escaped}", ensure_ascii=False)
        return f"  {name}:\n    image: x\n    environment: [{entry}]\n"
    if style == "block":
        block = f"{variable}: |-\n        {escaped}\n      B: 1\n"
        return f"  {name}:\n    image: x\n    environment:\n      {block}"
    if style == "args":
        return f"  {name}:\n    build: {{context: ., args: {{{variable}: {quoted}}}}}\n"
    if style == "default" and "}" not in value and "$" not in value:
        entry = json.dumps(f"${{{name}_{variable}:-{value}}}", ensure_ascii=False)
        return f"  {name}:\n    image: x\n    environment: {{{variable}: {entry}}}\n"
    if style == "file" and "'" not in value and "\\" not in value:
        files[f"{name}.env"] = f"B=1\n{variable}='{value}'\n"
        return f"  {name}:\n    image: x\n    env_file: {name}.env\n"
    return f"  {name}:\n    image: x\n    environment: {{{variable}: {quoted}}}\n"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(NAMES, VALUES, STYLES), min_size=1, max_size=4))
def test_no_secret_is_in_a_release_and_with_them_it_is_the_same_project(
    tmp_path: Path, entries: list[tuple[str, str, str]]
) -> None:
    files: dict[str, str | bytes] = {}
    text = "services:\n"
    for number, (variable, value, style) in enumerate(entries):
        text += _service(f"s{number}", variable, value, style, files)
    write(tmp_path, {"compose.yaml": text, "Dockerfile": "FROM scratch\n", **files})

    release = made(tmp_path)
    before = recorded(tmp_path).project
    values = {name: value.decode() for name, value in release.values.items()}
    content = canonical(release.bundle.to_content()).decode()
    secrets = {
        str(value)
        for service in before.services.values()
        for value in (*service.environment.values(), *(service.build.args.values() if service.build else ()))
        if value != "1"
    }
    assert len(secrets) >= 1
    assert [value for value in secrets if json.dumps(value, ensure_ascii=False)[1:-1] in content] == []
    after = load_bundle(release.bundle, values).project
    assert to_document(after) == to_document(before)
