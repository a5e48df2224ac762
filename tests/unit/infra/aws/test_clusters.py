"""Clusters of EKS: found, tokens for them, kubeconfigs of them."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from leeward.base.clock import VirtualClock
from leeward.base.errors import OperationError, UserInputError
from leeward.infra.aws.clusters import EksCluster, find_cluster
from leeward.infra.aws.kubeconfig import Way, check_way, kubeconfig_of
from leeward.infra.aws.session import Aws, Login
from leeward.infra.aws.tokens import PREFIX, make_token

PROD = EksCluster(
    name="prod",
    region="us-east-1",
    arn="arn:aws:eks:us-east-1:123456789012:cluster/prod",
    endpoint="https://ABC.gr7.us-east-1.eks.amazonaws.com",
    ca_data=base64.b64encode(b"-----BEGIN CERTIFICATE-----\n").decode(),
    version="1.35",
    is_private=True,
)


def make_cluster(aws: Aws, name: str, **settings: Any) -> None:
    aws.ask(
        "eks",
        "create_cluster",
        name=name,
        version="1.35",
        roleArn="arn:aws:iam::123456789012:role/eks",
        resourcesVpcConfig={"subnetIds": [], "endpointPublicAccess": False, "endpointPrivateAccess": True},
        **settings,
    )


def test_a_cluster_says_where_its_api_is_and_whom_to_trust(aws: Aws) -> None:
    make_cluster(aws, "prod")

    found = find_cluster(aws, "prod")

    assert (found.name, found.region, found.version) == ("prod", "us-east-1", "1.35")
    assert found.endpoint.startswith("https://")
    assert found.ca_data
    assert found.arn == "arn:aws:eks:us-east-1:123456789012:cluster/prod"


def test_a_cluster_that_is_not_there_is_answered_with_the_nearest_of_its_region(aws: Aws) -> None:
    make_cluster(aws, "prod-use1")

    with pytest.raises(UserInputError, match="there is no cluster prod-use2 in us-east-1") as caught:
        find_cluster(aws, "prod-use2")
    assert caught.value.remedy == 'Did you mean "prod-use1"?'


def test_a_region_without_clusters_may_be_the_wrong_one(aws: Aws) -> None:
    with pytest.raises(UserInputError) as caught:
        find_cluster(aws, "prod")
    assert caught.value.remedy == "There are none in us-east-1; is it another region?"


def test_a_cluster_that_is_being_made_has_no_api_yet(stub: Any) -> None:
    aws = stub("eks", ("describe_cluster", {"cluster": {"name": "prod", "status": "CREATING"}}))

    with pytest.raises(OperationError, match="the cluster prod is creating"):
        find_cluster(aws, "prod")


def test_whether_an_api_is_private_is_told(stub: Any) -> None:
    answer = {
        "name": "prod",
        "status": "ACTIVE",
        "endpoint": PROD.endpoint,
        "certificateAuthority": {"data": "eA=="},
    }
    for public in (True, False):
        described = {"cluster": {**answer, "resourcesVpcConfig": {"endpointPublicAccess": public}}}
        found = find_cluster(stub("eks", ("describe_cluster", described)), "prod")
        assert found.is_private is not public
        assert found.ca_pem == "x"


def test_a_token_is_a_signed_request_that_names_its_cluster_and_soon_ends(aws: Aws) -> None:
    clock = VirtualClock()

    token = make_token(aws, "prod", clock)
    other = make_token(aws, "qa", clock)

    assert token.text.startswith(PREFIX)
    assert token.text != other.text
    encoded = token.text.removeprefix(PREFIX)
    assert "=" not in encoded
    url = urlsplit(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode())
    query = parse_qs(url.query)
    assert url.hostname == "sts.us-east-1.amazonaws.com"
    assert query["Action"] == ["GetCallerIdentity"]
    assert query["X-Amz-SignedHeaders"] == ["host;x-k8s-aws-id"]
    assert query["X-Amz-Expires"] == ["60"]
    assert (token.expires - clock.now()).total_seconds() == 14 * 60
    assert token.text not in repr(token)


def test_an_exec_credential_is_what_kubectl_takes(aws: Aws) -> None:
    token = make_token(aws, "prod", VirtualClock())

    assert token.exec_credential() == {
        "kind": "ExecCredential",
        "apiVersion": "client.authentication.k8s.io/v1",
        "spec": {},
        "status": {"expirationTimestamp": "2030-01-01T00:14:00Z", "token": token.text},
    }


def test_a_token_is_made_for_no_other_account_than_the_one_meant(aws: Aws) -> None:
    other = Aws(aws._session, Login(region="us-east-1", account="999988887777"))

    with pytest.raises(UserInputError, match="are of account 123456789012"):
        make_token(other, "prod", VirtualClock())


def test_a_kubeconfig_runs_leeward_as_whoever_the_spec_says() -> None:
    login = Login(region="us-east-1", profile="acme", role="arn:aws:iam::1:role/D", account="111122223333")

    found = kubeconfig_of(PROD, login, Way())

    (cluster,), (user,) = found["clusters"], found["users"]
    assert cluster["cluster"]["server"] == PROD.endpoint
    assert cluster["cluster"]["certificate-authority-data"] == PROD.ca_data
    assert "tls-server-name" not in cluster["cluster"]
    assert user["user"]["exec"]["command"] == "leeward"
    assert user["user"]["exec"]["args"] == [
        *("aws", "token", "--cluster", "prod", "--region", "us-east-1", "--profile", "acme"),
        *("--role", "arn:aws:iam::1:role/D", "--account", "111122223333"),
    ]
    assert found["current-context"] == found["contexts"][0]["name"] == "prod"


def test_over_a_tunnel_tls_wants_the_name_of_the_real_api() -> None:
    way = Way(endpoint="https://127.0.0.1:8443", proxy="http://127.0.0.1:3128")

    (cluster,) = kubeconfig_of(PROD, Login(region="us-east-1"), way)["clusters"]

    assert cluster["cluster"]["server"] == "https://127.0.0.1:8443"
    assert cluster["cluster"]["tls-server-name"] == "abc.gr7.us-east-1.eks.amazonaws.com"
    assert cluster["cluster"]["proxy-url"] == "http://127.0.0.1:3128"


@pytest.mark.parametrize(
    "way", [Way(endpoint="127.0.0.1:8443"), Way(endpoint="http://x"), Way(proxy="ftp://x")]
)
def test_an_address_that_is_none_is_refused(way: Way) -> None:
    with pytest.raises(UserInputError, match="is no address"):
        check_way(way)
