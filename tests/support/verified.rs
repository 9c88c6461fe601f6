//! How much the verifier walks.

use std::io::Write as _;

use agent_common::settings::Settings;
use aya::util::KernelVersion;

use super::kernel::{Kernel, Program};

/// Instructions that a kernel may walk at the most, of any program: half of what it allows. For kernels
/// without caps of their own.
const ANY: u32 = 500_000;

/// Has the verifier of this kernel check programs, with or without the messages for `-v`; prints the
/// instructions that it walked. Gives them loaded, with `settings`.
///
/// # Panics
/// The kernel refuses a program, or walks more than the cap.
pub fn check_verified(programs: &[Program], settings: Settings, verbose: bool) -> Kernel {
    let version = KernelVersion::current().unwrap();
    let known = |major, minor| {
        version >= KernelVersion::new(major, minor, 0)
            && version < KernelVersion::new(major, minor + 1, 0)
    };
    let mut kernel = Kernel::load(settings, verbose);
    for program in programs {
        let cap = if known(6, 1) {
            program.caps.linux_6_1
        } else if known(6, 18) {
            program.caps.linux_6_18
        } else {
            ANY
        };
        let walked = kernel
            .verify(*program)
            .unwrap_or_else(|error| panic!("{}: {error:#?}", program.name));
        let with = if verbose { ", with messages" } else { "" };
        // Not through the capture of the test harness: the number is to be seen.
        let mut stdout = std::io::stdout();
        writeln!(
            stdout,
            "{}{with}: {walked} instructions verified, cap {cap}",
            program.name
        )
        .unwrap();
        assert!(
            walked <= cap,
            "{}{with}: {walked} instructions, cap {cap}",
            program.name
        );
    }
    kernel
}
