//! Where the programs are: the pinned servers of `make tools`, and our own binaries beside the test binary.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use crate::failure::{Failure, Result};

static TOOLS: OnceLock<PathBuf> = OnceLock::new();

/// The root of the checkout.
pub fn repository() -> &'static Path {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests)
}

/// A pinned server or client, built by `make tools`.
pub fn tool(name: &str) -> Result<PathBuf> {
    let folder = folder()?;
    let path = folder.join("bin").join(name);
    if path.exists() {
        return Ok(path);
    }
    Err(Failure::new(format!("{name} is not in {}: run `make tools`", folder.display())))
}

/// A binary of this workspace, from the target folder that the running test was built in.
pub fn binary(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    // Tests are in `debug/deps`, programs such as the demo in `debug`.
    let found = own.ancestors().skip(1).take(2).map(|folder| folder.join(name)).find(|path| path.is_file());
    found.ok_or_else(|| {
        Failure::new(format!("{name} is not built beside {}: run `cargo build --workspace --bins`", own.display()))
    })
}

fn folder() -> Result<&'static Path> {
    if let Some(path) = TOOLS.get() {
        return Ok(path);
    }
    let script = repository().join("tests/tools/build.sh");
    let output = Command::new(&script).arg("--where").output()?;
    if !output.status.success() {
        return Err(Failure::new(format!("{}: {}", script.display(), String::from_utf8_lossy(&output.stderr))));
    }
    let path = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    Ok(TOOLS.get_or_init(|| path))
}
