//! An event stream, as the HTML standard writes it (section 9.2.6), as far as a feed needs it.

/// An event of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Event {
    /// What kind it is of; empty when it does not say so.
    pub(super) name: String,
    /// Its `id`, if it has one of its own.
    pub(super) id: Option<String>,
    pub(super) data: String,
}

/// The stream has an event that is longer than any may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLong;

/// Puts a stream together from its chunks.
#[derive(Debug)]
pub(super) struct Events {
    bytes_max: usize,
    line: Vec<u8>,
    event: Event,
    has_data: bool,
    /// Whether the last line ended with a carriage return, which a line feed may follow.
    is_after_return: bool,
}

impl Events {
    /// Of whose events none is longer than this.
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { bytes_max, line: Vec::new(), event: Event::default(), has_data: false, is_after_return: false }
    }

    /// The events that a chunk completes.
    pub(super) fn push(&mut self, chunk: &[u8]) -> Result<Vec<Event>, TooLong> {
        let mut events = Vec::new();
        let mut rest = chunk;
        while let Some((first, _)) = rest.split_first() {
            if std::mem::take(&mut self.is_after_return) && *first == b'\n' {
                rest = &rest[1..];
                continue;
            }
            let Some(end) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
                self.extend(rest)?;
                break;
            };
            self.extend(&rest[..end])?;
            self.is_after_return = rest[end] == b'\r';
            rest = &rest[end + 1..];
            events.extend(self.end_of_line());
        }
        Ok(events)
    }

    fn extend(&mut self, part: &[u8]) -> Result<(), TooLong> {
        if self.line.len() + self.event.data.len() + part.len() > self.bytes_max {
            return Err(TooLong);
        }
        self.line.extend_from_slice(part);
        Ok(())
    }

    fn end_of_line(&mut self) -> Option<Event> {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            return std::mem::take(&mut self.has_data).then_some(event);
        }
        let line = String::from_utf8_lossy(&line);
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event.name),
            "id" if !value.contains('\0') => self.event.id = Some(value.to_owned()),
            "data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
            }
            // A comment, or a field that is of no concern here.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = ": a comment\r\nretry: 5\n\nevent: heartbeat\ndata: {}\n\nid: 7\rdata:a\r\ndata: b\r\n\r\nid\ndata\n\nevent:x\n\n";

    fn event(name: &str, id: Option<&str>, data: &str) -> Event {
        Event { name: name.to_owned(), id: id.map(str::to_owned), data: data.to_owned() }
    }

    #[test]
    fn a_stream_is_the_same_however_it_is_cut() {
        let expected = [event("heartbeat", None, "{}"), event("", Some("7"), "a\nb"), event("", Some(""), "")];

        for size in 1..=STREAM.len() {
            let mut events = Events::new(100);
            let read: Vec<Event> =
                STREAM.as_bytes().chunks(size).flat_map(|chunk| events.push(chunk).unwrap_or_default()).collect();

            assert_eq!(read, expected, "in chunks of {size}");
        }
    }

    #[test]
    fn an_event_has_a_longest() {
        for (line, expected) in
            [("data:12345", Ok(1)), ("data:123456", Err(TooLong)), ("data:1\ndata:234567", Err(TooLong))]
        {
            let read = Events::new(10).push(format!("{line}\n\n").as_bytes()).map(|events| events.len());

            assert_eq!(read, expected, "{line}");
        }
    }
}
