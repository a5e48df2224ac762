"""The Terraform that is in every cluster repository, as files of this package.

It is the same for every cluster and written by people: what differs is in ``cluster.auto.tfvars.json`` (made
by ``tfvars``) and in ``backend.tf`` (made here, because Terraform takes no variables there).

Invariant: reading is all that happens here; same version of leeward, same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable

from leeward.infra.spec import ClusterSpec

EXTRA = "extra.tf"  # the user's, written once
_SUFFIXES = (".tf", ".hcl", ".md")


@cache
def hcl_files() -> Mapping[str, str]:
    """Return what a repository has once: path from its root → text. README, modules, tests, state bucket."""
    return {path: text for path, text in _all() if not path.startswith("cluster/")}


@cache
def cluster_files() -> Mapping[str, str]:
    """Return what every cluster's directory has, the same in each: path from it → text.

    `extra.tf` is not among them: it is written once and is the user's.
    """
    found = {path.removeprefix("cluster/"): text for path, text in _all() if path.startswith("cluster/")}
    del found[EXTRA]
    return found


def extra_file() -> str:
    """Return the text that a new cluster's ``extra.tf`` has."""
    return dict(_all())[f"cluster/{EXTRA}"]


def backend_file(spec: ClusterSpec) -> str:
    """Return the text of ``backend.tf``: where Terraform keeps the state of this cluster.

    Locks are objects beside the state (Terraform 1.10 and later); no table is needed.
    """
    if spec.state is None:
        return _LOCAL
    region = spec.state.region or spec.region
    return _S3.format(bucket=spec.state.bucket, key=state_key(spec), region=region)


def state_key(spec: ClusterSpec) -> str:
    """Return the key of a cluster's state in its bucket."""
    return f"clusters/{spec.name}/terraform.tfstate"


def _all() -> Iterator[tuple[str, str]]:
    return _below(resources.files("leeward.infra") / "hcl", "")


def _below(directory: Traversable, prefix: str) -> Iterator[tuple[str, str]]:
    for each in sorted(directory.iterdir(), key=lambda entry: entry.name):
        if each.is_dir() and not each.name.startswith("."):
            yield from _below(each, f"{prefix}{each.name}/")
        elif each.name.endswith(_SUFFIXES):
            yield f"{prefix}{each.name}", each.read_text(encoding="utf-8")


_LOCAL = """\
# Written by leeward from cluster.yaml. The state is a file here, for one person alone: `state:` in
# cluster.yaml puts it into a bucket, where runs lock each other out and old states are kept.
terraform {
  backend "local" {}
}
"""
_S3 = """\
# Written by leeward from cluster.yaml. One state a cluster; the lock is an object beside it.
terraform {{
  backend "s3" {{
    bucket       = "{bucket}"
    key          = "{key}"
    region       = "{region}"
    encrypt      = true
    use_lockfile = true
  }}
}}
"""
