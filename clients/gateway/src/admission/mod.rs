//! Whether a token that is good may be used for a request: what narrows it, what the place asks for, and where and when.
//!
//! The one decision, made by the catalog's `/authorize`, by `catalog edge` and by the layer for tower alike.

mod forwarded;
mod hours;

use core::net::IpAddr;

use chrono::{DateTime, Utc};
use ipnet::IpNet;

pub use forwarded::{BadNetwork, TrustedProxies};
pub use hours::{Hours, Window};

/// What narrows a token. Texts are as its claims have them; one that cannot be read admits nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms<'a> {
    /// `scopes.permissions`: what it may be used for. None names none.
    pub permissions: Vec<&'a str>,
    /// `scopes.server_id`: the one server it is bound to.
    pub server_id: Option<&'a str>,
    /// `scopes.ip_restrictions`: the addresses and networks that it may be used from. None = from anywhere.
    pub networks: Vec<&'a str>,
    /// `scopes.time_restrictions`: when it may be used.
    pub hours: Hours<'a>,
    /// Whether it came past the controls of the catalog's API. The log knows, the claims do not.
    pub is_out_of_band: bool,
}

/// What the place that a token is used at asks for. Everything that is named has to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Demand {
    /// Permissions that the token has to name, each by itself or as `resource.*` or `*`.
    pub permissions: Vec<String>,
    /// The servers that the place is part of: a token that is bound to one passes where this one is named, and no other.
    pub servers: Vec<String>,
    /// Whether tokens are refused that came past the controls of the catalog's API.
    pub refuses_out_of_band: bool,
}

/// Where and when a token is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Use {
    /// The address of whoever uses it; `None` when nobody knows.
    pub from: Option<IpAddr>,
    /// The time.
    pub at: DateTime<Utc>,
}

/// Why a good token may not be used for a request. Each is answered 403.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Denied {
    /// It came past the controls of the catalog's API.
    #[error("the presented token was issued out of band, and such tokens are not taken here")]
    OutOfBand,
    /// It is bound to another server, or the place names none.
    #[error("the presented token is bound to a server, and this is not known to be it")]
    Server,
    /// It may not be used from there, or nobody knows from where it is used.
    #[error("the presented token may not be used from this address")]
    Address,
    /// It may not be used now.
    #[error("the presented token may not be used at this time")]
    Time,
    /// It does not name the permission.
    #[error("the presented token does not have the permission that this needs")]
    Permission,
}

impl Denied {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::OutOfBand, Self::Server, Self::Address, Self::Time, Self::Permission];

    /// `code` of the problem, as the catalog calls it.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::OutOfBand => "issued_out_of_band",
            Self::Server => "server_mismatch",
            Self::Address => "address_not_allowed",
            Self::Time => "time_not_allowed",
            Self::Permission => "permission_missing",
        }
    }

    /// `title` of the problem.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::OutOfBand => "The token was issued out of band",
            Self::Server => "The token is bound to another server",
            Self::Address => "The token may not be used from there",
            Self::Time => "The token may not be used now",
            Self::Permission => "The token lacks the route's permission",
        }
    }
}

impl Terms<'_> {
    /// Whether the token may be used so.
    ///
    /// # Errors
    /// [`Denied`], the first cause in the order of [`Denied::ALL`].
    pub fn admit(&self, demand: &Demand, used: Use) -> Result<(), Denied> {
        if demand.refuses_out_of_band && self.is_out_of_band {
            return Err(Denied::OutOfBand);
        }
        if !self.is_for(&demand.servers) {
            return Err(Denied::Server);
        }
        if !self.may_come_from(used.from) {
            return Err(Denied::Address);
        }
        if !self.hours.include(used.at) {
            return Err(Denied::Time);
        }
        if !demand.permissions.iter().all(|permission| self.names(permission)) {
            return Err(Denied::Permission);
        }
        Ok(())
    }

    /// One that is bound passes only where its server is named, and nothing but it.
    fn is_for(&self, servers: &[String]) -> bool {
        self.server_id.is_none_or(|own| !servers.is_empty() && servers.iter().all(|server| server == own))
    }

    fn may_come_from(&self, from: Option<IpAddr>) -> bool {
        let admits = |network: &&str| from.is_some_and(|from| contains(network, from));
        self.networks.is_empty() || self.networks.iter().any(admits)
    }

    fn names(&self, permission: &str) -> bool {
        self.permissions.iter().any(|granted| covers(granted, permission))
    }
}

/// Whether a permission that is granted lets its holder use another: the same, `*`, or `tools.*` for `tools.read`.
#[must_use]
pub fn covers(granted: &str, permission: &str) -> bool {
    match granted.strip_suffix('*') {
        Some(prefix) => permission.starts_with(prefix),
        None => granted == permission,
    }
}

