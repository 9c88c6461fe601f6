//! Why records were not stored, in Korean. What a target said itself stays as it said it.

use std::io;

use crate::sink::api::connection::{Failure, Step};
use crate::sink::api::direct::Why;
use crate::sink::api::verdict::{Hint, NOTHING, Trouble};

/// The reason and its causes in one line.
pub(super) fn korean(why: &Why) -> String {
    match why {
        Why::Refused(refusal) => format!("상태 {}: {}", refusal.status, said(&refusal.said)),
        Why::Failed(failure) => failed(failure),
    }
}

fn failed(failure: &Failure) -> String {
    match failure {
        Failure::Connect { host, port, source } => {
            format!("{host} 포트 {port}에 연결할 수 없음: {}", system(source))
        }
        Failure::Tls { host, .. } => {
            format!("{host}: 인증서를 신뢰할 수 없거나 TLS로 통신하지 않음")
        }
        Failure::Late { what, after } => {
            let seconds = after.as_secs_f64();
            match what {
                Step::Connecting => format!("{seconds}초 안에 연결되지 않음"),
                Step::Request => format!("{seconds}초 안에 요청이 끝나지 않음"),
            }
        }
        Failure::Broken(_) => "응답이 끝나기 전에 연결이 끊어짐".to_owned(),
        Failure::TooLong => "응답이 너무 긺".to_owned(),
        Failure::Request(_) => "요청을 만들 수 없음".to_owned(),
        Failure::Answered(answered) => {
            let status = answered.status;
            match &answered.trouble {
                Trouble::Status { said: text, hint } => {
                    format!("응답 {status}: {}{}", said(text), help(*hint))
                }
                Trouble::NoJson(text) => format!("응답 {status}, JSON이 아님: {}", said(text)),
                Trouble::Array => format!("응답 {status}, 레코드 하나에 배열로 답함"),
                Trouble::Count { counted, records } => {
                    format!("응답 {status}, 레코드 {records}개 중 {counted}개만 셈")
                }
            }
        }
    }
}

fn said(text: &str) -> &str {
    match text {
        NOTHING => "내용 없음",
        text => text,
    }
}

fn help(hint: Hint) -> String {
    match hint {
        Hint::None => String::new(),
        Hint::Redirect(url) => format!("; 리디렉션은 따라가지 않음: {url} 주소를 확인하세요"),
        Hint::Token(token) => format!("; {token}의 토큰을 확인하세요"),
        Hint::Path(url) => format!("; {url} 주소가 API의 주소(/logs 앞부분)인지 확인하세요"),
        Hint::Gzip(gzip) => format!("; gzip을 받는지 확인하세요 ({gzip})"),
    }
}

fn system(error: &io::Error) -> String {
    use io::ErrorKind as Kind;
    let words = match error.kind() {
        Kind::ConnectionRefused => "연결이 거부됨",
        Kind::ConnectionReset | Kind::ConnectionAborted => "상대가 연결을 끊음",
        Kind::TimedOut => "시간 초과",
        Kind::HostUnreachable => "호스트에 닿을 수 없음",
        Kind::NetworkUnreachable | Kind::NetworkDown => "네트워크에 닿을 수 없음",
        Kind::AddrNotAvailable => "쓸 수 없는 주소",
        Kind::PermissionDenied => "권한 없음",
        // Names are looked up by the C library, whose errors have no number.
        _ if error.raw_os_error().is_none() => "이름에 맞는 주소를 찾을 수 없음",
        _ => "시스템 오류",
    };
    match error.raw_os_error() {
        Some(number) => format!("{words} (오류 {number})"),
        None => words.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::sink::api::verdict::{Answered, Refusal};

    #[test]
    fn no_english_is_left() {
        let check = |why: Why, expected: &str| assert_eq!(korean(&why), expected, "{why}");
        let connect = |source: io::Error| {
            Why::Failed(Failure::Connect {
                host: "localhost".to_owned(),
                port: 8000,
                source,
            })
        };
        check(
            connect(io::Error::from_raw_os_error(libc::ECONNREFUSED)),
            "localhost 포트 8000에 연결할 수 없음: 연결이 거부됨 (오류 111)",
        );
        check(
            connect(io::Error::other("failed to lookup address information")),
            "localhost 포트 8000에 연결할 수 없음: 이름에 맞는 주소를 찾을 수 없음",
        );
        check(
            Why::Refused(Refusal {
                status: 422,
                said: "{}".to_owned(),
            }),
            "상태 422: {}",
        );
        let answered = |status, trouble| {
            Why::Failed(Failure::Answered(Answered {
                trouble,
                status,
                retry_after: None,
            }))
        };
        let status = |hint| Trouble::Status {
            said: NOTHING.to_owned(),
            hint,
        };
        check(
            answered(401, status(Hint::Token("--token-file"))),
            "응답 401: 내용 없음; --token-file의 토큰을 확인하세요",
        );
        check(
            answered(
                201,
                Trouble::Count {
                    counted: 1,
                    records: 2,
                },
            ),
            "응답 201, 레코드 2개 중 1개만 셈",
        );
        check(
            Why::Failed(Failure::Late {
                what: Step::Request,
                after: Duration::from_secs(5),
            }),
            "5초 안에 요청이 끝나지 않음",
        );
    }
}
