//! Which character a key gives, by the kernel's key codes.

/// A keyboard layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Layout {
    /// United States.
    #[default]
    Us,
    /// German, without its dead keys.
    De,
}

/// Keys side by side have codes side by side: the first code of a row, and what its keys give without and with
/// shift. A blank stands for nothing.
struct Row(u16, &'static str, &'static str);

const US: [Row; 5] = [
    Row(2, "1234567890-=", "!@#$%^&*()_+"),
    Row(16, "qwertyuiop[]", "QWERTYUIOP{}"),
    Row(30, "asdfghjkl;'`", "ASDFGHJKL:\"~"),
    Row(43, "\\zxcvbnm,./", "|ZXCVBNM<>?"),
    Row(86, "\\", "|"),
];

const DE: [Row; 5] = [
    Row(2, "1234567890ß ", "!\"§$%&/()=? "),
    Row(16, "qwertzuiopü+", "QWERTZUIOPÜ*"),
    Row(30, "asdfghjklöä ", "ASDFGHJKLÖÄ°"),
    Row(43, "#yxcvbnm,.-", "'YXCVBNM;:_"),
    Row(86, "<", ">"),
];

/// With the right Alt key.
const DE_ALT_GR: [(u16, char); 11] = [
    (3, '²'),
    (4, '³'),
    (8, '{'),
    (9, '['),
    (10, ']'),
    (11, '}'),
    (12, '\\'),
    (16, '@'),
    (18, '€'),
    (27, '~'),
    (86, '|'),
];

/// The number block, which scanners use for digits when they are set so, and the space bar.
const EVERYWHERE: [(u16, char); 17] = [
    (55, '*'),
    (57, ' '),
    (71, '7'),
    (72, '8'),
    (73, '9'),
    (74, '-'),
    (75, '4'),
    (76, '5'),
    (77, '6'),
    (78, '+'),
    (79, '1'),
    (80, '2'),
    (81, '3'),
    (82, '0'),
    (83, '.'),
    (98, '/'),
    (117, '='),
];

impl Layout {
    /// The character of a key, if it gives one.
    pub fn character(self, code: u16, is_shift: bool, is_alt_gr: bool) -> Option<char> {
        if let Some(found) = find(&EVERYWHERE, code) {
            return Some(found);
        }
        if self == Self::De && is_alt_gr {
            return find(&DE_ALT_GR, code);
        }
        let rows = match self {
            Self::Us => &US,
            Self::De => &DE,
        };
        rows.iter().find_map(|Row(first, plain, shifted)| {
            let at = usize::from(code.checked_sub(*first)?);
            let row = if is_shift { shifted } else { plain };
            row.chars().nth(at).filter(|found| *found != ' ')
        })
    }

    /// The key that gives a character, and whether with shift and with the right Alt key.
    pub fn key(self, character: char) -> Option<(u16, bool, bool)> {
        let ways = [(false, false), (true, false), (false, true)];
        (1..=117).find_map(|code| {
            let way = ways.into_iter().find(|(is_shift, is_alt_gr)| {
                self.character(code, *is_shift, *is_alt_gr) == Some(character)
            });
            way.map(|(is_shift, is_alt_gr)| (code, is_shift, is_alt_gr))
        })
    }
}

fn find(table: &[(u16, char)], code: u16) -> Option<char> {
    table.iter().find(|(key, _)| *key == code).map(|(_, character)| *character)
}
