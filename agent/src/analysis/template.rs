//! Path templates, learned from the traffic: `/user/17` and `/user/18` are both `/user/{id}`, so that
//! one endpoint is one row. Pure, and bounded whatever comes.
//!
//! A segment that looks like an identifier (digits, a UUID, long hexadecimal, a long token of letters
//! and digits) or a date is one from its first sight. Other segments are kept as they are until a
//! place has more than [`WIDE`] of them: then those that are not seen far more often than the usual
//! one among them become one, `{name}`. So a list of users becomes one row at once, while endpoints stay
//! what they are among thousands of paths that a scanner tries once.
//!
//! ```text
//! /api ─┬─ users ── {id} ─┬─ orders
//!       │                 └─ avatar
//!       └─ tags ─── {name}              there were more than 48 of them
//! ```

use std::borrow::Cow;
use std::mem;

/// Segments of one place that are told apart.
const WIDE: usize = 48;
/// Segments of one place that are told apart where all together have become too many.
const NARROW: usize = 8;
/// A segment that is seen this many times as often as the median of its place is kept.
const FREQUENT: u64 = 8;
/// Segments of a path; what is deeper is one more, `…`.
const DEEP: usize = 12;
/// Bytes of a segment that is kept as it is.
const LONG: usize = 64;

const ID: &[u8] = b"{id}";
const DATE: &[u8] = b"{date}";
const NAME: &[u8] = b"{name}";
const REST: &str = "…";

/// The template of a path. It stays valid until [`Templates::take_merged`] says that it has become a
/// part of another one.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Template(u32);

impl Template {
    /// What has no place of its own because there are too many.
    pub const OTHER: Self = Self(0);

    /// A small number, below [`Templates::capacity`], that no other template has at this time: for
    /// tables.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// The templates of the paths so far.
#[derive(Clone, Debug)]
pub struct Templates {
    nodes: Vec<Node>,
    /// Nodes that nobody uses.
    free: Vec<u32>,
    /// Nodes that merged into others, and which; in the order in which it happened.
    merged: Vec<(Template, Template)>,
    limit: usize,
    /// Placements until the next search for room.
    patience: usize,
}

#[derive(Clone, Debug, Default)]
struct Node {
    segment: Box<[u8]>,
    parent: u32,
    /// In the order of their segments.
    children: Vec<u32>,
    /// Paths that went through it.
    count: u64,
    /// Paths that ended here.
    ends: bool,
}

/// Where paths begin, and where all else does: `*`, `host:port`.
const OTHER: u32 = 0;
const PATHS: u32 = 1;
const BARE: u32 = 2;
const ROOTS: usize = 3;

impl Templates {
    /// At most `limit` places are told apart, at least 64; what comes beyond is [`Template::OTHER`].
    /// A place takes some 100 bytes, and its segment.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        let mut nodes = Vec::new();
        nodes.resize_with(ROOTS, Node::default);
        Self {
            nodes,
            free: Vec::new(),
            merged: Vec::new(),
            limit: limit.clamp(64, u32::MAX as usize / 2),
            patience: 0,
        }
    }

