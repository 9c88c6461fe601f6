//! What is answered: which path answers a request, and the bytes of its answer. What can be is written
//! once, at the start. Pure: no socket is seen here.

use std::collections::HashMap;

use axum::http::StatusCode;
use rand_chacha::ChaCha8Rng;

use super::config::{Delay, Framing, LimitsConfig, Matches, Misdeed, PathConfig, TargetConfig};
use crate::generate::draw::{self, Weights};
use crate::generate::http::arrivals::nanoseconds;

/// Answers up to this size are written whole beforehand.
const WHOLE_MOST: u64 = 32 << 10;

/// Bytes that are got ready at once.
const AT_ONCE: usize = 64 << 10;

/// What bodies are made of.
const TEXT: &[u8; 64] = b"Tapline answers as it is told to: nothing here is worth a look.\n";

/// All paths.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) limits: LimitsConfig,
    exact: HashMap<Vec<u8>, usize>,
    /// The longest first.
    prefixes: Vec<(Vec<u8>, usize)>,
    pages: Vec<Page>,
    missing: Page,
    /// Bodies are cut from it.
    block: Vec<u8>,
}

#[derive(Debug)]
struct Page {
    /// Status line and fields, without those that frame; by status.
    heads: Vec<(u16, Vec<u8>)>,
    /// Which status; `None`: there is one.
    statuses: Option<Weights>,
    size: (u64, u64),
    framing: Framing,
    chunk: u32,
    delay: Delay,
    /// Which misdeed, the last for none; `None`: never.
    faults: Option<Weights>,
    /// The whole answer, where there is one for all HTTP/1.1 requests that are not HEAD.
    whole: Option<Vec<u8>>,
}

/// A request, as far as its answer depends on it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asked {
    /// The path that answers it; beyond the last: none.
    pub(super) page: usize,
    pub(super) is_head: bool,
    pub(super) is_1_0: bool,
    /// The connection is to stay open.
    pub(super) keeps: bool,
}

/// What will be answered.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Planned {
    /// Nanoseconds from now.
    pub(super) delay: u64,
    pub(super) misdeed: Option<Misdeed>,
    head: usize,
    size: u64,
}

/// What of a body is still to be got ready.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Rest {
    #[default]
    Nothing,
    Bytes(u64),
    /// Bytes, in chunks of so many.
    Chunks(u64, u32),
}

impl Site {
    pub(super) fn new(config: &TargetConfig) -> Self {
        let mut site = Self {
            limits: config.limits,
            exact: HashMap::new(),
            prefixes: Vec::new(),
            pages: Vec::new(),
            missing: Page::new(&PathConfig {
                statuses: vec![(404, 1.0)],
                size: (10, 10),
                ..PathConfig::default()
            }),
            block: TEXT.repeat(AT_ONCE / TEXT.len()),
        };
        for (number, path) in config.paths.iter().enumerate() {
            let bytes = |text: &String| text.clone().into_bytes();
            match &path.matches {
                Matches::Path(text) => drop(site.exact.insert(bytes(text), number)),
                Matches::Prefix(text) => site.prefixes.push((bytes(text), number)),
            }
            site.pages.push(Page::new(path));
        }
        site.prefixes
            .sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
        for number in 0..=site.pages.len() {
            let whole = site.whole(number);
            site.page_mut(number).whole = whole;
        }
        site
    }

    /// The request for this target, by which one of the paths it is answered.
    #[inline]
    pub(super) fn find(&self, target: &[u8]) -> Asked {
        let path = path_of(target);
        let exact = self.exact.get(path).copied();
        let page = exact.unwrap_or_else(|| {
            let mut prefixes = self.prefixes.iter();
            let found = prefixes.find(|(text, _)| path.starts_with(text));
            found.map_or(usize::MAX, |(_, number)| *number)
        });
        Asked {
            page,
            ..Asked::default()
        }
    }

    /// Draws what will be answered.
    #[inline]
    pub(super) fn plan(&self, asked: &Asked, stream: &mut ChaCha8Rng) -> Planned {
        let page = self.page(asked.page);
        let mut planned = Planned {
            size: page.size.0,
            ..Planned::default()
        };
        if let Some(weights) = &page.faults {
            planned.misdeed = Misdeed::ALL.get(weights.draw(stream)).copied();
        }
        if let Some(weights) = &page.statuses {
            planned.head = weights.draw(stream);
        }
        if page.size.1 > page.size.0 {
            let width = (page.size.1 - page.size.0) as f64 + 1.0;
            let more = (draw::unit(stream) * width) as u64;
            planned.size = (page.size.0 + more).min(page.size.1);
        }
        planned.delay = delay(page.delay, stream);
        planned
    }

