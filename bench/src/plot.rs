//! Lines over axes, as an SVG that stands by itself: no script, no font from elsewhere, legible on light and on dark.

use std::fmt::Write;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 420.0;
/// Where lines are drawn: between these, from the picture's edges.
const LEFT: f64 = 76.0;
const RIGHT: f64 = 200.0;
const TOP: f64 = 54.0;
const BOTTOM: f64 = 62.0;
/// Between the names of two lines that end near each other.
const LINE_HEIGHT: f64 = 17.0;

/// How an axis is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// From nought, in even steps.
    Linear,
    /// Each step the same factor; what is not above nought is left out.
    Log,
}

/// An axis.
pub struct Axis {
    /// What it shows, with the unit.
    pub title: String,
    /// How it is divided.
    pub scale: Scale,
}

impl Axis {
    /// An axis in equal factors.
    pub fn log(title: &str) -> Self {
        Self { title: title.into(), scale: Scale::Log }
    }

    /// An axis from nought.
    pub fn linear(title: &str) -> Self {
        Self { title: title.into(), scale: Scale::Linear }
    }
}

/// A line and its name, which stands at its end.
pub struct Line {
    /// The name.
    pub name: String,
    /// In order of x.
    pub points: Vec<(f64, f64)>,
    /// What is only to be compared with: grey and dashed.
    pub floor: bool,
}

impl Line {
    /// Something measured.
    pub fn new(name: &str, points: Vec<(f64, f64)>) -> Self {
        Self { name: name.into(), points, floor: false }
    }

    /// What the others are compared with.
    pub fn floor(name: &str, points: Vec<(f64, f64)>) -> Self {
        Self { name: name.into(), points, floor: true }
    }
}

/// A picture.
pub struct Plot {
    /// What it shows.
    pub title: String,
    /// Across.
    pub x: Axis,
    /// Up.
    pub y: Axis,
    /// At most six that are no floors: so many colours can be told apart.
    pub lines: Vec<Line>,
}

/// From a value to its place between 0 and 1, and the values that are written beside the axis.
struct Ruler {
    scale: Scale,
    from: f64,
    to: f64,
    ticks: Vec<f64>,
}

impl Ruler {
    fn of(scale: Scale, values: impl Iterator<Item = f64> + Clone) -> Self {
        let (least, most) = values
            .filter(|value| value.is_finite() && (scale == Scale::Linear || *value > 0.0))
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), value| (least.min(value), most.max(value)));
        let (least, most) = if least.is_finite() { (least, most) } else { (1.0, 10.0) };
        match scale {
            Scale::Linear => Self::linear(most.max(0.0)),
            Scale::Log => Self::log(least, most),
        }
    }

    fn linear(most: f64) -> Self {
        let raw = (most / 5.0).max(f64::MIN_POSITIVE);
        let power = 10_f64.powf(raw.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|m| m * power).into_iter().find(|step| *step >= raw).unwrap_or(raw);
        let steps = (most / step).ceil().max(1.0) as usize;
        let ticks: Vec<f64> = (0..=steps).map(|n| n as f64 * step).collect();
        Self { scale: Scale::Linear, from: 0.0, to: steps as f64 * step, ticks }
    }

    /// From a 1, 2 or 5 of some decade to another; two steps of these at least.
    fn log(least: f64, most: f64) -> Self {
        let all: Vec<f64> = (-9..13).flat_map(|power| [1.0, 2.0, 5.0].map(|m| m * 10_f64.powi(power))).collect();
        let near = 1.0 + 1e-9;
        let mut first = all.iter().rposition(|tick| *tick <= least * near).unwrap_or(0);
        let mut last = all.iter().position(|tick| *tick * near >= most).unwrap_or(all.len() - 1);
        while last - first < 3 {
            (first, last) = (first.saturating_sub(1), (last + 1).min(all.len() - 1));
        }
        let (from, to) = (all[first], all[last]);
        // Over many decades only their beginnings.
        let mut ticks = all[first..=last].to_vec();
        if ticks.len() > 9 {
            ticks.retain(|tick| (tick.log10() - tick.log10().round()).abs() < 1e-6);
        }
        Self { scale: Scale::Log, from, to, ticks }
    }

    fn place(&self, value: f64) -> Option<f64> {
        match self.scale {
            Scale::Linear => Some((value - self.from) / (self.to - self.from)),
            Scale::Log => (value > 0.0).then(|| (value / self.from).ln() / (self.to / self.from).ln()),
        }
    }
}

