//! How soon the overview is drawn in a browser, over the same store while the same records arrive.

use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::{
    bench::target::{Bound, Target},
    node::Node,
    report::say,
    test::browser::{self, BROWSER_VARIABLE},
    workspace::Workspace,
};

/// Milliseconds from the start of the navigation until all panels of the overview are drawn.
const DRAWN_MS: f64 = 1000.0;

/// Bytes of the page and all that belongs to it, as they are sent.
const WEIGHT: f64 = 400_000.0;

/// What `tests/browser/measure.mjs` prints.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Page {
    /// Milliseconds until the cards have their numbers, of each round.
    cards_ms: Vec<f64>,
    /// Milliseconds until all panels are drawn, of each round.
    all_ms: Vec<f64>,
    /// Bytes of the page.
    bytes: f64,
}

/// Opens the page again and again. None where there is no Node or no browser, which is said.
///
/// # Errors
/// When the page cannot be drawn.
pub(super) fn measure(workspace: &Workspace, address: SocketAddr) -> Result<Option<Page>> {
    let node = match Node::setup(workspace) {
        Ok(node) => node,
        Err(error) => {
            say(format_args!("the page is not measured: {error:#}"));
            return Ok(None);
        }
    };
    let Some(browser) = browser::find()? else {
        say("the page is not measured: there is no chromium");
        return Ok(None);
    };
    let folder = workspace.root.join("tests/browser");
    node.install(&folder)?;
    let printed = node
        .node()
        .folder(&folder)
        .arg("measure.mjs")
        .arg(format!("http://{address}/"))
        .env(BROWSER_VARIABLE, browser)
        .stdout()?;
    let page = serde_json::from_str(printed.trim()).context("read what measure.mjs printed")?;
    Ok(Some(page))
}

impl Page {
    /// What is held against limits.
    pub(super) fn targets(&self) -> [Target; 2] {
        let drawn = median(&self.all_ms);
        [
            Target::new(
                "overview drawn, median",
                drawn,
                Bound::AtMost,
                DRAWN_MS,
                "ms",
            ),
            Target::new("page weight", self.bytes, Bound::AtMost, WEIGHT, "bytes"),
        ]
    }
}

/// The one in the middle; no number where there is none.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_in_the_middle_is_held_against_the_limit() {
        let page: Page =
            serde_json::from_str(r#"{"cards_ms":[1],"all_ms":[3000,900,800],"bytes":400001}"#)
                .unwrap();
        let [drawn, weight] = page.targets();
        assert!(drawn.met && !weight.met);
        assert_eq!(drawn.value, 900.0);
        assert!(median(&[]).is_nan());
    }
}
