"""The certificate of webhooks: good for its names, kept while it lasts, changed without a gap."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.verification import PolicyBuilder, Store

from leeward.infra.platform.certificates import Serving, kept_serving, new_serving

NAMES = ("hook.kube-system.svc", "hook.kube-system.svc.cluster.local")
NOW = datetime(2030, 1, 1, tzinfo=UTC)


def authorities(serving: Serving) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(base64.b64decode(serving.authority))


def leaf(serving: Serving) -> x509.Certificate:
    return x509.load_pem_x509_certificate(base64.b64decode(serving.certificate))


def trusts(trusted: Serving, served: Serving, name: str) -> bool:
    """Tell whether who trusts one's authorities takes the other's certificate for a name."""
    policy = PolicyBuilder().store(Store(authorities(trusted))).time(NOW)
    try:
        policy.build_server_verifier(x509.DNSName(name)).verify(leaf(served), [])
    except x509.verification.VerificationError:
        return False
    return True


def test_it_is_good_for_its_names_and_no_other() -> None:
    serving = new_serving(NAMES, NOW)

    assert all(trusts(serving, serving, name) for name in NAMES)
    assert not trusts(serving, serving, "other.kube-system.svc")
    assert not trusts(new_serving(NAMES, NOW), serving, NAMES[0])


def test_its_key_is_its_own_and_that_of_the_authority_is_nowhere() -> None:
    serving = new_serving(NAMES, NOW)
    key = serialization.load_pem_private_key(base64.b64decode(serving.key), None)

    assert key.public_key() == leaf(serving).public_key()
    assert authorities(serving)[0].public_key() != leaf(serving).public_key()
    assert set(serving.data()) == {"ca.crt", "tls.crt", "tls.key"}


@pytest.mark.parametrize(("days", "kept"), [(0, True), (3000, True), (3500, False), (4000, False)])
def test_it_is_kept_while_half_a_year_is_left(days: int, kept: bool) -> None:
    data = new_serving(NAMES, NOW).data()

    assert (kept_serving(data, NAMES, NOW + timedelta(days=days)) is not None) is kept


@pytest.mark.parametrize("spoilt", [{}, {"tls.crt": "AAAA"}, {"tls.crt": "%"}, {"ca.crt": "AAAA"}])
def test_what_is_no_certificate_is_not_kept(spoilt: dict[str, str]) -> None:
    data = {**new_serving(NAMES, NOW).data(), **spoilt} if spoilt else {}

    assert kept_serving(data, NAMES, NOW) is None
    assert trusts(new_serving(NAMES, NOW, data), new_serving(NAMES, NOW), NAMES[0]) is False


def test_one_for_other_names_is_not_kept() -> None:
    assert kept_serving(new_serving(NAMES[:1], NOW).data(), NAMES, NOW) is None


def test_while_a_new_one_takes_its_place_both_are_trusted_and_no_third() -> None:
    first = new_serving(NAMES, NOW)
    second = new_serving(NAMES, NOW, first.data())
    third = new_serving(NAMES, NOW, second.data())

    assert trusts(second, first, NAMES[0])
    assert trusts(second, second, NAMES[0])
    assert not trusts(third, first, NAMES[0])
    assert len(authorities(third)) == 2
