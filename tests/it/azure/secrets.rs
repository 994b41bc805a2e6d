//! Secrets that steps make, store and use.
