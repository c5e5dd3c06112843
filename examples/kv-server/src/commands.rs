//! What each command does to the store and answers.

use std::collections::{HashMap, VecDeque};
use std::str;
use std::time::{Duration, Instant};

use crate::resp::{self, Command};
use crate::store::{Bytes, Store, Value};

/// What becomes of the connection after a command.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum After {
    Continue,
    Close,
}

const WRONG_TYPE: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";
const NOT_A_NUMBER: &str = "ERR value is not an integer or out of range";
const SYNTAX: &str = "ERR syntax error";

/// The text of an error answer.
type Refusal = &'static str;
type Handler = fn(&mut Store, Command, &mut Vec<u8>) -> Result<(), Refusal>;

/// Name, fewest and most words (with the name), handler. The most frequent ones come first.
const COMMANDS: &[(&[u8], usize, usize, Handler)] = &[
    (b"GET", 2, 2, get),
    (b"SET", 3, usize::MAX, set),
    (b"INCR", 2, 2, incr),
    (b"PING", 1, 2, ping),
    (b"LPUSH", 3, usize::MAX, lpush),
    (b"RPUSH", 3, usize::MAX, rpush),
    (b"LPOP", 2, 2, lpop),
    (b"RPOP", 2, 2, rpop),
    (b"LLEN", 2, 2, llen),
    (b"LRANGE", 4, 4, lrange),
    (b"HSET", 4, usize::MAX, hset),
    (b"HGET", 3, 3, hget),
    (b"MGET", 2, usize::MAX, mget),
    (b"MSET", 3, usize::MAX, mset),
    (b"DEL", 2, usize::MAX, del),
    (b"EXISTS", 2, usize::MAX, exists),
    (b"EXPIRE", 3, 3, expire),
    (b"PEXPIRE", 3, 3, pexpire),
    (b"PERSIST", 2, 2, persist),
    (b"TTL", 2, 2, ttl),
    (b"PTTL", 2, 2, pttl),
    (b"ECHO", 2, 2, echo),
    (b"DBSIZE", 1, 1, dbsize),
    (b"FLUSHALL", 1, 2, flush),
    (b"FLUSHDB", 1, 2, flush),
    (b"CONFIG", 2, usize::MAX, config),
    (b"COMMAND", 1, usize::MAX, command),
    (b"INFO", 1, usize::MAX, info),
];

/// Runs a command and appends its answer.
pub fn run(store: &mut Store, command: Command, out: &mut Vec<u8>) -> After {
    let name = command.word(0);
    if command.len() == 0 {
        return After::Continue;
    }
    if name.eq_ignore_ascii_case(b"QUIT") {
        resp::simple(out, "OK");
        return After::Close;
    }
    let known = COMMANDS
        .iter()
        .find(|(known, ..)| name.eq_ignore_ascii_case(known));
    let Some(&(_, fewest, most, handler)) = known else {
        resp::error(out, &format!("ERR unknown command '{}'", printable(name)));
        return After::Continue;
    };
    if command.len() < fewest || command.len() > most {
        let name = printable(name).to_lowercase();
        resp::error(
            out,
            &format!("ERR wrong number of arguments for '{name}' command"),
        );
    } else if let Err(refusal) = handler(store, command, out) {
        resp::error(out, refusal);
    }
    After::Continue
}

/// At most 64 characters, without line ends.
fn printable(name: &[u8]) -> String {
    name.iter()
        .take(64)
        .flat_map(|&byte| byte.escape_ascii())
        .map(char::from)
        .collect()
}

fn ping(_: &mut Store, command: Command, out: &mut Vec<u8>) -> Result<(), Refusal> {
    match command.len() {
        1 => resp::simple(out, "PONG"),
        _ => resp::bulk(out, Some(command.word(1))),
    }
    Ok(())
}

fn echo(_: &mut Store, command: Command, out: &mut Vec<u8>) -> Result<(), Refusal> {
    resp::bulk(out, Some(command.word(1)));
    Ok(())
}

