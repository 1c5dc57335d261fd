//! The membership source of the policy, asked again when its answer is old; the last good answer is kept meanwhile.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};

use super::{Catalog, fetch};
use crate::domain::{
    IssueToken,
    causes::Causes,
    claims::Teams,
    membership::{self as domain, Directory, Membership},
    policy::{MembershipRules, MembershipSource},
};

/// The most bytes of a directory: some 100,000 subjects.
const BYTES_MAX: usize = 16 * 1024 * 1024;
/// After how many seconds a source that never answered well is asked again.
const RETRY_SECONDS: i64 = 5;
/// How long a source may take to answer.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(3);

/// What the source said last, and when it was asked last.
#[derive(Default)]
pub(super) struct Members(Mutex<Option<Answer>>);

#[derive(Clone)]
struct Answer {
    source: MembershipSource,
    asked_at: DateTime<Utc>,
    /// `None` when it never answered well.
    directory: Option<Arc<Directory>>,
}

/// Why a source gave no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum SourceError {
    #[error(transparent)]
    Read(#[from] fetch::ReadError),
    #[error(transparent)]
    Fetch(#[from] fetch::FetchError),
    #[error("the answer is not an object of subjects and their teams")]
    Form(#[source] serde_json::Error),
}

impl Members {
    /// The answer, if it is from this source and young enough. A source that never answered well is asked again soon.
    fn fresh(&self, rules: &MembershipRules, now: DateTime<Utc>) -> Option<Answer> {
        self.last(&rules.source).filter(|answer| {
            let refresh = i64::from(rules.refresh_seconds);
            let age_max = if answer.directory.is_some() { refresh } else { refresh.min(RETRY_SECONDS) };
            now < answer.asked_at + TimeDelta::seconds(age_max)
        })
    }

    fn last(&self, source: &MembershipSource) -> Option<Answer> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone().filter(|answer| answer.source == *source)
    }

    fn keep(&self, answer: Answer) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
    }
}

impl Catalog {
    /// What the policy's source says of whom a token is for, where it names any team.
    pub(super) async fn membership(&self, command: &IssueToken) -> Option<domain::Answer> {
        let live = self.live();
        let rules = live.settings.policy.as_ref()?.rules.membership.as_ref()?;
        if !matches!(&command.teams, Some(Teams::These(teams)) if !teams.is_empty()) {
            return None;
        }
        let directory = self.directory(rules).await;
        let membership = directory.map_or(Membership::Unavailable, |directory| directory.membership(&command.bearer()));
        Some(domain::Answer { source: rules.source.clone(), membership })
    }

    async fn directory(&self, rules: &MembershipRules) -> Option<Arc<Directory>> {
        let now = self.ambient.clock.now();
        if let Some(answer) = self.members.fresh(rules, now) {
            return answer.directory;
        }
        let directory = match ask(&rules.source).await {
            Ok(directory) => Some(Arc::new(directory)),
            Err(error) => {
                let error = Causes(&error);
                tracing::warn!(%error, "the membership source gave no answer; the last good one is kept");
                self.members.last(&rules.source).and_then(|answer| answer.directory)
            }
        };
        self.members.keep(Answer { source: rules.source.clone(), asked_at: now, directory: directory.clone() });
        directory
    }
}

/// Asks the source once.
pub(super) async fn ask(source: &MembershipSource) -> Result<Directory, SourceError> {
    let bytes = match source {
        MembershipSource::File(path) => fetch::read(path, BYTES_MAX, ANSWER_TIME_MAX).await?,
        MembershipSource::Url(url) => fetch::get(url, BYTES_MAX, ANSWER_TIME_MAX).await?,
    };
    serde_json::from_slice(&bytes).map_err(SourceError::Form)
}
