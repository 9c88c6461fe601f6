//! What the three logs look like, as JSON or Markdown.

use serde::Serialize;

use super::config::LineFormat;

/// All logs.
#[derive(Debug, Serialize)]
pub struct Schemas {
    access_log: Schema,
    error_log: Schema,
    system_log: Schema,
    metadata: Metadata,
}

#[derive(Debug, Serialize)]
struct Metadata {
    generator: &'static str,
    version: &'static str,
    description: &'static str,
}

#[derive(Debug, Serialize)]
struct Schema {
    format: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pattern: &'static str,
    fields: Vec<Field>,
    example_line: &'static str,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Field {
    name: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    symbol: &'static str,
    r#type: &'static str,
    description: &'static str,
    example: &'static str,
}

/// The columns of a field: name, symbol, type, description, example.
type Columns = [&'static str; 5];

const ADDRESS: Columns = [
    "remote_host",
    "%h",
    "string",
    "Address of the client",
    "203.0.113.7",
];
const LOGNAME: Columns = ["remote_logname", "%l", "string", "Always -", "-"];
const USER: Columns = [
    "remote_user",
    "%u",
    "string",
    "Name of the user who is logged in, or -",
    "john_doe",
];
const TIME: Columns = [
    "timestamp",
    "%t",
    "string",
    "Time of the request, in UTC",
    "[10/Oct/2024:13:55:36 +0000]",
];
const REQUEST: Columns = [
    "request_line",
    "%r",
    "string",
    "Method, target and version",
    "GET /products?categoryID=4 HTTP/1.1",
];
const STATUS: Columns = [
    "status_code",
    "%>s",
    "integer",
    "Status of the answer",
    "200",
];
const SIZE: Columns = [
    "response_size",
    "%b",
    "integer",
    "Bytes of the body, or - where there is none",
    "2847",
];
const REFERER: Columns = [
    "referer",
    "%{Referer}i",
    "string",
    "Page that led here, or -",
    "https://example.com/products",
];
const AGENT: Columns = [
    "user_agent",
    "%{User-agent}i",
    "string",
    "Program of the user",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64)",
];
const VHOST: Columns = [
    "virtual_host",
    "%v:%p",
    "string",
    "Host and port that were asked",
    "example.com:443",
];
const MICROS: Columns = [
    "time_taken",
    "%D",
    "integer",
    "Microseconds that the answer took",
    "134217",
];

impl Schemas {
    /// Of the logs of a run with lines of this format.
    #[must_use]
    pub fn new(format: LineFormat) -> Self {
        Self {
            access_log: access(format),
            error_log: Schema {
                format: "What went wrong on the site: one line for each answer of error_rates",
                pattern: "%t - %l - %M",
                fields: fields(&[
                    [
                        "timestamp",
                        "%t",
                        "string",
                        "YYYY-MM-DD HH:MM:SS of the request, in UTC",
                        "2024-10-10 13:55:36",
                    ],
                    [
                        "log_level",
                        "%l",
                        "string",
                        "ERROR, or WARNING where the user is to blame",
                        "ERROR",
                    ],
                    [
                        "message",
                        "%M",
                        "string",
                        "What, the request, its status and the client",
                        "Failed to connect to database: GET /checkout 500 [client 203.0.113.7]",
                    ],
                ]),
                example_line: "2024-10-10 13:55:36 - ERROR - Failed to connect to database: GET /checkout 500 [client 203.0.113.7]",
            },
            system_log: Schema {
                format: "What the generator does",
                pattern: "%t - %l - %M",
                fields: fields(&[
                    [
                        "timestamp",
                        "%t",
                        "string",
                        "YYYY-MM-DD HH:MM:SS, in UTC",
                        "2024-10-10 13:55:36",
                    ],
                    [
                        "log_level",
                        "%l",
                        "string",
                        "DEBUG, INFO or WARNING",
                        "INFO",
                    ],
                    [
                        "message",
                        "%M",
                        "string",
                        "What",
                        "Health check server started on port 8080",
                    ],
                ]),
                example_line: "2024-10-10 13:55:36 - INFO - Health check server started on port 8080",
            },
            metadata: Metadata {
                generator: "tapline gen access",
                version: env!("CARGO_PKG_VERSION"),
                description: "Access log of a web shop that does not exist",
            },
        }
    }

