//! From the text of a configuration to its values.

use std::net::IpAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use jiff::tz::TimeZone;

use super::error::{Source, Wrong};
use super::pages;
use super::reader::{Notes, Section, Value};
use super::traffic::{Pattern, by_hour};
use super::tree::{self, Node};
use super::{
    AccessConfig, DiskConfig, ErrorsConfig, HealthConfig, LineFormat, MovesConfig, OutputConfig,
    PagesConfig, RotationConfig, SessionConfig, StatusConfig, TrafficConfig, UsersConfig, When,
};
use crate::config::nearest;
use crate::generate::access::state::{Shares, State, without_end};

/// The highest rate that is taken, in lines a second.
pub(super) const RATE_MAX: f64 = 1e8;

/// The longest time that is taken, in seconds: a year.
const TIME_MAX: f64 = 31_536_000.0;

/// Users at the same time, at most.
const USERS_MAX: u64 = 100_000;

/// Texts in one list, at most.
const LIST_MAX: usize = 10_000;

/// A configuration, and what should be written otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct Read {
    /// The configuration.
    pub config: AccessConfig,
    /// What works, but should be written otherwise.
    pub warnings: Vec<Wrong>,
}

/// Reads a configuration.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn read(source: &Source, bytes: &[u8]) -> Result<Read, Wrong> {
    let mut notes = Notes {
        source,
        warnings: Vec::new(),
    };
    let tree = tree::parse(source, bytes)?;
    let root = Value {
        path: String::new(),
        tree,
    };
    if matches!(root.tree.node, Node::Text(_) | Node::List(_)) {
        return Err(notes.wrong(
            root.line(),
            "a configuration must be sections: keys and their values",
        ));
    }
    let mut root = root.section(&notes)?;
    let mut take = |name: &'static str, notes: &Notes<'_>| -> Result<Option<Section>, Wrong> {
        root.take(name)
            .map(|value| value.section(notes))
            .transpose()
    };
    let output_section = take("output", &notes)?;
    let moves = take("state_transitions", &notes)?;
    let navigation = take("navigation", &notes)?;
    let errors = take("error_rates", &notes)?;
    let session = take("session", &notes)?;
    let status = take("status_codes", &notes)?;
    let agents = take("user_agents", &notes)?;
    let urls = take("urls", &notes)?;
    let traffic = root.take("traffic_patterns");
    let zone = root.take("time_zone");
    let mut users = UsersConfig {
        ip_ranges: networks(root.take("ip_ranges"), &notes)?,
        search_terms: texts(root.take("search_terms"), &notes)?,
        product_categories: texts(root.take("product_categories"), &notes)?,
        profile_tabs: texts(root.take("profile_tabs"), &notes)?,
        ..UsersConfig::default()
    };
    root.finish(&notes)?;
    if let Some(mut agents) = agents {
        users.desktop = texts(agents.take("desktop"), &notes)?;
        users.mobile = texts(agents.take("mobile"), &notes)?;
        agents.finish(&notes)?;
    }
    let config = AccessConfig {
        output: output(output_section, &notes)?,
        moves: transitions(moves, &notes)?,
        pages: PagesConfig {
            navigation: pages::navigation(navigation, &mut notes)?,
            urls: pages::urls(urls, &notes)?,
        },
        errors: error_rates(errors, &mut notes)?,
        session: times(session, &mut notes)?,
        traffic: patterns(traffic, zone, &mut notes)?,
        status: status_codes(status, &notes)?,
        users,
    };
    Ok(Read {
        config,
        warnings: notes.warnings,
    })
}

