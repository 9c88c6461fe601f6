//! Two network namespaces joined by a veth pair. They are gone when the value is dropped; what a
//! killed demo left behind is removed by the next.

use std::{ffi::OsStr, fs, net::Ipv4Addr};

use anyhow::{Context as _, Result};

use crate::{process::Step, report::say};

/// The server's end of the pair.
pub(crate) const SERVER_INTERFACE: &str = "server0";
/// The client's end.
pub(crate) const CLIENT_INTERFACE: &str = "client0";

/// What the names of all namespaces start with that a demo makes; its process id follows.
const PREFIX: &str = "tapline-demo-";

/// The two namespaces of this process.
#[derive(Debug)]
pub(crate) struct Namespaces {
    server: Namespace,
    client: Namespace,
}

impl Namespaces {
    /// Makes both and the pair between them, with these addresses.
    ///
    /// # Errors
    /// When `ip` fails; what was made until then is removed.
    pub(crate) fn make(server: Ipv4Addr, client: Ipv4Addr) -> Result<Self> {
        remove_leftovers()?;
        let id = std::process::id();
        let namespaces = Self {
            server: Namespace::make(format!("{PREFIX}{id}-server"))?,
            client: Namespace::make(format!("{PREFIX}{id}-client"))?,
        };
        ip(&[
            "-n",
            &namespaces.server.0,
            "link",
            "add",
            SERVER_INTERFACE,
            "type",
            "veth",
        ])
        .args([
            "peer",
            "name",
            CLIENT_INTERFACE,
            "netns",
            &namespaces.client.0,
        ])
        .stdout()?;
        for (namespace, interface, address) in [
            (&namespaces.server, SERVER_INTERFACE, server),
            (&namespaces.client, CLIENT_INTERFACE, client),
        ] {
            let address = format!("{address}/24");
            ip(&[
                "-n",
                &namespace.0,
                "address",
                "add",
                &address,
                "dev",
                interface,
            ])
            .stdout()?;
            ip(&["-n", &namespace.0, "link", "set", interface, "up"]).stdout()?;
            ip(&["-n", &namespace.0, "link", "set", "lo", "up"]).stdout()?;
        }
        Ok(namespaces)
    }

    /// A command that runs on the server's side.
    pub(crate) fn in_server(&self, program: impl AsRef<OsStr>) -> Step {
        ip(&["netns", "exec", &self.server.0]).arg(program)
    }

    /// A command that runs on the client's side.
    pub(crate) fn in_client(&self, program: impl AsRef<OsStr>) -> Step {
        ip(&["netns", "exec", &self.client.0]).arg(program)
    }
}

/// One namespace, by name.
#[derive(Debug)]
struct Namespace(String);

impl Namespace {
    fn make(name: String) -> Result<Self> {
        ip(&["netns", "add", &name]).stdout()?;
        Ok(Self(name))
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.0) {
            say(format_args!(
                "remove the network namespace {}: {error:#}",
                self.0
            ));
        }
    }
}

/// Whether a process of this number is running this program.
pub(crate) fn is_alive(id: u32) -> bool {
    let own = fs::read_to_string("/proc/self/comm").unwrap_or_default();
    fs::read_to_string(format!("/proc/{id}/comm")).is_ok_and(|name| name == own)
}

fn remove_leftovers() -> Result<()> {
    let listed = ip(&["netns", "list"]).stdout()?;
    for name in listed
        .lines()
        .filter_map(|line| line.split_whitespace().next())
    {
        if owner(name).is_some_and(|id| !is_alive(id)) {
            say(format_args!("removing {name}, which a demo left behind"));
            remove(name)?;
        }
    }
    Ok(())
}

/// The process that made the namespace, if a demo did.
fn owner(name: &str) -> Option<u32> {
    let (id, side) = name.strip_prefix(PREFIX)?.split_once('-')?;
    if side == "server" || side == "client" {
        id.parse().ok()
    } else {
        None
    }
}

/// Ends what still runs in a namespace, then removes it.
fn remove(name: &str) -> Result<()> {
    let listed = ip(&["netns", "pids", name])
        .without_interruption()
        .stdout()?;
    for id in listed
        .lines()
        .filter_map(|line| line.trim().parse::<i32>().ok())
    {
        // SAFETY: kill takes no memory. The process is in a namespace that only a demo made.
        unsafe { libc::kill(id, libc::SIGKILL) };
    }
    ip(&["netns", "delete", name])
        .without_interruption()
        .stdout()
        .with_context(|| format!("remove the network namespace {name}"))?;
    Ok(())
}

fn ip(arguments: &[&str]) -> Step {
    Step::new("ip").args(arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_names_of_a_demo_are_its_own() {
        let check = |name: &str, id: Option<u32>| assert_eq!(owner(name), id, "{name}");
        check("tapline-demo-123-server", Some(123));
        check("tapline-demo-4-client", Some(4));
        check("tapline-demo-4-other", None);
        check("tapline-demo-x-server", None);
        check("my-tapline-demo-4-server", None);
        check("tapline-demo-4", None);
        check("", None);
    }

    #[test]
    fn a_process_that_is_gone_owns_nothing() {
        assert!(is_alive(std::process::id()));
        assert!(!is_alive(u32::MAX));
    }
}
