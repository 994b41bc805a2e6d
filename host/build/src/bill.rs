//! Bills of materials: what the package databases of a filesystem list.
//!
//! Said is what is known: the packages of dpkg, apk and rpm, and the base by digest. What was copied
//! in beside them is in no database and is not guessed at. The same filesystem gives the same bytes.

mod apk;
mod document;
mod dpkg;
mod rpm;

use std::io::Read as _;
use std::path::Path;

use crate::error::{Error, blocking};
use crate::filesystem::Filesystem;
use crate::snapshot::Snapshot;
use crate::tree::{self, Kind, Tree};

/// A database of ten thousand packages has some 20 MiB.
const LARGEST_DATABASE: u64 = 256 * 1024 * 1024;

/// How a bill is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BillFormat {
    /// SPDX 2.3, JSON.
    Spdx,
    /// CycloneDX 1.6, JSON.
    CycloneDx,
}

/// A package that a database lists.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Package {
    /// `deb`, `apk` or `rpm`: the type of its package URL.
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    /// With epoch and release, as the tool shows it.
    pub(crate) version: String,
    pub(crate) architecture: String,
    /// What the database says, which is rarely an SPDX expression; empty if nothing.
    pub(crate) license: String,
    /// What it was built from; empty if it is the same.
    pub(crate) source: String,
}

/// `ID` and `VERSION_ID` of `/etc/os-release`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Distribution {
    pub(crate) id: String,
    pub(crate) version: String,
}

impl Filesystem {
    /// The packages that its databases list, as JSON; `name` is what the image is called.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a database that is none.
    pub async fn bill_of_materials(&self, format: BillFormat, name: &str) -> Result<String, Error> {
        let snapshot = self.snapshot().await?;
        let (name, chain) = (name.to_owned(), self.key());
        let epoch = self.builder.settings().source_date_epoch;
        let base = self.base().map(|base| (base.name.clone(), base.manifest.to_string()));
        blocking(move || {
            let distribution = distribution(&snapshot)?;
            let packages = packages(&snapshot)?;
            let bill = document::Bill { name, chain, epoch, base, distribution, packages };
            Ok(match format {
                BillFormat::Spdx => bill.spdx(),
                BillFormat::CycloneDx => bill.cyclonedx(),
            })
        })
        .await
    }
}

fn packages(snapshot: &Snapshot) -> Result<Vec<Package>, Error> {
    let mut packages = Vec::new();
    if let Some(text) = text(snapshot, "var/lib/dpkg/status")? {
        packages.extend(dpkg::parse(&text));
    }
    // Images without dpkg itself keep a file for each package.
    let parts = Path::new("var/lib/dpkg/status.d");
    for child in snapshot.read_dir(parts).unwrap_or_default() {
        let path = parts.join(&child.name);
        let is_status = !child.name.to_string_lossy().ends_with(".md5sums");
        if child.metadata.kind == Kind::File
            && is_status
            && let Some(path) = path.to_str()
            && let Some(text) = text(snapshot, path)?
        {
            packages.extend(dpkg::parse(&text));
        }
    }
    for path in ["lib/apk/db/installed", "usr/lib/apk/db/installed"] {
        if let Some(text) = text(snapshot, path)? {
            packages.extend(apk::parse(&text));
        }
    }
    for path in ["var/lib/rpm/rpmdb.sqlite", "usr/lib/sysimage/rpm/rpmdb.sqlite"] {
        if let Some(bytes) = bytes(snapshot, path)? {
            packages.extend(rpm::read(&bytes)?);
        }
    }
    packages.sort();
    packages.dedup();
    Ok(packages)
}

fn distribution(snapshot: &Snapshot) -> Result<Distribution, Error> {
    let mut found = Distribution::default();
    for path in ["etc/os-release", "usr/lib/os-release"] {
        let Some(text) = text(snapshot, path)? else { continue };
        for line in text.lines() {
            let Some((key, value)) = line.split_once('=') else { continue };
            let value = value.trim().trim_matches(['"', '\'']).to_owned();
            match key.trim() {
                "ID" => found.id = value,
                "VERSION_ID" => found.version = value,
                _ => {}
            }
        }
        break;
    }
    Ok(found)
}

fn text(snapshot: &Snapshot, path: &str) -> Result<Option<String>, Error> {
    Ok(bytes(snapshot, path)?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

/// A file with its links followed; none where there is no such file.
fn bytes(snapshot: &Snapshot, path: &str) -> Result<Option<Vec<u8>>, Error> {
    let Ok(path) = tree::resolve(snapshot, Path::new(path)) else { return Ok(None) };
    match snapshot.metadata(&path) {
        Ok(found) if found.kind == Kind::File && found.size <= LARGEST_DATABASE => {}
        Ok(found) if found.kind == Kind::File => {
            let what = format!("`/{}` has {} bytes", path.display(), found.size);
            return Err(Error::invalid(what, "a database of packages is smaller than that"));
        }
        Ok(_) | Err(_) => return Ok(None),
    }
    let mut bytes = Vec::new();
    let read = snapshot.open(&path).and_then(|mut file| file.read_to_end(&mut bytes));
    read.map_err(Error::io("reading a database of packages"))?;
    Ok(Some(bytes))
}
