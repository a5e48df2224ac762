"""Several streams in one WebSocket, and what their messages say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward.cluster.apiserver.http import Query
from leeward.cluster.apiserver.streaming import channels
from leeward.cluster.apiserver.streaming.channels import Channels, Received, choose
from leeward.cluster.apiserver.streaming.remotecommand import (
    exit_status,
    internal_error,
    read_size,
    read_wanted,
    running_container,
    stream_fields,
)
from leeward.cluster.interface.streams import StreamsWanted
from leeward.kube.status import BadRequestError

PROTOCOLS = [channels.V5, channels.V4, channels.V4_BASE64, channels.V1]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@given(channel=st.integers(0, 9), data=st.binary(max_size=200))
def test_what_is_packed_is_unpacked(protocol: str, channel: int, data: bytes) -> None:
    framing = Channels(protocol)
    assert framing.unpack(framing.pack(channel, data)) == Received(channel, data)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@given(message=st.binary(max_size=20))
def test_no_message_is_too_strange_to_be_read(protocol: str, message: bytes) -> None:
    found = Channels(protocol).unpack(message)
    assert found is None or 0 <= found.channel <= 255


def test_the_bytes_are_those_of_the_protocols() -> None:
    assert Channels(channels.V5).pack(channels.STDOUT, b"hi") == b"\x01hi"
    assert Channels(channels.V4_BASE64).pack(channels.ERROR, b"hi") == b"3aGk="
    assert Channels(channels.V4_BASE64).unpack(b"0!!") is None


def test_only_v5_closes_channels() -> None:
    assert Channels(channels.V5).unpack(b"\xff\x00") == Received(0, b"", closed=True)
    assert Channels(channels.V5).unpack(b"\xff") is None
    assert Channels(channels.V4).unpack(b"\xff\x00") == Received(255, b"\x00")


def test_the_client_s_favourite_of_what_is_known_is_chosen() -> None:
    assert choose([channels.V5, channels.V4], PROTOCOLS) == channels.V5
    assert choose(["v9.channel.k8s.io", channels.V4], PROTOCOLS) == channels.V4
    assert choose(["v9.channel.k8s.io"], PROTOCOLS) is None
    assert choose([], PROTOCOLS) == channels.NONE


def test_a_terminal_has_one_output_and_no_streams_are_too_few() -> None:
    wanted = read_wanted(stream_fields(Query([("stdout", "true"), ("stderr", "true"), ("tty", "true")])))
    assert wanted == StreamsWanted(stdout=True, tty=True)
    with pytest.raises(BadRequestError, match="at least 1 of stdin, stdout, stderr"):
        read_wanted(stream_fields(Query([("stdout", "false")])))


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (b'{"Width":80,"Height":24}', (80, 24)),
        (b'{"Width":0,"Height":24}', None),
        (b'{"Width":80,"Height":99999}', None),
        (b'{"Width":80}', None),
        (b"[]", None),
        (b"80x24", None),
    ],
)
def test_a_size_is_read_where_there_is_one(data: bytes, size: tuple[int, int] | None) -> None:
    assert read_size(data) == size


def test_a_status_says_how_a_command_ended() -> None:
    status = exit_status(3)
    assert (status["status"], status["reason"]) == ("Failure", "NonZeroExitCode")
    assert status["details"]["causes"] == [{"reason": "ExitCode", "message": "3"}]
    failed = internal_error("no such program")
    assert failed["message"] == "Internal error occurred: no such program"
    assert (failed["code"], failed["reason"]) == (500, "InternalError")


def test_only_a_container_that_runs_is_found() -> None:
    pod = {
        "status": {
            "containerStatuses": [
                {"name": "up", "containerID": "process://1", "state": {"running": {}}},
                {"name": "down", "containerID": "process://2", "state": {"terminated": {}}},
            ],
            "initContainerStatuses": [
                {"name": "side", "containerID": "process://3", "state": {"running": {}}}
            ],
        }
    }
    assert running_container(pod, "up") == "process://1"
    assert running_container(pod, "side") == "process://3"
    assert (
        running_container(pod, "down") == running_container(pod, "none") == running_container({}, "x") == ""
    )
