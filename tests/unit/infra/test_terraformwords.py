"""What Terraform says, in people's words: its steps, its errors with their place, and what to do."""

from __future__ import annotations

import json
from typing import Any

import pytest

from leeward.base.diagnostics import Diagnostic, Location, Severity
from leeward.infra.terraformerrors import known_error, needs_init, remedy_for
from leeward.infra.terraformwords import Step, parse_line, told


def _line(kind: str, **more: Any) -> str:
    return json.dumps({"@level": "info", "@message": "", "type": kind, **more})


def _hook(action: str, seconds: int | None = None) -> dict[str, Any]:
    resource = {
        "addr": 'module.node_groups.aws_eks_node_group.this["general-a"]',
        "module": "module.node_groups",
        "resource_type": "aws_eks_node_group",
        "resource_name": "this",
        "resource_key": "general-a",
    }
    return {
        "resource": resource,
        "action": action,
        **({} if seconds is None else {"elapsed_seconds": seconds}),
    }


@pytest.mark.parametrize(
    ("line", "step"),
    [
        (_line("apply_start", hook=_hook("create")), ("start", "create", 0)),
        (_line("apply_progress", hook=_hook("create", 20)), ("going", "create", 20)),
        (_line("apply_complete", hook=_hook("update", 98)), ("done", "update", 98)),
        (_line("apply_errored", hook=_hook("delete", 3)), ("failed", "delete", 3)),
    ],
)
def test_steps_of_an_apply_are_read(line: str, step: tuple[str, str, int]) -> None:
    kind, action, seconds = step

    assert parse_line(line) == Step(kind, 'node_groups.eks_node_group["general-a"]', action, seconds)


@pytest.mark.parametrize(
    "line", ["", "Terraform has crashed", "[1]", _line("version"), _line("refresh_start")]
)
def test_other_lines_tell_nothing(line: str) -> None:
    assert parse_line(line) is None


def test_an_error_keeps_its_place_and_its_words() -> None:
    said = {
        "severity": "error",
        "summary": "Unsupported argument",
        "detail": 'An argument named "nmae" is not\nexpected here.',
        "range": {"filename": "extra.tf", "start": {"line": 3, "column": 1, "byte": 9}},
    }

    assert parse_line(_line("diagnostic", diagnostic=said)) == Diagnostic(
        path="",
        location=Location("extra.tf", 3),
        code="terraform",
        severity=Severity.ERROR,
        message='Unsupported argument: An argument named "nmae" is not expected here.',
    )


def test_a_warning_is_no_error() -> None:
    found = told({"severity": "warning", "summary": "Deprecated", "detail": "", "address": "aws_vpc.this"})

    assert (found.severity, found.message, found.path) == (Severity.WARNING, "Deprecated", "aws_vpc.this")


_LOCKED = """\
Error acquiring the state lock: Error message: operation error S3: PutObject, StatusCode: 412
Lock Info:
  ID:        5d7e3a86-1f3b-9a07-21a4-c9ad0ff0b4f7
  Path:      acme-terraform-state/clusters/prod-use1/terraform.tfstate
  Operation: OperationTypeApply
  Who:       kim@ci-7
  Version:   1.11.4
  Created:   2026-11-28 09:12:11.52 +0000 UTC
  Info:
"""


def test_whoever_holds_the_lock_is_named_with_the_way_out() -> None:
    remedy = remedy_for(_LOCKED)

    assert remedy.startswith("kim@ci-7 has locked the state since 2026-11-28 (OperationTypeApply).")
    assert "terraform force-unlock 5d7e3a86-1f3b-9a07-21a4-c9ad0ff0b4f7" in remedy
    assert remedy_for(" ".join(_LOCKED.split())) == remedy


@pytest.mark.parametrize(
    ("message", "words", "is_input"),
    [
        ("AWS account ID not allowed: 123456789012", "account.id", True),
        ("api error ExpiredToken: The security token included is old", "aws sso login", True),
        ("failed to refresh cached SSO token", "aws sso login", True),
        ("No valid credential sources found", "AWS_PROFILE", True),
        (
            "api error AccessDenied: User: arn:aws:iam::1:user/kim is not authorized to perform: "
            "eks:CreateCluster on resource: arn:aws:eks:us-east-1:1:cluster/prod",
            "the action eks:CreateCluster",
            False,
        ),
        ("UnauthorizedOperation: You are not authorized to perform this operation.", "IAM", False),
        ("Backend configuration changed: A change in the backend", "-migrate-state", True),
        ("Failed to get existing workspaces: S3 bucket \"acme\" does not exist.", "bucket", True),
        ("Failed to query available provider packages: Could not retrieve", "plugin-dir", True),
        ("Unsupported Terraform Core version", "1.10", True),
        ("Saved plan is stale", "leeward infra plan", True),
        ("ResourceInUseException: Cluster already exists with name: prod", "terraform import", False),
        ("VpcLimitExceeded: The maximum number of VPCs has been reached.", "quota", False),
        ("PodEvictionFailure: Reached max retries while trying to evict pods", "disruption budget", False),
        ("NodeCreationFailure: Instances failed to join the kubernetes cluster", "way out", False),
        ("DependencyViolation: The subnet has dependencies", "Ingresses", False),
        ("ThrottlingException: Rate exceeded", "goes on where it was", False),
        ("dial tcp: lookup sts.us-east-1.amazonaws.com: no such host", "HTTPS_PROXY", False),
    ],
)  # fmt: skip
def test_errors_that_are_known_come_with_what_to_do(message: str, words: str, is_input: bool) -> None:
    known = known_error(message)

    assert known is not None
    assert words in remedy_for(message)
    assert known.is_input == is_input


def test_an_error_that_is_not_known_has_no_remedy() -> None:
    assert remedy_for("Something odd") == ""


@pytest.mark.parametrize(
    ("message", "needs"),
    [
        ("Module not installed: This module is not yet installed.", True),
        ("Inconsistent dependency lock file: The following", True),
        ("Required plugins are not installed", True),
        ("Backend configuration changed: A change", False),
        ("Unsupported argument", False),
    ],
)
def test_what_init_mends_is_known(message: str, needs: bool) -> None:
    assert needs_init(message) == needs