fn get(store: &mut Store, command: Command, out: &mut Vec<u8>) -> Result<(), Refusal> {
    resp::bulk(out, text(store.get(command.word(1)))?);
    Ok(())
}

/// SET key value [NX | XX] [EX seconds | PX milliseconds]
fn set(store: &mut Store, command: Command, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let (key, value) = (command.word(1), command.word(2));
    let mut expires = None;
    let mut only_if = None;
    let mut options = command.words_from(3);
    while let Some(option) = options.next() {
        if option.eq_ignore_ascii_case(b"NX") && only_if.is_none() {
            only_if = Some(false);
        } else if option.eq_ignore_ascii_case(b"XX") && only_if.is_none() {
            only_if = Some(true);
        } else if expires.is_none() {
            let unit = expiry_unit(option).ok_or(SYNTAX)?;
            expires = Some(deadline(options.next().ok_or(SYNTAX)?, unit)?);
        } else {
            return Err(SYNTAX);
        }
    }
    if only_if.is_some_and(|wanted| wanted != store.contains(key)) {
        resp::bulk(out, None);
        return Ok(());
    }
    store.set_text(key, value, expires);
    resp::simple(out, "OK");
    Ok(())
}

fn expiry_unit(option: &[u8]) -> Option<Duration> {
    if option.eq_ignore_ascii_case(b"EX") {
        Some(Duration::from_secs(1))
    } else if option.eq_ignore_ascii_case(b"PX") {
        Some(Duration::from_millis(1))
    } else {
        None
    }
}

/// The time that is so many units away; at most some 30 years.
fn deadline(count: &[u8], unit: Duration) -> Result<Instant, Refusal> {
    let count = u32::try_from(number(count)?)
        .ok()
        .filter(|&count| count > 0);
    let count = count.ok_or("ERR invalid expire time")?;
    let most = Duration::from_secs(1_000_000_000);
    Ok(Instant::now() + unit.saturating_mul(count).min(most))
}

fn incr(store: &mut Store, command: Command, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let text = match store.get_or_insert(command.word(1), || Value::Text(b"0".to_vec())) {
        Value::Text(text) => text,
        _ => return Err(WRONG_TYPE),
    };
    let value = number(text)?
        .checked_add(1)
        .ok_or("ERR increment or decrement would overflow")?;
    text.clear();
    text.extend_from_slice(value.to_string().as_bytes());
    resp::integer(out, value);
    Ok(())
}

fn mget(store: &mut Store, command: Command, out: &mut Vec<u8>) -> Result<(), Refusal> {
    resp::array(out, command.len() - 1);
    for key in command.words_from(1) {
        resp::bulk(out, text(store.get(key)).unwrap_or(None));
    }
    Ok(())
}

fn mset(store: &mut Store, command: Command, out: &mut Vec<u8>) -> Result<(), Refusal> {
    if command.len().is_multiple_of(2) {
        return Err("ERR wrong number of arguments for 'mset' command");
    }
    for at in (1..command.len()).step_by(2) {
        store.set_text(command.word(at), command.word(at + 1), None);
    }
    resp::simple(out, "OK");
    Ok(())
}

fn del(store: &mut Store, command: Command, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let removed = command
        .words_from(1)
        .filter(|key| store.remove(key))
        .count();
    resp::integer(out, count(removed));
    Ok(())
}

fn exists(store: &mut Store, command: Command, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let found = command
        .words_from(1)
        .filter(|key| store.contains(key))
        .count();
    resp::integer(out, count(found));
    Ok(())
}

fn expire(store: &mut Store, command: Command, out: &mut Vec<u8>) -> Result<(), Refusal> {
    expire_after(store, command, out, Duration::from_secs(1))
}

fn pexpire(store: &mut Store, command: Command, out: &mut Vec<u8>) -> Result<(), Refusal> {
    expire_after(store, command, out, Duration::from_millis(1))
}

/// A time that is not in the future removes the key.
fn expire_after(
    store: &mut Store,
    command: Command,
    out: &mut Vec<u8>,
    unit: Duration,
) -> Result<(), Refusal> {
    let key = command.word(1);
    let done = match number(command.word(2))? {
        ..=0 => store.remove(key),
        _ => store.expire_at(key, deadline(command.word(2), unit)?),
    };
    resp::integer(out, i64::from(done));
    Ok(())
}

