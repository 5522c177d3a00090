//! One-time enrolment codes: 55 random bits in Crockford's base 32, as people type them.

use super::store;
use crate::ids::BranchId;
use anyhow::Context;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use std::fmt;
use std::str::FromStr;
use time::{Duration, OffsetDateTime};

/// A code, without separators. It shows as `XXXX-XXXX-XXX`.
#[derive(Clone, PartialEq, Eq)]
pub struct EnrollCode([u8; LENGTH]);

/// A text that is no code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoCode;

const LENGTH: usize = 11;
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const VALID_FOR: Duration = Duration::HOUR;

/// Makes a code that enrols one edge for a branch within the hour. Only its hash is kept.
pub async fn make_enroll_code(
    db: &mut PgConnection,
    branch: BranchId,
    now: OffsetDateTime,
) -> anyhow::Result<EnrollCode> {
    let code = EnrollCode::random()?;
    store::insert_code(db, &code.sha256(), branch, now, now + VALID_FOR).await?;
    Ok(code)
}

impl EnrollCode {
    fn random() -> anyhow::Result<Self> {
        let mut random = [0; LENGTH];
        getrandom::fill(&mut random).context("no random numbers")?;
        Ok(Self(random.map(|byte| ALPHABET[usize::from(byte % 32)])))
    }

    /// What is kept. The code is random and short-lived, so a fast hash is enough.
    pub fn sha256(&self) -> [u8; 32] {
        Sha256::digest(self.0).into()
    }
}

impl fmt::Display for EnrollCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = String::from_utf8_lossy(&self.0);
        write!(f, "{}-{}-{}", &text[..4], &text[4..8], &text[8..])
    }
}

impl fmt::Debug for EnrollCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Forgives what people do: lower case, missing or other separators, O for 0, I and L for 1.
impl FromStr for EnrollCode {
    type Err = NoCode;

    fn from_str(text: &str) -> Result<Self, NoCode> {
        let kept = text.chars().filter(|c| !matches!(c, '-' | ' '));
        let mut code = Vec::with_capacity(LENGTH);
        for letter in kept.take(LENGTH + 1) {
            let letter = match letter.to_ascii_uppercase() {
                'O' => '0',
                'I' | 'L' => '1',
                other => other,
            };
            let byte = u8::try_from(letter).map_err(|_| NoCode)?;
            code.push(ALPHABET.contains(&byte).then_some(byte).ok_or(NoCode)?);
        }
        code.try_into().map(Self).map_err(|_| NoCode)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_it_is_shown() {
        let code = EnrollCode::random().unwrap();

        assert_eq!(code.to_string().parse(), Ok(code));
    }

    #[test]
    fn what_people_mistype_is_forgiven() {
        let shown: EnrollCode = "01AB-CDEF-GHJ".parse().unwrap();

        assert_eq!("oiab cdefghj".parse(), Ok(shown));
    }

    #[test]
    fn other_texts_are_no_codes() {
        for text in ["", "01AB-CDEF-GH", "01AB-CDEF-GHJK", "01AB-CDEF-GHU", "äöüß-äöüß-äöü"]
        {
            assert_eq!(text.parse::<EnrollCode>(), Err(NoCode));
        }
    }
}
