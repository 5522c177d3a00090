//! NTAG 424 DNA with secure dynamic messaging: number and counter, encrypted and proven in an address that is made
//! anew at each reading.

use aes::Aes128;
use aes::cipher::{BlockEncrypt, KeyInit};
use cmac::{Cmac, Mac};

type Block = [u8; 16];

/// The keys of a card.
#[derive(Clone)]
pub struct SunKeys {
    /// Encrypts number and counter; the same for all cards.
    pub meta: Block,
    /// Proves it; of this card alone.
    pub file: Block,
}

/// Keys do not belong in a log.
impl std::fmt::Debug for SunKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SunKeys")
    }
}

/// A card.
#[derive(Debug, Clone)]
pub struct Ntag424 {
    uid: [u8; 7],
    keys: SunKeys,
    /// What the address begins with, up to the question mark.
    base: String,
    /// File data to be mirrored in encrypted form.
    file: Option<Block>,
    counter: u32,
    is_counted: bool,
    readings: u64,
    selected: Selected,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Selected {
    Nothing,
    Application,
    Container,
    Message,
}

impl Ntag424 {
    /// A card that was read `counter` times.
    pub fn new(uid: [u8; 7], keys: SunKeys, base: &str, counter: u32) -> Self {
        Self {
            uid,
            keys,
            base: base.into(),
            file: None,
            counter,
            is_counted: false,
            readings: 0,
            selected: Selected::Nothing,
        }
    }

    /// The card mirrors file data too.
    #[must_use]
    pub fn with_file(self, file: Block) -> Self {
        Self { file: Some(file), ..self }
    }

    /// How often its message was read in a new activation.
    pub fn counter(&self) -> u32 {
        self.counter
    }

    pub(super) fn uid(&self) -> &[u8] {
        &self.uid
    }

    /// How many messages were made.
    pub(super) fn readings(&self) -> u64 {
        self.readings
    }

    pub(super) fn field_off(&mut self) {
        self.selected = Selected::Nothing;
        self.is_counted = false;
    }

    pub(super) fn exchange(&mut self, apdu: &[u8]) -> Vec<u8> {
        match *apdu {
            [0x00, 0xA4, 0x04, 0x00, 0x07, 0xD2, 0x76, 0x00, 0x00, 0x85, 0x01, 0x01, ..] => {
                self.selected = Selected::Application;
                vec![0x90, 0x00]
            }
            [0x00, 0xA4, 0x00, 0x0C, 0x02, 0xE1, file @ (0x03 | 0x04)]
                if self.selected != Selected::Nothing =>
            {
                self.selected = if file == 3 { Selected::Container } else { Selected::Message };
                vec![0x90, 0x00]
            }
            [0x00, 0xA4, ..] => vec![0x6A, 0x82],
            [0x00, 0xB0, high, low, length] => {
                self.read(u16::from_be_bytes([high, low]).into(), length.into())
            }
            _ => vec![0x6D, 0x00],
        }
    }

    fn read(&mut self, offset: usize, length: usize) -> Vec<u8> {
        let mut file = match self.selected {
            Selected::Container => {
                hex_of("001720010000FF0406E104010000000506E10500808283000000000000000000")
            }
            Selected::Message => self.message(),
            _ => return vec![0x69, 0x82],
        };
        file.resize(256, 0);
        let length = if length == 0 { 256 } else { length };
        let Some(part) = file.get(offset..(offset + length).min(256)) else {
            return vec![0x6B, 0x00];
        };
        [part, &[0x90, 0x00]].concat()
    }

