//! The component: the host's OCI interface behind the trait that the logic asks for.

use windlass_plugin::oci::{Access, Copied, Copy, Descriptor, Repository};
use windlass_plugin::{Context, Outcome, Request, Result, Step, log};

use crate::import::{Host, Order, import};
use crate::inputs::{self, Inputs};
use crate::outputs::Outputs;

/// The plugin.
pub struct ImportImage;

impl Step for ImportImage {
    const NAME: &'static str = "import-image";
    const SUMMARY: &'static str = "copies images from one registry or layout to another";
    type Inputs = Inputs;
    type Outputs = Outputs;

    fn requests() -> Vec<Request> {
        inputs::requests()
    }

    fn run(inputs: Inputs, context: &Context) -> Result<Outcome<Outputs>> {
        import(&inputs, context.dry_run, &Imports)
    }
}

windlass_plugin::step!(ImportImage);

struct Imports;

impl Host for Imports {
    fn resolve(&self, reference: &str) -> Result<Option<Descriptor>> {
        let repository = Repository::open(reference, Access::PULL)?;
        repository.resolve(&repository.selector())
    }

    fn copy(&self, order: &Order<'_>) -> Result<Copied> {
        let source = Repository::open(order.source, Access::PULL)?;
        let target = Repository::open(order.target, Access::PULL | Access::PUSH)?;
        let mut copy = Copy::new(&source, &source.selector(), &target);
        if let Some(tag) = order.tag {
            copy = copy.tag(tag);
        }
        if !order.platforms.is_empty() {
            copy = copy.platforms(order.platforms);
        }
        if order.force {
            copy = copy.force();
        }
        copy.run()
    }

    fn say(&self, text: &str) {
        log::info!("{text}");
    }
}
