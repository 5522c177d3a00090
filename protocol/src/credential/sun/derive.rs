//! Keys made from keys: per card (AN10922, or HMAC as sdm-backend has it) and per read (AN12196).

use super::UID_BYTES;
use super::keys::Key;
use aes::Aes128;
use aes::cipher::block_padding::NoPadding;
use aes::cipher::{BlockDecryptMut, BlockEncrypt, KeyInit, KeyIvInit};
use cmac::Cmac;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

const BLOCK: usize = 16;

/// What AN10922 takes beside the card's number: at most this many bytes fit into its two blocks.
pub(super) const MAX_SYSTEM_BYTES: usize = 2 * BLOCK - 1 - UID_BYTES;

/// Not a whole number of blocks.
pub(super) struct NotBlocks;

/// The two keys of one read.
pub(super) struct Session {
    mac: Key,
    enc: Key,
    counter_le: [u8; 3],
}

impl Session {
    pub(super) fn of(file_key: &Key, uid: [u8; UID_BYTES], counter_le: [u8; 3]) -> Self {
        let vector = |start: [u8; 6]| [start.as_slice(), &uid, &counter_le].concat();
        Self {
            mac: cmac(file_key, &vector([0x3C, 0xC3, 0x00, 0x01, 0x00, 0x80])),
            enc: cmac(file_key, &vector([0xC3, 0x3C, 0x00, 0x01, 0x00, 0x80])),
            counter_le,
        }
    }

    /// The odd bytes of the MAC.
    pub(super) fn truncated_mac(&self, input: &[u8]) -> Zeroizing<[u8; 8]> {
        let full = cmac(&self.mac, input);
        Zeroizing::new(std::array::from_fn(|index| full[2 * index + 1]))
    }

    pub(super) fn decrypt_file(&self, enc: &[u8]) -> Result<Vec<u8>, NotBlocks> {
        let mut vector = [0; BLOCK];
        vector[..3].copy_from_slice(&self.counter_le);
        let vector = encrypt_block(&self.enc, vector);
        let mut file = enc.to_vec();
        decrypt_blocks(&self.enc, vector, &mut file)?;
        Ok(file)
    }
}

/// AES-128-CBC without padding, in place.
pub(super) fn decrypt_blocks(
    key: &Key,
    vector: [u8; BLOCK],
    bytes: &mut [u8],
) -> Result<(), NotBlocks> {
    cbc::Decryptor::<Aes128>::new(key.as_slice().into(), &vector.into())
        .decrypt_padded_mut::<NoPadding>(bytes)
        .map(drop)
        .map_err(|_| NotBlocks)
}

/// AN10922 §2.2: CMAC over `01 || number || system`, always padded to two blocks (plain CMAC pads to one).
pub(super) fn an10922(master: &Key, uid: [u8; UID_BYTES], system: &[u8]) -> Key {
    let mut input = [0; 2 * BLOCK];
    let length = 1 + UID_BYTES + system.len();
    input[0] = 0x01;
    input[1..=UID_BYTES].copy_from_slice(&uid);
    input[1 + UID_BYTES..length].copy_from_slice(system);
    let mut subkey = Zeroizing::new(doubled(encrypt_block(master, [0; BLOCK])));
    if let Some(first_free) = input.get_mut(length) {
        *first_free = 0x80;
        *subkey = doubled(*subkey);
    }
    let (first, last) = input.split_at(BLOCK);
    let chained = Zeroizing::new(encrypt_block(master, std::array::from_fn(|i| first[i])));
    let sum = Zeroizing::new(std::array::from_fn(|i| last[i] ^ chained[i] ^ subkey[i]));
    Key::new(encrypt_block(master, *sum))
}

/// sdm-backend's key of a card.
pub(super) fn hmac_of_card(master: &Key, uid: [u8; UID_BYTES], key_no: u8) -> Key {
    let slot =
        first_block(&hmac(master.as_slice(), &[b"SlotMasterKey".as_slice(), &[key_no]].concat()));
    let base = hmac(master.as_slice(), b"DivBaseKey");
    let card = first_block(&hmac(base.as_slice(), &uid));
    cmac(&slot, &Zeroizing::new([&[0x01], card.as_slice()].concat()))
}

/// sdm-backend's key that all cards share, for number and counter.
pub(super) fn hmac_of_all(master: &Key) -> Key {
    first_block(&hmac(master.as_slice(), b"PICCDataKey"))
}

fn hmac(key: &[u8], input: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut mac =
        <Hmac<Sha256> as Mac>::new_from_slice(key).expect("a MAC takes keys of any length");
    mac.update(input);
    Zeroizing::new(mac.finalize().into_bytes().into())
}

fn first_block(bytes: &[u8; 32]) -> Key {
    Key::new(std::array::from_fn(|index| bytes[index]))
}

fn cmac(key: &Key, input: &[u8]) -> Key {
    let mut mac = <Cmac<Aes128> as Mac>::new(key.as_slice().into());
    mac.update(input);
    Key::new(mac.finalize().into_bytes().into())
}

fn encrypt_block(key: &Key, block: [u8; BLOCK]) -> [u8; BLOCK] {
    let mut block = block.into();
    Aes128::new(key.as_slice().into()).encrypt_block(&mut block);
    let encrypted = block.into();
    block[..].zeroize();
    encrypted
}

/// Multiplied by x in GF(2^128), as CMAC makes its subkeys.
fn doubled(block: [u8; BLOCK]) -> [u8; BLOCK] {
    let number = u128::from_be_bytes(block);
    let carry = (number >> 127) * 0x87;
    ((number << 1) ^ carry).to_be_bytes()
}
