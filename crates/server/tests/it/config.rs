//! Settings: which source wins, and what is said of mistakes.

use clap::Parser;
use server::config::{Config, Flags, Guests, Loaded, Sources};
use std::fs;
use tempfile::TempDir;

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    flags: Flags,
}

fn load(folder: &TempDir, flags: &[&str], environment: &[(&str, &str)]) -> Result<Loaded, String> {
    let arguments =
        Arguments::try_parse_from([&["roomful"], flags].concat()).map_err(|error| error.to_string())?;
    let environment =
        environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let sources = Sources { flags: arguments.flags, environment, folder: folder.path().to_owned() };
    sources.load().map_err(|error| format!("{error:#}"))
}

fn folder(file: &str) -> TempDir {
    let folder = TempDir::new().expect("a folder");
    fs::write(folder.path().join("roomful.toml"), file).expect("a file");
    folder
}

#[test]
fn the_example_file_names_every_setting_with_its_default() {
    let example = include_str!("../../../../config.example.toml");
    assert_eq!(
        example,
        server::config::example(),
        "run: roomful config print --defaults > config.example.toml"
    );
    let loaded = load(&folder(example), &[], &[]).expect("the example is right");
    let defaults = load(&TempDir::new().expect("a folder"), &[], &[]).expect("defaults are right");
    assert_eq!(loaded.print(false), defaults.print(false));
}

#[test]
fn a_flag_wins_over_the_environment_over_the_file_over_the_default() {
    let folder = folder("name = \"file\"\nguests = \"off\"\nheartbeat_s = 10");
    let environment = [("ROOMFUL_NAME", "environment"), ("ROOMFUL_GUESTS", "on"), ("PATH", "x")];
    let loaded = load(&folder, &["--name", "flag"], &environment).expect("right");
    assert_eq!(loaded.config.name, "flag");
    assert_eq!(loaded.config.guests, Guests::On);
    assert_eq!(loaded.config.heartbeat.as_secs(), 10);
    assert_eq!(loaded.config.listen, Config::default().listen);
    let printed = loaded.print(true);
    let file = format!("{}:3", folder.path().join("roomful.toml").display());
    for (name, origin) in
        [("name", "--name"), ("guests", "ROOMFUL_GUESTS"), ("heartbeat_s", &file), ("listen", "default")]
    {
        let line =
            printed.lines().find(|line| line.starts_with(&format!("{name} ="))).expect("every setting");
        assert!(line.ends_with(&format!("# {origin}")), "{line}");
    }
}

#[test]
fn an_unknown_name_is_an_error_that_guesses_what_was_meant() {
    let error =
        load(&folder("public_ur = \"https://a.example\"\nquests = \"on\""), &[], &[]).expect_err("a mistake");
    assert!(error.contains("`public_ur` is not a setting; did you mean `public_url`?"), "{error}");
    assert!(error.contains("did you mean `guests`?"), "{error}");
    assert!(error.contains("roomful.toml"), "{error}");
    let error = load(&folder(""), &[], &[("ROOMFUL_LISTN", "x")]).expect_err("a mistake");
    assert!(error.contains("did you mean `ROOMFUL_LISTEN`?"), "{error}");
    let error = load(&folder(""), &["--listn", "x"], &[]).expect_err("a mistake");
    assert!(error.contains("--listen"), "{error}");
}

#[test]
fn a_variable_that_a_platform_invented_is_only_noted() {
    let loaded = load(&folder(""), &[], &[("ROOMFUL_PORT_3000_TCP", "tcp://10.0.0.1:3000")]).expect("right");
    assert_eq!(loaded.notes, ["`ROOMFUL_PORT_3000_TCP` is not a setting"]);
}

#[test]
fn every_value_is_checked_and_every_mistake_is_told_at_once() {
    let file = "listen = \"here\"\npublic_url = \"https://a.example/chat\"\ntrusted_proxies = [\"nobody\"]\n\
        guests = true\nguests_open_rooms = \"yes\"\ncompression = 1\nheartbeat_s = 0\nlog = \"loud\"\nlog_format = \"xml\"\nname = \"\"\ndata = \"\"";
    let file = format!(
        "{file}\ntls_cert = 1\ntls_key = \"key.pem\"\nhandshake_s = 0\nheader_bytes = 1\nconnections = -1\n\
        connections_per_address = 0\nconnections_per_user = \"many\"\nframes_per_second = 0\nbytes_per_second = 1\n\
        requests_per_second = 0\nattempts_per_minute = 0"
    );
    let error = load(&folder(&file), &[], &[]).expect_err("mistakes");
    // One for each, and one for a key without its certificate.
    assert_eq!(error.lines().filter(|line| line.starts_with("  `")).count(), 22, "{error}");
}

#[test]
fn text_from_flags_and_the_environment_becomes_what_the_setting_is() {
    let environment =
        [("ROOMFUL_TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8,::1"), ("ROOMFUL_GUESTS_OPEN_ROOMS", "false")];
    let loaded = load(
        &folder(""),
        &["--heartbeat-s", "30", "--public-url", "https://Chat.Example:443/"],
        &environment,
    );
    let config = loaded.expect("right").config;
    assert_eq!(config.trusted_proxies.len(), 3);
    assert!(!config.guests_open_rooms);
    assert_eq!(config.heartbeat.as_secs(), 30);
    assert_eq!(config.public_url.expect("an address").origin(), "https://chat.example");
}

#[test]
fn the_file_is_looked_for_in_four_places() {
    let place = TempDir::new().expect("a folder");
    let write = |name: &str| fs::write(place.path().join(name), format!("name = {name:?}")).expect("a file");
    let named = |flags: &[&str], environment: &[(&str, &str)]| {
        load(&place, flags, environment).map(|loaded| loaded.config.name)
    };
    fs::create_dir(place.path().join("there")).expect("a folder");
    assert_eq!(named(&[], &[]).as_deref(), Ok("Roomful"));
    write("there/config.toml");
    assert_eq!(named(&[], &[("ROOMFUL_DATA", "there")]).as_deref(), Ok("there/config.toml"));
    write("roomful.toml");
    assert_eq!(named(&["--data", "there"], &[]).as_deref(), Ok("roomful.toml"));
    write("other.toml");
    assert_eq!(named(&[], &[("ROOMFUL_CONFIG", "other.toml")]).as_deref(), Ok("other.toml"));
    write("flag.toml");
    assert_eq!(
        named(&["--config", "flag.toml"], &[("ROOMFUL_CONFIG", "other.toml")]).as_deref(),
        Ok("flag.toml")
    );
    assert!(named(&["--config", "gone.toml"], &[]).is_err_and(|error| error.contains("gone.toml")));
}
