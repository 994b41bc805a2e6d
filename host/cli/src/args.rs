//! The command line, as people type it.

pub(crate) mod runs;
pub(crate) mod watch;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

/// Exit codes, shown below `--help`; the same table stands in README.md, and a test compares them.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0    ok
  1    a step failed
  2    usage, or an invalid pipeline
  3    denied: a grant or a policy refused
  4    authentication failed, or a secret is unavailable
  5    transient: worth trying again
  6    a digest, lock or signature does not match
  10   --detailed-exitcode of plan --live and watch --once: something would change, or did
  70   a bug of ours
  124  timed out
  130  interrupted (143 by SIGTERM)";

/// Runs CI/CD pipelines whose steps are sandboxed WebAssembly components.
///
/// A step can do nothing that the pipeline file does not grant: no network, no files, no secrets.
#[derive(Debug, Parser)]
#[command(name = "windlass", version, after_help = EXIT_CODES, max_term_width = 100, disable_help_subcommand = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags of every command.
#[derive(Args, Clone, Debug)]
pub(crate) struct Global {
    /// When to use colour
    #[arg(long, value_enum, default_value_t = Colour::Auto, global = true, value_name = "WHEN")]
    pub(crate) color: Colour,
    /// Say only what went wrong
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say more; -vv for the program's own log
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// How results are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people; messages go to standard error
    Human,
    /// For programs, on standard output
    Json,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a pipeline
    Run(Run),
    /// List runs; show one, follow it, stop it, or do it again
    Runs(runs::Runs),
    /// Run pipelines when what their `[on]` names has come
    Watch(watch::Watch),
    /// List what starts runs, and how it is
    Triggers(watch::Triggers),
    /// Check a pipeline file; run nothing
    Check(Check),
    /// Show what would run, and what each step would be granted
    Plan(Plan),
    /// Print the JSON Schema of pipeline files, or of one and its plugins' inputs
    Schema(Schema),
    /// Keep secrets in an encrypted store on this machine
    #[command(subcommand)]
    Secret(Secret),
    /// Serve an OCI registry, or clean one up
    #[command(subcommand)]
    Registry(Registry),
    /// Look at plugins
    #[command(subcommand)]
    Plugin(Plugin),
    /// Look at what a build would be given
    #[command(subcommand)]
    Build(Build),
    /// Show what builds have left on this machine, or remove it
    Cache(Cache),
    /// Serve as much of Azure as pipelines speak to, on this machine alone
    AzureEmulator(AzureEmulator),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// Which pipeline, and with what.
#[derive(Args, Clone, Debug)]
pub(crate) struct Given {
    /// The pipeline file
    pub(crate) file: PathBuf,
    /// Set an input of the pipeline; may be repeated
    #[arg(long = "input", short = 'i', value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub(crate) inputs: Vec<(String, String)>,
}

#[derive(Args, Debug)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) given: Given,
    /// Run only this step; what it needs is taken as done, without outputs
    #[arg(long, value_name = "STEP")]
    pub(crate) only: Option<String>,
    /// Go on with steps that do not depend on a failed one
    #[arg(long)]
    pub(crate) keep_going: bool,
    #[command(flatten)]
    pub(crate) how: How,
}

/// How a run is run, whatever starts it.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct How {
    /// How many steps may run at once [default: the number of processors, at least 4]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) jobs: Option<u16>,
    /// How what happens is written
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

#[derive(Args, Debug)]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) given: Given,
    /// How results are written
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

