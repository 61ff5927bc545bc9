//! The metric math of an alarm, as far as the template uses it: numbers, names, `+`, `*`, `/`, `>=`, `IF` and `FILL`.
//!
//! Whatever else an expression may be is refused here, so that none is misread.

use serde_json::Value;

/// The value that an alarm compares with its threshold, where each metric has this sum in a span, or none.
pub fn of(alarm: &Value, sum: &dyn Fn(&str) -> Option<f64>) -> f64 {
    let metrics = alarm["Metrics"].as_array().unwrap();
    let compared = metrics.iter().find(|metric| metric["ReturnData"] == true).unwrap();
    value(metrics, compared["Id"].as_str().unwrap(), sum).unwrap()
}

/// What a name stands for: another expression, or a metric of ours.
fn value(metrics: &[Value], name: &str, sum: &dyn Fn(&str) -> Option<f64>) -> Option<f64> {
    let metric = metrics.iter().find(|metric| metric["Id"] == name);
    let metric = metric.unwrap_or_else(|| unreachable!("nothing is called {name}"));
    if let Some(text) = metric["Expression"].as_str() {
        let mut rest = text;
        let result = comparison(&mut rest, &|name| value(metrics, name, sum));
        assert_eq!(rest.trim(), "", "left over of {text}");
        return result;
    }
    assert_eq!(metric["MetricStat"]["Stat"], "Sum", "{name}");
    sum(metric["MetricStat"]["Metric"]["MetricName"].as_str().unwrap())
}

type Names<'a> = &'a dyn Fn(&str) -> Option<f64>;

/// Takes a sign off the front, if it is there.
fn take(rest: &mut &str, sign: &str) -> bool {
    let after = rest.trim_start().strip_prefix(sign);
    *rest = after.unwrap_or(rest);
    after.is_some()
}

fn comparison(rest: &mut &str, names: Names<'_>) -> Option<f64> {
    let left = sum(rest, names);
    if !take(rest, ">=") {
        return left;
    }
    let right = sum(rest, names);
    Some(f64::from(u8::from(left? >= right?)))
}

fn sum(rest: &mut &str, names: Names<'_>) -> Option<f64> {
    let mut result = product(rest, names);
    while take(rest, "+") {
        let term = product(rest, names);
        result = result.zip(term).map(|(one, other)| one + other);
    }
    result
}

fn product(rest: &mut &str, names: Names<'_>) -> Option<f64> {
    let mut result = atom(rest, names);
    loop {
        if take(rest, "*") {
            let factor = atom(rest, names);
            result = result.zip(factor).map(|(one, other)| one * other);
        } else if take(rest, "/") {
            let divisor = atom(rest, names);
            result = result.zip(divisor).map(|(one, other)| one / other);
        } else {
            return result;
        }
    }
}

fn atom(rest: &mut &str, names: Names<'_>) -> Option<f64> {
    *rest = rest.trim_start();
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '.';
    let (word, after) = rest.split_at(rest.find(|letter| !is_part(letter)).unwrap_or(rest.len()));
    *rest = after;
    match word {
        "IF" => {
            let [condition, then, otherwise] = arguments(rest, names);
            if condition? == 0.0 { otherwise } else { then }
        }
        // A value for the spans in which there is none.
        "FILL" => {
            let [metric, filled] = arguments(rest, names);
            metric.or(filled)
        }
        _ => word.parse().ok().or_else(|| names(word)),
    }
}

fn arguments<const MANY: usize>(rest: &mut &str, names: Names<'_>) -> [Option<f64>; MANY] {
    let mut results = [None; MANY];
    for (place, result) in results.iter_mut().enumerate() {
        assert!(take(rest, if place == 0 { "(" } else { "," }), "{rest}");
        *result = comparison(rest, names);
    }
    assert!(take(rest, ")"), "{rest}");
    results
}
