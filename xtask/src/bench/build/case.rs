//! The images that are built.

/// One image.
pub(super) struct Case {
    /// For `--case`.
    pub(super) name: &'static str,
    /// As it stands in the table.
    pub(super) title: &'static str,
    /// What is done on top of the base.
    pub(super) steps: Steps,
    /// Into a registry, or nowhere. What goes nowhere is for us alone: it shows what a line costs.
    pub(super) is_pushed: bool,
}

/// What is done on top of the base.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Steps {
    /// `COPY` of as many files of so many bytes, in one layer.
    Copy {
        /// How many.
        files: usize,
        /// How large.
        bytes: usize,
    },
    /// As many lines `RUN echo N > /fN`, each with a layer.
    Run(usize),
}

impl Case {
    /// Where it is pushed to.
    pub(super) fn repository(&self) -> String {
        format!("bench/{}", self.name)
    }

    /// How many layers come on top of the base.
    pub(super) fn layers(&self) -> usize {
        match self.steps {
            Steps::Copy { .. } => 1,
            Steps::Run(lines) => lines,
        }
    }
}

/// All of them, in the order of the table.
pub(super) const ALL: &[Case] = &[
    Case {
        name: "copy1",
        title: "COPY 1 file",
        steps: Steps::Copy { files: 1, bytes: 1_000 },
        is_pushed: true,
    },
    Case { name: "run10", title: "10 × RUN", steps: Steps::Run(10), is_pushed: true },
    Case {
        name: "ctx",
        title: "COPY 5,000 files, 200 MB",
        steps: Steps::Copy { files: 5_000, bytes: 40_000 },
        is_pushed: true,
    },
    Case { name: "line1", title: "1 × RUN, not pushed", steps: Steps::Run(1), is_pushed: false },
    Case {
        name: "line41", title: "41 × RUN, not pushed", steps: Steps::Run(41), is_pushed: false
    },
];