    /// What every [`Template::index`] is below, now and later.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.limit + ROOTS
    }

    /// The template of a request target, of any of its four forms (RFC 9112, section 3.2), without
    /// its query. When it returns, others may have merged: see [`Self::take_merged`].
    pub fn place(&mut self, target: &[u8]) -> Template {
        let (root, path) = path_of(target);
        self.patience = self.patience.saturating_sub(1);
        let mut node = root;
        let mut segments = path.split(|byte| *byte == b'/');
        for depth in 0..=DEEP {
            let Some(segment) = segments.next() else {
                break;
            };
            let segment = match depth {
                DEEP => REST.as_bytes(),
                _ => kind_of(segment),
            };
            let Some(child) = self.child(node, segment) else {
                self.nodes[OTHER as usize].count += 1;
                return Template::OTHER;
            };
            self.nodes[child as usize].count += 1;
            node = child;
        }
        self.nodes[node as usize].ends = true;
        Template(node)
    }

    /// Whether templates have become parts of others since this was last told.
    #[must_use]
    pub fn has_merged(&self) -> bool {
        !self.merged.is_empty()
    }

    /// The templates that have become parts of others, and of which, in the order in which that
    /// happened: what was counted for the first belongs to the second. Whoever remembers templates of
    /// paths has to forget them; the numbers of those that are gone are used again.
    pub fn take_merged(&mut self) -> Vec<(Template, Template)> {
        let merged = mem::take(&mut self.merged);
        self.free.extend(merged.iter().map(|(from, _)| from.0));
        merged
    }

    /// The end of learning: what is rare beside a `{name}` becomes a part of it.
    pub fn settle(&mut self) {
        for node in 0..self.nodes.len() as u32 {
            let children = &self.nodes[node as usize].children;
            let has_names = self.find(node, NAME).is_ok();
            if has_names && children.len() > 1 {
                self.fold(node, NARROW);
            }
        }
    }

    /// The template as text: `/user/{id}`. Bytes that are not UTF-8 are replaced.
    #[must_use]
    pub fn name(&self, template: Template) -> String {
        let mut segments: Vec<Cow<'_, str>> = Vec::new();
        let mut node = template.0;
        while node >= ROOTS as u32 {
            let Node {
                segment, parent, ..
            } = &self.nodes[node as usize];
            segments.push(String::from_utf8_lossy(segment));
            node = *parent;
        }
        if node == OTHER {
            return "(other)".to_owned();
        }
        let mut name = String::new();
        for (index, segment) in segments.iter().rev().enumerate() {
            if node == PATHS || index > 0 {
                name.push('/');
            }
            name += segment;
        }
        name
    }

    /// The child for this segment, made where there is none; `None`: there is no room.
    fn child(&mut self, parent: u32, segment: &[u8]) -> Option<u32> {
        let at = match self.find(parent, segment) {
            Ok(at) => return Some(self.nodes[parent as usize].children[at]),
            Err(at) => at,
        };
        if self.nodes[parent as usize].children.len() >= WIDE {
            self.fold(parent, WIDE / 2);
            // What is seen for the first time is as rare as what has just been folded; it gets a
            // place of its own, so that it can show to be frequent.
            return self.child_with_room(parent, segment);
        }
        self.insert(parent, at, segment)
    }

    fn child_with_room(&mut self, parent: u32, segment: &[u8]) -> Option<u32> {
        match self.find(parent, segment) {
            Ok(at) => Some(self.nodes[parent as usize].children[at]),
            Err(at) => self.insert(parent, at, segment),
        }
    }

    fn insert(&mut self, parent: u32, at: usize, segment: &[u8]) -> Option<u32> {
        if self.used() >= self.limit {
            // The path that is being placed must not lose its ground: room is made for the next one.
            if self.patience == 0 {
                self.patience = self.limit;
                self.make_room(parent);
            }
            return self.child_of_names(parent);
        }
        let node = Node {
            segment: segment.into(),
            parent,
            ..Node::default()
        };
        let index = match self.free.pop() {
            Some(free) => {
                self.nodes[free as usize] = node;
                free
            }
            None => {
                let index = u32::try_from(self.nodes.len()).ok()?;
                self.nodes.push(node);
                index
            }
        };
        self.nodes[parent as usize].children.insert(at, index);
        Some(index)
    }

    /// Where there is no room: the `{name}` that is there already.
    fn child_of_names(&self, parent: u32) -> Option<u32> {
        let at = self.find(parent, NAME).ok()?;
        Some(self.nodes[parent as usize].children[at])
    }

    /// Nodes that are told apart, or that the caller still counts for.
    fn used(&self) -> usize {
        self.nodes.len() - ROOTS - self.free.len()
    }

    /// Folds wide places, but for those on the way to `keep`.
    fn make_room(&mut self, keep: u32) {
        let mut way = Vec::new();
        let mut node = keep;
        while node >= ROOTS as u32 {
            way.push(node);
            node = self.nodes[node as usize].parent;
        }
        for node in 1..self.nodes.len() as u32 {
            let children = &self.nodes[node as usize].children;
            let is_on_way = node == keep || children.iter().any(|child| way.contains(child));
            if children.len() > NARROW && !is_on_way {
                self.fold(node, NARROW / 2);
            }
        }
    }

    fn find(&self, parent: u32, segment: &[u8]) -> Result<usize, usize> {
        let segment_of = |child: &u32| &*self.nodes[*child as usize].segment;
        self.nodes[parent as usize]
            .children
            .binary_search_by(|child| segment_of(child).cmp(segment))
    }

    /// Makes one `{name}` of the children that are not frequent; at most `most` are kept.
    fn fold(&mut self, parent: u32, most: usize) {
        let children = mem::take(&mut self.nodes[parent as usize].children);
        let is_kind = |segment: &[u8]| [ID, DATE, NAME].contains(&segment);
        let (mut kept, mut plain): (Vec<u32>, Vec<u32>) = children
            .into_iter()
            .partition(|child| is_kind(&self.nodes[*child as usize].segment));
        plain.sort_by_key(|child| std::cmp::Reverse(self.nodes[*child as usize].count));
        let median = plain
            .get(plain.len() / 2)
            .map_or(0, |child| self.nodes[*child as usize].count);
        let frequent = plain.iter().take(most).take_while(|child| {
            self.nodes[**child as usize].count >= median.saturating_mul(FREQUENT)
        });
        let rare = plain.split_off(frequent.count());
        kept.extend(plain);
        kept.sort_by(|left, right| {
            let segment = |child: &u32| &self.nodes[*child as usize].segment;
            segment(left).cmp(segment(right))
        });
        self.nodes[parent as usize].children = kept;
        let mut rare = rare.into_iter();
        let names = match self.find(parent, NAME) {
            Ok(at) => self.nodes[parent as usize].children[at],
            Err(at) => {
                let Some(first) = rare.next() else { return };
                self.nodes[first as usize].segment = NAME.into();
                self.nodes[parent as usize].children.insert(at, first);
                first
            }
        };
        for child in rare {
            self.merge(child, names);
        }
        if self.nodes[names as usize].children.len() > WIDE {
            self.fold(names, WIDE / 2);
        }
    }

    /// Makes a node and all below it a part of another one. Goes no deeper than paths are.
    fn merge(&mut self, from: u32, into: u32) {
        let gone = mem::take(&mut self.nodes[from as usize]);
        self.nodes[into as usize].count += gone.count;
        self.nodes[into as usize].ends |= gone.ends;
        for child in gone.children {
            let segment = mem::take(&mut self.nodes[child as usize].segment);
            match self.find(into, &segment) {
                Ok(at) => {
                    let same = self.nodes[into as usize].children[at];
                    self.merge(child, same);
                }
                Err(at) => {
                    self.nodes[child as usize].segment = segment;
                    self.nodes[child as usize].parent = into;
                    self.nodes[into as usize].children.insert(at, child);
                }
            }
        }
        self.merged.push((Template(from), Template(into)));
    }
}

