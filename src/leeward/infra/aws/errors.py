"""What AWS, or boto3 before it is asked, says is wrong: in people's words, with the remedy.

Decides by the codes that AWS documents. Who may not do something is told the IAM action that it takes.

Source: "Common errors" of the API references of AWS; ``botocore/exceptions.py`` (1.44); "Actions, resources,
and condition keys" of the Service Authorization Reference.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from leeward.base.errors import LeewardError, OperationError, UserInputError
from leeward.compose.findings import did_you_mean

if TYPE_CHECKING:
    from leeward.infra.aws.session import Login

_EXPIRED = frozenset(("ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"))
_UNKNOWN = frozenset(
    (
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "InvalidAccessKeyId",
        "AuthFailure",
        "OptInRequired",
    )
)
_SIGNATURE = frozenset(("SignatureDoesNotMatch", "InvalidSignatureException", "RequestTimeTooSkewed"))
_DENIED = frozenset(
    (
        "AccessDenied",
        "AccessDeniedException",
        "UnauthorizedOperation",
        "AuthorizationError",
        "Forbidden",
        "403",
    )
)
_THROTTLED = frozenset(
    (
        *("Throttling", "ThrottlingException", "ThrottledException", "TooManyRequestsException"),
        *("RequestLimitExceeded", "RequestThrottled", "RequestThrottledException", "SlowDown"),
        *("BandwidthLimitExceeded", "PriorRequestNotComplete", "TransactionInProgressException"),
    )
)
_NOT_FOUND = frozenset(
    (
        *("ResourceNotFoundException", "NotFoundException", "ParameterNotFound", "NoSuchKey", "NoSuchBucket"),
        *("RepositoryNotFoundException", "NoSuchHostedZone", "404"),
    )
)
_NOT_AUTHORIZED = re.compile(
    r"(?:User: )?(?P<user>\S+) is not authorized to perform: (?P<action>[\w-]+:\w+)"
    r"(?: on resource: (?P<resource>\S+))?"
)
_S3_ACTIONS = {"HeadObject": "GetObject", "ListObjectsV2": "ListBucket", "HeadBucket": "ListBucket"}


_THERE_ALREADY = frozenset(("PreconditionFailed", "ConditionalRequestConflict"))


class AwsNotFoundError(UserInputError):
    """What AWS was asked about is not there, in that account and region."""


class AwsThereAlreadyError(UserInputError):
    """What was to be made anew is there already."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked of AWS."""

    service: str  # its prefix in IAM, such as "eks"
    operation: str  # of its API, such as "DescribeCluster"; "" before anything was asked
    login: Login

    @property
    def action(self) -> str:
        """What IAM calls it, where nothing says so."""
        name = _S3_ACTIONS.get(self.operation, self.operation) if self.service == "s3" else self.operation
        return f"{self.service}:{name}"

    @property
    def where(self) -> str:
        """The region, for people."""
        return f" in {self.login.region}" if self.login.region else ""