/// `12345.0` as `12,345`; below ten with the digits that matter.
fn number(value: f64) -> String {
    if value != 0.0 && value.abs() < 10.0 {
        let text = format!("{value:.3}");
        return text.trim_end_matches('0').trim_end_matches('.').into();
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;")
}

const STYLE: &str = "\
text{font:13px system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;fill:#3d4451}\
.title{font-size:16px;font-weight:600;fill:#14181f}.tick{font-size:12px}.name{font-weight:600}\
.back{fill:#fff}.grid{stroke:#e3e6eb;stroke-width:1}.axis{stroke:#8a93a3;stroke-width:1;fill:none}\
.line{fill:none;stroke-width:2.2;stroke-linejoin:round;stroke-linecap:round}.f{stroke-dasharray:6 5;stroke-width:1.8}\
.c0{--c:#1f5fd6}.c1{--c:#c2410c}.c2{--c:#0f7b4d}.c3{--c:#8b32b8}.c4{--c:#a16207}.c5{--c:#be185d}.f{--c:#6b7280}\
.line{stroke:var(--c)}.dot,.name{fill:var(--c)}.lead{stroke:var(--c);stroke-width:1;opacity:.5}\
@media(prefers-color-scheme:dark){text{fill:#b8c0cc}.title{fill:#eef1f5}.back{fill:#12151b}.grid{stroke:#272d38}\
.axis{stroke:#6b7484}.c0{--c:#6ea8ff}.c1{--c:#ff9a62}.c2{--c:#4fd69c}.c3{--c:#cf95f2}.c4{--c:#e5c04f}.c5{--c:#ff8ab8}\
.f{--c:#9aa3b2}.dot,.name{fill:var(--c)}}";

impl Plot {
    /// The picture as the text of an SVG file.
    pub fn svg(&self) -> String {
        let points = || self.lines.iter().flat_map(|line| line.points.iter());
        let x = Ruler::of(self.x.scale, points().map(|point| point.0));
        let y = Ruler::of(self.y.scale, points().map(|point| point.1));
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" \
             role=\"img\" aria-label=\"{}\">\n<style>{STYLE}</style>\n<rect class=\"back\" width=\"100%\" height=\"100%\"/>\n",
            escaped(&self.title)
        );
        let mut put = |what: String| {
            svg.push_str(&what);
            svg.push('\n');
        };
        put(format!("<text class=\"title\" x=\"{LEFT}\" y=\"26\">{}</text>", escaped(&self.title)));
        put(format!("<text x=\"{LEFT}\" y=\"45\">{}</text>", escaped(&self.y.title)));
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        let across = |place: f64| LEFT + place * (right - LEFT);
        let up = |place: f64| bottom - place * (bottom - TOP);
        for tick in &y.ticks {
            let at = up(y.place(*tick).unwrap_or(0.0));
            put(format!("<path class=\"grid\" d=\"M{LEFT} {at:.1}H{right}\"/>"));
            put(format!(
                "<text class=\"tick\" x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 8.0,
                at + 4.0,
                number(*tick)
            ));
        }
        for tick in &x.ticks {
            let at = across(x.place(*tick).unwrap_or(0.0));
            put(format!("<path class=\"grid\" d=\"M{at:.1} {TOP}V{bottom}\"/>"));
            put(format!(
                "<text class=\"tick\" x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                bottom + 19.0,
                number(*tick)
            ));
        }
        put(format!("<path class=\"axis\" d=\"M{LEFT} {TOP}V{bottom}H{right}\"/>"));
        put(format!(
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            f64::midpoint(LEFT, right),
            HEIGHT - 18.0,
            escaped(&self.x.title)
        ));
        let mut names = vec![];
        let mut colour = 0;
        for line in &self.lines {
            let class = if line.floor { "f".to_owned() } else { format!("c{}", colour % 6) };
            colour += usize::from(!line.floor);
            let placed = line.points.iter().filter_map(|(a, b)| Some((across(x.place(*a)?), up(y.place(*b)?))));
            let placed: Vec<(f64, f64)> = placed.collect();
            let Some(end) = placed.last() else { continue };
            let path = placed.iter().map(|(a, b)| format!("{a:.1} {b:.1}")).collect::<Vec<_>>().join("L");
            put(format!("<path class=\"line {class}\" d=\"M{path}\"/>"));
            // Of many points the line is enough.
            for (a, b) in placed.iter().filter(|_| placed.len() <= 12) {
                put(format!("<circle class=\"dot {class}\" cx=\"{a:.1}\" cy=\"{b:.1}\" r=\"3.4\"/>"));
            }
            names.push((end.1, *end, class, &line.name));
        }
        spread(&mut names, bottom);
        for (at, end, class, name) in names {
            let begin = right + 14.0;
            put(format!(
                "<path class=\"lead {class}\" d=\"M{:.1} {:.1}L{:.1} {at:.1}\"/>",
                end.0 + 5.0,
                end.1,
                begin - 3.0
            ));
            put(format!(
                "<text class=\"name {class}\" x=\"{begin:.1}\" y=\"{:.1}\">{}</text>",
                at + 4.5,
                escaped(name)
            ));
        }
        let _ = writeln!(svg, "</svg>");
        svg
    }
}

