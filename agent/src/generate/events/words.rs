//! The sentences that records say, and the words that fill them in. A sentence says beforehand which
//! status, method and error code go with it, so that a record agrees with its own message.

/// A sentence with names in braces.
#[derive(Clone, Copy, Debug)]
pub(super) struct Template {
    pub(super) text: &'static str,
    /// The method that it speaks of.
    pub(super) method: Option<&'static str>,
    /// The statuses that it can go with; empty: any of its level.
    pub(super) statuses: &'static [u16],
    /// The error code that goes with it.
    pub(super) code: Option<&'static str>,
    /// Whether it can go with an endpoint.
    pub(super) has_endpoint: bool,
    /// What must be used up for it, in percent.
    pub(super) from_percent: u32,
}

const fn say(text: &'static str) -> Template {
    Template {
        text,
        method: None,
        statuses: &[],
        code: None,
        has_endpoint: true,
        from_percent: 0,
    }
}

impl Template {
    const fn method(mut self, method: &'static str) -> Self {
        self.method = Some(method);
        self
    }

    const fn statuses(mut self, statuses: &'static [u16]) -> Self {
        self.statuses = statuses;
        self
    }

    const fn code(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }

    const fn without_endpoint(mut self) -> Self {
        self.has_endpoint = false;
        self
    }

    const fn from(mut self, percent: u32) -> Self {
        self.from_percent = percent;
        self
    }
}

pub(super) const TIMEOUT: &str = "ERR_TIMEOUT";
pub(super) const REFUSED: &str = "ERR_CONNECTION_REFUSED";
pub(super) const NOT_FOUND: &str = "ERR_NOT_FOUND";
pub(super) const UNAUTHORIZED: &str = "ERR_UNAUTHORIZED";
pub(super) const FORBIDDEN: &str = "ERR_FORBIDDEN";
pub(super) const VALIDATION: &str = "ERR_VALIDATION";
pub(super) const INTERNAL: &str = "ERR_INTERNAL";
pub(super) const UNAVAILABLE: &str = "ERR_SERVICE_UNAVAILABLE";
pub(super) const RATE_LIMIT: &str = "ERR_RATE_LIMIT";

pub(super) const ENDPOINTS: &[&str] = &[
    "/api/v1/users",
    "/api/v1/orders",
    "/api/v1/products",
    "/api/v1/auth/login",
    "/api/v1/auth/logout",
    "/api/v1/auth/refresh",
    "/api/v1/payments",
    "/api/v1/inventory",
    "/api/v1/notifications",
    "/api/v2/search",
    "/api/v2/recommendations",
    "/health",
    "/metrics",
    "/graphql",
    "/webhook/stripe",
    "/webhook/github",
];
pub(super) const METHODS: &[&str] = &["GET", "POST", "PUT", "DELETE", "PATCH"];

pub(super) const CLIENT_ERRORS: &[u16] = &[400, 401, 403, 404, 422, 429];
/// Of what is no complaint about the request.
pub(super) const FINE: &[u16] = &[200];
pub(super) const DENIALS: &[u16] = &[401, 403, 429];

/// What has status 200, 201 or 204, by method.
pub(super) fn successes(method: &str) -> &'static [u16] {
    match method {
        "POST" => &[200, 201, 201],
        "PUT" => &[200, 204],
        "DELETE" => &[200, 204, 204],
        _ => &[200],
    }
}

/// The status that goes with an error code.
pub(super) fn statuses_of(code: &str) -> &'static [u16] {
    match code {
        TIMEOUT => &[504],
        REFUSED => &[502, 503],
        UNAVAILABLE => &[503],
        RATE_LIMIT => &[429],
        _ => &[500],
    }
}

/// What went wrong in a server, and its code.
pub(super) const SERVER_FAULTS: &[(&str, &str)] = &[
    ("Connection refused", REFUSED),
    ("Timeout exceeded", TIMEOUT),
    ("Invalid response", INTERNAL),
    ("Network unreachable", UNAVAILABLE),
    ("Service unavailable", UNAVAILABLE),
];

