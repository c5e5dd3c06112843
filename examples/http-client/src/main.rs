//! Fetches URLs over HTTP and HTTPS: names through the DNS of /etc/resolv.conf, TLS by rustls.
//!
//! `--ca FILE` trusts the certificate authorities in a PEM file instead of the web's; `--ca /dev/stdin`
//! spares the file. With http-server on port 8080 of the host's loopback, which `host-loopback` puts behind the gateway:
//!
//! ```text
//! $ cargo libos run -p http-client --net user,host-loopback -- http://10.0.2.2:8080/{,missing}
//! 200 text/plain; charset=utf-8, 31 bytes: Hello from inside the process!
//! 404 -, 0 bytes:
//! ```
//!
//! The status is 0 if each URL was answered with a success, 1 if not, 2 if the arguments are wrong.

use std::process::ExitCode;
use std::time::Duration;
use std::{fs, io};

use lexopt::{Arg, Parser, ValueExt};
use ureq::Agent;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

/// The longest answer that is read.
const MOST_BYTES: u64 = 1 << 30;

fn main() -> ExitCode {
    let (ca_file, urls) = match parse_arguments() {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("http-client: {error}\nusage: http-client [--ca FILE] URL...");
            return ExitCode::from(2);
        }
    };
    let roots = match ca_file.as_deref().map(read_authorities).transpose() {
        Ok(roots) => roots.unwrap_or(RootCerts::WebPki),
        Err(error) => {
            eprintln!("http-client: the file of --ca: {error}");
            return ExitCode::from(2);
        }
    };
    let agent: Agent = Agent::config_builder()
        .tls_config(TlsConfig::builder().root_certs(roots).build())
        .timeout_global(Some(Duration::from_secs(20)))
        .http_status_as_error(false)
        .build()
        .into();
    let mut succeeded = true;
    for url in urls {
        succeeded &= fetch(&agent, &url).unwrap_or_else(|error| {
            println!("failed: {url}: {error}");
            false
        });
    }
    ExitCode::from(u8::from(!succeeded))
}

fn parse_arguments() -> Result<(Option<String>, Vec<String>), lexopt::Error> {
    let mut ca_file = None;
    let mut urls = Vec::new();
    let mut parser = Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("ca") => ca_file = Some(parser.value()?.string()?),
            Arg::Value(url) => urls.push(url.string()?),
            other => return Err(other.unexpected()),
        }
    }
    if urls.is_empty() {
        return Err("expected a URL".into());
    }
    Ok((ca_file, urls))
}

fn read_authorities(path: &str) -> io::Result<RootCerts> {
    let mut authorities = Vec::new();
    for item in parse_pem(&fs::read(path)?) {
        match item.map_err(io::Error::other)? {
            PemItem::Certificate(authority) => authorities.push(authority),
            _ => continue,
        }
    }
    if authorities.is_empty() {
        return Err(io::Error::other("it holds no certificate in PEM form"));
    }
    Ok(RootCerts::new_with_certs(&authorities))
}

/// Prints status, type, length and first line of what is at the URL; whether the status is a success.
fn fetch(agent: &Agent, url: &str) -> Result<bool, ureq::Error> {
    let mut answer = agent.get(url).call()?;
    let kind = answer.headers().get("content-type");
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or("-");
    let kind = kind.to_owned();
    let body = answer
        .body_mut()
        .with_config()
        .limit(MOST_BYTES)
        .read_to_vec()?;
    let text = String::from_utf8_lossy(&body[..body.len().min(256)]);
    let first_line = text.lines().next().unwrap_or("");
    let status = answer.status();
    println!(
        "{} {kind}, {} bytes: {first_line}",
        status.as_u16(),
        body.len()
    );
    Ok(status.is_success())
}