/// Moves names apart that would lie on each other: down, and what is pushed out below up again.
fn spread<T, U, V>(names: &mut [(f64, T, U, V)], bottom: f64) {
    names.sort_by(|a, b| a.0.total_cmp(&b.0));
    for i in 1..names.len() {
        names[i].0 = names[i].0.max(names[i - 1].0 + LINE_HEIGHT);
    }
    let mut most = bottom;
    for name in names.iter_mut().rev() {
        name.0 = name.0.min(most);
        most = name.0 - LINE_HEIGHT;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_begin_and_end_at_round_numbers_that_hold_all_values() {
        let ruler = Ruler::of(Scale::Log, [100.0, 10_000.0].into_iter());
        assert_eq!((ruler.from, ruler.to), (100.0, 10_000.0));
        let ruler = Ruler::of(Scale::Log, [3.9, 4.1].into_iter());
        assert!(ruler.from <= 3.9 && ruler.to >= 4.1 && ruler.ticks.len() >= 3, "{:?}", ruler.ticks);
        let ruler = Ruler::of(Scale::Log, [1e3, 1e7].into_iter());
        assert_eq!(ruler.ticks.len(), 5, "{:?}", ruler.ticks);
        let ruler = Ruler::of(Scale::Linear, [3.0, 87.0].into_iter());
        assert_eq!((ruler.from, ruler.to), (0.0, 100.0));
        assert_eq!(number(10_000.0), "10,000");
        assert_eq!(number(0.25), "0.25");
        assert_eq!(number(123_456.0), "123,456");
    }

    #[test]
    fn a_picture_names_its_axes_and_its_lines_and_no_name_lies_on_another() {
        let plot = Plot {
            title: "CPU & <time>".into(),
            x: Axis::log("subscribers"),
            y: Axis::log("µs"),
            lines: vec![
                Line::new("ours", vec![(100.0, 5.0), (1_000.0, 6.0)]),
                Line::floor("floor", vec![(100.0, 5.0), (1_000.0, 6.0), (2_000.0, 0.0)]),
            ],
        };
        let svg = plot.svg();
        for text in ["CPU &amp; &lt;time&gt;", ">subscribers</text>", ">ours</text>", ">floor</text>", "1,000"] {
            assert!(svg.contains(text), "{text}\n{svg}");
        }
        let mut names = [(10.0, (), (), ()), (12.0, (), (), ()), (11.0, (), (), ())];
        spread(&mut names, 20.0);
        assert!(names.windows(2).all(|pair| pair[1].0 - pair[0].0 >= LINE_HEIGHT), "{names:?}");
    }
}