fn output(section: Option<Section>, notes: &Notes<'_>) -> Result<OutputConfig, Wrong> {
    let mut output = OutputConfig::default();
    let Some(mut section) = section else {
        return Ok(output);
    };
    if let Some(value) = section.take("directory") {
        output.directory = PathBuf::from(value.text(notes)?);
    }
    if let Some(value) = section.take("rate") {
        output.rate = rate(&value, notes)?;
    }
    if let Some(value) = section.take("debug") {
        output.debug = value.truth(notes)?;
    }
    if let Some(value) = section.take("pre_warm") {
        output.pre_warm = value.truth(notes)?;
    }
    if let Some(value) = section.take("format") {
        let format = value.text(notes).ok();
        let format = format.and_then(|name| LineFormat::from_name(&name));
        output.format = format.ok_or_else(|| {
            let names = LineFormat::ALL.map(LineFormat::name).join(", ");
            value.refuse(notes, &format!("one of {names}"))
        })?;
    }
    if let Some(value) = section.take("site") {
        let site = value.text(notes)?;
        let host = site
            .strip_prefix("https://")
            .or_else(|| site.strip_prefix("http://"));
        let fits = |host: &str| {
            !host.is_empty()
                && host.len() <= 255
                && host
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte))
        };
        if !host.is_some_and(fits) {
            return Err(value.refuse(notes, "a scheme and a host, like https://example.com"));
        }
        output.site = site;
    }
    if let Some(value) = section.take("health_check") {
        output.health = health(value.section(notes)?, notes)?;
    }
    if let Some(value) = section.take("log_rotation") {
        output.rotation = rotation(value.section(notes)?, notes)?;
    }
    if let Some(value) = section.take("disk_guard") {
        output.disk = disk(value.section(notes)?, notes)?;
    }
    section.finish(notes)?;
    Ok(output)
}

fn rate(value: &Value, notes: &Notes<'_>) -> Result<f64, Wrong> {
    const MUST: &str = "a number of lines a second above 0";
    value.number(notes, (f64::MIN_POSITIVE, RATE_MAX), MUST)
}

fn health(mut section: Section, notes: &Notes<'_>) -> Result<HealthConfig, Wrong> {
    let mut health = OutputConfig::default().health;
    if let Some(value) = section.take("enabled") {
        health.enabled = value.truth(notes)?;
    }
    if let Some(value) = section.take("address") {
        let address = value.text(notes)?.parse::<IpAddr>();
        health.address = address
            .map_err(|_not_one| value.refuse(notes, "an address, like 127.0.0.1 or 0.0.0.0"))?;
    }
    if let Some(value) = section.take("port") {
        health.port = u16::try_from(value.whole(notes, 0, 65_535)?).unwrap_or_default();
    }
    section.finish(notes)?;
    Ok(health)
}

fn rotation(mut section: Section, notes: &Notes<'_>) -> Result<RotationConfig, Wrong> {
    let mut rotation = OutputConfig::default().rotation;
    if let Some(value) = section.take("enabled") {
        rotation.enabled = value.truth(notes)?;
    }
    if let Some(value) = section.take("max_size_mb") {
        const MUST: &str = "a number of megabytes from 0 (any size) on";
        rotation.max_size_mb = value.number(notes, (0.0, 1e9), MUST)?;
    }
    if let Some(value) = section.take("when") {
        let when = value.text(notes).ok().and_then(|word| When::read(&word));
        rotation.when = when
            .ok_or_else(|| value.refuse(notes, "one of s, m, h, d, midnight, w0 (Monday) to w6"))?;
    }
    if let Some(value) = section.take("interval") {
        rotation.interval = u32::try_from(value.whole(notes, 0, 1_000_000)?).unwrap_or_default();
    }
    if let Some(value) = section.take("backup_count") {
        rotation.backup_count = u32::try_from(value.whole(notes, 0, 100_000)?).unwrap_or_default();
    }
    if let Some(value) = section.take("compress") {
        rotation.compress = value.truth(notes)?;
    }
    section.finish(notes)?;
    Ok(rotation)
}

impl When {
    /// Reads the word of the configuration; capitals count as small letters.
    #[must_use]
    pub fn read(word: &str) -> Option<Self> {
        Some(match word.to_ascii_lowercase().as_str() {
            "s" => Self::Seconds,
            "m" => Self::Minutes,
            "h" => Self::Hours,
            "d" => Self::Days,
            "midnight" => Self::Midnight,
            word => {
                let day = word.strip_prefix('w')?.parse::<u8>().ok()?;
                Self::Weekday((day <= 6).then_some(day)?)
            }
        })
    }

