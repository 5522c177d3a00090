//! Reads the file: a header that names columns, one member per line. Says of everything that cannot be read
//! in which line and column it is; card numbers are never repeated.

use super::{Row, RowError, Rows, Wanted};
use crate::domains::accounts::Email;
use crate::domains::members::model::{Proof, Replace};
use crate::domains::members::value::{DisplayName, NotValid, Reason, Reference, Uid};
use crate::ids::BranchId;
use csv::{ReaderBuilder, StringRecord};
use std::collections::{HashMap, HashSet};
use std::str::FromStr;
use time::Date;
use time::macros::format_description;

/// The columns; `reference` and `display_name` have to be there.
pub const COLUMNS: [&str; 10] = [
    "reference",
    "display_name",
    "email",
    "branches",
    "valid_from",
    "valid_until",
    "frozen",
    "blocked",
    "card_uids",
    "card_kind",
];

/// Between several branches or cards in one cell.
const SEPARATOR: char = '|';

/// Branches by what a file may call them: name, number or id.
pub type BranchNames = HashMap<String, BranchId>;

/// Reads a whole file.
pub fn read(bytes: &[u8], branches: &BranchNames) -> Rows {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader =
        ReaderBuilder::new().delimiter(delimiter(bytes)).trim(csv::Trim::All).from_reader(bytes);
    let mut rows = Rows::default();
    let columns = match reader.headers().map_err(|error| unreadable(&error)).and_then(Columns::of) {
        Ok(columns) => columns,
        Err(error) => {
            rows.errors.push(error);
            return rows;
        }
    };
    let mut lines = HashMap::new();
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                rows.errors.push(unreadable(&error));
                continue;
            }
        };
        let mut line = Line { columns: &columns, record: &record, errors: Vec::new() };
        let row = line.row(branches);
        rows.errors.append(&mut line.errors);
        let Some(row) = row else { continue };
        if let Some(first) = lines.insert(row.reference.clone(), row.line) {
            let message = format!("is in line {first} already");
            rows.errors.push(RowError::new(row.line, "reference", message));
        }
        rows.rows.push(row);
    }
    rows
}

/// Spreadsheets of some countries write semicolons.
fn delimiter(bytes: &[u8]) -> u8 {
    let header = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let count = |wanted: u8| header.split(|byte| *byte == wanted).count();
    if count(b';') > count(b',') { b';' } else { b',' }
}

fn unreadable(error: &csv::Error) -> RowError {
    let line = error.position().map_or(1, csv::Position::line);
    let message = match error.kind() {
        csv::ErrorKind::Utf8 { .. } => "is not UTF-8".to_owned(),
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("has {len} cells, the header has {expected_len}")
        }
        _ => "cannot be read".to_owned(),
    };
    RowError::new(line, "", message)
}

/// Where each column is.
struct Columns(HashMap<&'static str, usize>);

impl Columns {
    fn of(header: &StringRecord) -> Result<Self, RowError> {
        let mut places = HashMap::new();
        for (place, name) in header.iter().enumerate() {
            let known = COLUMNS.into_iter().find(|column| name.eq_ignore_ascii_case(column));
            let Some(column) = known else {
                let message = format!("{name:?} is no column; there are {}", COLUMNS.join(", "));
                return Err(RowError::new(1, "", message));
            };
            if places.insert(column, place).is_some() {
                return Err(RowError::new(1, column, "is there twice".to_owned()));
            }
        }
        for column in ["reference", "display_name"] {
            if !places.contains_key(column) {
                return Err(RowError::new(1, column, "is missing".to_owned()));
            }
        }
        Ok(Self(places))
    }
}

/// A line that is being read; what is wrong with it is collected.
struct Line<'a> {
    columns: &'a Columns,
    record: &'a StringRecord,
    errors: Vec<RowError>,
}

impl<'a> Line<'a> {
    fn row(&mut self, branches: &BranchNames) -> Option<Row> {
        let reference = self.required::<Reference>("reference");
        let display_name = self.required::<DisplayName>("display_name");
        let email = self.optional::<Email>("email");
        let blocked = self.optional::<Reason>("blocked");
        let membership = self.membership(branches);
        let cards = self.cards();
        if !self.errors.is_empty() {
            return None;
        }
        let line = self.number();
        Some(Row {
            line,
            reference: reference?,
            display_name: display_name?,
            email,
            blocked,
            membership,
            cards,
        })
    }

    fn number(&self) -> u64 {
        self.record.position().map_or(0, csv::Position::line)
    }