fn persist(store: &mut Store, command: Command, out: &mut Vec<u8>) -> Result<(), Refusal> {
    resp::integer(out, i64::from(store.persist(command.word(1))));
    Ok(())
}

fn ttl(store: &mut Store, command: Command, out: &mut Vec<u8>) -> Result<(), Refusal> {
    // Rounded, as Redis does it.
    let seconds = |left: Duration| (left.as_millis() + 500) / 1000;
    time_left(store, command, out, seconds)
}

fn pttl(store: &mut Store, command: Command, out: &mut Vec<u8>) -> Result<(), Refusal> {
    time_left(store, command, out, |left| left.as_millis())
}

/// -2 for a key that is not there, -1 for one that does not expire.
fn time_left(
    store: &mut Store,
    command: Command,
    out: &mut Vec<u8>,
    in_unit: fn(Duration) -> u128,
) -> Result<(), Refusal> {
    let key = command.word(1);
    let left = match store.time_left(key) {
        Some(left) => i64::try_from(in_unit(left)).unwrap_or(i64::MAX),
        None if store.contains(key) => -1,
        None => -2,
    };
    resp::integer(out, left);
    Ok(())
}

fn lpush(store: &mut Store, command: Command, out: &mut Vec<u8>) -> Result<(), Refusal> {
    push(store, command, out, VecDeque::push_front)
}

fn rpush(store: &mut Store, command: Command, out: &mut Vec<u8>) -> Result<(), Refusal> {
    push(store, command, out, VecDeque::push_back)
}

fn push(
    store: &mut Store,
    command: Command,
    out: &mut Vec<u8>,
    add: fn(&mut VecDeque<Bytes>, Bytes),
) -> Result<(), Refusal> {
    let list = match store.get_or_insert(command.word(1), || Value::List(VecDeque::new())) {
        Value::List(list) => list,
        _ => return Err(WRONG_TYPE),
    };
    command
        .words_from(2)
        .for_each(|element| add(list, element.into()));
    resp::integer(out, count(list.len()));
    Ok(())
}

fn lpop(store: &mut Store, command: Command, out: &mut Vec<u8>) -> Result<(), Refusal> {
    pop(store, command, out, VecDeque::pop_front)
}

fn rpop(store: &mut Store, command: Command, out: &mut Vec<u8>) -> Result<(), Refusal> {
    pop(store, command, out, VecDeque::pop_back)
}

/// A list whose last element was taken is no more.
fn pop(
    store: &mut Store,
    command: Command,
    out: &mut Vec<u8>,
    take: fn(&mut VecDeque<Bytes>) -> Option<Bytes>,
) -> Result<(), Refusal> {
    let (taken, is_empty) = match store.get_mut(command.word(1)) {
        Some(Value::List(list)) => (take(list), list.is_empty()),
        None => (None, false),
        Some(_) => return Err(WRONG_TYPE),
    };
    if is_empty {
        store.remove(command.word(1));
    }
    resp::bulk(out, taken.as_deref());
    Ok(())
}

fn llen(store: &mut Store, command: Command, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let length = list(store.get(command.word(1)))?.map_or(0, VecDeque::len);
    resp::integer(out, count(length));
    Ok(())
}

/// Positions count from 0, or back from the end as -1, -2...; both ends are included.
fn lrange(store: &mut Store, command: Command, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let (first, last) = (number(command.word(2))?, number(command.word(3))?);
    let Some(list) = list(store.get(command.word(1)))? else {
        resp::array(out, 0);
        return Ok(());
    };
    let length = count(list.len());
    let from_start = |at: i64| {
        if at < 0 {
            at.saturating_add(length)
        } else {
            at
        }
    };
    let first = usize::try_from(from_start(first)).unwrap_or(0);
    let end = usize::try_from(from_start(last).min(length - 1) + 1).unwrap_or(0);
    if first >= end {
        resp::array(out, 0);
        return Ok(());
    }
    resp::array(out, end - first);
    list.range(first..end)
        .for_each(|element| resp::bulk(out, Some(element)));
    Ok(())
}

