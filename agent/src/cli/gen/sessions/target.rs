//! The API that sessions go to, as its flags say.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::ApiArguments;
use crate::exit::UsageError;
use crate::generate::sessions::api::SendSettings;
use crate::generate::stop::Stop;
use crate::sink::api::{Names, Target, TargetError};

/// The flags that say where the API is.
const NAMES: Names = Names {
    url: "--api-url",
    token_file: "--token-file",
    ca_file: "--ca-file",
    gzip: "--gzip",
};

impl ApiArguments {
    /// As the sender takes them. Reads the token and certificates.
    pub(super) fn settings(&self, stop: &Stop) -> anyhow::Result<SendSettings> {
        let path = |path: &Option<PathBuf>| path.as_deref().map(Path::to_path_buf);
        let (token, certificates) = (path(&self.token_file), path(&self.ca_file));
        let target = Target::named(NAMES, &self.url, token.as_deref(), certificates.as_deref());
        let target = target.map_err(|error| {
            let flag = match error {
                TargetError::Address { .. } => NAMES.url,
                TargetError::Token { .. } | TargetError::NoToken { .. } => NAMES.token_file,
                _ => NAMES.ca_file,
            };
            UsageError(format!("{flag}: {:#}", anyhow::Error::new(error)))
        })?;
        Ok(SendSettings {
            target,
            batch: self.batch,
            connections: self.connections.into(),
            gzip: self.gzip,
            timeout: Duration::from_secs(5),
            patience: self.patience,
            stop: stop.clone(),
        })
    }
}
