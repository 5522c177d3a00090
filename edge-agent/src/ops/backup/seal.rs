//! A stream sealed with a passphrase: a key by argon2id, AES-256-GCM over pieces of 64 KiB, each with its number and
//! whether it is the last (the construction STREAM), so that nothing can be changed, moved, cut off or added.

use super::Passphrase;
use anyhow::{Context as _, Result, anyhow, bail, ensure};
use argon2::{Algorithm, Argon2, Params, Version};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use std::io::{self, Read, Write};
use zeroize::Zeroizing;

/// Begins each sealed backup.
pub const MAGIC: &[u8; 16] = b"GYMWIRE-SEALED1\n";
const SALT: usize = 16;
const PIECE: usize = 64 << 10;
const TAG: usize = 16;
/// Memory and passes: half a second on a Pi, a great deal for somebody who guesses.
const MEMORY_KIB: u32 = 64 << 10;
const PASSES: u32 = 3;

/// Seals what is written to it.
pub struct Seal<W: Write> {
    out: W,
    key: LessSafeKey,
    number: u32,
    piece: Vec<u8>,
}

impl<W: Write> Seal<W> {
    /// Begins a stream with a salt of its own, so each backup has another key.
    pub fn new(mut out: W, passphrase: &Passphrase) -> Result<Self> {
        let mut salt = [0; SALT];
        getrandom::fill(&mut salt).context("the system has no random numbers")?;
        out.write_all(MAGIC)?;
        out.write_all(&salt)?;
        let key = key(passphrase, &salt)?;
        Ok(Self { out, key, number: 0, piece: Vec::with_capacity(PIECE + TAG) })
    }

    /// Ends the stream: without its last piece it does not open.
    pub fn finish(mut self) -> Result<()> {
        self.put(true)?;
        Ok(self.out.flush()?)
    }

    fn put(&mut self, is_last: bool) -> io::Result<()> {
        let nonce = nonce(self.number, is_last);
        self.key
            .seal_in_place_append_tag(nonce, Aad::empty(), &mut self.piece)
            .map_err(|_| io::Error::other("a piece cannot be sealed"))?;
        self.out.write_all(&self.piece)?;
        self.piece.clear();
        self.number = self
            .number
            .checked_add(1)
            .ok_or_else(|| io::Error::other("the backup is too large"))?;
        Ok(())
    }
}

impl<W: Write> Write for Seal<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A full piece waits until more comes: the last one is sealed otherwise.
        if self.piece.len() == PIECE && !bytes.is_empty() {
            self.put(false)?;
        }
        let taken = bytes.len().min(PIECE - self.piece.len());
        self.piece.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Opens what was sealed; starts behind [`MAGIC`].
pub struct Unseal<R: Read> {
    from: R,
    key: LessSafeKey,
    number: u32,
    piece: Vec<u8>,
    read: usize,
    is_last: bool,
    /// The first byte of the next piece, read to see whether there is one.
    ahead: Option<u8>,
}

impl<R: Read> Unseal<R> {
    /// Begins with the salt.
    pub fn new(mut from: R, passphrase: &Passphrase) -> Result<Self> {
        let mut salt = [0; SALT];
        from.read_exact(&mut salt).context("the backup is cut off")?;
        let key = key(passphrase, &salt)?;
        let mut unseal =
            Self { from, key, number: 0, piece: Vec::new(), read: 0, is_last: false, ahead: None };
        // Said at once, rather than by whatever reads it.
        if unseal.next_piece().is_err() {
            bail!("the passphrase is wrong, or the backup is damaged");
        }
        Ok(unseal)
    }

    fn next_piece(&mut self) -> io::Result<()> {
        let mut piece: Vec<u8> = self.ahead.take().into_iter().collect();
        let more = (PIECE + TAG - piece.len()) as u64;
        (&mut self.from).take(more).read_to_end(&mut piece)?;
        let mut ahead = [0];
        self.is_last = self.from.read(&mut ahead)? == 0;
        self.ahead = (!self.is_last).then_some(ahead[0]);
        let nonce = nonce(self.number, self.is_last);
        let opened = self.key.open_in_place(nonce, Aad::empty(), &mut piece);
        let length =
            opened.map_err(|_| io::Error::other("the backup is damaged or cut off"))?.len();
        piece.truncate(length);
        (self.piece, self.read) = (piece, 0);
        self.number = self.number.checked_add(1).ok_or_else(|| io::Error::other("too long"))?;
        Ok(())
    }
}

impl<R: Read> Read for Unseal<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.read == self.piece.len() {
            if self.is_last {
                return Ok(0);
            }
            self.next_piece()?;
        }
        let taken = into.len().min(self.piece.len() - self.read);
        into[..taken].copy_from_slice(&self.piece[self.read..self.read + taken]);
        self.read += taken;
        Ok(taken)
    }
}

fn nonce(number: u32, is_last: bool) -> Nonce {
    let mut nonce = [0; NONCE_LEN];
    nonce[NONCE_LEN - 5..NONCE_LEN - 1].copy_from_slice(&number.to_be_bytes());
    nonce[NONCE_LEN - 1] = u8::from(is_last);
    Nonce::assume_unique_for_key(nonce)
}

fn key(passphrase: &Passphrase, salt: &[u8]) -> Result<LessSafeKey> {
    ensure!(!passphrase.is_empty(), "the passphrase is empty");
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).map_err(|error| anyhow!("{error}"))?;
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.as_bytes(), salt, key.as_mut())
        .map_err(|error| anyhow!("{error}"))?;
    let key =
        UnboundKey::new(&AES_256_GCM, key.as_ref()).map_err(|_| anyhow!("a key of 32 bytes"))?;
    Ok(LessSafeKey::new(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passphrase() -> Passphrase {
        Zeroizing::new("correct horse".to_owned())
    }

    fn sealed(content: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut seal = Seal::new(&mut out, &passphrase()).unwrap();
        seal.write_all(content).unwrap();
        seal.finish().unwrap();
        out
    }

    fn opened(sealed: &[u8], passphrase: &Passphrase) -> Result<Vec<u8>> {
        let mut content = Vec::new();
        Unseal::new(&sealed[MAGIC.len()..], passphrase)?.read_to_end(&mut content)?;
        Ok(content)
    }

    #[test]
    fn what_was_sealed_opens_whatever_its_length() {
        for length in [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE] {
            let content: Vec<u8> = (0..=250).cycle().take(length).collect();

            assert!(opened(&sealed(&content), &passphrase()).unwrap() == content, "{length}");
        }
    }

    #[test]
    fn what_was_changed_cut_or_moved_does_not_open() {
        let whole = sealed(&vec![7; 2 * PIECE + 5]);
        let begin = MAGIC.len() + SALT;
        let second = begin + PIECE + TAG;
        let mut flipped = whole.clone();
        flipped[second + 9] ^= 1;
        let cut_at_a_piece = whole[..second].to_vec();
        let mut swapped = whole.clone();
        swapped[begin..second + PIECE + TAG].rotate_left(PIECE + TAG);

        for broken in [&flipped[..], &cut_at_a_piece, &whole[..whole.len() - 1], &swapped] {
            assert!(opened(broken, &passphrase()).is_err());
        }
        let wrong = opened(&whole, &Zeroizing::new("wrong".to_owned())).unwrap_err();
        assert!(wrong.to_string().contains("passphrase"), "{wrong}");
    }
}
