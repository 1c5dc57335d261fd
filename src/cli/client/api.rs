//! A server and who asks it: one request, its answer, and the few times that it is asked again.

use std::{sync::Arc, time::Duration};

use reqwest::{
    Client, Method, RequestBuilder,
    header::{AUTHORIZATION, HeaderMap, LOCATION},
    redirect::Policy,
};
use tokio::time::sleep;

use super::{
    ClientError, Failed, ServerArgs,
    answer::{self, Answer},
    cause::Cause,
    credential::Credential,
    problem::Problem,
    text::line,
};
use crate::{
    cli::{CliError, Shell, config::ServerUrl, output},
    domain::ambient::Clock,
};

/// How long is waited before a request is sent again. All of ours can be: they read, or write what counts once, by the
/// same idempotency key or by what they ask for.
const PAUSES: [Duration; 2] = [Duration::from_millis(300), Duration::from_secs(1)];
/// The longest that a server may have us wait.
const PAUSE_MAX: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT_MAX: Duration = Duration::from_secs(5);

/// A server, and the credential that it is asked with.
pub(super) struct Api {
    http: Client,
    server: ServerUrl,
    credential: Credential,
    timeout: Duration,
    clock: Arc<dyn Clock>,
}

impl Api {
    /// Sends nothing yet.
    pub(super) fn open(shell: &Shell<'_>, args: ServerArgs) -> Result<Self, CliError> {
        let server = ServerUrl::choose(args.url, shell.variables)?;
        let credential = Credential::choose(args.token_file, shell.variables)?;
        if !server.is_encrypted() && !server.is_loopback() {
            output::say(&format!(
                "warning: the token goes to {server} unencrypted: whoever is on the way can take it; use https"
            ));
        }
        let timeout = args.timeout.0;
        let http = client(&server, timeout).map_err(ClientError::Setup)?;
        Ok(Self { http, server, credential, timeout, clock: shell.ambient.clock.clone() })
    }

    /// A request for a route, with the credential.
    pub(super) fn request(&self, method: Method, route: &[&str]) -> RequestBuilder {
        self.http.request(method, self.server.route(route)).header(AUTHORIZATION, self.credential.header())
    }

    /// The answer to a request. It is sent again when its answer was lost or may be another in a moment.
    pub(super) async fn answer(&self, request: impl Fn() -> RequestBuilder) -> Result<Answer, Failed> {
        let mut pauses = PAUSES.into_iter();
        let mut may_be_done = false;
        let mut was_there = false;
        loop {
            let error = match self.once(request()).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            may_be_done |= error.leaves_doubt();
            // A server that was there a moment ago is being started again.
            let may_pass = error.may_pass() || (was_there && matches!(error, ClientError::Unreachable { .. }));
            let pause = pauses.next().map(|pause| error.retry_after().unwrap_or_default().max(pause));
            match pause.filter(|pause| may_pass && *pause <= PAUSE_MAX) {
                Some(pause) => {
                    output::say(&format!("catalog: {error}; asking again"));
                    sleep(pause).await;
                }
                None => return Err(Failed { error, may_be_done }),
            }
            was_there = true;
        }
    }

    async fn once(&self, request: RequestBuilder) -> Result<Answer, ClientError> {
        let response = request.send().await.map_err(|error| self.failed(error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        if status.is_redirection() {
            return Err(self.redirected(status.as_u16(), &headers));
        }
        let body = answer::body(response).await.map_err(|error| self.failed(error))?;
        let Some(body) = body else {
            return Err(ClientError::TooLong { server: self.server.clone(), max: answer::BYTES_MAX });
        };
        if status.is_success() {
            return Ok(Answer { server: self.server.clone(), status, headers, body });
        }
        Err(match Problem::read(status, &headers, &body) {
            Some(problem) => {
                let problem = problem.about_credential(|| self.credential.why_not(self.clock.now()));
                ClientError::Problem(Box::new(problem))
            }
            None => answer::foreign(&self.server, status, &headers),
        })
    }

    fn failed(&self, error: reqwest::Error) -> ClientError {
        let server = self.server.clone();
        if error.is_builder() {
            ClientError::Setup(error.without_url())
        } else if error.is_connect() {
            ClientError::Unreachable { server, cause: Cause::of(&error) }
        } else if error.is_timeout() {
            ClientError::TimedOut { server, after: self.timeout }
        } else {
            ClientError::Lost { server, cause: Cause::of(&error) }
        }
    }

    fn redirected(&self, status: u16, headers: &HeaderMap) -> ClientError {
        let location =
            headers.get(LOCATION).and_then(|value| value.to_str().ok()).map_or_else(|| "nowhere".to_owned(), line);
        ClientError::Redirected { server: self.server.clone(), status, location }
    }
}

fn client(server: &ServerUrl, timeout: Duration) -> reqwest::Result<Client> {
    let mut builder = Client::builder()
        .user_agent(concat!("catalog/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .timeout(timeout)
        .connect_timeout((timeout / 2).min(CONNECT_TIMEOUT_MAX));
    if server.is_loopback() {
        builder = builder.no_proxy();
    }
    if !server.is_encrypted() {
        // Nobody has to prove who it is, and a machine without any CA certificates can still ask.
        builder = builder.tls_certs_only([]);
    }
    builder.build()
}
