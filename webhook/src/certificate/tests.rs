//! Pairs, good and bad, and what a look at the files leads to.

use std::sync::atomic::{AtomicU32, Ordering};

use rcgen::{CertificateParams, KeyPair};

use super::*;

/// Chain and key in PEM, self-signed for `name`, valid from an hour ago for `days` (negative: expired).
pub fn pem(name: &str, days: i64) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().cast_signed();
    let at = |seconds: i64| (SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.cast_unsigned())).into();
    params.not_before = at(now.min(now + days * 86_400) - 3_600);
    params.not_after = at(now + days * 86_400);
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

/// A folder of its own that goes away with the test.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("webhook-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::SeqCst));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn write(&self, chain: &str, key: &str) {
        std::fs::write(self.0.join("tls.crt"), chain).unwrap();
        std::fs::write(self.0.join("tls.key"), key).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn files(folder: &Folder) -> (Files, Arc<Current>) {
    let current = Arc::new(Current::default());
    (Files::new(&folder.0, "localhost", provider(), current.clone()), current)
}

fn names_in_use(current: &Current) -> Vec<String> {
    current.pair().map(|pair| pair.names.clone()).unwrap_or_default()
}

#[test]
fn missing_files_are_waited_for_and_reported_once() {
    let folder = Folder::new();
    let (mut files, current) = files(&folder);
    let now = SystemTime::now();
    assert!(matches!(files.look(now), Look::Kept(problem) if problem.contains("tls.crt")));
    assert_eq!(files.look(now), Look::Unchanged);
    assert!(current.ready(now).is_err());

    let (chain, key) = pem("first", 90);
    folder.write(&chain, &key);
    assert_eq!(files.look(now), Look::Swapped);
    assert_eq!(files.look(now), Look::Unchanged);
    assert_eq!(current.ready(now), Ok(()));
    assert_eq!(names_in_use(&current), ["first"]);
}

#[test]
fn unusable_pairs_are_kept_out() {
    let folder = Folder::new();
    let (mut files, current) = files(&folder);
    let now = SystemTime::now();
    let (good, good_key) = pem("good", 90);
    folder.write(&good, &good_key);
    assert_eq!(files.look(now), Look::Swapped);

    let (other, other_key) = pem("other", 90);
    let (expired, expired_key) = pem("expired", -1);
    let truncated = &other[..other.len() / 2];
    let cases = [
        ("another key", other.as_str(), good_key.as_str()),
        ("expired", &expired, &expired_key),
        ("truncated", truncated, &other_key),
        ("empty", "", ""),
        ("no key", &other, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
        ("swapped files", &other_key, &other),
    ];
    for (case, chain, key) in cases {
        folder.write(chain, key);
        let look = files.look(now);
        let Look::Kept(problem) = look else { panic!("{case}: {look:?}") };
        assert!(!problem.contains("BEGIN") && !problem.contains(&other_key[40..60]), "{case}: {problem}");
        assert_eq!(names_in_use(&current), ["good"], "{case}");
    }
    folder.write(&other, &other_key);
    assert_eq!(files.look(now), Look::Swapped);
}

#[test]
fn expired_certificate_is_better_than_none() {
    let folder = Folder::new();
    let (mut files, current) = files(&folder);
    let (chain, key) = pem("late", -1);
    folder.write(&chain, &key);
    assert_eq!(files.look(SystemTime::now()), Look::Swapped);
    assert!(current.ready(SystemTime::now()).unwrap_err().contains("expired"));
}

#[test]
fn readiness_follows_the_clock() {
    let folder = Folder::new();
    let (mut files, current) = files(&folder);
    let now = SystemTime::now();
    let (chain, key) = pem("x", 2);
    folder.write(&chain, &key);
    files.look(now);
    let day = Duration::from_hours(24);
    assert_eq!(current.ready(now + day), Ok(()));
    assert!(current.ready(now + 2 * day - Duration::from_mins(30)).is_err(), "within the last hour");
    assert!(current.ready(now - day).unwrap_err().contains("clock"));
}

#[test]
fn symbolic_link_swap_of_the_kubelet_is_noticed() {
    let folder = Folder::new();
    let (mut files, current) = files(&folder);
    for (generation, name) in ["one", "two"].into_iter().enumerate() {
        let data = folder.0.join(format!("..{generation}"));
        std::fs::create_dir(&data).unwrap();
        let (chain, key) = pem(name, 90);
        std::fs::write(data.join("tls.crt"), chain).unwrap();
        std::fs::write(data.join("tls.key"), key).unwrap();
        let link = folder.0.join("..data_tmp");
        std::os::unix::fs::symlink(&data, &link).unwrap();
        std::fs::rename(&link, folder.0.join("..data")).unwrap();
        if generation == 0 {
            for file in ["tls.crt", "tls.key"] {
                std::os::unix::fs::symlink(format!("..data/{file}"), folder.0.join(file)).unwrap();
            }
        }
        assert_eq!(files.look(SystemTime::now()), Look::Swapped);
        assert_eq!(names_in_use(&current), [name]);
    }
}
