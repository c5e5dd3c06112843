//! `-p`: any text is read as ports that make sense, or refused with a message.

use libos_tender::net::publish;
use std::time::Duration;

const TIME: Duration = Duration::from_secs(1);

/// What the syntax is made of, so that random choices are often near to what is valid.
const PIECES: [&str; 14] = [
    "8000",
    "8010",
    "80",
    "-",
    ":",
    ":",
    "[::1]",
    "127.0.0.1",
    "/udp",
    "/tcp",
    "0",
    "65535",
    "65536",
    "]",
];

fn check(text: &str) {
    match publish::parse(text) {
        Err(error) => {
            let message = error.to_string();
            assert!(
                message.contains("expected") && message.contains("found"),
                "{message}"
            );
        }
        Ok(ports) => {
            assert!(!ports.is_empty(), "{text}");
            for port in ports {
                assert!(port.guest_port > 0, "{text}: {port:?}");
                assert!(port.host_port <= port.host_last, "{text}: {port:?}");
                assert!(
                    port.host_port > 0 || port.host_last == 0,
                    "{text}: {port:?}"
                );
            }
        }
    }
    // The same text twice: each port of the host once, and never a conflict of a range with itself.
    assert_eq!(
        publish::parse_all([text, text]).is_ok(),
        publish::parse(text).is_ok(),
        "{text}"
    );
}

#[test]
fn any_text_is_answered() {
    bolero::check!()
        .with_type::<String>()
        .with_test_time(TIME)
        .for_each(|text| check(text));
}

#[test]
fn anything_made_of_the_syntax_s_pieces_is_answered() {
    bolero::check!()
        .with_type::<Vec<u8>>()
        .with_test_time(TIME)
        .for_each(|choices| {
            let chosen = choices.iter().take(12);
            let pieces = chosen.map(|choice| PIECES[usize::from(*choice) % PIECES.len()]);
            check(&pieces.collect::<String>());
        });
}
