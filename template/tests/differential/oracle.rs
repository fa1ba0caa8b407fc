//! Real Go, as a program that answers cases.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;

/// A template and the data it works on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Case {
    pub template: Vec<u8>,
    pub data: BTreeMap<String, Vec<u8>>,
}

/// What became of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Output(Vec<u8>),
    Error {
        phase: String,
        text: String,
    },
    /// Nothing to compare: the case took too much.
    Skip(String),
}

#[derive(Deserialize)]
struct Answer {
    id: usize,
    output: Option<String>,
    #[serde(default)]
    phase: String,
    #[serde(default)]
    error: String,
    #[serde(default)]
    skip: String,
}

/// Renders with Go. The program is started anew when a case ends it.
pub struct Oracle {
    program: PathBuf,
    running: Option<(Child, ChildStdin, BufReader<ChildStdout>)>,
}

impl Oracle {
    pub fn new(program: PathBuf) -> Self {
        Self { program, running: None }
    }

    /// The outcomes of all cases, in their order.
    pub fn render(&mut self, cases: &[Case]) -> Vec<Outcome> {
        let mut outcomes: Vec<Option<Outcome>> = vec![None; cases.len()];
        let mut next = 0;
        while next < cases.len() {
            let answered = self.render_until_it_ends(cases, next, &mut outcomes);
            next += answered;
            let skipped_itself = answered > 0 && matches!(outcomes[next - 1], Some(Outcome::Skip(_)));
            if next < cases.len() {
                self.stop();
                if !skipped_itself {
                    outcomes[next] = Some(Outcome::Skip("the Go program ended".to_owned()));
                    next += 1;
                }
            } else if skipped_itself {
                self.stop();
            }
        }
        outcomes.into_iter().map(|outcome| outcome.unwrap_or(Outcome::Skip("no answer".to_owned()))).collect()
    }

    /// Sends the cases from `first` on and returns how many were answered.
    fn render_until_it_ends(&mut self, cases: &[Case], first: usize, outcomes: &mut [Option<Outcome>]) -> usize {
        let (_, input, output) = self.running.get_or_insert_with(|| start(&self.program));
        thread::scope(|scope| {
            scope.spawn(move || {
                for (id, case) in cases.iter().enumerate().skip(first) {
                    // A program that ended takes no more; the reader notices.
                    if input.write_all(request(id, case).as_bytes()).is_err() {
                        return;
                    }
                }
                let _ = input.flush();
            });
            let mut answered = 0;
            let mut line = String::new();
            while first + answered < cases.len() {
                line.clear();
                if output.read_line(&mut line).is_ok_and(|length| length > 0) {
                    let answer: Answer = serde_json::from_str(&line).expect("an answer of the Go program is JSON");
                    let id = answer.id;
                    outcomes[id] = Some(answer.into());
                    answered += 1;
                } else {
                    break;
                }
            }
            answered
        })
    }

    fn stop(&mut self) {
        if let Some((mut child, ..)) = self.running.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        self.stop();
    }
}

impl From<Answer> for Outcome {
    fn from(answer: Answer) -> Self {
        if !answer.skip.is_empty() {
            return Self::Skip(answer.skip);
        }
        match answer.output {
            Some(output) => Self::Output(STANDARD.decode(output).expect("base 64 from the Go program")),
            None => Self::Error { phase: answer.phase, text: answer.error },
        }
    }
}

fn start(program: &PathBuf) -> (Child, ChildStdin, BufReader<ChildStdout>) {
    let mut child = Command::new(program)
        .env_clear()
        .env("TZ", "UTC")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    let input = child.stdin.take().expect("stdin is piped");
    let output = BufReader::new(child.stdout.take().expect("stdout is piped"));
    (child, input, output)
}

fn request(id: usize, case: &Case) -> String {
    let data: BTreeMap<&str, String> =
        case.data.iter().map(|(key, value)| (key.as_str(), STANDARD.encode(value))).collect();
    format!("{}\n", json!({"id": id, "template": STANDARD.encode(&case.template), "data": data}))
}
