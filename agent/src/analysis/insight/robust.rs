//! Statistics that a few wild values do not move: medians, the median absolute deviation (MAD), and
//! how unlikely a count is.

/// MAD times this is the standard deviation, where values are normally distributed.
const OF_NORMAL: f64 = 1.482_6;

/// Means from which a Poisson distribution is taken for a normal one.
const NORMAL_FROM: f64 = 10_000.0;

/// The middle of many values and how far they usually lie from it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The median.
    pub median: f64,
    /// The standard deviation, estimated from the MAD.
    pub deviation: f64,
}

impl Spread {
    /// Of these values, which are put into another order; `None`: there are none.
    #[must_use]
    pub fn of(values: &mut [f64]) -> Option<Self> {
        let median = median(values)?;
        for value in values.iter_mut() {
            *value = (*value - median).abs();
        }
        let deviation = OF_NORMAL * self::median(values)?;
        Some(Self { median, deviation })
    }
}

/// The median of these values, which are put into another order; `None`: there are none.
#[must_use]
pub fn median(values: &mut [f64]) -> Option<f64> {
    let middle = values.len() / 2;
    let is_even = values.len().is_multiple_of(2);
    if values.is_empty() {
        return None;
    }
    let (below, upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    let upper = *upper;
    let lower = below.iter().copied().max_by(f64::total_cmp);
    Some(match lower {
        Some(lower) if is_even => f64::midpoint(lower, upper),
        _ => upper,
    })
}

/// How unlikely it is that a Poisson count of this mean is `count` or more: minus the decimal logarithm
/// of the probability, so that 3 is one in a thousand. 0 where the count is not above the mean.
#[must_use]
pub fn surprise(count: f64, mean: f64) -> f64 {
    if !(mean.is_finite() && count.is_finite()) || count <= mean || count <= 0.0 {
        return 0.0;
    }
    let mean = mean.max(1e-9);
    if mean > NORMAL_FROM {
        // The tail of the normal distribution, which is this one by then.
        let distance = (count - mean) / mean.sqrt();
        let tail = distance * distance / 2.0 + f64::ln(distance.max(0.4) * 2.507);
        return (tail / std::f64::consts::LN_10).max(0.0);
    }
    // The first term of the tail, and the others as multiples of it.
    let first = count * mean.ln() - mean - log_gamma(count + 1.0);
    let (mut sum, mut term, mut next) = (1.0, 1.0, count);
    while term > sum * 1e-9 {
        next += 1.0;
        term *= mean / next;
        sum += term;
    }
    (-(first + f64::ln(sum)) / std::f64::consts::LN_10).max(0.0)
}

/// The logarithm of the gamma function, for arguments of 1 and more: Stirling's series, of which three
/// terms are enough from 7 on.
fn log_gamma(argument: f64) -> f64 {
    let mut shifted = argument;
    let mut product = 1.0;
    while shifted < 7.0 {
        product *= shifted;
        shifted += 1.0;
    }
    let inverse = 1.0 / shifted;
    let square = inverse * inverse;
    let series = inverse / 12.0 - inverse * square / 360.0 + inverse * square * square / 1260.0;
    let half_log_of_tau = 0.918_938_533_204_672_8;
    (shifted - 0.5) * shifted.ln() - shifted + half_log_of_tau + series - product.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        let check = |values: &[f64], expected: Option<f64>| {
            assert_eq!(median(&mut values.to_vec()), expected, "{values:?}");
        };
        check(&[], None);
        check(&[7.0], Some(7.0));
        check(&[3.0, 1.0], Some(2.0));
        check(&[9.0, 1.0, 2.0], Some(2.0));
        check(&[4.0, 1.0, 3.0, 2.0], Some(2.5));
        check(&[5.0; 6], Some(5.0));
    }

    #[test]
    fn a_wild_value_does_not_move_the_spread() {
        let spread = Spread::of(&mut [10.0, 11.0, 9.0, 10.0, 1e9]).unwrap();
        assert_eq!(spread.median, 10.0);
        assert!((spread.deviation - 1.4826).abs() < 1e-9);
        assert_eq!(Spread::of(&mut []), None);
    }

    /// Against sums of the probabilities themselves.
    #[test]
    fn surprise_is_the_tail_of_the_distribution() {
        for mean in [0.3_f64, 1.0, 5.0, 40.0] {
            let mut probability = (-mean).exp();
            let mut below = 0.0;
            for count in 0..200_u32 {
                let tail: f64 = 1.0 - below;
                if f64::from(count) > mean && tail > 1e-9 {
                    let found = surprise(f64::from(count), mean);
                    let expected = -tail.log10();
                    assert!(
                        (found - expected).abs() < 1e-4,
                        "{mean} {count}: {found} {expected}"
                    );
                }
                below += probability;
                probability *= mean / f64::from(count + 1);
            }
        }
    }

    #[test]
    fn surprise_of_odd_numbers_is_none() {
        for (count, mean) in [
            (0.0, 0.0),
            (1.0, 2.0),
            (f64::NAN, 1.0),
            (1.0, f64::NAN),
            (1.0, f64::INFINITY),
        ] {
            assert_eq!(surprise(count, mean), 0.0, "{count} {mean}");
        }
        assert!(surprise(5.0, 0.0) > 20.0);
        assert!(surprise(1e12, 1.0).is_finite());
        assert!(surprise(1e12 + 1.0, 1e12) < 1.0);
        let (below, above) = (surprise(10_500.0, 9_999.0), surprise(10_501.0, 10_001.0));
        assert!((below - above).abs() < 0.1, "{below} {above}");
    }
}
