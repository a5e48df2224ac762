"""Terraform for tests: without a network, without an account, without what the developer has configured.

The AWS provider comes from a directory that has it (a "filesystem mirror"): LEEWARD_TERRAFORM_PLUGINS, or one
of the usual places. Without Terraform or the provider these tests are skipped, and say what is missing.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path

import pytest

from leeward.compose.findings import Findings
from leeward.compose.source import Sources
from leeward.infra.hclfiles import EXTRA, extra_file
from leeward.infra.repository import member, repository_files
from leeward.infra.specfile import read_spec

TODAY = date(2026, 11, 28)
_PROVIDER = "registry.terraform.io/hashicorp/aws"
_PLACES = ("~/.terraform.d", "/usr/local/share", "/usr/share", "/usr/local/lib", "/var/lib", "/opt")

# Terraform merges a file *_override.tf into the others. This one sends the provider to a server that plays
# AWS, with keys that are none: it never asks the developer's files, nor the metadata service of a machine.
OVERRIDE = """\
provider "aws" {{
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_region_validation      = true
  s3_use_path_style           = true
  max_retries                 = 2

  endpoints {{
{endpoints}
  }}
}}
"""
_SERVICES = ("autoscaling", "ec2", "eks", "iam", "kms", "logs", "s3", "sts")


@cache
def plugins() -> Path | None:
    """Return a directory with the AWS provider; None: there is none."""
    chosen = os.environ.get("LEEWARD_TERRAFORM_PLUGINS")
    if chosen:
        return Path(chosen)
    for place in _PLACES:
        base = Path(place).expanduser()
        for depth in ("", "*/", "*/*/"):
            for found in sorted(base.glob(f"{depth}{_PROVIDER}")):
                return found.parents[2]
    return None


def missing() -> str:
    """Return why Terraform cannot run here; "" when it can."""
    if shutil.which("terraform") is None:
        return "terraform is not installed"
    if plugins() is None:
        return "no copy of the AWS provider; LEEWARD_TERRAFORM_PLUGINS may name a directory with one"
    return ""


NEEDS_TERRAFORM = [pytest.mark.e2e, pytest.mark.skipif(bool(missing()), reason=missing())]

TAKES_MINUTES = pytest.mark.skipif(
    os.environ.get("LEEWARD_INFRA") != "all", reason="it takes minutes: `make infra` runs it"
)


class Terraform:
    """Runs Terraform in one directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one command to its end."""
        kept = ("PATH", "HOME", "TMPDIR", "LANG")
        environment = {
            **{key: os.environ[key] for key in kept if key in os.environ},
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "CHECKPOINT_DISABLE": "1",
            "TF_CLI_CONFIG_FILE": os.devnull,
            "TF_IN_AUTOMATION": "1",
            "TF_INPUT": "0",
        }
        return subprocess.run(
            ["terraform", *arguments],
            cwd=self.directory,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def ok(self, *arguments: str) -> str:
        """Run one command that has to succeed; returns what it printed."""
        done = self.run(*arguments)
        assert done.returncode == 0, f"{self.directory.name}: {done.stdout[-8000:]}{done.stderr[-8000:]}"
        return done.stdout

    def init(self, *arguments: str) -> None:
        """Get modules and the provider."""
        self.ok("init", f"-plugin-dir={plugins()}", *arguments)

    def plan(self, *arguments: str) -> dict[str, str]:
        """Return what would change, address → create, update, delete or replace; the file `plan` has it."""
        printed = self.ok("plan", "-json", "-out=plan", "-parallelism=30", *arguments)
        changes = {}
        for line in printed.splitlines():
            message = json.loads(line)
            change = message.get("change", {}) if message["type"] == "planned_change" else {}
            if change.get("action", "read") != "read":  # policy documents are read when they are needed
                changes[change["resource"]["addr"]] = change["action"]
        return changes

    def apply(self) -> None:
        """Do what was planned."""
        self.ok("apply", "-parallelism=30", "plan")

    def outputs(self) -> dict[str, object]:
        """Return the outputs."""
        return {key: each["value"] for key, each in json.loads(self.ok("output", "-json")).items()}


def override(url: str) -> str:
    """Return a file that sends the provider to a server that plays AWS."""
    return OVERRIDE.format(endpoints="\n".join(f'    {name} = "{url}"' for name in _SERVICES))


def write_repository(root: Path, specs: Mapping[str, Path]) -> None:
    """Write the repository of some clusters, each with what its spec file says, and no more."""
    members = {}
    for name, path in specs.items():
        findings = Findings()
        read = read_spec(str(path.resolve()), Sources(path.parent, findings), findings, TODAY)
        assert read.spec is not None, read.diagnostics
        assert read.diagnostics == ()
        members[name] = member(read.spec, None)[0]
    files = repository_files(members) | {f"clusters/{name}/{EXTRA}": extra_file() for name in members}
    for relative, text in files.items():
        (root / relative).parent.mkdir(parents=True, exist_ok=True)
        (root / relative).write_text(text, encoding="utf-8")
