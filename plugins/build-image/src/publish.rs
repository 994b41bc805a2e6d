//! Writing what was built, and what speaks about it.

use serde_json::{Value, json};
use windlass_plugin::build::{BillFormat, Output};
use windlass_plugin::oci::{Access, Descriptor, Repository};
use windlass_plugin::{Result, log};

use crate::inputs::{Bill, Format, Inputs};
use crate::outputs::{Attached, Target};
use crate::product::{Content, Product};

const BASE_NAME: &str = "org.opencontainers.image.base.name";
const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const EMPTY: &str = "application/vnd.oci.empty.v1+json";

const SPDX: &str = "application/spdx+json";
const CYCLONEDX: &str = "application/vnd.cyclonedx+json";
const IN_TOTO: &str = "application/vnd.in-toto+json";

/// What was written.
#[derive(Debug, Default)]
pub struct Written {
    /// What stands where.
    pub targets: Vec<Target>,
    /// The bytes that were sent.
    pub bytes: u64,
    /// Bills of materials.
    pub sboms: Vec<Attached>,
    /// Statements of provenance.
    pub provenance: Vec<Attached>,
}

/// Puts the products together: one image, or an index of several.
///
/// # Errors
/// `invalid.build` for a configuration that does not fit.
pub fn assemble(inputs: &Inputs, products: &[Product]) -> Result<(Output, Vec<Descriptor>)> {
    let format = match inputs.format {
        Format::Oci => windlass_plugin::build::ImageFormat::Oci,
        Format::Docker => windlass_plugin::build::ImageFormat::Docker,
    };
    let output = Output::new(format);
    // One base for all: then the index can say so too.
    if let Some(base) = products.iter().find_map(Product::base) {
        output.annotation(BASE_NAME, &base.name);
        output.annotation(BASE_DIGEST, &base.digest);
    }
    for (name, value) in &inputs.annotations {
        output.annotation(name, value);
    }
    let mut images = Vec::new();
    for product in products {
        images.push(match &product.content {
            Content::Built(filesystem) => output.add(filesystem, &product.config)?,
            Content::Rebased(rebased) => output.add_rebased(rebased)?,
        });
    }
    Ok((output, images))
}

/// Writes `output` into all of `inputs.tags`, and attaches what was asked for.
///
/// # Errors
/// `denied.oci`, `oci.unauthorized`, `oci.transient`, …
pub fn publish(
    inputs: &Inputs,
    output: &Output,
    products: &[Product],
    images: &[Descriptor],
    statements: &[String],
) -> Result<Written> {
    let mut written = Written::default();
    for place in &inputs.tags {
        let target = Repository::open(place, Access::PULL | Access::PUSH)?;
        let tag = target.selector();
        let done = output.push(&target, std::slice::from_ref(&tag))?;
        let digest = done.descriptor().digest;
        log::info!("{}:{tag} is {digest}", target.name());
        written.bytes += done.sent_bytes();
        written.targets.push(Target {
            reference: format!("{}:{tag}", target.name()),
            digest,
            changed: done.changed(),
        });
        for (product, image) in products.iter().zip(images) {
            if let Some(bill) = inputs.sbom {
                let attached = attach_bill(&target, bill, product, image)?;
                note(&mut written.sboms, &product.platform, attached);
            }
        }
        for ((product, image), statement) in products.iter().zip(images).zip(statements) {
            let digest = attach(&target, image, IN_TOTO, statement.as_bytes())?;
            note(&mut written.provenance, &product.platform, digest);
        }
    }
    Ok(written)
}

/// The same in every place: noted once.
fn note(attached: &mut Vec<Attached>, platform: &str, digest: String) {
    if !attached.iter().any(|known| known.platform == platform) {
        attached.push(Attached { platform: platform.to_owned(), digest });
    }
}

fn attach_bill(
    target: &Repository,
    bill: Bill,
    product: &Product,
    image: &Descriptor,
) -> Result<String> {
    let of_rebased;
    let filesystem = match &product.content {
        Content::Built(filesystem) => filesystem,
        Content::Rebased(rebased) => {
            of_rebased = rebased.filesystem();
            &of_rebased
        }
    };
    let (format, media_type) = match bill {
        Bill::Spdx => (BillFormat::Spdx, SPDX),
        Bill::Cyclonedx => (BillFormat::Cyclonedx, CYCLONEDX),
    };
    // By digest: wherever the image is, the bill is the same.
    let text = filesystem.bill_of_materials(format, &image.digest)?;
    attach(target, image, media_type, text.as_bytes())
}

/// Writes `content` as an artifact whose subject is `image`; the digest of its manifest.
fn attach(
    target: &Repository,
    image: &Descriptor,
    media_type: &str,
    content: &[u8],
) -> Result<String> {
    let layer = target.put_blob(media_type, content)?;
    let config = target.put_blob(EMPTY, b"{}")?;
    let descriptor = |descriptor: &Descriptor| -> Value {
        json!({
            "mediaType": descriptor.media_type,
            "digest": descriptor.digest,
            "size": descriptor.size,
        })
    };
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": media_type,
        "config": descriptor(&config),
        "layers": [descriptor(&layer)],
        "subject": descriptor(image),
    });
    Ok(target.put_manifest(MANIFEST, manifest.to_string().as_bytes(), &[])?.digest)
}
