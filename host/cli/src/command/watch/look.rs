//! A look at what a trigger names.

use std::time::Duration;

use capability::{AccessFlags, GrantedOci};
use futures::{StreamExt as _, stream};
use oci::{Content, Manifest, MediaType};
use record::Seen;
use report::{Fault, Kind};

use super::watched::{Image, Rule, Trigger, Watched};

/// As many images at once; how many of them ask one registry at a time is its budget's business.
const AT_ONCE: usize = 64;

/// A registry that takes longer is in trouble, and the others have to wait for nobody.
const PATIENCE: Duration = Duration::from_secs(30);

/// What was seen.
#[derive(Default)]
pub(super) struct Looked {
    pub(super) seen: Vec<Seen>,
    /// Why not all was.
    pub(super) error: Option<String>,
    pub(super) trouble: Option<Kind>,
}

/// Looks at what `trigger` names: one request for each image.
pub(super) async fn at(trigger: &Trigger, watched: &Watched) -> Looked {
    let Rule::Images { images, .. } = &trigger.rule else { return Looked::default() };
    let looks = images.iter().map(async |image| {
        let looked = tokio::time::timeout(PATIENCE, look(image, &watched.oci)).await;
        let looked = looked.unwrap_or_else(|_| {
            let text = format!("no answer within {} s", PATIENCE.as_secs());
            Err(Fault::new(Kind::Transient, text))
        });
        (image, looked)
    });
    let mut looks = stream::iter(looks).buffer_unordered(AT_ONCE);
    let mut all = Looked::default();
    let mut errors = Vec::new();
    while let Some((image, looked)) = looks.next().await {
        match looked {
            Ok(seen) => all.seen.extend(seen),
            Err(fault) => {
                all.trouble = all.trouble.or(Some(fault.kind));
                errors.push(format!("{}: {fault}", image.text));
            }
        }
    }
    errors.sort();
    all.error = match errors.as_slice() {
        [] => None,
        [one] => Some(one.clone()),
        [first, more @ ..] => Some(format!("{first} (and {} more)", more.len())),
    };
    all
}

async fn look(image: &Image, oci: &GrantedOci) -> Result<Vec<Seen>, Fault> {
    let access = AccessFlags { pull: true, ..AccessFlags::default() };
    let repository = oci.open(&image.text, access).await?;
    let selector = repository.selector();
    let seen = |platform, digest| Seen { image: image.text.clone(), platform, digest };
    if image.platforms.is_empty() {
        let found = repository.resolve(&selector).await?;
        let found = found.ok_or_else(|| Fault::new(Kind::NotFound, "there is no such image"))?;
        return Ok(vec![seen(None, found.digest)]);
    }
    let found = repository.get_manifest(&selector).await?;
    let declared = MediaType::new(&found.descriptor.media_type);
    let manifest = Manifest::new(declared, found.content)?;
    let Content::Index(index) = manifest.content() else {
        // An image for one platform; which it is, it does not say here.
        let digest = manifest.digest().to_string();
        let each = image.platforms.iter().map(|on| seen(Some(on.to_string()), digest.clone()));
        return Ok(each.collect());
    };
    let each = image.platforms.iter().map(|platform| match index.entry_for(platform) {
        Some(entry) => Ok(seen(Some(platform.to_string()), entry.digest.to_string())),
        None => Err(Fault::new(Kind::NotFound, format!("there is no image for {platform}"))),
    });
    each.collect()
}
