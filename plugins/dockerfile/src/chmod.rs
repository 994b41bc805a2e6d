//! `--chmod`: permission bits as a number or in words.

/// What `--chmod` says: `0755`, `u=rwX,go=rX`, `a+x`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Chmod {
    /// Exactly these twelve bits.
    Octal(u32),
    /// Changes to the bits a file has, in order.
    Symbolic(Vec<Clause>),
}

/// One change: `u+x`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Clause {
    /// Whose bits, as a mask of `0o700`, `0o070` and `0o007`.
    who: u32,
    /// What is done with them.
    operation: Operation,
    /// The bits as if for everybody: `0o444`, `0o222`, `0o111`, and the three highest.
    bits: u32,
    /// `X`: execution, only of directories and of what somebody can execute already.
    conditional_execute: bool,
    /// `u`, `g` or `o` in place of bits: those that they have.
    copy_of: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Operation {
    Add,
    Remove,
    Set,
}