    /// The word of the configuration.
    #[must_use]
    pub fn word(self) -> String {
        match self {
            Self::Seconds => "s".to_owned(),
            Self::Minutes => "m".to_owned(),
            Self::Hours => "h".to_owned(),
            Self::Days => "d".to_owned(),
            Self::Midnight => "midnight".to_owned(),
            Self::Weekday(day) => format!("w{day}"),
        }
    }
}

fn disk(mut section: Section, notes: &Notes<'_>) -> Result<DiskConfig, Wrong> {
    let mut disk = OutputConfig::default().disk;
    if let Some(value) = section.take("enabled") {
        disk.enabled = value.truth(notes)?;
    }
    if let Some(value) = section.take("min_free_gb") {
        const MUST: &str = "a number of gigabytes from 0 on";
        disk.min_free_gb = value.number(notes, (0.0, 1e6), MUST)?;
    }
    if let Some(value) = section.take("interval") {
        disk.interval = value.whole(notes, 1, 86_400)?;
    }
    section.finish(notes)?;
    Ok(disk)
}

fn transitions(section: Option<Section>, notes: &Notes<'_>) -> Result<MovesConfig, Wrong> {
    let defaults = MovesConfig::default();
    let Some(mut section) = section else {
        return Ok(defaults);
    };
    let all = section.line;
    let mut shares: Shares = Vec::new();
    for (name, line, value) in section.rest() {
        let Some(from) = State::from_name(&name) else {
            return Err(notes.wrong(
                line,
                &format!("state_transitions has no state {name}{}", meant(&name)),
            ));
        };
        shares.push((from, moves_of(from, line, value, notes)?));
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
        Some(state) => Err(notes.wrong(
            all,
            &format!(
                "state_transitions: a session that comes to {} never ends; give it a way to END",
                state.name()
            ),
        )),
    }
}

fn moves_of(
    from: State,
    line: u64,
    value: Value,
    notes: &Notes<'_>,
) -> Result<Vec<(State, f64)>, Wrong> {
    let key = value.path.clone();
    let mut moves: Vec<(State, f64)> = Vec::new();
    let mut sum = 0.0;
    for (name, line, value) in value.section(notes)?.rest() {
        let Some(to) = State::from_name(&name) else {
            return Err(notes.wrong(line, &format!("{key} has no state {name}{}", meant(&name))));
        };
        let share = value.share(notes)?;
        if !from.targets().contains(&to) && share > 0.0 {
            let targets: Vec<&str> = from.targets().iter().map(|state| state.name()).collect();
            let sentence = format!(
                "{key} cannot lead to {name}, only to {}",
                targets.join(", ")
            );
            return Err(notes.wrong(line, &sentence));
        }
        sum += share;
        moves.push((to, share));
    }
    if (sum - 1.0).abs() > 0.01 + 1e-9 {
        let sentence = format!("{key} must sum to 1 (± 0.01), but sums to {sum:.4}");
        return Err(notes.wrong(line, &sentence));
    }
    Ok(moves)
}

fn meant(name: &str) -> String {
    let states = State::ALL.map(|state| state.name().to_owned());
    let near = nearest(&name.to_ascii_uppercase(), states.into_iter());
    near.map_or_else(String::new, |state| format!("; did you mean {state}?"))
}

fn error_rates(section: Option<Section>, notes: &mut Notes<'_>) -> Result<ErrorsConfig, Wrong> {
    let mut errors = ErrorsConfig::default();
    let Some(mut section) = section else {
        return Ok(errors);
    };
    let renamed: [(&mut f64, &'static str, &'static str); 8] = [
        (&mut errors.global_500_rate, "global_500_rate", "global_500"),
        (
            &mut errors.product_404_rate,
            "product_404_rate",
            "product_404",
        ),
        (
            &mut errors.cart_abandonment_rate,
            "cart_abandonment_rate",
            "cart_abandon",
        ),
        (
            &mut errors.checkout_500,
            "checkout_500",
            "checkout_500_rate",
        ),
        (
            &mut errors.redirect_301,
            "redirect_301",
            "redirect_301_rate",
        ),
        (
            &mut errors.redirect_302,
            "redirect_302",
            "redirect_302_rate",
        ),
        (
            &mut errors.forbidden_access,
            "forbidden_access",
            "forbidden_access_rate",
        ),
        (
            &mut errors.auth_failure,
            "auth_failure",
            "auth_failure_rate",
        ),
    ];
    for (place, name, other) in renamed {
        if let Some(value) = section.take_also(name, other, notes) {
            *place = value.share(notes)?;
        }
    }
    if let Some(value) = section.take("high_error_pages") {
        errors.high_error_pages = pages::high_error_pages(value, notes)?;
    }
    section.finish(notes)?;
    Ok(errors)
}

