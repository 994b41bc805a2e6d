//! As much of the OCI image format as it takes to make images of nothing.
//!
//! What is made is the same each time and everywhere, so it has the same digests. Neighbours:
//! `demo` makes a small image of it, `bench` makes large ones.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// Media types of the OCI image specification, "OCI Image Media Types".
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// What docker pushes.
pub(crate) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub(crate) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(crate) const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
pub(crate) const GZIP_LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// What blocks of a tar archive are long.
const BLOCK: usize = 512;

/// The media type of a manifest of ours, index or not.
pub(crate) fn media_type(manifest: &[u8]) -> String {
    let value: Value = serde_json::from_slice(manifest).unwrap_or_default();
    value.get("mediaType").and_then(Value::as_str).unwrap_or(MANIFEST).to_owned()
}

/// `sha256:…` over `bytes`.
pub(crate) fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

/// What points at `bytes`.
pub(crate) fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": digest(bytes), "size": bytes.len() })
}

/// An archive with one file, in the format of POSIX.1-1988 ("ustar"): blocks of 512 bytes, numbers
/// in octal, two empty blocks at the end.
pub(crate) fn tar(name: &str, content: &[u8]) -> Vec<u8> {
    let mut header = [0_u8; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| {
        for (to, from) in header.iter_mut().skip(at).zip(bytes) {
            *to = *from;
        }
    };
    put(0, name.as_bytes());
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{:011o}\0", content.len()).as_bytes());
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    let sum = format!("{sum:06o}\0 ");
    for (to, from) in header.iter_mut().skip(148).zip(sum.bytes()) {
        *to = from;
    }
    let mut archive = Vec::with_capacity(content.len() + 4 * BLOCK);
    archive.extend_from_slice(&header);
    archive.extend_from_slice(content);
    archive.resize(archive.len().next_multiple_of(BLOCK) + 2 * BLOCK, 0);
    archive
}

/// `bytes` in the gzip format (RFC 1952) without being compressed: in stored blocks (RFC 1951,
/// section 3.2.4). For content that no compression would make smaller.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    // No name, no time, unknown system.
    let mut file = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    let blocks = bytes.chunks(usize::from(u16::MAX));
    let last = blocks.len().saturating_sub(1);
    for (number, block) in blocks.enumerate() {
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
        file.push(u8::from(number == last));
        file.extend(length.to_le_bytes());
        file.extend((!length).to_le_bytes());
        file.extend_from_slice(block);
    }
    if bytes.is_empty() {
        file.extend([1, 0, 0, 0xff, 0xff]);
    }
    file.extend(crc32(bytes).to_le_bytes());
    // Modulo 2³², as the format has it.
    file.extend((bytes.len() as u32).to_le_bytes());
    file
}

/// The checksum of RFC 1952, section 8.
fn crc32(bytes: &[u8]) -> u32 {
    let table: [u32; 256] = std::array::from_fn(|index| {
        (0..8).fold(index as u32, |value, _| {
            if value & 1 == 1 { 0xedb8_8320 ^ (value >> 1) } else { value >> 1 }
        })
    });
    let all = bytes.iter().fold(u32::MAX, |sum, byte| {
        let at = usize::from((sum as u8) ^ byte);
        table.get(at).copied().unwrap_or_default() ^ (sum >> 8)
    });
    !all
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::*;

    /// What `program` prints when it is given `input`.
    fn piped(program: &[&str], input: &[u8]) -> Vec<u8> {
        let mut child = Command::new(program[0])
            .args(&program[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut pipe = child.stdin.take().unwrap();
        let input = input.to_owned();
        let writer = std::thread::spawn(move || pipe.write_all(&input));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap().ok();
        assert!(output.status.success(), "{program:?}: {output:?}");
        output.stdout
    }

    #[test]
    fn a_layer_is_an_archive_that_tar_reads() {
        let archive = tar("hello.txt", b"hello\n");
        assert_eq!(piped(&["tar", "-xO"], &archive), b"hello\n");
    }

    #[test]
    fn gzip_reads_what_was_stored_in_its_format() {
        let long: Vec<u8> =
            (0..200_000_u32).map(|number| number.wrapping_mul(number) as u8).collect();
        for content in [&b""[..], b"x", &long] {
            assert_eq!(piped(&["gzip", "-dc"], &gzip(content)), content);
        }
    }
}