/// What went wrong anywhere, and its code.
pub(super) const ERRORS: &[(&str, &str)] = &[
    ("Connection refused", REFUSED),
    ("Timeout exceeded", TIMEOUT),
    ("Invalid response", INTERNAL),
    ("Network unreachable", UNAVAILABLE),
    ("Service unavailable", UNAVAILABLE),
    ("Rate limited", RATE_LIMIT),
];

pub(super) const WEB_INFO: &[Template] = &[
    say("\"GET {endpoint} HTTP/1.1\" {status} {bytes}").method("GET"),
    say("\"POST {endpoint} HTTP/1.1\" {status} {bytes}").method("POST"),
    say("Request completed successfully for {endpoint}"),
    say("Served static file: {file}")
        .method("GET")
        .statuses(&[200])
        .without_endpoint(),
    say("Connection established from {ip}"),
    say("SSL handshake completed for {domain}"),
    say("Cache hit for {endpoint}")
        .method("GET")
        .statuses(&[200]),
    say("Upstream response received in {time}ms"),
];
pub(super) const WEB_WARNING: &[Template] = &[
    say("\"GET {endpoint} HTTP/1.1\" {status} {bytes}").method("GET"),
    say("\"POST {endpoint} HTTP/1.1\" {status} {bytes}").method("POST"),
    say("Slow response: {time}ms for {endpoint}").statuses(FINE),
    say("Rate limit approaching for IP {ip}").statuses(FINE),
    say("Connection pool nearing capacity: {percent}%").statuses(FINE),
    say("Retry attempt {attempt} for upstream {service}").statuses(&[502, 503, 504]),
    say("Certificate expiring in {days} days for {domain}").statuses(FINE),
    say("High memory usage: {percent}%").statuses(FINE),
];
pub(super) const WEB_ERROR: &[Template] = &[
    say("Failed to connect to upstream {service}: Connection refused")
        .statuses(&[502, 503])
        .code(REFUSED),
    say("Request timeout after {time}ms for {endpoint}")
        .statuses(&[504])
        .code(TIMEOUT),
    say("SSL certificate verification failed for {domain}")
        .statuses(&[500])
        .code(INTERNAL),
    say("502 Bad Gateway - upstream {service} unavailable")
        .statuses(&[502])
        .code(UNAVAILABLE),
    say("Connection reset by peer for {ip}")
        .statuses(&[502])
        .code(REFUSED),
    say("Max retries exceeded for {endpoint}")
        .statuses(&[503])
        .code(UNAVAILABLE),
];

pub(super) const APP_INFO: &[Template] = &[
    say("User {user_id} logged in successfully"),
    say("Processing request {request_id}"),
    say("Transaction {transaction_id} completed"),
    say("Cache updated for key: {cache_key}"),
    say("Background job {job_id} started"),
    say("Webhook delivered to {endpoint}"),
    say("Email sent to {email}"),
    say("File uploaded: {file} ({size} bytes)"),
    say("API call to {service} completed"),
    say("Session created for user {user_id}"),
];
pub(super) const APP_WARNING: &[Template] = &[
    say("Deprecated API endpoint called: {endpoint}").statuses(FINE),
    say("Slow database query: {time}ms").statuses(FINE),
    say("Rate limit exceeded for user {user_id}").statuses(&[429]),
    say("Retry scheduled for failed job {job_id}").statuses(FINE),
    say("Low disk space: {few_percent}% remaining").statuses(FINE),
    say("Queue depth high: {count} messages pending").statuses(FINE),
    say("Memory usage warning: {percent}%").statuses(FINE),
    say("Request for {endpoint} rejected").statuses(CLIENT_ERRORS),
];
pub(super) const APP_ERROR: &[Template] = &[
    say("Failed to process payment for order {order_id}: {error}"),
    say("Database connection lost: {error}"),
    say("Authentication failed for user {user_id}")
        .statuses(&[401])
        .code(UNAUTHORIZED),
    say("Service {service} returned error: {server_error}"),
    say("Failed to send notification: {error}"),
    say("Invalid request payload: {field} is missing")
        .statuses(&[422])
        .code(VALIDATION),
    say("Transaction rollback for {transaction_id}: {error}"),
];
pub(super) const APP_CRITICAL: &[Template] = &[
    say("CRITICAL: Database connection pool exhausted").code(UNAVAILABLE),
    say("CRITICAL: Out of memory - service degraded").code(INTERNAL),
    say("CRITICAL: Disk full - unable to write logs").code(INTERNAL),
    say("CRITICAL: Circuit breaker opened for {service}").code(UNAVAILABLE),
    say("CRITICAL: Data corruption detected in {table}").code(INTERNAL),
];

