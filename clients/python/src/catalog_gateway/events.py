"""An event stream, as the HTML standard writes it (section 9.2.6), as far as a feed needs it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Event:
    """An event of a stream."""

    name: str = ""
    """What kind it is of; empty when it does not say so."""
    id: str | None = None
    """Its `id`, if it has one of its own."""
    data: str = ""


class TooLong(Exception):
    """The stream has an event that is longer than any may be."""


@dataclass(slots=True)
class Events:
    """Puts a stream together from its chunks."""

    bytes_max: int
    """None of its events is longer than this."""
    _line: bytearray = field(default_factory=bytearray)
    _event: Event = field(default_factory=Event)
    _data: list[str] = field(default_factory=list)
    _bytes: int = 0
    # Whether the last line ended with a carriage return, which a line feed may follow.
    _is_after_return: bool = False

    def push(self, chunk: bytes) -> list[Event]:
        """The events that a chunk completes. Raises `TooLong`."""
        events: list[Event] = []
        at = 0
        while at < len(chunk):
            if self._is_after_return:
                self._is_after_return = False
                if chunk[at] == 0x0A:
                    at += 1
                    continue
            end = min((found for found in (chunk.find(b"\n", at), chunk.find(b"\r", at)) if found >= 0), default=-1)
            if end < 0:
                self._extend(chunk[at:])
                break
            self._extend(chunk[at:end])
            self._is_after_return = chunk[end] == 0x0D
            at = end + 1
            if (event := self._end_of_line()) is not None:
                events.append(event)
        return events

    def _extend(self, part: bytes) -> None:
        if self._bytes + len(self._line) + len(part) > self.bytes_max:
            raise TooLong
        self._line += part

    def _end_of_line(self) -> Event | None:
        line = self._line.decode("utf-8", errors="replace")
        length = len(self._line)
        self._line.clear()
        if not line:
            event, data = self._event, self._data
            self._event, self._data, self._bytes = Event(), [], 0
            event.data = "\n".join(data)
            return event if data else None
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "event":
                self._event.name = value
            case "id" if "\0" not in value:
                self._event.id = value
            case "data":
                self._data.append(value)
                self._bytes += length
            case _:
                # A comment, or a field that is of no concern here.
                pass
        return None
