//! A running server, its administrator, and a machine that knows nothing but where it is and whom to ask as.

use super::{
    Site,
    process::{Done, Server},
};

/// A server with a client of its own. The client's machine has no catalog, no database and no key.
pub struct Office {
    /// Where the server and the shell commands work.
    pub home: Site,
    pub server: Server,
    pub admin: String,
    /// Where client commands are run, as the administrator.
    pub client: Site,
}

impl Office {
    pub async fn new() -> Self {
        let home = Site::new().await;
        let admin = home.admin();
        let server = home.serve().await;
        let client = Site::on("postgres://nobody@127.0.0.1:1/none").with("CATALOG_URL", &server.client.url);
        let client = client.with("CATALOG_TOKEN", &admin);
        Self { home, server, admin, client }
    }

    /// Runs a client command as the administrator.
    pub fn run(&self, arguments: &[&str]) -> Done {
        self.client.cli(arguments)
    }

    /// The client, asking through something else than the server's own address.
    pub fn through(&self, url: &str) -> Site {
        self.client.with("CATALOG_URL", url)
    }

    /// The client as a caller with a token of the shell, with these flags.
    pub fn caller(&self, flags: &[&str]) -> Site {
        let token = self.home.cli(&[&["issue", "--dev", "--aud", "catalog"], flags].concat()).good();
        self.client.with("CATALOG_TOKEN", &token)
    }

    /// Issues a token by the API, and returns its identifier and itself.
    pub fn issue(&self, flags: &[&str]) -> (String, String) {
        let issued = self.run(&[&["issue", "--format", "json"], flags].concat()).json();
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        (text(&issued["token"]["jti"]), text(&issued["access_token"]))
    }

    /// How often something is in the log.
    pub async fn events(&self, kind: &str, path: &str) -> usize {
        let events = self.server.client.events(0, &self.admin).await;
        events.iter().filter(|event| event["kind"] == kind && event["path"] == path).count()
    }
}