pub(super) const DB_INFO: &[Template] = &[
    say("Query executed in {time}ms: {query_type}"),
    say("Connection established from {client}"),
    say("Checkpoint completed in {time}ms"),
    say("Index rebuilt for {table}"),
    say("Backup completed: {size} bytes"),
    say("Replication lag: {small_lag}ms"),
];
pub(super) const DB_WARNING: &[Template] = &[
    say("Slow query detected: {time}ms"),
    say("Connection pool utilization: {percent}%"),
    say("Lock wait timeout for {table}"),
    say("High replication lag: {lag}ms"),
    say("Tablespace {table} at {percent}% capacity"),
];
pub(super) const DB_ERROR: &[Template] = &[
    say("Query failed: {error}"),
    say("Connection refused from {client}").code(REFUSED),
    say("Deadlock detected on {table}").code(INTERNAL),
    say("Replication broken: {error}"),
    say("Constraint violation: {constraint}").code(VALIDATION),
];

pub(super) const INFRA_INFO: &[Template] = &[
    say("Pod {pod} started in namespace {namespace}"),
    say("Container {container} health check passed"),
    say("Node {node} joined cluster"),
    say("Deployment {deployment} rolled out successfully"),
    say("ConfigMap {config} updated"),
    say("Service {service} endpoint updated"),
    say("Metric scraped: {metric}={value}"),
];
pub(super) const INFRA_WARNING: &[Template] = &[
    say("Pod {pod} restarting, count={count}"),
    say("Node {node} memory pressure: {percent}%"),
    say("Container {container} OOMKilled"),
    say("Deployment {deployment} scaling to {replicas} replicas"),
    say("PVC {pvc} at {percent}% capacity"),
    say("Network latency spike: {latency}ms"),
];
pub(super) const INFRA_ERROR: &[Template] = &[
    say("Pod {pod} CrashLoopBackOff").code(INTERNAL),
    say("Node {node} NotReady").code(UNAVAILABLE),
    say("Container {container} failed to start: {error}"),
    say("Service {service} endpoints not available").code(NOT_FOUND),
    say("PVC {pvc} provisioning failed").code(INTERNAL),
    say("Network policy violation: {policy}").code(FORBIDDEN),
];

pub(super) const BRUTE_FORCE: &[Template] = &[
    say("Multiple failed login attempts for user {user_id}: {count} attempts")
        .statuses(&[401, 429]),
    say("Account locked due to excessive failed logins: {user_id}").statuses(&[401, 403]),
    say("Suspicious authentication pattern detected from {ip}"),
    say("Password spray attack detected from {ip}").statuses(&[401, 429]),
];
pub(super) const SQL_INJECTION: &[Template] = &[
    say("Potential SQL injection attempt in parameter: {param}").statuses(&[403]),
    say("Blocked malicious query pattern: {pattern}").statuses(&[403]),
    say("WAF triggered: SQL injection attempt from {ip}").statuses(&[403, 429]),
    say("Suspicious characters in request: {chars}").statuses(&[403]),
];
pub(super) const XSS_ATTEMPT: &[Template] = &[
    say("XSS attempt blocked in parameter: {param}").statuses(&[403]),
    say("Script injection detected from {ip}").statuses(&[403, 429]),
    say("Encoded XSS payload blocked: {payload}").statuses(&[403]),
    say("Content-Security-Policy violation from {ip}").statuses(&[403]),
];
pub(super) const UNAUTHORIZED_ACCESS: &[Template] = &[
    say("Unauthorized access attempt to {resource} from {ip}").statuses(&[401, 403]),
    say("Privilege escalation attempt by user {user_id}").statuses(&[403]),
    say("Access denied: insufficient permissions for {resource}").statuses(&[403]),
    say("Token validation failed for user {user_id}").statuses(&[401]),
    say("Suspicious API key usage pattern detected").statuses(&[401, 403, 429]),
];

