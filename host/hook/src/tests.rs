//! The room as senders see it.
