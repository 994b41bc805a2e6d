//! What `with` of a pipeline says.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use windlass_plugin::{OneOrMany, Request, Schema};

/// What is watched, and when it counts as changed.
///
/// What is watched may be said in four ways, also together: `images` by name, those of a Dockerfile
/// (`context`, `file`, `dockerfile`, as in `build-image`), the base that an image says it was built on
/// (`annotations-of`), and what a `build-image` step has read (`bases-of`).
#[derive(Debug, Clone, Deserialize, windlass_plugin::Inputs)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Inputs {
    /// Images by name, each `HOST/REPOSITORY[:TAG]`. With `@DIGEST` behind the tag it is held against
    /// that digest, instead of what was there the last time.
    #[serde(default)]
    pub images: Vec<String>,
    /// The directory that the Dockerfile is in; the pipeline's if nothing is said.
    pub context: Option<String>,
    /// The Dockerfile, relative to the context; `Dockerfile` if only that is said. Images that it
    /// names with a digest cannot change, and are left out.
    pub file: Option<String>,
    /// The Dockerfile itself, as text, in place of `file`.
    pub dockerfile: Option<String>,
    /// Build arguments: `ARG` of the Dockerfile.
    #[serde(default)]
    pub args: BTreeMap<String, String>,
    /// The stage that is built; the last one if nothing is said.
    pub target: Option<String>,
    /// Which images of a Dockerfile or of `bases-of`: `runtime`, the default, what the image stands
    /// on; `all`, also what is only needed while building.
    #[serde(default)]
    pub stages: Stages,
    /// An image that says in its annotations what it was built on
    /// (`org.opencontainers.image.base.name` and `.digest`), as those of `build-image` do. Its base is
    /// held against that digest: it is changed until the image is built anew.
    pub annotations_of: Option<String>,
    /// What a `build-image` step has read: its output `bases`. Each is held against the digest that it
    /// had then.
    pub bases_of: Option<Vec<Base>>,
    /// Repositories that a Dockerfile or `annotations-of` may lead to, as patterns.
    #[serde(default = "bases")]
    pub bases: Vec<String>,
    /// The platforms that count, such as `["linux/amd64", "linux/arm64"]`; `"system"` for that of this
    /// machine; `"all"`, as when nothing is said, for those that each index has.
    #[serde(default)]
    pub platforms: OneOrMany,
    /// Follow the newest tag that is a version in this range, such as `>=1.2, <2`, in place of the
    /// tags in `images`, which name repositories then.
    pub semver: Option<String>,
    /// Follow the newest tag that matches this regular expression as a whole. If it has a group, the
    /// version is what the first one holds: `(.*)-alpine`.
    pub tag_regex: Option<String>,
    /// What is done with an image that nothing is known of: `arm`, the default, remembers it, `fire`
    /// also reports it.
    #[serde(default)]
    pub first_seen: FirstSeen,
    /// How long an image must not have moved before its change is reported, such as `10m`; meanwhile
    /// further images may change, and platforms may come. At once if nothing is said.
    pub settle: Option<String>,
    /// Also tell which layers, labels and variables are different; about four requests for each
    /// image that changed.
    #[serde(default)]
    pub changes: bool,
    /// Report what has changed although some images could not be checked. Otherwise the step fails
    /// then, and what has changed is reported by the next run that can check all.
    #[serde(default)]
    pub keep_going: bool,
}

/// Which images of a build.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub enum Stages {
    /// What the image stands on.
    #[default]
    Runtime,
    /// All that is read.
    All,
}

/// What is done with an image that nothing is known of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub enum FirstSeen {
    /// It is remembered.
    #[default]
    Arm,
    /// It is reported.
    Fire,
}

/// An image that a build has read, as `build-image` tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub struct Base {
    /// The reference in full, without digest.
    pub name: String,
    /// The digest that it pointed at.
    pub digest: String,
    /// For which platform it was read.
    pub platform: String,
    /// The digest of the manifest for that platform.
    pub manifest: String,
    /// Whether the image is built on it.
    pub runtime: bool,
}

impl Default for Inputs {
    fn default() -> Self {
        Self {
            images: Vec::new(),
            context: None,
            file: None,
            dockerfile: None,
            args: BTreeMap::new(),
            target: None,
            stages: Stages::default(),
            annotations_of: None,
            bases_of: None,
            bases: bases(),
            platforms: OneOrMany::default(),
            semver: None,
            tag_regex: None,
            first_seen: FirstSeen::default(),
            settle: None,
            changes: false,
            keep_going: false,
        }
    }
}

fn bases() -> Vec<String> {
    vec!["docker.io/**".to_owned()]
}

/// The Dockerfile, if there is one in the workspace.
const FILE: &str = "{{ none if inputs.dockerfile is not none or (inputs.context is none and inputs.file is none) \
     else (inputs.context or '.') | trim('/') ~ '/' ~ (inputs.file or 'Dockerfile') }}";

/// Where bases may be that only a Dockerfile or an image names.
const BASES: &str = "{{ none if inputs.context is none and inputs.file is none \
     and inputs.dockerfile is none and inputs['annotations-of'] is none else inputs.bases }}";

/// What a build has read.
const READ: &str = "{{ none if inputs['bases-of'] is none \
     else inputs['bases-of'] | map(attribute='name') | list }}";

/// What the step will need.
#[must_use]
pub fn requests() -> Vec<Request> {
    vec![
        Request::new("workspace.read", FILE, "reads the Dockerfile"),
        Request::new("oci.pull", "{{ inputs.images }}", "looks at the images"),
        Request::new("oci.pull", "{{ inputs['annotations-of'] }}", "sees what it was built on"),
        Request::new("oci.pull", READ, "looks at the bases"),
        Request::new("oci.pull", BASES, "looks at the bases"),
        Request::new("state", "true", "remembers what was there"),
    ]
}
