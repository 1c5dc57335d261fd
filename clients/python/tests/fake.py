"""A catalog that serves a feed, introspection and keys, and does whatever it is told to do wrong."""

from __future__ import annotations

import base64
import contextlib
import enum
import json
import socket
import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

HEARTBEAT = 0.04
TOKEN = "a-token"

Change = list[dict[str, object]]


class Way(enum.Enum):
    """What becomes of what passes."""

    OPEN = "it passes"
    CUT = "connections are closed, and nobody is answered"
    DEAD = "nothing passes, and nobody is told: a cable that was pulled"
    BUFFERING = "event streams are held back; everything else passes"
    DOWN = "nothing but 503 is answered"
    MUTE = "streams say nothing, not even their end"
    TRICKLING = "streams say nothing in full, but say it all the time"


class Fault(enum.Enum):
    """What the next page does wrong."""

    SKIP = "it is left out, and the one after it comes"
    TWICE = "it comes twice"
    REPLAY = "all that ever happened comes again before it, page by page"
    UNKNOWN = "it has an item of a kind that nobody knows"
    RUBBISH = "it is nothing that can be read"
    ENDLESS = "it has no end"


class Fake:
    """All that is public here is read and written by tests with `changed` held, or by `set`."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.epoch = 0
        self.changes: list[Change] = []
        self.way = Way.OPEN
        self.fault: Fault | None = None
        self.asks_for_reload = False
        # Each stream begins with a page that leaves a gap.
        self.leaves_gaps = False
        self.retry_after = "0"
        self.streams = self.pages = self.snapshots = 0
        self.resumed: list[str] = []
        # When 503 was answered, and when a snapshot.
        self.refused: list[float] = []
        self.loaded: list[float] = []
        # What introspection answers, by token; how often it was asked, and how many ask just now.
        self.active: dict[str, dict[str, object]] = {}
        self.asked: list[str] = []
        self.asking = self.asking_max = 0
        self.answers_after = 0.0
        # What happens between what is found out and its being told.
        self.meanwhile: Callable[[], None] = lambda: None
        self.jwks: list[dict[str, object]] = []
        self.jwks_asked = self.jwks_unchanged = 0
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.fake = self
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.set(way=Way.CUT)
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def set(self, **members: object) -> None:
        with self.changed:
            for name, value in members.items():
                assert hasattr(self, name)
                setattr(self, name, value)
            self.changed.notify_all()
        if members.get("way") is Way.CUT:
            self._server.cut()

    def append(self, *changes: Change) -> None:
        """All of them, before anybody hears of the first."""
        with self.changed:
            self.changes += changes
            self.changed.notify_all()

    def restore(self, lost: int) -> None:
        """As after a restore: another log, which lacks the last changes."""
        with self.changed:
            self.epoch += 1
            self.changes = self.changes[: len(self.changes) - lost]
            self.changed.notify_all()

    @property
    def head(self) -> int:
        return len(self.changes)

    @property
    def log_id(self) -> str:
        return f"00000000-0000-0000-0000-{self.epoch:012x}"

    def cursor(self, position: int) -> str:
        return f"{self.log_id}.{position}.{self._digest(position)}"

    def _digest(self, position: int) -> str:
        return f"{self.epoch:032x}{position:032x}"

    def mark(self, position: int) -> dict[str, object]:
        return {"log_id": self.log_id, "position": position, "digest": self._digest(position)}

    def page(self, after: int | None, upto: int) -> dict[str, object]:
        return {
            **self.mark(upto),
            "after": after,
            "time": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            "staleness_ms": 0,
            "next": self.cursor(upto),
            "has_more": upto < self.head,
            "items": [item for change in self.changes[after or 0 : upto] for item in change],
        }

    def position(self, cursor: str) -> int | None:
        """That of a cursor that is of this log."""
        position = int(cursor.split(".")[1])
        return position if position <= self.head and cursor == self.cursor(position) else None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    fake: Fake

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.open: set[socket.socket] = set()

    def cut(self) -> None:
        for connection in list(self.open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, *_: object) -> None:
        """Either side may hang up at any time."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.open.add(self.connection)

    def finish(self) -> None:
        self.server.open.discard(self.connection)
        with contextlib.suppress(OSError):
            super().finish()

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""

    def do_GET(self) -> None:
        self._serve(self._get)

    def do_POST(self) -> None:
        self._serve(self._introspect)

    def _serve(self, answer: Any) -> None:
        fake = self.server.fake
        with fake.changed:
            fake.changed.wait_for(lambda: fake.way is not Way.DEAD)
            way = fake.way
        if way is Way.CUT:
            self.close_connection = True
        elif way is Way.DOWN:
            fake.refused.append(time.monotonic())
            self._answer(503, {}, {"Retry-After": fake.retry_after})
        else:
            answer()

    def _get(self) -> None:
        match urlsplit(self.path).path:
            case "/.well-known/jwks.json":
                self._keys()
            case "/revocations/snapshot":
                self._check_credential()
                with self.server.fake.changed:
                    self.server.fake.snapshots += 1
                    self.server.fake.loaded.append(time.monotonic())
                    snapshot = self.server.fake.page(None, self.server.fake.head)
                self._answer(200, snapshot)
            case "/revocations" if self.headers["Accept"] == "text/event-stream":
                self._stream()
            case "/revocations":
                self._page()
            case path:
                raise AssertionError(path)

    def _check_credential(self) -> None:
        expected = f"Bearer {TOKEN}", "Basic " + base64.b64encode(b"edge:a+%2B%C3%A9").decode()
        assert self.headers["Authorization"] in expected

    def _answer(self, status: int, said: object, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(said).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _page(self) -> None:
        self._check_credential()
        fake = self.server.fake
        with fake.changed:
            position = fake.position(parse_qs(urlsplit(self.path).query)["after"][0])
            page = None if position is None else fake.page(position, fake.head)
            fake.pages += position is not None
        self._answer(200, page) if page else self._answer(409, {"code": "feed_reload"})

    def _stream(self) -> None:
        self._check_credential()
        fake, cursor = self.server.fake, self.headers["Last-Event-ID"]
        with fake.changed:
            fake.resumed.append(cursor)
            position = fake.position(cursor)
            if position is not None:
                fake.streams += 1
            fake.changed.wait_for(lambda: fake.way is not Way.BUFFERING)
        if position is None:
            self._answer(409, {"code": "feed_reload"})
            return
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        while (said := self._next(position)) is not None:
            text, position = said
            self.wfile.write(text.encode())

    def _next(self, position: int) -> tuple[str, int] | None:
        """What a stream says next, and where it is then. None at its end."""
        fake = self.server.fake
        with fake.changed:
            fake.changed.wait_for(lambda: fake.head > position or fake.asks_for_reload or fake.leaves_gaps, HEARTBEAT)
            fake.changed.wait_for(lambda: fake.way not in (Way.DEAD, Way.MUTE, Way.BUFFERING))
            if fake.asks_for_reload:
                fake.asks_for_reload = False
                return "event: reload\ndata: {}\n\n", position
            if fake.leaves_gaps:
                far = position + 2
                return _event("revocations", {**fake.page(position, position), **fake.mark(far), "after": far - 1}), far
            # A restored log, or a server that goes down, ends its streams.
            if fake.way in (Way.CUT, Way.DOWN) or position > fake.head:
                return None
            if fake.way is Way.TRICKLING:
                time.sleep(HEARTBEAT / 4)
                return ": nothing\n", position
            if position == fake.head:
                return _event("heartbeat", fake.page(position, position)), position
            return self._change(position)

    def _change(self, position: int) -> tuple[str, int]:
        fake = self.server.fake
        # A page can only be left out when there is another.
        fault = None if fake.fault is Fault.SKIP and fake.head < position + 2 else fake.fault
        if fault is not None:
            fake.fault = None
        after = position + (fault is Fault.SKIP)
        page = _event("revocations", fake.page(after, after + 1))
        match fault:
            case Fault.TWICE:
                page *= 2
            case Fault.REPLAY:
                page = "".join(_event("revocations", fake.page(at, at + 1)) for at in range(position)) + page
            case Fault.UNKNOWN:
                page = page.replace('"kind": "revoked"', '"kind": "forgiven"')
            case Fault.RUBBISH:
                page = "event: revocations\ndata: {\n\n"
            case Fault.ENDLESS:
                page = f"data: {'x' * 1_000_000}\n" * 10
        return page, after + 1

    def _introspect(self) -> None:
        self._check_credential()
        fake = self.server.fake
        [token] = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())["token"]
        with fake.changed:
            fake.asked.append(token)
            fake.asking += 1
            fake.asking_max = max(fake.asking, fake.asking_max)
        time.sleep(fake.answers_after)
        with fake.changed:
            fake.asking -= 1
            said = fake.active.get(token, {"active": False})
            meanwhile, fake.meanwhile = fake.meanwhile, lambda: None
        meanwhile()
        self._answer(200, said)

    def _keys(self) -> None:
        assert "Authorization" not in self.headers
        fake = self.server.fake
        with fake.changed:
            fake.jwks_asked += 1
            said = {"keys": fake.jwks}
            tag = f'"{hash(json.dumps(said))}"'
            is_same = self.headers["If-None-Match"] == tag
            fake.jwks_unchanged += is_same
        if is_same:
            self.send_response(304)
            self.end_headers()
        else:
            self._answer(200, said, {"ETag": tag})


def _event(name: str, page: dict[str, object]) -> str:
    said = {member: value for member, value in page.items() if member != "next"}
    return f"event: {name}\nid: {page['next']}\ndata: {json.dumps(said)}\n\n"


def revocation(jti: str) -> Change:
    return [{"kind": "revoked", "jti": jti, "exp": 4_000_000_000}]


def changes(jtis: Iterable[str]) -> list[Change]:
    return [revocation(jti) for jti in jtis]
