//! Amounts of memory: a number with an optional binary suffix.

use anyhow::{Context, Result};

/// `text` in bytes: `4096`, `64K`, `256M`, `4G`, `1T`.
///
/// # Errors
/// Anything else, or more than 64 bits hold.
pub fn parse(text: &str) -> Result<u64> {
    let refusal = || {
        format!(
            "expected bytes with an optional suffix K, M, G or T (such as \"256M\"), found {text:?}"
        )
    };
    let digits = text.trim_end_matches(|last: char| !last.is_ascii_digit());
    let shift = match &text[digits.len()..] {
        "" => Some(0),
        "K" | "k" => Some(10),
        "M" | "m" => Some(20),
        "G" | "g" => Some(30),
        "T" | "t" => Some(40),
        _ => None,
    };
    let number: Option<u64> = digits.parse().ok();
    number
        .zip(shift)
        .and_then(|(number, shift)| number.checked_mul(1 << shift))
        .with_context(refusal)
}

/// `bytes` for people: three digits and a binary unit.
pub fn shown(bytes: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut scaled = bytes;
    let mut rest = 0;
    let mut unit = 0;
    while scaled >= 1024 && unit + 1 < units.len() {
        rest = scaled % 1024;
        scaled /= 1024;
        unit += 1;
    }
    if unit == 0 || scaled >= 100 || rest == 0 {
        return format!("{scaled} {}", units[unit]);
    }
    format!("{scaled}.{} {}", rest * 10 / 1024, units[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_are_binary() {
        assert_eq!(parse("4096").expect("plain"), 4096);
        assert_eq!(parse("64K").expect("K"), 64 << 10);
        assert_eq!(parse("3g").expect("G"), 3 << 30);
        for text in ["", "M", "1MM", "1.5G", "-1", "0x10", "99999999T"] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn sizes_are_short_to_read() {
        assert_eq!(shown(1000), "1000 B");
        assert_eq!(shown(1536), "1.5 KiB");
        assert_eq!(shown(256 << 20), "256 MiB");
        assert_eq!(shown(300 * 1024 + 1), "300 KiB");
    }
}
