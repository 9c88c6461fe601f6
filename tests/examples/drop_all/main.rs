//! Drops every frame that comes in at an interface, by native XDP, until it is ended: the far end of a cable of
//! which only the sending is measured.
//!
//! `drop_all OBJECT INTERFACE`; says `ready` when it does.

use std::io::{self, Write as _};

use anyhow::{Context as _, bail};
use aya::EbpfLoader;
use aya::programs::Xdp;
use aya::programs::xdp::XdpMode;

fn main() -> anyhow::Result<std::convert::Infallible> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [object, interface] = &arguments[..] else {
        bail!("usage: drop_all OBJECT INTERFACE");
    };
    let mut ebpf = EbpfLoader::new()
        .btf(None)
        .load_file(object)
        .context("load the object")?;
    let program = ebpf
        .program_mut("tapline_drop")
        .context("find the program")?;
    let program: &mut Xdp = program.try_into()?;
    program.load().context("load the program")?;
    program
        .attach(interface, XdpMode::Driver)
        .with_context(|| format!("attach it to {interface}"))?;
    writeln!(io::stdout(), "ready").context("say that it is ready")?;
    loop {
        std::thread::park();
    }
}
