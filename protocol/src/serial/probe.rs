//! Finds out what is at the other end of a serial line: harmless questions in turn, and what the answers mean.
//!
//! Pure: [`QUESTIONS`] says what to send at which speed and how long to wait, [`Interview`] reads what comes back.

use super::board::{FirmwareMessage, FrameReader};
use super::csafe::{self, answer::Version};
use super::pn532::{
    self,
    frame::{Frame, Framer},
};
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

/// What is kept of an answer; every answer that means something is shorter.
const MAX_HEARD: usize = 1024;

/// Something to send, and how long to wait for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question {
    /// Speed of the line, 8N1.
    pub baud: u32,
    /// What to send; nothing: just listen.
    pub bytes: &'static [u8],
    /// How long to wait.
    pub wait: Duration,
}

/// In an order in which no question confuses the device that a later one is for: our boards speak by themselves
/// until they are spoken to, card readers ignore what is no frame, consoles what is no frame at their speed.
pub const QUESTIONS: &[Question] = &[
    Question { baud: 115_200, bytes: &[], wait: Duration::from_millis(1_300) },
    Question { baud: 115_200, bytes: PN532_VERSION, wait: Duration::from_millis(300) },
    Question { baud: 115_200, bytes: PN532_VERSION, wait: Duration::from_millis(300) },
    Question { baud: 115_200, bytes: BOARD_ENQUIRY, wait: Duration::from_millis(300) },
    Question { baud: 9_600, bytes: CSAFE_VERSION, wait: Duration::from_millis(600) },
    Question { baud: 9_600, bytes: CSAFE_VERSION, wait: Duration::from_millis(600) },
    Question { baud: 9_600, bytes: CSAFE_EXTENDED_VERSION, wait: Duration::from_millis(600) },
];

/// Wake-up, then `GetFirmwareVersion`, which changes nothing in the chip.
const PN532_VERSION: &[u8] = &[
    0x55, 0x55, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, //
    0x00, 0x00, 0xFF, 0x02, 0xFE, 0xD4, 0x02, 0x2A, 0x00,
];
/// `Enquire` behind a delimiter: a board that was greeted before says its Hello again.
const BOARD_ENQUIRY: &[u8] = &[0x00, 0x07, 0x01, 0x0B, 0x36, 0xFA, 0x10, 0xCF, 0x00];
/// `GETVERSION`, which changes nothing in the console.
const CSAFE_VERSION: &[u8] = &[0xF1, 0x91, 0x91, 0xF2];
/// The same for consoles that only listen to frames with addresses.
const CSAFE_EXTENDED_VERSION: &[u8] = &[0xF0, 0xFD, 0x00, 0x91, 0x91, 0xF2];

/// Who answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peer {
    /// A card reader with a PN532 or one of its relatives.
    CardReader {
        /// The chip by its number: `0x32` is a PN532.
        chip: u8,
        /// Version of its firmware.
        version: (u8, u8),
    },
    /// A fitness console.
    Console {
        /// Number of the maker.
        maker: u8,
        /// Class of the console.
        class: u8,
        /// Model of that maker.
        model: u8,
    },
    /// One of our own boards.
    Board {
        /// Its code and firmware, if it said them.
        hello: Option<(String, String)>,
    },
    /// It said something that none of these would say.
    Stranger {
        /// Whether that was text, as of a scanner.
        is_text: bool,
    },
}

/// What was heard at one port.
#[derive(Debug, Default)]
pub struct Interview {
    boards: FrameReader,
    consoles: csafe::frame::FrameReader,
    heard: Vec<u8>,
}

impl Interview {
    /// An interview that begins.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in what came; `Some` as soon as it is known who speaks.
    pub fn hear(&mut self, bytes: &[u8]) -> Option<Peer> {
        let board = self.boards.push(bytes).into_iter().find_map(board);
        let room = MAX_HEARD.saturating_sub(self.heard.len());
        self.heard.extend_from_slice(&bytes[..bytes.len().min(room)]);
        let console = self.consoles.push(bytes).iter().find_map(console);
        board.or_else(|| card_reader(&self.heard)).or(console)
    }

    /// Who it was, after the last question; `None`: nobody said anything.
    pub fn end(&self) -> Option<Peer> {
        let is_text = self.heard.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\r' | b'\n'));
        (!self.heard.is_empty()).then_some(Peer::Stranger { is_text })
    }
}

/// What only a host says may be an echo.
fn board(message: FirmwareMessage) -> Option<Peer> {
    match message {
        FirmwareMessage::Hello { code, firmware, .. } => {
            Some(Peer::Board { hello: Some((code, firmware)) })
        }
        message => message.seq().map(|_| Peer::Board { hello: None }),
    }
}

/// Each start of a frame counts for itself: what only looks like one must not hide the answer behind it.
fn card_reader(heard: &[u8]) -> Option<Peer> {
    let mut starts = (0..heard.len()).filter(|at| heard[*at..].starts_with(&[0x00, 0xFF]));
    starts.find_map(|at| {
        let mut framer = Framer::default();
        let Frame::Body(body) = heard[at..].iter().find_map(|byte| framer.push(*byte))? else {
            return None;
        };
        let &[chip, version, revision, _support] = pn532::version(&body)?;
        Some(Peer::CardReader { chip, version: (version, revision) })
    })
}

