//! What the access log is to be like: the resolved configuration of `tapline gen access`.
//!
//! The keys are those of access-log-generator, so that its configuration files can be used as they
//! are; names that only its code knew are taken with a warning that says which key to use. A key that
//! is missing has its default; one that does not exist is an error, as is a value that cannot be.

mod check;
mod error;
mod print;
mod read;
mod source;
mod traffic;

#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use ipnet::IpNet;

use super::state::{Shares, State};

pub use error::{Source, Wrong};
pub use print::print;
pub use read::{Read, read};
pub use source::{Environment, Found, SHIPPED, find};
pub use traffic::{Pattern, by_hour};

/// The resolved configuration.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct AccessConfig {
    /// Where lines go, how many, and how they look.
    pub output: OutputConfig,
    /// How a session moves from state to state.
    pub moves: MovesConfig,
    /// Which page comes after which.
    pub pages: PagesConfig,
    /// How often things go wrong.
    pub errors: ErrorsConfig,
    /// How long sessions and their pauses are.
    pub session: SessionConfig,
    /// How the rate changes over the day.
    pub traffic: TrafficConfig,
    /// The status of each outcome.
    pub status: StatusConfig,
    /// Who the users are.
    pub users: UsersConfig,
}

/// `output`.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputConfig {
    /// The folder of the log files.
    pub directory: PathBuf,
    /// Lines a second, before `traffic_patterns`.
    pub rate: f64,
    /// Say more in system.log.
    pub debug: bool,
    /// Write the lines of the 24 hours before the start first.
    pub pre_warm: bool,
    /// How a line looks.
    pub format: LineFormat,
    /// Scheme and host that the pages belong to, without a slash at the end.
    pub site: String,
    /// `output.health_check`.
    pub health: HealthConfig,
    /// `output.log_rotation`.
    pub rotation: RotationConfig,
    /// `output.disk_guard`.
    pub disk: DiskConfig,
}

/// How a line of access.log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineFormat {
    /// NCSA common.
    Common,
    /// NCSA combined: common with referrer and user agent.
    Combined,
    /// Combined with host and port in front.
    VhostCombined,
    /// Combined with the time taken in microseconds at the end (`%D`).
    CombinedTime,
    /// One JSON object a line.
    Json,
    /// W3C extended, with the fields of IIS.
    W3c,
    /// Time, method, path, status and milliseconds.
    Simple,
}

impl LineFormat {
    /// All, in the order in which they are listed.
    pub const ALL: [Self; 7] = [
        Self::Common,
        Self::Combined,
        Self::VhostCombined,
        Self::CombinedTime,
        Self::Json,
        Self::W3c,
        Self::Simple,
    ];

    /// The name in the configuration and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Common => "common",
            Self::Combined => "combined",
            Self::VhostCombined => "vhost_combined",
            Self::CombinedTime => "combined_time",
            Self::Json => "json",
            Self::W3c => "w3c",
            Self::Simple => "simple",
        }
    }

    /// The format of this name; `-` counts as `_`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let name = name.replace('-', "_").to_ascii_lowercase();
        Self::ALL.into_iter().find(|format| format.name() == name)
    }
}

/// `output.health_check`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthConfig {
    /// Whether there is one.
    pub enabled: bool,
    /// The address to listen on.
    pub address: IpAddr,
    /// The port; 0: the kernel picks one.
    pub port: u16,
}

/// `output.log_rotation`.
#[derive(Clone, Debug, PartialEq)]
pub struct RotationConfig {
    /// Whether files are ever put aside.
    pub enabled: bool,
    /// At this many million bytes of 1024 × 1024; 0: at any size.
    pub max_size_mb: f64,
    /// The unit of `interval`, or the day it begins with.
    pub when: When,
    /// After this many of `when`; 0: at any age.
    pub interval: u32,
    /// Files kept of each log; 0: all.
    pub backup_count: u32,
    /// Compress what was put aside, in the background.
    pub compress: bool,
}

/// `output.log_rotation.when`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// `s`.
    Seconds,
    /// `m`.
    Minutes,
    /// `h`.
    Hours,
    /// `d`.
    Days,
    /// `midnight`.
    Midnight,
    /// `w0` (Monday) to `w6`.
    Weekday(u8),
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

/// `output.disk_guard`.
#[derive(Clone, Debug, PartialEq)]
pub struct DiskConfig {
    /// Whether old files are deleted when the disk is nearly full.
    pub enabled: bool,
    /// They are below this many GiB of free space.
    pub min_free_gb: f64,
    /// Seconds between two looks.
    pub interval: u64,
}

/// `state_transitions`.
#[derive(Clone, Debug, PartialEq)]
pub struct MovesConfig(pub Shares);

/// `navigation` and `urls`.
#[derive(Clone, Debug, PartialEq)]
pub struct PagesConfig {
    /// Pages by the page that is open (`home`, or the first part of a path), with weights.
    pub navigation: Vec<(String, Vec<(String, f64)>)>,
    /// What is said about single pages.
    pub urls: Vec<UrlConfig>,
}

/// One page of `urls`.
#[derive(Clone, Debug, PartialEq)]
pub struct UrlConfig {
    /// The path; `*` stands for one of many.
    pub path: String,
    /// The share of requests that succeed; where it is told, `error_rates` has no part in this page.
    pub success: Option<f64>,
    /// The share of 404, where it is not that of `error_rates`.
    pub not_found: Option<f64>,
    /// The share of 500, where it is not that of `error_rates`.
    pub system_error: Option<f64>,
    /// The pages that come next, with weights, where they are not those of `navigation`.
    pub next_pages: Vec<(String, f64)>,
}

