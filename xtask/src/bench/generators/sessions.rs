//! The rows of `tapline gen sessions`.

use super::row::{Goal, Row, To};

pub(super) const ROWS: [Row; 10] = [
    Row {
        name: "sessions ndjson",
        arguments: "sessions --start 2026-01-01T00:00:00Z --duration 1h --overwrite",
        to: To::Lines("--output"),
        goal: Goal::AtLeast(1_000_000.0),
    },
    Row {
        name: "sessions ndjson realistic",
        arguments: "sessions --start 2026-01-01T00:00:00Z --duration 1h --realistic --overwrite",
        to: To::Lines("--output"),
        goal: Goal::AtLeast(1_000_000.0),
    },
    Row {
        name: "sessions api batch 500",
        arguments: "sessions -n 1000000 --batch 500 --connections 4",
        to: To::Serve("--api-url"),
        goal: Goal::AtLeast(100_000.0),
    },
    Row {
        name: "sessions api batch 500 gzip",
        arguments: "sessions -n 1000000 --batch 500 --connections 4 --gzip",
        to: To::Serve("--api-url"),
        goal: Goal::None,
    },
    Row {
        name: "sessions api one a request",
        arguments: "sessions -n 50000 --connections 16",
        to: To::Serve("--api-url"),
        goal: Goal::None,
    },
    Row {
        name: "sessions sqlite",
        arguments: "sessions -n 2000000",
        to: To::Folder("--sqlite"),
        goal: Goal::None,
    },
    Row {
        name: "sessions at 10/s",
        arguments: "sessions --rate 10 --duration 10s --overwrite",
        to: To::Lines("--output"),
        goal: Goal::Rate(10.0),
    },
    Row {
        name: "sessions at 1000/s",
        arguments: "sessions --rate 1000 --duration 10s --overwrite",
        to: To::Lines("--output"),
        goal: Goal::Rate(1000.0),
    },
    Row {
        name: "sessions at 100000/s",
        arguments: "sessions --rate 100000 --duration 10s --overwrite",
        to: To::Lines("--output"),
        goal: Goal::Rate(100_000.0),
    },
    Row {
        name: "sessions api at 100000/s",
        arguments: "sessions --rate 100000 --duration 10s --batch 500 --connections 4",
        to: To::Serve("--api-url"),
        goal: Goal::Rate(100_000.0),
    },
];
