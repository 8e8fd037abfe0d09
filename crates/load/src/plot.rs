//! Drawings of latency and memory, as SVG.

use crate::book::Times;
use std::fmt::Write as _;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 300.0;
const MARGIN: f64 = 60.0;
/// Colours that people who see few colours can tell apart, too.
const COLOURS: [&str; 3] = ["#2563a8", "#c2571a", "#3d7a3d"];
/// The ranks that the latency axis names, in the direction of the rare.
const RANKS: [(f64, &str); 5] =
    [(0.0, "all"), (0.9, "90 %"), (0.99, "99 %"), (0.999, "99.9 %"), (0.9999, "99.99 %")];

/// The parts of a run that can be drawn.
#[derive(Debug, Default)]
pub struct Plot {
    /// The title of the drawing.
    pub title: String,
    /// Times by rank, a curve each.
    pub times: Vec<(&'static str, Times)>,
    /// Resident bytes over seconds or connections, as `over` says.
    pub memory: Vec<(f64, u64)>,
    /// `seconds` or `connections`.
    pub over: &'static str,
}

impl Plot {
    /// The drawing.
    pub fn svg(&self) -> String {
        let mut svg = format!(
            r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {}" font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="#fff"/>"##,
            2.0 * HEIGHT
        );
        label(&mut svg, MARGIN, 20.0, &self.title);
        self.draw_times(&mut svg);
        self.draw_memory(&mut svg);
        svg.push_str("</svg>\n");
        svg
    }

    fn draw_times(&self, svg: &mut String) {
        let largest = self.times.iter().map(|(_, times)| times.max()).max().unwrap_or(1).max(10);
        let decades = (largest as f64).log10().ceil();
        let y = |us: f64| HEIGHT - 40.0 - (us.max(1.0).log10() / decades) * (HEIGHT - 80.0);
        let x = |rank: f64| MARGIN + across(rank) * (WIDTH - 2.0 * MARGIN);
        for decade in 0..=decades as i32 {
            let us = 10_f64.powi(decade);
            rule(svg, (MARGIN, y(us)), (WIDTH - MARGIN, y(us)));
            let shown = if us >= 1_000.0 { format!("{} ms", us / 1_000.0) } else { format!("{us} µs") };
            label(svg, 4.0, y(us) + 4.0, &shown);
        }
        for (rank, name) in RANKS {
            label(svg, x(rank) - 12.0, HEIGHT - 22.0, name);
        }
        for (index, (name, times)) in self.times.iter().enumerate() {
            let steps = (0..=200).map(|step| 1.0 - 10_f64.powf(-4.0 * f64::from(step) / 200.0));
            let points = steps.map(|rank| (x(rank), y(times.value_at_quantile(rank) as f64)));
            curve(svg, index, points);
            named(svg, index, 40.0 + 16.0 * index as f64, name);
        }
    }

    fn draw_memory(&self, svg: &mut String) {
        let most = self.memory.iter().map(|(_, bytes)| *bytes).max().unwrap_or(0).max(1) as f64;
        let end = self.memory.iter().map(|(at, _)| *at).fold(0.001, f64::max);
        let y = |bytes: f64| 2.0 * HEIGHT - 40.0 - bytes / most * (HEIGHT - 80.0);
        let x = |at: f64| MARGIN + at / end * (WIDTH - 2.0 * MARGIN);
        for quarter in 0..=4 {
            let bytes = most * f64::from(quarter) / 4.0;
            rule(svg, (MARGIN, y(bytes)), (WIDTH - MARGIN, y(bytes)));
            label(svg, 4.0, y(bytes) + 4.0, &format!("{:.1} MiB", bytes / f64::from(1 << 20)));
            let at = end * f64::from(quarter) / 4.0;
            label(svg, x(at) - 8.0, 2.0 * HEIGHT - 22.0, &format!("{at:.0}"));
        }
        label(svg, WIDTH - 2.0 * MARGIN, 2.0 * HEIGHT - 6.0, self.over);
        curve(svg, 0, self.memory.iter().map(|(at, bytes)| (x(*at), y(*bytes as f64))));
        named(svg, 0, HEIGHT + 20.0, "resident memory of the server");
    }
}

/// How far across the drawing a rank lies: each nine takes as much room as the one before.
fn across(rank: f64) -> f64 {
    -(1.0 - rank).max(1e-4).log10() / 4.0
}

// Writing to a string cannot fail.

fn curve(svg: &mut String, index: usize, points: impl Iterator<Item = (f64, f64)>) {
    let points: Vec<String> = points.map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    let colour = COLOURS[index % COLOURS.len()];
    let _ = write!(
        svg,
        r#"<polyline fill="none" stroke="{colour}" stroke-width="2" points="{}"/>"#,
        points.join(" ")
    );
}

fn rule(svg: &mut String, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
    let _ = write!(svg, r##"<path d="M{x1:.1} {y1:.1}L{x2:.1} {y2:.1}" stroke="#ddd"/>"##);
}

fn label(svg: &mut String, x: f64, y: f64, text: &str) {
    let _ = write!(svg, r##"<text x="{x:.1}" y="{y:.1}" fill="#333">{text}</text>"##);
}

fn named(svg: &mut String, index: usize, y: f64, name: &str) {
    let colour = COLOURS[index % COLOURS.len()];
    let _ = write!(svg, r#"<text x="{}" y="{y:.1}" fill="{colour}">{name}</text>"#, MARGIN + 8.0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::book;

    #[test]
    fn a_drawing_has_a_curve_for_each_record_and_one_for_memory() {
        let mut times = book::times();
        (1..1_000).for_each(|us| times.saturating_record(us));
        let plot = Plot {
            title: "room".into(),
            times: vec![("each", times.clone()), ("the last", times)],
            memory: vec![(0.0, 1 << 20), (1.0, 2 << 20)],
            over: "seconds",
        };
        let svg = plot.svg();
        assert_eq!(svg.matches("<polyline").count(), 3);
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>") && !svg.contains("NaN"));
    }

    #[test]
    fn each_nine_takes_as_much_room_as_the_one_before() {
        let [all, nine, two] = [0.0, 0.9, 0.99].map(across);
        assert!((nine - all - 0.25).abs() < 1e-9 && (two - nine - 0.25).abs() < 1e-9);
    }
}
