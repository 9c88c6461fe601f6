//! Keeps the CPUs from sleeping deeply for as long as a benchmark runs.
//!
//! The kernel takes a wish for a short wake-up time from whoever holds `/dev/cpu_dma_latency` open
//! (Linux: Documentation/power/pm_qos_interface.rst); 0 keeps idle CPUs polling. The wish ends with the
//! descriptor, however the program ends.

use std::{
    fs::{File, OpenOptions},
    io::Write as _,
};

use crate::report::say;

const DEVICE: &str = "/dev/cpu_dma_latency";

/// While it lives, idle CPUs stay awake.
#[derive(Debug)]
pub(crate) struct Wakeful {
    _wish: Option<File>,
}

impl Wakeful {
    /// Asks for it. Where the kernel does not know the wish, says so: figures vary more then.
    pub(crate) fn keep() -> Self {
        let wish = OpenOptions::new()
            .write(true)
            .open(DEVICE)
            .and_then(|mut device| {
                device.write_all(&0_i32.to_ne_bytes())?;
                Ok(device)
            });
        if let Err(error) = &wish {
            say(format_args!(
                "{DEVICE}: {error}: idle CPUs may sleep, and waking them is part of the figures"
            ));
        }
        Self { _wish: wish.ok() }
    }
}
