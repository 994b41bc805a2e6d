//! Branches: whether the commit of one is another one than before.

use serde_json::{Value, json};

use super::Judged;

/// The commit that a branch was found at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The repository, as the file names it.
    pub repository: String,
    /// The branch in full: `refs/heads/main`.
    pub reference: String,
    /// The commit's hash.
    pub id: String,
}

/// Judges the commit that was seen; the first one fires if `first_fires`.
pub fn commit(before: &Value, seen: &Commit, first_fires: bool) -> Judged {
    let Commit { repository, reference, id } = seen;
    let text = |key| before.get(key).and_then(Value::as_str);
    // Of another repository or branch, nothing is known.
    let is_same = text("repository") == Some(repository) && text("reference") == Some(reference);
    let old = text("commit").filter(|_| is_same);
    let fires = match old {
        Some(old) => old != id,
        None => first_fires,
    };
    Judged {
        state: json!({ "repository": repository, "reference": reference, "commit": id }),
        armed: true,
        cause: fires.then(|| {
            json!({ "commit": {
                "repository": repository, "reference": reference, "old": old, "new": id,
            } })
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(id: &str, branch: &str) -> Commit {
        Commit {
            repository: ".".to_owned(),
            reference: format!("refs/heads/{branch}"),
            id: id.to_owned(),
        }
    }

    #[test]
    fn each_other_commit_fires_once() {
        let mut state = Value::Null;
        let mut fires = Vec::new();
        for (id, branch) in [("1", "a"), ("1", "a"), ("2", "a"), ("2", "a"), ("1", "a"), ("3", "b")]
        {
            let judged = commit(&state, &at(id, branch), false);
            state = judged.state;
            fires.push(judged.cause.is_some());
        }
        assert_eq!(fires, [false, false, true, false, true, false]);
    }

    #[test]
    fn the_first_may_fire() {
        let judged = commit(&json!("strange"), &at("1", "a"), true);
        assert_eq!(judged.cause.unwrap()["commit"]["new"], "1");
    }
}
