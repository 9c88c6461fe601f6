//! Charts as SVG, made by hand: lines over time, with axes, a legend, and the numbers for those who
//! cannot see them. No script, no style but classes, nothing that is fetched.

use super::escape::html;

/// Lines over time.
#[derive(Clone, Debug)]
pub(super) struct Chart {
    /// Seconds from one point to the next that is there or not.
    pub(super) step_s: i64,
    /// When each point is: seconds since 1970, rising.
    pub(super) times: Vec<i64>,
    pub(super) lines: Vec<Line>,
}

/// A line: a value for each time.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) name: String,
    /// The class that gives it its colour.
    pub(super) class: &'static str,
    pub(super) values: Vec<Option<f64>>,
}

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 28.0;

/// Points that are drawn of a line at most: more than pixels say nothing.
const POINTS: usize = 900;

/// The chart as an SVG element.
pub(super) fn svg(chart: &Chart, title: &str) -> String {
    let (Some(first), Some(last)) = (chart.times.first(), chart.times.last()) else {
        return String::new();
    };
    let span = (last.saturating_sub(*first) as f64).max(1.0);
    let highest = chart
        .lines
        .iter()
        .flat_map(|line| line.values.iter().flatten())
        .copied()
        .filter(|value| value.is_finite())
        .fold(0.0, f64::max)
        .min(1e15);
    let top = round_up(highest);
    let x = |time: i64| LEFT + (time.saturating_sub(*first) as f64) / span * (WIDTH - LEFT - RIGHT);
    let y = |value: f64| HEIGHT - BOTTOM - (value / top).clamp(0.0, 1.0) * (HEIGHT - TOP - BOTTOM);
    let mut svg = String::new();
    let names: Vec<&str> = chart.lines.iter().map(|line| line.name.as_str()).collect();
    let label = html(&format!("{title}: {}", names.join(", ")));
    svg.push_str(&format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{label}\">"
    ));
    for part in 0..=4 {
        let value = top * f64::from(part) / 4.0;
        let at = y(value);
        let right = WIDTH - RIGHT;
        svg.push_str(&format!(
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
             <text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 6.0,
            at + 4.0,
            short(value)
        ));
    }
    for (time, text) in ticks(*first, *last) {
        svg.push_str(&format!(
            "<text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{text}</text>",
            x(time).clamp(LEFT + 20.0, WIDTH - RIGHT - 24.0),
            HEIGHT - 8.0
        ));
    }
    for line in &chart.lines {
        let path = path(chart, line, x, y);
        svg.push_str(&format!(
            "<path class=\"line {}\" d=\"{path}\"/>",
            line.class
        ));
    }
    svg.push_str("</svg>");
    svg
}

/// The line as moves of a pen, lifted where there is nothing.
fn path(chart: &Chart, line: &Line, x: impl Fn(i64) -> f64, y: impl Fn(f64) -> f64) -> String {
    let mut path = String::new();
    let each = chart.times.len().div_ceil(POINTS).max(1);
    let pairs: Vec<(i64, Option<f64>)> = chart
        .times
        .iter()
        .copied()
        .zip(line.values.iter().copied())
        .collect();
    let mut before: Option<i64> = None;
    for chunk in pairs.chunks(each) {
        let Some((time, _)) = chunk.first() else {
            continue;
        };
        // Of points that share a pixel the highest is shown.
        let value = chunk
            .iter()
            .filter_map(|(_, value)| *value)
            .filter(|value| value.is_finite())
            .reduce(f64::max);
        let Some(value) = value else {
            before = None;
            continue;
        };
        let reach = chart.step_s.saturating_mul(each as i64).saturating_mul(2);
        let goes_on = before.is_some_and(|before| time.saturating_sub(before) <= reach);
        let pen = match goes_on {
            true => 'L',
            false => 'M',
        };
        let (left, top) = (x(*time), y(value));
        path.push_str(&format!("{pen}{left:.1} {top:.1}"));
        if !goes_on {
            // A point alone is seen too.
            path.push_str("h0.5");
        }
        before = Some(*time);
    }
    path
}

/// The next number that is easily divided by four.
fn round_up(highest: f64) -> f64 {
    if !(highest.is_finite() && highest > 0.0) {
        return 1.0;
    }
    let power = 10_f64.powf(highest.log10().floor());
    [1.0, 2.0, 4.0, 5.0, 8.0, 10.0]
        .into_iter()
        .map(|step| step * power)
        .find(|step| *step >= highest)
        .unwrap_or(highest)
}

/// A number on an axis.
fn short(value: f64) -> String {
    match value {
        _ if value >= 1e9 => format!("{:.1}G", value / 1e9),
        _ if value >= 1e6 => format!("{:.1}M", value / 1e6),
        _ if value >= 1e4 => format!("{:.0}k", value / 1e3),
        _ if value >= 10.0 || value == 0.0 => format!("{value:.0}"),
        _ => format!("{value:.2}"),
    }
}

/// Times below the axis: six at most, and what they say.
fn ticks(first: i64, last: i64) -> Vec<(i64, String)> {
    let span = last.saturating_sub(first);
    let form = match span {
        _ if span > 3 * 86_400 => "%m-%d",
        _ if span > 86_400 => "%m-%d %H:%M",
        _ if span > 600 => "%H:%M",
        _ => "%H:%M:%S",
    };
    (0..=5)
        .filter_map(|part| {
            let time = first.saturating_add(span / 5 * part);
            let said = jiff::Timestamp::from_second(time).ok()?;
            Some((time, said.strftime(form).to_string()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(values: Vec<Option<f64>>) -> Chart {
        Chart {
            step_s: 60,
            times: (0..values.len() as i64).map(|index| index * 60).collect(),
            lines: vec![Line {
                name: "<b>".to_owned(),
                class: "a",
                values,
            }],
        }
    }

    #[test]
    fn the_pen_is_lifted_over_holes() {
        let drawn = svg(&chart(vec![Some(1.0), Some(2.0), None, Some(4.0)]), "t");
        assert_eq!(drawn.matches('M').count(), 2, "{drawn}");
        assert_eq!(drawn.matches('L').count(), 1, "{drawn}");
        assert!(!drawn.contains("<b>") && drawn.contains("&lt;b&gt;"));
    }

    #[test]
    fn odd_values_make_no_odd_numbers() {
        for values in [
            vec![],
            vec![Some(0.0)],
            vec![Some(f64::NAN), Some(f64::INFINITY), Some(-1.0)],
            vec![Some(f64::MAX), Some(1.0)],
            (0..100_000).map(|value| Some(f64::from(value))).collect(),
        ] {
            let drawn = svg(&chart(values), "t");
            assert!(!drawn.contains("NaN") && !drawn.contains("inf"), "{drawn}");
            assert!(drawn.len() < 40_000);
        }
    }

    #[test]
    fn axes_have_round_numbers() {
        let check = |highest: f64, expected: f64| assert_eq!(round_up(highest), expected);
        check(0.0, 1.0);
        check(7.0, 8.0);
        check(8.1, 10.0);
        check(1234.0, 2000.0);
        check(f64::NAN, 1.0);
    }
}
