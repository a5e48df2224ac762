"""Errors of Terraform, its AWS provider and AWS that are known, and what to do about each.

Pure. Known by their texts, which is all that Terraform passes on; what is not known keeps its own words.

Source: error texts of Terraform 1.11, OpenTofu 1.10, the AWS provider 5.100 and the AWS APIs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Known:
    """An error that is known."""

    pattern: re.Pattern[str]
    remedy: str  # {name} is a group of the pattern
    is_input: bool = False  # whoever typed has to change something on their side


def known_error(message: str) -> Known | None:
    """Return what is known of an error, by its message."""
    return next((each for each in _KNOWN if each.pattern.search(message)), None)


def remedy_for(message: str) -> str:
    """Return what to do about an error; "" where it is not known."""
    known = known_error(message)
    if known is None:
        return ""
    found = known.pattern.search(message)
    words = {key: each or "" for key, each in (found.groupdict() if found else {}).items()}
    return known.remedy.format(**words)


def needs_init(message: str) -> bool:
    """Tell whether an error goes away with ``terraform init``."""
    return _INIT.search(message) is not None


_INIT = re.compile(
    "Module not installed|Required plugins are not installed|Inconsistent dependency lock file"
    "|Backend initialization required, please run|Missing required provider"
    "|Provider requirements have changed"
    "|Module source has changed|there is no package for",
    re.IGNORECASE,
)


def _of(pattern: str, remedy: str, *, is_input: bool = False) -> Known:
    return Known(re.compile(pattern, re.IGNORECASE | re.DOTALL), remedy, is_input)


_LOCK = (
    r"Error (acquiring|locking) (the )?(state lock|state)(.*\bID: +(?P<id>\S+))?"
    r"(.*\bOperation: +(?P<what>\S+))?"
    r"(.*\bWho: +(?P<who>\S+))?(.*\bCreated: +(?P<since>\S+))?"
)
_LOG_IN = (
    "Log in again (aws sso login), or get new keys the way you got these; AWS_PROFILE or account.profile in "
    "the cluster's file names the profile."
)
_KNOWN = (
    _of(
        _LOCK,
        "{who} has locked the state since {since} ({what}). Wait until that run ends; if it certainly is "
        "dead: "
        "terraform force-unlock {id} in the cluster's directory.",
    ),
    _of(
        r"AWS account ID not allowed",
        "These credentials are of another account than account.id in the cluster's file: use a profile of "
        "that one, by AWS_PROFILE or account.profile.",
        is_input=True,
    ),
    _of(
        r"ExpiredToken|RequestExpired|security token included in the request is expired|session has expired"
        r"|token has expired|failed to refresh cached (SSO|credentials)|InvalidGrantException",
        _LOG_IN,
        is_input=True,
    ),
    _of(
        r"No valid credential sources|no EC2 IMDS role found|failed to retrieve credentials"
        r"|failed to get shared config profile|InvalidClientTokenId|UnrecognizedClientException|AuthFailure",
        "Terraform finds no AWS credentials that are valid: log in (aws sso login --profile NAME, aws "
        "configure), and name the profile in AWS_PROFILE or as account.profile in the cluster's file.",
        is_input=True,
    ),
    _of(
        r"is not authorized to perform: (?P<action>[\w-]+:\w+)",
        "Somebody who administers IAM can allow the action {action}.",
    ),
    _of(
        r"UnauthorizedOperation|AccessDenied",
        "Somebody who administers IAM can allow what the message names.",
    ),
    _of(
        r"Backend configuration changed|Backend configuration block has changed",
        "The state has to move: terraform init -migrate-state in the cluster's directory, once, by hand.",
        is_input=True,
    ),
    _of(
        r"NoSuchBucket|S3 bucket .* does not exist",
        "Make the bucket first, once: README.md of the repository, state/.",
        is_input=True,
    ),
    _of(
        r"Failed to query available provider packages|Failed to install provider"
        r"|Incompatible provider version|no available releases match",
        "Terraform gets the AWS provider from registry.terraform.io. Without a way there, give it a mirror: "
        "provider_installation in the file that TF_CLI_CONFIG_FILE names, or "
        "TF_CLI_ARGS_init=-plugin-dir=DIRECTORY.",
        is_input=True,
    ),
    _of(
        r"Unsupported (Terraform|OpenTofu) Core version",
        "Install Terraform 1.10 or newer, or OpenTofu 1.10.",
        is_input=True,
    ),
    _of(
        r"Saved plan is stale|plan file can no longer be applied",
        "Something was applied since. Make the plan anew: leeward infra plan.",
        is_input=True,
    ),
    _of(
        r"ResourceInUseException.*already exists|AlreadyExists",
        "It was made by somebody else, or by a run whose state is lost: remove it at AWS, or take it over "
        "with terraform import in the cluster's directory.",
    ),
    _of(
        r"LimitExceeded|QuotaExceeded|MaxSpotInstanceCountExceeded",
        "Raise the quota of this account in the region (Service Quotas of AWS), then apply again.",
    ),
    _of(
        r"InsufficientInstanceCapacity|UnsupportedAvailabilityZone",
        "AWS has no such instances there: list more types in the node group, or use another zone.",
    ),
    _of(
        r"PodEvictionFailure|Reached max retries while trying to evict",
        "A disruption budget keeps Pods where they are: leeward infra check names it. Then apply again.",
    ),
    _of(
        r"NodeCreationFailure|Instances failed to join",
        "Nodes start and do not reach the cluster: see their way out (NAT, endpoints), the policies of their "
        "role, and the key of their disks.",
    ),
    _of(
        r"DependencyViolation|has dependencies and cannot be deleted",
        "Load balancers and network interfaces that the cluster itself made still are there: remove its "
        "Services of type LoadBalancer and its Ingresses, or the leftovers at AWS, then run this again.",
    ),
    _of(
        r"Throttling|Rate exceeded|RequestLimitExceeded|TooManyRequests",
        "Something asks a lot in this account. Wait a minute and run this again; it goes on where it was.",
    ),
    _of(
        r"no such host|dial tcp|connection refused|i/o timeout|TLS handshake timeout",
        "AWS cannot be reached: see the network and HTTPS_PROXY.",
    ),
)
