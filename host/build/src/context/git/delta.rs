//! An object as changes of another: `gitformat-pack`, "Deltified representation".

use super::object::LARGEST_OBJECT;
use super::{GitError, broken};

/// What `delta` makes of `base`.
pub(super) fn apply(base: &[u8], delta: &[u8]) -> Result<Vec<u8>, GitError> {
    changed(base, delta).ok_or_else(|| broken("a delta does not fit its base"))
}

fn changed(base: &[u8], delta: &[u8]) -> Option<Vec<u8>> {
    let mut rest = delta;
    let base_size = size(&mut rest)?;
    let result_size = size(&mut rest)?;
    if base_size != base.len() as u64 || result_size > LARGEST_OBJECT {
        return None;
    }
    let result_size = usize::try_from(result_size).ok()?;
    // Not all at once: the size is only what somebody says.
    let mut result = Vec::with_capacity(result_size.min(1 << 20));
    while let Some((&code, after)) = rest.split_first() {
        rest = after;
        let chunk = if code & 0x80 != 0 {
            let mut number = |bits: std::ops::Range<u32>| {
                let mut value = 0_usize;
                for (shift, bit) in bits.enumerate() {
                    if code & (1 << bit) != 0 {
                        let (byte, after) = rest.split_first()?;
                        rest = after;
                        value |= usize::from(*byte) << (8 * shift);
                    }
                }
                Some(value)
            };
            let offset = number(0..4)?;
            let count = match number(4..7)? {
                0 => 0x1_0000,
                count => count,
            };
            base.get(offset..offset.checked_add(count)?)?
        } else {
            let (chunk, after) = rest.split_at_checked(usize::from(code)).filter(|_| code > 0)?;
            rest = after;
            chunk
        };
        if result.len() + chunk.len() > result_size {
            return None;
        }
        result.extend_from_slice(chunk);
    }
    (result.len() == result_size).then_some(result)
}

/// Seven bits a byte, the lowest first.
fn size(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..63).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
