//! From a text to a condition.

use std::str::FromStr;

use ipnet::IpNet;

use super::{
    Comparison, Condition, ConditionError, EndpointShape, FlagField, Node, NumberField, TextField,
    TextTest,
};
use crate::config::parse_duration;

/// Parentheses and negations in one another.
const DEEP: usize = 64;
/// Bytes of a condition.
const LONG: usize = 4096;

const FIELDS: &str = "status, bytes, latency, hour, method, path, endpoint, target, host, client, referrer, agent, level, source, service, message, code, bot or unanswered";

impl FromStr for Condition {
    type Err = ConditionError;

    fn from_str(text: &str) -> Result<Self, ConditionError> {
        let mut parser = Parser { text, at: 0 };
        if text.len() > LONG {
            return Err(parser.error(0, "it is too long"));
        }
        let root = parser.any(DEEP)?;
        parser.blank();
        if parser.at < text.len() {
            return Err(parser.error(parser.at, "'and', 'or' or the end is missing"));
        }
        Ok(Self {
            root,
            text: text.to_owned(),
        })
    }
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Parser<'t> {
    fn error(&self, at: usize, what: impl Into<String>) -> ConditionError {
        ConditionError {
            what: what.into(),
            place: self.text.get(..at).unwrap_or(self.text).chars().count() + 1,
            text: self.text.to_owned(),
        }
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn blank(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    /// Takes one of the signs, or the word, if it is what stands here.
    fn takes(&mut self, word: &str, sign: &str) -> bool {
        self.blank();
        let rest = self.rest();
        if rest.starts_with(sign) {
            self.at += sign.len();
            return true;
        }
        let is_word = rest
            .get(..word.len())
            .is_some_and(|begin| begin.eq_ignore_ascii_case(word))
            && !rest[word.len()..].starts_with(|next: char| is_of_name(next) || is_operator(next));
        if is_word {
            self.at += word.len();
        }
        is_word
    }

    fn any(&mut self, depth: usize) -> Result<Node, ConditionError> {
        let mut nodes = vec![self.all(depth)?];
        while self.takes("or", "||") {
            nodes.push(self.all(depth)?);
        }
        Ok(alone_or(nodes, Node::Or))
    }

    fn all(&mut self, depth: usize) -> Result<Node, ConditionError> {
        let mut nodes = vec![self.one(depth)?];
        while self.takes("and", "&&") {
            nodes.push(self.one(depth)?);
        }
        Ok(alone_or(nodes, Node::And))
    }

    fn one(&mut self, depth: usize) -> Result<Node, ConditionError> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(self.error(self.at, "it is too deep"));
        };
        if self.takes("not", "!") {
            return Ok(Node::Not(Box::new(self.one(depth)?)));
        }
        self.blank();
        if self.rest().starts_with('(') {
            self.at += 1;
            let inner = self.any(depth)?;
            self.blank();
            if !self.rest().starts_with(')') {
                return Err(self.error(self.at, "')' is missing"));
            }
            self.at += 1;
            return Ok(inner);
        }
        self.test()
    }

    /// `field operator value`.
    fn test(&mut self) -> Result<Node, ConditionError> {
        let start = self.at;
        let rest = self.rest();
        let name = &rest[..rest
            .find(|letter| !is_of_name(letter))
            .unwrap_or(rest.len())];
        if name.is_empty() {
            return Err(self.error(start, format!("a field is missing: {FIELDS}")));
        }
        self.at += name.len();
        self.blank();
        let place = self.at;
        let operators = ["!=", "!~", "<=", ">=", "==", "=", "<", ">", "~"];
        let rest = self.rest();
        let Some(operator) = operators.into_iter().find(|sign| rest.starts_with(sign)) else {
            return Err(self.error(
                place,
                format!("an operator is missing behind '{name}': = != < <= > >= ~ or !~"),
            ));
        };
        self.at += operator.len();
        self.blank();
        let value_at = self.at;
        let value = self.value()?;
        let field = field(name).ok_or_else(|| {
            self.error(
                start,
                format!("there is no field '{name}'; there are {FIELDS}"),
            )
        })?;
        let node = match field {
            Field::Endpoint => endpoint(operator, value),
            Field::Number(field) => number(field, operator, value),
            Field::Text(field) => text(field, operator, value),
            Field::Flag(field) => flag(field, operator, value),
        };
        node.map_err(|what| self.error(value_at, what))
    }

