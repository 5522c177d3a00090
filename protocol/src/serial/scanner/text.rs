//! What the bytes of one line mean: the AIM symbology prefix goes, ECI escapes are undone, noise is dropped.

use alloc::string::String;
use alloc::vec::Vec;

/// The code that a line carries, or `None` if nothing is left of it.
///
/// Bytes that are no UTF-8 are read as Latin-1, the other alphabet scanners are set to. Control characters
/// are line noise: no code that we issue has any, and the agent refuses them.
pub fn code(line: &[u8]) -> Option<String> {
    let kept: Vec<u8> = line.iter().copied().filter(|byte| !byte.is_ascii_control()).collect();
    let (symbology, rest) = split_aim_prefix(kept.trim_ascii());
    let text = match symbology {
        Some([b'Q', b'2']) => latin_or_utf8(&undo_eci(rest)),
        _ => latin_or_utf8(rest),
    };
    let trimmed = text.trim();
    if trimmed.is_empty() { None } else { Some(trimmed.into()) }
}

/// Takes `]cm` off: code letter and modifier of ISO/IEC 15424, which many scanners send first.
fn split_aim_prefix(line: &[u8]) -> (Option<[u8; 2]>, &[u8]) {
    match line {
        [b']', code, modifier, rest @ ..]
            if code.is_ascii_alphabetic() && modifier.is_ascii_alphanumeric() =>
        {
            (Some([*code, *modifier]), rest)
        }
        _ => (None, line),
    }
}

/// In ECI mode a backslash of the code arrives doubled, since `\` and six digits name an alphabet.
fn undo_eci(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first != b'\\' {
            plain.push(first);
        } else if after.first() == Some(&b'\\') {
            plain.push(b'\\');
            rest = &after[1..];
        } else if after.len() >= 6 && after[..6].iter().all(u8::is_ascii_digit) {
            rest = &after[6..];
        } else {
            plain.push(b'\\');
        }
    }
    plain
}

fn latin_or_utf8(bytes: &[u8]) -> String {
    match core::str::from_utf8(bytes) {
        Ok(text) => text.chars().filter(|c| !c.is_control()).collect(),
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).filter(|c| !c.is_control()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::code;
    use proptest::prelude::*;

    #[test]
    fn an_aim_prefix_is_taken_off() {
        assert_eq!(code(b"]Q1G1abc").as_deref(), Some("G1abc"));
        assert_eq!(code(b"]d2G1abc").as_deref(), Some("G1abc"));
        assert_eq!(code(b"]z0G1abc").as_deref(), Some("G1abc"));
        assert_eq!(code(b"]C04012345").as_deref(), Some("4012345"));
    }

    #[test]
    fn the_prefix_of_every_symbology_is_known() {
        let prefixes = ["Q1", "Q2", "Q3", "d1", "d2", "z0", "C0", "C1", "E0", "A0", "L2"];

        let codes = prefixes.map(|prefix| code(format!("]{prefix}4012345").as_bytes()));

        assert!(codes.iter().all(|code| code.as_deref() == Some("4012345")), "{codes:?}");
    }

    #[test]
    fn what_only_looks_like_a_prefix_stays() {
        assert_eq!(code(b"]1QG1").as_deref(), Some("]1QG1"));
        assert_eq!(code(b"]Q-G1").as_deref(), Some("]Q-G1"));
        assert_eq!(code(b"]Q").as_deref(), Some("]Q"));
        assert_eq!(code(b"G1]Q1").as_deref(), Some("G1]Q1"));
    }

    #[test]
    fn only_one_prefix_is_taken_off() {
        assert_eq!(code(b"]Q1]Q1x").as_deref(), Some("]Q1x"));
    }

    #[test]
    fn eci_escapes_are_undone_only_in_eci_mode() {
        assert_eq!(code(br"]Q2\000026a\\b").as_deref(), Some(r"a\b"));
        assert_eq!(code(br"]Q1a\\b").as_deref(), Some(r"a\\b"));
        assert_eq!(code(br"]Q2a\\000026b").as_deref(), Some(r"a\000026b"));
        assert_eq!(code(br"]Q2a\12").as_deref(), Some(r"a\12"));
    }

    #[test]
    fn bytes_that_are_no_utf8_are_latin_1() {
        assert_eq!(code("Mitglied-Übung".as_bytes()).as_deref(), Some("Mitglied-Übung"));
        assert_eq!(code(b"M\xFCller").as_deref(), Some("Müller"));
    }

    #[test]
    fn noise_and_blanks_around_are_dropped() {
        assert_eq!(code(b"\0\0 \x02G1abc\x03 \0").as_deref(), Some("G1abc"));
        assert_eq!(code(b"G1\x1Dabc\x85\xFC").as_deref(), Some("G1abcü"));
    }

    #[test]
    fn nothing_left_is_no_code() {
        assert_eq!(code(b""), None);
        assert_eq!(code(b" \0 "), None);
        assert_eq!(code(b"]Q1"), None);
        assert_eq!(code(b"]Q1 "), None);
    }

    proptest! {
        #[test]
        fn no_bytes_panic_and_no_code_is_blank(line in prop::collection::vec(any::<u8>(), 0..600)) {
            let code = code(&line);

            prop_assert!(code.is_none_or(|code| !code.trim().is_empty() && !code.contains(char::is_control)));
        }
    }
}
