//! How something grows, drawn as SVG: both axes are logarithmic, so that what grows straight is a straight line that
//! climbs one decade for each.

use std::fmt::Write as _;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 440.0;
/// Room for the labels of the axes: left, bottom; and for the names of the lines: right.
const LEFT: f64 = 70.0;
const BOTTOM: f64 = 50.0;
const RIGHT: f64 = 150.0;
const TOP: f64 = 20.0;
/// Told apart by people who see colours differently (Okabe and Ito).
const COLOURS: [&str; 6] = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"];

/// What is drawn.
#[derive(Debug)]
pub(super) struct Growth {
    /// What the axes are called.
    pub(super) x: &'static str,
    pub(super) y: &'static str,
    pub(super) lines: Vec<Line>,
}

/// One server.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) label: String,
    pub(super) points: Vec<(f64, f64)>,
}

/// An axis from one power of ten to another, and where it lies in the picture.
struct Axis {
    from: f64,
    to: f64,
    start: f64,
    end: f64,
}

impl Axis {
    fn of(values: impl Iterator<Item = f64>, start: f64, end: f64) -> Self {
        let (least, most) = values
            .filter(|value| *value > 0.0)
            .fold((f64::MAX, f64::MIN_POSITIVE), |(least, most), value| (least.min(value), most.max(value)));
        let (from, to) = (least.min(most).log10().floor(), most.log10().ceil());
        Self { from, to: if to > from { to } else { from + 1.0 }, start, end }
    }

    fn place(&self, value: f64) -> f64 {
        let part = (value.max(f64::MIN_POSITIVE).log10() - self.from) / (self.to - self.from);
        self.start + part.clamp(0.0, 1.0) * (self.end - self.start)
    }

    fn decades(&self) -> impl Iterator<Item = f64> {
        (self.from as i32..=self.to as i32).map(|power| 10_f64.powi(power))
    }
}

/// The picture.
pub(super) fn draw(growth: &Growth) -> String {
    let points = || growth.lines.iter().flat_map(|line| line.points.iter().copied());
    let x = Axis::of(points().map(|(x, _)| x), LEFT, WIDTH - RIGHT);
    let y = Axis::of(points().map(|(_, y)| y), HEIGHT - BOTTOM, TOP);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    for value in x.decades() {
        let at = x.place(value);
        let _ = writeln!(svg, "{}", grid((at, y.start), (at, y.end)));
        let _ = writeln!(svg, "{}", text((at, y.start + 18.0), "middle", &value.to_string()));
    }
    for value in y.decades() {
        let at = y.place(value);
        let _ = writeln!(svg, "{}", grid((x.start, at), (x.end, at)));
        let _ = writeln!(svg, "{}", text((x.start - 8.0, at + 4.0), "end", &value.to_string()));
    }
    let middle = f64::midpoint(x.start, x.end);
    let _ = writeln!(svg, "{}", text((middle, HEIGHT - 12.0), "middle", growth.x));
    let _ = writeln!(svg, "{}", text((x.start, TOP - 7.0), "start", growth.y));
    for (line, colour) in growth.lines.iter().zip(COLOURS.iter().cycle()) {
        let placed: Vec<_> = line.points.iter().map(|(at, value)| (x.place(*at), y.place(*value))).collect();
        let path: Vec<_> = placed.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            path.join(" ")
        );
        for (x, y) in &placed {
            let _ = writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>");
        }
        if let Some((x, y)) = placed.last() {
            let _ = writeln!(svg, "{}", text((x + 8.0, y + 4.0), "start", &line.label));
        }
    }
    svg.push_str("</svg>\n");
    svg
}

fn grid((x1, y1): (f64, f64), (x2, y2): (f64, f64)) -> String {
    format!("<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"#ddd\"/>")
}

fn text((x, y): (f64, f64), anchor: &str, words: &str) -> String {
    let words = words.replace('&', "&amp;").replace('<', "&lt;");
    format!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{words}</text>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_grows_straight_is_a_straight_line() {
        let label = "a & b".to_owned();
        let points = vec![(100.0, 2.0), (1_000.0, 20.0), (10_000.0, 200.0)];
        let svg = draw(&Growth { x: "players", y: "ms", lines: vec![Line { label, points }] });
        let at = svg.split("points=\"").nth(1).unwrap().split('"').next().unwrap();
        let at: Vec<f64> = at.split([' ', ',']).map(|number| number.parse().unwrap()).collect();
        let [x1, y1, x2, y2, x3, y3] = at[..] else { panic!("{at:?}") };
        assert!(((x2 - x1) - (x3 - x2)).abs() < 0.2 && ((y2 - y1) - (y3 - y2)).abs() < 0.2, "{at:?}");
        assert!(y3 < y1 && svg.contains("a &amp; b") && svg.contains(">10000<"));
    }

    #[test]
    fn nothing_and_one_value_can_be_drawn() {
        let draw =
            |points| draw(&Growth { x: "x", y: "y", lines: vec![Line { label: "l".to_owned(), points }] });
        for points in [vec![], vec![(1.0, 0.0)], vec![(5.0, 5.0)]] {
            assert!(!draw(points.clone()).contains("NaN"), "{points:?}");
        }
    }
}
