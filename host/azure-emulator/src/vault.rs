//! Key Vault: vaults as resources (`control`), and the secrets in them (`data`).

pub(crate) mod control;
pub(crate) mod data;
mod describe;
mod secret;

pub(crate) use secret::Vault;

/// The type of vaults.
pub(crate) const KIND: &str = "Microsoft.KeyVault/vaults";

/// The rule for vaults: 3 to 24 letters, digits and hyphens, a letter first, no hyphen last, none
/// twice.
pub(crate) fn is_vault_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    (3..=24).contains(&bytes.len())
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-')
        && bytes.first().is_some_and(u8::is_ascii_alphabetic)
        && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
        && !name.contains("--")
}