fn contains(network: &str, address: IpAddr) -> bool {
    network_of(network).is_some_and(|network| network.contains(&address))
}

fn network_of(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: &str = "2026-03-02T12:00:00Z";

    fn terms() -> Terms<'static> {
        let (permissions, networks, hours) = (Vec::new(), Vec::new(), Hours::default());
        Terms { permissions, server_id: None, networks, hours, is_out_of_band: false }
    }

    fn used(from: Option<&str>) -> Use {
        Use { from: from.map(|from| from.parse().unwrap()), at: NOON.parse().unwrap() }
    }

    fn asking(permissions: &[&str], servers: &[&str]) -> Demand {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Demand { permissions: owned(permissions), servers: owned(servers), refuses_out_of_band: false }
    }

    #[test]
    fn a_token_that_nothing_narrows_passes_where_nothing_is_asked() {
        assert_eq!(terms().admit(&Demand::default(), used(None)), Ok(()));
    }

    #[test]
    fn every_permission_that_is_asked_for_has_to_be_named() {
        for (granted, asked, passes) in [
            (&["tools.read"][..], &["tools.read"][..], true),
            (&["tools.*"], &["tools.read", "tools.write"], true),
            (&["*"], &["servers.use"], true),
            (&["tools.read"], &["tools.read", "tools.write"], false),
            (&["tools.read"], &["tools.reads"], false),
            (&["tools.*"], &["toolsmith.read"], false),
            (&[], &["tools.read"], false),
            (&[], &[], true),
        ] {
            let terms = Terms { permissions: granted.to_vec(), ..terms() };
            let expected = if passes { Ok(()) } else { Err(Denied::Permission) };
            assert_eq!(terms.admit(&asking(asked, &[]), used(None)), expected, "{granted:?} for {asked:?}");
        }
    }

    #[test]
    fn a_bound_token_passes_where_its_server_is_named_and_no_other() {
        let bound = Terms { server_id: Some("one"), ..terms() };

        assert_eq!(bound.admit(&asking(&[], &["one"]), used(None)), Ok(()));
        for servers in [&[][..], &["two"], &["one", "two"], &["two", "one"]] {
            assert_eq!(bound.admit(&asking(&[], servers), used(None)), Err(Denied::Server), "{servers:?}");
        }
        assert_eq!(terms().admit(&asking(&[], &["two"]), used(None)), Ok(()), "one that is free");
    }

    #[test]
    fn addresses_are_held_against_the_networks_and_an_unknown_one_is_in_none() {
        let narrowed = Terms { networks: vec!["10.0.0.0/8", "2001:db8::1"], ..terms() };
        let from = |from| narrowed.admit(&Demand::default(), used(from));

        for inside in ["10.0.0.0", "10.255.255.255", "2001:db8::1"] {
            assert_eq!(from(Some(inside)), Ok(()), "{inside}");
        }
        for outside in [Some("9.255.255.255"), Some("11.0.0.0"), Some("2001:db8::2"), Some("127.0.0.1"), None] {
            assert_eq!(from(outside), Err(Denied::Address), "{outside:?}");
        }
        let unreadable = Terms { networks: vec!["somewhere"], ..terms() };
        assert_eq!(unreadable.admit(&Demand::default(), used(Some("10.0.0.1"))), Err(Denied::Address));
    }

    #[test]
    fn out_of_band_tokens_pass_unless_they_are_refused() {
        let of_a_shell = Terms { is_out_of_band: true, ..terms() };
        let refusing = Demand { refuses_out_of_band: true, ..Demand::default() };

        assert_eq!(of_a_shell.admit(&Demand::default(), used(None)), Ok(()));
        assert_eq!(of_a_shell.admit(&refusing, used(None)), Err(Denied::OutOfBand));
        assert_eq!(terms().admit(&refusing, used(None)), Ok(()));
    }

    #[test]
    fn of_several_causes_the_first_is_told() {
        let hours = Hours { weekdays: Some(vec![chrono::Weekday::Sun]), ..Hours::default() };
        let mut terms =
            Terms { server_id: Some("one"), networks: vec!["10.0.0.1"], hours, is_out_of_band: true, ..terms() };
        let demand = Demand { refuses_out_of_band: true, ..asking(&["tools.read"], &[]) };
        let mut told = Vec::new();

        while let Err(denied) = terms.admit(&demand, used(None)) {
            told.push(denied);
            match denied {
                Denied::OutOfBand => terms.is_out_of_band = false,
                Denied::Server => terms.server_id = None,
                Denied::Address => terms.networks.clear(),
                Denied::Time => terms.hours = Hours::default(),
                Denied::Permission => terms.permissions.push("*"),
            }
        }

        assert_eq!(told, Denied::ALL);
    }
}
