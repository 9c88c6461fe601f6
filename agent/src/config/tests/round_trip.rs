//! What is printed is read as it was.

use proptest::prelude::*;

use super::messages::message;
use super::*;

/// Any configuration that can be typed, as the texts of some of its keys.
fn typed() -> impl Strategy<Value = Vec<(Key, Value)>> {
    let text = |key| {
        prop_oneof![
            "\\PC{0,20}",
            "[a-z]{1,8}",
            "[0-9]{1,6}(KiB|s|d)?",
            Just("off".to_owned())
        ]
        .prop_map(move |text| (key, Value::Text(text)))
    };
    let list = |key| {
        prop::collection::vec(
            "[0-9]{1,5}|[a-zA-Z-]{1,9}|10\\.[0-9]\\.0\\.0/[0-9]|[a-f]::/[0-9]",
            0..4,
        )
        .prop_map(move |items| (key, Value::List(items)))
    };
    let setting =
        prop::sample::select(Key::ALL.to_vec()).prop_flat_map(move |key| match key.is_list() {
            true => list(key).boxed(),
            false => text(key).boxed(),
        });
    prop::collection::vec(setting, 0..20)
}

proptest! {
    #[test]
    fn what_is_printed_is_read_back(typed in typed()) {
        let mut config = Config::default();
        for (key, value) in typed {
            // Refused ones leave the configuration as it was.
            let before = config.clone();
            if config.set(key, &value).is_err() {
                prop_assert_eq!(&config, &before);
            }
        }
        let settings = from_yaml(&print(&config, &Origins::new())).unwrap();
        prop_assert_eq!(settings.len(), Key::ALL.len());
        let (read, _) = Config::resolve(Config::default(), [settings]).unwrap();
        prop_assert_eq!(read, config);
    }

    #[test]
    fn no_text_makes_it_panic(yaml in "(\\PC|\n|\t|: |- |log:|capture:|ports:|\\[|\\{|&a|\\*a|<<|!!|'|\"|\\||>){0,60}") {
        let read = from_yaml(&yaml);
        if let Err(error) = read {
            prop_assert!(!message(&error).contains(char::is_control));
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        drop(settings_from_yaml(Path::new("x"), &bytes));
    }

    #[test]
    fn the_shipped_file_cut_anywhere_never_panics(cut in 0..SHIPPED.len()) {
        drop(settings_from_yaml(Path::new("x"), &SHIPPED.as_bytes()[..cut]));
    }

    #[test]
    fn no_variable_makes_it_panic(name in "TAPLINE_[A-Z_]{0,20}", value in "\\PC{0,40}") {
        drop(resolve("", &[(&name, &value)], Vec::new()));
    }
}
