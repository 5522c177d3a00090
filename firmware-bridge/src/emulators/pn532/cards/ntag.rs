//! NTAG213, 215 and 216: pages of memory that anyone may read.

const PAGE: usize = 4;

/// Which one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Model {
    /// 45 pages.
    Ntag213,
    /// 135 pages.
    Ntag215,
    /// 231 pages.
    Ntag216,
}

/// A tag.
#[derive(Debug, Clone)]
pub struct Ntag {
    uid: [u8; 7],
    model: Model,
    memory: Vec<u8>,
}

impl Model {
    /// Pages, size in the capability container, size in the version.
    fn sizes(self) -> (usize, u8, u8) {
        match self {
            Self::Ntag213 => (45, 0x12, 0x0F),
            Self::Ntag215 => (135, 0x3E, 0x11),
            Self::Ntag216 => (231, 0x6D, 0x13),
        }
    }
}

impl Ntag {
    /// A tag that carries an NDEF `message`, cut to what fits.
    pub fn new(model: Model, uid: [u8; 7], message: &[u8]) -> Self {
        let (pages, size, _) = model.sizes();
        let mut memory = vec![0; pages * PAGE];
        let [u0, u1, u2, u3, u4, u5, u6] = uid;
        memory[..9].copy_from_slice(&[
            u0,
            u1,
            u2,
            0x88 ^ u0 ^ u1 ^ u2,
            u3,
            u4,
            u5,
            u6,
            u3 ^ u4 ^ u5 ^ u6,
        ]);
        memory[12..16].copy_from_slice(&[0xE1, 0x10, size, 0x00]);
        let mut data = vec![0x03];
        match u8::try_from(message.len()) {
            Ok(length) if length < 0xFF => data.push(length),
            _ => {
                let length = u16::try_from(message.len()).unwrap_or(u16::MAX);
                data.push(0xFF);
                data.extend_from_slice(&length.to_be_bytes());
            }
        }
        data.extend_from_slice(message);
        data.push(0xFE);
        let end = (16 + data.len()).min((pages - 5) * PAGE);
        memory[16..end].copy_from_slice(&data[..end - 16]);
        Self { uid, model, memory }
    }

    pub(super) fn uid(&self) -> &[u8] {
        &self.uid
    }

    pub(super) fn exchange(&mut self, command: &[u8]) -> Option<Vec<u8>> {
        let pages = self.memory.len() / PAGE;
        match *command {
            [0x30, page] if usize::from(page) < pages => Some(self.pages(page.into(), 4)),
            [0x3A, from, to] if from <= to && usize::from(to) < pages => {
                Some(self.pages(from.into(), usize::from(to - from) + 1))
            }
            [0xA2, page, d0, d1, d2, d3] if (4..pages).contains(&page.into()) => {
                let at = usize::from(page) * PAGE;
                self.memory[at..at + PAGE].copy_from_slice(&[d0, d1, d2, d3]);
                Some(vec![0x0A])
            }
            [0x60] => Some(vec![0x00, 0x04, 0x04, 0x02, 0x01, 0x00, self.model.sizes().2, 0x03]),
            [0x39, 0x02] => Some(vec![0, 0, 0]),
            [0x3C, 0x00] => Some(vec![0; 32]),
            _ => None,
        }
    }

    /// Reading wraps at the end.
    fn pages(&self, first: usize, count: usize) -> Vec<u8> {
        self.memory.iter().copied().cycle().skip(first * PAGE).take(count * PAGE).collect()
    }
}
