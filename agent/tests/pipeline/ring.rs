//! Records that are lost in the ring: answers are joined to their own requests, or to none.

use std::collections::HashMap;

use super::*;

proptest! {
    #![proptest_config(config(192))]

    #[test]
    fn where_records_are_lost_no_answer_is_joined_to_another_request(
        exchanges in proptest::collection::vec(kept_alive(), 20..60),
        passes in proptest::collection::vec((1_usize..40, 0_usize..8), 1..20),
    ) {
        let conversation = Conversation::new("c", &exchanges, End::Quiet, false);
        let connection = Connection {
            conversation,
            dress: Dress::Ipv4,
            number: 0,
            initial: [7, 9],
            handshake: true,
            fins: false,
            client_is_low: false,
        };
        // With the budgets of a live capture: that is where records are lost.
        // So many come, then so many are lost.
        let passes: Vec<bool> = passes
            .iter()
            .flat_map(|(come, lost)| [vec![true; *come], vec![false; *lost]].concat())
            .collect();
        let whole = observe(&connection, &[true]);
        let answers = whole.iter().filter(|head| head.line.starts_with("HTTP/"));
        prop_assert_eq!(answers.filter(|head| head.exchange.is_some()).count(), exchanges.len());
        let got = observe(&connection, &passes);
        let requests: HashMap<_, _> = got
            .iter()
            .filter(|head| !head.line.starts_with("HTTP/"))
            .map(|head| (head.exchange, name_in(&head.line)))
            .collect();
        for head in got.iter().filter(|head| head.line.starts_with("HTTP/")) {
            if head.exchange.is_some() && let Some(answer) = name_in(&head.fields) {
                let asked = requests.get(&head.exchange).copied().flatten();
                prop_assert_eq!(asked, Some(answer - 1), "{:?}", head);
            }
        }
    }
}

/// What is found where of the records those are lost that `passes`, again and again, says.
fn observe(connection: &Connection, passes: &[bool]) -> Vec<Got> {
    // With the budget of a live capture: that is where records are lost.
    let mut observer = Observer::new(OfflineSettings {
        connection_budget: 1 << 20,
        ..few_flows()
    });
    let (passes, mut next) = (passes.to_vec(), 0);
    observer.passes = Box::new(move || {
        next += 1;
        passes[(next - 1) % passes.len()]
    });
    for segment in &cut(connection, &[1448]) {
        observer.frame(&segment.frame, 1);
    }
    observer.finish().0
}

/// An exchange on a connection on which one request is outstanding at a time.
fn kept_alive() -> impl Strategy<Value = Exchange> {
    let body = prop_oneof![
        3 => Just(Body::None),
        2 => (1_usize..6000).prop_map(Body::Length),
        1 => (0_usize..5).prop_map(Body::Chunked),
    ];
    // Heads of several records are cut where one of those is lost.
    let padding = prop_oneof![3 => Just(0_usize), 2 => 0_usize..4000];
    (body, padding).prop_map(|(response, padding)| Exchange::Plain {
        request: Request {
            method: "GET",
            body: Body::None,
            response,
        },
        padding,
        bare: false,
        blank: false,
    })
}

/// The number of the head in a request line or in the fields of an answer.
fn name_in(text: &str) -> Option<u32> {
    let digits = text.split("c-").nth(1)?;
    let end = digits.find(|next: char| !next.is_ascii_digit());
    digits[..end.unwrap_or(digits.len())].parse().ok()
}
