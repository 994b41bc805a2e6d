//! `--chmod`: permission bits as a number or in words.

/// What `--chmod` says, ready to apply: `0755`, `u=rwX,go=rX`, `+x`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mode(Form);

/// A text is no mode.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a mode; write it as `755` or as `u=rwX,go=rX`")]
pub struct BadMode(pub String);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    Exact(u32),
    Changes(Vec<Change>),
}

/// `g+rw` and the like: one operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Change {
    /// The bits of those whom it concerns: `0o070` is the group.
    whom: u32,
    operation: Operation,
    /// `r`, `w` and `x` as bits, for one of them.
    bits: u32,
    /// `X`: `x` for directories, and for what somebody could execute before.
    execute_if: bool,
    /// `s`.
    set_id: bool,
    /// `t`.
    sticky: bool,
    /// `u`, `g`, `o` on the right: as many bits to the right are theirs.
    like: Option<u32>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Operation {
    #[default]
    Add,
    Remove,
    Set,
}

const EVERYBODY: u32 = 0o777;
const SET_UID: u32 = 0o4000;
const SET_GID: u32 = 0o2000;
const STICKY: u32 = 0o1000;

impl Mode {
    /// Reads a mode: octal from 0 to 7777, or symbolic as `chmod` has it.
    ///
    /// # Errors
    /// [`BadMode`] for anything else.
    pub fn parse(text: &str) -> Result<Self, BadMode> {
        let bad = || BadMode(text.to_owned());
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            let bits = u32::from_str_radix(text, 8).map_err(|_| bad())?;
            return (bits <= 0o7777).then_some(Self(Form::Exact(bits))).ok_or_else(bad);
        }
        let mut changes = Vec::new();
        for clause in text.split(',') {
            changes.extend(changes_of(clause).ok_or_else(bad)?);
        }
        Ok(Self(Form::Changes(changes)))
    }

    /// These bits.
    pub fn exact(bits: u32) -> Self {
        Self(Form::Exact(bits & 0o7777))
    }

    /// The bits, if it does not depend on those that a file has.
    pub fn as_exact(&self) -> Option<u32> {
        match &self.0 {
            Form::Exact(bits) => Some(*bits),
            Form::Changes(_) => None,
        }
    }

    /// What becomes of `bits`.
    pub fn apply(&self, bits: u32, is_dir: bool) -> u32 {
        match &self.0 {
            Form::Exact(bits) => *bits,
            Form::Changes(changes) => {
                let executable = is_dir || bits & 0o111 != 0;
                changes.iter().fold(bits, |bits, change| change.apply(bits, executable))
            }
        }
    }
}

impl Change {
    fn apply(self, bits: u32, executable: bool) -> u32 {
        let mut right = self.bits | u32::from(self.execute_if && executable);
        if let Some(shift) = self.like {
            right |= (bits >> shift) & 0o7;
        }
        let of = |whom: u32, bit: u32| if self.whom & whom != 0 { bit } else { 0 };
        let set_ids = of(0o700, SET_UID) | of(0o070, SET_GID);
        let mut changed = (right * 0o111) & self.whom;
        changed |= if self.set_id { set_ids } else { 0 };
        changed |= if self.sticky { STICKY } else { 0 };
        match self.operation {
            Operation::Add => bits | changed,
            Operation::Remove => bits & !changed,
            Operation::Set => (bits & !(self.whom | set_ids | of(0o007, STICKY))) | changed,
        }
    }
}

/// The operations of one clause: `ug+r-w`.
fn changes_of(clause: &str) -> Option<Vec<Change>> {
    let start = clause.find(['+', '-', '='])?;
    let (who, mut rest) = clause.split_at_checked(start)?;
    let mut whom = 0;
    for letter in who.chars() {
        whom |= match letter {
            'u' => 0o700,
            'g' => 0o070,
            'o' => 0o007,
            'a' => EVERYBODY,
            _ => return None,
        };
    }
    if whom == 0 {
        whom = EVERYBODY;
    }
    let mut changes = Vec::new();
    while let Some(sign) = rest.chars().next() {
        let operation = match sign {
            '+' => Operation::Add,
            '-' => Operation::Remove,
            _ => Operation::Set,
        };
        rest = rest.get(1..)?;
        let end = rest.find(['+', '-', '=']).unwrap_or(rest.len());
        let (letters, next) = rest.split_at_checked(end)?;
        let mut change = Change { whom, operation, ..Change::default() };
        for letter in letters.chars() {
            match letter {
                'r' => change.bits |= 4,
                'w' => change.bits |= 2,
                'x' => change.bits |= 1,
                'X' => change.execute_if = true,
                's' => change.set_id = true,
                't' => change.sticky = true,
                'u' | 'g' | 'o' if letters.len() > 1 => return None,
                'u' => change.like = Some(6),
                'g' => change.like = Some(3),
                'o' => change.like = Some(0),
                _ => return None,
            }
        }
        changes.push(change);
        rest = next;
    }
    Some(changes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_applied_as_chmod_does() {
        #[rustfmt::skip]
        let rows = [
            ("755", 0o600, false, 0o755), ("0644", 0o7777, true, 0o644), ("4755", 0, false, 0o4755),
            ("+x", 0o644, false, 0o755), ("a-w", 0o666, false, 0o444), ("u=rwX,go=rX", 0o600, false, 0o644),
            ("u=rwX,go=rX", 0o600, true, 0o755), ("u=rwX,go=rX", 0o711, false, 0o755),
            ("g=u", 0o740, false, 0o770), ("o=g,g=", 0o750, false, 0o705), ("u+s,g+s,+t", 0o755, false, 0o7755),
            ("u=rw", 0o4755, false, 0o655), ("go-rwx", 0o777, true, 0o700), ("ug+r-w", 0o222, false, 0o442),
            ("=", 0o777, false, 0), ("o=t", 0o755, true, 0o1750),
        ];
        let found = rows.map(|(text, bits, is_dir, _)| {
            (text, bits, is_dir, Mode::parse(text).unwrap().apply(bits, is_dir))
        });
        assert_eq!(found, rows);
    }

    #[test]
    fn what_is_no_mode_is_refused() {
        for text in
            ["", "8", "99", "10000", "77777777777777", "rwx", "u", "z+x", "u+z", "u+gx", "+x,"]
        {
            assert_eq!(Mode::parse(text), Err(BadMode(text.to_owned())), "{text}");
        }
    }
}
