//! What the demo shows: a table that stays in place on a terminal, plain lines elsewhere.
#![expect(clippy::print_stdout, reason = "this is the output of a program")]

use super::figures::Figures;
use super::report::Report;
use std::fmt::Display;
use std::io::{IsTerminal as _, Write as _, stdout};
use std::sync::Mutex;
use std::time::Duration;

/// Without a terminal a line comes this often.
const PLAIN_EVERY_S: u64 = 5;

/// Where output goes.
#[derive(Debug)]
pub struct View {
    is_terminal: bool,
    /// Lines of the table that are on the screen now.
    drawn: Mutex<usize>,
}

impl View {
    /// Standard output.
    pub fn new() -> Self {
        Self { is_terminal: stdout().is_terminal(), drawn: Mutex::new(0) }
    }

    /// Something happened.
    pub fn say(&self, text: &str) {
        self.forget_table();
        println!("demo: {text}");
    }

    /// The figures of this second.
    pub fn figures(&self, elapsed: Duration, is_cut: bool, figures: &Figures) {
        let link = if is_cut { "CUT" } else { "up" };
        if self.is_terminal {
            self.table(&rows(elapsed, link, figures));
        } else if elapsed.as_secs().is_multiple_of(PLAIN_EVERY_S) {
            println!("{}", line(elapsed, link, figures));
        }
    }

    /// The result.
    pub fn show(&self, report: &Report) {
        self.forget_table();
        println!("{report}");
    }

    fn table(&self, rows: &[(&str, String)]) {
        let mut drawn = self.drawn.lock().expect("nobody panics while drawing");
        if *drawn > 0 {
            // Back to the first line of the table.
            print!("\x1b[{drawn}A");
        }
        for (name, value) in rows {
            println!("\x1b[2K  {name:<28} {value}");
        }
        let _ = stdout().flush();
        *drawn = rows.len();
    }

    fn forget_table(&self) {
        *self.drawn.lock().expect("nobody panics while drawing") = 0;
    }
}

impl Default for View {
    fn default() -> Self {
        Self::new()
    }
}

fn rows<'a>(elapsed: Duration, link: &str, figures: &Figures) -> Vec<(&'a str, String)> {
    vec![
        ("time", format!("{} s", elapsed.as_secs())),
        ("link edge to cloud", link.to_owned()),
        ("machines in use", figures.in_use.to_string()),
        ("  as the cloud sees it live", known(figures.cloud_in_use)),
        ("messages sent", figures.sent.to_string()),
        ("messages acked", figures.acked.to_string()),
        ("ack p99", format!("{} ms", figures.ack_p99.as_millis())),
        ("journal entries not sent up", known(figures.backlog)),
        ("samples in the cloud", known(figures.stored_samples)),
        ("sets finished", figures.sets.to_string()),
        ("codes scanned", figures.presented.to_string()),
        ("cards and phones held", figures.held.to_string()),
        ("decisions in the cloud", decisions(figures)),
        ("inside, machines lent, sets", floor(figures)),
        ("openings of the door", figures.openings.to_string()),
        ("taps in the cloud", known(figures.stored_taps)),
    ]
}

fn line(elapsed: Duration, link: &str, figures: &Figures) -> String {
    format!(
        "{:>3} s  link {link:<3}  in use {} (cloud {})  sent {}  acked {}  ack p99 {} ms  unsent {}  \
         in cloud {} samples, {}/{} taps  decisions {}  door {}  floor {}",
        elapsed.as_secs(),
        figures.in_use,
        known(figures.cloud_in_use),
        figures.sent,
        figures.acked,
        figures.ack_p99.as_millis(),
        known(figures.backlog),
        known(figures.stored_samples),
        known(figures.stored_taps),
        figures.presented + figures.held,
        decisions(figures),
        figures.openings,
        floor(figures),
    )
}

fn floor(figures: &Figures) -> String {
    figures.floor.map_or_else(
        || "?".to_owned(),
        |(inside, lent, sets)| format!("{inside} inside, {lent} lent, {sets} sets of members"),
    )
}

fn decisions(figures: &Figures) -> String {
    figures.decisions.map_or_else(
        || "?".to_owned(),
        |(granted, denied)| format!("{granted} granted, {denied} denied"),
    )
}

fn known<T: Display>(value: Option<T>) -> String {
    value.map_or_else(|| "?".to_owned(), |value| value.to_string())
}
