//! rpm's database: SQLite, whose table `Packages` has a header in each row.
//!
//! A header is two big-endian numbers (entries, bytes of data), then entries of four numbers each
//! (tag, type, offset, count), then the data (rpm's documentation, "Package format: Header structure").

use super::Package;
use crate::error::Error;

/// Tags, as rpm numbers them.
const NAME: u32 = 1000;
const VERSION: u32 = 1001;
const RELEASE: u32 = 1002;
const EPOCH: u32 = 1003;
const LICENSE: u32 = 1014;
const ARCH: u32 = 1022;
const SOURCE_RPM: u32 = 1044;

/// Types of values.
const INT32: u32 = 4;
const STRING: u32 = 6;
const I18N_STRING: u32 = 9;

/// Entries of a header; rpm has some 200 tags.
const MOST_ENTRIES: usize = 65_536;

/// Bytes of a number, and of an entry.
const WORD: usize = 4;
const ENTRY: usize = 4 * WORD;

/// What is no package: the keys that packages are signed with.
const KEY: &str = "gpg-pubkey";

/// The packages of the database with these bytes.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Package>, Error> {
    let wrong = |error: rusqlite::Error| {
        Error::invalid(
            format!("rpm's database cannot be read: {error}"),
            "rebuild it in the image: `rpmdb --rebuilddb`",
        )
    };
    let file = tempfile::NamedTempFile::new().map_err(Error::io("copying rpm's database"))?;
    fs_err::write(file.path(), bytes).map_err(Error::io("copying rpm's database"))?;
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let database = rusqlite::Connection::open_with_flags(file.path(), flags).map_err(wrong)?;
    let mut statement = database.prepare("SELECT blob FROM Packages").map_err(wrong)?;
    let rows = statement.query_map([], |row| row.get::<_, Vec<u8>>(0)).map_err(wrong)?;
    let mut packages = Vec::new();
    for header in rows {
        packages.extend(package(&header.map_err(wrong)?));
    }
    Ok(packages)
}

fn package(header: &[u8]) -> Option<Package> {
    let name = text(header, NAME)?;
    if name == KEY {
        return None;
    }
    let version = text(header, VERSION)?;
    let release = text(header, RELEASE).map(|release| format!("-{release}")).unwrap_or_default();
    let epoch = number(header, EPOCH).map(|epoch| format!("{epoch}:")).unwrap_or_default();
    Some(Package {
        kind: "rpm",
        version: format!("{epoch}{version}{release}"),
        architecture: text(header, ARCH).unwrap_or_default(),
        license: text(header, LICENSE).unwrap_or_default(),
        source: text(header, SOURCE_RPM).unwrap_or_default(),
        name,
    })
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let word = bytes.get(at..at.checked_add(WORD)?)?;
    Some(u32::from_be_bytes(word.try_into().ok()?))
}

/// The data of a tag from its beginning, and the tag's type.
fn value(header: &[u8], wanted: u32) -> Option<(u32, &[u8])> {
    let entries = usize::try_from(word(header, 0)?).ok().filter(|count| *count <= MOST_ENTRIES)?;
    let index = 2 * WORD;
    let data = header.get(index + entries * ENTRY..)?;
    (0..entries).map(|entry| index + entry * ENTRY).find_map(|at| {
        let (tag, kind, offset) =
            (word(header, at)?, word(header, at + WORD)?, word(header, at + 2 * WORD)?);
        let value = data.get(usize::try_from(offset).ok()?..)?;
        (tag == wanted).then_some((kind, value))
    })
}

fn text(header: &[u8], tag: u32) -> Option<String> {
    let (kind, value) = value(header, tag)?;
    let text = value.split(|byte| *byte == 0).next()?;
    matches!(kind, STRING | I18N_STRING).then(|| String::from_utf8_lossy(text).into_owned())
}

fn number(header: &[u8], tag: u32) -> Option<u32> {
    let (kind, value) = value(header, tag)?;
    (kind == INT32).then(|| word(value, 0)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(fields: &[(u32, u32, &[u8])]) -> Vec<u8> {
        let (mut index, mut data) = (Vec::new(), Vec::new());
        for (tag, kind, value) in fields {
            for word in [*tag, *kind, u32::try_from(data.len()).unwrap(), 1] {
                index.extend(word.to_be_bytes());
            }
            data.extend_from_slice(value);
        }
        let mut header = u32::try_from(fields.len()).unwrap().to_be_bytes().to_vec();
        header.extend(u32::try_from(data.len()).unwrap().to_be_bytes());
        [header, index, data].concat()
    }

    fn bash() -> Vec<u8> {
        header(&[
            (NAME, STRING, b"bash\0"),
            (VERSION, STRING, b"5.2.26\0"),
            (RELEASE, STRING, b"3.fc40\0"),
            (EPOCH, INT32, &1_u32.to_be_bytes()),
            (LICENSE, STRING, b"GPL-3.0-or-later\0"),
            (ARCH, STRING, b"x86_64\0"),
        ])
    }

    #[test]
    fn a_database_lists_its_packages() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let database = rusqlite::Connection::open(file.path()).unwrap();
        database.execute("CREATE TABLE Packages (hnum INTEGER, blob BLOB)", []).unwrap();
        let key = header(&[(NAME, STRING, b"gpg-pubkey\0"), (VERSION, STRING, b"1\0")]);
        for row in [bash(), key, b"garbage".to_vec()] {
            database.execute("INSERT INTO Packages VALUES (1, ?1)", [row]).unwrap();
        }
        drop(database);
        let expect = Package {
            kind: "rpm",
            name: "bash".to_owned(),
            version: "1:5.2.26-3.fc40".to_owned(),
            architecture: "x86_64".to_owned(),
            license: "GPL-3.0-or-later".to_owned(),
            source: String::new(),
        };
        assert_eq!(read(&fs_err::read(file.path()).unwrap()).unwrap(), [expect]);
    }

    #[test]
    fn broken_headers_are_no_packages_and_no_panic() {
        let whole = bash();
        for length in 0..whole.len() {
            let _ = package(&whole[..length]);
        }
        for at in 0..whole.len() {
            let mut broken = whole.clone();
            broken[at] = 0xff;
            let _ = package(&broken);
        }
        assert!(read(b"no database").is_err());
    }
}
