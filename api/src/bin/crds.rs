//! Writes the CustomResourceDefinitions to a folder, or says whether the folder holds them.
//!
//! `crds DIRECTORY` writes; `crds --check DIRECTORY` exits with 1 when a file is missing, stale or not ours.
#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;
use std::{env, fs, io};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let outcome = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["--check", directory] => check(Path::new(directory)),
        [directory] if !directory.starts_with('-') => write(Path::new(directory)).map(|()| Vec::new()),
        _ => {
            eprintln!("usage: crds [--check] DIRECTORY");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(stale) if stale.is_empty() => ExitCode::SUCCESS,
        Ok(stale) => {
            eprintln!("stale: {}; run `cargo run -p api --bin crds -- manifests/crds`", stale.join(", "));
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn write(directory: &Path) -> Result<(), Box<dyn std::error::Error>> {
    fs::create_dir_all(directory)?;
    for (name, content) in api::crds::files()? {
        fs::write(directory.join(name), content)?;
    }
    Ok(())
}

/// Names of the files that differ from what `write` would leave.
fn check(directory: &Path) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let files = api::crds::files()?;
    let mut stale = BTreeSet::new();
    for (name, content) in &files {
        let found = match fs::read_to_string(directory.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            other => Some(other?),
        };
        if found.as_ref() != Some(content) {
            stale.insert(name.clone());
        }
    }
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !files.iter().any(|(ours, _)| *ours == name) {
            stale.insert(name);
        }
    }
    Ok(stale.into_iter().collect())
}