    fn value(&mut self) -> Result<&'t str, ConditionError> {
        let rest = self.rest();
        if let Some(quote) = rest
            .chars()
            .next()
            .filter(|first| matches!(first, '\'' | '"'))
        {
            let inner = &rest[1..];
            let Some(end) = inner.find(quote) else {
                return Err(self.error(self.at, "the quote is not closed"));
            };
            self.at += end + 2;
            return Ok(&inner[..end]);
        }
        let end =
            rest.find(|letter: char| letter.is_whitespace() || letter == ')' || letter == '(');
        let mut value = &rest[..end.unwrap_or(rest.len())];
        for sign in ["&&", "||"] {
            value = value.split_once(sign).map_or(value, |(before, _)| before);
        }
        if value.is_empty() {
            return Err(self.error(self.at, "a value is missing"));
        }
        self.at += value.len();
        Ok(value)
    }
}

enum Field {
    Endpoint,
    Number(NumberField),
    Text(TextField),
    Flag(FlagField),
}

fn field(name: &str) -> Option<Field> {
    let field = match name.to_ascii_lowercase().as_str() {
        "status" => Field::Number(NumberField::Status),
        "bytes" | "size" => Field::Number(NumberField::Bytes),
        "latency" | "duration" | "time" => Field::Number(NumberField::Latency),
        "hour" => Field::Number(NumberField::Hour),
        "method" => Field::Text(TextField::Method),
        "endpoint" => Field::Endpoint,
        "path" => Field::Text(TextField::Path),
        "target" | "url" => Field::Text(TextField::Target),
        "host" => Field::Text(TextField::Host),
        "client" | "ip" => Field::Text(TextField::Client),
        "referrer" | "referer" => Field::Text(TextField::Referrer),
        "agent" | "user_agent" => Field::Text(TextField::Agent),
        "level" => Field::Text(TextField::Level),
        "source" => Field::Text(TextField::Source),
        "service" => Field::Text(TextField::Service),
        "message" => Field::Text(TextField::Message),
        "code" | "error_code" => Field::Text(TextField::Code),
        "bot" => Field::Flag(FlagField::Bot),
        "unanswered" => Field::Flag(FlagField::Unanswered),
        _ => return None,
    };
    Some(field)
}

fn endpoint(operator: &str, value: &str) -> Result<Node, String> {
    let shape = EndpointShape::new(value);
    match operator {
        "=" | "==" => Ok(Node::Endpoint(shape, true)),
        "!=" => Ok(Node::Endpoint(shape, false)),
        _ => Err("an endpoint is compared with = and !=: endpoint='GET /user/{id}'".to_owned()),
    }
}

fn number(field: NumberField, operator: &str, value: &str) -> Result<Node, String> {
    let comparison = match operator {
        "=" | "==" => Comparison::Equal,
        "!=" => Comparison::Not,
        "<" => Comparison::Less,
        "<=" => Comparison::AtMost,
        ">" => Comparison::More,
        ">=" => Comparison::AtLeast,
        _ => return Err("~ is for texts; a number is compared with = != < <= > >=".to_owned()),
    };
    if field == NumberField::Latency {
        let wanted =
            latency(value).ok_or_else(|| format!("'{value}' is no duration: 500ms, 2s, 250us"))?;
        return Ok(Node::Number(field, comparison, wanted));
    }
    if field == NumberField::Status
        && let Some(class) = value.to_ascii_lowercase().strip_suffix("xx")
    {
        let class = class
            .parse::<u16>()
            .ok()
            .filter(|class| (1..=9).contains(class))
            .ok_or_else(|| format!("'{value}' is no class of a status: 1xx to 5xx"))?;
        return match comparison {
            Comparison::Equal => Ok(Node::Class(class, true)),
            Comparison::Not => Ok(Node::Class(class, false)),
            _ => Err(format!("'{value}' can only be compared with = and !=")),
        };
    }
    let wanted = value
        .parse()
        .map_err(|_none| format!("'{value}' is no whole number"))?;
    Ok(Node::Number(field, comparison, wanted))
}

