//! The target: its configuration, and clients that mean it harm.

use super::*;

#[test]
fn the_configuration_of_the_target_is_printed_and_read() {
    let (code, printed, _) = output(&mut tapline("http --print-config"));
    assert_eq!(code, 0);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("target.yaml");
    fs::write(&path, &printed).unwrap();
    let line = format!("http --print-config --config {}", path.display());
    let (code, again, stderr) = output(&mut tapline(&line));
    assert_eq!((code, &again), (0, &printed), "{stderr}");
    fs::write(&path, "paths:\n  - path: /\n    statsu: 200\n").unwrap();
    let (code, _, stderr) = output(&mut tapline(&line));
    assert_eq!(code, 2);
    assert!(
        stderr
            .contains("line 3: there is no key \"paths[0].statsu\"; did you mean paths[0].status?"),
        "{stderr}"
    );
}

/// Clients that do not behave: the target serves others all the while.
#[test]
fn hostile_clients_do_not_disturb_others() {
    let (_target, url) = target("-t 1");
    let address = url.strip_prefix("http://").unwrap();
    let mut kept = Vec::new();
    for bytes in [
        "",
        "GET / HTTP",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nx",
        "\0\0\0\0",
    ] {
        for _ in 0..50 {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(bytes.as_bytes()).unwrap();
            kept.push(stream);
        }
    }
    // One that asks for a large answer and never reads it.
    let mut greedy = TcpStream::connect(address).unwrap();
    let many = "GET /large HTTP/1.1\r\nHost: h\r\n\r\n".repeat(1000);
    drop(greedy.set_write_timeout(Some(Duration::from_millis(200))));
    drop(greedy.write_all(many.as_bytes()));
    let (code, account) = load(&format!("{url}/ -n 2000 -c 4"));
    assert_eq!((code, &account["answered"]), (0, &2000.into()), "{account}");
}
