//! Where anomalies come from.

use super::agreement::agrees;
use super::*;

#[test]
fn anomalies_come_from_configured_sources_alone() {
    let check = |sources: &str, expected: &[&str]| {
        let mut yaml = format!("sources: {sources}\n");
        for family in Family::ALL {
            yaml += "anomalies:\n  probability: 0.6\n  types:\n";
            for other in Family::ALL {
                yaml += &format!("    {}: {{enabled: {}}}\n", other.word(), other == family);
            }
            let config = config_from_yaml(std::path::Path::new("x"), yaml.as_bytes()).unwrap();
            let mut places = BTreeSet::new();
            for (_, line) in anomalous(&config, 3000) {
                agrees(&line).unwrap();
                places.insert(format!(
                    "{}/{}",
                    text(&line["source"]),
                    text(&line["service"])
                ));
            }
            let is_expected = |place: &String| expected.contains(&place.as_str());
            assert!(
                !places.is_empty() && places.iter().all(is_expected),
                "{family:?}: {places:?}"
            );
            if *family == Family::ErrorSpike {
                assert_eq!(places.len(), expected.len(), "all take part: {places:?}");
            }
            yaml.truncate(sources.len() + "sources: \n".len());
        }
    };
    check("{database: {weight: 5, services: [pg]}}", &["database/pg"]);
    check("{web-server: {services: [w]}}", &["web-server/w"]);
    check("{infrastructure: {services: [k]}}", &["infrastructure/k"]);
    check(
        "{iot: {services: [a, b]}, database: {services: [pg]}, web-server: {weight: 0, services: [w]}}",
        &["iot/a", "iot/b", "database/pg"],
    );
    check("{}", &["application/default-service"]);
}

#[test]
fn every_source_has_anomalies_by_default() {
    let mut config = EventsConfig::default();
    config.anomalies.probability = 0.5;
    let records = anomalous(&config, 20_000);
    for source in &config.sources {
        let of_source = records
            .iter()
            .filter(|(_, line)| line["source"] == source.name.as_str());
        assert!(of_source.count() > 500, "{}", source.name);
    }
}
