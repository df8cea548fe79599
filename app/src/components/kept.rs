use crate::model::MessageId;

/// What an earlier try without a script left behind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// The text.
    pub draft: String,
    /// The id to try again with.
    pub id: Option<MessageId>,
}
