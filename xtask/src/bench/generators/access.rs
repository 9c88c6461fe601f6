//! The rows of `tapline gen access`.

use super::row::{Goal, Row, To};

pub(super) const ROWS: [Row; 9] = [
    Row {
        name: "access combined",
        arguments: "access --rate 0 -n 4000000 --listen off",
        to: To::Log("--log-dir"),
        goal: Goal::AtLeast(1_000_000.0),
    },
    Row {
        name: "access common",
        arguments: "access --rate 0 -n 4000000 --listen off --format common",
        to: To::Log("--log-dir"),
        goal: Goal::AtLeast(1_000_000.0),
    },
    Row {
        name: "access json",
        arguments: "access --rate 0 -n 2000000 --listen off --format json",
        to: To::Log("--log-dir"),
        goal: Goal::None,
    },
    Row {
        name: "access an hour of 9600 users",
        arguments: "access --start -1h --duration 1h --rate 800000 --speedup 500 --format common --listen off",
        to: To::Log("--log-dir"),
        goal: Goal::None,
    },
    Row {
        name: "access 24 h at 10/s",
        arguments: "access --start -24h --duration 24h --rate 0 --pattern level --listen off",
        to: To::Log("--log-dir"),
        goal: Goal::AtLeast(432_000.0),
    },
    Row {
        name: "access at 10/s",
        arguments: "access --rate 10 --duration 10s --listen off",
        to: To::Log("--log-dir"),
        goal: Goal::Rate(10.0),
    },
    Row {
        name: "access at 1000/s",
        arguments: "access --rate 1000 --duration 10s --listen off",
        to: To::Log("--log-dir"),
        goal: Goal::Rate(1000.0),
    },
    Row {
        name: "access at 100000/s",
        arguments: "access --rate 100000 --duration 10s --listen off",
        to: To::Log("--log-dir"),
        goal: Goal::Rate(100_000.0),
    },
    Row {
        name: "access to nowhere",
        arguments: "access --rate 0 -n 20000000 --listen off --dry-run",
        to: To::Folder("--log-dir"),
        goal: Goal::None,
    },
];