    /// Puts the answer, or its start, behind `out`; gives what is missing and whether the connection is to
    /// stay open.
    #[inline]
    pub(super) fn answer(
        &self,
        asked: &Asked,
        planned: &Planned,
        out: &mut Vec<u8>,
    ) -> (Rest, bool) {
        let page = self.page(asked.page);
        match &page.whole {
            Some(whole)
                if asked.keeps && !asked.is_head && !asked.is_1_0 && planned.misdeed.is_none() =>
            {
                out.extend_from_slice(whole);
                (Rest::Nothing, true)
            }
            _ => self.compose(asked, planned, out),
        }
    }

    fn compose(&self, asked: &Asked, planned: &Planned, out: &mut Vec<u8>) -> (Rest, bool) {
        let page = self.page(asked.page);
        let Some((status, head)) = page.heads.get(planned.head) else {
            return (Rest::Nothing, false);
        };
        out.extend_from_slice(head);
        let is_bodiless = matches!(status, 204 | 304);
        let framing = match page.framing {
            // Only HTTP/1.1 has chunks.
            Framing::Chunked if asked.is_1_0 => Framing::Close,
            framing => framing,
        };
        let is_framed_by_close = framing == Framing::Close && !is_bodiless;
        let is_cut = planned.misdeed == Some(Misdeed::Cut);
        let keeps = asked.keeps && !is_framed_by_close && !is_cut;
        if planned.misdeed == Some(Misdeed::Framing) {
            out.extend_from_slice(b"Content-Length: 1\r\nContent-Length: 2\r\n");
        }
        let mut rest = Rest::Nothing;
        match framing {
            _ if *status == 204 => {}
            Framing::Length => {
                let mut digits = itoa::Buffer::new();
                out.extend_from_slice(b"Content-Length: ");
                out.extend_from_slice(digits.format(planned.size).as_bytes());
                out.extend_from_slice(b"\r\n");
                rest = Rest::Bytes(planned.size);
            }
            Framing::Chunked => {
                out.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
                rest = Rest::Chunks(planned.size, page.chunk);
            }
            Framing::Close => rest = Rest::Bytes(planned.size),
        }
        match (keeps, asked.is_1_0) {
            (false, _) => out.extend_from_slice(b"Connection: close\r\n"),
            (true, true) => out.extend_from_slice(b"Connection: keep-alive\r\n"),
            (true, false) => {}
        }
        out.extend_from_slice(b"\r\n");
        if asked.is_head || is_bodiless {
            rest = Rest::Nothing;
        }
        if is_cut {
            // Never the last chunk, and never all the bytes.
            rest = match rest {
                Rest::Nothing => Rest::Nothing,
                Rest::Bytes(size) | Rest::Chunks(size, _) => Rest::Bytes(size / 2),
            };
            if framing == Framing::Chunked {
                out.extend_from_slice(b"7fffffff\r\n");
            }
        }
        self.fill(&mut rest, out);
        (rest, keeps)
    }

    /// Gets more of a body ready.
    pub(super) fn fill(&self, rest: &mut Rest, out: &mut Vec<u8>) {
        while out.len() < AT_ONCE {
            match rest {
                Rest::Nothing => return,
                Rest::Bytes(left) => {
                    let most = self.block.len() as u64;
                    let here = (*left).min(most);
                    out.extend_from_slice(self.block.get(..here as usize).unwrap_or_default());
                    *left -= here;
                    if *left == 0 {
                        *rest = Rest::Nothing;
                    }
                }
                Rest::Chunks(0, _) => {
                    out.extend_from_slice(b"0\r\n\r\n");
                    *rest = Rest::Nothing;
                }
                Rest::Chunks(left, chunk) => {
                    let here = (*left).min((*chunk).into()) as usize;
                    hexadecimal(here, out);
                    out.extend_from_slice(b"\r\n");
                    let mut missing = here;
                    while missing > 0 {
                        let part = missing.min(self.block.len());
                        out.extend_from_slice(self.block.get(..part).unwrap_or_default());
                        missing -= part;
                    }
                    out.extend_from_slice(b"\r\n");
                    *left -= here as u64;
                }
            }
        }
    }

    fn page(&self, number: usize) -> &Page {
        self.pages.get(number).unwrap_or(&self.missing)
    }

    fn page_mut(&mut self, number: usize) -> &mut Page {
        self.pages.get_mut(number).unwrap_or(&mut self.missing)
    }

