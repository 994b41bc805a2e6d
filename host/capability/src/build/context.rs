//! Contexts of a step's build: a folder that it may read, or a repository that it may fetch.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use build::context::{Context, ContextError, git};
use build::ignore::Ignore;
use cap_std::{ambient_authority, fs::Dir};
use report::{Fault, Kind, Side};
use url::Url;

use super::{GivenFile, GrantedBuild, invalid};
use crate::call::Effect;
use crate::grant::{Denied, Layer, Want, folder};
use crate::voice::{Use, Voice};

/// What a guest reads of a context in one call: a Dockerfile, an ignore file.
const LARGEST_FILE: u64 = 4 * 1024 * 1024;

/// What a workspace may name that is fetched.
const FILE_SCHEME: &str = "file:";

/// The files that a build may copy.
#[derive(Clone)]
pub struct BuildContext {
    voice: Voice,
    context: Arc<Mutex<Context>>,
}

impl GrantedBuild {
    /// Opens a directory or a tar of the workspace, or a git repository.
    ///
    /// # Errors
    /// `denied.workspace`, `denied.http`, `not-found.build`, `invalid.build`.
    pub async fn context(&self, source: &str) -> Result<BuildContext, Fault> {
        let used = Use::begin("build", "context", source);
        let opened = self.context_checked(source).await;
        let opened = self.call.voice.end(used, opened, |_| ("ok".to_owned(), None))?;
        Ok(self.wrapped(opened))
    }

    /// Just these files.
    ///
    /// # Errors
    /// `invalid.build` for a path that is none.
    pub fn given(&self, files: Vec<GivenFile>) -> Result<BuildContext, Fault> {
        let files = files.into_iter().map(|file| build::context::GivenFile {
            path: file.path,
            content: file.content,
            mode: file.mode,
        });
        Ok(self.wrapped(Context::files(files).map_err(Fault::from)?))
    }

    fn wrapped(&self, context: Context) -> BuildContext {
        BuildContext { voice: self.call.voice.clone(), context: Arc::new(Mutex::new(context)) }
    }

    async fn context_checked(&self, source: &str) -> Result<Context, Fault> {
        if source.contains("://") && !source.starts_with(FILE_SCHEME) {
            return self.fetched(source).await;
        }
        let is_repository = source.starts_with(FILE_SCHEME);
        let text = source.strip_prefix(FILE_SCHEME).unwrap_or(source);
        let text = text.strip_prefix("//").unwrap_or(text);
        let (path, reference) = match (is_repository, text.split_once('#')) {
            (true, Some((path, reference))) => (path, format!("#{reference}")),
            (_, _) => (text, String::new()),
        };
        let normal = folder::normalize(path)
            .map_err(|why| invalid(format!("`{path}` is no context: {why}")).help(folder::HELP))?;
        self.call.check(&Want::Read(&normal), Effect::Look)?;
        let (root, engine) = (self.root.clone(), self.engine.clone());
        let shown = source.to_owned();
        crate::blocking(move || {
            let place = confined(&root, &normal, &shown)?;
            let context = if is_repository {
                let text = format!("{}{reference}", place.display());
                let source = git::GitSource::parse(&text).map_err(ContextError::from)?;
                Context::git(&source, None, &engine.scratch()?)?
            } else if place.is_dir() {
                Context::directory(&place)?
            } else {
                Context::archive(&place, &engine.scratch()?)?
            };
            Ok(context)
        })
        .await
    }

    /// A repository elsewhere, through the gate.
    async fn fetched(&self, source: &str) -> Result<Context, Fault> {
        let parsed = git::GitSource::parse(source).map_err(ContextError::from)?;
        let no_repository = || {
            invalid(format!("`{source}` is no repository"))
                .help("write it as `https://example.com/app.git#main:folder`")
        };
        let git::Location::Url(url) = &parsed.location else { return Err(no_repository()) };
        let url: Url = url.parse().map_err(|_| no_repository())?;
        // Refused before anything is set up, with the line that allows it.
        self.call.check(&Want::Http { url: &url, method: &http::Method::GET }, Effect::Look)?;
        let (http, engine) = (super::fetch::GitOverHttp::new(self.clone()), self.engine.clone());
        crate::blocking(move || Ok(Context::git(&parsed, Some(&http), &engine.scratch()?)?)).await
    }
}

impl BuildContext {
    pub(super) fn get(&self) -> Context {
        self.context.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Leaves out what `text` says; `name` is for messages.
    ///
    /// # Errors
    /// `invalid.build` with the line.
    pub fn ignore(&self, name: &str, text: &str) -> Result<(), Fault> {
        let ignore =
            Ignore::parse(name, text).map_err(|bad| Fault::from(ContextError::from(bad)))?;
        let mut context = self.context.lock().unwrap_or_else(PoisonError::into_inner);
        *context = context.clone().with_ignore(ignore);
        Ok(())
    }

    /// A file, whether left out or not; none where there is none.
    ///
    /// # Errors
    /// `invalid.build` for what is no file, or too large.
    pub async fn read(&self, path: &str) -> Result<Option<Vec<u8>>, Fault> {
        let (context, path) = (self.get(), PathBuf::from(path));
        let read = crate::blocking(move || Ok(context.read_file(&path, LARGEST_FILE)?)).await;
        read.map_err(|fault| self.voice.masked(fault))
    }

    /// Whether a path that is there is left out.
    pub fn ignores(&self, path: &str) -> bool {
        self.get().ignores(Path::new(path))
    }

    /// The commit, of a git repository.
    pub fn revision(&self) -> Option<String> {
        self.get().commit().ok().flatten().map(|commit| commit.id)
    }

    /// When the commit was made, in seconds since 1970.
    ///
    /// # Errors
    /// `invalid.build` for a repository that cannot be read.
    pub async fn commit_time(&self) -> Result<Option<u64>, Fault> {
        let context = self.get();
        let found = crate::blocking(move || Ok(context.commit().map_err(ContextError::from)?));
        Ok(found.await?.and_then(|commit| u64::try_from(commit.time).ok()))
    }

    /// The latest time of modification of what is not left out, in seconds since 1970.
    ///
    /// # Errors
    /// `invalid.build` for what cannot be read.
    pub async fn newest_time(&self) -> Result<Option<u64>, Fault> {
        let context = self.get();
        let found =
            crate::blocking(move || Ok(context.newest_mtime().map_err(ContextError::from)?));
        Ok(found.await?.and_then(|time| u64::try_from(time).ok()))
    }
}

/// `path` in `root`, links followed, if they stay inside.
fn confined(root: &Path, path: &str, shown: &str) -> Result<PathBuf, Fault> {
    let path = if path.is_empty() { "." } else { path };
    let dir = Dir::open_ambient_dir(root, ambient_authority());
    let inside = dir.and_then(|dir| dir.canonicalize(path));
    inside.map(|inside| root.join(inside)).map_err(|error| {
        if error.kind() == std::io::ErrorKind::PermissionDenied && error.raw_os_error().is_none() {
            let value = shown.to_owned();
            return Denied { key: "workspace.read", value, layer: Layer::Link, toml: None }.into();
        }
        let (kind, code) = match error.kind() == std::io::ErrorKind::NotFound {
            true => (Kind::NotFound, "not-found.build"),
            false => (Kind::Failed, "build.io"),
        };
        Fault::new(kind, format!("there is no context `{shown}`"))
            .code(code)
            .side(Side::User)
            .cause(error)
            .help("name a folder relative to the pipeline file with `context`")
    })
}
