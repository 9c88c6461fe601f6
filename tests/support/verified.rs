//! How much the verifier walks.

use agent_common::settings::Settings;
use aya::util::KernelVersion;

use super::kernel::{Kernel, PROGRAMS};

/// Instructions that a kernel may walk at the most, of any program: half of what it allows. For kernels
/// without caps of their own.
const ANY: u32 = 500_000;

/// Checks every program with the verifier of this kernel, with and without the messages for `-v`; prints
/// the instructions that it walked.
///
/// # Panics
/// The kernel refuses a program, or walks more than the cap.
pub fn check_verified() {
    let version = KernelVersion::current().unwrap();
    let known = |major, minor| {
        version >= KernelVersion::new(major, minor, 0)
            && version < KernelVersion::new(major, minor + 1, 0)
    };
    for program in PROGRAMS {
        let cap = if known(6, 1) {
            program.caps.linux_6_1
        } else if known(6, 18) {
            program.caps.linux_6_18
        } else {
            ANY
        };
        for verbose in [false, true] {
            let mut kernel = Kernel::load(Settings::DEFAULT, verbose);
            let walked = kernel
                .verify(program)
                .unwrap_or_else(|error| panic!("{}: {error:#?}", program.name));
            let with = if verbose { " with messages" } else { "" };
            println!(
                "{}{with}: {walked} instructions verified, cap {cap}",
                program.name
            );
            assert!(
                walked <= cap,
                "{}: {walked} instructions, cap {cap}",
                program.name
            );
        }
    }
}