    fn whole(&self, number: usize) -> Option<Vec<u8>> {
        let page = self.page(number);
        let is_fixed = page.statuses.is_none() && page.size.0 == page.size.1;
        if !is_fixed || page.size.0 > WHOLE_MOST || page.framing == Framing::Close {
            return None;
        }
        let asked = Asked {
            page: number,
            keeps: true,
            ..Asked::default()
        };
        let planned = Planned {
            size: page.size.0,
            ..Planned::default()
        };
        let mut whole = Vec::new();
        let (rest, _) = self.compose(&asked, &planned, &mut whole);
        (rest == Rest::Nothing).then_some(whole)
    }
}

impl Page {
    fn new(path: &PathConfig) -> Self {
        let heads = path.statuses.iter().map(|(status, _)| {
            let code = StatusCode::from_u16(*status).ok();
            let reason = code.and_then(|code| code.canonical_reason()).unwrap_or("");
            let mut head = format!("HTTP/1.1 {status} {reason}\r\nServer: tapline\r\n");
            let has = |name: &str| {
                let mut fields = path.fields.iter();
                fields.any(|(given, _)| given.eq_ignore_ascii_case(name))
            };
            if !has("Content-Type") && !matches!(status, 204 | 304) {
                head += "Content-Type: text/plain\r\n";
            }
            if (300..400).contains(status) && *status != 304 && !has("Location") {
                head += "Location: /\r\n";
            }
            for (name, value) in &path.fields {
                head += &format!("{name}: {value}\r\n");
            }
            (*status, head.into_bytes())
        });
        let none = (1.0 - path.faults.iter().sum::<f64>()).max(0.0);
        let faults = Weights::new(path.faults.into_iter().chain([none])).ok();
        let statuses = Weights::new(path.statuses.iter().map(|(_, weight)| *weight)).ok();
        Self {
            heads: heads.collect(),
            statuses: statuses.filter(|_| path.statuses.len() > 1),
            size: path.size,
            framing: path.framing,
            chunk: path.chunk.max(1),
            delay: path.delay,
            faults: faults.filter(|_| path.faults.iter().any(|share| *share > 0.0)),
            whole: None,
        }
    }
}

/// The path of a target, without query; of the absolute form too.
fn path_of(target: &[u8]) -> &[u8] {
    let mut path = target;
    if !path.starts_with(b"/")
        && let Some(scheme) = memchr::memmem::find(path, b"://")
    {
        let behind = path.get(scheme + 3..).unwrap_or_default();
        path = match memchr::memchr(b'/', behind) {
            Some(slash) => behind.get(slash..).unwrap_or_default(),
            None => b"/",
        };
    }
    let end = memchr::memchr(b'?', path).unwrap_or(path.len());
    path.get(..end).unwrap_or_default()
}

fn delay(delay: Delay, stream: &mut ChaCha8Rng) -> u64 {
    let drawn = match delay {
        Delay::None => return 0,
        Delay::Fixed(fixed) => return nanoseconds(fixed),
        Delay::Uniform(least, most) => {
            let width = most.saturating_sub(least).as_nanos() as f64;
            draw::unit(stream).mul_add(width, least.as_nanos() as f64)
        }
        Delay::Normal(mean, deviation) => {
            draw::normal(stream).mul_add(deviation.as_nanos() as f64, mean.as_nanos() as f64)
        }
        Delay::Exponential(mean) => -(1.0 - draw::unit(stream)).ln() * mean.as_nanos() as f64,
    };
    drawn.max(0.0) as u64
}

