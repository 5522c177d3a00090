//! Charts as SVG, made here: no script draws, and every chart comes with its numbers as a table.

use std::fmt::Write as _;

/// Width and height of a chart's own coordinates.
const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 160.0;
const LEFT: f64 = 36.0;
const BOTTOM: f64 = 20.0;
const TOP: f64 = 8.0;

/// Points of a line: place from 0 to 1, and value.
pub struct Line<'a> {
    /// The points, from left to right.
    pub points: &'a [(f64, f64)],
    /// Words below the axis, with their places from 0 to 1.
    pub ticks: &'a [(f64, String)],
    /// What it shows, for who does not see it.
    pub label: &'a str,
}

impl Line<'_> {
    /// The whole chart.
    pub fn svg(&self) -> String {
        let top = nice_above(self.points.iter().map(|point| point.1).fold(1.0, f64::max));
        let x = |place: f64| LEFT + place.clamp(0.0, 1.0) * (WIDTH - LEFT - 4.0);
        let y = |value: f64| TOP + (1.0 - (value / top).clamp(0.0, 1.0)) * (HEIGHT - TOP - BOTTOM);
        let mut svg = format!(
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">",
            escaped(self.label)
        );
        for share in [0.0, 0.5, 1.0] {
            let (at, value) = (y(top * share), top * share);
            let _ = write!(
                svg,
                "<line class=\"axis\" x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
                 <text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{value:.0}</text>",
                LEFT - 5.0,
                at + 4.0
            );
        }
        for (place, word) in self.ticks {
            let word = escaped(word);
            let (at, below) = (x(*place), HEIGHT - 5.0);
            let _ = write!(
                svg,
                "<text class=\"tick\" x=\"{at:.1}\" y=\"{below}\" text-anchor=\"middle\">{word}</text>"
            );
        }
        if let (Some(first), Some(last)) = (self.points.first(), self.points.last()) {
            let mut path = String::new();
            for (place, value) in self.points {
                let _ = write!(path, " {:.1},{:.1}", x(*place), y(*value));
            }
            let (from, to, ground) = (x(first.0), x(last.0), y(0.0));
            let _ = write!(
                svg,
                "<polygon class=\"area\" points=\"{from:.1},{ground:.1}{path} {to:.1},{ground:.1}\"/>\
                 <polyline class=\"line\" points=\"{}\"/>",
                path.trim_start()
            );
        }
        svg.push_str("</svg>");
        svg
    }
}

/// A line as small as a word, without axes; nothing of fewer than two values.
pub fn spark(values: &[f64]) -> String {
    if values.len() < 2 {
        return String::new();
    }
    let top = values.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let mut points = String::new();
    let mut place = 0.0;
    for value in values {
        let height = 18.0 - (value / top).clamp(0.0, 1.0) * 16.0;
        let _ = write!(points, "{place:.0},{height:.0} ");
        place += 4.0;
    }
    let width = place - 4.0;
    format!(
        "<svg viewBox=\"0 0 {width:.0} 20\" width=\"{width:.0}\" height=\"20\" aria-hidden=\"true\">\
         <polyline class=\"line\" points=\"{}\"/></svg>",
        points.trim_end()
    )
}

/// The next round number: 1, 2 or 5 and zeros.
fn nice_above(value: f64) -> f64 {
    let ten = 10f64.powf(value.max(1.0).log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|step| step * ten)
        .find(|nice| *nice >= value)
        .unwrap_or(value)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_has_its_words_and_nothing_of_a_script() {
        let ticks = [(0.5, "<b>noon</b>".to_owned())];
        let chart = Line { points: &[(0.0, 1.0), (1.0, 7.0)], ticks: &ticks, label: "\"people\"" };

        let svg = chart.svg();

        assert!(svg.contains("aria-label=\"&quot;people&quot;\"") && svg.contains("&lt;b&gt;noon"));
        assert!(svg.contains(">10</text>"), "the axis ends at a round number: {svg}");
        assert!(Line { points: &[], ticks: &[], label: "" }.svg().ends_with("</svg>"));
    }

    #[test]
    fn the_axis_ends_at_a_round_number() {
        let tops = [0.2, 1.0, 3.0, 7.0, 64.0, 500.0].map(|top| format!("{}", nice_above(top)));
        assert_eq!(tops, ["1", "1", "5", "10", "100", "500"]);
        assert_eq!(spark(&[1.0]), "");
        assert!(spark(&[0.0, 0.0, 5.0]).contains("0,18 4,18 8,2"));
    }
}