#[derive(Args, Debug)]
pub(crate) struct Plan {
    #[command(flatten)]
    pub(crate) given: Given,
    /// Let the steps look, changing nothing, and say what each would change
    #[arg(long)]
    pub(crate) live: bool,
    /// With --live: exit with 10 if anything would change
    #[arg(long, requires = "live")]
    pub(crate) detailed_exitcode: bool,
    /// How results are written
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

#[derive(Args, Debug)]
pub(crate) struct Schema {
    /// Merge in the inputs of the plugins that this pipeline uses
    pub(crate) file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Secret {
    /// Store a secret; the value is read from standard input, without its last newline
    Set {
        /// Its name: letters, digits, `.`, `_`, `-`
        name: String,
    },
    /// List the names of the stored secrets
    List {
        /// How results are written
        #[arg(long, value_enum, default_value_t = Format::Human)]
        format: Format,
    },
    /// Remove a secret
    Rm {
        /// Its name
        name: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Registry {
    /// Serve a registry from a directory of OCI layouts, until interrupted
    Serve(ServeRegistry),
    /// Remove blobs that no image needs; a server may run meanwhile
    Gc(CollectGarbage),
}

#[derive(Args, Debug)]
pub(crate) struct ServeRegistry {
    /// The directory; each repository is an OCI layout in it
    #[arg(long, value_name = "DIR", default_value = "registry")]
    pub(crate) root: PathBuf,
    /// Address and port; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:5000")]
    pub(crate) listen: std::net::SocketAddr,
    /// Users and their bcrypt hashes, as `htpasswd -B` writes them; read again when it changes
    #[arg(long, value_name = "FILE")]
    pub(crate) htpasswd: Option<PathBuf>,
    /// Speak TLS: the certificate chain in PEM, the server's own first
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The certificate's private key in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Take passwords without TLS from other machines, where all on the way can read them
    #[arg(long)]
    pub(crate) insecure: bool,
    /// Write a line for each request: method, path, status, time; `-` is standard error
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    pub(crate) access_log: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct AzureEmulator {
    /// Its folder: certificates, keys, what it remembers, images
    #[arg(long, value_name = "DIR", default_value = "azure")]
    pub(crate) state: PathBuf,
    /// Address and port, on this machine; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9080")]
    pub(crate) listen: std::net::SocketAddr,
    /// Where a registry of the outside really is, such as docker.io=http://127.0.0.1:5000
    #[arg(long = "upstream", value_name = "HOST=URL", value_parser = upstream)]
    pub(crate) upstreams: Vec<(String, url::Url)>,
    /// What runs containers: `runc`, `crun` or a path; `none` only says that they run. Whichever of
    /// both is installed by default
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) runtime: Option<String>,
    /// A further registry, in a folder that is new; by its whole id, one of another subscription
    #[arg(long = "registry", value_name = "NAME")]
    pub(crate) registries: Vec<String>,
    /// A further vault, in a folder that is new
    #[arg(long = "vault", value_name = "NAME")]
    pub(crate) vaults: Vec<String>,
    /// Write a line for each request: method, host and path, status, bytes sent; `-` is standard error
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    pub(crate) access_log: Option<PathBuf>,
}

fn upstream(text: &str) -> Result<(String, url::Url), String> {
    let (host, url) = text.split_once('=').ok_or("write it as HOST=URL")?;
    let url = url.parse().map_err(|error| format!("`{url}` is not a URL: {error}"))?;
    Ok((host.to_owned(), url))
}

#[derive(Args, Debug)]
pub(crate) struct CollectGarbage {
    /// The directory of the registry
    #[arg(long, value_name = "DIR", default_value = "registry")]
    pub(crate) root: PathBuf,
    /// Only say what would be removed
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Leave what was written or asked for more recently: it may belong to a push under way
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = humantime::parse_duration)]
    pub(crate) older_than: std::time::Duration,
    /// Remove manifests too that no tag leads to
    #[arg(long)]
    pub(crate) untagged: bool,
    /// How results are written
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Build {
    /// List the files of a build context that `.dockerignore` leaves in it, or pack them
    Context(BuildContext),
}

#[derive(Args, Debug)]
pub(crate) struct BuildContext {
    /// The directory
    #[arg(default_value = ".")]
    pub(crate) directory: PathBuf,
    /// The Dockerfile, relative to the directory: NAME.dockerignore goes before .dockerignore
    #[arg(long, short, value_name = "FILE", default_value = "Dockerfile")]
    pub(crate) file: String,
    /// List what is left out instead, and the line that leaves it out
    #[arg(long)]
    pub(crate) ignored: bool,
    /// Write what is listed, and the Dockerfile, to this file, as a tar packed with gzip
    #[arg(long, short, value_name = "ARCHIVE", conflicts_with = "ignored")]
    pub(crate) output: Option<PathBuf>,
    /// How results are written
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

#[derive(Args, Debug)]
pub(crate) struct Cache {
    /// Remove what is not in use
    #[arg(long)]
    pub(crate) prune: bool,
    /// With --prune: only what was not used for so long
    #[arg(long, value_name = "TIME", requires = "prune", value_parser = humantime::parse_duration)]
    pub(crate) older_than: Option<std::time::Duration>,
    /// With --prune: leave so many bytes of what was used last, such as 10GB
    #[arg(long, value_name = "SIZE", requires = "prune", value_parser = size)]
    pub(crate) keep: Option<u64>,
    /// How results are written
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Plugin {
    /// Show what a plugin takes, gives and asks for; without a name, list the builtin ones
    Inspect {
        /// A builtin's name, `file:./step.wasm`, `oci://…` or `https://…`
        uses: Option<String>,
        /// The digest that an https plugin must have
        #[arg(long, value_name = "HEX")]
        sha256: Option<String>,
        /// How results are written
        #[arg(long, value_enum, default_value_t = Format::Human)]
        format: Format,
    },
}

fn size(text: &str) -> Result<u64, String> {
    pipeline::unit::parse_size(text).map_err(|_| "expected a size, such as 10GB".to_owned())
}

fn name_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        super::Arguments::command().debug_assert();
    }
}
