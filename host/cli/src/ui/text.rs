//! Numbers, moments and tables as people read them.

use std::time::Duration;

/// `412 B`, `1.5 KiB`, `40.0 MiB`.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    #[expect(clippy::cast_precision_loss, reason = "one digit behind the point is shown")]
    let mut number = count as f64;
    let mut unit = "B";
    for next in UNITS {
        if number < 1024.0 {
            break;
        }
        number /= 1024.0;
        unit = next;
    }
    format!("{number:.1} {unit}")
}

/// `0.4 ms`, `38 ms`, `1.2 s`, `3 min 05 s`.
pub(crate) fn took(time: Duration) -> String {
    let seconds = time.as_secs();
    match time.as_millis() {
        0..10 => format!("{:.1} ms", time.as_secs_f64() * 1000.0),
        10..1000 => format!("{} ms", time.as_millis()),
        1000..60_000 => format!("{:.1} s", time.as_secs_f64()),
        _ => format!("{} min {:02} s", seconds / 60, seconds % 60),
    }
}

/// A moment to the second, as tables show it.
pub(crate) fn to_the_second(at: run::Timestamp) -> String {
    let text = at.to_string();
    format!("{}Z", text.split('.').next().unwrap_or_default().trim_end_matches('Z'))
}

/// A table whose first line has the headings: columns two spaces apart, each at least two wider than
/// its heading; a rule below the headings.
pub(crate) fn aligned<const N: usize>(lines: &[[String; N]]) -> String {
    let (headings, rest) = lines.split_at(lines.len().min(1));
    let mut widths = [0; N];
    for line in headings {
        for (width, heading) in widths.iter_mut().zip(line) {
            *width = heading.len() + 2;
        }
    }
    for line in rest {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let rule = widths.map(|width| "-".repeat(width));
    let mut text = String::new();
    for line in headings.iter().chain([&rule]).chain(rest) {
        let cells: Vec<String> =
            line.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        text += cells.join("  ").trim_end();
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!(bytes(412), "412 B");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(40 << 20), "40.0 MiB");
        assert_eq!(took(Duration::from_micros(430)), "0.4 ms");
        assert_eq!(took(Duration::from_millis(38)), "38 ms");
        assert_eq!(took(Duration::from_millis(1234)), "1.2 s");
        assert_eq!(took(Duration::from_secs(185)), "3 min 05 s");
    }
}
