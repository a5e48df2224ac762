from __future__ import annotations

from leeward.render.writers.treediff import tree_differences

SECRET = """---
apiVersion: v1
kind: Secret
metadata:
  name: {{ "s" }}
data:
  a: Zmlyc3Q=
  b: |
    bG9uZw==

    bG9uZw==
  c: c2FtZQ==
type: Opaque
---
kind: ConfigMap
metadata:
  name: c
data:
  a: shown
"""


def diff(before: dict[str, str], after: dict[str, str]) -> list[str]:
    return list(tree_differences(before, after, names=("out", "rendered")))


def test_files_that_are_new_gone_or_otherwise_are_shown() -> None:
    lines = diff({"a": "1\n", "b": "1\n", "c": "1\n"}, {"b": "2\n", "c": "1\n", "d": "1\n"})
    heads = [line for line in lines if line.startswith(("---", "+++"))]
    assert heads == [
        "--- out/a",
        "+++ /dev/null",
        "--- out/b",
        "+++ rendered/b",
        "--- /dev/null",
        "+++ rendered/d",
    ]


def test_other_line_numbers_of_origins_are_no_difference() -> None:
    assert diff({"a": "# from compose.yaml:3 x\n"}, {"a": "# from compose.yaml:4 x\n"}) == []


def test_values_of_secrets_are_not_shown_only_that_they_changed() -> None:
    lines = diff({"s": SECRET}, {"s": SECRET.replace("Zmlyc3Q=", "c2Vjb25k").replace("bG9uZw==", "c2hvcnQ=")})
    changed = [line for line in lines if line[0] in "+-"][2:]
    assert changed == [
        "-  a: '*** (before)'",
        "-  b: '*** (before)'",
        "+  a: '*** (after)'",
        "+  b: '*** (after)'",
    ]
    assert not any(
        word in line for line in lines for word in ("Zmlyc3Q", "c2Vjb25k", "bG9uZw", "c2hvcnQ", "c2FtZQ")
    )


def test_values_of_a_new_or_removed_secret_are_not_shown() -> None:
    for lines in (diff({}, {"s": SECRET}), diff({"s": SECRET}, {})):
        assert any("shown" in line for line in lines)
        assert not any("Zmlyc3Q" in line or "bG9uZw" in line for line in lines)
