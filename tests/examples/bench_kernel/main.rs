//! What a packet costs in each kernel program, by `BPF_PROG_TEST_RUN`, over an empty program of the
//! same type. Run by `cargo xtask bench kernel`, as root; writes one JSON document to stdout.
//!
//! Arguments: the object, the number of rounds, the CPU to run on, the hooks (`tc`, `xdp`, `socket`).

mod frames;
mod measure;
mod memory;
mod subject;
mod system_call;
mod wrapper;

use std::io::Write as _;

use anyhow::{Context as _, Result, bail};
use serde_json::json;

use crate::measure::{Bench, CASES, FLOW_CASES, MANY};
use crate::subject::{Hook, Subject};

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(path), Some(rounds), Some(cpu)) =
        (arguments.next(), arguments.next(), arguments.next())
    else {
        bail!("usage: bench_kernel OBJECT ROUNDS CPU HOOK…");
    };
    let rounds: u32 = rounds.parse().context("the number of rounds")?;
    let cpu: usize = cpu.parse().context("the CPU")?;
    let hooks = arguments
        .map(|name| hook(&name))
        .collect::<Result<Vec<_>>>()?;
    let object = std::fs::read(&path).with_context(|| format!("read {path}"))?;
    system_call::pin_to(cpu).with_context(|| format!("run on CPU {cpu}"))?;

    let programs = subject::verified(&object)?;
    let mut results = Vec::new();
    for hook in hooks {
        for (flows, cases) in [(false, &CASES[..]), (true, &FLOW_CASES)] {
            let mut subject = Subject::new(hook, &object, cpu, flows)?;
            let mut benches = cases
                .iter()
                // Frames are scattered by a program that only tc has.
                .filter(|case| case.scattered == 0 || hook == Hook::Tc)
                .map(|case| Bench::new(*case, &subject))
                .collect::<Result<Vec<_>>>()?;
            for bench in &benches {
                bench.warm_up(&mut subject)?;
            }
            for round in 0..=rounds {
                for bench in &mut benches {
                    bench.round(&mut subject)?;
                    if round == 0 {
                        bench.forget();
                    }
                }
            }
            results.extend(benches.iter().map(|bench| bench.result(&subject)));
        }
    }
    let document = json!({
        "cpu": cpu,
        "verified_instructions": programs,
        "scattered_load_ns": memory::dependent_load(MANY as usize, rounds),
        "results": results,
    });
    writeln!(std::io::stdout().lock(), "{document}").context("write the result")
}

fn hook(name: &str) -> Result<Hook> {
    Hook::ALL
        .into_iter()
        .find(|hook| hook.name() == name)
        .with_context(|| format!("{name:?} is no hook: tc, xdp or socket"))
}
