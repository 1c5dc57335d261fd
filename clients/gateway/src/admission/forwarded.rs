//! From where a request comes that came through proxies: their word is taken as far as they are trusted.

use core::{net::IpAddr, net::SocketAddr, str::FromStr};

use ipnet::IpNet;

use super::network_of;

/// The proxies whose `X-Forwarded-For` is believed. By default nobody's is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

/// What is neither an address nor a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not an address or a network such as 127.0.0.1 or 10.0.0.0/8")]
pub struct BadNetwork(pub String);

impl FromStr for TrustedProxies {
    type Err = BadNetwork;

    /// Addresses and networks with commas between them.
    fn from_str(text: &str) -> Result<Self, BadNetwork> {
        let read = |part: &str| network_of(part.trim()).ok_or_else(|| BadNetwork(part.trim().to_owned()));
        text.split(',').map(read).collect::<Result<_, _>>().map(Self)
    }
}

impl TrustedProxies {
    /// From where a request comes: from its peer, unless that is a trusted proxy. Then from whom the proxies say, read from the
    /// last one back as far as they are trusted. `lines` are the values of `X-Forwarded-For`, in their order. `None` when a trusted
    /// proxy says nothing, or nothing that can be read.
    #[must_use]
    pub fn client<'a, Lines>(&self, peer: IpAddr, lines: Lines) -> Option<IpAddr>
    where
        Lines: DoubleEndedIterator<Item = &'a [u8]>,
    {
        let peer = peer.to_canonical();
        if !self.trust(peer) {
            return Some(peer);
        }
        let mut first = None;
        for hop in lines.rev().flat_map(|line| line.rsplit(|byte| *byte == b',')) {
            let address = address(hop)?;
            if !self.trust(address) {
                return Some(address);
            }
            first = Some(address);
        }
        first
    }

    fn trust(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// An address, with a port or without.
fn address(hop: &[u8]) -> Option<IpAddr> {
    let text = core::str::from_utf8(hop).ok()?.trim_matches([' ', '\t']);
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().ok().or_else(|| text.parse().ok().map(|socket: SocketAddr| socket.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(trusted: &str, peer: &str, lines: &[&str]) -> Option<String> {
        let trusted = if trusted.is_empty() { TrustedProxies::default() } else { trusted.parse().unwrap() };
        let lines = lines.iter().map(|line| line.as_bytes());
        trusted.client(peer.parse().unwrap(), lines).map(|address| address.to_string())
    }

    #[test]
    fn whoever_is_not_trusted_comes_from_where_it_is_whatever_it_says() {
        for (trusted, peer) in
            [("", "203.0.113.9"), ("10.0.0.0/8", "203.0.113.9"), ("10.0.0.0/8", "::ffff:203.0.113.9")]
        {
            for lines in [&[][..], &["192.0.2.1"], &["192.0.2.1", "10.0.0.1"], &["nonsense"]] {
                assert_eq!(client(trusted, peer, lines).as_deref(), Some("203.0.113.9"), "{trusted} {peer} {lines:?}");
            }
        }
    }

    #[test]
    fn proxies_are_believed_from_the_last_one_back_as_far_as_they_are_trusted() {
        let trusted = "10.0.0.0/8, 127.0.0.1, ::1, 2001:db8:1::/48";
        for (peer, lines, expected) in [
            ("127.0.0.1", &["203.0.113.9"][..], "203.0.113.9"),
            // What stands before the last address that is not trusted was said by whoever is there.
            ("127.0.0.1", &["192.0.2.1, 203.0.113.9"], "203.0.113.9"),
            ("127.0.0.1", &["192.0.2.1, 203.0.113.9 , 10.0.0.3"], "203.0.113.9"),
            ("127.0.0.1", &["192.0.2.1", "203.0.113.9, 10.0.0.3", "10.0.0.4"], "203.0.113.9"),
            ("127.0.0.1", &["nonsense, 203.0.113.9, 10.0.0.3"], "203.0.113.9"),
            ("::1", &["203.0.113.9:4711"], "203.0.113.9"),
            ("::ffff:10.0.0.1", &["::ffff:203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", &["[2001:db8::9]:443, [2001:db8:1::2]"], "2001:db8::9"),
            // Whoever is trusted throughout is where the first of them is.
            ("127.0.0.1", &["10.0.0.7, 10.0.0.8"], "10.0.0.7"),
        ] {
            assert_eq!(client(trusted, peer, lines).as_deref(), Some(expected), "{peer} {lines:?}");
        }
    }

    #[test]
    fn a_trusted_proxy_that_says_nothing_readable_leaves_it_unknown() {
        for lines in [
            &[][..],
            &[""],
            &["unknown"],
            &["203.0.113.9, _hidden"],
            &["203.0.113.9,"],
            &["203.0.113.9, 10.0.0.1, \u{e9}"],
        ] {
            assert_eq!(client("127.0.0.1,10.0.0.0/8", "127.0.0.1", lines), None, "{lines:?}");
        }
    }

    #[test]
    fn what_is_trusted_is_addresses_and_networks() {
        assert_eq!("10.0.0.0/33".parse::<TrustedProxies>(), Err(BadNetwork("10.0.0.0/33".to_owned())));
        for bad in ["", "localhost", "10.0.0.0/8,", "10.0.0.0/8;::1", "unix:"] {
            assert!(bad.parse::<TrustedProxies>().is_err(), "{bad}");
        }
    }
}
