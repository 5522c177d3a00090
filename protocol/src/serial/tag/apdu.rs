//! The few APDUs that are said to cards and phones, and the status word that ends each answer.

/// The application of our phone app.
pub const AID: [u8; 6] = [0xF0, 0x47, 0x59, 0x4D, 0x57, 0x01];
/// Longest answer that is asked for: it fits one normal frame of a PN532.
pub const MAX_READ: usize = 0xF0;
/// Length of the signature that ends a phone's answer.
pub const SIGNATURE: usize = 64;

/// Done.
pub const OK: u16 = 0x9000;
/// The phone wants to be unlocked first.
pub const LOCKED: u16 = 0x6985;
/// No such application or file.
pub const NOT_FOUND: u16 = 0x6A82;

/// Selects our application on a phone.
pub fn select_phone() -> Vec<u8> {
    select_application(&AID)
}

/// Selects the application that holds the NDEF file.
pub fn select_ndef() -> Vec<u8> {
    select_application(&[0xD2, 0x76, 0x00, 0x00, 0x85, 0x01, 0x01])
}

/// Selects the NDEF file. On an NTAG 424 DNA it has this number ever; asking the capability file would cost two more
/// exchanges, each 10 ms of a person's time at the door.
pub fn select_ndef_file() -> Vec<u8> {
    vec![0x00, 0xA4, 0x00, 0x0C, 0x02, 0xE1, 0x04]
}

/// Reads `length` bytes from `offset` of the selected file; at most [`MAX_READ`].
pub fn read_binary(offset: u16, length: u8) -> Vec<u8> {
    let [high, low] = offset.to_be_bytes();
    vec![0x00, 0xB0, high, low, length]
}

/// Asks a phone to sign `nonce` for the branch `site_no`.
pub fn challenge(nonce: &[u8; 16], site_no: u16) -> Vec<u8> {
    let mut apdu = vec![0x80, 0x10, 0x00, 0x00, 0x12];
    apdu.extend_from_slice(nonce);
    apdu.extend_from_slice(&site_no.to_be_bytes());
    apdu.push(0x00);
    apdu
}

/// Data and status word of an answer.
pub fn split(answer: &[u8]) -> Option<(&[u8], u16)> {
    let (data, status) = answer.split_last_chunk()?;
    Some((data, u16::from_be_bytes(*status)))
}

fn select_application(aid: &[u8]) -> Vec<u8> {
    let length = u8::try_from(aid.len()).expect("an AID has at most 16 bytes");
    let mut apdu = vec![0x00, 0xA4, 0x04, 0x00, length];
    apdu.extend_from_slice(aid);
    apdu.push(0x00);
    apdu
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_apdus_have_the_bytes_that_cards_and_phones_expect() {
        assert_eq!(hex::encode(select_ndef()), "00a4040007d276000085010100");
        assert_eq!(hex::encode(select_phone()), "00a4040006f047594d570100");
        assert_eq!(hex::encode(read_binary(2, 0x20)), "00b0000220");
        assert_eq!(
            hex::encode(challenge(&[0x11; 16], 0x0203)),
            format!("8010000012{}020300", "11".repeat(16))
        );
    }

    #[test]
    fn an_answer_ends_in_its_status() {
        assert_eq!(split(&[1, 2, 0x90, 0x00]), Some((&[1, 2][..], OK)));
        assert_eq!(split(&[0x90]), None);
    }
}
