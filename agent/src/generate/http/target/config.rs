//! `config/http.yaml`: what the target answers. An unknown key and a bad value are refused with their line.

mod print;
mod read;

use std::time::Duration;

use crate::config::{ConfigError, Refusal};

pub use read::{config_from_file, config_from_yaml};

/// What the target answers, and what its clients may take.
#[derive(Clone, Debug, PartialEq)]
pub struct TargetConfig {
    /// What clients may take.
    pub limits: LimitsConfig,
    /// What is answered.
    pub paths: Vec<PathConfig>,
}

/// `limits`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LimitsConfig {
    /// Connections at the same time.
    pub connections: u32,
    /// Bytes of a request's head.
    pub head: u32,
    /// Bytes of a request's body.
    pub body: u64,
    /// How long a connection may be without getting on.
    pub idle: Duration,
    /// Answers on one connection; `None`: any number.
    pub requests: Option<u64>,
}

/// One of `paths`.
#[derive(Clone, Debug, PartialEq)]
pub struct PathConfig {
    /// Which requests it answers.
    pub matches: Matches,
    /// Statuses with their weights.
    pub statuses: Vec<(u16, f64)>,
    /// Bytes of the body: least and most.
    pub size: (u64, u64),
    /// How the end of the body is told.
    pub framing: Framing,
    /// Bytes of a chunk.
    pub chunk: u32,
    /// The time before the answer.
    pub delay: Delay,
    /// Further fields.
    pub fields: Vec<(String, String)>,
    /// The share of each fault, in the order of [`Misdeed::ALL`].
    pub faults: [f64; Misdeed::ALL.len()],
}

/// Which requests a path answers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Matches {
    /// Those for this path.
    Path(String),
    /// Those for paths that begin so.
    Prefix(String),
}

/// How the end of a body is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Framing {
    /// Content-Length.
    Length,
    /// Chunks.
    Chunked,
    /// The end of the connection.
    Close,
}

impl Framing {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Length, Self::Chunked, Self::Close];

    /// The word in the file.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Length => "length",
            Self::Chunked => "chunked",
            Self::Close => "close",
        }
    }
}

/// The time before an answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Delay {
    /// None.
    None,
    /// Always the same.
    Fixed(Duration),
    /// Between two, each as likely.
    Uniform(Duration, Duration),
    /// The normal distribution of this mean and deviation; never less than none.
    Normal(Duration, Duration),
    /// The exponential distribution of this mean.
    Exponential(Duration),
}

/// What a target can do instead of answering.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Misdeed {
    /// Nothing is answered, and the connection stays open.
    Hang,
    /// The connection is reset.
    Reset,
    /// Bytes that are no HTTP, then the end.
    Garbage,
    /// The end, without an answer.
    Close,
    /// The head and half of the body, then the end.
    Cut,
    /// A head that says two lengths.
    Framing,
}

impl Misdeed {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Hang,
        Self::Reset,
        Self::Garbage,
        Self::Close,
        Self::Cut,
        Self::Framing,
    ];

    /// The word in the file.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Hang => "hang",
            Self::Reset => "reset",
            Self::Garbage => "garbage",
            Self::Close => "close",
            Self::Cut => "cut",
            Self::Framing => "framing",
        }
    }
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            connections: 8192,
            head: 16 << 10,
            body: 8 << 20,
            idle: Duration::from_secs(60),
            requests: None,
        }
    }
}

impl Default for PathConfig {
    fn default() -> Self {
        Self {
            matches: Matches::Prefix("/".to_owned()),
            statuses: vec![(200, 1.0)],
            size: (1024, 1024),
            framing: Framing::Length,
            chunk: 4096,
            delay: Delay::None,
            fields: Vec::new(),
            faults: [0.0; Misdeed::ALL.len()],
        }
    }
}

impl PathConfig {
    /// The defaults, for this path.
    #[must_use]
    pub fn of(path: &str) -> Self {
        Self {
            matches: Matches::Path(path.to_owned()),
            ..Self::default()
        }
    }

    fn sized(self, bytes: u64) -> Self {
        Self {
            size: (bytes, bytes),
            ..self
        }
    }

    fn bad(misdeed: Misdeed) -> Self {
        let mut path = Self::of(&format!("/fault/{}", misdeed.word()));
        if let Some(share) = path.faults.get_mut(misdeed as usize) {
            *share = 1.0;
        }
        path
    }
}

impl Default for TargetConfig {
    fn default() -> Self {
        let milliseconds = Duration::from_millis;
        let mut paths = vec![
            PathConfig::of("/").sized(128),
            PathConfig {
                framing: Framing::Chunked,
                chunk: 1024,
                ..PathConfig::of("/chunked").sized(16 << 10)
            },
            PathConfig {
                framing: Framing::Close,
                ..PathConfig::of("/close")
            },
            PathConfig {
                statuses: vec![(204, 1.0)],
                ..PathConfig::of("/empty")
            },
            PathConfig::of("/large").sized(1 << 20),
            PathConfig {
                delay: Delay::Exponential(milliseconds(20)),
                ..PathConfig::of("/slow")
            },
            PathConfig {
                statuses: vec![(200, 90.0), (302, 4.0), (404, 4.0), (500, 2.0)],
                size: (100, 5000),
                delay: Delay::Normal(milliseconds(5), milliseconds(1)),
                ..PathConfig::of("/mixed")
            },
        ];
        paths.extend(Misdeed::ALL.map(PathConfig::bad));
        paths.push(PathConfig::default());
        Self {
            limits: LimitsConfig::default(),
            paths,
        }
    }
}
