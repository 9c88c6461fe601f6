//! `state_transitions`: from which state sessions move to which.

use super::refused;
use crate::config::tree::Leaf;
use crate::config::{ConfigError, nearest};
use crate::generate::access::config::{MovesConfig, check};
use crate::generate::access::state::{Shares, State, without_end};

/// Reads the section.
pub(super) fn moves(section: Option<Leaf<'_>>) -> Result<MovesConfig, ConfigError> {
    let defaults = MovesConfig::default();
    let Some(section) = section else {
        return Ok(defaults);
    };
    let mut shares: Shares = Vec::new();
    for (name, value) in section.branch()?.rest() {
        let from = state(name, &section, &value)?;
        shares.push((from, moves_of(from, &value)?));
    }
    // A state that is not told about moves as by default.
    for (from, moves) in defaults.0 {
        if !shares.iter().any(|(state, _)| *state == from) {
            shares.push((from, moves));
        }
    }
    shares.sort_by_key(|(from, _)| *from);
    match without_end(&shares) {
        None => Ok(MovesConfig(shares)),
        Some(state) => Err(refused(
            &section,
            &format!(
                "lets a session that comes to {} never end; give it a way to END",
                state.name()
            ),
        )),
    }
}

fn moves_of(from: State, leaf: &Leaf<'_>) -> Result<Vec<(State, f64)>, ConfigError> {
    let mut moves: Vec<(State, f64)> = Vec::new();
    let mut sum = 0.0;
    for (name, value) in leaf.branch()?.rest() {
        let to = state(name, leaf, &value)?;
        let share = value.read(check::share)?;
        if !from.targets().contains(&to) && share > 0.0 {
            let targets: Vec<&str> = from.targets().iter().map(|state| state.name()).collect();
            let goes_on = format!("cannot lead to {name}, only to {}", targets.join(", "));
            return Err(refused(&within(leaf, &value), &goes_on));
        }
        sum += share;
        moves.push((to, share));
    }
    if (sum - 1.0).abs() > 0.01 + 1e-9 {
        let goes_on = format!("must sum to 1 (± 0.01), but sums to {sum:.4}");
        return Err(refused(leaf, &goes_on));
    }
    Ok(moves)
}

/// The state of this name, which stands in a section.
fn state(name: &str, section: &Leaf<'_>, value: &Leaf<'_>) -> Result<State, ConfigError> {
    State::from_name(name).ok_or_else(|| {
        let states = State::ALL.map(|state| state.name().to_owned());
        let near = nearest(&name.to_ascii_uppercase(), states.into_iter());
        let hint = near.map_or_else(String::new, |state| format!("; did you mean {state}?"));
        let goes_on = format!("has no state {}{hint}", name.escape_debug());
        refused(&within(section, value), &goes_on)
    })
}

/// The section, with the line of one of its values.
fn within<'a>(section: &Leaf<'a>, value: &Leaf<'a>) -> Leaf<'a> {
    Leaf {
        line: value.line,
        ..section.clone()
    }
}