/// `error_rates`: likelihoods.
#[derive(Clone, Debug, PartialEq)]
pub struct ErrorsConfig {
    /// 500 on any page.
    pub global_500_rate: f64,
    /// 404 on pages of products.
    pub product_404_rate: f64,
    /// That a user who goes away leaves a full cart.
    pub cart_abandonment_rate: f64,
    /// 500 on /checkout.
    pub checkout_500: f64,
    /// 301 on any page.
    pub redirect_301: f64,
    /// 302 on any page.
    pub redirect_302: f64,
    /// 403 on pages below /admin.
    pub forbidden_access: f64,
    /// 401 on pages below /profile.
    pub auth_failure: f64,
    /// 500 on these pages.
    pub high_error_pages: Vec<(String, f64)>,
}

/// `session`: times in seconds.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionConfig {
    /// The shortest stay in BROWSING.
    pub min_browsing_duration: f64,
    /// The longest.
    pub max_browsing_duration: f64,
    /// The shortest pause between two pages.
    pub min_page_view_interval: f64,
    /// The longest.
    pub max_page_view_interval: f64,
    /// Users at the same time, at most.
    pub concurrent_users: u32,
}

/// `traffic_patterns` and `time_zone`.
#[derive(Clone, Debug, PartialEq)]
pub struct TrafficConfig {
    /// The first that holds an hour counts.
    pub patterns: Vec<Pattern>,
    /// The name of the zone whose hours they are.
    pub time_zone: String,
}

/// `status_codes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusConfig {
    /// All is well.
    pub success: u16,
    /// No such page.
    pub not_found: u16,
    /// The server failed.
    pub server_error: u16,
    /// Not for this user.
    pub forbidden: u16,
    /// Not without a login.
    pub unauthorized: u16,
    /// Moved for good.
    pub redirect_permanent: u16,
    /// Moved for now.
    pub redirect_temporary: u16,
}

/// `user_agents`, `ip_ranges` and what users look for. An empty list is the built-in one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsersConfig {
    /// User agents of computers.
    pub desktop: Vec<String>,
    /// User agents of telephones.
    pub mobile: Vec<String>,
    /// Networks that addresses are from.
    pub ip_ranges: Vec<IpNet>,
    /// What they search for.
    pub search_terms: Vec<String>,
    /// Categories of products, in place of numbers.
    pub product_categories: Vec<String>,
    /// Tabs of /profile.
    pub profile_tabs: Vec<String>,
}

impl Default for OutputConfig {
    fn default() -> Self {
        Self {
            directory: PathBuf::from("/var/log/app"),
            rate: 10.0,
            debug: false,
            pre_warm: false,
            format: LineFormat::Combined,
            site: "https://example.com".to_owned(),
            health: HealthConfig {
                enabled: true,
                address: Ipv4Addr::LOCALHOST.into(),
                port: 8080,
            },
            rotation: RotationConfig {
                enabled: true,
                max_size_mb: 1000.0,
                when: When::Hours,
                interval: 1,
                backup_count: 30,
                compress: true,
            },
            disk: DiskConfig {
                enabled: true,
                min_free_gb: 1.0,
                interval: 300,
            },
        }
    }
}

impl Default for MovesConfig {
    fn default() -> Self {
        use State::{Abandon, Browsing, DirectAccess, End, Error, Leave, Login, Logout, Start};
        Self(vec![
            (Start, vec![(Login, 0.7), (DirectAccess, 0.3)]),
            (Login, vec![(Browsing, 0.9), (Abandon, 0.1)]),
            (DirectAccess, vec![(Browsing, 0.8), (Leave, 0.2)]),
            (
                Browsing,
                vec![
                    (Logout, 0.4),
                    (Abandon, 0.3),
                    (Error, 0.05),
                    (Browsing, 0.25),
                ],
            ),
            (Logout, vec![(End, 1.0)]),
            (Abandon, vec![(End, 1.0)]),
            (Error, vec![(End, 1.0)]),
            (Leave, vec![(End, 1.0)]),
        ])
    }
}

impl Default for PagesConfig {
    fn default() -> Self {
        let home = [
            ("/", 0.2),
            ("/about", 0.3),
            ("/products", 0.4),
            ("/search", 0.1),
        ];
        let home = home.map(|(path, weight)| (path.to_owned(), weight));
        Self {
            navigation: vec![("home".to_owned(), home.to_vec())],
            urls: Vec::new(),
        }
    }
}

impl Default for ErrorsConfig {
    fn default() -> Self {
        Self {
            global_500_rate: 0.02,
            product_404_rate: 0.1,
            cart_abandonment_rate: 0.5,
            checkout_500: 0.01,
            redirect_301: 0.01,
            redirect_302: 0.02,
            forbidden_access: 0.005,
            auth_failure: 0.01,
            high_error_pages: Vec::new(),
        }
    }
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self {
            min_browsing_duration: 10.0,
            max_browsing_duration: 300.0,
            min_page_view_interval: 2.0,
            max_page_view_interval: 10.0,
            concurrent_users: 10_000,
        }
    }
}

impl Default for TrafficConfig {
    fn default() -> Self {
        let patterns = [
            (2, 6, 0.1),
            (6, 9, 0.3),
            (9, 12, 0.7),
            (12, 15, 1.0),
            (15, 18, 0.8),
            (18, 21, 0.5),
            (21, 2, 0.2),
        ];
        Self {
            patterns: patterns.map(Pattern::from).to_vec(),
            time_zone: "UTC".to_owned(),
        }
    }
}

impl Default for StatusConfig {
    fn default() -> Self {
        Self {
            success: 200,
            not_found: 404,
            server_error: 500,
            forbidden: 403,
            unauthorized: 401,
            redirect_permanent: 301,
            redirect_temporary: 302,
        }
    }
}
