//! One run: lines of the day before if they are wanted, then lines as they are due.

mod account;
mod engine;
mod plan;
mod sink;

use std::io::{self, Write as _};
use std::sync::Arc;

use anyhow::Context as _;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use self::engine::Engine;
use self::sink::Sink;
use super::config::by_hour;
use super::day::{Day, nanoseconds};
use super::health::{self, Health, Told};
use super::line::Style;
use super::work::{Makers, Material};
use super::world::World;
use crate::generate::stop::Stop;

pub use self::account::{DayBefore, Done};
pub use self::plan::{Pace, Plan, To};

/// Runs until there are enough lines or it is time to stop. `begins` is called when all is open. Gives
/// what it came to, also where it ended with an error.
///
/// # Errors
/// The configured zone is none, the port is taken, a file cannot be opened.
pub fn run(
    plan: &Plan,
    stop: &Stop,
    begins: impl FnOnce(),
) -> anyhow::Result<(Done, anyhow::Result<()>)> {
    let config = &plan.config;
    let zone = TimeZone::get(&config.traffic.time_zone)
        .with_context(|| format!("there is no time zone {}", config.traffic.time_zone))?;
    let hours = by_hour(&config.traffic.patterns).unwrap_or([1.0; 24]);
    let listener = health::bind(plan.listen)?;
    let address = listener.address();
    let world = Arc::new(World::new(config, plan.seed));
    let style = Style::new(config.output.format, &world, &config.output.site);
    for (key, page) in world.site.never_opened(config) {
        warn(
            plan.is_quiet,
            &format!("{key} has {page}, which no user opens"),
        );
    }
    let begin = nanoseconds(plan.start.unwrap_or_else(Timestamp::now));
    if let Some(sentence) = plan.loses(begin, &zone) {
        warn(plan.is_quiet, &sentence);
    }
    let highest = hours.iter().copied().fold(0.0, f64::max);
    let (rate, is_full_house) = match (plan.pace, plan.start) {
        (Pace::Rate(rate), _) => (rate, false),
        (Pace::Free, Some(_)) => (config.output.rate, false),
        (Pace::Free, None) => (config.output.rate, true),
    };
    // The users that it takes where the multiplier is 1.
    let usual = rate / plan.speedup * world.pause.middle();
    let day = |from: i64| Day::new(from, rate, plan.speedup, hours, zone.clone());
    let mut first = day(plan.from(begin));
    let (first, multiplier) = (first.peek(), first.multiplier());
    let material = Material {
        is_full_house: is_full_house || usual * highest > f64::from(world.users),
        begin: first,
        needed: match is_full_house && !config.output.pre_warm {
            true => f64::INFINITY,
            false => usual * multiplier,
        },
        with_errors: plan.to != To::Stdout,
        seed: plan.seed,
        style: Arc::new(style),
        world,
    };
    let sink = Sink::open(plan, &zone, material.style.file_head())?;
    let directory = config.output.directory.display().to_string();
    let told = Arc::new(Told::new(directory, rate));
    let health = match address {
        Some(address) => {
            let health = Health::start(listener, address, Arc::clone(&told));
            Some(health.context("cannot start the health check")?)
        }
        None => None,
    };
    let makers = Makers::start(&material, plan.jobs).context("cannot start a thread")?;
    let mut engine = Engine::new(plan, stop, makers, sink, told);
    begins();
    if let Some(health) = &health {
        engine.say(&format!(
            "Health check server started on port {}",
            health.address.port()
        ))?;
        if !plan.is_quiet {
            say(&format!(
                "tapline: health check at http://{}/health",
                health.address
            ));
        }
    }
    let ended = engine.run(begin, day);
    drop(health);
    Ok(ended)
}

/// Says on stderr what should be otherwise.
pub fn warn(is_quiet: bool, warning: &str) {
    if !is_quiet {
        say(&format!("tapline: warning: {warning}"));
    }
}

/// Says a line on stderr.
pub fn say(line: &str) {
    // Where stderr is gone there is nobody to tell.
    drop(writeln!(io::stderr().lock(), "{line}"));
}
