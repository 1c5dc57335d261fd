//! The membership source of the policy, asked again when its answer is old; the last good answer is kept meanwhile.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};

use super::{Catalog, fetch};
use crate::domain::{
    causes::Causes,
    membership::{Directory, Membership},
    policy::{MembershipRules, MembershipSource},
    text::Subject,
};

/// The most bytes of a directory: some 100,000 subjects.
const BYTES_MAX: usize = 16 * 1024 * 1024;
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
enum SourceError {
    #[error("the file cannot be read")]
    File(#[source] std::io::Error),
    #[error("the file has {0} bytes, the maximum is {BYTES_MAX}")]
    TooLarge(u64),
    #[error(transparent)]
    Fetch(#[from] fetch::FetchError),
    #[error("the answer is not an object of subjects and their teams")]
    Form(#[source] serde_json::Error),
}

impl Members {
    /// The answer, if it is from this source and young enough.
    fn fresh(&self, rules: &MembershipRules, now: DateTime<Utc>) -> Option<Answer> {
        let age_max = TimeDelta::seconds(i64::from(rules.refresh_seconds));
        self.last(&rules.source).filter(|answer| now < answer.asked_at + age_max)
    }

    fn last(&self, source: &MembershipSource) -> Option<Answer> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone().filter(|answer| answer.source == *source)
    }

    fn keep(&self, answer: Answer) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
    }
}

impl Catalog {
    /// What the policy's source says of a subject.
    pub(super) async fn membership(&self, sub: &Subject) -> Membership {
        let live = self.live();
        let rules = live.settings.policy.as_ref().and_then(|policy| policy.rules.membership.as_ref());
        let Some(rules) = rules else { return Membership::Unknown };
        let directory = self.directory(rules).await;
        directory.map_or(Membership::Unknown, |directory| directory.membership(sub))
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

async fn ask(source: &MembershipSource) -> Result<Directory, SourceError> {
    let bytes = match source {
        MembershipSource::File(path) => read(path).await?,
        MembershipSource::Url(url) => fetch::get(url, BYTES_MAX, ANSWER_TIME_MAX).await?,
    };
    serde_json::from_slice(&bytes).map_err(SourceError::Form)
}

async fn read(path: &str) -> Result<Vec<u8>, SourceError> {
    let length = tokio::fs::metadata(path).await.map_err(SourceError::File)?.len();
    if length > BYTES_MAX as u64 {
        return Err(SourceError::TooLarge(length));
    }
    tokio::fs::read(path).await.map_err(SourceError::File)
}
