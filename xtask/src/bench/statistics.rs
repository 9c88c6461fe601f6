//! Medians and quartiles: benchmarks on a shared machine have outliers, and means follow them.

/// A summary of figures.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub(crate) struct Summary {
    pub(crate) lowest: f64,
    pub(crate) lower_quarter: f64,
    pub(crate) median: f64,
    pub(crate) upper_quarter: f64,
    pub(crate) highest: f64,
}

impl Summary {
    /// The summary of `values`; `None` when there are none.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        Some(Self {
            lowest: quantile(&values, 0.0)?,
            lower_quarter: quantile(&values, 0.25)?,
            median: quantile(&values, 0.5)?,
            upper_quarter: quantile(&values, 0.75)?,
            highest: quantile(&values, 1.0)?,
        })
    }
}

/// The value below which a `part` of the sorted values lies, between two of them where needed.
fn quantile(sorted: &[f64], part: f64) -> Option<f64> {
    let place = sorted.len().checked_sub(1)? as f64 * part;
    let below = *sorted.get(place.floor() as usize)?;
    let above = *sorted.get(place.ceil() as usize)?;
    Some(below + (above - below) * place.fract())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_the_values() {
        let check = |values: &[f64], expected: Option<[f64; 5]>| {
            let summary = Summary::of(values.iter().copied());
            let found = summary.map(|summary| {
                [
                    summary.lowest,
                    summary.lower_quarter,
                    summary.median,
                    summary.upper_quarter,
                    summary.highest,
                ]
            });
            assert_eq!(found, expected, "{values:?}");
        };
        check(&[], None);
        check(&[7.0], Some([7.0; 5]));
        check(&[3.0, 1.0], Some([1.0, 1.5, 2.0, 2.5, 3.0]));
        check(&[5.0, 1.0, 4.0, 2.0, 3.0], Some([1.0, 2.0, 3.0, 4.0, 5.0]));
        check(
            &[1.0, 2.0, 3.0, 100.0],
            Some([1.0, 1.75, 2.5, 27.25, 100.0]),
        );
    }
}
