//! The lines of Zeek: `http.log`, one an exchange, and `conn.log`, one a session that is over; fields
//! between tabs, with Zeek's header.
//!
//! - Columns, types and their order are Zeek's own. What is not known is `-`, what is empty
//!   `(empty)`. Always `-` are: the lengths of bodies (records count them with their heads), the
//!   reason phrases, user and password, and all that Zeek finds by looking into bodies or is told by
//!   its configuration. `origin` and `proxied` are known where `log.headers` names their fields.
//! - `uid` is `C` and the session's identifier in base 62, the same in both files. `trans_depth` is
//!   counted a session as long as it is among the last 32,768 or so that had an exchange; after that
//!   it begins at 1 again.
//! - Bytes of the wire that are no harmless text, backslashes and what divides fields are `\xNN`; so is
//!   the first byte of a value that reads `-` or `(empty)`.
//! - The header stands wherever the program began to write to a file, so a file may have several;
//!   `zeek-cut` reads each anew. Interim records are left out, since Zeek knows none.

mod connection;
mod depth;
mod exchange;
mod value;

use jiff::Zoned;

pub use self::connection::write_session;
pub use self::exchange::write_exchange;

pub(super) use self::depth::Depths;

/// The column names and types of a file.
type Columns = [(&'static str, &'static str)];

/// The lines that begin a file: `conn.log`, or `http.log`.
pub(super) fn header(connections: bool, now: &Zoned) -> Vec<u8> {
    let (path, columns): (_, &Columns) = if connections {
        ("conn", &connection::COLUMNS)
    } else {
        ("http", &exchange::COLUMNS)
    };
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let types: Vec<&str> = columns.iter().map(|(_, kind)| *kind).collect();
    let open = time(now);
    format!(
        "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\t{path}\n\
         #open\t{open}\n#fields\t{}\n#types\t{}\n",
        names.join("\t"),
        types.join("\t"),
    )
    .into_bytes()
}

/// The line that ends a file.
pub(super) fn footer(now: &Zoned) -> Vec<u8> {
    format!("#close\t{}\n", time(now)).into_bytes()
}

fn time(now: &Zoned) -> String {
    now.strftime("%Y-%m-%d-%H-%M-%S").to_string()
}

#[cfg(test)]
mod tests;