/// A console that says its make.
fn console(frame: &csafe::frame::Frame) -> Option<Peer> {
    let answer = csafe::answer::parse(&frame.contents).ok()?;
    let make = answer.items.iter().find(|item| item.command == csafe::command::GET_VERSION)?;
    let Version { maker, class, model, .. } = Version::of_data(make.data)?;
    Some(Peer::Console { maker, class, model })
}

#[cfg(test)]
mod tests {
    use super::super::board::encode;
    use super::*;
    use alloc::vec;
    use proptest::prelude::*;

    const CHIP_SAYS: &[u8] = &[
        0x00, 0x00, 0xFF, 0x00, 0xFF, 0x00, // ACK
        0x00, 0x00, 0xFF, 0x06, 0xFA, 0xD5, 0x03, 0x32, 0x01, 0x06, 0x07, 0xE8, 0x00,
    ];
    const CHIP: Peer = Peer::CardReader { chip: 0x32, version: (1, 6) };
    /// Status ready, maker 22, class 2, model 5, hardware 0x00F1 (stuffed), software 2.
    const CONSOLE_SAYS: &[u8] =
        &[0xF1, 0x01, 0x91, 0x07, 22, 2, 5, 0xF3, 0x01, 0, 2, 0, 0x75, 0xF2];
    const CONSOLE: Peer = Peer::Console { maker: 22, class: 2, model: 5 };

    fn hello() -> Vec<u8> {
        let (code, firmware) = ("rack-1".into(), "1.2".into());
        encode(&FirmwareMessage::Hello { code, firmware, boot: 7 }).unwrap()
    }

    #[test]
    fn each_device_is_known_by_its_answer() {
        let answers = [CHIP_SAYS, CONSOLE_SAYS, &hello()[..]];

        let peers = answers.map(|answer| Interview::new().hear(answer).unwrap());

        let board = Peer::Board { hello: Some(("rack-1".into(), "1.2".into())) };
        assert_eq!(peers, [CHIP, CONSOLE, board]);
    }

    #[test]
    fn a_board_is_asked_in_its_own_words() {
        assert_eq!(BOARD_ENQUIRY[1..], encode(&FirmwareMessage::Enquire).unwrap());
    }

    #[test]
    fn a_card_reader_is_woken_and_asked_in_its_own_words() {
        let asked = Frame::Body(vec![0xD4, 0x02]).encode();

        assert_eq!(QUESTIONS[1].bytes, [&pn532::WAKE_UP[..], &asked].concat());
    }

    #[test]
    fn what_only_looks_like_a_frame_hides_no_card_reader() {
        let mut interview = Interview::new();
        interview.hear(&[0x00, 0xFF, 0x80, 0x80, 0x00]);

        assert_eq!(interview.hear(CHIP_SAYS), Some(CHIP));
    }

    #[test]
    fn a_board_that_has_no_time_for_a_hello_is_a_board() {
        let status = FirmwareMessage::CommandResult {
            seq: 4,
            id: [1; 16],
            outcome: super::super::board::BoardOutcome::Done,
        };

        assert_eq!(
            Interview::new().hear(&encode(&status).unwrap()),
            Some(Peer::Board { hello: None })
        );
    }

    #[test]
    fn an_echo_of_our_questions_is_no_device() {
        let mut interview = Interview::new();

        let heard: Vec<_> =
            QUESTIONS.iter().filter_map(|question| interview.hear(question.bytes)).collect();

        assert_eq!(heard, vec![]);
        assert_eq!(interview.end(), Some(Peer::Stranger { is_text: false }));
    }

    #[test]
    fn text_is_a_scanner_and_silence_is_nobody() {
        let mut scanner = Interview::new();
        scanner.hear(b"G1abc\r\n");

        assert_eq!(scanner.end(), Some(Peer::Stranger { is_text: true }));
        assert_eq!(Interview::new().end(), None);
    }

    proptest! {
        #[test]
        fn an_answer_is_known_in_any_pieces_and_behind_any_text(
            which in 0..3_usize, text in "[a-zA-Z0-9 ]{0,40}", pieces in prop::collection::vec(1..6_usize, 0..30),
        ) {
            let hello = hello();
            let answer = [CHIP_SAYS, CONSOLE_SAYS, &hello[..]][which];
            // A board's frame begins behind a delimiter.
            let mut bytes = [text.as_bytes(), &[0]].concat();
            bytes.extend_from_slice(answer);
            let mut interview = Interview::new();
            let mut found = None;
            let mut rest = &bytes[..];
            for piece in pieces.into_iter().chain([usize::MAX]) {
                let (now, later) = rest.split_at(piece.min(rest.len()));
                found = found.or(interview.hear(now));
                rest = later;
            }

            prop_assert_eq!(found, Interview::new().hear(answer));
        }

        #[test]
        fn no_bytes_panic(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..12)) {
            let mut interview = Interview::new();
            for piece in &pieces {
                interview.hear(piece);
            }
            interview.end();
        }
    }
}
