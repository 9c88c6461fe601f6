//! The kernel as the surroundings of the classifier.

use agent_common::{
    connection::Direction,
    flow::{FlowBucket, FlowLines, FlowRecord, line_index},
    host::Host,
    scratch::{Scratch, Workplace},
    search::{Body, Framing},
    shared::Shared,
    start::Start,
    table::Bucket,
};
use aya_ebpf::{
    helpers::generated::{bpf_get_smp_processor_id, bpf_jiffies64, bpf_ktime_get_ns, bpf_loop},
    maps::lpm_trie::Key,
};
use core::ffi::{c_long, c_void};

use crate::maps::{
    CONNECTIONS, FLOW_LINES, FLOWS, FLOWS_KNOWN, NETS, PORTS, RELEASES, SETTINGS, WORKPLACE,
};
use crate::{functions, ring};

/// Maps and helpers.
pub(crate) struct Kernel;

/// Reads one field of the settings; the verifier knows the value, the compiler must not.
macro_rules! setting {
    ($($field:tt)+) => {
        // SAFETY: a pointer into a static, valid and aligned; volatile, because the loader replaces
        // the initial value that the compiler sees.
        unsafe { (&raw const SETTINGS.$($field)+).read_volatile() }
    };
}
pub(crate) use setting;

// SAFETY: the workplace is a per-CPU map, and programs of one CPU do not interrupt each other:
// all hooks run with bottom halves disabled.
unsafe impl Host for Kernel {
    #[inline(always)]
    fn hash_key(&self, index: usize) -> u64 {
        setting!(hash_keys[index])
    }

    #[inline(always)]
    fn bucket_mask(&self) -> u32 {
        setting!(bucket_mask)
    }

    #[inline(always)]
    fn head_max(&self) -> u32 {
        setting!(head_max)
    }

    #[inline(always)]
    fn filters(&self) -> u32 {
        setting!(filters)
    }

    #[inline(always)]
    fn connection_budget(&self) -> u32 {
        setting!(connection_budget)
    }

    #[inline(always)]
    fn cpu_budget(&self) -> u64 {
        setting!(cpu_budget)
    }

    #[inline(always)]
    fn port_wanted(&self, port_be: u16) -> bool {
        PORTS
            .get(u32::from(port_be >> 6))
            .is_some_and(|word| word >> (port_be & 63) & 1 != 0)
    }

    #[inline(always)]
    fn net_wanted(&self, address: [u64; 2]) -> bool {
        NETS.get(Key::new(128, address)).is_some()
    }

    #[inline(always)]
    fn workplace(&self) -> Option<&mut Workplace> {
        // SAFETY: a value of this CPU's map, valid as long as the program runs; see the impl.
        WORKPLACE
            .get_ptr_mut(0)
            .map(|workplace| unsafe { &mut *workplace })
    }

    #[inline(always)]
    fn bucket(&self, index: u32) -> Option<&Bucket> {
        CONNECTIONS.get(index)
    }

    #[inline(always)]
    fn release(&self, slot: u32) -> u64 {
        RELEASES.get(slot).map_or(0, Shared::get)
    }

    #[inline(always)]
    fn claim(&self, place: &Shared<u64>, old: u64, tag: u64) -> bool {
        use core::intrinsics::{AtomicOrdering::SeqCst, atomic_cxchg};
        // SAFETY: `Shared<u64>` is a transparent `UnsafeCell<u64>`, aligned and valid; an atomic
        // access does not tear the volatile ones.
        let (_, done) = unsafe {
            atomic_cxchg::<u64, { SeqCst }, { SeqCst }>(
                core::ptr::from_ref(place).cast_mut().cast(),
                old,
                tag,
            )
        };
        done
    }

    #[inline(always)]
    fn counts_flows(&self) -> bool {
        setting!(flows) != 0
    }

    #[inline(always)]
    fn flow_mask(&self) -> u32 {
        setting!(flow_mask)
    }

    #[inline(always)]
    fn flow_idle(&self, protocol: u32) -> u32 {
        let [tcp, udp, icmp, _] = [
            setting!(flow_idle[0]),
            setting!(flow_idle[1]),
            setting!(flow_idle[2]),
            0,
        ];
        match protocol {
            0 => tcp,
            1 => udp,
            _ => icmp,
        }
    }

    #[inline(always)]
    fn tick_ns(&self) -> u32 {
        setting!(tick_ns)
    }

    #[inline(always)]
    fn flow_bucket(&self, index: u32) -> Option<&FlowBucket> {
        FLOWS.get(index)
    }

    #[inline(always)]
    fn flow_lines(&self, side: u32, bucket: u32) -> Option<&FlowLines> {
        FLOW_LINES.get(line_index(self.flow_mask(), side, bucket))
    }

    #[inline(always)]
    fn flow_known(&self, slot: u32) -> Option<&Shared<u64>> {
        FLOWS_KNOWN.get(slot)
    }

