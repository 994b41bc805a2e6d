//! How images are copied, whichever they are: what the inputs say of all of them.

use windlass_plugin::{Error, OneOrMany, Result};

use crate::inputs::{ForeignLayers, Index, Inputs, Referrers};

/// The word for every platform.
const ALL: &str = "all";

/// How images are copied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Terms {
    /// The platforms to keep, `system` for that of the machine; all if there are none.
    pub platforms: Vec<String>,
    /// Whether the index keeps its digest although some platforms are left out.
    pub is_sparse: bool,
    /// The digest that the source must have.
    pub expect: Option<String>,
    /// Whether anything that refers to an image comes along.
    pub referrers: Wanted,
    /// Whether it is looked for with unchanged images too.
    pub rechecks: bool,
    /// Whether layers come along that are not to be distributed.
    pub foreign_layers: bool,
    /// A repository of the target's registry that may have the blobs already.
    pub mount_from: Option<String>,
    /// Whether a tag that points elsewhere is overwritten.
    pub force: bool,
}

/// Which referrers are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Wanted {
    /// All.
    #[default]
    All,
    /// None.
    Nothing,
    /// Those of these artifact types.
    Types(Vec<String>),
}

impl Terms {
    /// What the inputs say.
    ///
    /// # Errors
    /// `invalid.inputs` if they contradict themselves.
    pub fn new(inputs: &Inputs) -> Result<Self> {
        let (referrers, rechecks) = match &inputs.referrers {
            Referrers::All(true) => (Wanted::All, false),
            Referrers::All(false) => (Wanted::Nothing, false),
            Referrers::Word(word) if word == "always" => (Wanted::All, true),
            Referrers::Word(word) => {
                return Err(Error::invalid(format!("`referrers` is `{word}`"))
                    .hint("write `true`, `false`, `\"always\"` or a list of artifact types"));
            }
            Referrers::Types(types) if types.is_empty() => {
                return Err(Error::invalid("`referrers` is an empty list")
                    .hint("name artifact types, or write `referrers = false`"));
            }
            Referrers::Types(types) => (Wanted::Types(types.clone()), false),
        };
        let platforms = platforms(&inputs.platforms)?;
        if inputs.index.is_some() && platforms.is_empty() {
            return Err(Error::invalid("`index` says what becomes of an index of which only some platforms are kept, and all are")
                .hint("choose some, such as `platforms = [\"linux/amd64\"]`, or leave `index` away"));
        }
        Ok(Self {
            platforms,
            is_sparse: inputs.index == Some(Index::Sparse),
            expect: inputs.expect_digest.clone(),
            referrers,
            rechecks,
            foreign_layers: inputs.foreign_layers == ForeignLayers::Include,
            mount_from: inputs.mount_from.clone(),
            force: inputs.force,
        })
    }
}

fn platforms(wanted: &OneOrMany) -> Result<Vec<String>> {
    let list = wanted.as_slice();
    match list.iter().any(|platform| platform == ALL) {
        true if list.len() > 1 => Err(Error::invalid("`platforms` says `all` and names some")
            .hint("write `platforms = \"all\"`, or name some")),
        true => Ok(Vec::new()),
        false => Ok(list.to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(json: &str) -> Result<Terms> {
        Terms::new(&serde_json::from_str(json).expect("inputs"))
    }

    #[test]
    fn without_a_word_all_platforms_and_referrers_come_along() {
        assert_eq!(terms("{}").expect("sound"), Terms::default());
    }

    #[test]
    fn platforms_are_a_list_or_a_word() {
        let platforms = |json: &str| terms(json).expect("sound").platforms;
        assert_eq!(platforms(r#"{"platforms": "all"}"#), [""; 0]);
        assert_eq!(platforms(r#"{"platforms": "system"}"#), ["system"]);
        assert_eq!(platforms(r#"{"platforms": ["linux/amd64"]}"#), ["linux/amd64"]);
        assert!(
            terms(r#"{"platforms": ["linux/amd64"], "index": "sparse"}"#).expect("sound").is_sparse
        );
    }

    #[test]
    fn referrers_are_a_word_or_a_list() {
        let referrers = |json: &str| {
            let terms = terms(json).expect("sound");
            (terms.referrers, terms.rechecks)
        };
        assert_eq!(referrers(r#"{"referrers": false}"#), (Wanted::Nothing, false));
        assert_eq!(referrers(r#"{"referrers": "always"}"#), (Wanted::All, true));
        let types = vec!["a/b".to_owned()];
        assert_eq!(referrers(r#"{"referrers": ["a/b"]}"#), (Wanted::Types(types), false));
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        for json in [
            r#"{"index": "sparse"}"#,
            r#"{"index": "new-index", "platforms": "all"}"#,
            r#"{"platforms": ["all", "linux/amd64"]}"#,
            r#"{"referrers": "often"}"#,
            r#"{"referrers": []}"#,
        ] {
            let error = terms(json).expect_err(json);
            assert!(error.is("invalid") && error.hint_text().is_some());
        }
    }
}
