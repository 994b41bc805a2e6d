//! What was heard.

/// What a sender has said in one request.
///
/// Senders repeat themselves when they get no answer: whoever takes it looks at the ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// What the sender calls this delivery; the same when it is sent again. None if it has no name
    /// for it; then the pushes may have one.
    pub id: Option<String>,
    /// Images that were pushed, in the sender's order.
    pub pushes: Vec<Push>,
    /// Commits that branches and tags point at since.
    pub commits: Vec<Commit>,
}

/// An image, or another artifact, that was pushed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Push {
    /// What the sender calls this event; the same when it is sent again.
    pub id: Option<String>,
    /// The registry as whoever pushed has called it, with its port if that was given. None if the
    /// sender does not say.
    pub host: Option<String>,
    /// The repository: `library/nginx`.
    pub repository: String,
    /// The tag; none if it was pushed by digest.
    pub tag: Option<String>,
    /// The digest; none if the sender does not say.
    pub digest: Option<String>,
    /// When, in RFC 3339.
    pub at: Option<String>,
}

/// A branch or a tag that points at another commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commit {
    /// The repository with its owner: `acme/app`.
    pub repository: String,
    /// What points at it: `refs/heads/main`.
    pub reference: String,
    /// The commit's id, in hex.
    pub id: String,
}

/// What a body comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// There is something to it.
    Delivery(Delivery),
    /// There is nothing to it, and why.
    Ignored(&'static str),
    /// The sender asks whether it may send, and wants this code back.
    Handshake(String),
}

impl Delivery {
    /// A delivery of `pushes`; ignored, because of `why`, if there are none.
    pub(crate) fn of_pushes(id: Option<String>, pushes: Vec<Push>, why: &'static str) -> Heard {
        if pushes.is_empty() {
            return Heard::Ignored(why);
        }
        Heard::Delivery(Self { id, pushes, commits: Vec::new() })
    }
}