    #[inline(always)]
    fn add(&self, word: &Shared<u64>, by: u64) -> u64 {
        // Not `Relaxed`: the compiler makes an addition of that which does not give the old value.
        use core::intrinsics::{AtomicOrdering::SeqCst, atomic_xadd};
        // SAFETY: as in `claim`.
        unsafe {
            atomic_xadd::<u64, u64, { SeqCst }>(core::ptr::from_ref(word).cast_mut().cast(), by)
        }
    }

    #[inline(always)]
    fn set_bits(&self, word: &Shared<u64>, bits: u64) -> u64 {
        use core::intrinsics::{AtomicOrdering::SeqCst, atomic_or};
        // SAFETY: as in `claim`.
        unsafe {
            atomic_or::<u64, u64, { SeqCst }>(core::ptr::from_ref(word).cast_mut().cast(), bits)
        }
    }

    #[inline(always)]
    fn take(&self, word: &Shared<u64>) -> u64 {
        exchange(word, 0)
    }

    #[inline(always)]
    fn has_room_for_flows(&self) -> bool {
        let (used, size) = ring::used();
        used < size / 4 * 3
    }

    #[inline(always)]
    fn send_flow(&self, record: &FlowRecord) -> bool {
        functions::put_flow(record) != 0
    }

    #[inline(always)]
    fn count_flow(&self, workplace: &mut Workplace) {
        functions::count_flow(workplace);
    }

    #[inline(always)]
    fn count_new(&self, workplace: &mut Workplace) {
        functions::count_new_flow(workplace);
    }

    #[inline(always)]
    fn left_out(&self, slot: u32, generation: u32, packets: u64, unsent: u64) -> u64 {
        functions::left_out_flow(slot, generation, packets, unsent)
    }

    #[inline(always)]
    fn end_flow(&self, workplace: &mut Workplace) {
        functions::end_flow(workplace);
    }

    #[inline(always)]
    fn now_ns(&self) -> u64 {
        // SAFETY: a helper without arguments.
        unsafe { bpf_ktime_get_ns() }
    }

    #[inline(always)]
    fn ticks(&self) -> u64 {
        // SAFETY: a helper without arguments.
        unsafe { bpf_jiffies64() }
    }

    #[inline(always)]
    fn cpu(&self) -> u32 {
        // SAFETY: a helper without arguments.
        unsafe { bpf_get_smp_processor_id() }
    }

    #[inline(always)]
    fn send(&self, scratch: &Scratch, captured: u32) -> bool {
        functions::put_piece(scratch, captured) != 0
    }

    #[inline(always)]
    fn start_of(&self, word: u64, length: u32) -> Option<Start> {
        Start::from_number(functions::start_of(word, length))
    }

    #[inline(always)]
    fn is_request_line(&self, scratch: &Scratch, length: u32) -> bool {
        functions::is_request_line(scratch, length) != 0
    }

    #[inline(always)]
    fn follow_preface(
        &self,
        direction: &Direction,
        peer: u32,
        position: u64,
        word: u64,
        copied: u32,
    ) -> u32 {
        functions::follow_preface(direction, peer, position, word, copied)
    }

    #[inline(always)]
    fn head_end(&self, scratch: &Scratch, length: u32) -> Option<u32> {
        let end = functions::head_end(scratch, length);
        (end != 0).then_some(end)
    }

    #[inline(always)]
    fn request_body(&self, scratch: &Scratch, length: u32) -> Body {
        match Framing::from_number(functions::framing_field(scratch, length)) {
            Framing::None => Body::None,
            Framing::ContentLength => Body::from_word(functions::content_length(scratch)),
            Framing::Other => Body::Unknown,
        }
    }

    #[inline(always)]
    fn repeat<F: FnMut(u32) -> bool>(&self, count: u32, mut step: F) {
        // SAFETY: the callback gets the pointer to `step` that is passed beside it, and runs only
        // while this call does.
        unsafe {
            bpf_loop(
                count,
                callback::<F> as *mut c_void,
                (&raw mut step).cast(),
                0,
            );
        }
    }
}

/// Puts `value` in the place of a word, atomically and as a full barrier. Gives what it was.
#[inline(always)]
pub(crate) fn exchange(word: &Shared<u64>, value: u64) -> u64 {
    use core::intrinsics::{AtomicOrdering::SeqCst, atomic_xchg};
    // SAFETY: `Shared<u64>` is a transparent `UnsafeCell<u64>`, aligned and valid; an atomic access does not
    // tear the volatile ones.
    unsafe { atomic_xchg::<u64, { SeqCst }>(core::ptr::from_ref(word).cast_mut().cast(), value) }
}

/// What `bpf_loop` calls; 0 goes on, 1 stops.
unsafe extern "C" fn callback<F: FnMut(u32) -> bool>(index: u64, step: *mut F) -> c_long {
    // SAFETY: `step` is the closure that `repeat` passed, borrowed by nobody else meanwhile.
    let goes_on = unsafe { (*step)(index as u32) };
    c_long::from(!goes_on)
}
