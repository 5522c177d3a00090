//! The link against a chip that says what the test wants.

use super::*;
use crate::credential::Credential;
use crate::serial::tag::apdu;

/// `InDataExchange`.
const EXCHANGE: u8 = 0x40;
/// There is more of the answer to be fetched.
const MORE: u8 = 0x40;

/// Everything that a link says to a chip, which answers each command by `chip`: data behind its code, or nothing.
struct Talking<F> {
    link: Link,
    now: Duration,
    chip: F,
    /// Data of the exchanges with cards.
    exchanges: Vec<Vec<u8>>,
    said: Vec<Output>,
}

impl<F: FnMut(u8, &[u8]) -> Option<Vec<u8>>> Talking<F> {
    fn new(chip: F) -> Self {
        let link = Link::new(Settings::default());
        let mut this =
            Self { link, now: Duration::ZERO, chip, exchanges: Vec::new(), said: Vec::new() };
        this.tell(&[Input::Opened]);
        this
    }

    fn run_until(&mut self, end: Duration) {
        while let Some(due) = self.link.wake_at().filter(|due| *due <= end) {
            self.now = due;
            self.tell(&[Input::Tick]);
        }
    }

    fn tell(&mut self, inputs: &[Input<'_>]) {
        let mut outputs: VecDeque<Output> = VecDeque::new();
        for input in inputs {
            outputs.extend(self.link.handle(*input, self.now));
        }
        while let Some(output) = outputs.pop_front() {
            let Output::Write(bytes) = output else {
                self.said.push(output);
                continue;
            };
            let mut framer = Framer::default();
            for frame in bytes.iter().filter_map(|byte| framer.push(*byte)) {
                let Frame::Body(body) = frame else { continue };
                let [0xD4, command, data @ ..] = body.as_slice() else { panic!("{body:02X?}") };
                if *command == EXCHANGE {
                    self.exchanges.push(data.to_vec());
                }
                let mut answer = Frame::Ack.encode();
                if let Some(data) = (self.chip)(*command, data) {
                    let body = [&[0xD5, command + 1], data.as_slice()].concat();
                    answer.extend(Frame::Body(body).encode());
                }
                outputs.extend(self.link.handle(Input::Bytes(&answer), self.now));
            }
        }
    }

    fn credentials(&self) -> Vec<Credential> {
        let credential = |output: &Output| match output {
            Output::Presented { credential, .. } => Some(credential.clone()),
            _ => None,
        };
        self.said.iter().filter_map(credential).collect()
    }
}

/// What a chip answers in which one NTAG 424 lies, whose answers to readings come in parts of `part` bytes.
fn chip_with_a_card(part: usize) -> impl FnMut(u8, &[u8]) -> Option<Vec<u8>> {
    let address = format!("gym.example/t?picc_data={}&cmac={}", "AB".repeat(16), "CD".repeat(8));
    let mut message = vec![0xD1, 0x01, u8::try_from(address.len() + 1).unwrap(), b'U', 0x04];
    message.extend_from_slice(address.as_bytes());
    let length = u16::try_from(message.len()).unwrap().to_be_bytes();
    let file = [&length[..], &message].concat();
    let mut left: VecDeque<u8> = VecDeque::new();
    move |command, data| match (command, data) {
        (0x02, _) => Some(vec![0x32, 0x01, 0x06, 0x07]),
        (0x4A, _) => Some([&[1, 1, 0x03, 0x44, 0x20, 7], &[4; 7][..], &[1]].concat()),
        (EXCHANGE, [1, apdu @ ..]) => {
            match *apdu {
                [0x00, 0xB0, 0, offset, length] => {
                    let from = usize::from(offset);
                    left.extend(&file[from..from + usize::from(length)]);
                    left.extend(apdu::OK.to_be_bytes());
                }
                [_, ..] => left.extend(apdu::OK.to_be_bytes()),
                // The rest is asked for.
                [] => {}
            }
            let next: Vec<u8> = left.drain(..part.min(left.len())).collect();
            Some([&[if left.is_empty() { 0 } else { MORE }], next.as_slice()].concat())
        }
        _ => Some(Vec::new()),
    }
}

fn sun() -> Credential {
    Credential::Sun { picc_data: [0xAB; 16], enc: None, cmac: [0xCD; 8] }
}

#[test]
fn an_answer_in_two_parts_is_fetched_whole() {
    let mut reader = Talking::new(chip_with_a_card(50));

    reader.run_until(Duration::from_millis(50));

    assert_eq!(reader.credentials(), [sun()]);
    let asked_for_more = reader.exchanges.iter().filter(|data| data[..] == [1]).count();
    assert_eq!(asked_for_more, 1);
}

#[test]
fn an_answer_in_many_parts_is_fetched_whole() {
    let mut reader = Talking::new(chip_with_a_card(1));

    reader.run_until(Duration::from_millis(50));

    assert_eq!(reader.credentials(), [sun()]);
}

#[test]
fn a_card_that_never_comes_to_an_end_is_given_up() {
    let mut card = chip_with_a_card(50);
    let mut reader = Talking::new(move |command, data| match command {
        EXCHANGE => Some([&[MORE], &[0x90; 100][..]].concat()),
        _ => card(command, data),
    });

    reader.run_until(Duration::from_millis(50));

    assert!(reader.said.contains(&Output::Notice(Notice::Unreadable)));
    assert!(reader.exchanges.len() <= 12, "{}", reader.exchanges.len());
}
