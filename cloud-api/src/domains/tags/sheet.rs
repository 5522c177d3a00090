//! Sheets of labels as PDF, for printing: A4, so many labels beside and above each other. Codes are vectors; texts are in
//! Helvetica, which every reader has, so that letters beyond western Europe are shown as question marks.

use anyhow::{Context, Result};
use pdf_writer::{Content, Finish, Name, Pdf, Rect, Ref, Str};
use qrcode::{Color, EcLevel, QrCode};

/// What a label says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    pub token: String,
    /// In large letters below the code.
    pub title: String,
    /// In small ones below that.
    pub detail: String,
}

/// How many labels there are beside and above each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    pub columns: u8,
    pub rows: u8,
}

/// A4, in points of 1/72 inch.
const PAGE: (f32, f32) = (595.28, 841.89);
/// Printers leave a margin white.
const MARGIN: f32 = 24.0;
/// Between labels, where they are cut.
const PADDING: f32 = 8.0;
const TITLE: f32 = 11.0;
const DETAIL: f32 = 8.0;
const TEXT_HEIGHT: f32 = TITLE + DETAIL + 8.0;
/// Of the letters of Helvetica, on the average, by their size.
const LETTER_WIDTH: f32 = 0.56;
/// Modules that a code needs white around it.
const QUIET: f32 = 4.0;
const FONT: Name<'static> = Name(b"F1");

/// The whole document; a page too if there are no labels.
pub fn pdf(labels: &[Label], grid: Grid) -> Result<Vec<u8>> {
    let on_page = usize::from(grid.columns) * usize::from(grid.rows);
    let sheets: Vec<&[Label]> =
        if labels.is_empty() { vec![&[]] } else { labels.chunks(on_page).collect() };
    let count = i32::try_from(sheets.len()).context("too many labels")?;
    let (catalog, tree, font) = (Ref::new(1), Ref::new(2), Ref::new(3));
    let page_of = |index: i32| Ref::new(4 + 2 * index);
    let content_of = |index: i32| Ref::new(5 + 2 * index);
    let mut pdf = Pdf::new();
    pdf.catalog(catalog).pages(tree);
    pdf.pages(tree).kids((0..count).map(page_of)).count(count);
    pdf.type1_font(font)
        .base_font(Name(b"Helvetica"))
        .encoding_predefined(Name(b"WinAnsiEncoding"));
    for (index, sheet) in (0..count).zip(sheets) {
        let mut page = pdf.page(page_of(index));
        page.media_box(Rect::new(0.0, 0.0, PAGE.0, PAGE.1)).parent(tree);
        page.contents(content_of(index));
        page.resources().fonts().pair(FONT, font);
        page.finish();
        pdf.stream(content_of(index), &drawn(sheet, grid)?);
    }
    Ok(pdf.finish())
}

fn drawn(labels: &[Label], grid: Grid) -> Result<Vec<u8>> {
    let width = (PAGE.0 - 2.0 * MARGIN) / f32::from(grid.columns);
    let height = (PAGE.1 - 2.0 * MARGIN) / f32::from(grid.rows);
    let mut content = Content::new();
    let places = (0..grid.rows).flat_map(|row| (0..grid.columns).map(move |column| (column, row)));
    for (label, (column, row)) in labels.iter().zip(places) {
        let left = MARGIN + f32::from(column) * width + PADDING;
        let top = PAGE.1 - MARGIN - f32::from(row) * height - PADDING;
        let side = (width - 2.0 * PADDING).min(height - 2.0 * PADDING - TEXT_HEIGHT);
        code(&mut content, &label.token, (left, top), side)?;
        let below = top - side - TITLE;
        text(&mut content, &label.title, (left, below), TITLE, width - 2.0 * PADDING);
        let below = below - DETAIL - 3.0;
        text(&mut content, &label.detail, (left, below), DETAIL, width - 2.0 * PADDING);
    }
    Ok(content.finish().to_vec())
}

