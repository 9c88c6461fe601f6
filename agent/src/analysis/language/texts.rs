//! The table of all texts.

/// Declares the table: a name, English, Korean. A text that is missing in a language does not compile.
macro_rules! texts {
    ($($name:ident: $english:literal, $korean:literal;)+) => {
        /// All texts of a report in one language. Names in braces stand for values.
        #[derive(Debug)]
        #[expect(missing_docs, reason = "the English text says what it is")]
        pub struct Texts {
            $(pub $name: &'static str,)+
        }

        impl Texts {
            /// In English.
            pub const ENGLISH: Self = Self { $($name: $english,)+ };
            /// In Korean.
            pub const KOREAN: Self = Self { $($name: $korean,)+ };
            /// Name, English, Korean.
            #[cfg(test)]
            pub(super) const PAIRS: &'static [(&'static str, &'static str, &'static str)] =
                &[$((stringify!($name), $english, $korean),)+];
        }
    };
}

texts! {
    title: "Log analysis", "로그 분석";
    overview: "Overview", "개요";
    sources: "Sources", "입력";
    insights: "What matters", "주요 인사이트";
    no_insights: "Nothing stands out.", "특이사항이 없습니다.";
    also: "At the same time: {list}.", "같은 시간: {list}.";
    advice_command: "lines", "로그 보기";
    period: "Period", "기간";
    until: "to", "~";
    requests: "Requests", "요청";
    total_requests: "Requests", "총 요청 건수";
    records: "Records", "레코드";
    clients: "Clients", "클라이언트";
    bytes: "Bytes", "전송량";
    success_rate: "Success (2xx)", "성공률 (2xx)";
    error_rate: "Errors (4xx, 5xx)", "에러율 (4xx, 5xx)";
    rate: "Requests a second", "초당 요청";
    bots: "Of robots", "봇 요청";
    latency: "Response time", "응답시간";
    unanswered: "Unanswered", "무응답";
    mean: "Mean", "평균";
    longest: "Max", "최대";
    lines_read: "Lines read", "읽은 줄";
    lines_counted: "Lines counted", "집계한 줄";
    lines_failed: "Lines not understood", "해석하지 못한 줄";
    lines_left_out: "Lines left out", "제외한 줄";
    asked: "Asked for", "조건";
    from_end: "counted from the end of the log, {end}", "로그의 끝 {end}부터 계산";
    notes: "Notes", "참고";
    source: "Source", "입력";
    format: "Format", "형식";
    lines: "Lines", "줄";
    failed: "Failed", "실패";
    problem: "Problem", "문제";
    reason: "Reason", "이유";
    text: "Text", "내용";
    time: "Time", "시간";
    hour: "Hour", "시";
    hours_of_day: "Requests by hour of the day (UTC)", "시간대별 요청 건수 (UTC)";
    over_time: "Requests over time (UTC)", "시간별 요청 건수 (UTC)";
    response_over_time: "Response time over time, ms (UTC)", "시간별 응답시간, ms (UTC)";
    statuses: "Status codes", "상태 코드 분포";
    status: "Status", "상태";
    methods: "Methods", "메소드";
    method: "Method", "메소드";
    endpoints: "Endpoints", "엔드포인트별 호출수";
    endpoint: "Endpoint", "엔드포인트";
    slowest_endpoints: "Slowest endpoints", "느린 엔드포인트";
    failing_endpoints: "Endpoints with the most errors", "에러가 많은 엔드포인트";
    slowest_requests: "Slowest requests", "느린 요청";
    target: "Target", "요청 대상";
    paths: "Paths", "경로";
    path: "Path", "경로";
    hosts: "Hosts", "호스트";
    host: "Host", "호스트";
    referrers: "Referrers", "리퍼러";
    referrer: "Referrer", "리퍼러";
    clients_table: "Clients", "클라이언트";
    client: "Client", "클라이언트";
    agents: "User agents", "사용자 에이전트";
    agent: "Family", "종류";
    bot: "Robot", "봇";
    yes: "yes", "예";
    errors: "Errors", "에러";
    share: "Share", "비율";
    others: "others: {values} values, {requests} requests", "그 외: {values}개 값, 요청 {requests}건";
    denied: "401, 403", "401, 403";
    missing: "404", "404";
    distinct_paths: "Paths", "경로 수";
    events: "Events", "이벤트";
    levels: "Levels", "레벨";
    level: "Level", "레벨";
    services: "Services", "서비스";
    service: "Service", "서비스";
    event_sources: "Origins", "출처";
    messages: "Messages of errors", "에러 메시지";
    message: "Message", "메시지";
    warnings_column: "Warnings", "경고";
    failed_lines: "Lines that were not understood", "해석하지 못한 줄";
    compared: "Compared with {from} to {to}", "{from} ~ {to} 대비";
    before: "Before", "이전";
    now: "Now", "현재";
    change: "Change", "변화";
    printed_by: "made by Tapline {version}", "Tapline {version} 작성";

    // Severities.
    severity_info: "info", "정보";
    severity_notice: "notice", "주의";
    severity_warning: "warning", "경고";
    severity_critical: "critical", "심각";

    // What is found: a title, a sentence with its numbers, and what to do.
    slowest_endpoint_title: "Slowest endpoint", "가장 느린 엔드포인트";
    slowest_endpoint_text: "{subject}: mean {mean}, p90 {p90}, {count} requests", "{subject} (평균 {mean}, p90 {p90}, {count}건)";
    slowest_endpoint_advice: "Look at indexes, caching, its queries, and what it could do later.", "DB 인덱스 추가, 캐싱, 쿼리 최적화, 비동기화 등을 고려하세요.";
    client_errors_title: "Where 4xx errors gather", "4xx 에러 집중 엔드포인트";
    client_errors_text: "{subject}", "{subject}";
    client_errors_advice: "Look at what is asked for: links, input, rights, and how the interface is documented.", "입력값 검증, 인증/권한 체크, API 사용법 안내 강화 필요";
    server_errors_title: "Where 5xx errors gather", "5xx 에러 집중 엔드포인트";
    server_errors_text: "{subject}", "{subject}";
    server_errors_advice: "Look at the server's error log, its database, and what it asks others for.", "서버 예외처리, DB 연결/쿼리 오류, 외부 API 오류 등 점검 필요";
    busiest_hour_title: "Busiest hour of the day", "트래픽 피크 시간대";
    busiest_hour_text: "{subject} ({count} requests, {share} of all)", "{subject} ({count}건, 전체의 {share})";
    busiest_hour_advice: "Plan work on the server for other hours.", "점검과 배포는 다른 시간대에 하세요.";
    slowest_hour_title: "Slowest hour of the day", "평균 응답시간이 가장 높은 시간대";
    slowest_hour_text: "{subject}, mean {mean} ({count} requests)", "{subject}, 평균 {mean} ({count}건)";
    slowest_hour_advice: "Look at what else runs in this hour: backups, reports, jobs.", "이 시간대의 백업, 배치 작업, 통계 작업을 확인하세요.";
    error_rates_title: "Share of errors", "에러율";
    error_rates_text: "4xx {client_errors}, 5xx {server_errors} of {count} answers", "4xx {client_errors}, 5xx {server_errors} (응답 {count}건)";
    error_rates_advice: "5xx above 1 % is felt by users: begin there.", "5xx가 1 %를 넘으면 사용자가 체감합니다. 먼저 점검하세요.";
    server_errors_rose_title: "More 5xx errors than before", "5xx 에러 급증";
    server_errors_rose_text: "{from} to {to}: {peak} of the requests at the worst, {usual} before; {count} in all, most at {subject}", "{from} ~ {to}: 최대 {peak}, 이전 {usual}, 총 {count}건, 주로 {subject}";
    server_errors_rose_advice: "Look at the server's error log of this time, and what was changed before it.", "이 시간의 서버 에러 로그와 직전 변경 사항을 확인하세요.";
    client_errors_rose_title: "More 4xx errors than before", "4xx 에러 급증";
    client_errors_rose_text: "{from} to {to}: {peak} of the requests at the worst, {usual} before; {count} in all, most at {subject}", "{from} ~ {to}: 최대 {peak}, 이전 {usual}, 총 {count}건, 주로 {subject}";
    client_errors_rose_advice: "A link that broke, a client that was changed, or somebody who tries things.", "깨진 링크, 변경된 클라이언트, 또는 탐색 시도를 확인하세요.";
    unanswered_rose_title: "More unanswered requests than before", "무응답 요청 급증";
    unanswered_rose_text: "{from} to {to}: {peak} of the requests at the worst, {usual} before; {count} in all, most at {subject}", "{from} ~ {to}: 최대 {peak}, 이전 {usual}, 총 {count}건, 주로 {subject}";
    unanswered_rose_advice: "Look for a server that restarted, hung, or refused connections.", "서버 재시작, 멈춤, 연결 거부를 확인하세요.";
    failures_rose_title: "More records of errors than before", "에러 레코드 급증";
    failures_rose_text: "{from} to {to}: {peak} of the records at the worst, {usual} before; {count} in all, most of {subject}", "{from} ~ {to}: 최대 {peak}, 이전 {usual}, 총 {count}건, 주로 {subject}";
    failures_rose_advice: "Look at what these records have in common: service, error code, address.", "서비스, 에러 코드, 주소 등 공통점을 확인하세요.";
    warnings_rose_title: "More warnings than before", "경고 레코드 급증";
    warnings_rose_text: "{from} to {to}: {peak} of the records at the worst, {usual} before; {count} in all, most of {subject}", "{from} ~ {to}: 최대 {peak}, 이전 {usual}, 총 {count}건, 주로 {subject}";
    warnings_rose_advice: "Look at what these records have in common before it becomes an error.", "에러가 되기 전에 공통점을 확인하세요.";
    more_requests_title: "More requests than before", "트래픽 급증";
    more_requests_text: "{from} to {to}: {peak} a minute at the most, {usual} before; {count} in all, most of {subject}", "{from} ~ {to}: 분당 최대 {peak}건, 이전 {usual}건, 총 {count}건, 주로 {subject}";
    more_requests_advice: "Look at who asks, and whether it is wanted.", "누구의 요청인지, 정상 요청인지 확인하세요.";
    fewer_requests_title: "Fewer requests than before", "트래픽 급감";
    fewer_requests_text: "{from} to {to}: {peak} a minute at the least, {usual} before", "{from} ~ {to}: 분당 최소 {peak}건, 이전 {usual}건";
    fewer_requests_advice: "Look for an outage in front of the server, or a log that was not written.", "앞단 장애나 로그 누락을 확인하세요.";
    slower_title: "Slower than before", "응답시간 급증";
    slower_text: "{from} to {to}: mean {peak} at the worst, {usual} before; {count} requests, most time at {subject}", "{from} ~ {to}: 평균 최대 {peak}, 이전 {usual}, {count}건, 주로 {subject}";
    slower_advice: "Look at the load of the server and its database in this time.", "이 시간의 서버와 DB 부하를 확인하세요.";
    endpoint_slower_title: "An endpoint slower than before", "엔드포인트 응답시간 급증";
    endpoint_slower_text: "{from} to {to}: {subject}: mean {peak} at the worst, {usual} before; {count} requests", "{from} ~ {to}: {subject}: 평균 최대 {peak}, 이전 {usual}, {count}건";
    endpoint_slower_advice: "Look at what this endpoint waits for.", "이 엔드포인트가 기다리는 대상을 확인하세요.";
    endpoint_errors_title: "An endpoint with more 5xx errors than before", "엔드포인트 5xx 에러 급증";
    endpoint_errors_text: "{from} to {to}: {subject}: {peak} of its requests at the worst, {usual} before; {count} in all", "{from} ~ {to}: {subject}: 최대 {peak}, 이전 {usual}, 총 {count}건";
    endpoint_errors_advice: "Look at what this endpoint needs, and what was changed before this time.", "이 엔드포인트의 의존 대상과 직전 변경 사항을 확인하세요.";
    scanner_title: "Somebody looks for what is not there", "스캐너 의심";
    scanner_text: "{from} to {to}: {subject} asked for {paths} paths, {count} of {requests} requests answered with 404", "{from} ~ {to}: {subject}, 경로 {paths}개, 요청 {requests}건 중 404 {count}건";
    scanner_advice: "Look at what it asked for and whether anything of it was found; block it if it goes on.", "무엇을 찾았는지 확인하고, 계속되면 차단하세요.";
    brute_force_title: "Somebody tries to get in", "무차별 대입 의심";
    brute_force_text: "{from} to {to}: {subject} was refused {count} times in {requests} requests (401, 403)", "{from} ~ {to}: {subject}, 요청 {requests}건 중 401/403 {count}건";
    brute_force_advice: "Look whether one of the attempts worked; limit attempts, block the address.", "성공한 시도가 있는지 확인하고, 시도 횟수를 제한하거나 차단하세요.";
    client_share_title: "One client asks for much", "한 클라이언트에 요청 집중";
    client_share_text: "{subject}: {count} requests, {share} of all", "{subject}: {count}건, 전체의 {share}";
    client_share_advice: "A monitor, a proxy, or somebody who takes more than a share.", "모니터링, 프록시, 또는 과도한 사용을 확인하세요.";
    client_burst_title: "One client asks for much at once", "한 클라이언트의 요청 폭주";
    client_burst_text: "{from} to {to}: {subject}: {count} requests, {share} of those of this time", "{from} ~ {to}: {subject}: {count}건, 같은 시간 요청의 {share}";
    client_burst_advice: "Look at what it asks for; limit its rate if it is not wanted.", "요청 내용을 확인하고, 필요하면 속도를 제한하세요.";
    unanswered_share_title: "Requests without an answer", "무응답 요청";
    unanswered_share_text: "{count} of {requests} ({share})", "{requests}건 중 {count}건 ({share})";
    unanswered_share_advice: "Look for time-outs, restarts, and clients that give up.", "타임아웃, 재시작, 클라이언트 포기를 확인하세요.";
    compared_rate_title: "Requests, compared", "요청량 비교";
    compared_rate_text: "{peak} requests, {usual} in the time compared with ({change})", "{peak}건, 비교 기간 {usual}건 ({change})";
    compared_rate_advice: "Look at which endpoints and clients make the difference.", "차이를 만든 엔드포인트와 클라이언트를 확인하세요.";
    compared_errors_title: "Errors, compared", "에러율 비교";
    compared_errors_text: "{peak} of the answers, {usual} in the time compared with ({change})", "{peak}, 비교 기간 {usual} ({change})";
    compared_errors_advice: "Look at the endpoints whose errors grew.", "에러가 늘어난 엔드포인트를 확인하세요.";
    compared_latency_title: "Response time, compared", "응답시간 비교";
    compared_latency_text: "mean {peak}, {usual} in the time compared with ({change})", "평균 {peak}, 비교 기간 {usual} ({change})";
    compared_latency_advice: "Look at the endpoints that became slower.", "느려진 엔드포인트를 확인하세요.";
    nowhere: "no endpoint in particular", "특정 엔드포인트 없음";

    // analysis_report.txt.
    classic_insights: "[Suggestions and insights]", "[개선 제안 및 인사이트]";
    classic_slowest: "- Slowest endpoint: {subject} (mean {mean}ms, p90 {p90}ms, {count} requests)", "- 가장 느린 엔드포인트: {subject} (평균 {mean}ms, p90 {p90}ms, {count}건)";
    classic_slowest_advice: "  → Consider DB indexes, caching, better queries, doing it later.", "  → DB 인덱스 추가, 캐싱, 쿼리 최적화, 비동기화 등을 고려하세요.";
    classic_client_errors: "- Endpoints where 4xx errors gather: {list}", "- 4xx 에러 집중 엔드포인트: {list}";
    classic_client_errors_advice: "  → Check validation of input, authentication and rights, and the guide to the API.", "  → 입력값 검증, 인증/권한 체크, API 사용법 안내 강화 필요";
    classic_server_errors: "- Endpoints where 5xx errors gather: {list}", "- 5xx 에러 집중 엔드포인트: {list}";
    classic_server_errors_advice: "  → Check exceptions of the server, connections and queries of the DB, other APIs.", "  → 서버 예외처리, DB 연결/쿼리 오류, 외부 API 오류 등 점검 필요";
    classic_busiest: "- Busiest hour: {hour} ({count} requests)", "- 트래픽 피크 시간대: {hour}시 ({count}건)";
    classic_slowest_hour: "- Hour with the highest mean response time: {hour}, mean {mean}ms", "- 평균 응답시간이 가장 높은 시간대: {hour}시, 평균 {mean}ms";
    classic_rates: "- 4xx errors: {client_errors}% / 5xx errors: {server_errors}%", "- 4xx 에러율: {client_errors}% / 5xx 에러율: {server_errors}%";
    classic_item: "{subject} ({count})", "{subject}({count}건)";
    classic_none: "none", "없음";
    classic_prompts: "[Prompts for a language model: summary and anomalies]", "[LLM 활용 자연어 요약/이상탐지 프롬프트 샘플]";

    prompt_summary: "Below is a summary of the analysis of a server's log.\n---\n{data}\n---\nFrom these data, write a report in plain language for an administrator: the main problems, signs of anomalies, suggestions, and what marks the traffic.", "다음은 서버 로그 분석 결과 요약입니다.\n---\n{data}\n---\n위 데이터를 바탕으로, 주요 문제점, 이상 징후, 개선 제안, 트래픽 특징을 관리자에게 보고하는 자연어 리포트를 작성해줘.";
    prompt_anomalies: "Below is a recent part of a server's log.\n---\n{data}\n---\nFind what is out of the ordinary in this log: anomalies, where errors gather, sudden rises of the response time, and so on, and summarize it.", "아래는 최근 서버 로그 일부입니다.\n---\n{data}\n---\n이 로그에서 평소와 다른 점, 이상 징후, 에러 집중 구간, 응답시간 급증 등 특이사항을 찾아서 요약해줘.";
    prompt_dashboard: "Below are the main figures of a dashboard.\n---\n{data}\n---\nFrom these data, explain in plain language what marks the traffic, the errors and the response time, so that it is understood at a glance.", "아래는 대시보드 주요 통계입니다.\n---\n{data}\n---\n이 데이터를 바탕으로, 트래픽/에러/응답시간의 특징을 한눈에 알 수 있게 자연어로 설명해줘.";
    not_yet: "The analysis report has not been made yet.", "분석 리포트가 아직 생성되지 않았습니다.";
}
