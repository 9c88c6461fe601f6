//! The kernel programs by themselves.

use tapline_tests::support::{PROGRAMS, same_records};

#[test]
fn kernel_and_agent_make_the_same_of_the_same_packets() {
    for program in PROGRAMS {
        same_records(program, 200);
    }
}
