//! Arrows point down: no module of the libOS names one of a layer above its own.
//!
//! [`LAYERS`] is the list in `docs/architecture.md`, from the bottom. A module belongs to the layer of
//! its longest prefix there. [`EXCEPTIONS`] are the arrows that do point up, each with its reason; one
//! that no code needs any more is a failure too, so the list only shrinks. Unit tests may look anywhere.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The layers from the bottom up, each with the modules that it consists of.
const LAYERS: &[(&str, &[&str])] = &[
    (
        "base",
        &[
            "errno",
            "sync",
            "sorted_map",
            "word_map",
            "boot",
            "hypercall",
            "stderr",
            "panic",
        ],
    ),
    ("processor", &["arch"]),
    ("memory", &["mm", "user", "random"]),
    ("threads", &["task", "sched", "time", "futex", "sync::wait"]),
    (
        "signals",
        &[
            "signal",
            "task::exit",
            "task::robust",
            "time::itimer",
            "time::posix_timer",
        ],
    ),
    ("files", &["fs"]),
    ("network", &["net"]),
    ("views", &["views", "crash"]),
    ("calls", &["syscall"]),
    ("entry", &["entry", "report"]),
    ("start", &["start", "lib", "main"]),
];

/// Arrows that point up: from a module, to a module, and why.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    (
        "task::process",
        "fs",
        "a process is composed of what subsystems keep for it, and each call looks there: held as \
         what it is, not behind `dyn Any`",
    ),
    (
        "task::process",
        "signal",
        "as above: actions, pending signals",
    ),
    (
        "task::process",
        "time::itimer",
        "as above: timers of setitimer(2)",
    ),
    (
        "task::process",
        "time::posix_timer",
        "as above: timers of timer_create(2)",
    ),
    (
        "task::thread",
        "signal",
        "likewise a thread: its mask, its pending signals, its stack for handlers",
    ),
    (
        "task",
        "signal",
        "whether a sleep must end (`signal_pending`) is asked at each sleep: a load and a mask",
    ),
];

/// An arrow: module that names, module that is named.
type Arrow = (String, String);

