//! The picture of a soak: rate, latency, memory and descriptors over time, as an SVG that a page of any colour can
//! show.

use std::fmt::Write as _;

use super::{
    FUNCTIONS,
    round::{Latency, Round, megabytes},
};

const WIDTH: f64 = 700.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = 118.0;
const TOP: f64 = 34.0;
const HEIGHT: f64 = 130.0;
const PANEL: f64 = 196.0;

/// In tones that can be told apart on white and on black, and by most who cannot tell red from green.
const COLORS: [&str; 8] =
    ["#3b82c4", "#d9730d", "#2a9d6f", "#a05bd0", "#c2527a", "#8a7a2f", "#3a9ea5", "#7f8790"];
/// Of a contrast of 4.5 on both.
const INK: &str = "#767676";

/// The routes whose latency is shown.
const ROUTES: [&str; 4] = ["GET /authorize", "GET /callback", "GET /userinfo", "POST /oauth2/token"];

/// A line of a panel.
struct Series {
    name: String,
    color: &'static str,
    is_dashed: bool,
    values: Vec<Option<f64>>,
}

/// A panel, below the others.
struct Panel {
    title: &'static str,
    unit: &'static str,
    /// By powers of ten.
    is_logarithmic: bool,
    series: Vec<Series>,
}

/// Draws all rounds.
pub fn draw(rounds: &[Round]) -> String {
    let minutes: Vec<f64> = rounds
        .iter()
        .scan(0.0, |passed, round| {
            *passed += round.took.as_secs_f64() / 60.0;
            Some(*passed)
        })
        .collect();
    let kills: Vec<f64> = rounds
        .iter()
        .zip(&minutes)
        .filter(|(round, _)| round.failed > 0)
        .map(|(_, minute)| *minute)
        .collect();
    let panels = panels(rounds);
    let height = PANEL * f64::from(u8::try_from(panels.len()).unwrap_or(u8::MAX)) + 24.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"12\" role=\"img\">\n\
         <title>A soak: requests, latency, memory and descriptors over time</title>\n"
    );
    for (number, panel) in (0_u8..).zip(&panels) {
        panel.draw(&mut svg, PANEL * f64::from(number), &minutes, &kills);
    }
    let _ = writeln!(
        svg,
        "<text x=\"{}\" y=\"{}\" fill=\"{INK}\" text-anchor=\"middle\">minutes; a dotted line is a killed process</text>\n</svg>",
        LEFT + (WIDTH - LEFT - RIGHT) / 2.0,
        height - 8.0
    );
    svg
}

fn panels(rounds: &[Round]) -> Vec<Panel> {
    let of = |value: &dyn Fn(&Round) -> Option<f64>| rounds.iter().map(value).collect::<Vec<_>>();
    let rate = Series {
        name: "all routes".to_owned(),
        color: COLORS[0],
        is_dashed: false,
        values: of(&|round| Some(round.rate())),
    };
    let latency = ROUTES.iter().zip(COLORS).flat_map(|(route, color)| {
        let name = route.split(' ').next_back().unwrap_or_default();
        let line = |is_dashed: bool, value: fn(&Latency) -> f64| Series {
            name: if is_dashed { String::new() } else { name.to_owned() },
            color,
            is_dashed,
            values: of(&|round| round.routes.get(*route).map(value)),
        };
        [line(false, |latency| latency.median), line(true, |latency| latency.percentile_99)]
    });
    let functions = |value: &dyn Fn(&Round, &str) -> Option<f64>| {
        let series = FUNCTIONS.iter().zip(COLORS).map(|(function, color)| Series {
            name: function.clone(),
            color,
            is_dashed: false,
            values: of(&|round| value(round, function)),
        });
        series.collect::<Vec<_>>()
    };
    let descriptors = |round: &Round, function: &str| {
        let own = round.processes.values().filter(|process| process.function == function);
        own.map(|process| process.descriptors).max().and_then(|most| u32::try_from(most).ok()).map(f64::from)
    };
    vec![
        Panel { title: "Requests", unit: "a second", is_logarithmic: false, series: vec![rate] },
        Panel {
            title: "Latency: median, and dashed the 99th percentile",
            unit: "ms",
            is_logarithmic: true,
            series: latency.collect(),
        },
        Panel {
            title: "Resident memory of the largest process of each function",
            unit: "MB",
            is_logarithmic: false,
            series: functions(&|round, function| round.largest(function).map(megabytes)),
        },
        Panel {
            title: "Open descriptors, the most of a process of each function",
            unit: "",
            is_logarithmic: false,
            series: functions(&descriptors),
        },
    ]
}

