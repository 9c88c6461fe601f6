//! What sits on the traffic control hooks of an interface, by asking the kernel.

use aya::util::KernelVersion;
use tapline::capture::hooks::tcx_programs;

use super::namespace::Namespace;

/// Whether the kernel has tcx hooks (Linux 6.6), which end with the process that took them. Before,
/// programs sit in clsact.
#[must_use]
pub fn has_tcx() -> bool {
    KernelVersion::current().is_ok_and(|version| version >= KernelVersion::new(6, 6, 0))
}

/// The names of the programs on one direction of an interface, in their order.
///
/// # Panics
/// The kernel cannot be asked.
#[must_use]
pub fn classifiers(namespace: &Namespace, interface: &str, outgoing: bool) -> Vec<String> {
    if has_tcx() {
        return namespace.enter(|| tcx_programs(interface, outgoing).unwrap());
    }
    let direction = if outgoing { "egress" } else { "ingress" };
    let shown = namespace.run("tc", &["filter", "show", "dev", interface, direction]);
    // `filter protocol all pref 49152 bpf chain 0 handle 0x1 NAME direct-action …`
    shown
        .lines()
        .filter_map(|line| line.split(" direct-action").next()?.rsplit(' ').next())
        .filter(|name| name.starts_with("tapline"))
        .map(str::to_owned)
        .collect()
}
