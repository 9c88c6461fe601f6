//! Draws from a stream of random numbers, specified here and nowhere else: what a seed gives does not
//! change with the version of a library.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng as _;

/// A number below `end`, each as likely as the others to within one in 2³². 0 where `end` is 0.
#[inline]
pub fn below(stream: &mut ChaCha8Rng, end: u32) -> u32 {
    // The upper half of the product: below 2³².
    ((u64::from(stream.next_u32()) * u64::from(end)) >> 32) as u32
}

/// A number from `least` to `most`, both possible. `least` where `most` is smaller.
#[inline]
pub fn between(stream: &mut ChaCha8Rng, least: u32, most: u32) -> u32 {
    let width = most.saturating_sub(least);
    match width.checked_add(1) {
        Some(end) => least + below(stream, end),
        None => stream.next_u32(),
    }
}

/// A number from 0 to 1, 1 not possible: one of 2⁵³.
#[inline]
pub fn unit(stream: &mut ChaCha8Rng) -> f64 {
    (stream.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

/// Whether what has this probability happens.
#[inline]
pub fn happens(stream: &mut ChaCha8Rng, probability: f64) -> bool {
    unit(stream) < probability
}

/// A number of the normal distribution with mean 0 and deviation 1.
pub fn normal(stream: &mut ChaCha8Rng) -> f64 {
    // Box and Muller; the first is never 0.
    let radius = (-2.0 * (1.0 - unit(stream)).ln()).sqrt();
    radius * (std::f64::consts::TAU * unit(stream)).cos()
}

/// One of `items`; `None` where there are none.
#[inline]
pub fn one<'a, T>(stream: &mut ChaCha8Rng, items: &'a [T]) -> Option<&'a T> {
    let end = u32::try_from(items.len()).unwrap_or(u32::MAX);
    items.get(below(stream, end) as usize)
}

/// Indexes drawn by weight, in a time that does not depend on their number (the method of Walker and
/// Vose).
#[derive(Clone, Debug)]
pub struct Weights {
    places: Vec<Place>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    /// Of 2³²: whether the index of the place itself is drawn,
    own: u64,
    /// or this one.
    other: u32,
}

/// Weights of which nothing can be drawn: none is more than zero, one is negative or no number.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("weights must be 0 or more, and one of them more than 0")]
pub struct NoWeights;

impl Weights {
    /// Draws the index of each weight as often as its part in the sum.
    ///
    /// # Errors
    /// A weight is negative or not finite, all are 0, or there are none.
    pub fn new(weights: impl IntoIterator<Item = f64>) -> Result<Self, NoWeights> {
        let weights: Vec<f64> = weights.into_iter().collect();
        let largest = weights.iter().copied().fold(0.0, f64::max);
        let is_weight = |weight: &f64| weight.is_finite() && *weight >= 0.0;
        if !weights.iter().all(is_weight) || largest <= 0.0 || weights.len() > u32::MAX as usize {
            return Err(NoWeights);
        }
        // By the largest first, so that the sum is finite.
        let sum: f64 = weights.iter().map(|weight| weight / largest).sum();
        let count = weights.len() as f64;
        let mut parts: Vec<f64> = weights
            .iter()
            .map(|weight| weight / largest / sum * count)
            .collect();
        let whole = 1_u64 << 32;
        let mut places: Vec<Place> = (0..parts.len())
            .map(|index| Place {
                own: whole,
                other: index as u32,
            })
            .collect();
        let (mut small, mut large): (Vec<usize>, Vec<usize>) =
            (0..parts.len()).partition(|index| parts[*index] < 1.0);
        while let (Some(short), Some(long)) = (small.pop(), large.last().copied()) {
            places[short] = Place {
                own: (parts[short] * whole as f64) as u64,
                other: long as u32,
            };
            parts[long] -= 1.0 - parts[short];
            if parts[long] < 1.0 {
                large.pop();
                small.push(long);
            }
        }
        // What is left over by rounding is never the index of a weight of 0.
        for index in small {
            if weights[index] <= 0.0 {
                let other = weights.iter().position(|weight| *weight >= largest);
                places[index] = Place {
                    own: 0,
                    other: other.unwrap_or(index) as u32,
                };
            }
        }
        Ok(Self { places })
    }

