//! Everything that goes wrong on the way to a registry, at every request of a copy.
//!
//! No case may end in a wrong or half-tagged image; each ends in success or in one clear error, and
//! leaves nothing behind that stands in the way of the next copy.
//!
//! `world` has an image, two registries and a broken line before each; `rows` says what each trouble
//! may end in; `every_request` tries them all in this process, because they are thousands; `binary`
//! runs some of them as a user sees them, and `large` those that are about bytes.

mod binary;
mod every_request;
mod large;
mod rows;
mod world;
