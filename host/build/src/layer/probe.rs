//! Which parts of a block are not worth compressing.
//!
//! Half of what images hold is compressed already: archives, pictures, wheels, keys. Deflate spends
//! its longest time there and gains nothing. A few counts tell such bytes from others six times
//! faster than the attempt: their values are evenly spread, and no four of them were seen before.
//! Being wrong costs a little size, never correctness.

use std::ops::Range;

/// What is judged at once.
const UNIT: usize = 4096;

/// Fewer units in a row are compressed with their neighbours: each change costs some bytes.
const SHORTEST: usize = 4;

/// The sum of squared counts that is the most for bytes without order. An even spread has 69,616 on
/// average in 4,096 bytes; what Huffman codes gain beyond this is less than one percent.
const MOST_SQUARES: u32 = 75_000;

/// The same for the first look, at 512 bytes: 1,534 on average.
const MOST_SQUARES_AT_ONCE: u32 = 2_600;

/// The first look.
const FIRST: usize = 512;

/// Slots for the places where four bytes were seen: deflate itself looks back 32 KiB.
const SLOTS: usize = 8192;

/// Repeated groups of four bytes beyond which a unit is worth compressing.
const MOST_REPEATS: u32 = 16;

/// A stretch of a block.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stretch {
    /// Stored as it is.
    Random(Range<usize>),
    /// Compressed.
    Ordered(Range<usize>),
}

/// Judges one block after the other.
pub(super) struct Probe {
    /// Where in the block four bytes with this hash stood, plus one.
    seen: Vec<u32>,
}

impl Probe {
    pub(super) fn new() -> Self {
        Self { seen: vec![0; SLOTS] }
    }

    /// Cuts `block` into stretches.
    pub(super) fn stretches(&mut self, block: &[u8]) -> Vec<Stretch> {
        self.seen.fill(0);
        let mut runs: Vec<(bool, Range<usize>)> = Vec::new();
        for start in (0..block.len()).step_by(UNIT) {
            let end = block.len().min(start + UNIT);
            let random = end - start == UNIT && self.is_random(block, start);
            match runs.last_mut() {
                Some((kind, range)) if *kind == random => range.end = end,
                _ => runs.push((random, start..end)),
            }
        }
        let mut stretches: Vec<Stretch> = Vec::new();
        for (random, range) in runs {
            let random = random && range.len() >= SHORTEST * UNIT;
            match (random, stretches.last_mut()) {
                (true, _) => stretches.push(Stretch::Random(range)),
                (false, Some(Stretch::Ordered(last))) => last.end = range.end,
                (false, _) => stretches.push(Stretch::Ordered(range)),
            }
        }
        stretches
    }

    fn is_random(&mut self, block: &[u8], start: usize) -> bool {
        let unit = block.get(start..start + UNIT).unwrap_or_default();
        if squares(unit.get(..FIRST).unwrap_or_default()) > MOST_SQUARES_AT_ONCE {
            return false;
        }
        squares(unit) <= MOST_SQUARES && self.repeats(block, start) <= MOST_REPEATS
    }

    /// How many of the groups of four bytes that were looked at stood in this block before.
    fn repeats(&mut self, block: &[u8], start: usize) -> u32 {
        let word = |at: usize| block.get(at..)?.first_chunk().map(|four| u32::from_le_bytes(*four));
        let mut repeats = 0;
        // Looked up one by one in the first quarter, so that no alignment hides them; kept of the
        // others every fourth.
        for at in start..start + UNIT {
            let is_kept = at % 4 == 0;
            if at >= start + UNIT / 4 && !is_kept {
                continue;
            }
            let Some(now) = word(at) else { break };
            let hash = now.wrapping_mul(0x9E37_79B1) >> (u32::BITS - SLOTS.ilog2());
            let Some(slot) = self.seen.get_mut(hash as usize) else { break };
            if *slot != 0 && word(*slot as usize - 1) == Some(now) {
                repeats += 1;
            }
            if is_kept {
                *slot = at as u32 + 1;
            }
        }
        repeats
    }
}

fn count(counts: &mut [u32; 256], byte: u8) {
    if let Some(count) = counts.get_mut(usize::from(byte)) {
        *count += 1;
    }
}

/// The sum of the squares of how often each value comes.
fn squares(bytes: &[u8]) -> u32 {
    // Two tables: equal neighbours do not wait for each other. A byte is always in there.
    let mut counts = [[0_u32; 256]; 2];
    let [even, odd] = &mut counts;
    let (pairs, rest) = bytes.as_chunks::<2>();
    for [a, b] in pairs {
        count(even, *a);
        count(odd, *b);
    }
    for byte in rest {
        count(even, *byte);
    }
    even.iter().zip(odd).map(|(a, b)| (*a + *b).pow(2)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random(size: usize) -> Vec<u8> {
        let mut state = 0x0123_4567_89ab_cdef_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        };
        let mut bytes: Vec<u8> = (0..size.div_ceil(8)).flat_map(|_| next()).collect();
        bytes.truncate(size);
        bytes
    }

    #[test]
    fn random_bytes_are_stored_and_text_is_not() {
        let text = b"The quick brown fox jumps over the lazy dog.".repeat(600);
        let noise = random(10 * UNIT);
        let block = [&text[..5 * UNIT], &noise, &text[..UNIT + 7]].concat();
        let expected = [
            Stretch::Ordered(0..5 * UNIT),
            Stretch::Random(5 * UNIT..15 * UNIT),
            Stretch::Ordered(15 * UNIT..16 * UNIT + 7),
        ];
        assert_eq!(Probe::new().stretches(&block), expected);
    }

    #[test]
    fn what_repeats_is_compressed_however_even_its_values() {
        let counting: Vec<u8> = (0..=255).cycle().take(8 * UNIT).collect();
        assert_eq!(Probe::new().stretches(&counting), [Stretch::Ordered(0..8 * UNIT)]);
        let noise = random(4 * UNIT);
        let twice = [&noise[..], &noise].concat();
        let expected = [Stretch::Random(0..4 * UNIT), Stretch::Ordered(4 * UNIT..8 * UNIT)];
        assert_eq!(Probe::new().stretches(&twice), expected);
    }

    #[test]
    fn little_noise_stays_with_its_neighbours() {
        let block = [vec![0; UNIT], random(3 * UNIT), vec![0; UNIT]].concat();
        assert_eq!(Probe::new().stretches(&block), [Stretch::Ordered(0..5 * UNIT)]);
        assert_eq!(Probe::new().stretches(b""), []);
    }
}
