//! Each bomb in a process of its own: it ends as it should, and within its memory.
//!
//! A child is this test binary again, told by `BOMB` which one to render; it tells the parent how it ended and the most
//! memory it had at a time. The seconds are those that it had a processor, so that other work beside it does not count; they
//! are shown, with `--nocapture`, and not judged. Time is only bounded by a kill that is far away. `BOMBS=PART` runs those
//! whose name contains the part.
#![cfg(target_os = "linux")]
#![expect(clippy::expect_used, clippy::panic, reason = "a test must fail loudly")]

use std::fmt::Write as _;
use std::io::Read as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use list::{Bomb, End};
use template::{Data, Options, Phase, Template};

mod list;

/// Memory of a process that renders a bomb, the program itself included.
const MOST_KIB: u64 = 64 << 10;
/// After this a child is lost.
const LONGEST: Duration = Duration::from_mins(2);

#[test]
fn bombs_end_within_their_memory() {
    let part = std::env::var("BOMBS").unwrap_or_default();
    let mut complaints = String::new();
    for (index, bomb) in list::all().iter().enumerate().filter(|(_, bomb)| bomb.name.contains(&part)) {
        let told = child(index);
        println!("{:<32} {told}", bomb.name);
        let mut words = told.split_whitespace();
        let end = words.next().unwrap_or_default().to_owned();
        let kib: u64 = words.next().and_then(|word| word.parse().ok()).unwrap_or(u64::MAX);
        if end != format!("{:?}", bomb.end) || kib > MOST_KIB {
            let _ = writeln!(complaints, "{}: {told}, wanted {:?} within {MOST_KIB} KiB", bomb.name, bomb.end);
        }
    }
    assert!(complaints.is_empty(), "{complaints}");
}

/// Renders the bomb that `BOMB` names; without it there is nothing to do.
#[test]
fn child_renders_the_bomb_it_is_given() {
    let Ok(index) = std::env::var("BOMB") else { return };
    let bombs = list::all();
    let bomb = &bombs[index.parse::<usize>().expect("BOMB is a number")];
    let (end, told) = rendered(bomb);
    println!("\nRESULT {end:?} {} KiB {:.3} s {told}", most_memory(), processor_time().as_secs_f64());
}

/// How the bomb ends, and the reason or the length of the text.
fn rendered(bomb: &Bomb) -> (End, String) {
    let mut options = Options::default();
    // Counting must end a bomb, not the clock, which says little on a busy machine. Unoptimised code is some times slower,
    // and nothing is learnt from waiting for an error.
    let is_short = cfg!(debug_assertions) && bomb.end == End::Execute;
    options.limits.deadline = Duration::from_secs(if is_short { 1 } else { 60 });
    let data: Data = bomb.data.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    let parsed = Template::parse("k", bomb.template.as_bytes(), &options.limits);
    match parsed.and_then(|template| template.render(&data, &options)) {
        Ok(text) => (End::Text, format!("{} bytes", text.len())),
        Err(error) => {
            let end = if error.phase() == Phase::Parse { End::Parse } else { End::Execute };
            let told = error.to_string();
            let words = told.chars().rev().take(90).collect::<Vec<_>>();
            (end, words.into_iter().rev().filter(|char| !char.is_control()).collect())
        }
    }
}

/// What the child tells, or how it was lost.
fn child(index: usize) -> String {
    let mut child = Command::new(std::env::current_exe().expect("the path of this program"))
        .args(["--exact", "child_renders_the_bomb_it_is_given", "--nocapture"])
        .env("BOMB", index.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("this program starts again");
    let began = Instant::now();
    let status = loop {
        match child.try_wait().expect("a child can be waited for") {
            Some(status) => break status,
            None if began.elapsed() > LONGEST => {
                let _ = child.kill();
                let _ = child.wait();
                return "lost: it took too long".to_owned();
            }
            None => std::thread::sleep(Duration::from_millis(2)),
        }
    };
    let mut told = String::new();
    let mut output = child.stdout.take().expect("the output is piped");
    output.read_to_string(&mut told).expect("the output is text");
    let result = told.lines().find_map(|line| line.strip_prefix("RESULT "));
    result.map_or_else(|| format!("lost: it ended with {status}"), str::to_owned)
}

/// How long this thread had a processor.
fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux tells about threads");
    let nanoseconds = text.split_whitespace().next().and_then(|word| word.parse().ok());
    Duration::from_nanos(nanoseconds.expect("the time begins the line"))
}

/// The most memory this process had at a time, in KiB.
fn most_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells about processes");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the line with the peak");
    line.trim().trim_end_matches(" kB").parse().unwrap_or_else(|_| panic!("no number: {line}"))
}
