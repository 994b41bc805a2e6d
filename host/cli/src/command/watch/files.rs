//! The pipeline files that are watched, each as it was last read.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use report::{Fault, Kind};

use super::watched::Watched;

/// All files that are watched. What is read anew takes the place of what was read before.
pub(super) struct Files(Mutex<Vec<Arc<Watched>>>);

impl Files {
    /// All of them.
    ///
    /// # Errors
    /// Two hear the same webhook, and not from the same sender.
    pub(super) fn new(files: Vec<Watched>) -> Result<Self, Fault> {
        let files: Vec<Arc<Watched>> = files.into_iter().map(Arc::new).collect();
        for (index, file) in files.iter().enumerate() {
            at_odds(file, files.iter().take(index))?;
        }
        Ok(Self(Mutex::new(files)))
    }

    /// All as they are now.
    pub(super) fn all(&self) -> Vec<Arc<Watched>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The one at `index` as it is now.
    pub(super) fn get(&self, index: usize) -> Option<Arc<Watched>> {
        self.all().into_iter().nth(index)
    }

    /// Takes what was read anew.
    ///
    /// # Errors
    /// As [`Self::new`]; then it stays as it was.
    pub(super) fn set(&self, index: usize, file: Watched) -> Result<Arc<Watched>, Fault> {
        let file = Arc::new(file);
        let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let others = files.iter().enumerate().filter(|(other, _)| *other != index);
        at_odds(&file, others.map(|(_, other)| other))?;
        if let Some(slot) = files.get_mut(index) {
            *slot = Arc::clone(&file);
        }
        Ok(file)
    }
}

fn at_odds<'w>(
    file: &Watched,
    others: impl Iterator<Item = &'w Arc<Watched>>,
) -> Result<(), Fault> {
    let shown = |watched: &Watched| -> PathBuf { watched.given.file.clone() };
    for other in others {
        for (name, endpoint) in &file.endpoints {
            if other.endpoints.get(name).is_some_and(|known| !known.is_same(endpoint)) {
                let message = format!("two files hear `/hooks/{name}` from different senders");
                return Err(Fault::new(Kind::Conflict, message)
                    .cause(format!("{} and {}", shown(other).display(), shown(file).display()))
                    .help("give both the same `from` and `secret`, or each its own `name`"));
            }
        }
    }
    Ok(())
}
