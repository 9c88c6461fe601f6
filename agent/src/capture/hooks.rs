//! Hooks: where on an interface the kernel programs sit, and taking them off again.
//!
//! | hook | incoming | outgoing | ends with the process |
//! |---|---|---|---|
//! | tcx (Linux 6.6) | tc ingress | tc egress | always: a bpf link |
//! | clsact (before) | tc ingress | tc egress | no: the next start cleans up |
//! | socket | packet socket | the same | always: a socket |
//! | XDP | XDP | tc egress | always: a bpf link |
//!
//! The loopback interface shows each packet twice; it is watched at ingress alone.

mod owner;
mod socket;

use std::collections::BTreeMap;
use std::fmt;

use aya::programs::tc::{NlOptions, SchedClassifierLink, TcAttachOptions, TcError};
use aya::programs::xdp::{XdpLink, XdpMode as AyaXdpMode};
use aya::programs::{LinkOrder, ProgramError, SchedClassifier, TcAttachType, Xdp, tc};
use aya::util::KernelVersion;

use super::programs::{LoadError, Programs, in_one_line};
use crate::config::{Attach, XdpMode};
use crate::host::interfaces::{Interface, LinkLayer};
use crate::server::Interface as Captured;
use owner::Owner;
use socket::PacketSocket;

/// Why a hook cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    /// The program cannot be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The kernel refuses the hook.
    #[error("cannot attach to {hook} of {interface}: {reason}")]
    Attach {
        /// The hook.
        hook: &'static str,
        /// The interface.
        interface: String,
        /// What the kernel says, and what to do where that is known.
        reason: String,
    },
    /// Frames that cannot be read.
    #[error(
        "cannot capture on {interface}: its frames begin with neither an Ethernet nor an IP header (ARPHRD {kind})"
    )]
    LinkLayer {
        /// The interface.
        interface: String,
        /// The kernel's number for the kind of frames.
        kind: u16,
    },
}

/// What sits on one interface; gone when dropped.
#[derive(Debug)]
struct Attached {
    interface: String,
    hooks: Vec<Hook>,
}

#[derive(Debug)]
enum Hook {
    Tc {
        name: &'static str,
        #[expect(dead_code, reason = "held: dropping it detaches")]
        link: SchedClassifierLink,
    },
    Xdp {
        name: &'static str,
        #[expect(dead_code, reason = "held: dropping it detaches")]
        link: XdpLink,
    },
    Socket {
        #[expect(dead_code, reason = "held: closing it detaches")]
        socket: PacketSocket,
    },
    Owner {
        #[expect(dead_code, reason = "held: says that the owner of the filters lives")]
        owner: Owner,
    },
}

impl fmt::Display for Attached {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({})", self.interface, self.hooks())
    }
}

impl Attached {
    /// The hooks in words, with commas.
    fn hooks(&self) -> String {
        let names = self.hooks.iter().filter_map(|hook| match hook {
            Hook::Tc { name, .. } | Hook::Xdp { name, .. } => Some(*name),
            Hook::Socket { .. } => Some("packet socket"),
            Hook::Owner { .. } => None,
        });
        names.collect::<Vec<&str>>().join(", ")
    }
}

/// The hooks of all interfaces.
#[expect(missing_debug_implementations, reason = "aya's maps have none")]
pub struct Hooks {
    programs: Programs,
    attach: Attach,
    xdp_mode: XdpMode,
    attached: BTreeMap<u32, Attached>,
}

impl Hooks {
    /// No hooks yet.
    #[must_use]
    pub fn new(programs: Programs, attach: Attach, xdp_mode: XdpMode) -> Self {
        Self {
            programs,
            attach,
            xdp_mode,
            attached: BTreeMap::new(),
        }
    }

    /// The programs, for their counters.
    #[must_use]
    pub fn programs(&self) -> &Programs {
        &self.programs
    }

    /// As [`Programs::flush_log`].
    pub fn flush_log(&mut self) {
        self.programs.flush_log();
    }

    /// Whether something sits on the interface of this index.
    #[must_use]
    pub fn is_attached(&self, index: u32) -> bool {
        self.attached.contains_key(&index)
    }

    /// Number of interfaces with hooks.
    #[must_use]
    pub fn len(&self) -> usize {
        self.attached.len()
    }

