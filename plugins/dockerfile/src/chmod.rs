//! `--chmod`: permission bits as a number or in words.

/// What `--chmod` says: `0755`, `u=rwX,go=rX`, `a+x`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Chmod {
    /// Exactly these twelve bits.
    Octal(u32),
    /// Changes to the bits a file has, in order.
    Symbolic(Vec<Change>),
}

/// One change of permission bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// Takes bits away, then adds some.
    Bits {
        /// Those taken away.
        clear: u32,
        /// Those added.
        set: u32,
    },
    /// `X`: adds bits if it is a directory, or if somebody could execute it before all changes.
    Execute {
        /// Those added.
        set: u32,
    },
    /// `g=u`: what somebody else has.
    Like {
        /// Whose: 6 the owner's, 3 the group's, 0 the others'.
        shift: u32,
        /// Whose bits are changed.
        mask: u32,
        /// How.
        operation: Operation,
    },
}

/// How bits are changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// `+`
    Add,
    /// `-`
    Remove,
    /// `=`
    Set,
}

const SET_UID: u32 = 0o4000;
const SET_GID: u32 = 0o2000;
const STICKY: u32 = 0o1000;

impl Chmod {
    /// Reads the value of the flag.
    pub fn parse(text: &str) -> Option<Self> {
        if text.starts_with(|c: char| c.is_ascii_digit()) {
            let bits = u32::from_str_radix(text, 8).ok()?;
            return (bits <= 0o7777).then_some(Self::Octal(bits));
        }
        let mut changes = Vec::new();
        for clause in text.split(',') {
            read_clause(clause, &mut changes)?;
        }
        Some(Self::Symbolic(changes))
    }

    /// The twelve bits of a file that had `mode`.
    pub fn apply(&self, mode: u32, is_directory: bool) -> u32 {
        let changes = match self {
            Self::Octal(bits) => return *bits,
            Self::Symbolic(changes) => changes,
        };
        let executable = is_directory || mode & 0o111 != 0;
        changes.iter().fold(mode & 0o7777, |now, change| match *change {
            Change::Bits { clear, set } => (now & !clear) | set,
            Change::Execute { set } => now | if executable { set } else { 0 },
            Change::Like { shift, mask, operation } => {
                let bits = (((now >> shift) & 7) * 0o111) & mask;
                match operation {
                    Operation::Add => now | bits,
                    Operation::Remove => now & !bits,
                    Operation::Set => (now & !mask) | bits,
                }
            }
        })
    }
}

/// `[ugoa]*([+-=][rwxXstugo]*)+`
fn read_clause(clause: &str, changes: &mut Vec<Change>) -> Option<()> {
    let operators = clause.find(['+', '-', '='])?;
    let (who, mut rest) = clause.split_at_checked(operators)?;
    let mut mask = 0;
    for c in who.chars() {
        mask |= match c {
            'u' => SET_UID | 0o700,
            'g' => SET_GID | 0o070,
            'o' => 0o007,
            'a' => SET_UID | SET_GID | 0o777,
            _ => return None,
        };
    }
    // Nobody named is everybody: there is no umask here.
    let everybody = SET_UID | SET_GID | 0o777;
    let mask = if mask == 0 { everybody } else { mask };
    let may_stick = mask & 0o770 != 0;
    while let Some(c) = rest.chars().next() {
        let operation = match c {
            '+' => Operation::Add,
            '-' => Operation::Remove,
            '=' => Operation::Set,
            _ => return None,
        };
        rest = rest.get(1..)?;
        let end = rest.find(['+', '-', '=']).unwrap_or(rest.len());
        let (letters, after) = rest.split_at_checked(end)?;
        read_letters(letters, mask, may_stick, operation, changes)?;
        rest = after;
    }
    Some(())
}

fn read_letters(
    letters: &str,
    mask: u32,
    may_stick: bool,
    operation: Operation,
    changes: &mut Vec<Change>,
) -> Option<()> {
    let (mut bits, mut execute) = (0, 0);
    let mut likes = Vec::new();
    for c in letters.chars() {
        match c {
            'r' => bits |= 0o444 & mask,
            'w' => bits |= 0o222 & mask,
            'x' => bits |= 0o111 & mask,
            'X' if operation == Operation::Remove => bits |= 0o111 & mask,
            'X' => execute |= 0o111 & mask,
            's' => bits |= (SET_UID | SET_GID) & mask,
            't' if may_stick => bits |= STICKY,
            't' => {}
            'u' => likes.push(6),
            'g' => likes.push(3),
            'o' => likes.push(0),
            _ => return None,
        }
    }
    let sets_nothing_else = !likes.is_empty() && bits == 0 && execute == 0;
    match operation {
        Operation::Add => changes.push(Change::Bits { clear: 0, set: bits }),
        Operation::Remove => changes.push(Change::Bits { clear: bits, set: 0 }),
        Operation::Set if sets_nothing_else => {}
        Operation::Set => changes.push(Change::Bits { clear: mask | (bits & STICKY), set: bits }),
    }
    if execute != 0 {
        changes.push(Change::Execute { set: execute });
    }
    let mask = mask & 0o777;
    changes.extend(likes.into_iter().map(|shift| Change::Like { shift, mask, operation }));
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_changed_as_chmod_changes_them() {
        let rows = [
            ("755", 0o600, false, 0o755),
            ("0", 0o777, false, 0),
            ("4755", 0, false, 0o4755),
            ("u+x", 0o644, false, 0o744),
            ("+x", 0o644, false, 0o755),
            ("a-w", 0o666, false, 0o444),
            ("go=", 0o777, false, 0o700),
            ("u=rwX,go=rX", 0o600, false, 0o644),
            ("u=rwX,go=rX", 0o700, false, 0o755),
            ("u=rwX,go=rX", 0o600, true, 0o755),
            ("go=u-w", 0o750, false, 0o755),
            ("g+u", 0o700, false, 0o770),
            ("u-x+w", 0o500, false, 0o600),
            ("u+s", 0o755, false, 0o4755),
            ("g+s", 0o755, true, 0o2755),
            ("u=rwx", 0o4755, false, 0o755),
            ("+t", 0o777, true, 0o1777),
            ("o+t", 0o777, true, 0o777),
            ("a=r", 0o1777, true, 0o1444),
        ];
        for (text, mode, is_directory, wanted) in rows {
            let found = Chmod::parse(text).map(|chmod| chmod.apply(mode, is_directory));
            assert_eq!(found, Some(wanted), "{text} of {mode:o}");
        }
    }

    #[test]
    fn what_is_no_mode_is_refused() {
        for text in ["", "8", "10000", "99999999999", "u", "u+q", "x+r", "u+r,", "r", "0o755"] {
            assert_eq!(Chmod::parse(text), None, "{text}");
        }
    }
}
