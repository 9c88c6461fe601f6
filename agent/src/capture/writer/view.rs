//! Which letters a head has: whose view of it this host has.

use crate::http::head::Kind;

/// How this host sees a head.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct View {
    pub(super) kind: Kind,
    /// The other side's view, when both sides are this host.
    pub(super) other_kind: Option<Kind>,
    pub(super) local: bool,
}

impl View {
    pub(super) fn of(is_request: bool, source_local: bool, destination_local: bool) -> Self {
        let (server, client) = if is_request {
            (Kind::ClientQuery, Kind::ServerQuery)
        } else {
            (Kind::ClientResponse, Kind::ServerResponse)
        };
        // The server receives requests and sends responses.
        let (server_local, client_local) = if is_request {
            (destination_local, source_local)
        } else {
            (source_local, destination_local)
        };
        match (server_local, client_local) {
            (true, true) => Self {
                kind: server,
                other_kind: Some(client),
                local: true,
            },
            (false, true) => Self {
                kind: client,
                other_kind: None,
                local: true,
            },
            // Neither: a bridge, a mirror, a router, a capture file; the side that answers counts.
            (server_local, false) => Self {
                kind: server,
                other_kind: None,
                local: server_local,
            },
        }
    }
}
