//! Tables that scanners export: a line a scan, columns by names that differ between models. There is no public contract,
//! so columns are known by aliases, and whatever else there is stays in the file that is kept.

use super::column::{Column, Unit, column};
use crate::domains::body::Metrics;
use crate::http::{Error, Refusal, Result};
use axum::http::StatusCode;
use csv::{ReaderBuilder, StringRecord};
use garde::Validate;
use std::collections::BTreeMap;
use time::format_description::StaticFormatDescription;
use time::macros::format_description;
use time::{Date, PrimitiveDateTime};

/// What was measured, one a day in the order of days.
pub fn read(content: &[u8]) -> Result<Vec<Metrics>> {
    let text = text(content)?;
    let delimiter = delimiter(text);
    let mut reader =
        ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(text.as_bytes());
    let headers = reader.headers().map_err(|error| wrong(format!("cannot be read: {error}")))?;
    let columns: Vec<_> = headers.iter().map(column).collect();
    if !columns.iter().any(|known| matches!(known, Some((Column::MeasuredAt, _)))) {
        return Err(wrong("has no column with the date of the test".to_owned()));
    }
    let mut newest: BTreeMap<Date, (PrimitiveDateTime, Metrics)> = BTreeMap::new();
    let mut person = BTreeMap::new();
    for (index, record) in reader.records().enumerate() {
        let line = index + 2;
        if index >= MAX_LINES {
            return Err(wrong(format!("has more than {MAX_LINES} lines")));
        }
        let record =
            record.map_err(|error| wrong(format!("line {line}: cannot be read: {error}")))?;
        if record.iter().all(str::is_empty) {
            continue;
        }
        let row = Row { line, columns: &columns, record: &record, delimiter };
        row.check_person(&mut person)?;
        let (at, metrics) = row.metrics()?;
        let known = newest.get(&at.date()).is_some_and(|(known, _)| *known > at);
        if !known {
            newest.insert(at.date(), (at, metrics));
        }
    }
    if newest.is_empty() {
        return Err(wrong("has no line with a scan".to_owned()));
    }
    Ok(newest.into_values().map(|(_, metrics)| metrics).collect())
}

const MAX_LINES: usize = 500;

