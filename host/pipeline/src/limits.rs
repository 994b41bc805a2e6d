//! What a pipeline file may be at most, each with its reason.
//!
//! A limit is an error that says the number and what to do; nothing is cut short in silence.

use std::time::Duration;

/// Bytes of a pipeline file. 4 MiB holds ten thousand generated steps; more is not a pipeline file.
pub const FILE_BYTES: usize = 4 << 20;

/// Steps in a file: twice the largest pipeline we measure.
pub const STEPS: usize = 5_000;

/// Entries in one of `[inputs]`, `[secrets]`, `[identity]` and `[registries]`.
pub const ENTRIES: usize = 1_000;

/// Triggers of one kind in a file.
pub const TRIGGERS: usize = 1_000;

/// The least time between two looks at an image: registries limit how often they are asked.
pub const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);

/// How deep lists and tables may nest in `with`: deeper data belongs in a file.
pub const DEPTH: usize = 32;

/// Combinations of one matrix: as many as a hosted CI service allows for a job.
pub const COMBINATIONS: usize = 256;

/// Bytes of one string: a script fits, a binary does not.
pub const STRING_BYTES: usize = 256 << 10;

/// Characters of an id or a name of ours: it has to fit on a line and into a file name.
pub const NAME_CHARS: usize = 64;

/// Bytes that one template may give: an input crosses to the plugin as text of at most 1 MiB.
pub const RENDERED_BYTES: usize = 1 << 20;

/// What one template may cost: one instruction or 64 bytes each, so 16 MiB of intermediate text.
pub const TEMPLATE_FUEL: u64 = 250_000;

/// Operators, lookups and blocks of one template. The engine compiles expressions recursively, and
/// its own bound does not see chains such as `a.b.c.d`; so many fit into any thread's stack.
pub const TEMPLATE_LINKS: usize = 300;

/// How deep expressions and template calls may nest.
pub const TEMPLATE_DEPTH: usize = 64;

/// Attempts of one step.
pub const ATTEMPTS: u32 = 100;

/// The longest duration a file may name: a month outlasts any run.
pub const DURATION: Duration = Duration::from_secs(31 * 24 * 60 * 60);

/// Syntax errors shown for one file: after so many the rest are echoes of the first.
pub const SYNTAX_ERRORS: usize = 10;
