//! Processes that end when we do, whatever happens to us.
//!
//! Each server is started through `bed-leash`, which holds it: the leash ends its server when our end of its standard input closes,
//! and the system closes that when this process ends, be it by return, panic, Ctrl-C or `kill -9`. Commands go down the same pipe, and
//! only the leash, which is the server's parent, sends signals, so that no signal can reach a process that took over a number.

use std::{
    ffi::OsStr,
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{
    failure::{Failure, Result},
    tools,
};

/// How long a leash may take to end its process with SIGKILL and to end itself.
const END: Duration = Duration::from_secs(10);

/// How many bytes of a log a failure shows.
const TAIL: usize = 3_000;

/// What to start.
pub struct Launch<'a> {
    pub program: &'a Path,
    pub arguments: Vec<String>,
    /// The whole environment of the process; nothing of ours is inherited.
    pub environment: Vec<(String, String)>,
    /// Standard output and error are appended here.
    pub log: PathBuf,
}

/// A process that lives no longer than this value, nor than the process that holds it.
pub struct Leashed {
    leash: Child,
    commands: Option<ChildStdin>,
    pid: u32,
    log: PathBuf,
}

impl Leashed {
    /// Starts the process. That it could be started does not mean that it serves.
    pub fn start(launch: Launch<'_>) -> Result<Self> {
        let mut leash = Command::new(tools::binary("bed-leash")?)
            .arg(&launch.log)
            .arg(launch.program)
            .args(&launch.arguments)
            .env_clear()
            .envs(launch.environment)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // A Ctrl-C in the terminal is for us; the leash acts when we are gone.
            .process_group(0)
            .spawn()?;
        let commands = leash.stdin.take();
        let mut first = String::new();
        if let Some(output) = leash.stdout.take() {
            BufReader::new(output).read_line(&mut first)?;
        }
        let Ok(pid) = first.trim().parse() else {
            return Err(Failure::new(format!("{} could not be started: {}", launch.program.display(), first.trim())));
        };
        Ok(Self { leash, commands, pid, log: launch.log })
    }

    /// The process id of the server itself, not of its leash.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// How the process ended, if it did.
    pub fn ended(&mut self) -> Option<String> {
        match self.leash.try_wait() {
            Ok(None) => None,
            Ok(Some(status)) => Some(format!("it ended with {status}")),
            Err(error) => Some(error.to_string()),
        }
    }

    /// Sends SIGTERM and waits up to `patience`; the exit code, or none if a signal ended the process.
    pub fn terminate(&mut self, patience: Duration) -> Result<Option<i32>> {
        self.command("term");
        self.wait(patience)
    }

    /// Sends SIGKILL and waits for the end.
    pub fn kill(&mut self) -> Result<Option<i32>> {
        self.command("kill");
        self.wait(END)
    }

    /// What the process wrote last, for failures.
    pub fn tail(&self) -> String {
        tail(&self.log)
    }

    fn command(&mut self, word: &str) {
        if let Some(pipe) = &mut self.commands {
            // A leash that is gone cannot read, and its process is gone too.
            let _ = writeln!(pipe, "{word}");
        }
    }

    fn wait(&mut self, patience: Duration) -> Result<Option<i32>> {
        let end = Instant::now() + patience;
        loop {
            if let Some(status) = self.leash.try_wait()? {
                // The leash hands on the exit code, and 128 + the signal as a shell does.
                return Ok(status.code().filter(|code| *code < 128));
            }
            if Instant::now() > end {
                return Err(Failure::new(format!(
                    "process {} did not end within {patience:?}\n{}",
                    self.pid,
                    self.tail()
                )));
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Leashed {
    fn drop(&mut self) {
        self.commands = None;
        let _ = self.wait(END);
    }
}

/// The process that removes a folder after everyone has gone.
pub struct Janitor {
    process: Child,
}

/// Starts the janitor of a folder.
pub fn janitor(folder: &Path) -> Result<Janitor> {
    let process = Command::new(tools::binary("bed-leash")?)
        .args([OsStr::new("--remove"), folder.as_os_str()])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()?;
    Ok(Janitor { process })
}

impl Drop for Janitor {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// The last lines of a log, for failures.
pub fn tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let start = text.len().saturating_sub(TAIL);
    format!("--- end of {}\n{}", log.display(), String::from_utf8_lossy(&text[start..]))
}