/// Dark modules that lie beside each other are one rectangle. Scratched labels are read with a quarter of the code gone.
fn code(content: &mut Content, token: &str, (left, top): (f32, f32), side: f32) -> Result<()> {
    let qr = QrCode::with_error_correction_level(token, EcLevel::Q).context("a label")?;
    let modules = u16::try_from(qr.width()).context("a code")?;
    let module = side / (f32::from(modules) + 2.0 * QUIET);
    let colors = qr.to_colors();
    for (y, row) in (0_u16..).zip(colors.chunks(usize::from(modules))) {
        let mut x = 0_u16;
        for run in row.chunk_by(|a, b| a == b) {
            let length = u16::try_from(run.len()).context("a code")?;
            if run.first() == Some(&Color::Dark) {
                let at = left + (f32::from(x) + QUIET) * module;
                let bottom = top - (f32::from(y) + 1.0 + QUIET) * module;
                content.rect(at, bottom, f32::from(length) * module, module);
            }
            x += length;
        }
    }
    content.fill_nonzero();
    Ok(())
}

fn text(content: &mut Content, text: &str, (left, baseline): (f32, f32), size: f32, width: f32) {
    let mut room = width;
    let fits = text.chars().take_while(|_| {
        room -= LETTER_WIDTH * size;
        room >= 0.0
    });
    let bytes: Vec<u8> = fits.map(western).collect();
    content.begin_text().set_font(FONT, size).next_line(left, baseline);
    content.show(Str(&bytes)).end_text();
}

/// The letter in the encoding of the font, whose upper half is that of Latin-1.
fn western(letter: char) -> u8 {
    let byte = u8::try_from(letter).ok();
    byte.filter(|byte| matches!(byte, 0x20..=0x7e | 0xa0..=0xff)).unwrap_or(b'?')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(title: &str) -> Label {
        Label { token: "gt_abc".into(), title: title.into(), detail: "12 rower-1".into() }
    }

    fn count(document: &[u8], text: &str) -> usize {
        document.windows(text.len()).filter(|window| *window == text.as_bytes()).count()
    }

    #[test]
    fn labels_fill_pages_and_begin_another() {
        let labels = vec![label("Rower"); 7];

        let document = pdf(&labels, Grid { columns: 2, rows: 3 }).unwrap();

        assert!(document.starts_with(b"%PDF-"));
        assert_eq!(count(&document, "/Type /Page\n"), 2);
        assert_eq!(count(&document, "(Rower)"), 7);
        assert_eq!(count(&document, "(12 rower-1)"), 7);
    }

    #[test]
    fn all_dark_modules_of_a_code_are_drawn_and_no_other() {
        let document = pdf(&[label("x")], Grid { columns: 1, rows: 1 }).unwrap();

        let text = String::from_utf8_lossy(&document);
        let rects = text.lines().filter(|line| line.ends_with(" re"));
        let drawn: f32 = rects
            .map(|line| {
                let parts: Vec<f32> =
                    line.split(' ').filter_map(|part| part.parse().ok()).collect();
                parts[2] / parts[3]
            })
            .sum();
        let qr = QrCode::with_error_correction_level("gt_abc", EcLevel::Q).unwrap();
        let dark = qr.to_colors().iter().filter(|color| **color == Color::Dark).count();
        #[expect(clippy::cast_precision_loss, reason = "hundreds")]
        let dark = dark as f32;
        assert!((drawn - dark).abs() < 0.5, "{drawn} of {dark}");
    }

    #[test]
    fn names_that_are_too_long_are_cut_and_strange_letters_are_marked() {
        let long = format!("Ä{}\u{44f}(", "x".repeat(300));

        let document = pdf(&[label(&long), label("\u{44f}()")], Grid { columns: 3, rows: 7 });

        let document = document.unwrap();
        assert!(count(&document, &"x".repeat(40)) == 0);
        assert_eq!(count(&document, "(?"), 1);
    }

    #[test]
    fn without_labels_there_is_an_empty_page() {
        let document = pdf(&[], Grid { columns: 3, rows: 7 }).unwrap();

        assert_eq!(count(&document, "/Type /Page\n"), 1);
    }
}