pub(super) const MEMORY: &[Template] = &[
    say("Memory usage critical: {usage}%"),
    say("OOM killer invoked for process {process}").from(96),
    say("Memory allocation failed: {usage}% in use").from(91),
    say("Heap size exceeded: {heap}MB").from(91),
];
pub(super) const CPU: &[Template] = &[
    say("CPU usage critical: {usage}%"),
    say("Process {process} consuming excessive CPU"),
    say("Thread pool exhausted").from(96),
    say("CPU throttling active").from(91),
];
pub(super) const DISK: &[Template] = &[
    say("Disk usage critical: {usage}%"),
    say("No space left on device").from(96),
    say("Disk I/O latency spike: {latency}ms"),
    say("Inode exhaustion warning"),
];
pub(super) const CONNECTIONS: &[Template] = &[
    say("Connection pool exhausted").from(96),
    say("Max connections reached: {connections}").from(96),
    say("Socket timeout: {usage}% of connections in use"),
    say("File descriptor limit reached").from(91),
];

pub(super) const OUTAGE_COMPLETE: &[Template] = &[
    say("Service {affected} is not responding"),
    say("Connection refused to {affected}"),
    say("Health check failed for {affected}"),
    say("Circuit breaker opened for {affected}"),
];
pub(super) const OUTAGE_INTERMITTENT: &[Template] = &[
    say("Intermittent failures connecting to {affected}"),
    say("Retry attempt for {affected}"),
    say("Partial response from {affected}"),
];

pub(super) const LATENCY_TIMEOUT: &[Template] = &[say("Request timeout after {time}ms")];
pub(super) const LATENCY_SLOW: &[Template] = &[say("Slow response detected: {time}ms")];

pub(super) const CACHE_KEYS: &[&str] = &["user", "session", "product", "order", "cart", "price"];
pub(super) const TABLES: &[&str] = &["users", "orders", "products", "sessions"];
pub(super) const QUERY_TYPES: &[&str] = &["SELECT", "INSERT", "UPDATE", "DELETE"];
pub(super) const CONSTRAINTS: &[&str] = &["pk_users", "fk_orders_users", "uk_email"];
pub(super) const NAMESPACES: &[&str] = &["default", "production", "staging"];
pub(super) const UPSTREAMS: &[&str] = &["auth-service", "payment-service", "user-service"];
pub(super) const WORKLOADS: &[&str] = &["api", "web", "worker", "scheduler", "gateway"];
pub(super) const METRICS: &[&str] = &["cpu_usage", "memory_usage", "request_count"];
pub(super) const POLICIES: &[&str] = &["deny-all", "allow-internal", "restrict-egress"];
pub(super) const PARAMS: &[&str] = &["id", "name", "email", "query", "filter"];
pub(super) const PATTERNS: &[&str] = &["UNION SELECT", "OR 1=1", "DROP TABLE"];
pub(super) const CHARS: &[&str] = &["<script>", "'; --", "1=1"];
pub(super) const PAYLOADS: &[&str] = &["<script>alert(1)</script>"];
pub(super) const RESOURCES: &[&str] = &["/admin", "/api/internal", "/config"];
pub(super) const PROCESSES: &[&str] = &["python", "java", "node", "nginx"];
pub(super) const FIELDS: &[&str] = &["email", "order_id", "quantity"];
