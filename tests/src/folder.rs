//! The temporary folder of one bed: data, certificates and logs of its servers.
//!
//! The folder goes when the test process has ended and its servers are gone, which a small process of its own sees to (`bed-leash
//! --remove`), because a bed that is shared by a whole file is never dropped. It stays, with its path printed, when a test panicked
//! or returned an error, or when `BED_KEEP=1`.

use std::{
    fs, panic,
    path::{Path, PathBuf},
    sync::{Mutex, Once, PoisonError},
};

use crate::{
    failure::Result,
    leash::{self, Janitor},
    ports,
};

/// The name of the file that tells the janitor to leave a folder.
pub const KEEP: &str = "keep";

static LIVE: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());
static HOOK: Once = Once::new();

/// A folder that is removed after its last user, unless something failed.
pub struct Folder {
    path: PathBuf,
    // Declared here, so that it ends after everything that a bed dropped before its folder.
    _janitor: Janitor,
}

impl Folder {
    pub fn create() -> Result<Self> {
        HOOK.call_once(keep_on_panic);
        let name = format!("external-secrets-bed-{}-{}", std::process::id(), ports::random_word());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(path.join("logs"))?;
        if std::env::var("BED_KEEP").is_ok_and(|value| !matches!(value.as_str(), "" | "0")) {
            fs::write(path.join(KEEP), "BED_KEEP is set")?;
            eprintln!("test bed: files and logs are in {} and stay there (BED_KEEP)", path.display());
        }
        let janitor = leash::janitor(&path)?;
        live().push(path.clone());
        Ok(Self { path, _janitor: janitor })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn log(&self, name: &str) -> PathBuf {
        self.path.join("logs").join(format!("{name}.log"))
    }

    /// A folder inside, made if needed.
    pub fn inside(&self, name: &str) -> Result<PathBuf> {
        let path = self.path.join(name);
        fs::create_dir_all(&path)?;
        Ok(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        live().retain(|path| path != &self.path);
    }
}

/// Marks the folders of all running beds to be kept, and names them.
pub fn keep_all() -> Vec<PathBuf> {
    let folders = live().clone();
    for folder in &folders {
        // A mark that cannot be written costs logs, not correctness.
        let _ = fs::write(folder.join(KEEP), "a test failed");
    }
    folders
}

fn live() -> std::sync::MutexGuard<'static, Vec<PathBuf>> {
    LIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn keep_on_panic() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        before(info);
        for path in keep_all() {
            eprintln!("the logs of the test bed are kept in {}", path.display());
        }
    }));
}
