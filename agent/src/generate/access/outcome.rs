//! How a request ends: the likelihoods of `error_rates`, of which the first that happens counts.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng as _;

use super::config::StatusConfig;

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All is well.
    Success,
    /// The server failed.
    ServerError,
    /// There is no such page.
    NotFound,
    /// Moved for good.
    RedirectPermanent,
    /// Moved for now.
    RedirectTemporary,
    /// Not for this user.
    Forbidden,
    /// Not without a login.
    Unauthorized,
}

impl Outcome {
    /// Its status.
    #[must_use]
    pub const fn status(self, codes: &StatusConfig) -> u16 {
        match self {
            Self::Success => codes.success,
            Self::ServerError => codes.server_error,
            Self::NotFound => codes.not_found,
            Self::RedirectPermanent => codes.redirect_permanent,
            Self::RedirectTemporary => codes.redirect_temporary,
            Self::Forbidden => codes.forbidden,
            Self::Unauthorized => codes.unauthorized,
        }
    }

    /// The user did not get what was asked for.
    #[must_use]
    pub const fn is_failure(self) -> bool {
        matches!(
            self,
            Self::ServerError | Self::NotFound | Self::Forbidden | Self::Unauthorized
        )
    }
}

/// The outcomes of one target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcomes {
    /// Where each ends in the range of 2³² words; behind the last all is well.
    ends: Vec<(u64, Outcome)>,
}

impl Outcomes {
    /// Of likelihoods from 0 to 1, in the order in which they are tried.
    #[must_use]
    pub fn new(tried: impl IntoIterator<Item = (f64, Outcome)>) -> Self {
        let (mut sum, mut left) = (0.0, 1.0);
        let mut ends = Vec::new();
        for (likelihood, outcome) in tried {
            let likelihood = f64::clamp(likelihood, 0.0, 1.0);
            sum += left * likelihood;
            left *= 1.0 - likelihood;
            if likelihood > 0.0 {
                ends.push(((sum * (1_u64 << 32) as f64).round() as u64, outcome));
            }
        }
        Self { ends }
    }

    /// One of them.
    #[inline]
    pub fn draw(&self, stream: &mut ChaCha8Rng) -> Outcome {
        let word = u64::from(stream.next_u32());
        let found = self.ends.iter().find(|(end, _)| word < *end);
        found.map_or(Outcome::Success, |(_, outcome)| *outcome)
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::rand_core::SeedableRng as _;

    use super::*;

    #[test]
    fn the_first_that_happens_counts() {
        let check = |tried: &[(f64, Outcome)], shares: &[(Outcome, f64)]| {
            let outcomes = Outcomes::new(tried.iter().copied());
            let mut stream = ChaCha8Rng::seed_from_u64(1);
            let drawn: Vec<Outcome> = (0..100_000).map(|_| outcomes.draw(&mut stream)).collect();
            for (outcome, share) in shares {
                let count = drawn.iter().filter(|drawn| *drawn == outcome).count();
                assert!(
                    (count as f64 / 1e5 - share).abs() < 0.01,
                    "{tried:?}: {outcome:?} {count}"
                );
            }
        };
        use Outcome::{NotFound, RedirectPermanent, ServerError, Success};
        check(&[], &[(Success, 1.0)]);
        check(&[(1.0, NotFound), (1.0, ServerError)], &[(NotFound, 1.0)]);
        check(
            &[(0.0, NotFound), (1.0, ServerError)],
            &[(ServerError, 1.0)],
        );
        check(
            &[
                (0.5, ServerError),
                (0.5, NotFound),
                (0.2, RedirectPermanent),
            ],
            &[
                (ServerError, 0.5),
                (NotFound, 0.25),
                (RedirectPermanent, 0.05),
                (Success, 0.2),
            ],
        );
    }
}
