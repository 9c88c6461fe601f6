//! Values that are one of a few words.

use super::Refusal;

/// A value that is one of a few words.
pub trait Word: Copy + PartialEq + 'static {
    /// All values, in the order in which they are listed.
    const ALL: &'static [Self];

    /// The word for this value.
    fn word(self) -> &'static str;
}

/// The value that `text` is the word for.
///
/// # Errors
/// A refusal that lists the words.
pub fn from_word<T: Word>(text: &str) -> Result<T, Refusal> {
    let found = T::ALL.iter().copied().find(|value| value.word() == text);
    found.ok_or_else(|| {
        let words: Vec<&str> = T::ALL.iter().map(|value| value.word()).collect();
        Refusal::new(format!("must be one of {}", words.join(", ")))
    })
}

/// Declares an enum whose values have words.
macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$value_about:meta])* $value:ident = $word:literal,)+ }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$value_about])* $value,)+
        }

        impl Word for $name {
            const ALL: &'static [Self] = &[$(Self::$value,)+];

            fn word(self) -> &'static str {
                match self {
                    $(Self::$value => $word,)+
                }
            }
        }
    };
}

pub(crate) use words;

words! {
    /// The hook that sees the packets (`capture.attach`).
    Attach {
        /// tc, and where that is not to be had the socket filter.
        Auto = "auto",
        /// tc ingress and egress.
        Tc = "tc",
        /// An AF_PACKET socket filter that keeps no packet.
        Socket = "socket",
        /// XDP for what comes in, tc egress for what goes out.
        Xdp = "xdp",
    }
}

words! {
    /// How XDP is attached (`capture.xdp_mode`).
    XdpMode {
        /// In the driver.
        Native = "native",
        /// In the network stack: any driver, slower.
        Generic = "generic",
    }
}

words! {
    /// How often a head that stays on the host is written (`capture.loopback`).
    Loopback {
        /// Once, as CQ or CR.
        Once = "once",
        /// Twice: also as SQ or SR, the view of the client.
        Both = "both",
    }
}

words! {
    /// How a line looks (`log.format`).
    LogFormat {
        /// Fields separated by spaces, one line a head.
        Classic = "classic",
        /// One JSON object a head.
        Json = "json",
        /// The combined format of NCSA and Apache, one line an exchange.
        Combined = "combined",
        /// One JSON object of the Elastic Common Schema an exchange.
        Ecs = "ecs",
        /// Zeek's http.log, one line an exchange.
        Zeek = "zeek",
    }
}

words! {
    /// What happens to queries (`redact.query`).
    RedactQuery {
        /// They stay, with the values of secret keys redacted.
        Keep = "keep",
        /// They are left out.
        Drop = "drop",
    }
}

words! {
    /// What a request to the HTTP API holds (`sinks.api.mode`).
    ApiMode {
        /// An array of records.
        Array = "array",
        /// One session, as an object.
        Single = "single",
    }
}

words! {
    /// How important a message is (`diagnostics.level`).
    Level {
        /// Something is broken or lost.
        Error = "error",
        /// Something needs attention.
        Warn = "warn",
        /// What the program does.
        Info = "info",
        /// How it does it.
        Debug = "debug",
        /// Every step, also of the libraries.
        Trace = "trace",
    }
}

words! {
    /// How a message looks (`diagnostics.format`).
    DiagnosticsFormat {
        /// One line of text.
        Text = "text",
        /// One JSON object a line.
        Json = "json",
    }
}

#[cfg(test)]
mod tests {
    use super::{Attach, Word as _, from_word};

    #[test]
    fn words_and_values_correspond() {
        for value in Attach::ALL {
            assert_eq!(from_word(value.word()), Ok(*value));
        }
        let refusal = from_word::<Attach>("TC").unwrap_err();
        assert_eq!(refusal.to_string(), "must be one of auto, tc, socket, xdp");
    }
}