fn text(content: &[u8]) -> Result<&str> {
    let text = std::str::from_utf8(content).ok().filter(|text| !text.contains('\0'));
    let text = text.ok_or_else(|| {
        Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type")
            .detail("the file is no text in UTF-8: export it as CSV in UTF-8")
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// The one that the first line has most of.
fn delimiter(text: &str) -> u8 {
    let head = text.lines().next().unwrap_or_default();
    let count = |delimiter: &u8| head.bytes().filter(|byte| byte == delimiter).count();
    b";\t,".iter().copied().max_by_key(count).unwrap_or(b',')
}

fn wrong(message: String) -> Error {
    Error::Field { field: "file", code: "invalid", message }
}

/// A line with what its columns are.
struct Row<'a> {
    line: usize,
    columns: &'a [Option<(Column, Unit)>],
    record: &'a StringRecord,
    delimiter: u8,
}

impl Row<'_> {
    fn wrong(&self, index: usize, what: &str) -> Error {
        wrong(format!("line {}, column {}: {what}", self.line, index + 1))
    }

    /// Cells that say something, with their columns.
    fn cells(&self) -> impl Iterator<Item = (usize, Column, Unit, &str)> {
        self.columns.iter().zip(self.record).enumerate().filter_map(|(index, (known, cell))| {
            let (column, unit) = (*known)?;
            let cell = cell.trim();
            (!matches!(cell, "" | "-" | "--")).then_some((index, column, unit, cell))
        })
    }

    /// Refuses a file that is about several people: it is not the uploader's alone.
    fn check_person(&self, known: &mut BTreeMap<usize, String>) -> Result<()> {
        for (index, column, _, cell) in self.cells() {
            if column == Column::Person
                && known.entry(index).or_insert_with(|| cell.to_owned()).as_str() != cell
            {
                return Err(self.wrong(index, "is about somebody else than other lines"));
            }
        }
        Ok(())
    }

    fn metrics(&self) -> Result<(PrimitiveDateTime, Metrics)> {
        let (mut at, mut metrics) = (None, Metrics::default());
        for (index, column, unit, cell) in self.cells() {
            if column == Column::Person {
                continue;
            }
            if column == Column::MeasuredAt {
                let read = moment(cell).ok_or_else(|| self.wrong(index, "is no date"))?;
                at = at.or(Some(read));
                continue;
            }
            let number = number(cell, self.delimiter);
            let value = number.ok_or_else(|| self.wrong(index, "is no number"))?;
            let value = unit.to_ours(value);
            match column {
                Column::Weight => metrics.weight_kg = Some(value),
                Column::Height => metrics.height_cm = Some(value),
                Column::BodyFatPct => metrics.body_fat_pct = Some(value),
                Column::Part(name) => {
                    metrics.composition.insert(name.to_owned(), Some(value));
                }
                Column::MeasuredAt | Column::Person => {}
            }
        }
        let at = at.ok_or_else(|| wrong(format!("line {}: has no date", self.line)))?;
        metrics.measured_on = Some(at.date());
        let checked = metrics.validate();
        checked.map_err(|report| {
            let said = report.iter().map(|(path, error)| format!("{path}: {error}"));
            wrong(format!("line {}: {}", self.line, said.collect::<Vec<_>>().join("; ")))
        })?;
        Ok((at, metrics))
    }
}

fn number(cell: &str, delimiter: u8) -> Option<f64> {
    let cell = cell.trim_end_matches(['%', ' ']);
    // Where columns are not told apart by commas, numbers may have them.
    let cell = if delimiter == b',' { cell.to_owned() } else { cell.replace(',', ".") };
    cell.parse().ok().filter(|number: &f64| number.is_finite())
}

/// Years come first: whether 3/4 is in March or in April, nobody can tell.
fn moment(cell: &str) -> Option<PrimitiveDateTime> {
    let plain: String =
        cell.chars().map(|c| if matches!(c, '.' | '/') { '-' } else { c }).collect();
    let plain = plain.replace("- ", " ").replace('T', " ");
    let plain = plain.trim_end_matches('-');
    let whole = MOMENTS.iter().find_map(|form| PrimitiveDateTime::parse(plain, form).ok());
    let day = || DAYS.iter().find_map(|form| Date::parse(plain, form).ok());
    whole.or_else(|| Some(day()?.midnight()))
}

const MOMENTS: [StaticFormatDescription; 3] = [
    format_description!("[year]-[month]-[day] [hour]:[minute]:[second]"),
    format_description!("[year]-[month]-[day] [hour]:[minute]"),
    format_description!("[year][month][day][hour][minute][second]"),
];
const DAYS: [StaticFormatDescription; 2] =
    [format_description!("[year]-[month]-[day]"), format_description!("[year][month][day]")];

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;

    fn refusal(text: &str) -> String {
        match read(text.as_bytes()) {
            Err(Error::Field { message, .. }) => message,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn names_units_and_dates_of_several_models_are_understood() {
        let app = "date,Weight(kg),Skeletal Muscle Mass(kg),Percent Body Fat(%),Basal Metabolic Rate(kJ)\n\
                   20260131123456,80.5,36.1,18.5,7531.2\n";
        let desk = "\u{feff}1. Name;3. Height (in);13. Test Date / Time;15. Weight (lb);BFM (Body Fat Mass)\n\
                    Ada;70,9;2026.01.31. 12:34;177,5;32\n";

        let app = read(app.as_bytes()).unwrap().remove(0);
        let desk = read(desk.as_bytes()).unwrap().remove(0);

        assert_eq!(app.measured_on, Some(date!(2026 - 01 - 31)));
        assert_eq!((app.weight_kg, app.body_fat_pct), (Some(80.5), Some(18.5)));
        assert!((app.composition["basal_kcal"].unwrap() - 1_800.0).abs() < 0.1);
        assert_eq!(desk.measured_on, Some(date!(2026 - 01 - 31)));
        assert!((desk.weight_kg.unwrap() - 80.51).abs() < 0.01);
        assert!((desk.height_cm.unwrap() - 180.1).abs() < 0.1);
        assert_eq!(desk.composition["body_fat_kg"], Some(32.0));
    }

    #[test]
    fn of_two_scans_of_a_day_the_later_one_counts() {
        let text = "Date,Weight\n2026-01-31 18:00,79\n2026-01-31 09:00,81\n2026-01-30,82\n";

        let days = read(text.as_bytes()).unwrap();

        let weights: Vec<_> = days.iter().map(|day| day.weight_kg).collect();
        assert_eq!(weights, [Some(82.0), Some(79.0)]);
    }

    #[test]
    fn what_cannot_be_used_is_told_with_its_place() {
        assert!(refusal("Weight\n80\n").contains("date"));
        assert!(refusal("Date,Weight\n").contains("no line"));
        assert!(refusal("Date,Weight\n31.01.2026,80\n").contains("line 2, column 1"));
        assert!(refusal("Date,Weight\n2026-01-31,heavy\n").contains("line 2, column 2"));
        assert!(refusal("Date,Weight\n2026-01-31,8000\n").contains("weight_kg"));
        assert!(refusal("Date,ID,Weight\n2026-01-30,a,80\n2026-01-31,b,80\n").contains("somebody"));
        assert!(matches!(read(b"%PDF-\xff\0"), Err(Error::Refused(_))));
    }

    #[test]
    fn empty_cells_and_unknown_columns_are_passed_over() {
        let text = "Date,Weight,InBody Score,Horoscope\n2026-01-31,80,-,Aries\n,,,\n";

        let day = read(text.as_bytes()).unwrap().remove(0);

        assert_eq!((day.weight_kg, day.composition.len()), (Some(80.0), 0));
    }
}