fn latency(value: &str) -> Option<u64> {
    if let Some(micros) = value
        .strip_suffix("us")
        .or_else(|| value.strip_suffix("µs"))
    {
        return micros.parse().ok();
    }
    let duration = parse_duration(value).ok()?;
    u64::try_from(duration.as_micros()).ok()
}

fn text(field: TextField, operator: &str, value: &str) -> Result<Node, String> {
    let test = match operator {
        "=" | "==" => TextTest::Equal,
        "!=" => TextTest::Not,
        "~" => TextTest::Has,
        "!~" => TextTest::HasNot,
        _ => return Err("a text is compared with = != ~ !~".to_owned()),
    };
    if field == TextField::Client
        && value.contains('/')
        && matches!(test, TextTest::Equal | TextTest::Not)
    {
        let network: IpNet = value
            .parse()
            .map_err(|_none| format!("'{value}' is no network like 10.0.0.0/8"))?;
        return Ok(Node::Network(network, test == TextTest::Equal));
    }
    Ok(Node::Text(field, test, value.as_bytes().into()))
}

fn flag(field: FlagField, operator: &str, value: &str) -> Result<Node, String> {
    let is = match value.to_ascii_lowercase().as_str() {
        "yes" | "true" | "1" => true,
        "no" | "false" | "0" => false,
        _ => return Err(format!("'{value}' is neither yes nor no")),
    };
    match operator {
        "=" | "==" => Ok(Node::Flag(field, is)),
        "!=" => Ok(Node::Flag(field, !is)),
        _ => Err("yes and no are compared with = and !=".to_owned()),
    }
}

fn alone_or(mut nodes: Vec<Node>, all: impl Fn(Vec<Node>) -> Node) -> Node {
    match nodes.len() {
        1 => nodes.remove(0),
        _ => all(nodes),
    }
}

fn is_of_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

fn is_operator(letter: char) -> bool {
    matches!(letter, '=' | '!' | '<' | '>' | '~')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_cannot_be_meant() {
        let check = |text: &str, expected: &str| {
            let error = text.parse::<Condition>().unwrap_err().to_string();
            assert!(error.starts_with(expected), "{text}: {error}");
        };
        check("", "a field is missing");
        check("status", "an operator is missing behind 'status'");
        check("status=", "a value is missing at character 8");
        check("status=abc", "'abc' is no whole number at character 8");
        check("status>5xx", "'5xx' can only be compared with = and !=");
        check("status=0xx", "'0xx' is no class of a status");
        check("status~5", "~ is for texts");
        check("colour=red", "there is no field 'colour'");
        check("latency>5", "'5' is no duration");
        check("path>5", "a text is compared with");
        check("(status=5", "')' is missing");
        check(
            "status=5 path=/",
            "'and', 'or' or the end is missing at character 10",
        );
        check("status=5 and", "a field is missing");
        check("path='a", "the quote is not closed");
        check("client=10.0.0.0/99", "'10.0.0.0/99' is no network");
        check("bot=maybe", "'maybe' is neither yes nor no");
        check(&"(".repeat(3000), "it is too deep");
        check(&"x".repeat(5000), "it is too long");
    }

    #[test]
    fn words_that_look_like_others() {
        // A field may begin like a word, a value may be one.
        assert!("path=and and method=or".parse::<Condition>().is_ok());
        assert!("not bot=yes".parse::<Condition>().is_ok());
        assert!("NOT status=1 AND status=2".parse::<Condition>().is_ok());
    }

    proptest! {
        #[test]
        fn any_text_is_understood_or_refused(text in "\\PC{0,40}") {
            drop(text.parse::<Condition>());
        }

        #[test]
        fn any_words_are_understood_or_refused(
            text in "(status|path|and|or|not|=|~|>=|\\(|\\)|5xx|'a b'| ){0,12}",
        ) {
            drop(text.parse::<Condition>());
        }
    }
}
