//! Contexts: archives that were uploaded, unpacked for a build.

use std::io::Read as _;
use std::path::{Component, Path, PathBuf};

use flate2::read::MultiGzDecoder;

/// Bytes of an unpacked context. A context is sources; a larger one is an accident or an attack.
const LARGEST: u64 = 8 * 1024 * 1024 * 1024;

/// Files and folders of a context.
const MOST_ENTRIES: usize = 1_000_000;

/// The file of an uploaded context, if `place` is one of a container.
pub(super) fn file(state: &Path, container: &str, place: &str) -> Option<PathBuf> {
    let place = Path::new(place);
    let plain = place.components().all(|part| matches!(part, Component::Normal(_)));
    let inside = place.starts_with("source");
    (plain && inside).then(|| state.join("blobs").join(container).join(place))
}

/// Unpacks an archive into an empty folder. Names and links lead nowhere else: `tar` sees to it.
pub(super) fn unpack(archive: &Path, folder: &Path) -> std::io::Result<()> {
    let file = fs_err::File::open(archive)?;
    let too_large = || std::io::Error::other("the context is too large");
    // Large archives are packed in parts, each a stream of its own.
    let mut archive = tar::Archive::new(MultiGzDecoder::new(file).take(LARGEST));
    archive.set_preserve_permissions(true);
    archive.set_overwrite(true);
    for (count, entry) in archive.entries()?.enumerate() {
        if count >= MOST_ENTRIES {
            return Err(too_large());
        }
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        // The first entry of az is the folder itself, under an empty name.
        if path.components().all(|part| part == Component::CurDir) {
            continue;
        }
        if !entry.unpack_in(folder)? {
            let why = format!("`{}` leads out of the context", path.display());
            return Err(std::io::Error::other(why));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn archive(entries: &[(&str, &str)]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        for (name, text) in entries {
            let mut header = tar::Header::new_gnu();
            header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
            header.set_size(text.len() as u64);
            header.set_mode(0o644);
            header.set_cksum();
            gzip.write_all(header.as_bytes()).unwrap();
            let mut block = text.as_bytes().to_vec();
            block.resize(text.len().div_ceil(512) * 512, 0);
            gzip.write_all(&block).unwrap();
        }
        gzip.write_all(&[0; 1024]).unwrap();
        let whole = gzip.finish().unwrap();
        file.write_all(&whole).unwrap();
        file
    }

    #[test]
    fn an_archive_of_several_streams_is_unpacked_whole() {
        let text = "x".repeat(3000);
        let plain = {
            let file = fs_err::read(archive(&[("large", &text), ("b", "2")]).path()).unwrap();
            let mut plain = Vec::new();
            MultiGzDecoder::new(file.as_slice()).read_to_end(&mut plain).unwrap();
            plain
        };
        let mut file = tempfile::NamedTempFile::new().unwrap();
        for part in plain.chunks(1000) {
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            gzip.write_all(part).unwrap();
            file.write_all(&gzip.finish().unwrap()).unwrap();
        }
        let folder = tempfile::tempdir().unwrap();
        unpack(file.path(), folder.path()).unwrap();
        assert_eq!(fs_err::read_to_string(folder.path().join("large")).unwrap(), text);
        assert_eq!(fs_err::read_to_string(folder.path().join("b")).unwrap(), "2");
    }

    #[test]
    fn a_context_is_unpacked_whole() {
        let folder = tempfile::tempdir().unwrap();
        unpack(archive(&[("Dockerfile", "FROM scratch"), ("src/a.js", "1")]).path(), folder.path())
            .unwrap();
        assert_eq!(fs_err::read_to_string(folder.path().join("src/a.js")).unwrap(), "1");
    }

    #[test]
    fn nothing_leads_out_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        fs_err::create_dir(&inner).unwrap();
        assert!(unpack(archive(&[("../out", "x")]).path(), &inner).is_err());
        assert!(!folder.path().join("out").exists());
        let mut broken = tempfile::NamedTempFile::new().unwrap();
        broken.write_all(b"no archive").unwrap();
        assert!(unpack(broken.path(), &inner).is_err());
        for place in ["../x", "/etc/passwd", "source/../../x", "logs/a", ""] {
            assert_eq!(file(folder.path(), "c", place), None, "{place}");
        }
    }
}
