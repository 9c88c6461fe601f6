//! The rows of `tapline gen events`.

use super::row::{Goal, Row, To};

pub(super) const ROWS: [Row; 6] = [
    Row {
        name: "events json",
        arguments: "events -i 0 -n 4000000",
        to: To::Files("--output-path"),
        goal: Goal::AtLeast(400_000.0),
    },
    Row {
        name: "events text",
        arguments: "events -i 0 -n 4000000 -f text",
        to: To::Files("--output-path"),
        goal: Goal::AtLeast(400_000.0),
    },
    Row {
        name: "events all anomalous",
        arguments: "events -i 0 -n 4000000 -a 1",
        to: To::Files("--output-path"),
        goal: Goal::AtLeast(400_000.0),
    },
    Row {
        name: "events at 10/s",
        arguments: "events --rate 10 --duration 10s",
        to: To::Files("--output-path"),
        goal: Goal::Rate(10.0),
    },
    Row {
        name: "events at 1000/s",
        arguments: "events --rate 1000 --duration 10s",
        to: To::Files("--output-path"),
        goal: Goal::Rate(1000.0),
    },
    Row {
        name: "events at 100000/s",
        arguments: "events --rate 100000 --duration 10s",
        to: To::Files("--output-path"),
        goal: Goal::Rate(100_000.0),
    },
];
