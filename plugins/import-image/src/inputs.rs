//! What `with` of a pipeline says.

use serde::Deserialize;
use windlass_plugin::Request;

/// What goes where.
///
/// One source and several targets: a copy in each. Several sources and as many targets: the first
/// to the first, and so on. Several sources and one `target` that ends with `/`: each below it.
#[derive(Debug, Clone, Default, Deserialize, windlass_plugin::Inputs)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Inputs {
    /// The image to copy: `HOST/REPOSITORY[:TAG][@DIGEST]`, `oci-layout:PATH[:TAG][@DIGEST]`,
    /// `oci-archive:FILE[:TAG][@DIGEST]` or `docker-archive:FILE[:REPOSITORY[:TAG]][@DIGEST]`.
    pub source: Option<String>,
    /// Several images to copy.
    #[serde(default)]
    pub sources: Vec<String>,
    /// Where to: like a source, without digest.
    ///
    /// Without a tag it gets the source's; of a source that only has a digest it gets none. If it
    /// ends with `/`, the last word of the source's repository is put behind it.
    pub target: Option<String>,
    /// Several places to copy to.
    #[serde(default)]
    pub targets: Vec<String>,
    /// Only these platforms, such as `linux/amd64` or `linux/arm64/v8`; all if there are none.
    ///
    /// A choice of several makes a new index with a new digest; a single one leaves the index out.
    #[serde(default)]
    pub platforms: Vec<String>,
    /// Overwrite a tag that points elsewhere.
    #[serde(default)]
    pub force: bool,
}

/// `target`, or everything below it.
const TARGET: &str = r#"{{ inputs.target ~ "**" if inputs.target and inputs.target is endingwith("/") else inputs.target }}"#;

/// What the step will need.
#[must_use]
pub fn requests() -> Vec<Request> {
    vec![
        Request::new("oci.pull", "{{ inputs.source }}", "reads the image"),
        Request::new("oci.pull", "{{ inputs.sources }}", "reads the images"),
        Request::new("oci.pull", TARGET, "sees what is in the target already"),
        Request::new("oci.pull", "{{ inputs.targets }}", "sees what is in the targets already"),
        Request::new("oci.push", TARGET, "writes the image"),
        Request::new("oci.push", "{{ inputs.targets }}", "writes the image"),
    ]
}
