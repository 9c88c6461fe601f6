//! The target of load: a server that answers as `config/http.yaml` says, fast, or slow, or wrong.
//!
//! Each thread has connections of its own, and accepts from a listener that all share. What can be written
//! beforehand is: an answer allocates nothing. Clients are not trusted: heads, bodies, connections and the
//! time that they may take are bounded.

pub mod config;
mod connection;
mod site;
mod worker;

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

use self::config::TargetConfig;
use self::site::Site;
use self::worker::Worker;
use crate::generate::seed::Seed;
use crate::generate::stop::Stop;

/// A target that listens.
#[derive(Debug)]
pub struct Target {
    listener: TcpListener,
    address: SocketAddr,
}

/// What a target did.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TargetReport {
    /// How long it listened.
    pub seconds: f64,
    /// Connections that were taken.
    pub connections: u64,
    /// Connections that were shut out, since there were as many as there may be.
    pub shut_out: u64,
    /// Requests whose head was there.
    pub requests: u64,
    /// Answers that were sent to their end, faults among them.
    pub answers: u64,
    /// Requests that were not answered as they should be, because the configuration wants it.
    pub faults: u64,
    /// Requests that were refused: no HTTP/1, or too long.
    pub refused: u64,
    /// Connections that were closed since they did not get on.
    pub timed_out: u64,
    /// Bytes that were received.
    pub received: u64,
    /// Bytes that were sent.
    pub sent: u64,
}

impl fmt::Display for TargetReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            seconds,
            connections,
            shut_out,
            requests,
            answers,
            faults,
            refused,
            timed_out,
            received,
            sent,
        } = self;
        write!(
            formatter,
            "{requests} requests, {answers} answers, {faults} faults as told, {refused} refused on \
             {connections} connections ({shut_out} shut out, {timed_out} too slow) in {seconds:.3} s; \
             {received} bytes received, {sent} sent"
        )
    }
}

impl TargetReport {
    fn add(&mut self, other: &Self) {
        for (sum, count) in [
            (&mut self.connections, other.connections),
            (&mut self.shut_out, other.shut_out),
            (&mut self.requests, other.requests),
            (&mut self.answers, other.answers),
            (&mut self.faults, other.faults),
            (&mut self.refused, other.refused),
            (&mut self.timed_out, other.timed_out),
            (&mut self.received, other.received),
            (&mut self.sent, other.sent),
        ] {
            *sum += count;
        }
    }
}

impl Target {
    /// Listens.
    ///
    /// # Errors
    /// The address is taken, or not ours.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until it is time to stop, or `duration` is over.
    ///
    /// # Errors
    /// A thread cannot be started, or this host gives it no descriptors.
    pub fn serve(
        &self,
        config: &TargetConfig,
        threads: u32,
        seed: Seed,
        duration: Option<Duration>,
        stop: &Stop,
    ) -> io::Result<TargetReport> {
        let site = Arc::new(Site::new(config));
        let open = AtomicU64::new(0);
        let begun = Instant::now();
        let reports = thread::scope(|scope| {
            let mut running = Vec::new();
            for number in 0..threads.max(1) {
                let (site, open, listener) = (Arc::clone(&site), &open, &self.listener);
                let work = move || {
                    let stream = seed.stream("http target", number.into());
                    Worker::new(listener, site, open, stream, begun)?.run(stop, duration)
                };
                let thread = thread::Builder::new().name("http target".to_owned());
                match thread.spawn_scoped(scope, work) {
                    Ok(thread) => running.push(thread),
                    Err(error) => {
                        stop.tell();
                        return Err(error);
                    }
                }
            }
            let ended = running.into_iter().map(|thread| {
                let panicked = |_| Err(io::Error::other("a thread has panicked"));
                thread.join().unwrap_or_else(panicked)
            });
            ended.collect::<io::Result<Vec<TargetReport>>>()
        })?;
        let mut sum = TargetReport {
            seconds: begun.elapsed().as_secs_f64(),
            ..TargetReport::default()
        };
        reports.iter().for_each(|report| sum.add(report));
        Ok(sum)
    }
}

#[cfg(test)]
mod tests;