    /// As Markdown.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let Metadata {
            generator,
            version,
            description,
        } = &self.metadata;
        let mut text = format!(
            "# Log Format Schemas\n\nGenerated by {generator} v{version}\n\n{description}\n\n"
        );
        for (title, schema) in [
            ("Access Log", &self.access_log),
            ("Error Log", &self.error_log),
            ("System Log", &self.system_log),
        ] {
            text += &format!("## {title}\n\n{}\n\n", schema.format);
            if !schema.pattern.is_empty() {
                text += &format!("**Pattern:** `{}`\n\n", schema.pattern);
            }
            text += "### Fields\n\n| Field | Symbol | Type | Description | Example |\n";
            text += "|-------|--------|------|-------------|---------|\n";
            for field in &schema.fields {
                let Field {
                    name,
                    symbol,
                    r#type,
                    description,
                    example,
                } = field;
                text += &format!(
                    "| {name} | {symbol} | {} | {description} | {example} |\n",
                    r#type
                );
            }
            text += &format!("\n**Example:** `{}`\n\n", schema.example_line);
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
        text
    }
}

fn fields(columns: &[Columns]) -> Vec<Field> {
    let field = |[name, symbol, r#type, description, example]: &Columns| Field {
        name,
        symbol,
        r#type,
        description,
        example,
    };
    columns.iter().map(field).collect()
}

