//! User agents: what family a program is of, and whether it is a robot. A small table of what is
//! found in logs; the first line that matches counts.

/// A family: how it is shown, and whether it is a robot.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Family {
    pub(crate) name: &'static str,
    pub(crate) bot: bool,
}

/// How many there are.
pub(crate) const FAMILIES: usize = TABLE.len() + 3;

/// A family by its number.
pub(crate) fn family(number: usize) -> Family {
    let (name, bot) = match number.checked_sub(3) {
        None if number == 0 => ("(none)", false),
        None if number == 1 => ("(other)", false),
        None => ("(other robot)", true),
        Some(place) => TABLE
            .get(place)
            .map_or(("(other)", false), |row| (row.1, row.2)),
    };
    Family { name, bot }
}

/// The number of the family of a user agent, below [`FAMILIES`].
pub(crate) fn classify(agent: &[u8]) -> usize {
    if agent.is_empty() {
        return 0;
    }
    let has = |part: &str| memchr::memmem::find(agent, part.as_bytes()).is_some();
    if let Some(place) = TABLE.iter().position(|(part, _, _)| has(part)) {
        // A robot that calls itself a browser says so too.
        if TABLE[place].2 || !is_robot(agent) {
            return place + 3;
        }
    }
    match is_robot(agent) {
        true => 2,
        false => 1,
    }
}

fn is_robot(agent: &[u8]) -> bool {
    let lower = agent.to_ascii_lowercase();
    [
        "bot", "crawl", "spider", "slurp", "scan", "monitor", "+http",
    ]
    .iter()
    .any(|part| memchr::memmem::find(&lower, part.as_bytes()).is_some())
}

/// What is looked for, the name of the family, whether it is a robot.
const TABLE: [(&str, &str, bool); 84] = [
    ("Googlebot", "Googlebot", true),
    ("AdsBot-Google", "Googlebot", true),
    ("bingbot", "Bingbot", true),
    ("YandexBot", "YandexBot", true),
    ("Baiduspider", "Baiduspider", true),
    ("DuckDuckBot", "DuckDuckBot", true),
    ("Applebot", "Applebot", true),
    ("Yeti/", "Naver Yeti", true),
    ("Daum", "Daum", true),
    ("AhrefsBot", "AhrefsBot", true),
    ("SemrushBot", "SemrushBot", true),
    ("MJ12bot", "MJ12bot", true),
    ("DotBot", "DotBot", true),
    ("PetalBot", "PetalBot", true),
    ("Bytespider", "Bytespider", true),
    ("GPTBot", "GPTBot", true),
    ("OAI-SearchBot", "OAI-SearchBot", true),
    ("ChatGPT-User", "ChatGPT-User", true),
    ("ClaudeBot", "ClaudeBot", true),
    ("CCBot", "CCBot", true),
    ("PerplexityBot", "PerplexityBot", true),
    ("Amazonbot", "Amazonbot", true),
    ("facebookexternalhit", "Facebook", true),
    ("meta-externalagent", "Facebook", true),
    ("Twitterbot", "Twitterbot", true),
    ("LinkedInBot", "LinkedInBot", true),
    ("Slackbot", "Slackbot", true),
    ("Discordbot", "Discordbot", true),
    ("TelegramBot", "TelegramBot", true),
    ("WhatsApp", "WhatsApp", true),
    ("Yahoo! Slurp", "Yahoo Slurp", true),
    ("archive.org_bot", "Internet Archive", true),
    ("UptimeRobot", "UptimeRobot", true),
    ("Pingdom", "Pingdom", true),
    ("GoogleHC", "Google health check", true),
    ("ELB-HealthChecker", "AWS health check", true),
    ("kube-probe", "Kubernetes probe", true),
    ("Prometheus/", "Prometheus", true),
    ("Blackbox Exporter", "Prometheus", true),
    ("sqlmap", "sqlmap", true),
    ("Nikto", "Nikto", true),
    ("Nmap", "Nmap", true),
    ("masscan", "masscan", true),
    ("zgrab", "zgrab", true),
    ("Nuclei", "Nuclei", true),
    ("gobuster", "gobuster", true),
    ("DirBuster", "DirBuster", true),
    ("WPScan", "WPScan", true),
    ("CensysInspect", "Censys", true),
    ("Expanse", "Expanse", true),
    ("Scrapy", "Scrapy", true),
    ("HeadlessChrome", "Headless Chrome", true),
    ("PhantomJS", "PhantomJS", true),
    ("curl/", "curl", false),
    ("Wget/", "Wget", false),
    ("python-requests", "Python", false),
    ("Python-urllib", "Python", false),
    ("aiohttp", "Python", false),
    ("httpx", "Python", false),
    ("Go-http-client", "Go", false),
    ("okhttp", "OkHttp", false),
    ("Apache-HttpClient", "Java", false),
    ("Java/", "Java", false),
    ("axios/", "Node.js", false),
    ("node", "Node.js", false),
    ("PostmanRuntime", "Postman", false),
    ("libwww-perl", "Perl", false),
    ("GuzzleHttp", "PHP", false),
    ("ApacheBench", "ApacheBench", false),
    ("k6/", "k6", false),
    ("Edg", "Edge", false),
    ("OPR/", "Opera", false),
    ("Opera", "Opera", false),
    ("SamsungBrowser", "Samsung Internet", false),
    ("YaBrowser", "Yandex Browser", false),
    ("Vivaldi", "Vivaldi", false),
    ("Whale/", "Whale", false),
    ("Firefox/", "Firefox", false),
    ("FxiOS", "Firefox", false),
    ("CriOS", "Chrome", false),
    ("Chrome/", "Chrome", false),
    ("Safari/", "Safari", false),
    ("MSIE", "Internet Explorer", false),
    ("Trident/", "Internet Explorer", false),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families() {
        let check = |agent: &str, name: &str, bot: bool| {
            let found = family(classify(agent.as_bytes()));
            assert_eq!((found.name, found.bot), (name, bot), "{agent}");
        };
        check("", "(none)", false);
        check("x", "(other)", false);
        check("curl/8.5.0", "curl", false);
        check(
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            "Googlebot",
            true,
        );
        check(
            "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/42.0 Safari/537.36 Edge/12.246",
            "Edge",
            false,
        );
        check(
            "Mozilla/5.0 (X11) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36",
            "Chrome",
            false,
        );
        check(
            "Mozilla/5.0 (iPhone) AppleWebKit/605 (KHTML, like Gecko) Version/17 Mobile Safari/604",
            "Safari",
            false,
        );
        check(
            "Mozilla/5.0 Chrome/1 SomeCrawler/1.0",
            "(other robot)",
            true,
        );
        check(
            "Mozilla/5.0 (Windows NT 6.1; Trident/7.0; rv:11.0) like Gecko",
            "Internet Explorer",
            false,
        );
        check("my-monitoring", "(other robot)", true);
        assert_eq!(family(usize::MAX).name, "(other)");
    }
}