fn hexadecimal(number: usize, out: &mut Vec<u8>) {
    let digits = (usize::BITS - number.leading_zeros()).div_ceil(4).max(1);
    for at in (0..digits).rev() {
        let digit = (number >> (4 * at)) & 15;
        out.push(b"0123456789abcdef".get(digit).copied().unwrap_or(b'0'));
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::generate::http::answer::{Answer, Whole};
    use crate::generate::http::target::config::config_from_yaml;
    use crate::generate::seed::Seed;

    fn site(paths: &str) -> Site {
        let text = format!("paths:\n{paths}");
        Site::new(&config_from_yaml(Path::new("f"), text.as_bytes()).unwrap())
    }

    /// The bytes of an answer.
    fn answer(site: &Site, target: &str, change: impl Fn(&mut Asked)) -> (Vec<u8>, bool) {
        let mut asked = site.find(target.as_bytes());
        asked.keeps = true;
        change(&mut asked);
        let planned = site.plan(&asked, &mut Seed(1).stream("t", 0));
        let (mut all, mut out) = (Vec::new(), Vec::new());
        let (mut rest, keeps) = site.answer(&asked, &planned, &mut out);
        all.append(&mut out);
        while rest != Rest::Nothing {
            site.fill(&mut rest, &mut out);
            assert!(out.len() <= 2 * AT_ONCE + 100);
            all.append(&mut out);
        }
        (all, keeps)
    }

    fn read(bytes: &[u8], to_head: bool) -> Whole {
        let mut reader = Answer::default();
        reader.begin(to_head);
        match reader.take(bytes).unwrap() {
            Some(whole) => whole,
            None => reader.close().unwrap(),
        }
    }

    #[test]
    fn answers_are_as_the_client_of_load_reads_them() {
        let site = site(
            "  - {path: /, size: 5}\n  - {path: /big, size: 1MiB}\n  - {path: /c, framing: chunked, size: 100001, chunk: 1000}\n  \
             - {path: /e, framing: close, size: 70000}\n  - {path: /n, status: 204}\n  - {path: /m, status: 304}\n  \
             - {path: /0, size: 0, framing: chunked}\n  - {prefix: /p, status: 503, size: 1 to 9}\n  - {prefix: /p/q, status: 418}",
        );
        let check = |target: &str, status: u16, size: std::ops::RangeInclusive<u64>, kept: bool| {
            let (bytes, keeps) = answer(&site, target, |_| {});
            let whole = read(&bytes, false);
            assert_eq!(
                (whole.status, whole.is_kept, keeps),
                (status, kept, kept),
                "{target}"
            );
            assert!(size.contains(&whole.body), "{target}: {}", whole.body);
            let (bytes, _) = answer(&site, target, |asked| asked.is_head = true);
            assert!(bytes.ends_with(b"\r\n\r\n"), "{target}");
            assert_eq!(read(&bytes, true).body, 0, "{target}");
            // HTTP/1.0 knows no chunks.
            let (bytes, keeps) = answer(&site, target, |asked| asked.is_1_0 = true);
            let whole = read(&bytes, false);
            assert!(size.contains(&whole.body), "{target}");
            assert_eq!(whole.is_kept, keeps);
            let (bytes, keeps) = answer(&site, target, |asked| asked.keeps = false);
            assert!(!keeps && !read(&bytes, false).is_kept);
        };
        check("/", 200, 5..=5, true);
        check("/?x=y", 200, 5..=5, true);
        check("http://h/?x", 200, 5..=5, true);
        check("http://h", 200, 5..=5, true);
        check("/big", 200, 1 << 20..=1 << 20, true);
        check("/c", 200, 100_001..=100_001, true);
        check("/e", 200, 70_000..=70_000, false);
        check("/n", 204, 0..=0, true);
        check("/m", 304, 0..=0, true);
        check("/0", 200, 0..=0, true);
        check("/p", 503, 1..=9, true);
        check("/p/q/r", 418, 1024..=1024, true);
        check("/none", 404, 10..=10, true);
        check("*", 404, 10..=10, true);
    }

    #[test]
    fn draws_follow_their_weights() {
        let site = site(
            "  - {path: /, status: {200: 9, 500: 1}, size: 10 to 19, delay: uniform 1ms 2ms, faults: {cut: 0.25}}\n  \
             - {path: /n, delay: normal 10ms 1ms}\n  - {path: /x, delay: exponential 10ms}\n  - {path: /f, delay: 3ms}",
        );
        let mut stream = Seed(1).stream("t", 0);
        let mut draw = |target: &str| -> Vec<Planned> {
            let asked = site.find(target.as_bytes());
            (0..20_000)
                .map(|_| site.plan(&asked, &mut stream))
                .collect()
        };
        let mean = |drawn: &[Planned]| {
            drawn.iter().map(|one| one.delay as f64).sum::<f64>() / drawn.len() as f64 / 1e6
        };
        let drawn = draw("/");
        let share = |test: fn(&&Planned) -> bool| {
            drawn.iter().filter(test).count() as f64 / drawn.len() as f64
        };
        assert!((share(|one| one.head == 1) - 0.1).abs() < 0.01);
        assert!((share(|one| one.misdeed == Some(Misdeed::Cut)) - 0.25).abs() < 0.02);
        assert!((share(|one| one.size == 10) - 0.1).abs() < 0.01);
        assert!((share(|one| one.size == 19) - 0.1).abs() < 0.01);
        assert!(
            drawn
                .iter()
                .all(|one| (1_000_000..=2_000_000).contains(&one.delay))
        );
        assert!((mean(&drawn) - 1.5).abs() < 0.02);
        assert!((mean(&draw("/n")) - 10.0).abs() < 0.1);
        assert!((mean(&draw("/x")) - 10.0).abs() < 0.4);
        assert!(draw("/f").iter().all(|one| one.delay == 3_000_000));
    }

    #[test]
    fn chunk_sizes_are_hexadecimal() {
        for number in [0, 1, 9, 10, 15, 16, 255, 256, 4096, 1 << 20] {
            let mut out = Vec::new();
            hexadecimal(number, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), format!("{number:x}"));
        }
    }
}
