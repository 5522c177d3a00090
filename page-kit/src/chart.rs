//! Charts as SVG, made here: no script draws, and every chart comes with its numbers as a table.

use std::fmt::Write as _;

/// A chart's own coordinates, which are about pixels: its words keep their size.
#[derive(Clone, Copy)]
struct Size {
    class: &'static str,
    width: f64,
    height: f64,
    /// Every how many of the words below there is room for.
    every: usize,
}

const SIZES: [Size; 2] = [
    Size { class: "desk", width: 600.0, height: 190.0, every: 1 },
    Size { class: "phone", width: 300.0, height: 150.0, every: 2 },
];
const LEFT: f64 = 36.0;
const RIGHT: f64 = 6.0;
const BOTTOM: f64 = 22.0;
const TOP: f64 = 10.0;

/// Points of a line: place from 0 to 1, and value.
pub struct Line<'a> {
    /// The points, from left to right.
    pub points: &'a [(f64, f64)],
    /// Another line to compare with; may be empty.
    pub beside: &'a [(f64, f64)],
    /// Words below the axis, with their places from 0 to 1.
    pub ticks: &'a [(f64, String)],
    /// What it shows, for who does not see it.
    pub label: &'a str,
}

impl Line<'_> {
    /// The whole chart, for wide and for narrow screens; the style sheet shows one of them.
    pub fn svg(&self) -> String {
        let drawn = SIZES.map(|size| self.drawn(size));
        format!("<div class=\"chart\">{}</div>", drawn.concat())
    }

    fn drawn(&self, size: Size) -> String {
        let Size { class, width, height, every } = size;
        let top = self.points.iter().chain(self.beside).map(|point| point.1);
        let top = nice_above(top.fold(2.0, f64::max));
        let x = |place: f64| LEFT + place.clamp(0.0, 1.0) * (width - LEFT - RIGHT);
        let y = |value: f64| TOP + (1.0 - (value / top).clamp(0.0, 1.0)) * (height - TOP - BOTTOM);
        let label = escaped(self.label);
        let mut svg = format!(
            "<svg class=\"{class}\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{label}\">"
        );
        for share in [0.0, 0.5, 1.0] {
            let (at, value, right) = (y(top * share), top * share, width - RIGHT);
            let figure = usize::from(value < 10.0 && value.fract() > 0.0);
            let _ = write!(
                svg,
                "<line class=\"axis\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
                 <text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{value:.figure$}</text>",
                LEFT - 6.0,
                at + 4.5
            );
        }
        for (place, word) in self.ticks.iter().step_by(every) {
            let (at, below, word) = (x(*place), height - 5.0, escaped(word));
            let anchor = match *place {
                place if place < 0.02 => "start",
                place if place > 0.98 => "end",
                _ => "middle",
            };
            let _ = write!(
                svg,
                "<text class=\"tick\" x=\"{at:.1}\" y=\"{below}\" text-anchor=\"{anchor}\">{word}</text>"
            );
        }
        if !self.beside.is_empty() {
            let points: Vec<_> =
                self.beside.iter().map(|at| format!("{:.1},{:.1}", x(at.0), y(at.1))).collect();
            let _ = write!(svg, "<polyline class=\"usual\" points=\"{}\"/>", points.join(" "));
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

/// A week by hours, Monday first: the fuller an hour, the darker its field.
pub fn week(inside: &[[f64; 24]; 7], label: &str) -> String {
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let most = inside.iter().flatten().copied().fold(0.0, f64::max).max(f64::MIN_POSITIVE);
    let label = escaped(label);
    let mut svg =
        format!("<svg class=\"week\" viewBox=\"0 0 300 128\" role=\"img\" aria-label=\"{label}\">");
    let mut top = 2;
    for (day, hours) in DAYS.iter().zip(inside) {
        let _ = write!(svg, "<text class=\"tick\" x=\"0\" y=\"{}\">{day}</text>", top + 12);
        let mut left = 34;
        for inside in hours {
            let share = (inside / most).clamp(0.0, 1.0);
            let _ = write!(
                svg,
                "<rect class=\"field\" x=\"{left}\" y=\"{top}\" width=\"10\" height=\"14\"/>\
                 <rect class=\"full\" x=\"{left}\" y=\"{top}\" width=\"10\" height=\"14\" fill-opacity=\"{share:.2}\"/>"
            );
            left += 11;
        }
        top += 16;
    }
    for (left, hour) in [(34, "0"), (100, "6"), (166, "12"), (232, "18")] {
        let _ = write!(svg, "<text class=\"tick\" x=\"{left}\" y=\"126\">{hour}</text>");
    }
    svg.push_str("</svg>");
    svg
}

/// A line without axes that fills its place from side to side; nothing of fewer than two values. What changes little
/// stays flat: the span from low to high is at least a fifth of the highest.
pub fn spark(values: &[f64]) -> String {
    if values.len() < 2 {
        return String::new();
    }
    let high = values.iter().copied().fold(f64::MIN, f64::max);
    let low = values.iter().copied().fold(f64::MAX, f64::min);
    let span = (high - low).max(high.abs() / 5.0).max(f64::MIN_POSITIVE);
    let mut points = String::new();
    let mut place = 0.0;
    for value in values {
        let height = 22.0 - ((value - low) / span).clamp(0.0, 1.0) * 20.0;
        let _ = write!(points, "{place:.0},{height:.0} ");
        place += 4.0;
    }
    let width = place - 4.0;
    format!(
        "<svg class=\"spark\" viewBox=\"0 0 {width:.0} 24\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\
         <polyline class=\"line\" points=\"{}\"/></svg>",
        points.trim_end()
    )
}

/// The next number that is round, and whose half is.
fn nice_above(value: f64) -> f64 {
    let ten = 10f64.powf(value.max(1.0).log10().floor());
    [1.0, 2.0, 4.0, 6.0, 8.0, 10.0]
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
        let chart = Line {
            points: &[(0.0, 1.0), (1.0, 7.0)],
            beside: &[(0.0, 6.0)],
            ticks: &ticks,
            label: "\"people\"",
        };

        let svg = chart.svg();

        assert!(svg.contains("aria-label=\"&quot;people&quot;\"") && svg.contains("&lt;b&gt;noon"));
        assert!(svg.contains(">8</text>"), "the axis ends at a round number: {svg}");
        assert!(
            Line { points: &[], beside: &[], ticks: &[], label: "" }
                .svg()
                .ends_with("</svg></div>")
        );
    }

    #[test]
    fn the_axis_ends_at_a_round_number() {
        let tops = [0.2, 1.0, 3.0, 7.0, 64.0, 500.0].map(|top| format!("{}", nice_above(top)));
        assert_eq!(tops, ["1", "1", "4", "8", "80", "600"]);
        assert_eq!(spark(&[1.0]), "");
        assert!(spark(&[0.0, 0.0, 5.0]).contains("0,22 4,22 8,2"));
        assert!(spark(&[100.0, 101.0]).contains("0,22 4,21"), "little is little");
    }
}
