//! Without privileges: the shapes as a capture file, read by the code of `tapline read`.

use anyhow::Context as _;

use super::report::{Closing, Row};
use super::workplace::Workplace;
use super::{Plan, found, score};
use crate::cli::read::{CaptureSource, ReadArguments, read_into};
use crate::config::{Config, LogFormat, LogOutput};
use crate::generate::output::Destination;
use crate::generate::packets::LOCAL;
use crate::generate::packets::run::{self, Made, STEP_NS, To, read_truth};
use crate::generate::progress::Progress;
use crate::generate::schedule::Schedule;
use crate::generate::stop::Stop;
use crate::sink::log::OnFull;
use crate::sink::sqlite::{SqliteSettings, SqliteSink};

/// The rows of all shapes.
pub(super) fn rows(plan: &Plan, stop: &Stop) -> anyhow::Result<Vec<Row>> {
    let workplace = Workplace::new().context("cannot make a folder for temporary files")?;
    let folder = workplace.path();
    let (capture, told) = (folder.join("frames.pcap"), folder.join("truth.ndjson"));
    let frames = run::Plan {
        seed: plan.seed,
        shapes: plan.shapes.clone(),
        exchanges: plan.exchanges,
        count: None,
        rounds: Some(1),
        until: None,
        schedule: Schedule::Free,
        start: None,
        step_ns: STEP_NS,
        to: To::Capture(Destination::File(capture.clone())),
        truth: Some(Destination::New(told.clone())),
    };
    run::run(
        &frames,
        stop,
        &mut Progress::new(None, false),
        &mut Made::default(),
    )?;
    let (logs, data) = (folder.join("log"), folder.join("data"));
    let mut config = Config::defaults_of_read();
    config.log.output = LogOutput::Folder(logs.clone());
    config.log.format = LogFormat::Json;
    config.capture.local = LOCAL.iter().filter_map(|net| net.parse().ok()).collect();
    let store = SqliteSink::start(SqliteSettings {
        directory: data.clone(),
        on_full: OnFull::Block,
        ..SqliteSettings::default()
    })?;
    let arguments = ReadArguments {
        sources: vec![CaptureSource::File(capture)],
        duration: None,
        packets: None,
        json: false,
    };
    let lost = read_into(&config, &arguments, vec![Box::new(store)])?;
    let closing = Closing {
        lost,
        // A capture file has no account with identities: what was lost is all that is known.
        ledger_closed: None,
    };
    let truth = read_truth(&told).context("cannot read the truth")?;
    let found = found::read(&logs, &data)?;
    let scores = score::score(&truth, &found);
    let rows = scores
        .into_iter()
        .map(|(shape, score)| Row::new("read", None, shape, score, closing));
    Ok(rows.collect())
}