impl Panel {
    fn draw(&self, svg: &mut String, above: f64, minutes: &[f64], kills: &[f64]) {
        let values = || self.series.iter().flat_map(|series| series.values.iter().copied().flatten());
        let most = values().fold(1.0, f64::max);
        let (low, high) = if self.is_logarithmic {
            let least = values().fold(f64::INFINITY, f64::min).max(0.1);
            (10_f64.powf(least.log10().floor()), 10_f64.powf(most.log10().ceil()))
        } else {
            (0.0, step(most) * (most / step(most)).ceil())
        };
        let y = |value: f64| {
            let part = if self.is_logarithmic {
                (value.max(low) / low).log10() / (high / low).log10()
            } else {
                value / high
            };
            above + TOP + HEIGHT * (1.0 - part)
        };
        let last = minutes.last().copied().unwrap_or(1.0);
        let x = |minute: f64| LEFT + (WIDTH - LEFT - RIGHT) * minute / last;
        let unit = if self.unit.is_empty() { String::new() } else { format!(", {}", self.unit) };
        let _ = writeln!(
            svg,
            "<text x=\"{LEFT}\" y=\"{}\" fill=\"{INK}\" font-weight=\"600\">{}{unit}</text>",
            above + TOP - 12.0,
            self.title
        );
        for tick in ticks(low, high, self.is_logarithmic) {
            let at = y(tick);
            let _ = writeln!(
                svg,
                "<path d=\"M{LEFT} {at:.1}H{}\" stroke=\"{INK}\" stroke-opacity=\"0.25\"/><text x=\"{}\" y=\"{:.1}\" fill=\"{INK}\" \
                 text-anchor=\"end\">{}</text>",
                WIDTH - RIGHT,
                LEFT - 6.0,
                at + 4.0,
                label(tick)
            );
        }
        for minute in ticks(0.0, last, false) {
            let _ = writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.1}\" fill=\"{INK}\" text-anchor=\"middle\">{}</text>",
                x(minute),
                above + TOP + HEIGHT + 16.0,
                label(minute)
            );
        }
        for kill in kills {
            let _ = writeln!(
                svg,
                "<path d=\"M{:.1} {:.1}v{HEIGHT}\" stroke=\"{INK}\" stroke-opacity=\"0.6\" stroke-dasharray=\"1 4\"/>",
                x(*kill),
                above + TOP
            );
        }
        let mut names = 0_u8;
        for series in &self.series {
            let mut path = String::new();
            for (minute, value) in minutes.iter().zip(&series.values) {
                if let Some(value) = value {
                    let verb = if path.is_empty() { 'M' } else { 'L' };
                    let _ = write!(path, "{verb}{:.1} {:.1}", x(*minute), y(*value));
                }
            }
            let dashes = if series.is_dashed { " stroke-dasharray=\"4 3\"" } else { "" };
            let _ = writeln!(
                svg,
                "<path d=\"{path}\" fill=\"none\" stroke=\"{}\" stroke-width=\"1.6\"{dashes}/>",
                series.color
            );
            if !series.name.is_empty() {
                let at = above + TOP + 8.0 + 16.0 * f64::from(names);
                let from = WIDTH - RIGHT + 8.0;
                let _ = writeln!(
                    svg,
                    "<path d=\"M{from} {:.1}h14\" stroke=\"{}\" stroke-width=\"3\"/><text x=\"{}\" y=\"{at:.1}\" fill=\"{INK}\">{}</text>",
                    at - 4.0,
                    series.color,
                    from + 20.0,
                    series.name
                );
                names += 1;
            }
        }
    }
}

/// A step of 1, 2 or 5 with which an axis to this value has three to six marks.
fn step(most: f64) -> f64 {
    let power = 10_f64.powf((most / 3.0).log10().floor());
    [5.0, 2.0, 1.0].into_iter().map(|factor| factor * power).find(|step| most / step >= 3.0).unwrap_or(power)
}

fn ticks(low: f64, high: f64, is_logarithmic: bool) -> Vec<f64> {
    let step = step(high);
    let next = move |tick: &f64| Some(if is_logarithmic { tick * 10.0 } else { tick + step });
    std::iter::successors(Some(low), next).take_while(|tick| *tick <= high * 1.001).collect()
}

fn label(tick: f64) -> String {
    let digits = usize::from(tick != 0.0 && (tick < 1.0 || tick.fract() >= 0.01));
    format!("{tick:.digits$}")
}
