//! stub
use std::path::PathBuf;
use std::sync::Arc;
use futures::future::BoxFuture;
use crate::*;
/// An OCI image layout directory: a [`crate::Store`].
pub struct Layout { _p: PathBuf }
impl Layout {
    /// The layout at `path`, which comes into being with its first write.
    pub fn new(path: impl Into<PathBuf>) -> Self { Self { _p: path.into() } }
}
/// Layouts below one directory.
pub struct LayoutRegistry { _p: PathBuf }
impl LayoutRegistry {
    /// Below `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self { Self { _p: root.into() } }
}
impl Registry for LayoutRegistry {
    fn repository(&self, _name: &RepositoryName) -> Arc<dyn Store> { todo!() }
    fn catalog<'a>(&'a self, _after: Option<&'a str>, _limit: usize) -> BoxFuture<'a, Result<Vec<String>, Error>> { todo!() }
    fn upload<'a>(&'a self, _name: &'a RepositoryName) -> BoxFuture<'a, Result<Box<dyn Upload>, Error>> { todo!() }
}
