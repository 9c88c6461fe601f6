//! What this machine takes for one cache line that is in no near cache: the floor under whatever
//! looks up one of many connections.

use std::hint::black_box;
use std::time::Instant;

/// Memory that the lines are spread over: one side of the table of flows.
const REGION: usize = 16 << 20;

#[repr(align(64))]
#[derive(Clone, Copy)]
struct Line {
    next: usize,
}

/// Nanoseconds that a load takes of one of `lines` cache lines at random, whose address the load before it
/// gave: the median of `rounds`.
pub(crate) fn dependent_load(lines: usize, rounds: u32) -> f64 {
    let mut memory = vec![Line { next: 0 }; REGION / size_of::<Line>()];
    let mut order: Vec<usize> = (0..memory.len()).collect();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for last in (1..order.len()).rev() {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        order.swap(last, (state >> 33) as usize % (last + 1));
    }
    order.truncate(lines.max(1));
    for (place, line) in order.iter().enumerate() {
        memory[*line].next = order[(place + 1) % order.len()];
    }
    let mut at = order[0];
    let mut walk = |steps: usize| {
        let begin = Instant::now();
        for _ in 0..steps {
            at = memory[at].next;
        }
        black_box(at);
        begin.elapsed().as_nanos() as f64 / steps as f64
    };
    walk(2 * order.len());
    let mut measured: Vec<f64> = (0..rounds.max(1)).map(|_| walk(order.len())).collect();
    measured.sort_by(f64::total_cmp);
    measured[measured.len() / 2]
}
