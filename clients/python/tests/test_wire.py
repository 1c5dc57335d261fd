"""Pages as the catalog writes them, and as it does not."""

from __future__ import annotations

import json

import pytest

from catalog_gateway import Malformed, Page
from catalog_gateway.wire import KeyCompromised, Resumed, Revoked, Spared, Suspended
from feed import LOG, jti, mark

WRITTEN: dict[str, object] = {
    "log_id": LOG,
    "position": 12,
    "digest": mark(12).digest,
    "after": 7,
    "time": "2027-01-15T08:00:00.25Z",
    "staleness_ms": 40,
    "next": "a cursor",
    "has_more": True,
    "items": [
        {"kind": "revoked", "jti": jti(1), "exp": 5},
        {"kind": "revoked", "jti": jti(2), "exp": 5, "effective_from": "2027-01-15T08:00:00.000001Z"},
        {"kind": "suspended", "jti": jti(3), "exp": 5, "more": "than is known"},
        {"kind": "resumed", "jti": jti(3), "exp": 5},
        {"kind": "key_compromised", "kid": "a key"},
        {"kind": "spared", "jti": jti(4), "exp": 5},
    ],
}
EIGHT = 1_800_000_000_000_000


def with_(**members: object) -> str:
    return json.dumps({**WRITTEN, **members})


def test_a_page_is_read_as_it_is_written() -> None:
    assert Page.read(json.dumps(WRITTEN).encode()) == Page(
        mark=mark(12),
        after=7,
        piece=0,
        is_partial=False,
        time=EIGHT + 250_000,
        staleness=40_000,
        next="a cursor",
        has_more=True,
        items=(
            Revoked(jti(1), 5, None),
            Revoked(jti(2), 5, EIGHT + 1),
            Suspended(jti(3), 5),
            Resumed(jti(3), 5),
            KeyCompromised("a key"),
            Spared(jti(4), 5),
        ),
    )


def test_a_snapshot_and_a_piece_are_read() -> None:
    assert Page.read(with_(after=None)).after is None
    piece = Page.read(with_(piece=3, is_partial=True))
    assert (piece.piece, piece.is_partial) == (3, True)


def test_a_mark_is_written_as_the_cursor_that_it_is() -> None:
    assert str(mark(12)) == f"{LOG}.12.{mark(12).digest}"


@pytest.mark.parametrize(
    "said",
    [
        "",
        "[]",
        "null",
        "{}",
        "[" * 100_000,
        b"\xff\xfe{\x00}\x00",
        b"\xef\xbb\xbf{}",
        with_(position=True),
        with_(position=1.0),
        with_(position="1"),
        with_(position=2**63),
        with_(position=float("nan")),
        with_(log_id=LOG.upper().replace("0", "A")),
        with_(log_id=f"{LOG}\n"),
        with_(digest="5a"),
        with_(digest=mark(12).digest.upper().replace("5", "A")),
        with_(after="7"),
        with_(time="2027-01-15T08:00:00+00:00"),
        with_(time="2027-02-30T08:00:00Z"),
        with_(time="2027-01-15 08:00:00Z"),
        with_(time=1),
        with_(staleness_ms=-1),
        with_(next=1),
        with_(has_more="true"),
        with_(piece=-1),
        with_(items={}),
        with_(items=[1]),
        with_(items=[{"kind": "forgiven", "jti": jti(1), "exp": 5}]),
        with_(items=[{"jti": jti(1), "exp": 5}]),
        with_(items=[{"kind": "revoked", "exp": 5}]),
        with_(items=[{"kind": "revoked", "jti": jti(1).replace("-", ""), "exp": 5}]),
        with_(items=[{"kind": "revoked", "jti": jti(1), "exp": 5, "effective_from": 7}]),
        with_(items=[{"kind": "key_compromised", "kid": "\ud800"}]),
        json.dumps(WRITTEN).replace('"position": 12', '"position": 12, "position": 13'),
    ],
)
def test_what_the_catalog_does_not_write_is_refused(said: str | bytes) -> None:
    with pytest.raises(Malformed):
        Page.read(said)


@pytest.mark.parametrize("absent", ["log_id", "position", "digest", "after", "time", "staleness_ms", "items"])
def test_a_page_lacks_nothing_that_counts(absent: str) -> None:
    with pytest.raises(Malformed, match=absent):
        Page.read(json.dumps({name: value for name, value in WRITTEN.items() if name != absent}))