@contextmanager
def explained(asked: Asked) -> Iterator[None]:
    """Turn boto3's errors into leeward's.

    Raises:
        LeewardError: instead of boto3's.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        raise _answered(error.response, asked) from error
    except BotoCoreError as error:
        raise _unanswered(error, asked) from error


def _answered(response: Mapping[str, Any], asked: Asked) -> LeewardError:
    """Return the error for an answer of AWS that is one."""
    said = response.get("Error") or {}
    code, message = str(said.get("Code") or ""), " ".join(str(said.get("Message") or "").split())
    for codes, make in _ANSWERS:
        if code in codes:
            return make(message, asked)
    return OperationError(f"AWS refuses {asked.action}{asked.where}: {code}: {message}")


def _expired(_message: str, asked: Asked) -> LeewardError:
    return UserInputError("your AWS credentials have expired", remedy=_log_in(asked.login))


def _unknown(message: str, asked: Asked) -> LeewardError:
    return UserInputError(
        f"AWS does not know your credentials{asked.where}: {message}",
        remedy="They are wrong or were deleted: make new ones; or the region is not enabled in your "
        "account: enable it in the account's settings, or use another.",
    )


def _signature(message: str, _asked: Asked) -> LeewardError:
    return UserInputError(
        f"AWS does not accept your signature: {message}",
        remedy="Correct the secret access key, or this machine's clock.",
    )


def _denied(message: str, asked: Asked) -> LeewardError:
    found = _NOT_AUTHORIZED.search(message)
    action = found["action"] if found else asked.action
    who = found["user"] if found else "who asks"
    resource = f" on {found['resource']}" if found and found["resource"] else ""
    blocked = " An explicit deny forbids it." if "explicit deny" in message else ""
    return UserInputError(
        f"{who} may not {action}{resource}{asked.where}.{blocked}",
        remedy=f"Somebody who administers IAM can allow the action {action}{resource}.",
    )


def _throttled(message: str, asked: Asked) -> LeewardError:
    return OperationError(
        f"AWS has had too many requests{asked.where} and went on refusing {asked.action}: {message}",
        remedy="Wait a minute and run the command again; something else may be asking a lot in this account.",
    )


def _not_found(message: str, asked: Asked) -> LeewardError:
    return AwsNotFoundError(
        f"AWS has no such thing{asked.where} ({asked.action}): {message}",
        remedy="See whether name, region and account are right.",
    )


def _there_already(message: str, asked: Asked) -> LeewardError:
    return AwsThereAlreadyError(f"it is there already ({asked.action}): {message}")


_ANSWERS: tuple[tuple[frozenset[str], Callable[[str, Asked], LeewardError]], ...] = (
    (_EXPIRED, _expired),
    (_UNKNOWN, _unknown),
    (_SIGNATURE, _signature),
    (_DENIED, _denied),
    (_THROTTLED, _throttled),
    (_NOT_FOUND, _not_found),
    (_THERE_ALREADY, _there_already),
)


def _unanswered(error: Exception, asked: Asked) -> LeewardError:
    """Return the error for what failed before AWS answered."""
    from botocore import exceptions as boto

    login = asked.login
    if isinstance(error, (boto.SSOError, boto.TokenRetrievalError, *_logins(boto))):
        return UserInputError("your AWS session has ended or was not begun", remedy=_log_in(login))
    if isinstance(error, boto.ProfileNotFound):
        return UserInputError(
            f"your AWS configuration has no profile {login.profile!r}{_of(login)}", remedy=_profiles(login)
        )
    if isinstance(error, (boto.NoCredentialsError, boto.PartialCredentialsError)):
        return UserInputError(
            "there are no AWS credentials",
            remedy="Log in (`aws sso login --profile NAME`, `aws configure`), and name the profile in "
            "AWS_PROFILE or as account.profile in the cluster's file.",
        )
    if isinstance(error, boto.CredentialRetrievalError):
        return UserInputError(f"your AWS credentials cannot be had: {error}", remedy=_log_in(login))
    if isinstance(error, boto.ParamValidationError):
        return UserInputError(f"AWS cannot be asked that: {error}")
    if isinstance(error, (boto.NoRegionError, boto.InvalidRegionError, boto.UnknownRegionError)):
        return UserInputError(f"{login.region!r} is no AWS region{_of(login)}", remedy=_regions(login.region))
    if isinstance(error, (boto.HTTPClientError, boto.EndpointConnectionError)):
        return OperationError(f"AWS cannot be reached{asked.where}: {error}", remedy=_reach(login))
    return OperationError(f"AWS cannot be asked for {asked.action}: {error}")


def _logins(boto: Any) -> tuple[type[Exception], ...]:
    """Return the errors of ``aws login``, which older versions of botocore do not have."""
    found = getattr(boto, "LoginError", None)
    return (found,) if found else ()


def _log_in(login: Login) -> str:
    profile = f" --profile {login.profile}" if login.profile else ""
    return (
        f"Log in again: aws sso login{profile}. Where you do not use SSO, get new keys the way you got these."
    )


def _of(login: Login) -> str:
    return f", which {login.source} names" if login.source else ""


def _profiles(login: Login) -> str:
    import botocore.session

    known = list(botocore.session.Session().available_profiles)
    there = f"There are: {', '.join(known)}." if known else "It has none; `aws configure sso` makes one."
    return did_you_mean(login.profile or "", known) or there


def _regions(region: str | None) -> str:
    from leeward.infra.catalogue import catalogue

    return did_you_mean(region or "", catalogue().regions) or "Write one such as us-east-1."


def _reach(login: Login) -> str:
    from leeward.infra.catalogue import catalogue

    known = catalogue().regions
    if login.region and login.region not in known:
        return f"leeward knows no region {login.region}. {_regions(login.region)}"
    return "Check the network and HTTPS_PROXY; a VPC without a way out needs an interface endpoint."
