//! A root filesystem as a stack of layers, which never changes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use oci::{Descriptor, Digest};

use crate::base::BaseImage;
use crate::builder::Builder;
use crate::error::{Error, blocking};
use crate::layer::Layer;
use crate::layer::chain_id;
use crate::snapshot::Snapshot;

/// A root filesystem. What is done to it gives another; cheap to clone.
#[derive(Clone)]
pub struct Filesystem {
    pub(crate) builder: Builder,
    pub(crate) layers: Arc<[StackLayer]>,
    pub(crate) base: Option<Arc<BaseImage>>,
}

/// A layer in its place.
#[derive(Clone)]
pub(crate) struct StackLayer {
    pub(crate) layer: Layer,
    /// What names it together with all below it (image-spec, "Layer ChainID").
    pub(crate) chain: Digest,
    /// Where its bytes are, if not in the store of builds.
    pub(crate) from: Option<Arc<dyn oci::Store>>,
}

impl Filesystem {
    pub(crate) fn scratch(builder: Builder) -> Self {
        Self { builder, layers: Arc::from([]), base: None }
    }

    pub(crate) fn with_base(builder: Builder, base: BaseImage) -> Self {
        let mut layers: Vec<StackLayer> = Vec::new();
        for layer in &base.layers {
            let chain = chain_id(layers.last().map(|below| &below.chain), &layer.diff_id);
            let from = Some(Arc::clone(&base.store));
            layers.push(StackLayer { layer: layer.clone(), chain, from });
        }
        Self { builder, layers: layers.into(), base: Some(Arc::new(base)) }
    }

    /// The same with one layer more, whose bytes are in the store of builds or in `from`.
    pub(crate) fn with_layer(&self, layer: Layer, from: Option<Arc<dyn oci::Store>>) -> Self {
        let chain = chain_id(self.chain(), &layer.diff_id);
        let above = StackLayer { layer, chain, from };
        let layers = self.layers.iter().cloned().chain([above]).collect();
        Self { builder: self.builder.clone(), layers, base: self.base.clone() }
    }

    /// What names its content; none of an empty one.
    pub(crate) fn chain(&self) -> Option<&Digest> {
        self.layers.last().map(|layer| &layer.chain)
    }

    /// [`Filesystem::chain`] as a part of a key.
    pub(crate) fn key(&self) -> String {
        self.chain().map_or_else(|| "scratch".to_owned(), Digest::to_string)
    }

    /// The image that it began with.
    pub fn base(&self) -> Option<&BaseImage> {
        self.base.as_deref()
    }

    /// How many layers there are above those of the base.
    pub fn new_layers(&self) -> usize {
        let of_base = self.base.as_ref().map_or(0, |base| base.layers.len());
        self.layers.len().saturating_sub(of_base)
    }

    /// The layers, the lowest first.
    pub fn descriptors(&self) -> impl Iterator<Item = &Descriptor> {
        self.layers.iter().map(|layer| &layer.layer.descriptor)
    }

    /// It as directories: fetched and unpacked as far as they are not there yet.
    pub(crate) async fn snapshot(&self) -> Result<Snapshot, Error> {
        let work = self.builder.work().await?;
        let engine = self.builder.engine().clone();
        let layers = Arc::clone(&self.layers);
        // The usual case needs one trip to a thread, however many layers there are.
        let found = {
            let (work, layers) = (Arc::clone(&work), Arc::clone(&layers));
            blocking(move || {
                let mut found = Vec::with_capacity(layers.len());
                for layer in layers.iter() {
                    found.push(work.snapshot(&layer.chain)?);
                }
                Ok(found)
            })
            .await?
        };
        let blobs = self.blobs_of(&found).await?;
        blocking(move || {
            let mut below = engine.snapshot(Vec::new());
            for ((layer, found), blob) in layers.iter().zip(found).zip(blobs) {
                let directory = match (found, blob) {
                    (Some(directory), _) => directory,
                    (None, Some(blob)) => unpacked(&engine, &work, layer, &blob, &below)?,
                    (None, None) => return Err(gone(layer)),
                };
                below = below.with(directory);
            }
            Ok(below)
        })
        .await
    }

    /// The blobs of those layers that are not unpacked yet, fetched side by side.
    async fn blobs_of(&self, found: &[Option<PathBuf>]) -> Result<Vec<Option<PathBuf>>, Error> {
        let wanted = self.layers.iter().zip(found).map(|(layer, found)| async move {
            match found {
                Some(_) => Ok(None),
                None => self.builder.fetch(layer).await.map(Some),
            }
        });
        futures::future::try_join_all(wanted).await
    }
}

/// Unpacks a layer over what is below it.
fn unpacked(
    engine: &crate::engine::Engine,
    work: &crate::store::Work,
    layer: &StackLayer,
    blob: &Path,
    below: &Snapshot,
) -> Result<PathBuf, Error> {
    let directory = work.directory("unpack")?;
    let unpacked = engine.unpack(blob, &directory, below)?;
    if unpacked.diff_id != layer.layer.diff_id {
        return Err(Error::invalid(
            format!(
                "layer {} unpacks to {}, its image says {}",
                layer.layer.descriptor.digest, unpacked.diff_id, layer.layer.diff_id
            ),
            "the image is broken: build or push it again",
        ));
    }
    Ok(work.publish_snapshot(directory, &layer.chain, unpacked.bytes)?)
}

fn gone(layer: &StackLayer) -> Error {
    Error::invalid(
        format!("layer {} is gone from the build store", layer.layer.descriptor.digest),
        "run the pipeline again",
    )
}