#[test]
fn arrows_point_down() {
    let source = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"));
    let mut arrows = BTreeSet::new();
    let mut modules = 0;
    each_module(source, &mut Vec::new(), &mut |module, text| {
        modules += 1;
        arrows.extend(
            named(module, text)
                .into_iter()
                .map(|to| (module.to_owned(), to)),
        );
    });
    assert!(
        modules > 200,
        "expected the libOS's modules, found {modules} in {source:?}"
    );
    let complaints = judge(&arrows, EXCEPTIONS);
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

/// What is wrong with `arrows`, a line each.
fn judge(arrows: &BTreeSet<Arrow>, exceptions: &[(&str, &str, &str)]) -> Vec<String> {
    let mut needed = BTreeSet::new();
    let mut complaints = Vec::new();
    for (from, to) in arrows {
        let (Some((low, below)), Some((high, above))) = (layer(from), layer(to)) else {
            complaints.push(format!(
                "{from} -> {to}: one of them is in no layer: add it to LAYERS"
            ));
            continue;
        };
        if high <= low {
            continue;
        }
        let excuse = exceptions
            .iter()
            .position(|(a, b, _)| within(from, a) && within(to, b));
        match excuse {
            Some(index) => drop(needed.insert(index)),
            None => complaints.push(format!(
                "{from} ({below}) -> {to} ({above}): an arrow that points up. Move what both need \
                 down, or let the upper layer register a function below"
            )),
        }
    }
    for (index, (from, to, _)) in exceptions.iter().enumerate() {
        if !needed.contains(&index) {
            complaints.push(format!(
                "{from} -> {to}: no code needs this exception: remove it"
            ));
        }
    }
    complaints
}

/// Number from the bottom and name of the layer that a module belongs to.
fn layer(module: &str) -> Option<(usize, &'static str)> {
    let prefixes = LAYERS
        .iter()
        .enumerate()
        .flat_map(|(index, (name, prefixes))| {
            prefixes.iter().map(move |prefix| (prefix, (index, *name)))
        });
    prefixes
        .filter(|(prefix, _)| within(module, prefix))
        .max_by_key(|(prefix, _)| prefix.len())
        .map(|(_, layer)| layer)
}

/// Whether `path` is `prefix` or lies in it.
fn within(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Calls `action` with the path and the text of each module that is no test.
fn each_module(folder: &Path, path: &mut Vec<String>, action: &mut impl FnMut(&str, &str)) {
    let mut entries: Vec<_> = std::fs::read_dir(folder)
        .expect("a readable folder")
        .map(|entry| entry.expect("a readable entry").path())
        .collect();
    entries.sort();
    for entry in entries {
        let name = entry
            .file_stem()
            .and_then(|stem| stem.to_str())
            .expect("a UTF-8 name");
        if matches!(name, "tests" | "testing") {
            continue;
        }
        path.push(name.to_owned());
        if entry.is_dir() {
            each_module(&entry, path, action);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&entry).expect("a readable file");
            let depth = path.len() - usize::from(name == "mod");
            action(&path[..depth].join("::"), &text);
        }
        path.pop();
    }
}

/// The modules that a module's code names by `crate::…`, its unit tests apart, as far as they can be
/// told from the items in them: two segments where a layer speaks of two, else one.
fn named(module: &str, text: &str) -> BTreeSet<String> {
    let code = without_tests(&without_comments(text));
    let mut found = BTreeSet::new();
    let mut rest = code.as_str();
    while let Some(at) = rest.find("crate::") {
        let before = rest[..at].chars().next_back();
        rest = &rest[at + "crate::".len()..];
        // `$crate` and names that end so are not ours.
        if before.is_none_or(|c| !c.is_alphanumeric() && c != '_') {
            paths(rest, "", &mut found);
        }
    }
    found.retain(|to| to != module);
    found
}

/// Adds the module paths at the beginning of `text`, of which `prefix` was read already.
fn paths(text: &str, prefix: &str, found: &mut BTreeSet<String>) {
    if let Some(group) = text.strip_prefix('{') {
        for part in split(group) {
            paths(part.trim_start(), prefix, found);
        }
        return;
    }
    let len = text
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(text.len());
    let path = match (&text[..len], prefix) {
        ("" | "self", _) => prefix.to_owned(),
        (name, "") => name.to_owned(),
        (name, _) => format!("{prefix}::{name}"),
    };
    match text[len..].strip_prefix("::") {
        Some(rest) if path.matches("::").count() < 2 => paths(rest, &path, found),
        _ => drop(found.insert(modules_of(&path))),
    }
}

/// A path without the item at its end: modules have lower-case names that the source tree knows.
fn modules_of(path: &str) -> String {
    let source = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"));
    let mut names: Vec<&str> = path.split("::").collect();
    while names.len() > 1 {
        let place = source.join(names.join("/"));
        if place.is_dir() || place.with_extension("rs").is_file() {
            break;
        }
        names.pop();
    }
    names.join("::")
}

/// The parts of a `{…}` group between its commas, up to its end.
fn split(group: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0_usize, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                parts.push(&group[start..at]);
                return parts;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&group[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts
}

fn without_comments(text: &str) -> String {
    let code = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or(""));
    code.collect::<Vec<_>>().join("\n")
}

/// Leaves out what follows `#[cfg(test)]`: an item that ends with `;` or with its braces.
fn without_tests(text: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut code = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(MARK) {
        code.push_str(&rest[..at]);
        rest = &rest[at + MARK.len()..];
        let mut depth = 0_usize;
        let end = rest.char_indices().find(|&(_, c)| {
            match c {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0 && matches!(c, ';' | '}')
        });
        rest = end.map_or("", |(at, _)| &rest[at + 1..]);
    }
    code + rest
}

#[test]
fn an_upward_arrow_is_found_wherever_it_stands() {
    let text = "//! crate::start is only told of\nuse crate::{errno::Errno, syscall::{table, trace::x}};\n\
                fn f() { crate::net::init(); }\n#[cfg(test)]\nmod tests { use crate::views; }\n\
                use crate::task::{self, Thread};\n";
    let found: Vec<_> = named("mm", text).into_iter().collect();
    assert_eq!(
        found,
        ["errno", "net", "syscall::table", "syscall::trace", "task"]
    );
    let arrows = found.into_iter().map(|to| ("mm".to_owned(), to)).collect();
    assert_eq!(judge(&arrows, &[]).len(), 4, "all but errno");
    let excused = [("mm", "syscall", ""), ("mm", "net", ""), ("mm", "task", "")];
    assert_eq!(judge(&arrows, &excused), Vec::<String>::new());
}

#[test]
fn an_exception_that_is_not_needed_is_a_failure() {
    let arrows = BTreeSet::from([("fs::file".to_owned(), "mm".to_owned())]);
    assert_eq!(judge(&arrows, &[("fs", "net", "")]).len(), 1);
    assert_eq!(judge(&arrows, &[]), Vec::<String>::new());
}

#[test]
fn the_longest_prefix_decides_on_the_layer() {
    let names: BTreeMap<_, _> = ["sync", "sync::wait", "time::itimer", "time", "unheard_of"]
        .map(|module| (module, layer(module).map(|(_, name)| name)))
        .into();
    assert_eq!(names["sync"], Some("base"));
    assert_eq!(names["sync::wait"], Some("threads"));
    assert_eq!(names["time::itimer"], Some("signals"));
    assert_eq!(names["time"], Some("threads"));
    assert_eq!(names["unheard_of"], None);
}