    /// Whether no interface has hooks.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.attached.is_empty()
    }

    /// The interfaces with their hooks: `eth0 (tcx ingress, tcx egress), …`.
    #[must_use]
    pub fn describe(&self) -> String {
        let texts: Vec<String> = self.attached.values().map(ToString::to_string).collect();
        texts.join(", ")
    }

    /// The interfaces that hooks sit on, with these.
    pub fn interfaces(&self) -> impl Iterator<Item = Captured> {
        self.attached.values().map(|attached| Captured {
            name: attached.interface.clone(),
            hook: attached.hooks(),
        })
    }

    /// The hooks of one interface, as [`Hooks::describe`] gives them.
    #[must_use]
    pub fn describe_one(&self, index: u32) -> Option<String> {
        self.attached.get(&index).map(ToString::to_string)
    }

    /// Takes the hooks of an interface; nothing to do when they are taken.
    ///
    /// # Errors
    /// The kernel refuses; nothing is attached to this interface then.
    pub fn attach(&mut self, interface: &Interface) -> Result<(), HookError> {
        if self.attached.contains_key(&interface.index) {
            return Ok(());
        }
        let target = Target::of(interface)?;
        let hooks = match self.attach {
            Attach::Tc => self.tc(&target)?,
            Attach::Socket => self.socket(&target)?,
            Attach::Xdp => self.xdp(&target)?,
            Attach::Auto => match self.tc(&target) {
                Ok(hooks) => hooks,
                Err(error) => {
                    tracing::warn!(
                        interface = %interface.name,
                        error = &error as &dyn std::error::Error,
                        "no tc hook, a packet socket is taken instead"
                    );
                    self.socket(&target)?
                }
            },
        };
        self.attached.insert(
            interface.index,
            Attached {
                interface: interface.name.clone(),
                hooks,
            },
        );
        Ok(())
    }

    /// Takes everything off an interface, or forgets one that is gone.
    pub fn detach(&mut self, index: u32) {
        self.attached.remove(&index);
    }

    /// Takes everything off all interfaces.
    pub fn detach_all(&mut self) {
        self.attached.clear();
    }

    fn tc(&mut self, target: &Target<'_>) -> Result<Vec<Hook>, HookError> {
        let owner = Owner::of(target.index);
        // Loading takes long, attaching does not.
        self.programs.program(Way::In.classifier(target.raw))?;
        // Outgoing first: a response without its request is nothing special, but requests whose
        // responses are not seen look like pipelined ones, and escalate every busy connection.
        let outgoing = if target.loopback {
            None
        } else {
            Some(self.classifier(target, Way::Out, owner.as_ref())?)
        };
        let mut hooks = vec![self.classifier(target, Way::In, owner.as_ref())?];
        hooks.extend(outgoing);
        hooks.extend(owner.map(|owner| Hook::Owner { owner }));
        Ok(hooks)
    }

    /// Attaches a classifier to one direction: before all others with tcx, so that no other program
    /// hides packets, else beside them in clsact.
    fn classifier(
        &mut self,
        target: &Target<'_>,
        way: Way,
        owner: Option<&Owner>,
    ) -> Result<Hook, HookError> {
        let direction = match way {
            Way::In => TcAttachType::Ingress,
            Way::Out => TcAttachType::Egress,
        };
        let tcx = has_tcx();
        let name = match (way, tcx) {
            (Way::In, true) => "tcx ingress",
            (Way::Out, true) => "tcx egress",
            (Way::In, false) => "tc ingress",
            (Way::Out, false) => "tc egress",
        };
        let refused = |error: &dyn std::error::Error| HookError::Attach {
            hook: name,
            interface: target.name.to_owned(),
            reason: in_one_line(error),
        };
        let program = self.programs.program(way.classifier(target.raw))?;
        let program = <&mut SchedClassifier>::try_from(program).map_err(|error| refused(&error))?;
        let options = if tcx {
            TcAttachOptions::TcxOrder(LinkOrder::first())
        } else {
            make_clsact(target.name).map_err(|error| refused(&error))?;
            // Only what a dead process left: a living one holds the lock.
            if owner.is_some() {
                clean_up(target, direction);
            }
            TcAttachOptions::Netlink(NlOptions::default())
        };
        let link = program
            .attach_with_options(target.name, direction, options)
            .and_then(|id| program.take_link(id))
            .map_err(|error| refused(&error))?;
        Ok(Hook::Tc { name, link })
    }

    fn socket(&mut self, target: &Target<'_>) -> Result<Vec<Hook>, HookError> {
        let refused = |error: &dyn std::error::Error| HookError::Attach {
            hook: "packet socket",
            interface: target.name.to_owned(),
            reason: in_one_line(error),
        };
        let program = self.programs.socket_filter(target.raw)?;
        // Filter first, then bind: no packet is seen without the filter.
        let socket = PacketSocket::new(target.loopback).map_err(|error| refused(&error))?;
        program.attach(&socket).map_err(|error| refused(&error))?;
        socket.bind(target.index).map_err(|error| refused(&error))?;
        Ok(vec![Hook::Socket { socket }])
    }

    fn xdp(&mut self, target: &Target<'_>) -> Result<Vec<Hook>, HookError> {
        let (mode, name) = match self.xdp_mode {
            XdpMode::Native => (AyaXdpMode::Driver, "native XDP"),
            XdpMode::Generic => (AyaXdpMode::Skb, "generic XDP"),
        };
        if target.raw {
            return Err(HookError::Attach {
                hook: name,
                interface: target.name.to_owned(),
                reason: "its frames have no Ethernet header; use --attach tc".to_owned(),
            });
        }
        let refused = |error: &ProgramError| HookError::Attach {
            hook: name,
            interface: target.name.to_owned(),
            reason: xdp_reason(error),
        };
        self.programs.program("tapline_xdp")?;
        // Outgoing first, as with tc.
        let owner = Owner::of(target.index);
        let outgoing = if target.loopback {
            None
        } else {
            Some(self.classifier(target, Way::Out, owner.as_ref())?)
        };
        let program = self.programs.program("tapline_xdp")?;
        let program = <&mut Xdp>::try_from(program).map_err(|error| refused(&error))?;
        let link = program
            .attach(target.name, mode)
            .and_then(|id| program.take_link(id))
            .map_err(|error| refused(&error))?;
        let mut hooks = vec![Hook::Xdp { name, link }];
        if let Some(outgoing) = outgoing {
            hooks.push(outgoing);
            hooks.extend(owner.map(|owner| Hook::Owner { owner }));
        }
        Ok(hooks)
    }
}

