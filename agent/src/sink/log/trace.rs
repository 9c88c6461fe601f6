//! The trace that a request belongs to, as its `traceparent` says (W3C Trace Context, section 3.2).

/// The identifier of the trace: 32 lower-case hexadecimal digits; `None` when the field is not valid.
pub(super) fn trace_id(traceparent: &str) -> Option<&str> {
    const LENGTH: usize = 55;
    let is_hex = |text: &str| {
        text.bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let (known, more) = traceparent.split_at_checked(LENGTH)?;
    let mut parts = known.split('-');
    let (version, trace, parent, flags) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let lengths = [version, trace, parent, flags].map(str::len) == [2, 32, 16, 2];
    let is_valid = lengths
        && parts.next().is_none()
        && [version, trace, parent, flags].into_iter().all(is_hex)
        && version != "ff"
        && trace.bytes().any(|byte| byte != b'0')
        && parent.bytes().any(|byte| byte != b'0')
        // Only later versions may have more.
        && (more.is_empty() || (version != "00" && more.starts_with('-')));
    is_valid.then_some(trace)
}

#[cfg(test)]
mod tests {
    use super::trace_id;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

    #[test]
    fn valid_ones() {
        for text in [
            format!("00-{TRACE}-b7ad6b7169203331-01"),
            format!("cc-{TRACE}-b7ad6b7169203331-ff"),
            format!("01-{TRACE}-b7ad6b7169203331-01-what-follows"),
        ] {
            assert_eq!(trace_id(&text), Some(TRACE), "{text}");
            for end in 0..55 {
                assert_eq!(trace_id(&text[..end]), None);
            }
        }
    }

    #[test]
    fn others() {
        let zero = "0".repeat(32);
        for text in [
            format!("ff-{TRACE}-b7ad6b7169203331-01"),
            format!("00-{zero}-b7ad6b7169203331-01"),
            format!("00-{TRACE}-0000000000000000-01"),
            format!("00-{TRACE}-b7ad6b7169203331-01-x"),
            format!("01-{TRACE}-b7ad6b7169203331-01x"),
            format!("00-{}-b7ad6b7169203331-01", TRACE.to_uppercase()),
            format!("00_{TRACE}-b7ad6b7169203331-01"),
            format!("00-{TRACE}-b7ad6b7169203331-0g"),
            format!("0-0{TRACE}-b7ad6b7169203331-01"),
            "é".repeat(55),
        ] {
            assert_eq!(trace_id(&text), None, "{text}");
        }
    }
}
