use aya::{EbpfLoader, VerifierLogLevel, programs::*};
fn main() {
    let path = std::env::args().nth(1).unwrap();
    let bytes = std::fs::read(path).unwrap();
    let mut ebpf = EbpfLoader::new()
        .btf(None)
        .verifier_log_level(if std::env::args().nth(2).is_some() {
            VerifierLogLevel::VERBOSE | VerifierLogLevel::STATS
        } else {
            VerifierLogLevel::STATS
        })
        .map_max_entries("RECORDS", 1 << 20)
        .load(&bytes)
        .unwrap();
    let only = std::env::args().nth(2);
    let names: Vec<String> = ebpf.programs().map(|(n, _)| n.to_string()).collect();
    for name in names {
        if only.as_ref().is_some_and(|o| *o != name) {
            continue;
        }
        let p = ebpf.program_mut(&name).unwrap();
        let t = std::time::Instant::now();
        let r = match p {
            Program::Xdp(p) => p.load(),
            Program::SchedClassifier(p) => p.load(),
            Program::SocketFilter(p) => p.load(),
            _ => panic!(),
        };
        match r {
            Ok(()) => {
                let info = ebpf.program(&name).unwrap().info().unwrap();
                println!(
                    "{name}: ok {:?} insns, {:?} bytes, {:?}",
                    info.verified_instruction_count(),
                    info.size_translated(),
                    t.elapsed()
                );
            }
            Err(ProgramError::LoadError {
                io_error,
                verifier_log,
            }) => {
                let log = verifier_log.to_string();
                let lines: Vec<&str> = log.lines().collect();
                println!(
                    "{name}: {io_error}\n{}",
                    lines[lines.len().saturating_sub(60)..].join("\n")
                );
            }
            Err(e) => println!("{name}: {e:#}"),
        }
    }
}
