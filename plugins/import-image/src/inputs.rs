//! What `with` of a pipeline says.

use serde::Deserialize;
use windlass_plugin::schema::Shape;
use windlass_plugin::{OneOrMany, Request, Schema};

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
    /// The digest that the source must have, `sha256:…`; otherwise nothing is copied.
    pub expect_digest: Option<String>,
    /// Copy every tag of the source, which is a repository then, as the target is.
    #[serde(default)]
    pub all_tags: bool,
    /// Copy these tags: names, or patterns with `*` and `?`. A name that is not there is an error.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Copy the tags that match this regular expression as a whole.
    pub tag_regex: Option<String>,
    /// Copy the tags that are versions in this range, such as `>=1.2, <2`. `v1.2` counts as 1.2.0;
    /// what has a suffix, such as `1.2.0-alpine`, counts as a pre-release and is only in a range that
    /// names one.
    pub semver: Option<String>,
    /// Of the tags that are left, copy so many of the newest: by version where all of them are
    /// versions, else by name, numbers in it by their value (`build-9` before `build-10`).
    pub newest: Option<u32>,
    /// But not these tags: names or patterns.
    #[serde(default)]
    pub exclude_tags: Vec<String>,
    /// Write images under their digests alone, without a tag.
    #[serde(default)]
    pub untagged: bool,
    /// Only these platforms, such as `["linux/amd64", "linux/arm64/v8"]`; `"system"` for that of this
    /// machine; `"all"` as when nothing is said.
    #[serde(default)]
    pub platforms: OneOrMany,
    /// What becomes of an index if only some platforms are kept. `new-index`, the default: several
    /// platforms make a new index with a new digest, a single one leaves the index out. `sparse`: the
    /// index stays as it is, with its digest, and lists more than is there.
    pub index: Option<Index>,
    /// What refers to the image comes along: signatures, SBOMs, attestations. `true`, the default:
    /// with every image that is new or has a new tag. `"always"`: they are looked for with unchanged
    /// images too, so that those that were added later come along; it costs two requests or more for
    /// each image. A list of artifact types: only those. `false`: none.
    #[serde(default)]
    pub referrers: Referrers,
    /// Whether layers are copied that the image says are not to be distributed.
    #[serde(default)]
    pub foreign_layers: ForeignLayers,
    /// A repository of the target's registry, `HOST/REPOSITORY`, that may have the blobs already, as
    /// when an image moves to another name: they are linked from there instead of sent.
    pub mount_from: Option<String>,
    /// Overwrite a tag that points elsewhere.
    #[serde(default)]
    pub force: bool,
    /// If an image cannot be copied, go on with the others, and fail at the end.
    #[serde(default)]
    pub keep_going: bool,
    /// Who copies. `client`, the default: this machine. `server`: Azure, into a registry of its own
    /// (`importImage`), so that no byte passes here; signatures and the like do not come along.
    /// `auto`: Azure where it can, else this machine.
    #[serde(default)]
    pub mode: Mode,
    /// The identity, a name in `[identity]`, that Azure imports for; `server` needs one.
    pub identity: Option<String>,
    /// The subscription of the target, by id; the only one that the identity sees if it is left out.
    pub subscription: Option<String>,
    /// The resource group of the target; it is looked for in the whole subscription if it is left out.
    pub resource_group: Option<String>,
    /// The registry of Azure that the source is in, for Azure to read as the identity: its resource
    /// id, or its name if it is in the same subscription. The source is then `REPOSITORY[:TAG]`, or
    /// begins with that registry's login server. Needed for another subscription, and for a registry
    /// without public access.
    pub source_registry: Option<String>,
    /// Who reads the source where Azure imports: a user, an application's id, a token's name. Where this
    /// machine copies, `[registries]` says that.
    pub username: Option<String>,
    /// The password for it: a name in `[secrets]`. Without `username`, an access token.
    pub password: Option<String>,
    /// Azure Resource Manager, where it is not that of the public cloud, such as
    /// `https://management.chinacloudapi.cn`.
    pub endpoint: Option<String>,
}

/// Who copies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, serde::Serialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// This machine.
    #[default]
    Client,
    /// Azure.
    Server,
    /// Azure where it can.
    Auto,
}

/// What becomes of an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub enum Index {
    /// It keeps its digest and lists more than is there.
    Sparse,
    /// It is made anew.
    NewIndex,
}

/// Which referrers come along.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Referrers {
    /// All or none.
    All(bool),
    /// `always`.
    Word(String),
    /// Those of these artifact types.
    Types(Vec<String>),
}

/// What becomes of foreign layers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, serde::Serialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub enum ForeignLayers {
    /// They stay where their URLs point.
    #[default]
    Skip,
    /// They are copied.
    Include,
}

impl Default for Referrers {
    fn default() -> Self {
        Self::All(true)
    }
}

impl serde::Serialize for Referrers {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::All(all) => all.serialize(to),
            Self::Word(word) => word.serialize(to),
            Self::Types(types) => types.serialize(to),
        }
    }
}

impl Schema for Referrers {
    fn shape() -> Shape {
        Shape::Either(vec![Shape::Boolean, Shape::OneOf(vec!["always"]), Vec::<String>::shape()])
    }
}

/// `target`, or everything below it.
const TARGET: &str = r#"{{ inputs.target ~ "**" if inputs.target and inputs.target is endingwith("/") else inputs.target }}"#;

/// What this machine writes to; Azure writes by itself.
const WRITTEN: &str = r#"{{ none if inputs.mode == "server" else inputs.target ~ "**" if inputs.target and inputs.target is endingwith("/") else inputs.target }}"#;

/// The same for several.
const WRITTEN_TOO: &str = r#"{{ none if inputs.mode == "server" else inputs.targets }}"#;

/// Who Azure imports for, where it does.
const IDENTITY: &str = r#"{{ none if inputs.mode == "client" else inputs.identity }}"#;

/// Azure Resource Manager; whoever names this machine means it.
const ENDPOINT: &str = r#"{{ none if inputs.mode == "client" or not inputs.identity
     else "https://management.azure.com" if not inputs.endpoint
     else {"url": inputs.endpoint, "private": true} if "//127.0.0.1" in inputs.endpoint or "//localhost" in inputs.endpoint or "//[::1]" in inputs.endpoint
     else inputs.endpoint }}"#;

/// What the step will need.
#[must_use]
pub fn requests() -> Vec<Request> {
    vec![
        Request::new("oci.pull", "{{ inputs.source }}", "reads the image"),
        Request::new("oci.pull", "{{ inputs.sources }}", "reads the images"),
        Request::new("oci.pull", TARGET, "sees what is in the target already"),
        Request::new("oci.pull", "{{ inputs.targets }}", "sees what is in the targets already"),
        Request::new(
            "oci.pull",
            "{{ inputs['mount-from'] }}",
            "links blobs that are there already",
        ),
        Request::new("oci.push", WRITTEN, "writes the image"),
        Request::new("oci.push", WRITTEN_TOO, "writes the image"),
        Request::new("identity", IDENTITY, "has Azure import the image"),
        Request::new("http", ENDPOINT, "has Azure import the image"),
        Request::new("secrets.use", "{{ inputs.password }}", "lets Azure read the source"),
    ]
}
