//! A row of the table: what is run, and what it should come to.

/// One measurement.
#[derive(Debug)]
pub(crate) struct Row {
    /// Its name: the generator first.
    pub(crate) name: &'static str,
    /// What follows `tapline gen`, separated by spaces: the generator and its flags, but for where records go.
    pub(crate) arguments: &'static str,
    /// Where records go.
    pub(crate) to: To,
    /// What it should come to.
    pub(crate) goal: Goal,
}

/// Where records go: flags are put behind the arguments.
#[derive(Clone, Copy, Debug)]
pub(crate) enum To {
    /// A file that this flag names, of which every line is a record.
    Lines(&'static str),
    /// A folder that this flag names, in which every line of `access.log` is a record.
    Log(&'static str),
    /// A file whose name begins as this flag says, of which every line is a record; it is followed by no
    /// other.
    Files(&'static str),
    /// A folder that this flag names.
    Folder(&'static str),
    /// The API of a `tapline serve` with a fresh store, whose account must have as many records; this flag
    /// names it.
    Serve(&'static str),
}

/// What a row should come to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal {
    /// So many records a second, or more.
    AtLeast(f64),
    /// This rate, to 1 %.
    Rate(f64),
    /// It is only measured.
    None,
}
