//! The configuration as YAML that can be fed back.

use std::fmt::Display;

use super::AccessConfig;
use crate::config::quoted;

/// Writes `config` as a YAML file. Reading it gives the same configuration.
#[must_use]
pub fn print(config: &AccessConfig) -> String {
    let mut yaml = Yaml::default();
    let output = &config.output;
    yaml.open("output");
    yaml.text("directory", &output.directory.to_string_lossy());
    yaml.value("rate", output.rate);
    yaml.value("debug", output.debug);
    yaml.value("pre_warm", output.pre_warm);
    yaml.value("format", output.format.name());
    yaml.text("site", &output.site);
    yaml.open("health_check");
    yaml.value("enabled", output.health.enabled);
    yaml.text("address", &output.health.address.to_string());
    yaml.value("port", output.health.port);
    yaml.close();
    yaml.open("log_rotation");
    yaml.value("enabled", output.rotation.enabled);
    yaml.value("max_size_mb", output.rotation.max_size_mb);
    yaml.value("when", output.rotation.when.word());
    yaml.value("interval", output.rotation.interval);
    yaml.value("backup_count", output.rotation.backup_count);
    yaml.value("compress", output.rotation.compress);
    yaml.close();
    yaml.open("disk_guard");
    yaml.value("enabled", output.disk.enabled);
    yaml.value("min_free_gb", output.disk.min_free_gb);
    yaml.value("interval", output.disk.interval);
    yaml.close();
    yaml.close();
    yaml.open("state_transitions");
    for (state, moves) in &config.moves.0 {
        yaml.open(state.name());
        for (to, share) in moves {
            yaml.value(to.name(), share);
        }
        yaml.close();
    }
    yaml.close();
    yaml.open("navigation");
    for (name, pages) in &config.pages.navigation {
        yaml.weights(&quoted(name), pages);
    }
    yaml.close();
    if !config.pages.urls.is_empty() {
        yaml.open("urls");
        for url in &config.pages.urls {
            yaml.open(&quoted(&url.path));
            for (key, share) in [
                ("success", url.success),
                ("not_found", url.not_found),
                ("system_error", url.system_error),
            ] {
                if let Some(share) = share {
                    yaml.value(key, share);
                }
            }
            if !url.next_pages.is_empty() {
                yaml.weights("next_pages", &url.next_pages);
            }
            yaml.close();
        }
        yaml.close();
    }
    rates(config, &mut yaml);
    let status = &config.status;
    yaml.open("status_codes");
    yaml.value("success", status.success);
    yaml.value("not_found", status.not_found);
    yaml.value("server_error", status.server_error);
    yaml.value("forbidden", status.forbidden);
    yaml.value("unauthorized", status.unauthorized);
    yaml.value("redirect_permanent", status.redirect_permanent);
    yaml.value("redirect_temporary", status.redirect_temporary);
    yaml.close();
    let users = &config.users;
    yaml.open("user_agents");
    yaml.list("desktop", &users.desktop);
    yaml.list("mobile", &users.mobile);
    yaml.close();
    yaml.list("ip_ranges", &users.ip_ranges);
    yaml.list("search_terms", &users.search_terms);
    yaml.list("product_categories", &users.product_categories);
    yaml.list("profile_tabs", &users.profile_tabs);
    yaml.text
}

fn rates(config: &AccessConfig, yaml: &mut Yaml) {
    let errors = &config.errors;
    yaml.open("error_rates");
    yaml.value("global_500_rate", errors.global_500_rate);
    yaml.value("product_404_rate", errors.product_404_rate);
    yaml.value("cart_abandonment_rate", errors.cart_abandonment_rate);
    yaml.value("checkout_500", errors.checkout_500);
    yaml.value("redirect_301", errors.redirect_301);
    yaml.value("redirect_302", errors.redirect_302);
    yaml.value("forbidden_access", errors.forbidden_access);
    yaml.value("auth_failure", errors.auth_failure);
    if !errors.high_error_pages.is_empty() {
        yaml.open("high_error_pages");
        for (path, rate) in &errors.high_error_pages {
            yaml.line(&format!("- path: {}", quoted(path)));
            yaml.line(&format!("  error_rate: {rate}"));
        }
        yaml.close();
    }
    yaml.close();
    let session = &config.session;
    yaml.open("session");
    yaml.value("min_browsing_duration", session.min_browsing_duration);
    yaml.value("max_browsing_duration", session.max_browsing_duration);
    yaml.value("min_page_view_interval", session.min_page_view_interval);
    yaml.value("max_page_view_interval", session.max_page_view_interval);
    yaml.value("concurrent_users", session.concurrent_users);
    yaml.close();
    yaml.text("time_zone", &config.traffic.time_zone);
    yaml.open("traffic_patterns");
    for pattern in &config.traffic.patterns {
        yaml.line(&format!("- time: \"{}-{}\"", pattern.from, pattern.to));
        yaml.line(&format!("  multiplier: {}", pattern.multiplier));
    }
    yaml.close();
}

#[derive(Default)]
struct Yaml {
    text: String,
    depth: usize,
}

impl Yaml {
    fn line(&mut self, line: &str) {
        self.text += &format!("{}{line}\n", "  ".repeat(self.depth));
    }

    fn open(&mut self, key: &str) {
        self.line(&format!("{key}:"));
        self.depth += 1;
    }

    fn close(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    fn value(&mut self, key: &str, value: impl Display) {
        self.line(&format!("{key}: {value}"));
    }

    fn text(&mut self, key: &str, text: &str) {
        self.line(&format!("{key}: {}", quoted(text)));
    }

    fn list(&mut self, key: &str, items: &[impl Display]) {
        let items: Vec<String> = items.iter().map(|item| quoted(&item.to_string())).collect();
        self.line(&format!("{key}: [{}]", items.join(", ")));
    }

    fn weights(&mut self, key: &str, pages: &[(String, f64)]) {
        self.open(key);
        for (path, weight) in pages {
            self.value(&quoted(path), weight);
        }
        self.close();
    }
}