fn times(section: Option<Section>, notes: &mut Notes<'_>) -> Result<SessionConfig, Wrong> {
    const MUST: &str = "a number of seconds from 0 to a year";
    let mut session = SessionConfig::default();
    let Some(mut section) = section else {
        return Ok(session);
    };
    let seconds = |value: &Value, notes: &Notes<'_>| value.number(notes, (0.0, TIME_MAX), MUST);
    let pair = |section: &mut Section,
                names: [&'static str; 2],
                places: [&mut f64; 2]|
     -> Result<bool, Wrong> {
        let mut line = None;
        let [low, high] = places;
        for (place, name) in [(&mut *low, names[0]), (&mut *high, names[1])] {
            if let Some(value) = section.take(name) {
                *place = seconds(&value, notes)?;
                line = Some(value.line());
            }
        }
        match line {
            Some(line) if low > high => Err(notes.wrong(
                line,
                &format!(
                    "session.{} is {low}, which is more than session.{}, {high}",
                    names[0], names[1]
                ),
            )),
            line => Ok(line.is_some()),
        }
    };
    pair(
        &mut section,
        ["min_browsing_duration", "max_browsing_duration"],
        [
            &mut session.min_browsing_duration,
            &mut session.max_browsing_duration,
        ],
    )?;
    let told = pair(
        &mut section,
        ["min_page_view_interval", "max_page_view_interval"],
        [
            &mut session.min_page_view_interval,
            &mut session.max_page_view_interval,
        ],
    )?;
    if let Some(value) = section.take("page_view_interval") {
        let mean = seconds(&value, notes)?;
        let better = "use session.min_page_view_interval and session.max_page_view_interval";
        if told {
            let sentence =
                format!("session.page_view_interval has no effect beside the two others: {better}");
            notes.warn(value.line(), &sentence);
        } else {
            session.min_page_view_interval = mean * 0.5;
            session.max_page_view_interval = mean * 1.5;
            let sentence = format!(
                "session.page_view_interval is taken for pauses from {} to {} seconds: {better}",
                mean * 0.5,
                mean * 1.5
            );
            notes.warn(value.line(), &sentence);
        }
    }
    if let Some(value) = section.take("concurrent_users") {
        let users = value.whole(notes, 1, USERS_MAX)?;
        session.concurrent_users = u32::try_from(users).unwrap_or(u32::MAX);
    }
    section.finish(notes)?;
    Ok(session)
}

fn patterns(
    value: Option<Value>,
    zone: Option<Value>,
    notes: &mut Notes<'_>,
) -> Result<TrafficConfig, Wrong> {
    let mut traffic = TrafficConfig::default();
    if let Some(value) = zone {
        traffic.time_zone = value.text(notes)?;
        if TimeZone::get(&traffic.time_zone).is_err() {
            const MUST: &str = "the name of a time zone, like UTC or America/New_York";
            return Err(value.refuse(notes, MUST));
        }
    }
    let Some(value) = value else {
        return Ok(traffic);
    };
    let line = value.line();
    traffic.patterns = match value.tree.node {
        Node::Map(_) => by_times(value.section(notes)?, notes)?,
        _ => listed(value.items(notes)?, notes)?,
    };
    if let Err(23) = by_hour(&traffic.patterns)
        && let Some(pattern) = traffic.patterns.iter_mut().find(|pattern| pattern.to == 23)
    {
        pattern.to = 24;
        notes.warn(
            line,
            &format!(
                "traffic_patterns has no pattern for 23 h: \"{0}-23\" is taken for \"{0}-24\", write that",
                pattern.from
            ),
        );
    }
    let hours = by_hour(&traffic.patterns).map_err(|hour| {
        let sentence = format!(
            "traffic_patterns has no pattern that covers the hour from {hour} to {}",
            hour + 1
        );
        notes.wrong(line, &sentence)
    })?;
    match hours.iter().any(|multiplier| *multiplier > 0.0) {
        true => Ok(traffic),
        false => Err(notes.wrong(
            line,
            "traffic_patterns must have an hour with a multiplier above 0",
        )),
    }
}

/// The list of `time` and `multiplier`.
fn listed(items: Vec<Value>, notes: &Notes<'_>) -> Result<Vec<Pattern>, Wrong> {
    let mut patterns = Vec::new();
    for item in items {
        let (line, path) = (item.line(), item.path.clone());
        let mut entry = item.section(notes)?;
        let time = entry.take("time");
        let multiplier = entry.take("multiplier");
        entry.finish(notes)?;
        let (Some(time), Some(multiplier)) = (time, multiplier) else {
            return Err(notes.wrong(line, &format!("{path} must have a time and a multiplier")));
        };
        let text = time.text(notes)?;
        let multiplier = factor(&multiplier, notes)?;
        let pattern = Pattern::read(&text, multiplier);
        patterns.push(pattern.ok_or_else(|| time.refuse(notes, HOURS))?);
    }
    Ok(patterns)
}

/// Times as keys, also below `hourly`.
fn by_times(mut section: Section, notes: &Notes<'_>) -> Result<Vec<Pattern>, Wrong> {
    let mut section = match section.take("hourly") {
        Some(value) => {
            section.finish(notes)?;
            value.section(notes)?
        }
        None => section,
    };
    let mut patterns = Vec::new();
    for (time, line, value) in section.rest() {
        let pattern = Pattern::read(&time, factor(&value, notes)?).ok_or_else(|| {
            let sentence = format!("traffic_patterns has {time:?}, which is not {HOURS}");
            notes.wrong(line, &sentence)
        })?;
        patterns.push(pattern);
    }
    Ok(patterns)
}

const HOURS: &str = "two hours from 0 to 24 with a dash between, like 6-9 or 21-2";

fn factor(value: &Value, notes: &Notes<'_>) -> Result<f64, Wrong> {
    value.number(notes, (0.0, 1e6), "a number from 0 on")
}

fn status_codes(section: Option<Section>, notes: &Notes<'_>) -> Result<StatusConfig, Wrong> {
    let mut status = StatusConfig::default();
    let Some(mut section) = section else {
        return Ok(status);
    };
    let places: [(&mut u16, &'static str); 7] = [
        (&mut status.success, "success"),
        (&mut status.not_found, "not_found"),
        (&mut status.server_error, "server_error"),
        (&mut status.forbidden, "forbidden"),
        (&mut status.unauthorized, "unauthorized"),
        (&mut status.redirect_permanent, "redirect_permanent"),
        (&mut status.redirect_temporary, "redirect_temporary"),
    ];
    for (place, name) in places {
        if let Some(value) = section.take(name) {
            *place = u16::try_from(value.whole(notes, 100, 599)?).unwrap_or_default();
        }
    }
    section.finish(notes)?;
    Ok(status)
}

fn texts(value: Option<Value>, notes: &Notes<'_>) -> Result<Vec<String>, Wrong> {
    let items = listed_values(value, notes)?;
    items.iter().map(|item| item.text(notes)).collect()
}

fn networks(value: Option<Value>, notes: &Notes<'_>) -> Result<Vec<IpNet>, Wrong> {
    let network = |item: &Value| {
        let text = item.text(notes)?;
        let network = text.parse::<IpNet>().ok();
        let network = network.or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
        network.ok_or_else(|| item.refuse(notes, "a network, like 10.0.0.0/8, or an address"))
    };
    listed_values(value, notes)?.iter().map(network).collect()
}

fn listed_values(value: Option<Value>, notes: &Notes<'_>) -> Result<Vec<Value>, Wrong> {
    let Some(value) = value else {
        return Ok(Vec::new());
    };
    let (line, path) = (value.line(), value.path.clone());
    let items = value.items(notes)?;
    match items.len() <= LIST_MAX {
        true => Ok(items),
        false => Err(notes.wrong(line, &format!("{path} has more than {LIST_MAX} items"))),
    }
}
