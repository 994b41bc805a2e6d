//! `windlass:log`.

use wasmtime::component::Resource;

use crate::bindings::windlass::log::log::{Field, Host, HostGroup, HostProgress, Level, Unit};
use crate::state::StepState;

impl Host for StepState {
    async fn emit(
        &mut self,
        level: Level,
        message: String,
        fields: Vec<Field>,
    ) -> wasmtime::Result<()> {
        let level = match level {
            Level::Trace => capability::Level::Trace,
            Level::Debug => capability::Level::Debug,
            Level::Info => capability::Level::Info,
            Level::Warn => capability::Level::Warn,
            Level::Error => capability::Level::Error,
        };
        let fields: Vec<capability::Field> = fields
            .into_iter()
            .map(|Field { name, value }| capability::Field { name, value })
            .collect();
        self.granted.log.emit(level, &message, &fields);
        Ok(())
    }
}

impl HostProgress for StepState {
    async fn new(
        &mut self,
        title: String,
        total: Option<u64>,
        unit: Unit,
    ) -> wasmtime::Result<Resource<capability::Progress>> {
        let unit = match unit {
            Unit::Bytes => capability::Unit::Bytes,
            Unit::Items => capability::Unit::Items,
        };
        Ok(self.table.push(self.granted.log.progress(&title, total, unit))?)
    }

    async fn advance(
        &mut self,
        progress: Resource<capability::Progress>,
        amount: u64,
    ) -> wasmtime::Result<()> {
        self.table.get(&progress)?.advance(amount);
        Ok(())
    }

    async fn title(
        &mut self,
        progress: Resource<capability::Progress>,
        title: String,
    ) -> wasmtime::Result<()> {
        self.table.get(&progress)?.title(&title);
        Ok(())
    }

    async fn drop(&mut self, progress: Resource<capability::Progress>) -> wasmtime::Result<()> {
        self.table.delete(progress)?;
        Ok(())
    }
}

impl HostGroup for StepState {
    async fn new(&mut self, title: String) -> wasmtime::Result<Resource<capability::Group>> {
        Ok(self.table.push(self.granted.log.group(&title))?)
    }

    async fn drop(&mut self, group: Resource<capability::Group>) -> wasmtime::Result<()> {
        self.table.delete(group)?;
        Ok(())
    }
}
