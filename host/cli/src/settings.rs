//! The environment, read once.

use std::ffi::OsString;
use std::path::PathBuf;

use report::{Fault, Kind, Style};

use crate::args::{Colour, Global};

/// What the environment and the global flags say, in one value that is passed down.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Compiled plugins. `WINDLASS_CACHE_DIR`, else `$XDG_CACHE_HOME/windlass`.
    pub(crate) cache_dir: PathBuf,
    /// What builds leave for the next. `WINDLASS_BUILD_DIR`, else `build` in the cache.
    pub(crate) build_dir: PathBuf,
    /// What steps remember. `WINDLASS_STATE_DIR`, else `$XDG_STATE_HOME/windlass`.
    pub(crate) state_dir: PathBuf,
    /// The local secret store and its key. `WINDLASS_SECRETS_DIR`, else `$XDG_DATA_HOME/windlass/secrets`.
    pub(crate) secrets_dir: PathBuf,
    /// Files with registry credentials, the first that has one for a repository counts:
    /// `REGISTRY_AUTH_FILE`, `$XDG_RUNTIME_DIR/containers/auth.json`,
    /// `$XDG_CONFIG_HOME/containers/auth.json` (`~/.config`), `$DOCKER_CONFIG/config.json`
    /// (`~/.docker`).
    pub(crate) registry_auth_files: Vec<PathBuf>,
    /// The credential helpers that those files may name. `WINDLASS_CREDENTIAL_HELPERS`, with commas.
    pub(crate) credential_helpers: Vec<String>,
    /// More root certificates. `SSL_CERT_FILE`.
    pub(crate) ca_files: Vec<PathBuf>,
    /// `HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`, either case.
    pub(crate) proxy: Proxy,
    /// Where programs are looked for. `PATH`.
    pub(crate) path: Vec<PathBuf>,
    /// Colour for what goes to standard error.
    pub(crate) style: Style,
    /// Whether standard error is a terminal on which bars can move.
    pub(crate) bars: bool,
    /// Say only what went wrong.
    pub(crate) quiet: bool,
    /// 0, 1, 2: more and more.
    pub(crate) verbose: u8,
    /// The latest time that made files are to have, in seconds since 1970. `SOURCE_DATE_EPOCH`
    /// (reproducible-builds.org).
    pub(crate) source_date_epoch: Option<u64>,
    /// How fast each registry may be asked, by all that this process does.
    pub(crate) budgets: oci::Budgets,
}

/// The variable with the latest time of made files.
const EPOCH: &str = "SOURCE_DATE_EPOCH";

fn epoch(text: OsString) -> Result<u64, Fault> {
    text.to_str().and_then(|text| text.parse().ok()).ok_or_else(|| {
        Fault::new(Kind::Invalid, format!("{EPOCH} is `{}`", text.display()))
            .help("set it to seconds since 1970, or unset it")
    })
}

/// Where requests go through.
#[derive(Clone, Debug, Default)]
pub(crate) struct Proxy {
    pub(crate) http: Option<String>,
    pub(crate) https: Option<String>,
    pub(crate) no_proxy: Option<String>,
}