fn access(format: LineFormat) -> Schema {
    let common = [ADDRESS, LOGNAME, USER, TIME, REQUEST, STATUS, SIZE];
    let combined = [common.as_slice(), &[REFERER, AGENT]].concat();
    match format {
        LineFormat::Common => Schema {
            format: "NCSA Common Log Format",
            pattern: "%h %l %u %t \"%r\" %>s %b",
            fields: fields(&common),
            example_line: "203.0.113.7 - john_doe [10/Oct/2024:13:55:36 +0000] \"GET /products HTTP/1.1\" 200 2847",
        },
        LineFormat::Combined => Schema {
            format: "NCSA Common Log Format (Combined)",
            pattern: "%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-agent}i\"",
            fields: fields(&combined),
            example_line: "203.0.113.7 - john_doe [10/Oct/2024:13:55:36 +0000] \"GET /products HTTP/1.1\" 200 2847 \"https://example.com/search?q=shoes\" \"Mozilla/5.0 (Windows NT 10.0; Win64; x64)\"",
        },
        LineFormat::VhostCombined => Schema {
            format: "NCSA combined with virtual host and port",
            pattern: "%v:%p %h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-agent}i\"",
            fields: fields(&[&[VHOST], combined.as_slice()].concat()),
            example_line: "example.com:443 203.0.113.7 - john_doe [10/Oct/2024:13:55:36 +0000] \"GET /products HTTP/1.1\" 200 2847 \"-\" \"Mozilla/5.0 (Windows NT 10.0; Win64; x64)\"",
        },
        LineFormat::CombinedTime => Schema {
            format: "NCSA combined with the time taken in microseconds",
            pattern: "%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-agent}i\" %D",
            fields: fields(&[combined.as_slice(), &[MICROS]].concat()),
            example_line: "203.0.113.7 - john_doe [10/Oct/2024:13:55:36 +0000] \"GET /products HTTP/1.1\" 200 2847 \"-\" \"Mozilla/5.0 (Windows NT 10.0; Win64; x64)\" 134217",
        },
        LineFormat::Json => Schema {
            format: "One JSON object a line; what is not there is left out",
            pattern: "",
            fields: fields(&[
                [
                    "ts",
                    "",
                    "string",
                    "Time of the request (RFC 3339, UTC)",
                    "2024-10-10T13:55:36.123Z",
                ],
                [
                    "src_ip",
                    "",
                    "string",
                    "Address of the client",
                    "203.0.113.7",
                ],
                [
                    "user",
                    "",
                    "string",
                    "Name of the user who is logged in",
                    "john_doe",
                ],
                ["method", "", "string", "Method", "GET"],
                [
                    "target",
                    "",
                    "string",
                    "Path and query",
                    "/products?categoryID=4",
                ],
                ["version", "", "string", "Version of HTTP", "HTTP/1.1"],
                ["host", "", "string", "Host that was asked", "example.com"],
                ["status", "", "integer", "Status of the answer", "200"],
                ["response_bytes", "", "integer", "Bytes of the body", "2847"],
                [
                    "total_us",
                    "",
                    "integer",
                    "Microseconds that the answer took",
                    "134217",
                ],
                [
                    "referer",
                    "",
                    "string",
                    "Page that led here",
                    "https://example.com/products",
                ],
                [
                    "user_agent",
                    "",
                    "string",
                    "Program of the user",
                    "Mozilla/5.0 (Windows NT 10.0; Win64; x64)",
                ],
            ]),
            example_line: "{\"ts\":\"2024-10-10T13:55:36.123Z\",\"src_ip\":\"203.0.113.7\",\"user\":\"john_doe\",\"method\":\"GET\",\"target\":\"/products\",\"version\":\"HTTP/1.1\",\"host\":\"example.com\",\"status\":200,\"response_bytes\":2847,\"total_us\":134217,\"user_agent\":\"Mozilla/5.0 (Windows NT 10.0; Win64; x64)\"}",
        },
        LineFormat::W3c => Schema {
            format: "W3C Extended Log Format; #Fields at the head of each file names the columns",
            pattern: "date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) sc-status sc-substatus sc-win32-status time-taken sc-bytes",
            fields: fields(&[
                [
                    "date",
                    "date",
                    "string",
                    "Day of the request, in UTC",
                    "2024-10-10",
                ],
                [
                    "time",
                    "time",
                    "string",
                    "Time of the request, in UTC",
                    "13:55:36",
                ],
                [
                    "server_address",
                    "s-ip",
                    "string",
                    "Address of the server",
                    "192.0.2.80",
                ],
                ["method", "cs-method", "string", "Method", "GET"],
                ["uri_stem", "cs-uri-stem", "string", "Path", "/products"],
                [
                    "uri_query",
                    "cs-uri-query",
                    "string",
                    "Query, or -",
                    "categoryID=4",
                ],
                [
                    "server_port",
                    "s-port",
                    "integer",
                    "Port of the server",
                    "443",
                ],
                [
                    "username",
                    "cs-username",
                    "string",
                    "Name of the user who is logged in, or -",
                    "john_doe",
                ],
                [
                    "client_address",
                    "c-ip",
                    "string",
                    "Address of the client",
                    "203.0.113.7",
                ],
                [
                    "user_agent",
                    "cs(User-Agent)",
                    "string",
                    "Program of the user, + for blanks",
                    "Mozilla/5.0+(X11)",
                ],
                [
                    "referer",
                    "cs(Referer)",
                    "string",
                    "Page that led here, or -",
                    "https://example.com/",
                ],
                [
                    "status_code",
                    "sc-status",
                    "integer",
                    "Status of the answer",
                    "200",
                ],
                ["substatus", "sc-substatus", "integer", "Always 0", "0"],
                [
                    "win32_status",
                    "sc-win32-status",
                    "integer",
                    "Always 0",
                    "0",
                ],
                [
                    "time_taken",
                    "time-taken",
                    "integer",
                    "Milliseconds that the answer took",
                    "134",
                ],
                [
                    "response_size",
                    "sc-bytes",
                    "integer",
                    "Bytes of the body",
                    "2847",
                ],
            ]),
            example_line: "2024-10-10 13:55:36 192.0.2.80 GET /products categoryID=4 443 john_doe 203.0.113.7 Mozilla/5.0+(X11) https://example.com/ 200 0 0 134 2847",
        },
        LineFormat::Simple => Schema {
            format: "Time, method, target, status and milliseconds",
            pattern: "",
            fields: fields(&[
                [
                    "timestamp",
                    "",
                    "string",
                    "Time of the request (RFC 3339, UTC)",
                    "2024-10-10T13:55:36Z",
                ],
                ["method", "", "string", "Method", "GET"],
                ["endpoint", "", "string", "Path and query", "/products"],
                ["status_code", "", "integer", "Status of the answer", "200"],
                [
                    "response_time",
                    "",
                    "string",
                    "Milliseconds that the answer took",
                    "134ms",
                ],
            ]),
            example_line: "2024-10-10T13:55:36Z GET /products 200 134ms",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_has_both() {
        for format in LineFormat::ALL {
            let schemas = Schemas::new(format);
            let json = serde_json::to_value(&schemas).unwrap();
            for log in ["access_log", "error_log", "system_log"] {
                assert!(json[log]["fields"].as_array().unwrap().len() >= 3, "{json}");
            }
            let markdown = schemas.to_markdown();
            for title in ["## Access Log", "## Error Log", "## System Log"] {
                assert!(markdown.contains(title), "{markdown}");
            }
            let rows = markdown
                .lines()
                .filter(|line| line.starts_with("| "))
                .count();
            assert_eq!(rows, schemas.access_log.fields.len() + 6 + 3);
        }
    }
}
