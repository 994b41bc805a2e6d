//! The 512 bytes of a tar header, as fields.

use std::ops::Range;

/// Tar knows only blocks of this size.
pub(super) const BLOCK: usize = 512;

/// The largest number in a field of twelve bytes: 8 GiB, or the year 2242.
pub(super) const MOST_OCTAL_12: u64 = 0o777_7777_7777;

/// The largest number in a field of eight bytes.
pub(super) const MOST_OCTAL_8: u64 = 0o777_7777;

pub(super) const NAME: Range<usize> = 0..100;
pub(super) const MODE: Range<usize> = 100..108;
pub(super) const UID: Range<usize> = 108..116;
pub(super) const GID: Range<usize> = 116..124;
pub(super) const SIZE: Range<usize> = 124..136;
pub(super) const MTIME: Range<usize> = 136..148;
pub(super) const CHECKSUM: Range<usize> = 148..156;
pub(super) const FLAG: usize = 156;
pub(super) const LINK: Range<usize> = 157..257;
pub(super) const MAGIC: Range<usize> = 257..265;
pub(super) const MAJOR: Range<usize> = 329..337;
pub(super) const MINOR: Range<usize> = 337..345;
pub(super) const PREFIX: Range<usize> = 345..500;

/// What marks a header of POSIX, the only kind that is written here.
pub(super) const USTAR: &[u8; 8] = b"ustar\x0000";

/// A header that is being made or read.
#[derive(Clone)]
pub(super) struct Block(pub(super) [u8; BLOCK]);

impl Block {
    /// A header of POSIX without anything.
    pub(super) fn new(flag: u8) -> Self {
        let mut block = Self([0; BLOCK]);
        block.put(MAGIC, USTAR);
        block.put(FLAG..FLAG + 1, &[flag]);
        block
    }

    /// The bytes of `field`.
    pub(super) fn field(&self, field: Range<usize>) -> &[u8] {
        self.0.get(field).unwrap_or_default()
    }

    /// The bytes of `field` up to the first NUL.
    pub(super) fn text(&self, field: Range<usize>) -> &[u8] {
        self.field(field).split(|byte| *byte == 0).next().unwrap_or_default()
    }

    /// The type of the entry.
    pub(super) fn flag(&self) -> u8 {
        self.field(FLAG..FLAG + 1).first().copied().unwrap_or_default()
    }

    /// Puts `bytes` at the start of `field`, which has room for them.
    pub(super) fn put(&mut self, field: Range<usize>, bytes: &[u8]) {
        if let Some(room) = self.0.get_mut(field).and_then(|room| room.get_mut(..bytes.len())) {
            room.copy_from_slice(bytes);
        }
    }

    /// Puts `number` into `field` in octal digits and a NUL; it fits.
    pub(super) fn put_number(&mut self, field: Range<usize>, number: u64) {
        let width = field.len().saturating_sub(1);
        self.put(field, format!("{number:0width$o}").as_bytes());
    }

    /// Puts the checksum: six digits, NUL, space, as tar always did.
    pub(super) fn seal(&mut self) {
        let (sum, _) = self.sums();
        self.put(CHECKSUM, format!("{sum:06o}\0 ").as_bytes());
    }

    /// Whether the checksum is right; old writers added signed bytes.
    pub(super) fn is_sealed(&self) -> bool {
        let (unsigned, signed) = self.sums();
        self.number(CHECKSUM).is_some_and(|sum| sum == unsigned || sum == signed)
    }

    /// The number in `field`: octal, or binary where the first bit says so.
    pub(super) fn number(&self, field: Range<usize>) -> Option<i64> {
        let bytes = self.field(field);
        let (first, rest) = bytes.split_first()?;
        if first & 0x80 != 0 {
            // Two's complement in all the other bits.
            let negative = first & 0x40 != 0;
            let first = i128::from(first & 0x7f) - if negative { 0x80 } else { 0 };
            let mut value = first;
            for byte in rest {
                value = value.checked_mul(256)?.checked_add(i128::from(*byte))?;
            }
            return i64::try_from(value).ok();
        }
        let is_blank = |byte: &u8| *byte == b' ' || *byte == 0;
        let start = bytes.iter().position(|byte| !is_blank(byte)).unwrap_or(bytes.len());
        let digits = bytes.get(start..)?;
        let end = digits.iter().position(is_blank).unwrap_or(digits.len());
        let mut value: i64 = 0;
        for byte in digits.get(..end)? {
            let digit = byte.checked_sub(b'0').filter(|digit| *digit < 8)?;
            value = value.checked_mul(8)?.checked_add(i64::from(digit))?;
        }
        Some(value)
    }

    /// The sum of all bytes, the checksum's own taken as spaces: unsigned and signed.
    fn sums(&self) -> (i64, i64) {
        let spaces = 8 * i64::from(b' ');
        let others = self.0.iter().enumerate().filter(|(at, _)| !CHECKSUM.contains(at));
        others.fold((spaces, spaces), |(unsigned, signed), (_, byte)| {
            (unsigned + i64::from(*byte), signed + i64::from(byte.cast_signed()))
        })
    }
}
