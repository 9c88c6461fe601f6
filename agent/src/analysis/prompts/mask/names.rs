//! Names that say what the value behind them is: a user, a secret.

/// What the name before a value says of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Name {
    /// Nothing.
    None,
    /// A name, and it is not sure yet that a value follows.
    Candidate(Sort),
    /// A value follows.
    Of(Sort),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Sort {
    User,
    Secret,
}

impl Name {
    /// A word may be the name of what follows.
    pub(super) fn before(word: &str, before: &Self) -> Self {
        let mut name: String = word
            .chars()
            .filter(|letter| !matches!(letter, '_' | '-' | '.'))
            .collect();
        name.make_ascii_lowercase();
        if matches!(name.as_str(), "bearer" | "basic") {
            return Self::Of(Sort::Secret);
        }
        if USERS.contains(&name.as_str()) {
            return Self::Candidate(Sort::User);
        }
        let is_secret = SECRETS.contains(&name.as_str())
            || name.ends_with("token")
            || name.ends_with("password")
            || name.ends_with("secret")
            || name.ends_with("apikey");
        match (is_secret, before) {
            (true, _) => Self::Candidate(Sort::Secret),
            // A user's name follows `user`, not `user for`.
            (false, _) => Self::None,
        }
    }

    /// What a sign behind the name makes of it.
    pub(super) fn behind(self, sign: char) -> Self {
        match (self, sign) {
            (Self::Candidate(sort), '=' | ':') => Self::Of(sort),
            // `user alice` is one, `token expired` is not.
            (Self::Candidate(Sort::User), ' ') => Self::Of(Sort::User),
            (Self::Candidate(_), '"' | '\'') => self,
            (Self::Of(_), ' ' | '"' | '\'' | '=' | ':') => self,
            _ => Self::None,
        }
    }
}

/// Words that stand where a user would, and are none.
pub(super) fn is_plain_value(word: &str) -> bool {
    matches!(
        word,
        "-" | "null"
            | "none"
            | "true"
            | "false"
            | "for"
            | "is"
            | "not"
            | "was"
            | "has"
            | "agent"
            | "in"
            | "from"
            | "logged"
    )
}

/// Names whose values are users.
const USERS: [&str; 14] = [
    "user",
    "userid",
    "username",
    "uid",
    "login",
    "account",
    "accountid",
    "remoteuser",
    "customer",
    "customerid",
    "clientid",
    "owner",
    "author",
    "sub",
];

/// Names whose values are secrets.
const SECRETS: [&str; 24] = [
    "password",
    "passwd",
    "pwd",
    "pass",
    "passphrase",
    "secret",
    "clientsecret",
    "token",
    "accesstoken",
    "refreshtoken",
    "idtoken",
    "authtoken",
    "apikey",
    "key",
    "auth",
    "authorization",
    "cookie",
    "setcookie",
    "session",
    "sessionid",
    "sid",
    "signature",
    "sig",
    "otp",
];