    /// None if there is no such column.
    fn cell(&self, column: &str) -> Option<&'a str> {
        self.columns.0.get(column).map(|place| self.record.get(*place).unwrap_or_default())
    }

    fn wrong(&mut self, column: &'static str, message: impl Into<String>) {
        self.errors.push(RowError::new(self.number(), column, message.into()));
    }

    fn parse<T: FromStr>(&mut self, column: &'static str, text: &str) -> Option<T>
    where
        T::Err: ToString,
    {
        text.parse().map_err(|error: T::Err| self.wrong(column, error.to_string())).ok()
    }

    fn required<T: FromStr<Err = NotValid>>(&mut self, column: &'static str) -> Option<T> {
        let text = self.cell(column).unwrap_or_default();
        self.parse(column, text)
    }

    /// A column that is not there changes nothing.
    fn optional<T: FromStr>(&mut self, column: &'static str) -> Replace<T>
    where
        T::Err: ToString,
    {
        match self.cell(column) {
            None => Replace::Keep,
            Some("") => Replace::Clear,
            Some(text) => self.parse(column, text).map_or(Replace::Keep, Replace::With),
        }
    }

    /// None without a first day: then the member's memberships stay as they are.
    fn membership(&mut self, branches: &BranchNames) -> Option<Wanted> {
        let filled = |cell: Option<&'a str>| cell.filter(|text| !text.is_empty());
        let from = filled(self.cell("valid_from"));
        let until = filled(self.cell("valid_until"));
        let Some(from) = from else {
            if until.is_some() {
                self.wrong("valid_until", "needs a valid_from");
            }
            return None;
        };
        let valid_from = self.date("valid_from", from)?;
        let valid_until = match until {
            Some(text) => Some(self.date("valid_until", text)?),
            None => None,
        };
        if valid_until.is_some_and(|until| until < valid_from) {
            self.wrong("valid_until", "is before valid_from");
        }
        let branches = self.branches(branches);
        let frozen = self.optional::<Reason>("frozen").value().cloned();
        Some(Wanted { branches, valid_from, valid_until, frozen })
    }

    fn date(&mut self, column: &'static str, text: &str) -> Option<Date> {
        let parsed = Date::parse(text, format_description!("[year]-[month]-[day]"));
        parsed.map_err(|_| self.wrong(column, "is no date like 2026-12-31")).ok()
    }

    /// None is everywhere.
    fn branches(&mut self, known: &BranchNames) -> Option<Vec<BranchId>> {
        let text = self.cell("branches").unwrap_or_default();
        if matches!(text, "" | "*") {
            return None;
        }
        let mut found = HashSet::new();
        for name in text.split(SEPARATOR).map(str::trim) {
            match known.get(name) {
                Some(branch) => drop(found.insert(*branch)),
                None => self.wrong("branches", format!("{name:?} is no branch")),
            }
        }
        let mut found: Vec<_> = found.into_iter().collect();
        found.sort_unstable();
        Some(found)
    }

    fn cards(&mut self) -> Vec<Proof> {
        let kind = self.cell("card_kind").unwrap_or_default();
        let proof = match kind {
            "" | "nfc_uid" => Proof::NfcUid,
            "sun" => Proof::Sun,
            _ => {
                self.wrong("card_kind", "is neither nfc_uid nor sun");
                return Vec::new();
            }
        };
        let text = self.cell("card_uids").unwrap_or_default();
        let uids = text.split(SEPARATOR).map(str::trim).filter(|uid| !uid.is_empty());
        uids.filter_map(|uid| self.parse::<Uid>("card_uids", uid)).map(proof).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Rows {
        let branches = BranchNames::from([("Centre".to_owned(), BranchId::new())]);
        super::read(text.as_bytes(), &branches)
    }

    fn errors(text: &str) -> Vec<String> {
        read(text).errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_file_is_read_with_commas_or_semicolons_and_a_mark_of_its_encoding() {
        let plain =
            read("reference,display_name,card_uids\nK1,Ada,04DE5F1EACC040|0102030405060A\n");
        let other = read("\u{feff}Display_Name;Reference\r\n\"Ada; L.\";K1\r\n");

        assert_eq!((plain.rows.len(), plain.rows[0].cards.len()), (1, 2));
        assert_eq!(other.rows[0].display_name.as_str(), "Ada; L.");
        assert!(plain.errors.is_empty() && other.errors.is_empty());
    }

    #[test]
    fn every_error_names_its_line_and_column() {
        let text = "reference,display_name,email,valid_from,valid_until,branches,card_uids\n\
                    K1,,ada,2026-13-01,,Centre,\n\
                    K2,Bob,,2026-02-01,2026-01-01,Moon,0408\n\
                    K2,Bob,,,,,\n";

        assert_eq!(
            errors(text),
            [
                "line 2, display_name: must have 1 to 100 characters, none of them a control character",
                "line 2, email: is no e-mail address",
                "line 2, valid_from: is no date like 2026-12-31",
                "line 3, valid_until: is before valid_from",
                "line 3, branches: \"Moon\" is no branch",
                "line 3, card_uids: must have 4, 7 or 10 bytes",
            ]
        );
    }

    #[test]
    fn a_member_is_in_the_file_once() {
        let text = "reference,display_name\nK1,Ada\nK2,Bob\nK1,Cy\n";

        assert_eq!(errors(text), ["line 4, reference: is in line 2 already"]);
    }

    #[test]
    fn a_header_with_an_unknown_or_missing_column_is_refused() {
        assert!(
            errors("reference,display_name,shoe_size\n")[0].starts_with("line 1: \"shoe_size\"")
        );
        assert_eq!(errors("display_name\nAda\n"), ["line 1, reference: is missing"]);
        assert_eq!(errors(""), ["line 1, reference: is missing"]);
    }

    #[test]
    fn a_line_with_too_few_cells_is_an_error_and_the_others_are_read() {
        let rows = read("reference,display_name\nK1\nK2,Bob\n");

        assert_eq!(rows.errors[0].to_string(), "line 2: has 1 cells, the header has 2");
        assert_eq!(rows.rows.len(), 1);
    }
}
