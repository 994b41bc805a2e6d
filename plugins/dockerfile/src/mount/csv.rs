//! One line of comma-separated values, as Go's `encoding/csv` reads it.

/// The fields and where each begins; or which bytes are wrong, and why.
pub(super) fn fields(text: &str) -> Result<Vec<(usize, String)>, (usize, usize, String)> {
    let mut fields = Vec::new();
    let mut at = 0;
    loop {
        let rest = text.get(at..).unwrap_or_default();
        let length = if let Some(quoted) = rest.strip_prefix('"') {
            let Some((value, length)) = unquote(quoted) else {
                return Err((at, text.len(), "quoted field is not closed".to_owned()));
            };
            fields.push((at + 1, value));
            length + 1
        } else {
            let length = rest.find(',').unwrap_or(rest.len());
            let field = rest.get(..length).unwrap_or_default();
            if let Some(quote) = field.find('"') {
                let message = "quote within a field that is not quoted".to_owned();
                return Err((at + quote, at + quote + 1, message));
            }
            fields.push((at, field.to_owned()));
            length
        };
        at += length;
        match text.get(at..).unwrap_or_default().chars().next() {
            None => return Ok(fields),
            Some(',') => at += 1,
            Some(c) => {
                let message = "text after a quoted field".to_owned();
                return Err((at, at + c.len_utf8(), message));
            }
        }
    }
}

/// What stands before the closing quote, and how long it is with it.
fn unquote(text: &str) -> Option<(String, usize)> {
    let mut value = String::new();
    let mut chars = text.char_indices().peekable();
    while let Some((index, c)) = chars.next() {
        if c != '"' {
            value.push(c);
        } else if chars.peek().is_some_and(|(_, next)| *next == '"') {
            value.push('"');
            chars.next();
        } else {
            return Some((value, index + 1));
        }
    }
    None
}
