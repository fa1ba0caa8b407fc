//! Plays the kubelet for one volume: a Secret projected into a folder.
//!
//! As a real one does: every version goes into a new folder `..TIME`, then the link `..data` is swapped to it in one step, and each key
//! of the Secret is a link into `..data`. A change arrives after a delay that the test chooses; a real kubelet takes up to 90 s.

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{Api, Client, Config};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{
    failure::{Failure, Result},
    ports, wait,
};

/// Often enough for a test, rarely enough for the API server.
const LOOK: Duration = Duration::from_millis(200);

/// How long after a change of the Secret its files change.
#[derive(Clone, Copy, Debug)]
pub enum Delay {
    Always(Duration),
    /// Each time another, at random, up to this.
    UpTo(Duration),
}

impl Delay {
    fn next(self) -> Duration {
        match self {
            Self::Always(delay) => delay,
            Self::UpTo(most) => most.mul_f64(ports::random_part()),
        }
    }
}

impl From<Duration> for Delay {
    fn from(delay: Duration) -> Self {
        Self::Always(delay)
    }
}

type Data = BTreeMap<String, ByteString>;

/// A projection that is kept in step until this value is dropped.
pub struct Projection {
    stop: CancellationToken,
    versions: Arc<AtomicUsize>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Projection {
    /// Follows the Secret from a thread of its own, so that it outlives the runtime of the test that asked for it.
    pub(crate) fn start(config: Config, namespace: &str, secret: &str, folder: &Path, delay: Delay) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let (stop, versions) = (CancellationToken::new(), Arc::new(AtomicUsize::new(0)));
        let (stopped, count) = (stop.clone(), Arc::clone(&versions));
        let (namespace, secret, folder) = (namespace.to_owned(), secret.to_owned(), folder.to_owned());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = thread::spawn(move || {
            let outcome = runtime.block_on(async {
                let secrets = Api::namespaced(Client::try_from(config)?, &namespace);
                stopped.run_until_cancelled(follow(&secrets, &secret, &folder, delay, &count)).await.unwrap_or(Ok(()))
            });
            if let Err(failure) = outcome {
                eprintln!("test bed: projecting Secret {namespace}/{secret}: {failure}");
            }
        });
        Ok(Self { stop, versions, thread: Some(thread) })
    }

    /// How many versions have been projected.
    pub fn versions(&self) -> usize {
        self.versions.load(Ordering::Relaxed)
    }

    /// Waits until at least so many versions have been projected.
    pub async fn wait_versions(&self, count: usize, deadline: Duration) -> Result {
        wait::until(&format!("version {count} of a projected Secret"), deadline, || async {
            let seen = self.versions();
            if seen >= count { Ok(()) } else { Err(format!("{seen} were projected")) }
        })
        .await
    }
}

impl Drop for Projection {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn follow(secrets: &Api<Secret>, name: &str, folder: &Path, delay: Delay, versions: &AtomicUsize) -> Result {
    let mut projected = None;
    loop {
        // A server that does not answer for a moment delays a projection, as it does with a real kubelet.
        let current = secrets.get_opt(name).await.ok().flatten().and_then(|secret| secret.data);
        if let Some(data) = current
            && projected.as_ref() != Some(&data)
        {
            sleep(delay.next()).await;
            project(folder, &data)?;
            projected = Some(data);
            versions.fetch_add(1, Ordering::Relaxed);
        }
        sleep(LOOK).await;
    }
}

fn project(folder: &Path, data: &Data) -> Result {
    let version = format!("..{}_{}", jiff::Zoned::now().strftime("%Y_%m_%d_%H_%M_%S"), ports::random_word());
    let path = folder.join(&version);
    fs::create_dir(&path)?;
    for (key, ByteString(value)) in data {
        fs::write(path.join(key), value)?;
    }
    let current = folder.join("..data");
    let before = fs::read_link(&current).ok();
    let swap = folder.join("..data_tmp");
    symlink(&version, &swap)?;
    fs::rename(&swap, &current)?;
    link_keys(folder, data)?;
    if let Some(before) = before {
        fs::remove_dir_all(folder.join(before))?;
    }
    Ok(())
}

/// Links for new keys, and none for keys that are gone.
fn link_keys(folder: &Path, data: &Data) -> Result {
    for key in data.keys() {
        match symlink(PathBuf::from("..data").join(key), folder.join(key)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            outcome => outcome?,
        }
    }
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let name = name.to_str().ok_or_else(|| Failure::new("a projected name is not UTF-8"))?;
        if !name.starts_with("..") && !data.contains_key(name) {
            fs::remove_file(folder.join(name))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_swapped_whole_and_lost_keys_go() {
        let folder = std::env::temp_dir().join(format!("bed-projection-{}", ports::random_word()));
        fs::create_dir_all(&folder).unwrap();
        let data = |pairs: &[(&str, &str)]| -> Data {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), ByteString(value.as_bytes().to_vec()))).collect()
        };
        project(&folder, &data(&[("tls.crt", "one"), ("old", "x")])).unwrap();
        let first = fs::read_link(folder.join("..data")).unwrap();
        project(&folder, &data(&[("tls.crt", "two")])).unwrap();
        assert_eq!(fs::read_to_string(folder.join("tls.crt")).unwrap(), "two");
        assert_ne!(fs::read_link(folder.join("..data")).unwrap(), first);
        assert!(!folder.join(&first).exists());
        assert!(fs::symlink_metadata(folder.join("old")).is_err());
        fs::remove_dir_all(&folder).unwrap();
    }
}