    /// An index.
    #[inline]
    pub fn draw(&self, stream: &mut ChaCha8Rng) -> usize {
        let drawn = stream.next_u64();
        let index = (((drawn >> 32) * self.places.len() as u64) >> 32) as usize;
        let Some(place) = self.places.get(index) else {
            return 0;
        };
        match drawn & 0xffff_ffff < place.own {
            true => index,
            false => place.other as usize,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::generate::seed::Seed;

    fn stream() -> ChaCha8Rng {
        Seed(1).stream("draw", 0)
    }

    #[test]
    fn bounds_are_kept_and_reached() {
        let mut stream = stream();
        let check = |stream: &mut ChaCha8Rng, least: u32, most: u32| {
            let drawn: Vec<u32> = (0..4000).map(|_| between(stream, least, most)).collect();
            assert_eq!(drawn.iter().min(), Some(&least));
            assert_eq!(drawn.iter().max(), Some(&most));
        };
        check(&mut stream, 1, 255);
        check(&mut stream, 0, 7);
        check(&mut stream, 5, 5);
        assert_eq!(between(&mut stream, 9, 3), 9);
        assert_eq!(below(&mut stream, 0), 0);
        assert_eq!(one::<u8>(&mut stream, &[]), None);
        let _any = between(&mut stream, 0, u32::MAX);
    }

    #[test]
    fn the_normal_distribution_has_its_mean_and_deviation() {
        let mut stream = stream();
        let drawn: Vec<f64> = (0..100_000).map(|_| normal(&mut stream)).collect();
        let mean = drawn.iter().sum::<f64>() / drawn.len() as f64;
        let square = drawn.iter().map(|value| value * value).sum::<f64>() / drawn.len() as f64;
        assert!(mean.abs() < 0.02, "{mean}");
        assert!((square - 1.0).abs() < 0.02, "{square}");
    }

    #[test]
    fn weights_are_drawn_by_their_parts() {
        let check = |weights: &[f64]| {
            let table = Weights::new(weights.iter().copied()).unwrap();
            let (mut stream, mut counts) = (stream(), vec![0.0; weights.len()]);
            let draws = 200_000;
            for _ in 0..draws {
                counts[table.draw(&mut stream)] += 1.0;
            }
            // By the largest first: the sum of some is not finite.
            let largest = weights.iter().copied().fold(0.0, f64::max);
            let sum: f64 = weights.iter().map(|weight| weight / largest).sum();
            let mut chi_square = 0.0;
            for (count, weight) in counts.iter().zip(weights) {
                let expected = weight / largest / sum * f64::from(draws);
                if expected == 0.0 {
                    assert_eq!(*count, 0.0, "{weights:?}");
                } else {
                    chi_square += (count - expected) * (count - expected) / expected;
                }
            }
            // Far beyond what one run in a thousand has with up to nine degrees of freedom (27.9).
            assert!(chi_square < 30.0, "{weights:?}: {chi_square}");
        };
        check(&[1.0]);
        check(&[1.0, 1.0]);
        check(&[0.0, 3.0, 1.0]);
        check(&[0.1, 0.2, 0.3, 0.4]);
        check(&[1000.0, 1.0, 0.0, 10.0, 1.0, 1.0, 500.0, 0.0, 2.0, 3.0]);
        check(&[f64::MAX, f64::MAX]);
    }

    #[test]
    fn what_is_no_weight_is_refused() {
        for bad in [
            &[][..],
            &[0.0],
            &[0.0, 0.0],
            &[-1.0, 2.0],
            &[f64::NAN],
            &[f64::INFINITY, 1.0],
        ] {
            assert!(Weights::new(bad.iter().copied()).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn no_weight_of_zero_is_drawn(weights in prop::collection::vec(prop_oneof![Just(0.0), 0.0..1e300_f64, Just(1e-300)], 1..40), seed: u64) {
            let Ok(table) = Weights::new(weights.iter().copied()) else {
                return Ok(());
            };
            let mut stream = Seed(seed).stream("weights", 0);
            for _ in 0..200 {
                let index = table.draw(&mut stream);
                prop_assert!(weights[index] > 0.0);
            }
        }

        #[test]
        fn a_part_is_below_one(seed: u64) {
            let part = unit(&mut Seed(seed).stream("unit", 0));
            prop_assert!((0.0..1.0).contains(&part));
        }
    }
}
