//! Whether components that were built against a frozen contract still fit into a later one.

use std::path::Path;

use wit_parser::{Resolve, WorldId};

/// Checks that every component of the world `step` in the folder `frozen` can be run where the
/// folder `present` is what the host offers.
///
/// # Errors
/// Why it cannot, or what is wrong with one of the folders.
pub fn still_fits(frozen: &Path, present: &Path) -> Result<(), String> {
    let renamed = tempfile::TempDir::new().expect("a temporary folder can be made");
    // Two packages of one name and version cannot stand side by side; the check itself looks at no
    // version.
    copy_with(frozen, renamed.path(), &|text| text.replace("@0.1.0", "@0.0.9"))?;
    let mut resolve = Resolve::default();
    let frozen = world(&mut resolve, renamed.path())?;
    let present = world(&mut resolve, present)?;
    wit_component::semver_check(resolve, frozen, present).map_err(|error| format!("{error:#}"))
}

/// Copies a folder of WIT; `change` is applied to each file.
pub(crate) fn copy_with(
    from: &Path,
    to: &Path,
    change: &dyn Fn(&str) -> String,
) -> Result<(), String> {
    let named = |error: std::io::Error| format!("{}: {error}", from.display());
    std::fs::create_dir_all(to).map_err(named)?;
    for entry in std::fs::read_dir(from).map_err(named)? {
        let path = entry.map_err(named)?.path();
        let target = to.join(path.file_name().expect("an entry of a folder has a name"));
        if path.is_dir() {
            copy_with(&path, &target, change)?;
        } else {
            let text = std::fs::read_to_string(&path).map_err(named)?;
            std::fs::write(target, change(&text)).map_err(named)?;
        }
    }
    Ok(())
}

fn world(resolve: &mut Resolve, folder: &Path) -> Result<WorldId, String> {
    let (package, _) = resolve.push_dir(folder).map_err(|error| format!("{error:#}"))?;
    resolve.select_world(&[package], Some("step")).map_err(|error| format!("{error:#}"))
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::test_host::repository_root;

    fn fits_after(change: &dyn Fn(&str) -> String) -> Result<(), String> {
        let present = repository_root().join("wit");
        let changed = TempDir::new().unwrap();
        copy_with(&present, changed.path(), change).unwrap();
        still_fits(&present, changed.path())
    }

    #[test]
    fn what_is_added_is_no_break() {
        fits_after(&|text| {
            let function = "/// The keys that begin";
            text.replace(function, &format!("clear: func();\n\n  {function}"))
        })
        .unwrap();
    }

    #[test]
    fn what_is_removed_or_changed_is_a_break() {
        let removed = fits_after(&|text| text.replace("title: func(title: string);", ""));
        removed.unwrap_err();
        let changed = fits_after(&|text| {
            text.replace("advance: func(amount: u64)", "advance: func(amount: u32)")
        });
        changed.unwrap_err();
        let grown = fits_after(&|text| text.replace("error }", "error, fatal }"));
        grown.unwrap_err();
        let demanded = fits_after(&|text| {
            text.replace(
                "run: func(context: context)",
                "prepare: func();\n  run: func(context: context)",
            )
        });
        demanded.unwrap_err();
    }
}
