"""Which parts of a value with variables are secret."""

from __future__ import annotations

import pytest

from leeward.delivery.releases.concealing import conceal


def parts(text: str, name: str | None = None) -> list[tuple[str, str]]:
    return [(text[slot.start : slot.end], slot.base) for slot in conceal(text, name).slots]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("DB_PASSWORD", "abc"),
        ("API_KEY", "pa$$word"),
        ("API_KEY", "key-${STAGE}"),
        ("TOKEN", "${A:+abc}"),
        ("DATABASE_URL", "postgres://shop:abc@db/shop"),
        ("DATABASE_URL", "postgres://shop:p@ss@db/shop"),
    ],
)
def test_what_is_written_is_taken_out_as_a_whole(name: str, text: str) -> None:
    assert parts(text, name) == [(text, name)]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("DB_PASSWORD", "true"),
        ("DB_PASSWORD", ""),
        ("DB_PASSWORD", "/run/secrets/db"),
        ("DB_PASSWORD", "/run/secrets/${NAME}"),
        ("DB_PASSWORD_FILE", "/etc/password"),
        ("DB_PASSWORD", "${DB_PASSWORD}"),
        ("DB_PASSWORD", "${DB_PASSWORD:?it has none}"),
        ("DB_PASSWORD", "${DB_PASSWORD:-}"),
        ("DATABASE_URL", "postgres://shop:${PGPW}@db/shop"),
        ("HOST", "db"),
        (None, "redis-server --port 1"),
        (None, "${broken"),
    ],
)
def test_what_is_no_secret_stays(name: str | None, text: str) -> None:
    assert parts(text, name) == []


@pytest.mark.parametrize(
    ("name", "text", "taken", "variable"),
    [
        ("DB_PASSWORD", "${PW:-abc}", "${PW:-abc}", "PW"),
        ("DB_PASSWORD", "${PW-abc}", "${PW-abc}", "PW"),
        ("DB_PASSWORD", "${A:-${B:-abc}}", "${B:-abc}", "B"),
        ("DATABASE_URL", "postgres://shop:${PW:-abc}@db", "${PW:-abc}", "PW"),
        ("DB_URL", "${DB_URL:-postgres://a:b@c}", "${DB_URL:-postgres://a:b@c}", "DB_URL"),
        (None, "redis-server --pass ${REDIS_PASSWORD:-abc}", "${REDIS_PASSWORD:-abc}", "REDIS_PASSWORD"),
        (None, "${FLAGS:---auth ${REDIS_PASSWORD:-abc}}", "${REDIS_PASSWORD:-abc}", "REDIS_PASSWORD"),
        (None, "run --db=postgres://shop:abc@db/x", "abc", "URL_PASSWORD"),
    ],
)  # fmt: skip
def test_only_what_is_secret_is_taken_out(name: str | None, text: str, taken: str, variable: str) -> None:
    assert parts(text, name) == [(taken, variable)]


def test_variables_that_bring_secrets_are_known() -> None:
    found = conceal("postgres://a:${A}@b ${C_TOKEN:-} ${D_TOKEN} ${E}")

    assert [*found.required] == ["A", "D_TOKEN"]
    assert [*found.optional] == ["C_TOKEN"]
