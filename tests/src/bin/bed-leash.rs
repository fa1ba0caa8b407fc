//! Holds one process of the test bed, and ends it when the test process is gone.
//!
//! `bed-leash LOG PROGRAM ARGUMENTS…` starts the program with its output appended to LOG, prints its process id, and obeys standard
//! input: `term` sends SIGTERM, `kill` sends SIGKILL, and so does the end of the input, which comes when the test process ended in any
//! way. It ends with the program's exit code, or 128 + the signal that ended it.
//!
//! `bed-leash --remove FOLDER` waits for the end of its input and removes the folder, unless a file `keep` is in it.

#![forbid(unsafe_code)]

use std::{
    env,
    ffi::{OsStr, OsString},
    fs::{self, OpenOptions},
    io::{self, BufRead, Write},
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Child, Command, ExitCode, ExitStatus, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

/// How often the process is looked at: soon enough for a test that restarts it, rarely enough to cost nothing.
const LOOK: Duration = Duration::from_millis(20);

/// How long a folder may resist: servers that are being killed may still write into it.
const REMOVAL: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    let outcome = match arguments.as_slice() {
        [flag, folder] if flag == "--remove" => remove_later(Path::new(folder)).map(|()| 0),
        [log, program, rest @ ..] => hold(log, program, rest),
        _ => Err(io::Error::other("usage: bed-leash LOG PROGRAM ARGUMENTS… | bed-leash --remove FOLDER")),
    };
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            // The one reader is the bed, which takes anything but a number as the reason.
            let _ = writeln!(io::stdout(), "{error}");
            ExitCode::FAILURE
        }
    }
}

fn hold(log: &OsStr, program: &OsStr, arguments: &[OsString]) -> io::Result<u8> {
    let log = OpenOptions::new().create(true).append(true).open(log)?;
    let mut child =
        Command::new(program).args(arguments).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
    let told = writeln!(io::stdout(), "{}", child.id()).and_then(|()| io::stdout().flush());
    if told.is_err() {
        // Nobody is there to hold it for.
        child.kill()?;
    }
    let status = obey(&mut child, &commands())?;
    Ok(exit_code(status))
}

/// The lines of standard input; the channel closes at its end.
fn commands() -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            let Ok(line) = line else { return };
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// One thread waits and signals, so that a signal never goes to a process that was already collected.
fn obey(child: &mut Child, commands: &Receiver<String>) -> io::Result<ExitStatus> {
    loop {
        match commands.recv_timeout(LOOK) {
            Ok(command) if command == "term" => terminate(child)?,
            Ok(_) | Err(RecvTimeoutError::Disconnected) => {
                child.kill()?;
                return child.wait();
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
    }
}

/// The standard library sends no signal but SIGKILL; every POSIX shell has `kill` built in.
fn terminate(child: &mut Child) -> io::Result<()> {
    if child.try_wait()?.is_none() {
        Command::new("/bin/sh").args(["-c", "kill -TERM \"$0\"", &child.id().to_string()]).status()?;
    }
    Ok(())
}

fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
    u8::try_from(code).unwrap_or(u8::MAX)
}

fn remove_later(folder: &Path) -> io::Result<()> {
    io::copy(&mut io::stdin().lock(), &mut io::sink())?;
    // The leashes of the servers saw the same end; let them act first.
    let end = Instant::now() + REMOVAL;
    while !folder.join("keep").exists() && folder.exists() && Instant::now() < end {
        thread::sleep(LOOK * 10);
        let _ = fs::remove_dir_all(folder);
    }
    Ok(())
}
