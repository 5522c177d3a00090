//! How soon a password is guessed: what is common in it counts as little as it costs who guesses. The cloud asks zxcvbn,
//! whose tables would cost an agent 6 MB for ever once somebody changes a password; this keeps nothing.
//!
//! Where the list comes from: the most frequent passwords, given names and surnames of zxcvbn (MIT, Dropbox Inc.), and
//! what comes to mind at a gym.

use std::ops::Range;
use zeroize::Zeroizing;

/// Sorted, one a line, in lower case.
const COMMON: &str = include_str!("common_passwords.txt");
/// Neighbours on keyboards.
const ROWS: [&str; 6] =
    ["1234567890", "qwertyuiop", "qwertzuiop", "asdfghjkl", "zxcvbnm", "yxcvbnm"];
/// So many characters that nobody could guess at all, the least that is taken: 10^8 guesses where each is worth ten of
/// them, as zxcvbn counts its score of three.
const ENOUGH: usize = 8;
/// What stands behind this many characters makes no guess shorter.
const LOOKED_AT: usize = 64;
/// No common password is longer.
const LONGEST_WORD: usize = 16;
/// In characters: a common word or name.
const WORD: usize = 2;
/// In characters: a row, a year, something that stood there before, the account's own name.
const PATTERN: usize = 1;

/// Whether a password is guessed too soon by who knows the account's name.
pub fn is_guessed_soon(password: &str, name: &str) -> bool {
    let lower = password.to_lowercase();
    let letters: Zeroizing<Vec<char>> = Zeroizing::new(lower.chars().take(LOOKED_AT).collect());
    drop(Zeroizing::new(lower));
    Look { letters, words: COMMON.lines().collect(), own: pieces(name) }.worth() < ENOUGH
}

/// The words of a name, and all of it run together.
fn pieces(name: &str) -> Vec<String> {
    let name = name.to_lowercase();
    let words: Vec<&str> = name.split(|c: char| !c.is_alphanumeric()).collect();
    let long = words.iter().filter(|word| word.chars().count() > 2).map(|&word| word.to_owned());
    let all = words.concat();
    long.chain((all.chars().count() > 1).then_some(all.clone())).collect()
}

struct Look {
    letters: Zeroizing<Vec<char>>,
    words: Vec<&'static str>,
    own: Vec<String>,
}

impl Look {
    /// As many characters as the cheapest way to put the password together.
    fn worth(&self) -> usize {
        let length = self.letters.len();
        let mut worth = vec![usize::MAX; length + 1];
        worth[0] = 0;
        for from in 0..length {
            let here = worth[from];
            worth[from + 1] = worth[from + 1].min(here + 1);
            for (until, worth) in worth.iter_mut().enumerate().skip(from + 2) {
                if let Some(cost) = self.cost(from..until) {
                    *worth = (*worth).min(here + cost);
                }
            }
        }
        worth[length]
    }

    /// What this part costs who guesses, if it is something that people take.
    fn cost(&self, part: Range<usize>) -> Option<usize> {
        let letters = &self.letters[part.clone()];
        let is_pattern = (letters.len() > 2
            && (is_row(letters) || self.stood_before(part) || is_year(letters)))
            || self.is_own(letters);
        if is_pattern {
            return Some(PATTERN);
        }
        (letters.len() <= LONGEST_WORD && self.is_common(letters)).then_some(WORD)
    }

    /// As it stands, with digits for letters, or backwards.
    fn is_common(&self, letters: &[char]) -> bool {
        let readings: [&mut dyn Iterator<Item = char>; 4] = [
            &mut letters.iter().copied(),
            &mut letters.iter().map(|letter| meant(*letter, 'i')),
            &mut letters.iter().map(|letter| meant(*letter, 'l')),
            &mut letters.iter().rev().copied(),
        ];
        readings.into_iter().any(|reading| {
            let word: Zeroizing<String> = Zeroizing::new(reading.collect());
            self.words.binary_search(&word.as_str()).is_ok()
        })
    }

    fn is_own(&self, letters: &[char]) -> bool {
        self.own.iter().any(|own| own.chars().eq(letters.iter().copied()))
    }

    fn stood_before(&self, part: Range<usize>) -> bool {
        let before = &self.letters[..part.start];
        before.windows(part.len()).any(|earlier| *earlier == self.letters[part.clone()])
    }
}

/// `p4$$w0rd`
fn meant(letter: char, one: char) -> char {
    match letter {
        '0' => 'o',
        '1' | '!' | '|' => one,
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' | '+' => 't',
        other => other,
    }
}

/// One character again and again, an alphabet, digits that count, or neighbours on a keyboard.
fn is_row(letters: &[char]) -> bool {
    let code = |at: usize| i64::from(u32::from(letters[at]));
    let steps = |by: i64| (1..letters.len()).all(|at| code(at) - code(at - 1) == by);
    let forth: String = letters.iter().collect();
    let back: String = letters.iter().rev().collect();
    let [forth, back] = [forth, back].map(Zeroizing::new);
    [0, 1, -1].into_iter().any(steps)
        || ROWS.iter().any(|row| row.contains(forth.as_str()) || row.contains(back.as_str()))
}

fn is_year(letters: &[char]) -> bool {
    let [century, decade, more @ ..] = letters else { return false };
    matches!((century, decade), ('1', '9') | ('2', '0'))
        && more.len() == 2
        && more.iter().all(char::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use zxcvbn::{Score, zxcvbn};

    #[test]
    fn the_list_is_sorted_so_that_it_can_be_searched() {
        let words: Vec<&str> = COMMON.lines().collect();

        assert!(words.is_sorted() && words.len() > 2_000);
        assert!(words.iter().all(|word| word.len() <= LONGEST_WORD || !word.is_ascii()));
    }

    #[test]
    fn what_people_take_is_refused() {
        for weak in [
            "password12",
            "Password1234!",
            "P4$$w0rd2026",
            "drowssap99",
            "qwertzuiop12",
            "abcdefghijklm",
            "gymgymgymgym",
            "iloveyou2024",
            "fitness2026!",
            "Ada.Lovelace1",
            "lovelace-1815",
            "1q1q1q1q1q1q",
            "passwordpassword",
        ] {
            assert!(is_guessed_soon(weak, "Ada Lovelace"), "{weak}");
        }
    }

    #[test]
    fn what_nobody_guesses_is_taken() {
        for strong in [
            "a gym by the river",
            "marble otter sings 7 tangos",
            "correct horse battery",
            "h7fk-92mx-qq3t-w8zp",
            "Frühstück um Zehn",
            "パスワードは長いほど良い",
        ] {
            assert!(!is_guessed_soon(strong, "Ada Lovelace"), "{strong}");
        }
    }

    #[test]
    fn a_common_word_with_something_behind_it_is_refused_as_the_cloud_refuses_it() {
        let words: Vec<&str> = COMMON.lines().step_by(37).collect();
        for word in words {
            for more in ["12", "1234", "!", "2026", "abc", "111"] {
                let password = format!("{word}{more}");
                let by_cloud = zxcvbn(&password, &["Ada"]).score();
                assert!(
                    is_guessed_soon(&password, "Ada") || by_cloud >= Score::Three,
                    "{password} is taken, although the cloud gives it {by_cloud}"
                );
            }
        }
    }

    proptest! {
        /// Whatever is typed there is an answer, and what is short is never taken.
        #[test]
        fn few_characters_are_never_enough(password in ".{0,7}", longer in ".{0,80}", name in ".{0,20}") {
            prop_assert!(is_guessed_soon(&password, &name));
            is_guessed_soon(&longer, &name);
        }
    }
}
