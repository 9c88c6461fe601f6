//! The states of a session and the moves between them.

use rand_chacha::ChaCha8Rng;

use crate::generate::draw::Weights;

/// Where a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum State {
    /// It has not begun.
    Start,
    /// `POST /login`.
    Login,
    /// A page without a login.
    DirectAccess,
    /// Pages, one after the other, for as long as this stay lasts.
    Browsing,
    /// `POST /logout`, where the user is logged in.
    Logout,
    /// The user goes away, perhaps from a full cart.
    Abandon,
    /// The page that is open fails.
    Error,
    /// The user goes away.
    Leave,
    /// It is over.
    End,
}

impl State {
    /// All, in the order of their numbers.
    pub const ALL: [Self; 9] = [
        Self::Start,
        Self::Login,
        Self::DirectAccess,
        Self::Browsing,
        Self::Logout,
        Self::Abandon,
        Self::Error,
        Self::Leave,
        Self::End,
    ];

    /// The name in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Start => "START",
            Self::Login => "LOGIN",
            Self::DirectAccess => "DIRECT_ACCESS",
            Self::Browsing => "BROWSING",
            Self::Logout => "LOGOUT",
            Self::Abandon => "ABANDON",
            Self::Error => "ERROR",
            Self::Leave => "LEAVE",
            Self::End => "END",
        }
    }

    /// The state of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Where the configuration may lead from here. Every round of moves passes a state that writes a
    /// line, so that no session goes on for ever in silence.
    #[must_use]
    pub const fn targets(self) -> &'static [Self] {
        const LINES: [State; 3] = [State::Login, State::DirectAccess, State::Browsing];
        const SILENT_TOO: [State; 5] = [
            State::Login,
            State::DirectAccess,
            State::Browsing,
            State::Leave,
            State::End,
        ];
        // Who is not logged in says nothing at a logout.
        const NO_LOGOUT: [State; 7] = [
            State::Login,
            State::DirectAccess,
            State::Browsing,
            State::Abandon,
            State::Error,
            State::Leave,
            State::End,
        ];
        const ANY: [State; 8] = [
            State::Login,
            State::DirectAccess,
            State::Browsing,
            State::Logout,
            State::Abandon,
            State::Error,
            State::Leave,
            State::End,
        ];
        match self {
            Self::Start => &LINES,
            Self::Abandon => &SILENT_TOO,
            Self::Leave | Self::End => &[Self::End],
            Self::Logout => &NO_LOGOUT,
            Self::Login | Self::DirectAccess | Self::Browsing | Self::Error => &ANY,
        }
    }
}

/// The shares of the moves from each state; those that are 0 may be left out.
pub type Shares = Vec<(State, Vec<(State, f64)>)>;

/// The moves as they are drawn.
#[derive(Clone, Debug)]
pub struct Moves {
    from: [Option<Weights>; State::ALL.len()],
}

impl Moves {
    /// A state without moves ends the session.
    #[must_use]
    pub fn new(shares: &Shares) -> Self {
        let weights = |state: State| {
            let (_, moves) = shares.iter().find(|(from, _)| *from == state)?;
            let share = |to: State| -> f64 {
                let to = moves.iter().filter(|(target, _)| *target == to);
                to.map(|(_, share)| share).sum()
            };
            Weights::new(State::ALL.map(share)).ok()
        };
        Self {
            from: State::ALL.map(weights),
        }
    }

    /// The state that comes after this one.
    #[inline]
    pub fn draw(&self, from: State, stream: &mut ChaCha8Rng) -> State {
        self.from[from as usize]
            .as_ref()
            .map_or(State::End, |weights| State::ALL[weights.draw(stream)])
    }
}

/// The first state from which the end cannot be reached although the session can get there.
#[must_use]
pub fn without_end(shares: &Shares) -> Option<State> {
    let moves = |from: State| {
        let found = shares.iter().find(|(state, _)| *state == from);
        let moves = found.map_or(&[][..], |(_, moves)| moves);
        moves.iter().filter(|(_, share)| *share > 0.0)
    };
    let ends = |from: State| {
        let mut seen = vec![from];
        let mut next = 0;
        while let Some(state) = seen.get(next).copied() {
            next += 1;
            if state == State::End || moves(state).next().is_none() {
                return true;
            }
            for (to, _) in moves(state) {
                if !seen.contains(to) {
                    seen.push(*to);
                }
            }
        }
        false
    };
    let mut reached = vec![State::Start];
    let mut next = 0;
    while let Some(state) = reached.get(next).copied() {
        next += 1;
        if !ends(state) {
            return Some(state);
        }
        for (to, _) in moves(state) {
            if !reached.contains(to) {
                reached.push(*to);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use rand_chacha::rand_core::SeedableRng as _;

    use super::*;

    #[test]
    fn names_are_read_back() {
        for state in State::ALL {
            assert_eq!(State::from_name(state.name()), Some(state));
        }
        assert_eq!(State::from_name("start"), None);
        for (number, state) in State::ALL.into_iter().enumerate() {
            assert_eq!(state as usize, number);
        }
    }

    #[test]
    fn sessions_without_an_end_are_found() {
        let check = |shares: &[(State, &[(State, f64)])], expected: Option<State>| {
            let shares: Shares = shares
                .iter()
                .map(|(from, moves)| (*from, moves.to_vec()))
                .collect();
            assert_eq!(without_end(&shares), expected, "{shares:?}");
        };
        use State::{Browsing, End, Login, Start};
        check(&[], None);
        check(&[(Start, &[(Login, 1.0)])], None);
        let ever = (Browsing, &[(Browsing, 1.0), (End, 0.0)][..]);
        check(&[(Start, &[(Login, 1.0)]), ever], None);
        check(&[(Start, &[(Browsing, 1.0)]), ever], Some(Start));
        let half = [(Browsing, 0.5), (Login, 0.5)];
        check(&[(Start, &half), ever], Some(Browsing));
    }

    #[test]
    fn moves_go_only_where_they_may() {
        let shares = vec![
            (
                State::Start,
                vec![(State::Login, 0.5), (State::Browsing, 0.5)],
            ),
            (
                State::Login,
                vec![(State::Browsing, 0.0), (State::Abandon, 1.0)],
            ),
        ];
        let moves = Moves::new(&shares);
        let mut stream = ChaCha8Rng::seed_from_u64(2);
        for _ in 0..1000 {
            let first = moves.draw(State::Start, &mut stream);
            assert!([State::Login, State::Browsing].contains(&first));
            assert_eq!(moves.draw(State::Login, &mut stream), State::Abandon);
            assert_eq!(moves.draw(State::Abandon, &mut stream), State::End);
        }
    }
}
