//! Properties of MQTT 5: their types, which packet may carry which, and that each comes once.

use super::Fault;
use super::cursor::Cursor;
use super::reason::Reason;

pub const SUBSCRIPTION_ID: u8 = 11;
pub const AUTH_METHOD: u8 = 21;
pub const RECEIVE_MAXIMUM: u8 = 33;
pub const TOPIC_ALIAS: u8 = 35;
pub const MAXIMUM_PACKET_SIZE: u8 = 39;
const USER_PROPERTY: u8 = 38;

/// Which properties a packet may carry, as a set of bits.
pub const CONNECT: u64 = set(&[17, 21, 22, 23, 25, 33, 34, 38, 39]);
pub const WILL: u64 = set(&[1, 2, 3, 8, 9, 24, 38]);
pub const PUBLISH: u64 = set(&[1, 2, 3, 8, 9, 35, 38]);
pub const ACK: u64 = set(&[31, 38]);
pub const SUBSCRIBE: u64 = set(&[11, 38]);
pub const UNSUBSCRIBE: u64 = set(&[38]);
pub const DISCONNECT: u64 = set(&[17, 31, 38]);

const fn set(ids: &[u8]) -> u64 {
    let mut bits = 0;
    let mut i = 0;
    while i < ids.len() {
        bits |= 1 << ids[i];
        i += 1;
    }
    bits
}

/// Reads a list of properties and hands out those that are numbers; what else there is, user properties among them,
/// is checked and dropped.
pub fn read(
    cursor: &mut Cursor,
    allowed: u64,
    mut number: impl FnMut(u8, u32) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let len = cursor.var_int()? as usize;
    if len == 0 {
        return Ok(());
    }
    let mut list = Cursor(cursor.take(len)?);
    let mut seen = 0_u64;
    while !list.is_empty() {
        let id = list.u8()?;
        let bit = if id < 64 { 1_u64 << id } else { 0 };
        if id == SUBSCRIPTION_ID && allowed == PUBLISH {
            return Err(Fault::protocol("a client's PUBLISH with a subscription identifier"));
        }
        if allowed & bit == 0 {
            return Err(Fault::malformed("a property that the packet must not have"));
        }
        if seen & bit != 0 && id != USER_PROPERTY {
            return Err(Fault::protocol("a property given twice"));
        }
        seen |= bit;
        if let Some(value) = value(&mut list, id)? {
            number(id, value)?;
        }
    }
    Ok(())
}

/// The authentication method counts as number 1: its text is of no interest, there is none that is accepted.
fn value(list: &mut Cursor, id: u8) -> Result<Option<u32>, Fault> {
    Ok(match id {
        1 | 23 | 25 => match list.u8()? {
            flag @ (0 | 1) => Some(u32::from(flag)),
            _ => return Err(Fault::protocol("a flag that is neither 0 nor 1")),
        },
        33..=35 => Some(u32::from(list.u16()?)),
        2 | 17 | 24 | 39 => Some(list.u32()?),
        11 => Some(list.var_int()?),
        9 | 22 => {
            list.binary()?;
            None
        }
        38 => {
            list.text()?;
            list.text()?;
            None
        }
        21 => {
            list.text()?;
            Some(1)
        }
        _ => {
            list.text()?;
            None
        }
    })
}

/// A number that must not be 0.
pub fn positive(value: u32) -> Result<u32, Fault> {
    if value == 0 {
        return Err(Fault {
            reason: Reason::PROTOCOL_ERROR,
            what: "a property that must not be 0",
        });
    }
    Ok(value)
}
