"""Event streams (HTML standard, section 9.2.6)."""

from __future__ import annotations

import pytest

from catalog_gateway.events import Event, Events, TooLong

STREAM = (
    b": a comment\r\nretry: 5\n\nevent: heartbeat\ndata: {}\n\nid: 7\rdata:a\r\ndata: b\r\n\r\n"
    b"id\ndata\n\nevent:x\n\ndata: \xc3\xa9\nid: a\0b\n\n"
)


def test_a_stream_is_the_same_however_it_is_cut() -> None:
    expected = [
        Event("heartbeat", None, "{}"),
        Event("", "7", "a\nb"),
        Event("", "", ""),
        Event("", None, "é"),
    ]
    for size in range(1, len(STREAM) + 1):
        events = Events(100)
        read = [event for at in range(0, len(STREAM), size) for event in events.push(STREAM[at : at + size])]

        assert read == expected, f"in chunks of {size}"


@pytest.mark.parametrize("stream", [b"data:123456\n\n", b"data:1\ndata:234567\n\n", b":" + b"x" * 10, b"x" * 11])
def test_an_event_has_a_longest(stream: bytes) -> None:
    assert len(Events(10).push(b"data:12345\n\ndata:12345\n\n")) == 2

    with pytest.raises(TooLong):
        Events(10).push(stream)
