use crate::{model::MessageId, url::Query, words};

/// What an earlier try without a script left behind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// The text.
    pub draft: String,
    /// The id to try again with.
    pub id: Option<MessageId>,
    /// What went wrong; empty: nothing.
    pub problem: String,
}

impl Kept {
    /// As the address has it.
    pub fn of(query: &Query) -> Self {
        let problem = query.get("error").map(words::explain).unwrap_or_default();
        let text = match (query.get("draft"), query.get("draft_kept")) {
            (_, Some(_)) => {
                " The text was too long to come back with this page; your browser's Back button still has it."
            }
            (Some(_), None) => " Your text is still here.",
            _ => "",
        };
        Self {
            draft: query.text("draft"),
            id: query.parsed("id"),
            problem: if problem.is_empty() { String::new() } else { format!("{problem}{text}") },
        }
    }
}
