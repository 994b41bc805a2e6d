//! Some of it as a user sees it.
