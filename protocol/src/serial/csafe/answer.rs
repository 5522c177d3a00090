//! What a console answers: its status, then `command length data` for each question that it understood.

use alloc::vec::Vec;

/// What a console is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Something is broken.
    Error,
    /// Left to itself; a key press makes it [`State::Offline`].
    Ready,
    /// Waits for a user to identify themselves; a key press makes it [`State::Manual`].
    Idle,
    /// A user has identified themselves.
    HaveId,
    /// An exercise runs.
    InUse,
    /// The exercise is paused.
    Paused,
    /// The exercise has ended, its result is shown.
    Finished,
    /// An exercise that was begun at the console while it waited for an id.
    Manual,
    /// An exercise that was begun at the console while it was left to itself.
    Offline,
    /// None that the standard knows.
    Other(u8),
}

impl State {
    /// The lower half of the status byte.
    pub const fn nibble(self) -> u8 {
        match self {
            Self::Error => 0,
            Self::Ready => 1,
            Self::Idle => 2,
            Self::HaveId => 3,
            Self::InUse => 5,
            Self::Paused => 6,
            Self::Finished => 7,
            Self::Manual => 8,
            Self::Offline => 9,
            Self::Other(nibble) => nibble & 0x0F,
        }
    }

    const fn of_nibble(nibble: u8) -> Self {
        match nibble {
            0 => Self::Error,
            1 => Self::Ready,
            2 => Self::Idle,
            3 => Self::HaveId,
            5 => Self::InUse,
            6 => Self::Paused,
            7 => Self::Finished,
            8 => Self::Manual,
            9 => Self::Offline,
            other => Self::Other(other),
        }
    }
}

/// What became of the frame that is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Previous {
    /// Carried out.
    Accepted,
    /// Not allowed in this state, or not known.
    Rejected,
    /// It arrived damaged.
    Bad,
    /// The console is not ready for it.
    NotReady,
}

/// The first byte of every answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Status {
    /// Flips with every frame that was accepted.
    pub toggle: bool,
    /// What became of the frame that is answered.
    pub previous: Previous,
    /// What the console is doing.
    pub state: State,
}

impl Status {
    /// Reads the byte. Bit 6 means nothing.
    pub const fn of_byte(byte: u8) -> Self {
        let previous = match (byte >> 4) & 3 {
            0 => Previous::Accepted,
            1 => Previous::Rejected,
            2 => Previous::Bad,
            _ => Previous::NotReady,
        };
        Self { toggle: byte & 0x80 != 0, previous, state: State::of_nibble(byte & 0x0F) }
    }

    /// The byte.
    pub const fn byte(self) -> u8 {
        let previous = match self.previous {
            Previous::Accepted => 0,
            Previous::Rejected => 1,
            Previous::Bad => 2,
            Previous::NotReady => 3,
        };
        (self.toggle as u8) << 7 | previous << 4 | self.state.nibble()
    }
}

/// The answer to one question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item<'a> {
    /// Which question: the command's byte.
    pub command: u8,
    /// The answer.
    pub data: &'a [u8],
}

/// A whole answer. Questions that the console does not know are missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<'a> {
    /// How the console is.
    pub status: Status,
    /// What it answered.
    pub items: Vec<Item<'a>>,
}

/// Contents that are no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadAnswer {
    /// Not even a status.
    #[error("the frame is empty")]
    Empty,
    /// It ends in the middle of a question's answer.
    #[error("the answer to {command:#04x} is cut off")]
    CutOff {
        /// Which.
        command: u8,
    },
}

/// Takes the contents of a frame apart.
pub fn parse(contents: &[u8]) -> Result<Answer<'_>, BadAnswer> {
    let (&status, mut rest) = contents.split_first().ok_or(BadAnswer::Empty)?;
    let mut items = Vec::new();
    while let Some((&command, after)) = rest.split_first() {
        let cut_off = BadAnswer::CutOff { command };
        let (&length, after) = after.split_first().ok_or(cut_off)?;
        let (data, after) = after.split_at_checked(length.into()).ok_or(cut_off)?;
        items.push(Item { command, data });
        rest = after;
    }
    Ok(Answer { status: Status::of_byte(status), items })
}

/// The contents of an answer; the inverse of [`parse`]. Data beyond 255 bytes is cut.
pub fn encode(status: Status, items: &[Item<'_>]) -> Vec<u8> {
    let mut contents = Vec::from([status.byte()]);
    for Item { command, data } in items {
        let length = u8::try_from(data.len()).unwrap_or(u8::MAX);
        contents.extend([*command, length]);
        contents.extend_from_slice(&data[..length.into()]);
    }
    contents
}

/// What a console says about its make: at least maker, class and model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Version {
    /// Number of the maker.
    pub maker: u8,
    /// Class of the console.
    pub class: u8,
    /// Model of that maker.
    pub model: u8,
    /// Version of the hardware, or of the whole.
    pub version: u16,
    /// Version of the software.
    pub release: u16,
}

impl Version {
    /// Reads the answer to [`super::command::GET_VERSION`]: 5 bytes, or 7 with wide versions.
    pub const fn of_data(data: &[u8]) -> Option<Self> {
        match *data {
            [maker, class, model, version, release] => {
                Some(Self { maker, class, model, version: version as u16, release: release as u16 })
            }
            [maker, class, model, v0, v1, r0, r1] => Some(Self {
                maker,
                class,
                model,
                version: u16::from_le_bytes([v0, v1]),
                release: u16::from_le_bytes([r0, r1]),
            }),
            _ => None,
        }
    }
}

impl core::fmt::Display for Version {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { maker, class, model, version, release } = self;
        write!(f, "CSAFE {maker}/{class}/{model} {version}.{release}")
    }
}
