//! Shared access signatures: URLs of blobs that carry their own right.

use crate::azure::Azure;
use crate::call::Call;
use crate::clock;

/// How long such a URL counts.
const LIFETIME: jiff::SignedDuration = jiff::SignedDuration::from_hours(1);

/// The version of storage that the URLs speak of.
const VERSION: &str = "2021-08-06";

/// The query of a URL that permits `permissions` (of `rcw`) on a path.
pub(super) fn query(azure: &Azure, path: &str, permissions: &str) -> String {
    let end = clock::zulu(azure.clock().now() + LIFETIME);
    let signature = azure.keys.seal(&format!("{path}\n{permissions}\n{end}"));
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("sv", VERSION).append_pair("sr", "b").append_pair("sig", &signature);
    query.append_pair("se", &end).append_pair("sp", permissions);
    query.finish()
}

/// Whether a request carries the right to do `permission`, or one of them.
pub(super) fn permits(azure: &Azure, call: &Call, any_of: &[char]) -> bool {
    let (Some(signature), Some(end), Some(permissions)) =
        (call.query("sig"), call.query("se"), call.query("sp"))
    else {
        return false;
    };
    let path = format!("/{}", call.path.join("/"));
    let ours = azure.keys.seal(&format!("{path}\n{permissions}\n{end}")) == signature;
    let lives = end.parse::<jiff::Timestamp>().is_ok_and(|end| end > azure.clock().now());
    ours && lives && any_of.iter().any(|wanted| permissions.contains(*wanted))
}

/// Something short that belongs to a registry, for the name of its container.
pub(super) fn suffix(id: &str) -> String {
    oci::Digest::of(crate::world::key(id).as_bytes()).hex().chars().take(16).collect()
}