fn hset(store: &mut Store, command: Command, out: &mut Vec<u8>) -> Result<(), Refusal> {
    if command.len() % 2 == 1 {
        return Err("ERR wrong number of arguments for 'hset' command");
    }
    let hash = match store.get_or_insert(command.word(1), || Value::Hash(HashMap::new())) {
        Value::Hash(hash) => hash,
        _ => return Err(WRONG_TYPE),
    };
    let mut new = 0;
    for at in (2..command.len()).step_by(2) {
        let old = hash.insert(command.word(at).into(), command.word(at + 1).into());
        new += i64::from(old.is_none());
    }
    resp::integer(out, new);
    Ok(())
}

fn hget(store: &mut Store, command: Command, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let field = match store.get(command.word(1)) {
        Some(Value::Hash(hash)) => hash.get(command.word(2)),
        None => None,
        Some(_) => return Err(WRONG_TYPE),
    };
    resp::bulk(out, field.map(|field| &**field));
    Ok(())
}

fn dbsize(store: &mut Store, _: Command, out: &mut Vec<u8>) -> Result<(), Refusal> {
    resp::integer(out, count(store.len()));
    Ok(())
}

fn flush(store: &mut Store, _: Command, out: &mut Vec<u8>) -> Result<(), Refusal> {
    store.clear();
    resp::simple(out, "OK");
    Ok(())
}

/// redis-benchmark asks for `save` and `appendonly` before it begins.
fn config(_: &mut Store, command: Command, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let value: &[u8] = match command.word(2) {
        _ if !command.word(1).eq_ignore_ascii_case(b"GET") => {
            return Err("ERR only CONFIG GET is there");
        }
        b"save" => b"",
        b"appendonly" => b"no",
        _ => {
            resp::array(out, 0);
            return Ok(());
        }
    };
    resp::array(out, 2);
    resp::bulk(out, Some(command.word(2)));
    resp::bulk(out, Some(value));
    Ok(())
}

/// redis-cli asks for the list, to complete names; none is needed.
fn command(_: &mut Store, command: Command, out: &mut Vec<u8>) -> Result<(), Refusal> {
    if command.word(1).eq_ignore_ascii_case(b"COUNT") {
        resp::integer(out, count(COMMANDS.len()));
    } else {
        resp::array(out, 0);
    }
    Ok(())
}

fn info(store: &mut Store, _: Command, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let text = format!(
        "# Server\r\nredis_version:7.0.0\r\nserver_name:kv-server\r\ntcp_port:0\r\n\
         # Keyspace\r\ndb0:keys={}\r\n",
        store.len()
    );
    resp::bulk(out, Some(text.as_bytes()));
    Ok(())
}

fn text(value: Option<&Value>) -> Result<Option<&[u8]>, Refusal> {
    match value {
        Some(Value::Text(text)) => Ok(Some(text)),
        None => Ok(None),
        Some(_) => Err(WRONG_TYPE),
    }
}

fn list(value: Option<&Value>) -> Result<Option<&VecDeque<Bytes>>, Refusal> {
    match value {
        Some(Value::List(list)) => Ok(Some(list)),
        None => Ok(None),
        Some(_) => Err(WRONG_TYPE),
    }
}