    /// The file with what this reading mirrors into it. Only the first reading of an activation counts, but each has
    /// new random bytes: who reads the message in pieces gets pieces of different ones.
    fn message(&mut self) -> Vec<u8> {
        if !self.is_counted {
            self.is_counted = true;
            self.counter += 1;
        }
        self.readings += 1;
        let number = self.readings.to_be_bytes();
        let random = [0x5A, number[4], number[5], number[6], number[7]];
        let query = mirror(&self.keys, self.uid, self.counter, random, self.file.as_ref());
        let rest = format!("{}?{query}", self.base.trim_start_matches("https://"));
        let length = u8::try_from(rest.len() + 1).unwrap_or(u8::MAX);
        let record = [&[0xD1, 0x01, length, b'U', 0x04], rest.as_bytes()].concat();
        let size = u16::try_from(record.len()).unwrap_or(u16::MAX).to_be_bytes();
        [&size[..], &record].concat()
    }
}

/// The parameters of the address (application note AN12196 of NXP).
fn mirror(
    keys: &SunKeys,
    uid: [u8; 7],
    counter: u32,
    random: [u8; 5],
    file: Option<&Block>,
) -> String {
    let [c0, c1, c2, _] = counter.to_le_bytes();
    let session = |head: [u8; 6]| -> Block {
        let mut vector = [0; 16];
        vector[..6].copy_from_slice(&head);
        vector[6..13].copy_from_slice(&uid);
        vector[13..].copy_from_slice(&[c0, c1, c2]);
        mac(&keys.file, &vector)
    };
    let mut picc = [0; 16];
    picc[0] = 0xC7;
    picc[1..8].copy_from_slice(&uid);
    picc[8..11].copy_from_slice(&[c0, c1, c2]);
    picc[11..].copy_from_slice(&random);
    let mut query = format!("picc_data={}", hex(&encrypt(&keys.meta, picc)));
    let mut proven = String::new();
    if let Some(file) = file {
        let key = session([0xC3, 0x3C, 0x00, 0x01, 0x00, 0x80]);
        let mut start = [0; 16];
        start[..3].copy_from_slice(&[c0, c1, c2]);
        let mut block = encrypt(&key, start);
        for (byte, plain) in block.iter_mut().zip(file) {
            *byte ^= plain;
        }
        proven = format!("{}&cmac=", hex(&encrypt(&key, block)));
        query = format!("{query}&enc={proven}");
    } else {
        query.push_str("&cmac=");
    }
    let whole = mac(&session([0x3C, 0xC3, 0x00, 0x01, 0x00, 0x80]), proven.as_bytes());
    let short: Vec<u8> = whole.into_iter().skip(1).step_by(2).collect();
    query + &hex(&short)
}

fn encrypt(key: &Block, block: Block) -> Block {
    let mut block = block.into();
    Aes128::new(key.into()).encrypt_block(&mut block);
    block.into()
}

fn mac(key: &Block, message: &[u8]) -> Block {
    let mut mac = <Cmac<Aes128> as Mac>::new(key.into());
    mac.update(message);
    mac.finalize().into_bytes().into()
}

fn hex(bytes: &[u8]) -> String {
    hex::encode_upper(bytes)
}

fn hex_of(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZERO: SunKeys = SunKeys { meta: [0; 16], file: [0; 16] };

    fn bytes<const N: usize>(text: &str) -> [u8; N] {
        hex_of(text).try_into().unwrap()
    }

    #[test]
    fn the_application_note_is_met() {
        let query = mirror(&ZERO, bytes("04DE5F1EACC040"), 61, bytes("DA5CF60941"), None);

        assert_eq!(query, "picc_data=EF963FF7828658A599F3041510671E88&cmac=94EED9EE65337086");
    }

    #[test]
    fn the_application_note_is_met_with_file_data() {
        let query = mirror(
            &ZERO,
            bytes("04958CAA5C5E80"),
            8,
            bytes("A243C86DFC"),
            Some(b"xxxxxxxxxxxxxxxx"),
        );

        assert_eq!(
            query,
            "picc_data=FD91EC264309878BE6345CBE53BADF40&enc=CEE9A53E3E463EF1F459635736738962&cmac=ECC1E7F6C6C73BF6"
        );
    }

    #[test]
    fn only_the_first_reading_of_an_activation_counts() {
        let mut card = Ntag424::new([4; 7], ZERO, "https://gym.example/t", 5);
        let read = |card: &mut Ntag424| {
            card.exchange(&hex_of("00A4040007D276000085010100"));
            card.exchange(&hex_of("00A4000C02E104"));
            card.exchange(&hex_of("00B0000002"));
            card.exchange(&hex_of("00B0000240"));
            card.counter()
        };

        assert_eq!(read(&mut card), 6);
        assert_eq!(read(&mut card), 6);
        card.field_off();
        assert_eq!(read(&mut card), 7);
    }
}
