//! A builder: its images are made from nothing, and are really pushed.

use azure_emulator::{Build, Builder, Built, Context, Product};
use futures::future::BoxFuture;

use crate::images;

pub(crate) struct FromNothing;

impl Builder for FromNothing {
    fn build<'a>(&'a self, build: &'a Build) -> BoxFuture<'a, Result<Product, String>> {
        Box::pin(async move {
            build.log(&format!("Step 1/1 : {}", build.dockerfile));
            if build.login_server.starts_with("failregistry") {
                return Err("exit status 1".to_owned());
            }
            if let Context::Folder(folder) = &build.context
                && !folder.join(&build.dockerfile).is_file()
            {
                return Err(format!("there is no {}", build.dockerfile));
            }
            let mut built = Vec::new();
            for image in build.images.iter().filter(|_| build.push) {
                let (repository, tag) = image.split_once(':').unwrap_or((image, "latest"));
                let store = build.repository(&build.login_server, repository)?;
                let image = images::image(&*store, image, &[tag.parse().unwrap()]).await;
                built.push(Built {
                    repository: repository.to_owned(),
                    tag: tag.to_owned(),
                    digest: image.digest(),
                    media_type: image.media_type().as_str().to_owned(),
                    size: image.descriptor().size,
                });
            }
            Ok(Product { images: built, ..Product::default() })
        })
    }
}
