"""One session with AWS: as whom, in which region, and never in another account than the one that is meant.

Credentials are found as every tool of AWS finds them: environment, profile, SSO, the machine's role. A role
that is named is assumed with those, and again before its time is over. boto3 is imported when a session is
opened.

Invariants: where an account is named nothing is asked of another one; what fails is told by ``errors``,
after boto3 has tried five times with growing waits what may pass.

Source: "Credentials" and "Retries" of the Boto3 guide.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from leeward.base.errors import UserInputError
from leeward.infra.aws.errors import Asked, explained
from leeward.infra.spec import ClusterSpec

_TRIES = 5
_CONNECT_SECONDS, _READ_SECONDS = 10, 60
_SESSION_NAME = "leeward"  # in CloudTrail, of an assumed role


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Which account is meant, and as whom."""

    region: str | None = None  # None: that of the profile or the environment
    profile: str | None = None
    role: str | None = None  # an ARN, assumed first
    account: str | None = None  # the only one that is asked
    source: str = ""  # the file that says so, for people


def login_of(spec: ClusterSpec, source: str = "") -> Login:
    """Return how the account of a cluster is reached; `source` is the name of its file."""
    account = spec.account
    return Login(
        region=spec.region, profile=account.profile, role=account.role, account=account.id, source=source
    )


class Aws:
    """Asks AWS.

    Args:
        session: boto3's.
        login: what it was opened with; `region` is known.
    """

    def __init__(self, session: Any, login: Login) -> None:
        self.login = login
        self._session = session
        self._clients: dict[str, Any] = {}
        self._is_checked = login.account is None

    @property
    def region(self) -> str:
        """The region that is asked."""
        return str(self.login.region)

    def ask(self, service: str, operation: str, /, **arguments: Any) -> Mapping[str, Any]:
        """Return the answer to one question.

        Args:
            service: as boto3 calls it, such as "eks".
            operation: a method of its client, such as "describe_cluster".
            arguments: of that.

        Raises:
            AwsNotFoundError: what is asked about is not there.
            UserInputError: who asks may not, or is not known.
            OperationError: AWS cannot be reached, or fails.
        """
        self.check_account()
        return self._call(service, operation, arguments)

    def pages(self, service: str, operation: str, /, **arguments: Any) -> Iterator[Mapping[str, Any]]:
        """Yield the answers to a question that has several, as :meth:`ask`."""
        self.check_account()
        client = self.client(service)
        with explained(self._asked(client, operation)):
            yield from client.get_paginator(operation).paginate(**arguments)

    def variables(self) -> dict[str, str]:
        """Return the variables by which another tool of AWS is who this session is, while its time lasts.

        Raises:
            UserInputError: there are no credentials, or they have expired.
            OperationError: AWS cannot be reached.
        """
        self.check_account()
        with explained(Asked("sts", "AssumeRole", self.login)):
            found = self._session.get_credentials()
            if found is None:
                from botocore.exceptions import NoCredentialsError

                raise NoCredentialsError
            keys = found.get_frozen_credentials()
        named = {
            "AWS_ACCESS_KEY_ID": keys.access_key,
            "AWS_SECRET_ACCESS_KEY": keys.secret_key,
            "AWS_SESSION_TOKEN": keys.token,
        }
        return {"AWS_REGION": self.region, **{name: value for name, value in named.items() if value}}

    def client(self, service: str) -> Any:
        """Return boto3's client of a service; what it raises is boto3's."""
        if service not in self._clients:
            from botocore.config import Config

            config = Config(
                retries={"mode": "standard", "total_max_attempts": _TRIES},
                connect_timeout=_CONNECT_SECONDS,
                read_timeout=_READ_SECONDS,
                user_agent_extra="leeward",
            )
            with explained(Asked(service, "", self.login)):
                self._clients[service] = self._session.client(service, config=config)
        return self._clients[service]

    def _call(self, service: str, operation: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        client = self.client(service)
        with explained(self._asked(client, operation)):
            answer: Mapping[str, Any] = getattr(client, operation)(**arguments)
        return answer

    def _asked(self, client: Any, operation: str) -> Asked:
        name = client.meta.method_to_api_mapping.get(operation, operation)
        return Asked(client.meta.service_model.signing_name, name, self.login)

    def check_account(self) -> None:
        """Refuse another account than the one that is meant; asks once.

        Raises:
            LeewardError: it is another, or who we are cannot be told.
        """
        if self._is_checked:
            return
        found = self._call("sts", "get_caller_identity", {})["Account"]
        if found != self.login.account:
            where = f"{self.login.source} is" if self.login.source else "this is"
            raise UserInputError(
                f"your AWS credentials are of account {found}, and {where} about {self.login.account}",
                remedy=f"Use a profile of {self.login.account}: account.profile in the cluster's file, "
                "or the variable AWS_PROFILE.",
            )
        self._is_checked = True


def open_aws(login: Login, usual_region: str | None = None) -> Aws:
    """Open a session.

    Args:
        login: which account is meant.
        usual_region: where neither `login` nor the configuration names one.

    Raises:
        UserInputError: boto3 is not installed, there is no such profile, or no region.
        OperationError: the configuration of AWS on this machine is damaged.
    """
    try:
        import boto3
    except ImportError:
        raise UserInputError(
            "this needs boto3, which is not installed", remedy="Install it: pip install 'leeward[aws]'"
        ) from None
    with explained(Asked("sts", "", login)):
        session = boto3.Session(profile_name=login.profile, region_name=login.region)
        region = session.region_name or usual_region
        if region is None:
            raise UserInputError(
                "it is not known which AWS region is meant",
                remedy="Name it with --region, or set AWS_REGION.",
            )
        login = replace(login, region=region)
        if login.role is not None:
            session = _with_role(session, login.role, region)
        return Aws(session, login)


def _with_role(session: Any, role: str, region: str) -> Any:
    """Return a session as `role`, which is assumed when it is needed and whenever its time is nearly over."""
    import boto3
    from botocore.credentials import AssumeRoleCredentialFetcher, CredentialResolver
    from botocore.exceptions import NoCredentialsError
    from botocore.session import Session

    outer = session.get_credentials()
    if outer is None:
        raise NoCredentialsError
    fetcher = AssumeRoleCredentialFetcher(
        client_creator=session.client,
        source_credentials=outer,
        role_arn=role,
        extra_args={"RoleSessionName": _SESSION_NAME},
    )
    inner = Session()
    inner.register_component("credential_provider", CredentialResolver([_Assumed(fetcher)]))
    return boto3.Session(botocore_session=inner, region_name=region)


class _Assumed:
    """A provider of credentials, as botocore has them: those of a role."""

    METHOD = CANONICAL_NAME = "assume-role"

    def __init__(self, fetcher: Any) -> None:
        self._fetcher = fetcher

    def load(self) -> Any:
        """Return credentials that are fetched when they are needed."""
        from botocore.credentials import DeferredRefreshableCredentials

        return DeferredRefreshableCredentials(self._fetcher.fetch_credentials, self.METHOD)