impl Settings {
    /// Reads the process's environment.
    pub(crate) fn from_environment(global: &Global) -> Result<Self, Fault> {
        use std::io::IsTerminal as _;
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the one place that reads the environment"
        )]
        let lookup = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        Self::new(&lookup, global, std::io::stderr().is_terminal())
    }

    fn new(
        lookup: &dyn Fn(&str) -> Option<OsString>,
        global: &Global,
        is_terminal: bool,
    ) -> Result<Self, Fault> {
        let path = |name: &str| lookup(name).map(PathBuf::from);
        let text = |name: &str| lookup(name).and_then(|value| value.into_string().ok());
        let either_case = |name: &str| text(name).or_else(|| text(&name.to_lowercase()));
        let home = path("HOME");
        let directory = |own: &str, xdg: &str, below_home: &str, leaf: &str| {
            path(own)
                .or_else(|| path(xdg).filter(|path| path.is_absolute()).map(|path| path.join(leaf)))
                .or_else(|| home.as_ref().map(|home| home.join(below_home).join(leaf)))
                .ok_or_else(|| {
                    Fault::new(Kind::Invalid, format!("neither {own} nor HOME is set"))
                        .help(format!("set {own} to a directory of your own"))
                })
        };
        let below_home = |leaf: &str| home.as_ref().map(|home| home.join(leaf));
        let containers = "containers/auth.json";
        let registry_auth_files = [
            path("REGISTRY_AUTH_FILE"),
            path("XDG_RUNTIME_DIR").map(|path| path.join(containers)),
            path("XDG_CONFIG_HOME").or_else(|| below_home(".config")).map(|p| p.join(containers)),
            path("DOCKER_CONFIG").or_else(|| below_home(".docker")).map(|p| p.join("config.json")),
        ];
        let helpers = text("WINDLASS_CREDENTIAL_HELPERS").unwrap_or_default();
        let helpers = helpers.split(',').map(str::trim).filter(|name| !name.is_empty());
        let coloured = match global.color {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => is_terminal && lookup("NO_COLOR").is_none(),
        };
        let dumb = text("TERM").is_some_and(|term| term == "dumb") || lookup("CI").is_some();
        let cache_dir = directory("WINDLASS_CACHE_DIR", "XDG_CACHE_HOME", ".cache", "windlass")?;
        Ok(Self {
            build_dir: path("WINDLASS_BUILD_DIR").unwrap_or_else(|| cache_dir.join("build")),
            cache_dir,
            state_dir: directory(
                "WINDLASS_STATE_DIR",
                "XDG_STATE_HOME",
                ".local/state",
                "windlass",
            )?,
            secrets_dir: directory(
                "WINDLASS_SECRETS_DIR",
                "XDG_DATA_HOME",
                ".local/share",
                "windlass/secrets",
            )?,
            registry_auth_files: registry_auth_files.into_iter().flatten().collect(),
            credential_helpers: helpers.map(str::to_owned).collect(),
            ca_files: path("SSL_CERT_FILE").into_iter().collect(),
            proxy: Proxy {
                http: either_case("HTTP_PROXY"),
                https: either_case("HTTPS_PROXY"),
                no_proxy: either_case("NO_PROXY"),
            },
            path: lookup("PATH")
                .map(|path| std::env::split_paths(&path).collect())
                .unwrap_or_default(),
            style: if coloured { Style::Coloured } else { Style::Plain },
            bars: is_terminal && !dumb && !global.quiet,
            quiet: global.quiet,
            verbose: global.verbose,
            source_date_epoch: lookup(EPOCH).map(epoch).transpose()?,
            budgets: oci::Budgets::default(),
        })
    }

    /// Where the program `name` is, if it is installed.
    pub(crate) fn program(&self, name: &str) -> Option<PathBuf> {
        self.path.iter().map(|folder| folder.join(name)).find(|path| path.is_file())
    }

    /// The value of an environment variable that a pipeline's `[secrets]` names, or that an identity
    /// logs in with: Microsoft's own libraries read the same ones.
    pub(crate) fn credential_variable(name: &str) -> Option<OsString> {
        #[expect(clippy::disallowed_methods, reason = "who asks names the variable")]
        std::env::var_os(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(
        environment: &[(&str, &str)],
        color: Colour,
        is_terminal: bool,
    ) -> Result<Settings, Fault> {
        let lookup = |name: &str| {
            environment.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value))
        };
        Settings::new(&lookup, &Global { color, quiet: false, verbose: 0 }, is_terminal)
    }

    #[test]
    fn own_variables_go_before_xdg_and_home() {
        let from_home = settings(&[("HOME", "/h")], Colour::Auto, false).unwrap();
        assert_eq!(from_home.cache_dir, PathBuf::from("/h/.cache/windlass"));
        let environment =
            [("HOME", "/h"), ("XDG_CACHE_HOME", "/x"), ("WINDLASS_STATE_DIR", "/own")];
        let mixed = settings(&environment, Colour::Auto, false).unwrap();
        assert_eq!(mixed.cache_dir, PathBuf::from("/x/windlass"));
        assert_eq!(mixed.state_dir, PathBuf::from("/own"));
        assert_eq!(settings(&[], Colour::Auto, false).unwrap_err().kind, Kind::Invalid);
    }

    #[test]
    fn credentials_are_looked_for_in_the_order_of_other_tools() {
        let files = |environment: &[(&str, &str)]| {
            let environment = [&[("HOME", "/h")], environment].concat();
            let settings = settings(&environment, Colour::Auto, false).unwrap();
            settings.registry_auth_files
        };
        let paths = |texts: &[&str]| texts.iter().map(PathBuf::from).collect::<Vec<_>>();
        assert_eq!(
            files(&[]),
            paths(&["/h/.config/containers/auth.json", "/h/.docker/config.json"])
        );
        let all = [
            ("DOCKER_CONFIG", "/d"),
            ("REGISTRY_AUTH_FILE", "/a.json"),
            ("XDG_RUNTIME_DIR", "/r"),
            ("XDG_CONFIG_HOME", "/c"),
        ];
        assert_eq!(
            files(&all),
            paths(&[
                "/a.json",
                "/r/containers/auth.json",
                "/c/containers/auth.json",
                "/d/config.json"
            ])
        );
    }

    #[test]
    fn credential_helpers_are_named_or_there_are_none() {
        let helpers = |text: &str| {
            let environment = [("HOME", "/h"), ("WINDLASS_CREDENTIAL_HELPERS", text)];
            settings(&environment, Colour::Auto, false).unwrap().credential_helpers
        };
        assert_eq!(helpers("ecr-login, gcr,,"), ["ecr-login", "gcr"]);
        assert_eq!(helpers(","), [""; 0]);
    }

    #[test]
    fn proxies_are_read_in_either_case() {
        let environment =
            [("HOME", "/h"), ("https_proxy", "http://p:1"), ("NO_PROXY", "a"), ("no_proxy", "b")];
        let proxy = settings(&environment, Colour::Auto, false).unwrap().proxy;
        assert_eq!(proxy.https.as_deref(), Some("http://p:1"));
        assert_eq!((proxy.http, proxy.no_proxy.as_deref()), (None, Some("a")));
    }

    #[test]
    fn colour_and_bars_follow_the_terminal_and_no_color_and_ci() {
        let shown = |environment: &[(&str, &str)], color, is_terminal| {
            let settings =
                settings(&[&[("HOME", "/h")], environment].concat(), color, is_terminal).unwrap();
            (settings.style == Style::Coloured, settings.bars)
        };
        assert_eq!(shown(&[], Colour::Auto, true), (true, true));
        assert_eq!(shown(&[], Colour::Auto, false), (false, false));
        assert_eq!(shown(&[("NO_COLOR", "1")], Colour::Auto, true), (false, true));
        assert_eq!(shown(&[("CI", "true")], Colour::Always, true), (true, false));
    }
}
