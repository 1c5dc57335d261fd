//! What a kind of problem is made of, and how the list of them becomes an enum with an entry for each.

use axum::http::StatusCode;

use super::Code;

/// What is the same for every occurrence of a problem.
#[derive(Debug)]
pub(in crate::http) struct Entry {
    /// The name: `code` of the document, and the last part of its `type`.
    pub(in crate::http) code: &'static str,
    /// The status it is answered with.
    pub(in crate::http) status: StatusCode,
    /// One line.
    pub(in crate::http) title: &'static str,
    /// What happened, in a paragraph.
    pub(in crate::http) happened: &'static str,
    /// What the asker can do.
    pub(in crate::http) remedy: &'static str,
    /// What `detail` says in one occurrence.
    pub(in crate::http) example: &'static str,
}

macro_rules! codes {
    ($($name:ident $code:literal $status:ident {
        $title:literal, $happened:literal, $remedy:literal, $example:literal $(,)?
    })+) => {
        /// The name of a problem.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub(in crate::http) enum Code {
            $(#[doc = $title] $name,)+
        }

        impl Code {
            /// Every code, in the order of their statuses.
            pub(in crate::http) const ALL: &[Self] = &[$(Self::$name),+];

            /// What is the same for every occurrence.
            pub(in crate::http) fn entry(self) -> &'static Entry {
                match self {
                    $(Self::$name => &Entry {
                        code: $code,
                        status: StatusCode::$status,
                        title: $title,
                        happened: $happened,
                        remedy: $remedy,
                        example: $example,
                    },)+
                }
            }
        }
    };
}
pub(super) use codes;

impl Code {
    /// The name as it is written.
    pub(in crate::http) fn as_str(self) -> &'static str {
        self.entry().code
    }

    /// The status it is answered with.
    pub(in crate::http) fn status(self) -> StatusCode {
        self.entry().status
    }

    /// The code of that name.
    pub(in crate::http) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == name)
    }

    /// `type` of its documents, below the catalog's own address: where its page is.
    pub(in crate::http) fn path(self) -> String {
        format!("/problems/{}", self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_distinct_words_and_their_entries_are_complete() {
        let names: BTreeSet<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();

        assert_eq!(names.len(), Code::ALL.len());
        for code in Code::ALL {
            let Entry { code: name, status, title, happened, remedy, example } = code.entry();
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{name}");
            assert!(status.is_client_error() || status.is_server_error(), "{name}");
            assert!([title, happened, remedy, example].iter().all(|text| !text.is_empty()), "{name}");
            assert!(!title.ends_with('.') && happened.ends_with('.') && remedy.ends_with('.'), "{name}");
            assert_eq!(Code::named(name), Some(*code));
        }
    }
}
