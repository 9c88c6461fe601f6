//! Where the body of a message ends (RFC 9112, section 6.3), as far as its head can tell.

use super::message::{Coding, Framing, Length};

/// What of a request decides how its response is framed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum RequestKind {
    Head,
    Connect,
    Other,
}

/// What follows a head.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Body {
    /// So many bytes, then the next message.
    Bytes(u64),
    /// A chunked body.
    Chunked,
    /// A body whose end the head does not tell: up to the close, or a head at odds with itself.
    Unknown,
    /// No HTTP any more, in either direction.
    Opaque,
}

impl RequestKind {
    /// The kind of a request by its method. Methods are case-sensitive (RFC 9110, section 9.1).
    pub(super) fn of(method: &[u8]) -> Self {
        match method {
            b"HEAD" => Self::Head,
            b"CONNECT" => Self::Connect,
            _ => Self::Other,
        }
    }
}

/// Whether a response is an interim one: the final one is still to come.
pub(crate) fn is_interim(status: u16) -> bool {
    (100..200).contains(&status) && status != 101
}

/// What follows the head of a request.
pub(super) fn request_body(framing: Framing) -> Body {
    match (framing.coding, framing.length) {
        (Coding::Chunked, _) => Body::Chunked,
        (Coding::Other, _) | (Coding::Absent, Length::Bad) => Body::Unknown,
        (Coding::Absent, Length::Bytes(bytes)) => Body::Bytes(bytes),
        (Coding::Absent, Length::Absent) => Body::Bytes(0),
    }
}

/// What follows the head of a response; `request` is what it answers, where that is known.
pub(super) fn response_body(status: u16, framing: Framing, request: Option<RequestKind>) -> Body {
    match (status, request) {
        // Without a request that asked for it, a 101 is more likely a body that looks like one.
        (101, None) => return Body::Unknown,
        (101, Some(_)) | (200..=299, Some(RequestKind::Connect)) => return Body::Opaque,
        (100..=199 | 204 | 304, _) | (_, Some(RequestKind::Head)) => return Body::Bytes(0),
        _ => {}
    }
    match (framing.coding, framing.length) {
        (Coding::Chunked, _) => Body::Chunked,
        (Coding::Absent, Length::Bytes(bytes)) => Body::Bytes(bytes),
        _ => Body::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::{Parsed, parse};
    use super::{Body, RequestKind, request_body, response_body};

    fn framing(fields: &str) -> super::Framing {
        match parse(format!("GET / HTTP/1.1\r\n{fields}\r\n").as_bytes()) {
            Parsed::Whole(message) => message.framing,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn requests() {
        let check = |fields, body| assert_eq!(request_body(framing(fields)), body, "{fields:?}");
        check("", Body::Bytes(0));
        check("Content-Length: 12\r\n", Body::Bytes(12));
        check(
            "Content-Length: 12\r\nContent-Length: 12\r\n",
            Body::Bytes(12),
        );
        check("content-length:12 , 12\r\n", Body::Bytes(12));
        check(
            "Content-Length: 12\r\nContent-Length: 13\r\n",
            Body::Unknown,
        );
        check("Content-Length: +12\r\n", Body::Unknown);
        check("Content-Length:\r\n", Body::Unknown);
        check("Content-Length: 18446744073709551616\r\n", Body::Unknown);
        check(
            "Content-Length: 18446744073709551615\r\n",
            Body::Bytes(u64::MAX),
        );
        check(
            "Content-Length: 12\r\nTransfer-Encoding: Chunked\r\n",
            Body::Chunked,
        );
        check("Transfer-Encoding: gzip, chunked,\r\n", Body::Chunked);
        check(
            "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
            Body::Chunked,
        );
        check("Transfer-Encoding: chunked, gzip\r\n", Body::Unknown);
        check("Transfer-Encoding:\r\n chunked\r\n", Body::Unknown);
    }

    #[test]
    fn responses() {
        let check = |status, fields, request, body| {
            assert_eq!(
                response_body(status, framing(fields), request),
                body,
                "{status} {fields:?}"
            );
        };
        let (get, head) = (Some(RequestKind::Other), Some(RequestKind::of(b"HEAD")));
        let connect = Some(RequestKind::of(b"CONNECT"));
        let (length, chunked) = ("Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n");
        check(200, length, get, Body::Bytes(5));
        check(200, length, None, Body::Bytes(5));
        check(200, length, head, Body::Bytes(0));
        check(200, chunked, get, Body::Chunked);
        check(200, chunked, head, Body::Bytes(0));
        check(200, "", get, Body::Unknown);
        check(204, "", get, Body::Bytes(0));
        check(304, length, get, Body::Bytes(0));
        check(100, "", get, Body::Bytes(0));
        check(101, "", get, Body::Opaque);
        check(101, "", None, Body::Unknown);
        check(200, length, connect, Body::Opaque);
        check(407, length, connect, Body::Bytes(5));
        check(
            200,
            "Transfer-Encoding: gzip\r\nContent-Length: 5\r\n",
            get,
            Body::Unknown,
        );
    }
}