/// An interface to attach to.
struct Target<'a> {
    name: &'a str,
    index: u32,
    loopback: bool,
    /// Frames begin with the IP header.
    raw: bool,
}

impl<'a> Target<'a> {
    fn of(interface: &'a Interface) -> Result<Self, HookError> {
        let raw = match interface.link_layer {
            LinkLayer::Ethernet => false,
            LinkLayer::Raw => true,
            LinkLayer::Other(kind) => {
                return Err(HookError::LinkLayer {
                    interface: interface.name.clone(),
                    kind,
                });
            }
        };
        Ok(Self {
            name: &interface.name,
            index: interface.index,
            loopback: interface.loopback,
            raw,
        })
    }
}

#[derive(Clone, Copy)]
enum Way {
    In,
    Out,
}

impl Way {
    /// The program for this direction. `raw`: frames begin with the IP header.
    fn classifier(self, raw: bool) -> &'static str {
        match (self, raw) {
            (Self::In, false) => "tapline_ingress",
            (Self::Out, false) => "tapline_egress",
            (Self::In, true) => "tapline_in_ip",
            (Self::Out, true) => "tapline_out_ip",
        }
    }
}

/// tcx came with Linux 6.6 (commit e420bed02507, "bpf: Add fd-based tcx multi-prog infra with link
/// support").
fn has_tcx() -> bool {
    KernelVersion::current().is_ok_and(|version| version >= KernelVersion::new(6, 6, 0))
}

/// Makes the clsact qdisc unless it is there. It is never removed: others may use it.
fn make_clsact(interface: &str) -> Result<(), TcError> {
    match tc::qdisc_add_clsact(interface) {
        Ok(()) => Ok(()),
        Err(error) if in_one_line(&error).contains("Exclusivity flag on") => Ok(()),
        Err(TcError::NetlinkError(_)) if clsact_works(interface) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Whether filters of clsact can be listed, which says that it is there.
fn clsact_works(interface: &str) -> bool {
    match tc::qdisc_detach_program(interface, TcAttachType::Ingress, "tapline_none") {
        Ok(()) => true,
        Err(TcError::IoError(error)) => error.kind() == std::io::ErrorKind::NotFound,
        Err(_) => false,
    }
}

/// Takes off what a process that was killed left behind.
fn clean_up(target: &Target<'_>, direction: TcAttachType) {
    let names: [&str; 2] = match direction {
        TcAttachType::Ingress => ["tapline_ingress", "tapline_in_ip"],
        _ => ["tapline_egress", "tapline_out_ip"],
    };
    for name in names {
        if tc::qdisc_detach_program(target.name, direction, name).is_ok() {
            tracing::info!(
                interface = target.name,
                program = name,
                "took off a program that a killed tapline had left"
            );
        }
    }
}

/// What an XDP error means, in words.
fn xdp_reason(error: &ProgramError) -> String {
    let text = in_one_line(error);
    let code = code_of(error);
    let hint = match code {
        Some(libc::EBUSY) => {
            "another XDP program sits there, and an interface takes one: use --attach tc, or take the other off"
        }
        Some(libc::EEXIST) => {
            "an XDP program of the other mode (native, generic) sits there, or its bridge or bond has one, and the kernel \
             takes no second: use --attach tc, or take the other off"
        }
        Some(libc::EOPNOTSUPP) => {
            "its driver knows no native XDP: use --xdp-mode generic, or --attach tc"
        }
        Some(libc::ERANGE | libc::EINVAL) => {
            "its MTU or its offloads do not allow native XDP: use --xdp-mode generic, or --attach tc"
        }
        _ => return text,
    };
    format!("{hint} ({text})")
}

fn code_of(error: &(dyn std::error::Error + 'static)) -> Option<i32> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<std::io::Error>() {
            return error.raw_os_error();
        }
        cause = error.source();
    }
    None
}

/// Whether a program sits on a hook of an interface, by asking the kernel; for tests and `doctor`.
///
/// # Errors
/// The kernel cannot be asked.
pub fn tcx_programs(interface: &str, outgoing: bool) -> Result<Vec<String>, ProgramError> {
    let direction = if outgoing {
        TcAttachType::Egress
    } else {
        TcAttachType::Ingress
    };
    let (_, programs) = SchedClassifier::query_tcx(interface, direction)?;
    Ok(programs
        .iter()
        .map(|program| program.name_as_str().unwrap_or_default().to_owned())
        .collect())
}
