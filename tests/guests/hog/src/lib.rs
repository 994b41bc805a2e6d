//! A step that takes all there is: time, memory, stack, log. Also shows a well-kept bar.

use std::hint::black_box;
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use windlass_plugin::log::{self, Group, Level, Progress};
use windlass_plugin::{Context, Inputs, Outcome, Outputs, Result, Schema, Step};

/// Of what.
#[derive(Deserialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// Loops for ever.
    Spin,
    /// Takes `amount` MiB and touches them.
    Memory,
    /// Calls itself `amount` times.
    Stack,
    /// Sleeps for `amount` milliseconds.
    Sleep,
    /// Logs `amount` messages of 1 KiB.
    Log,
    /// Logs one message of `amount` bytes.
    LongMessage,
    /// Says something at every level, in a group, with a bar of `amount` items.
    Progress,
}

/// How much.
#[derive(Deserialize, Inputs)]
pub struct Take {
    act: Act,
    /// All there is, unless said otherwise.
    #[serde(default = "all")]
    amount: u64,
}

fn all() -> u64 {
    u64::MAX
}

/// What was got.
#[derive(Serialize, Outputs)]
pub struct Taken {
    amount: u64,
}

/// The step.
pub struct Hog;

impl Step for Hog {
    const NAME: &'static str = "hog";
    const SUMMARY: &'static str = "takes all the time, memory, stack or log there is";
    type Inputs = Take;
    type Outputs = Taken;

    fn run(Take { act, amount }: Take, _: &Context) -> Result<Outcome<Taken>> {
        match act {
            Act::Spin => spin(),
            Act::Memory => {
                let mut held = Vec::new();
                for _ in 0..amount {
                    held.push(black_box(vec![1_u8; 1 << 20]));
                }
            }
            Act::Stack => {
                black_box(recurse(amount));
            }
            Act::Sleep => thread::sleep(Duration::from_millis(amount)),
            Act::Log => {
                let message = "m".repeat(1024);
                (0..amount).for_each(|_| log::info!("{message}"));
            }
            Act::LongMessage => {
                log::info!("{}", "m".repeat(usize::try_from(amount).unwrap_or(usize::MAX)));
            }
            Act::Progress => progress(amount),
        }
        Ok(Outcome::changed(Taken { amount }))
    }
}

windlass_plugin::step!(Hog);

fn spin() {
    let mut round = 0_u64;
    loop {
        round = black_box(round.wrapping_add(1));
    }
}

/// Not a loop in disguise: what comes back is used after the call. It keeps next to nothing in linear
/// memory, so that the stack of the calls ends first.
fn recurse(left: u64) -> u64 {
    match left {
        0 => 0,
        left => black_box(recurse(left - 1)).wrapping_add(left),
    }
}

fn progress(items: u64) {
    let _group = Group::new("levels");
    log::trace!("trace");
    log::debug!("debug");
    log::info!("info");
    log::warn!("warn");
    log::error!("error");
    log::emit(Level::Info, "with fields", &[("item-count", &items.to_string())]);
    let bar = Progress::items("items", items);
    (0..items).for_each(|_| bar.advance(1));
    bar.title("all items");
}
