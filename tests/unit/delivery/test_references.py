"""How image references are read."""

from __future__ import annotations

import pytest

from leeward.base.errors import UserInputError
from leeward.delivery.images.references import Reference, parse_reference, without_tls

DIGEST = f"sha256:{'a1' * 32}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nginx", Reference("nginx", "docker.io", "library/nginx", "latest")),
        ("nginx:1.27", Reference("nginx", "docker.io", "library/nginx", "1.27")),
        ("grafana/loki", Reference("grafana/loki", "docker.io", "grafana/loki", "latest")),
        ("index.docker.io/a/b", Reference("index.docker.io/a/b", "docker.io", "a/b", "latest")),
        ("docker.io/nginx", Reference("docker.io/nginx", "docker.io", "library/nginx", "latest")),
        ("ghcr.io/a/b/c:X_1.y", Reference("ghcr.io/a/b/c", "ghcr.io", "a/b/c", "X_1.y")),
        ("localhost/web", Reference("localhost/web", "localhost", "web", "latest")),
        ("reg:5000/web:1", Reference("reg:5000/web", "reg:5000", "web", "1")),
        ("[::1]:5000/web", Reference("[::1]:5000/web", "[::1]:5000", "web", "latest")),
        (f"r.io/web@{DIGEST}", Reference("r.io/web", "r.io", "web", "", DIGEST)),
        (f"r.io/web:1@{DIGEST}", Reference("r.io/web", "r.io", "web", "1", DIGEST)),
        ("my__app/a-b.c", Reference("my__app/a-b.c", "docker.io", "my__app/a-b.c", "latest")),
    ],
)
def test_a_reference_is_read_as_docker_reads_it(text: str, expected: Reference) -> None:
    assert parse_reference(text) == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is no image"),
        ("Web", "'Web' is no name of a repository"),
        ("r.io/", "is no image"),
        ("r.io/a//b", "is no name"),
        ("web:", "'' is no tag"),
        ("web:a b", "is no tag"),
        ("web:ünter", "is no tag"),
        (f"web:{'x' * 129}", "is no tag"),
        ("web@sha256:abc", "after @ comes"),
        (f"web@{DIGEST.upper()}", "after @ comes"),
        ("a1" * 32, "is no image"),
        (f"r.io/{'x' * 300}", "is no image"),
        ("-bad.io/web", "is no image"),
        ("https://r.io/web", "is no image"),
        ("web\n", "is no name"),
        ("web:1\n", "is no tag"),
    ],
)
def test_what_is_no_reference_is_refused(text: str, why: str) -> None:
    with pytest.raises(UserInputError, match=why):
        parse_reference(text)


def test_upper_case_is_told_as_such() -> None:
    with pytest.raises(UserInputError) as caught:
        parse_reference("ghcr.io/Acme/web")
    assert "lower case" in caught.value.remedy


def test_a_pinned_reference_has_no_tag() -> None:
    assert parse_reference("reg:5000/web:1.2").pinned(DIGEST) == f"reg:5000/web@{DIGEST}"


@pytest.mark.parametrize(
    "registry", ["localhost", "localhost:5000", "127.0.0.1:5000", "[::1]:5000", "r.lan:1"]
)
def test_tls_is_left_out_on_this_machine_and_where_it_is_said(registry: str) -> None:
    assert without_tls(registry, {"r.lan:1"})


@pytest.mark.parametrize(
    "registry", ["localhost.example.com", "10.0.0.1:5000", "r.lan", "docker.io", "127.0.0.1.nip.io"]
)
def test_all_others_are_spoken_to_with_tls(registry: str) -> None:
    assert not without_tls(registry, {"r.lan:1"})
