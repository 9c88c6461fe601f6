//! What `--version` says, in the form of access-log-generator.

use std::ffi::OsString;

/// The text, with what `APP_VERSION`, `GIT_COMMIT` and `BUILD_DATE` say, as `variable` gives them.
#[must_use]
pub fn text(variable: impl Fn(&str) -> Option<OsString>) -> String {
    let told = |name: &str, default: &str| {
        let value = variable(name).and_then(|value| value.into_string().ok());
        let value = value.filter(|value| !value.is_empty() && !value.chars().any(char::is_control));
        value.unwrap_or_else(|| default.to_owned())
    };
    let own = concat!("v", env!("CARGO_PKG_VERSION"));
    let version = told("APP_VERSION", own);
    let commit = told("GIT_COMMIT", "unknown");
    let date = told("BUILD_DATE", "unknown");
    format!(
        "Access Log Generator\n\
         Version:     {version}\n\
         Git Commit:  {commit}\n\
         Build Date:  {date}\n\
         Tapline:     {}\n\
         \n\
         Repository:  -\n\
         Registry:    -\n",
        env!("CARGO_PKG_VERSION")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_told() {
        let variable = |name: &str| match name {
            "APP_VERSION" => Some("v2.0.0".into()),
            "GIT_COMMIT" => Some("2429aee".into()),
            "BUILD_DATE" => Some("two\nlines".into()),
            _ => None,
        };
        let text = text(variable);
        assert!(text.starts_with("Access Log Generator\nVersion:     v2.0.0\nGit Commit:  2429aee\nBuild Date:  unknown\n"), "{text}");
        assert!(super::text(|_| None).contains("Version:     v"));
    }
}