fn number(text: &[u8]) -> Result<i64, Refusal> {
    str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or(NOT_A_NUMBER)
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::{Parsed, parse};

    /// Runs lines of words; the answers, with the line ends as bars.
    fn answers(lines: &[&str]) -> Vec<String> {
        let mut store = Store::default();
        let mut ask = |line: &str| {
            let (mut words, mut out) = (Vec::new(), Vec::new());
            let line = format!("{line}\r\n");
            assert_eq!(
                parse(line.as_bytes(), &mut words),
                Parsed::Command { length: line.len() }
            );
            run(&mut store, Command::new(line.as_bytes(), &words), &mut out);
            String::from_utf8(out)
                .expect("the tests use text alone")
                .replace("\r\n", "|")
        };
        lines.iter().map(|line| ask(line)).collect()
    }

    #[test]
    fn strings_can_be_set_under_a_condition() {
        let found = answers(&[
            "set a 1 XX",
            "set a 1 NX",
            "set a 2 nx",
            "get a",
            "set a 3 xx",
            "get a",
        ]);
        assert_eq!(found, ["$-1|", "+OK|", "$-1|", "$1|1|", "+OK|", "$1|3|"]);
    }

    #[test]
    fn counting_needs_a_number() {
        let found = answers(&[
            "INCR n",
            "INCR n",
            "SET n x",
            "INCR n",
            "SET n 9223372036854775807",
            "INCR n",
        ]);
        assert_eq!(found[..2], [":1|", ":2|"]);
        assert!(found[3].starts_with("-ERR value is not"), "{}", found[3]);
        assert!(found[5].starts_with("-ERR increment"), "{}", found[5]);
    }

    #[test]
    fn lists_are_ranges_with_negative_positions() {
        let found = answers(&[
            "RPUSH l a b c",
            "LPUSH l z",
            "LRANGE l 0 -1",
            "LRANGE l -2 99",
            "LRANGE l 3 1",
            "LPOP l",
            "RPOP l",
            "LLEN l",
            "LPOP l",
            "LPOP l",
            "LPOP l",
            "EXISTS l",
        ]);
        assert_eq!(found[..2], [":3|", ":4|"]);
        assert_eq!(found[2], "*4|$1|z|$1|a|$1|b|$1|c|");
        assert_eq!(found[3..5], ["*2|$1|b|$1|c|", "*0|"]);
        assert_eq!(found[5..8], ["$1|z|", "$1|c|", ":2|"]);
        assert_eq!(found[10..], ["$-1|", ":0|"], "an emptied list is no more");
    }

    #[test]
    fn hashes_count_new_fields() {
        let found = answers(&[
            "HSET h a 1 b 2",
            "HSET h a 3 c 4",
            "HGET h a",
            "HGET h x",
            "HSET h a",
        ]);
        assert_eq!(found[..4], [":2|", ":1|", "$1|3|", "$-1|"]);
        assert!(found[4].starts_with("-ERR wrong number"), "{}", found[4]);
    }

    #[test]
    fn kinds_do_not_mix() {
        let found = answers(&[
            "RPUSH l a",
            "GET l",
            "INCR l",
            "HGET l f",
            "HSET l f v",
            "SET l text",
            "GET l",
        ]);
        assert!(
            found[1..5]
                .iter()
                .all(|answer| answer.starts_with("-WRONGTYPE")),
            "{found:?}"
        );
        assert_eq!(found[5..], ["+OK|", "$4|text|"]);
    }

    #[test]
    fn times_are_told_and_refused() {
        let found = answers(&[
            "SET a 1 EX 100",
            "TTL a",
            "PERSIST a",
            "TTL a",
            "TTL missing",
            "EXPIRE a 10",
            "TTL a",
            "EXPIRE a 0",
            "EXISTS a",
            "SET a 1 EX 0",
            "SET a 1 EX",
            "SET a 1 PX 1 EX 1",
            "EXPIRE missing 10",
        ]);
        assert_eq!(
            found[..9],
            [
                "+OK|", ":100|", ":1|", ":-1|", ":-2|", ":1|", ":10|", ":1|", ":0|"
            ]
        );
        assert!(
            found[9..12].iter().all(|answer| answer.starts_with("-ERR")),
            "{found:?}"
        );
        assert_eq!(found[12], ":0|");
    }

    #[test]
    fn unknown_commands_and_wrong_counts_are_refused() {
        let found = answers(&["NONSENSE", "GET", "GET a b", "MSET a 1 b", ""]);
        assert!(
            found[..4].iter().all(|answer| answer.starts_with("-ERR")),
            "{found:?}"
        );
        assert_eq!(found[4], "", "an empty line has no answer");
    }
}