/// Whether a request target may belong to the template of this name. It does where each segment is the
/// same, or of the kind that the template has in its place; of what was kept beside a `{name}` because
/// it is frequent, the target does not tell.
#[must_use]
pub fn is_of(target: &[u8], name: &[u8]) -> bool {
    let (root, path) = path_of(target);
    let name = match (root, name) {
        (PATHS, [b'/', name @ ..]) => name,
        (BARE, name) if !name.starts_with(b"/") => name,
        _ => return false,
    };
    let mut segments = path.split(|byte| *byte == b'/').map(kind_of);
    for (depth, wanted) in name.split(|byte| *byte == b'/').enumerate() {
        let Some(segment) = segments.next() else {
            return false;
        };
        if depth >= DEEP && wanted == REST.as_bytes() {
            return true;
        }
        let is_name = wanted == NAME && segment != ID && segment != DATE;
        if segment != wanted && !is_name {
            return false;
        }
    }
    segments.next().is_none()
}

/// Where a target begins, and its path without the first slash, the query and the parameters.
fn path_of(target: &[u8]) -> (u32, &[u8]) {
    let end = memchr::memchr3(b'?', b'#', b';', target).unwrap_or(target.len());
    let target = &target[..end];
    if let [b'/', path @ ..] = target {
        return (PATHS, path);
    }
    // The absolute form: the host is not part of the path.
    let Some(scheme) = memchr::memmem::find(target, b"://") else {
        return (BARE, target);
    };
    let rest = &target[scheme + 3..];
    match memchr::memchr(b'/', rest) {
        Some(slash) => (PATHS, &rest[slash + 1..]),
        None => (PATHS, b""),
    }
}

/// What stands for a segment: itself, or the kind of identifier that it is.
fn kind_of(segment: &[u8]) -> &[u8] {
    let digits = segment.iter().filter(|byte| byte.is_ascii_digit()).count();
    let letters = segment
        .iter()
        .filter(|byte| byte.is_ascii_alphabetic())
        .count();
    let is_hexadecimal = || {
        let of_uuid = |byte: &u8| byte.is_ascii_hexdigit() || *byte == b'-';
        segment.len() >= 8 && segment.iter().all(of_uuid)
    };
    match segment {
        [] => segment,
        _ if is_date(segment) => DATE,
        _ if digits == segment.len() => ID,
        _ if digits > 0 && is_hexadecimal() => ID,
        // Tokens: long, of letters and digits in a mix that no word has.
        _ if segment.len() >= 20 && digits >= 2 && digits + letters + 2 >= segment.len() => ID,
        _ if segment.len() > LONG => NAME,
        _ => segment,
    }
}

/// Whether a request target has this template, without its query: each segment of it is the same, or
/// is of the kind that stands for it. A `{name}` is any segment that is not empty.
#[must_use]
pub fn fits(template: &[u8], target: &[u8]) -> bool {
    let (root, path) = path_of(target);
    let (own_root, own) = path_of(template);
    if root != own_root {
        return false;
    }
    let mut wanted = own.split(|byte| *byte == b'/');
    let mut segments = path.split(|byte| *byte == b'/');
    loop {
        match (wanted.next(), segments.next()) {
            (None, None) => return true,
            (Some(rest), Some(_)) if rest == REST.as_bytes() => return true,
            (Some(NAME), Some(segment)) if !segment.is_empty() => {}
            (Some(own), Some(segment)) if own == segment || own == kind_of(segment) => {}
            _ => return false,
        }
    }
}

/// `2026-01-31`.
fn is_date(segment: &[u8]) -> bool {
    let digit = |index: usize| segment[index].is_ascii_digit();
    segment.len() == 10
        && segment[4] == b'-'
        && segment[7] == b'-'
        && [0, 1, 2, 3, 5, 6, 8, 9].into_iter().all(digit)
}

#[cfg(test)]
mod tests;
