//! Dockerfiles: parsed, expanded and put in order.
